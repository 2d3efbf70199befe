//! Notes of what scripts did, for `explain` and tests. Kept only by scripts that were compiled for it.

use zs_script::{Answer, Function, Helper, HelperResult, Kind, Memory};

use crate::context::Context;

/// Helper calls that are noted for one request: a loop must not fill the memory.
const CALLS_MAX: usize = 10_000;
/// Of one argument's text.
const TEXT_BYTES_MAX: usize = 200;

/// Reads how much of the processor's time this thread has had, in nanoseconds. Its host's: there is no clock here.
pub type ProcessorTime = fn() -> u64;

#[derive(Clone, Debug)]
pub struct Trace {
    pub runs: Vec<RunTrace>,
    /// Indices of the runs that have not ended, outermost first.
    open: Vec<usize>,
    calls: usize,
    processor_time: ProcessorTime,
    /// Time that taking notes took since a script was let go, in nanoseconds.
    noting: u64,
}

/// One script's run, or one call target's.
#[derive(Clone, Debug)]
pub struct RunTrace {
    pub script: String,
    pub function: String,
    /// 0 for a script of the chain, more for calls.
    pub depth: usize,
    pub calls: Vec<CallTrace>,
    pub fuel: u64,
    /// Time of the processor, with its helpers and without the taking of notes, in nanoseconds.
    pub cpu_ns: u64,
    /// `passed`, `responded`, `aborted`, `returned N`, or why it failed.
    pub outcome: String,
}

#[derive(Clone, Debug)]
pub struct CallTrace {
    pub helper: &'static str,
    pub arguments: Vec<String>,
    pub result: String,
}

impl Trace {
    pub(crate) fn new(processor_time: ProcessorTime) -> Self {
        Self {
            runs: Vec::new(),
            open: Vec::new(),
            calls: 0,
            processor_time,
            noting: 0,
        }
    }

    /// The running script is let go; what this returns goes to [`Self::came_back`].
    pub(crate) fn let_go(&mut self) -> u64 {
        self.noting = 0;
        (self.processor_time)()
    }

    /// The running script, the innermost, has come back: it is charged for the time since then.
    pub(crate) fn came_back(&mut self, since: u64) {
        let took = (self.processor_time)().saturating_sub(since);
        let open = self.open.last();
        if let Some(run) = open.and_then(|&index| self.runs.get_mut(index)) {
            run.cpu_ns += took.saturating_sub(self.noting);
        }
    }

    pub(crate) fn begin(&mut self, script: &str, function: &str, depth: usize) {
        self.open.push(self.runs.len());
        self.runs.push(RunTrace {
            script: script.to_owned(),
            function: function.to_owned(),
            depth,
            calls: Vec::new(),
            fuel: 0,
            cpu_ns: 0,
            outcome: String::new(),
        });
    }

    pub(crate) fn end(&mut self, depth: usize, fuel: u64, outcome: String) {
        let Some(run) = self.open.pop().and_then(|index| self.runs.get_mut(index)) else {
            return;
        };
        debug_assert_eq!(run.depth, depth);
        run.fuel = fuel;
        run.outcome = outcome;
    }
}

/// Notes a call. Buffers are shown as the helper left them.
pub(crate) fn observe(
    context: &mut Context,
    memory: &Memory<'_>,
    helper: &Helper<Context>,
    registers: &[u64; 5],
    result: &HelperResult,
) {
    let Some(trace) = &mut context.trace else {
        return;
    };
    trace.calls += 1;
    if trace.calls > CALLS_MAX {
        return;
    }
    let began = (trace.processor_time)();
    let open = trace.open.last();
    let Some(run) = open.and_then(|&index| trace.runs.get_mut(index)) else {
        return;
    };
    run.calls.push(CallTrace {
        helper: helper.name,
        arguments: arguments(memory, &helper.function, registers),
        result: match result {
            Ok(Answer::Value(value)) => value.to_string(),
            Ok(Answer::Suspend) => "waits".to_owned(),
            Err(refusal) => format!("refused: {}", refusal.0),
        },
    });
    trace.noting += (trace.processor_time)().saturating_sub(began);
}

fn arguments(
    memory: &Memory<'_>,
    function: &Function<Context>,
    registers: &[u64; 5],
) -> Vec<String> {
    let kinds = match function {
        Function::Checked(kinds, _) => *kinds,
        Function::Raw(count, _) => {
            let numbers = registers[..*count].iter();
            return numbers.map(|each| format!("{each:#x}")).collect();
        }
    };
    let mut register = 0;
    let each = |kind: &Kind| {
        let first = registers[register];
        let length = match kind {
            Kind::Scalar | Kind::Handle => None,
            Kind::OutExactly(bytes) => Some(u64::from(*bytes)),
            _ => Some(registers[register + 1]),
        };
        register += kind.registers();
        match length {
            None => first.cast_signed().to_string(),
            Some(length) => memory.bytes(first, length).map_or_else(
                || "outside of memory".to_owned(),
                |bytes| shown(*kind, bytes),
            ),
        }
    };
    kinds.iter().map(each).collect()
}

fn shown(kind: Kind, bytes: &[u8]) -> String {
    // A buffer's text ends at its NUL.
    let end = match kind {
        Kind::Out => bytes.iter().position(|&byte| byte == 0),
        _ => None,
    };
    let bytes = &bytes[..end.unwrap_or(bytes.len()).min(TEXT_BYTES_MAX)];
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("{} bytes", bytes.len()),
    }
}
