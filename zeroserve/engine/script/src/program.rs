//! A linked program: functions whose calls and pointers are resolved, and the bytes they start with.

use crate::error::LoadErrorKind;
use crate::instruction::Instruction;
use crate::layout::{CALL_DEPTH_MAX, GRANULE_BYTES, IMAGE_START};

/// What the loader makes of an object.
#[derive(Clone, Debug, Default)]
pub struct Program {
    pub functions: Vec<Function>,
    pub entries: Vec<Entry>,
    /// First bytes of the image: `.rodata` and `.data`, linked.
    pub image: Vec<u8>,
    /// Bytes of the whole image; those behind `image` start as zero (`.bss`).
    pub image_bytes: usize,
    /// Names of the helpers that are called, by the number in a call.
    pub helpers: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Function {
    pub name: String,
    pub section: String,
    pub code: Vec<Instruction>,
    /// Longest chain of calls that leads here. It fixes the place of the stack frame.
    pub depth: usize,
    /// Source lines by the first slot they are about, ascending. Empty without line information.
    pub lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub slot: usize,
    pub file: String,
    pub line: u32,
}

/// A function that the server may start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub section: String,
    pub name: String,
    /// Index into the program's functions.
    pub function: usize,
}

impl Function {
    /// `file:line` of a slot.
    #[must_use]
    pub fn line_of(&self, slot: usize) -> Option<String> {
        let after = self.lines.partition_point(|line| line.slot <= slot);
        let line = self.lines[..after].last()?;
        Some(format!("{}:{}", line.file, line.line))
    }

    /// Functions that this one calls.
    pub fn callees(&self) -> impl Iterator<Item = usize> + '_ {
        let calls = self
            .code
            .iter()
            .filter(|each| each.is_call() && each.src == 1);
        calls.filter_map(|each| usize::try_from(each.imm).ok())
    }
}

impl Program {
    /// Sets every function's depth. A cycle of calls and a chain that is too long are refused: this is why
    /// no stack, neither the script's nor ours, can run over.
    ///
    /// # Errors
    /// The function at fault and the reason.
    pub fn set_depths(&mut self) -> Result<(), (usize, LoadErrorKind)> {
        let mut callers = vec![0usize; self.functions.len()];
        for function in &self.functions {
            for callee in function.callees() {
                callers[callee] += 1;
            }
        }
        let mut ready: Vec<usize> = (0..callers.len())
            .filter(|&each| callers[each] == 0)
            .collect();
        let mut done = 0;
        while let Some(index) = ready.pop() {
            done += 1;
            let depth = self.functions[index].depth;
            if depth >= CALL_DEPTH_MAX {
                let (found, limit) = (depth + 1, CALL_DEPTH_MAX);
                let what = "functions that call each other";
                return Err((index, LoadErrorKind::TooMuch { what, found, limit }));
            }
            let below: Vec<usize> = self.functions[index].callees().collect();
            for callee in below {
                let function = &mut self.functions[callee];
                function.depth = function.depth.max(depth + 1);
                callers[callee] -= 1;
                if callers[callee] == 0 {
                    ready.push(callee);
                }
            }
        }
        if done == self.functions.len() {
            return Ok(());
        }
        let index = callers
            .iter()
            .position(|&left| left > 0)
            .unwrap_or_default();
        Err((
            index,
            LoadErrorKind::Recursion(self.functions[index].name.clone()),
        ))
    }

    /// Offset in the arena behind the image, rounded up to what is restored as one.
    #[must_use]
    pub fn image_end(&self) -> usize {
        IMAGE_START + self.image_bytes.next_multiple_of(GRANULE_BYTES)
    }
}
