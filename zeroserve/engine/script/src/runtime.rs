//! One loop's pools: arenas with their machines, and coroutine stacks. Both are made on demand, kept for the next
//! run, and never leave their thread.

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
/// Idle arenas and stacks that are kept.
const IDLE_MAX: usize = 64;
/// Fuel of a slice: 10 to 20 µs of a tight loop.
const SLICE: i64 = 32 << 10;

/// A loop's runtime. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    pools: Rc<Pools>,
}

struct Pools {
    cells: RefCell<Vec<Cage>>,
    stacks: RefCell<Vec<DefaultStack>>,
    slice: Cell<i64>,
}

/// An arena with its machine, and whose image it holds.
pub(crate) struct Cage {
    arena: Arena,
    vm: *mut Vm,
    /// The module whose image lies in the arena; 0 for none.
    module: u64,
    image_bytes: usize,
}

impl Drop for Cage {
    fn drop(&mut self) {
        // SAFETY: it came from `Box::into_raw` and the run that used it has ended.
        drop(unsafe { Box::from_raw(self.vm) });
    }
}

impl Cage {
    fn new() -> Result<Self, Error> {
        let arena = Arena::new()?;
        let vm = Box::new(Vm {
            base: arena.base(),
            fuel: 0,
            site: 0,
            call_helper: vm::call_helper,
            out_of_fuel: vm::out_of_fuel,
            arguments: [0; ARGUMENTS],
            yielder: ptr::null(),
            dirty: [0; GRANULES],
        });
        Ok(Self { arena, vm: Box::into_raw(vm), module: 0, image_bytes: 0 })
    }

    pub(crate) fn vm(&self) -> *mut Vm {
        self.vm
    }

    pub(crate) fn write_input(&mut self, input: &[u8]) {
        if !input.is_empty() {
            self.arena.write_input(input);
            self.dirty()[crate::layout::INPUT_START / crate::layout::GRANULE_BYTES] = 1;
        }
    }

    fn dirty(&mut self) -> &mut [u8; GRANULES] {
        // SAFETY: the machine lives as long as the cage, and no run is using it.
        unsafe { &mut (*self.vm).dirty }
    }

    /// Undoes what a run did. `touched`: granules stored to without a mark.
    fn restore(&mut self, image: &[u8], touched: &[u16]) {
        // SAFETY: as in `dirty`.
        let dirty = unsafe { &mut (*self.vm).dirty };
        for &granule in touched {
            dirty[usize::from(granule)] = 1;
        }
        self.arena.restore(dirty, image);
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
        let (cells, stacks) = (RefCell::default(), RefCell::default());
        Self { pools: Rc::new(Pools { cells, stacks, slice: Cell::new(SLICE) }) }
    }

    /// Sets the fuel of a slice: what a run may use before the host is asked. One is about an instruction.
    pub fn set_slice(&self, fuel: u32) {
        self.pools.slice.set(i64::from(fuel.max(1)));
    }

    pub(crate) fn slice(&self) -> i64 {
        self.pools.slice.get()
    }

    /// Idle arenas and stacks: what a loop holds on to.
    #[must_use]
    pub fn idle(&self) -> (usize, usize) {
        (self.pools.cells.borrow().len(), self.pools.stacks.borrow().len())
    }

    /// Lets go of everything idle, for instance when a site without scripts is loaded.
    pub fn shrink(&self) {
        self.pools.cells.borrow_mut().clear();
        self.pools.stacks.borrow_mut().clear();
    }

    pub(crate) fn take_cage(&self, module: u64, image: &[u8]) -> Result<Cage, Error> {
        let mut idle = self.pools.cells.borrow_mut();
        let same = idle.iter().rposition(|cage| cage.module == module);
        let found = same.or_else(|| idle.len().checked_sub(1).filter(|_| idle.len() >= IDLE_MAX / 2));
        let mut cage = match found {
            Some(index) => idle.swap_remove(index),
            None => Cage::new()?,
        };
        cage.hold(module, image);
        Ok(cage)
    }

    pub(crate) fn give_cage(&self, mut cage: Cage, image: &[u8], touched: &[u16]) {
        let mut idle = self.pools.cells.borrow_mut();
        if idle.len() < IDLE_MAX {
            cage.restore(image, touched);
            idle.push(cage);
        }
    }

    pub(crate) fn take_stack(&self) -> Result<DefaultStack, Error> {
        let idle = self.pools.stacks.borrow_mut().pop();
        idle.map_or_else(|| DefaultStack::new(STACK_BYTES), Ok)
    }

    pub(crate) fn give_stack(&self, stack: DefaultStack) {
        let mut idle = self.pools.stacks.borrow_mut();
        if idle.len() < IDLE_MAX {
            idle.push(stack);
        }
    }
}
