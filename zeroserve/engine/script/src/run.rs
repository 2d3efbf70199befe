//! One call of an entry: a coroutine in a cage. Helpers run on the host's stack; the coroutine's own stack holds
//! generated code and nothing that must be dropped.

use std::panic::resume_unwind;
use std::sync::Arc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};

use crate::desk::{Desk, Stop, call_helper};
use crate::error::RunError;
use crate::helper::{Helper, Phases, Refusal};
use crate::layout::{ARENA_BYTES, INPUT_BYTES_MAX, INPUT_START, pointer};
use crate::module::{EntryId, Module, Native};
use crate::runtime::{Cage, Runtime};
use crate::vm::{self, Event, Reply, Vm, Yielder};

type Script = Coroutine<Reply, Event, u64, DefaultStack>;

/// Where a run stands after the host gave it the floor.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The entry returned this.
    Done(u64),
    /// The slice is used up: go on ([`Resume::Go`]), later or now, or drop the run.
    Yield,
    /// A helper waits ([`Answer::Suspend`]): answer it, or drop the run.
    Wait,
    /// The run is over.
    Failed(Box<RunError>),
}

/// What the host says to a run.
#[derive(Debug)]
pub enum Resume {
    /// Begin, or go on after [`Outcome::Yield`].
    Go,
    /// After [`Outcome::Wait`]: the helper's result.
    Value(i64),
    /// After [`Outcome::Wait`]: call the helper once more, with the same arguments.
    Again,
    /// After [`Outcome::Wait`]: the helper refuses.
    Fail(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Paused,
    Waiting,
    Over,
}

pub struct Run<C> {
    script: Option<Script>,
    cage: Option<Box<Cage>>,
    module: Arc<Module<C>>,
    entry: EntryId,
    runtime: Runtime,
    phase: Phases,
    state: State,
    spent: i64,
}

/// What goes on the coroutine's stack: plain words.
#[derive(Clone, Copy)]
struct Begin {
    native: Native,
    vm: *mut Vm,
    input: u64,
    length: u64,
}

impl<C> Run<C> {
    /// Makes a run ready; nothing of it runs yet. An entry gets the address of its input in r1 and the length in r2
    /// (0 and 0 without input).
    ///
    /// # Errors
    /// No memory, or more than 512 bytes of input.
    pub fn new(
        runtime: &Runtime,
        module: &Arc<Module<C>>,
        entry: EntryId,
        input: &[u8],
        phase: Phases,
    ) -> Result<Self, Box<RunError>> {
        let refuse = |reason: String| {
            let (script, function) = (
                Arc::clone(&module.name),
                module.entry_name(entry).to_owned(),
            );
            Box::new(RunError {
                script,
                function,
                helper: None,
                line: None,
                reason,
            })
        };
        if input.len() > INPUT_BYTES_MAX {
            return Err(refuse(format!(
                "{} bytes of input, at most {INPUT_BYTES_MAX}",
                input.len()
            )));
        }
        let cage = runtime.take_cage(module.id, &module.image);
        let mut cage = cage.map_err(|each| refuse(format!("memory for the script: {each}")))?;
        cage.write_input(input);
        // SAFETY: the cage is ours, and nothing runs in it.
        unsafe {
            (*cage.vm()).fuel = 0;
            (*cage.vm()).call_helper = call_helper::<C>;
        }
        let at = if input.is_empty() {
            0
        } else {
            pointer(INPUT_START)
        };
        let begin = Begin {
            native: module.native(entry),
            vm: cage.vm(),
            input: at,
            length: input.len() as u64,
        };
        let (module, runtime) = (Arc::clone(module), runtime.clone());
        let stack = cage.take_stack();
        let script = Some(Coroutine::with_stack(stack, move |yielder, _| {
            begin.enter(yielder)
        }));
        Ok(Self {
            script,
            cage: Some(cage),
            module,
            entry,
            runtime,
            phase,
            state: State::New,
            spent: 0,
        })
    }

    /// Lets the script run until it ends, yields, waits or fails.
    ///
    /// # Panics
    /// The run is over, or nobody waits for such an answer: our mistake. A helper's panic goes on here, too.
    pub fn resume(&mut self, context: &mut C, resume: Resume) -> Outcome {
        let fuel = self.runtime.slice();
        let reply = match (self.state, resume) {
            (State::New | State::Paused, Resume::Go) => Reply::Value(0),
            (State::Waiting, Resume::Value(value)) => Reply::Value(value),
            (State::Waiting, Resume::Again) => Reply::Again,
            (State::Waiting, Resume::Fail(reason)) => return self.fail(reason),
            (state, resume) => panic!("a run that is {state:?} was told {resume:?}"),
        };
        let left = std::mem::replace(&mut self.machine_mut().fuel, fuel);
        self.spent += fuel - left;
        self.drive(context, reply)
    }

