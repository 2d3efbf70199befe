//! What generated code and its host share, beside the arena. It lies in host memory: a script has no
//! pointer to it. Generated code gets its address in the first argument register.

use std::mem::offset_of;

use crate::layout::GRANULES;

/// Registers that carry arguments.
pub(crate) const ARGUMENTS: usize = 5;

/// Why generated code went back to its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The fuel has run out.
    Fuel,
    /// A helper waits.
    Wait,
    /// A helper refused, or panicked.
    Stop,
}

/// What the host says when it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The result of the helper that waits; of no meaning after [`Event::Fuel`].
    Value(i64),
    /// Call the helper once more.
    Again,
}

/// The host's end of a suspended coroutine, as generated code sees it.
pub(crate) type Yielder = corosensei::Yielder<Reply, Event>;

#[repr(C)]
pub(crate) struct Vm {
    /// First byte of the arena.
    pub base: *mut u8,
    /// What is left of the slice. Below zero: time to ask the host.
    pub fuel: i64,
    /// The call being made: see [`site`].
    pub site: u64,
    pub call_helper: extern "C" fn(*mut Self) -> i64,
    pub out_of_fuel: extern "C" fn(*mut Self) -> i64,
    pub arguments: [u64; ARGUMENTS],
    /// The host's [`crate::desk::Desk`], while it waits for the script.
    pub desk: *mut (),
    pub yielder: *const Yielder,
    /// One byte a granule: 1 when a store may have touched it.
    pub dirty: [u8; GRANULES],
}

pub(crate) const BASE: i32 = offset(offset_of!(Vm, base));
pub(crate) const FUEL: i32 = offset(offset_of!(Vm, fuel));
pub(crate) const SITE: i32 = offset(offset_of!(Vm, site));
pub(crate) const CALL_HELPER: i32 = offset(offset_of!(Vm, call_helper));
pub(crate) const OUT_OF_FUEL: i32 = offset(offset_of!(Vm, out_of_fuel));
pub(crate) const ARGUMENT: i32 = offset(offset_of!(Vm, arguments));
pub(crate) const DIRTY: i32 = offset(offset_of!(Vm, dirty));

const fn offset(bytes: usize) -> i32 {
    assert!(bytes < 1 << 20);
    bytes as i32
}

/// A place in a program, in one number: function, slot, helper.
#[must_use]
pub(crate) const fn site(function: usize, slot: usize, helper: usize) -> u64 {
    (function as u64) << 48 | (slot as u64) << 16 | helper as u64
}

/// The parts of a [`site`]: function, slot, helper.
#[must_use]
pub(crate) const fn site_parts(site: u64) -> (usize, usize, usize) {
    (
        (site >> 48) as usize,
        (site >> 16) as u32 as usize,
        site as u16 as usize,
    )
}

/// What generated code calls when the fuel is gone.
pub(crate) extern "C" fn out_of_fuel(vm: *mut Vm) -> i64 {
    // SAFETY: generated code passes on the address that the run gave it; `yielder` was set when this
    // coroutine began, and lives on its stack for as long. This frame owns nothing.
    unsafe { (*(*vm).yielder).suspend(Event::Fuel) };
    0
}
