//! One call of an entry: a coroutine in a cage. Helpers run on the host's stack while it is suspended; the
//! coroutine's own stack holds generated code and nothing that must be dropped.

use std::sync::Arc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};

use crate::error::RunError;
use crate::helper::{Answer, Arguments, Function, Helper, HelperResult, Phases, Refusal};
use crate::layout::{ARENA_BYTES, INPUT_BYTES_MAX, INPUT_START, pointer};
use crate::memory::Memory;
use crate::module::{EntryId, Module, Native};
use crate::runtime::{Cage, Runtime};
use crate::vm::{self, Event, Vm, Yielder};

type Script = Coroutine<i64, Event, u64, DefaultStack>;

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
    Failed(RunError),
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
    /// Suspended; this is what generated code gets when it goes on.
    Paused(i64),
    Waiting,
    Over,
}

pub struct Run<C> {
    script: Option<Script>,
    cage: Option<Cage>,
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
    ) -> Result<Self, RunError> {
        let refuse = |reason: String| RunError {
            script: Arc::clone(&module.name),
            function: module.entry_name(entry).to_owned(),
            helper: None,
            line: None,
            reason,
        };
        if input.len() > INPUT_BYTES_MAX {
            return Err(refuse(format!("{} bytes of input, at most {INPUT_BYTES_MAX}", input.len())));
        }
        let cage = runtime.take_cage(module.id, &module.image);
        let mut cage = cage.map_err(|each| refuse(format!("memory for the script: {each}")))?;
        cage.write_input(input);
        let stack = match runtime.take_stack() {
            Ok(stack) => stack,
            Err(each) => {
                runtime.give_cage(cage, &module.image, &module.touched);
                return Err(refuse(format!("stack for the script: {each}")));
            }
        };
        // SAFETY: the cage is ours, and nothing runs in it.
        unsafe { (*cage.vm()).fuel = 0 };
        let at = if input.is_empty() { 0 } else { pointer(INPUT_START) };
        let begin = Begin { native: module.native(entry), vm: cage.vm(), input: at, length: input.len() as u64 };
        let (module, runtime) = (Arc::clone(module), runtime.clone());
        let script = Some(Coroutine::with_stack(stack, move |yielder, _| begin.enter(yielder)));
        Ok(Self { script, cage: Some(cage), module, entry, runtime, phase, state: State::New, spent: 0 })
    }

    /// Lets the script run until it ends, yields, waits or fails. Asking a run that is over, or giving an answer that
    /// nobody waits for, is our mistake and panics.
    pub fn resume(&mut self, context: &mut C, resume: Resume) -> Outcome {
        let fuel = self.runtime.slice();
        let answer = match (self.state, resume) {
            (State::New, Resume::Go) => Ok(0),
            (State::Paused(value), Resume::Go) | (State::Waiting, Resume::Value(value)) => Ok(value),
            (State::Waiting, Resume::Fail(reason)) => Err(reason),
            (State::Waiting, Resume::Again) => {
                self.refill(fuel);
                match self.call(context) {
                    Ok(Answer::Value(value)) => Ok(value),
                    Ok(Answer::Suspend) => return Outcome::Wait,
                    Err(Refusal(reason)) => Err(reason),
                }
            }
            (state, resume) => panic!("a run that is {state:?} was told {resume:?}"),
        };
        self.refill(fuel);
        match answer {
            Ok(value) => self.drive(context, value),
            Err(reason) => self.fail(reason),
        }
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

    fn drive(&mut self, context: &mut C, mut value: i64) -> Outcome {
        // Over, should a helper panic: what is on the coroutine's stack is thrown away then.
        self.state = State::Over;
        loop {
            let Some(script) = &mut self.script else { panic!("the run is over") };
            match script.resume(value) {
                CoroutineResult::Return(result) => return Outcome::Done(result),
                CoroutineResult::Yield(Event::Fuel) => {
                    self.state = State::Paused(0);
                    return Outcome::Yield;
                }
                CoroutineResult::Yield(Event::Helper) => {}
            }
            match self.call(context) {
                Ok(Answer::Value(result)) => value = result,
                Ok(Answer::Suspend) => {
                    self.state = State::Waiting;
                    return Outcome::Wait;
                }
                Err(Refusal(reason)) => return self.fail(reason),
            }
            if self.machine().fuel < 0 {
                self.state = State::Paused(value);
                return Outcome::Yield;
            }
        }
    }

    fn refill(&mut self, fuel: i64) {
        let left = std::mem::replace(&mut self.machine_mut().fuel, fuel);
        self.spent += fuel - left;
    }

    fn helper(&self) -> Helper<C> {
        let (_, _, number) = vm::site_parts(self.machine().site);
        self.module.helpers[number]
    }

    /// Calls the helper that the script asks for.
    fn call(&mut self, context: &mut C) -> HelperResult {
        let helper = self.helper();
        if !helper.phases.allows(self.phase) {
            return Err("not allowed in this phase of a request".into());
        }
        let machine = self.machine_mut();
        let registers = machine.arguments;
        machine.fuel -= i64::from(helper.fuel);
        // SAFETY: the script is suspended until this function has returned, and no slice outlives it: helpers
        // are `fn`s over a lifetime that they can't keep.
        let mut memory = unsafe { Memory::new(self.vm()) };
        match helper.function {
            Function::Raw(count, function) => {
                let mut registers = registers;
                registers[count..].fill(0); // left over from another call
                function(context, &mut memory, registers)
            }
            Function::Checked(kinds, function) => {
                let mut arguments = Arguments::check(kinds, registers, &memory)?;
                let answer = function(context, &mut arguments);
                self.machine_mut().fuel -= arguments.fuel;
                answer
            }
        }
    }

    fn fail(&mut self, reason: String) -> Outcome {
        self.state = State::Over;
        let (function, slot, _) = vm::site_parts(self.machine().site);
        let (function, line) = self.module.place(function, slot);
        let helper = Some(self.helper().name);
        Outcome::Failed(RunError { script: Arc::clone(&self.module.name), function, helper, line, reason })
    }

    fn vm(&self) -> *mut Vm {
        let Some(cage) = &self.cage else { panic!("the run is over") };
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
        if let Some(mut script) = self.script.take() {
            // SAFETY: the coroutine's stack holds frames of generated code, of `vm::call_helper` or
            // `vm::out_of_fuel`, of `Begin::enter`: none of them owns anything.
            unsafe { script.force_reset() };
            self.runtime.give_stack(script.into_stack());
        }
        if let Some(cage) = self.cage.take() {
            self.runtime.give_cage(cage, &self.module.image, &self.module.touched);
        }
    }
}