    /// Whether the run waits for its next slice.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.state == State::Paused
    }

    /// Fuel used so far.
    #[must_use]
    pub fn fuel_spent(&self) -> u64 {
        let left = self.cage.as_ref().map_or(0, |_| self.machine().fuel);
        u64::try_from(self.spent - left).unwrap_or(0)
    }

    /// The helper that a waiting run waits for.
    #[must_use]
    pub fn waits_for(&self) -> Option<&'static str> {
        (self.state == State::Waiting).then(|| self.helper().name)
    }

    /// The script's whole memory, from the arena's first byte. For tests and explanations.
    #[must_use]
    pub fn memory(&self) -> &[u8] {
        // SAFETY: the arena lives as long as the run, which is suspended or over.
        unsafe { std::slice::from_raw_parts(self.machine().base, ARENA_BYTES) }
    }

    fn drive(&mut self, context: &mut C, reply: Reply) -> Outcome {
        self.state = State::Over;
        let (module, phase) = (Arc::as_ptr(&self.module), self.phase);
        let mut desk = Desk {
            context: &raw mut *context,
            module,
            phase,
            stop: None,
        };
        self.machine_mut().desk = (&raw mut desk).cast();
        let Some(script) = &mut self.script else {
            panic!("the run is over")
        };
        match script.resume(reply) {
            CoroutineResult::Return(result) => Outcome::Done(result),
            CoroutineResult::Yield(Event::Fuel) => {
                self.state = State::Paused;
                Outcome::Yield
            }
            CoroutineResult::Yield(Event::Wait) => {
                self.state = State::Waiting;
                Outcome::Wait
            }
            CoroutineResult::Yield(Event::Stop) => match desk.stop {
                Some(Stop::Panicked(panic)) => resume_unwind(panic),
                Some(Stop::Refused(Refusal(reason))) => self.fail(reason),
                None => self.fail("stopped without a reason".to_owned()),
            },
        }
    }

    fn helper(&self) -> &Helper<C> {
        let (_, _, number) = vm::site_parts(self.machine().site);
        &self.module.helpers[number]
    }

    #[cold]
    fn fail(&mut self, reason: String) -> Outcome {
        self.state = State::Over;
        let (function, slot, _) = vm::site_parts(self.machine().site);
        let (function, line) = self.module.place(function, slot);
        let helper = Some(self.helper().name);
        let script = Arc::clone(&self.module.name);
        Outcome::Failed(Box::new(RunError {
            script,
            function,
            helper,
            line,
            reason,
        }))
    }

    fn vm(&self) -> *mut Vm {
        let Some(cage) = &self.cage else {
            panic!("the run is over")
        };
        cage.vm()
    }

    fn machine(&self) -> &Vm {
        // SAFETY: the cage keeps it alive; the script is suspended whenever we are here.
        unsafe { &*self.vm() }
    }

    fn machine_mut(&mut self) -> &mut Vm {
        // SAFETY: as above, and `self` is borrowed alone.
        unsafe { &mut *self.vm() }
    }

    /// The entry's name, for logs.
    #[must_use]
    pub fn entry_name(&self) -> &str {
        self.module.entry_name(self.entry)
    }
}

impl Begin {
    /// The first frame of the coroutine. Nothing here or above needs to be dropped.
    fn enter(self, yielder: &Yielder) -> u64 {
        // SAFETY: the machine belongs to this run alone; the code is the module's, which the run keeps alive; it touches
        // nothing but the arena and the machine (`SANDBOX.md`).
        unsafe {
            (*self.vm).yielder = yielder;
            (self.native)(self.vm, self.input, self.length, 0, 0, 0)
        }
    }
}

impl<C> Drop for Run<C> {
    fn drop(&mut self) {
        let Some(mut cage) = self.cage.take() else {
            return;
        };
        if let Some(mut script) = self.script.take() {
            // SAFETY: the coroutine's stack holds frames of generated code, of `call_helper` or
            // `out_of_fuel`, of `Begin::enter`: none of them owns anything.
            unsafe { script.force_reset() };
            cage.give_stack(script.into_stack());
        }
        self.runtime
            .give_cage(cage, &self.module.image, &self.module.touched);
    }
}
