//! A compiled script: immutable, shared by all loops, its code freed with the last reference.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::code::CodeMemory;
use crate::compile::{self, Compiled};
use crate::elf;
use crate::error::{LoadError, LoadErrorKind};
use crate::helper::{Helper, HelperTable, Observer};
use crate::layout::GRANULES;
use crate::program::{Entry, Program};
use crate::vm::{ARGUMENTS, Vm};

/// What a native function looks like.
pub(crate) type Native = unsafe extern "C" fn(*mut Vm, u64, u64, u64, u64, u64) -> u64;

/// Names modules for the pool of arenas. Never used twice.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A function that the host may start. From [`Module::entries`] of the same module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryId(usize);

pub struct Module<C> {
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) image: Vec<u8>,
    pub(crate) touched: Vec<u16>,
    pub(crate) helpers: Vec<Helper<C>>,
    pub(crate) observer: Option<Observer<C>>,
    functions: Vec<FunctionName>,
    entries: Vec<Entry>,
    starts: Vec<usize>,
    code: CodeMemory,
    figures: Figures,
}

/// What is left of a function when it is compiled: names for messages.
struct FunctionName {
    name: String,
    lines: Vec<crate::program::Line>,
}

/// Sizes of a module, for logs and `check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    pub instructions: usize,
    pub code_bytes: usize,
    pub image_bytes: usize,
    pub native_stack_bytes: usize,
}

impl<C> Module<C> {
    /// Reads, checks and compiles an object. Takes milliseconds: not for an event loop.
    ///
    /// # Errors
    /// Why the object is refused.
    pub fn compile(
        name: &str,
        object: &[u8],
        table: &HelperTable<C>,
    ) -> Result<Arc<Self>, LoadError> {
        let program = elf::load(name, object)?;
        Self::link(name, program, table)
    }

    /// As [`Self::compile`], for a program that is linked already.
    ///
    /// # Errors
    /// Why the program is refused.
    pub fn link(
        name: &str,
        program: Program,
        table: &HelperTable<C>,
    ) -> Result<Arc<Self>, LoadError> {
        let refuse = |section: Option<String>, place, kind| LoadError {
            script: name.to_owned(),
            section,
            place,
            kind,
        };
        for entry in &program.entries {
            if !table.knows_section(&entry.section) {
                return Err(refuse(
                    Some(entry.section.clone()),
                    None,
                    LoadErrorKind::UnknownSection,
                ));
            }
        }
        let helpers = table.resolve(name, &program.helpers)?;
        let registers: Vec<usize> = helpers.iter().map(Helper::registers).collect();
        let internal = |why: String| refuse(None, None, LoadErrorKind::Internal(why));
        let isa = compile::host_isa().map_err(internal)?;
        let compiled =
            compile::compile(&program, &registers, &*isa).map_err(|(function, slot, kind)| {
                let at = &program.functions[function];
                refuse(
                    Some(at.section.clone()),
                    slot.map(|slot| (at.name.clone(), slot)),
                    kind,
                )
            })?;
        let code = CodeMemory::new(&compiled.bytes)
            .map_err(|each| internal(format!("executable memory: {each}")))?;
        Ok(Arc::new(Self::assemble(
            name,
            program,
            helpers,
            table.observer,
            &compiled,
            code,
        )))
    }

    fn assemble(
        name: &str,
        program: Program,
        helpers: Vec<Helper<C>>,
        observer: Option<Observer<C>>,
        compiled: &Compiled,
        code: CodeMemory,
    ) -> Self {
        let figures = Figures {
            instructions: program.functions.iter().map(|each| each.code.len()).sum(),
            code_bytes: compiled.bytes.len(),
            image_bytes: program.image_bytes,
            native_stack_bytes: compiled.stack_bytes,
        };
        let touched = (0..GRANULES).filter(|&each| compiled.touched[each]);
        let names = program.functions.into_iter().map(|each| FunctionName {
            name: each.name,
            lines: each.lines,
        });
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            name: name.into(),
            image: program.image,
            touched: touched
                .filter_map(|each| u16::try_from(each).ok())
                .collect(),
            helpers,
            observer,
            functions: names.collect(),
            entries: program.entries,
            starts: compiled.starts.clone(),
            code,
            figures,
        }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Everything that the host may start, in the order of the object.
    pub fn entries(&self) -> impl Iterator<Item = (EntryId, &Entry)> {
        self.entries
            .iter()
            .enumerate()
            .map(|(number, entry)| (EntryId(number), entry))
    }

    /// The entries of one section.
    pub fn entries_in(&self, section: &str) -> impl Iterator<Item = EntryId> {
        self.entries()
            .filter(move |(_, entry)| entry.section == section)
            .map(|(id, _)| id)
    }

    #[must_use]
    pub fn figures(&self) -> Figures {
        self.figures
    }

    pub(crate) fn native(&self, entry: EntryId) -> Native {
        let start = self.starts[self.entries[entry.0].function];
        // SAFETY: `compile` made a function of exactly this form begin there.
        unsafe { mem::transmute::<*const u8, Native>(self.code.address(start)) }
    }

    /// Name and `file:line` of a place.
    pub(crate) fn place(&self, function: usize, slot: usize) -> (String, Option<String>) {
        let Some(at) = self.functions.get(function) else {
            return (String::new(), None);
        };
        let after = at.lines.partition_point(|line| line.slot <= slot);
        let line = at.lines[..after]
            .last()
            .map(|line| format!("{}:{}", line.file, line.line));
        (at.name.clone(), line)
    }

    pub(crate) fn entry_name(&self, entry: EntryId) -> &str {
        &self.entries[entry.0].name
    }
}

const _: () = assert!(ARGUMENTS == 5); // as many as `Native` takes
