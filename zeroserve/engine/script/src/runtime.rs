//! One loop's pool of cages: an arena, its machine, a coroutine's stack. Made on demand, kept for the next run,
//! never leaving their thread.

use std::cell::{Cell, RefCell};
use std::io::Error;
use std::ptr;
use std::rc::Rc;

use corosensei::stack::DefaultStack;

use crate::arena::Arena;
use crate::compile::NATIVE_STACK_BYTES_MAX;
use crate::layout::GRANULES;
use crate::vm::{self, ARGUMENTS, Vm};

/// Stack of a coroutine: generated code, and room for a signal handler with the largest register state.
const STACK_BYTES: usize = NATIVE_STACK_BYTES_MAX + (64 << 10);
/// Idle cages that are kept.
const IDLE_MAX: usize = 64;
/// Fuel of a slice: 10 to 20 µs of a tight loop.
const SLICE: i64 = 32 << 10;

/// A loop's runtime. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    pool: Rc<Pool>,
}

#[expect(
    clippy::vec_box,
    reason = "runs take and give the box: one word moves, not the cage"
)]
struct Pool {
    idle: RefCell<Vec<Box<Cage>>>,
    slice: Cell<i64>,
}

/// An arena with its machine and stack, and whose image it holds.
pub(crate) struct Cage {
    arena: Arena,
    vm: *mut Vm,
    /// The module whose image lies in the arena; 0 for none.
    module: u64,
    image_bytes: usize,
    input_bytes: usize,
    /// The stack, while no coroutine has it.
    stack: Option<DefaultStack>,
}

impl Drop for Cage {
    fn drop(&mut self) {
        // SAFETY: it came from `Box::into_raw` and the run that used it has ended.
        drop(unsafe { Box::from_raw(self.vm) });
    }
}

impl Cage {
    fn new() -> Result<Box<Self>, Error> {
        let arena = Arena::new()?;
        let stack = Some(DefaultStack::new(STACK_BYTES)?);
        let vm = Box::new(Vm {
            base: arena.base(),
            fuel: 0,
            site: 0,
            call_helper: vm::out_of_fuel, // each run sets its own
            out_of_fuel: vm::out_of_fuel,
            arguments: [0; ARGUMENTS],
            desk: ptr::null_mut(),
            yielder: ptr::null(),
            dirty: [0; GRANULES],
        });
        let vm = Box::into_raw(vm);
        Ok(Box::new(Self {
            arena,
            vm,
            module: 0,
            image_bytes: 0,
            input_bytes: 0,
            stack,
        }))
    }

    pub(crate) fn vm(&self) -> *mut Vm {
        self.vm
    }

    /// The stack, for a coroutine that gives it back.
    pub(crate) fn take_stack(&mut self) -> DefaultStack {
        let Some(stack) = self.stack.take() else {
            panic!("the stack is in use")
        };
        stack
    }

    pub(crate) fn give_stack(&mut self, stack: DefaultStack) {
        self.stack = Some(stack);
    }

    pub(crate) fn write_input(&mut self, input: &[u8]) {
        if !input.is_empty() {
            self.arena.write_input(input);
            self.input_bytes = input.len();
        }
    }

    /// Undoes what a run did. `touched`: granules stored to without a mark.
    fn restore(&mut self, image: &[u8], touched: &[u16]) {
        // SAFETY: the machine lives as long as the cage, and no run is using it.
        let dirty = unsafe { &mut (*self.vm).dirty };
        for &granule in touched {
            dirty[usize::from(granule)] = 1;
        }
        self.arena.restore(dirty, image);
        self.arena
            .clear_input(std::mem::take(&mut self.input_bytes)); // written without a mark
    }

    fn hold(&mut self, module: u64, image: &[u8]) {
        if self.module != module {
            self.arena.clear_image(self.image_bytes);
            self.arena.write_image(image);
            self.module = module;
            self.image_bytes = image.len();
        }
    }
}

impl Default for Runtime {
    fn default() -> Self {
        Self::new()
    }
}

impl Runtime {
    #[must_use]
    pub fn new() -> Self {
        Self {
            pool: Rc::new(Pool {
                idle: RefCell::default(),
                slice: Cell::new(SLICE),
            }),
        }
    }

    /// Sets the fuel of a slice: what a run may use before the host is asked. One is about an instruction.
    pub fn set_slice(&self, fuel: u32) {
        self.pool.slice.set(i64::from(fuel.max(1)));
    }

    pub(crate) fn slice(&self) -> i64 {
        self.pool.slice.get()
    }

    /// Idle cages: what the loop holds on to.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.pool.idle.borrow().len()
    }

    /// Lets go of everything idle, for instance when a site without scripts is loaded.
    pub fn shrink(&self) {
        self.pool.idle.borrow_mut().clear();
    }

    pub(crate) fn take_cage(&self, module: u64, image: &[u8]) -> Result<Box<Cage>, Error> {
        let mut idle = self.pool.idle.borrow_mut();
        let same = idle.iter().rposition(|cage| cage.module == module);
        let found = same.or_else(|| {
            idle.len()
                .checked_sub(1)
                .filter(|_| idle.len() >= IDLE_MAX / 2)
        });
        let mut cage = match found {
            Some(index) => idle.swap_remove(index),
            None => Cage::new()?,
        };
        cage.hold(module, image);
        Ok(cage)
    }

    pub(crate) fn give_cage(&self, mut cage: Box<Cage>, image: &[u8], touched: &[u16]) {
        let mut idle = self.pool.idle.borrow_mut();
        if idle.len() < IDLE_MAX {
            cage.restore(image, touched);
            idle.push(cage);
        }
    }
}
