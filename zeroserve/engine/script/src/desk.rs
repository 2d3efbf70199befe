//! Where generated code asks for a helper, and the helper is called: on the host's stack, with the host's context.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::helper::{Answer, Arguments, Function, Helper, HelperResult, Phases, Refusal};
use crate::memory::Memory;
use crate::module::Module;
use crate::vm::{self, Event, Reply, Vm};

/// What a host puts out while it waits for a script. Lives on the host's stack.
pub(crate) struct Desk<C> {
    pub(crate) context: *mut C,
    pub(crate) module: *const Module<C>,
    pub(crate) phase: Phases,
    /// Why the script must not go on.
    pub(crate) stop: Option<Stop>,
}

pub(crate) enum Stop {
    Refused(Refusal),
    /// A helper panicked: the host goes on with that when it is back on its own frames.
    Panicked(Box<dyn Any + Send>),
}

/// What becomes of the script after a call. Plain words, for they lie on the coroutine's stack.
#[derive(Clone, Copy)]
enum Next {
    Return(i64),
    Wait,
    Stop,
}

/// A machine on its way to the host's stack.
#[derive(Clone, Copy)]
struct Way(*mut Vm);

// SAFETY: `on_parent_stack` stays on this thread; it wants `Send` so that nobody passes a yielder along.
unsafe impl Send for Way {}

impl Way {
    fn serve<C>(self) -> Next {
        serve::<C>(self.0)
    }
}

/// What generated code calls for a helper. Its frame owns nothing, so that the stack may be thrown away while it waits.
///
/// The helper is called on the host's stack by a call, not by switching there and back as for a wait: the processor's
/// return predictor loses track at each switch, which costs more than everything else.
pub(crate) extern "C" fn call_helper<C>(vm: *mut Vm) -> i64 {
    // SAFETY: generated code passes on the address that the run gave it; `yielder` was set when this
    // coroutine began, and lives on its stack for as long.
    let yielder = unsafe { &*(*vm).yielder };
    let way = Way(vm);
    loop {
        match yielder.on_parent_stack(move || way.serve::<C>()) {
            Next::Return(value) => {
                // SAFETY: as above; nobody else looks at the machine now.
                if unsafe { (*vm).fuel } < 0 {
                    yielder.suspend(Event::Fuel);
                }
                return value;
            }
            Next::Wait => {
                if let Reply::Value(value) = yielder.suspend(Event::Wait) {
                    return value;
                }
            }
            // The host never comes back here.
            Next::Stop => {
                while matches!(yielder.suspend(Event::Stop), Reply::Value(_) | Reply::Again) {}
            }
        }
    }
}

/// The host's side of a call. No panic leaves it: there is generated code above.
fn serve<C>(vm: *mut Vm) -> Next {
    // SAFETY: `Run::drive` put out a desk of this type before it resumed the script, and keeps it until the script
    // is suspended or done.
    let desk = unsafe { &mut *(*vm).desk.cast::<Desk<C>>() };
    let stop = match catch_unwind(AssertUnwindSafe(|| call(desk, vm))) {
        Ok(Ok(Answer::Value(value))) => return Next::Return(value),
        Ok(Ok(Answer::Suspend)) => return Next::Wait,
        Ok(Err(refusal)) => Stop::Refused(refusal),
        Err(panic) => Stop::Panicked(panic),
    };
    desk.stop = Some(stop);
    Next::Stop
}

fn call<C>(desk: &mut Desk<C>, vm: *mut Vm) -> HelperResult {
    // SAFETY: the run keeps its module; generated code is waiting for us, so the machine is ours.
    let (module, machine) = unsafe { (&*desk.module, &mut *vm) };
    let (_, _, number) = vm::site_parts(machine.site);
    let helper = &module.helpers[number];
    let registers = machine.arguments;
    let answer = run(desk, vm, helper);
    if let Some(observe) = module.observer {
        // SAFETY: as in `run`, which has returned: nobody else looks at memory or context now.
        let (memory, context) = unsafe { (Memory::new(vm), &mut *desk.context) };
        observe(context, &memory, helper, &registers, &answer);
    }
    answer
}

fn run<C>(desk: &mut Desk<C>, vm: *mut Vm, helper: &Helper<C>) -> HelperResult {
    // SAFETY: as in `call`.
    let machine = unsafe { &mut *vm };
    if !helper.phases.allows(desk.phase) {
        return Err(helper.phases.refusal().into());
    }
    machine.fuel -= i64::from(helper.fuel);
    let mut registers = machine.arguments;
    // SAFETY: the script waits until this function has returned, and no slice outlives it: helpers are `fn`s over
    // a lifetime that they can't keep. `context` is the host's `&mut C`, which it does not use meanwhile.
    let (mut memory, context) = unsafe { (Memory::new(vm), &mut *desk.context) };
    match helper.function {
        Function::Raw(count, function) => {
            registers[count..].fill(0); // left over from another call
            function(context, &mut memory, registers)
        }
        Function::Checked(kinds, function) => {
            let mut arguments = Arguments::new();
            arguments.fill(kinds, &registers, &mut memory)?;
            let answer = function(context, &mut arguments);
            let fuel = arguments.fuel;
            // SAFETY: as above.
            unsafe { (*vm).fuel -= fuel };
            answer
        }
    }
}
