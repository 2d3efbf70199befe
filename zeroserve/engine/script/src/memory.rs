//! A helper's view of a script's memory: checked (pointer, length) pairs become slices, nothing else does.

use std::marker::PhantomData;
use std::ops::Range;

use crate::layout::{ARENA_BYTES, GRANULE_SHIFT, NULL_BYTES, POINTER_TAG};
use crate::vm::Vm;

/// The memory of one run, while the run waits for its helper. Nobody else has it then.
pub struct Memory<'a> {
    vm: *mut Vm,
    run: PhantomData<&'a mut Vm>,
}

/// Checks a pair. An empty range may have any pointer. `None`: it leaves the arena or touches the null page.
#[inline]
#[must_use]
pub(crate) fn range(pointer: u64, length: u64) -> Option<Range<usize>> {
    if length == 0 {
        return Some(0..0);
    }
    let start = usize::try_from(pointer.wrapping_sub(POINTER_TAG)).ok()?;
    let length = usize::try_from(length).ok()?;
    if !(NULL_BYTES..=ARENA_BYTES).contains(&start) || length > ARENA_BYTES - start {
        return None;
    }
    Some(start..start + length)
}

impl Memory<'_> {
    /// # Safety
    /// `vm` is the machine of a run that is suspended for `'a`, and no slice of its arena is alive.
    pub(crate) unsafe fn new(vm: *mut Vm) -> Self {
        Self {
            vm,
            run: PhantomData,
        }
    }

    /// Bytes that a helper reads.
    #[must_use]
    pub fn bytes(&self, pointer: u64, length: u64) -> Option<&[u8]> {
        let range = range(pointer, length)?;
        // SAFETY: checked to lie in the arena; `self` keeps writers away.
        Some(unsafe { std::slice::from_raw_parts((*self.vm).base.add(range.start), range.len()) })
    }

    /// Bytes that a helper writes. They hold what the script left there.
    #[must_use]
    pub fn bytes_mut(&mut self, pointer: u64, length: u64) -> Option<&mut [u8]> {
        let range = range(pointer, length)?;
        // SAFETY: checked to lie in the arena; `self` is borrowed alone.
        Some(unsafe { writable(self.vm, range) })
    }

    /// `memmove` inside the arena: the ranges may overlap. `None`: one of them is outside.
    #[must_use]
    pub fn copy_within(&mut self, to: u64, from: u64, length: u64) -> Option<()> {
        let source = range(from, length)?;
        let target = range(to, length)?;
        // SAFETY: both are in the arena, as long as each other; `copy` takes overlap.
        unsafe {
            let base = (*self.vm).base;
            mark(self.vm, &target);
            std::ptr::copy(
                base.add(source.start),
                base.add(target.start),
                length as usize,
            );
        }
        Some(())
    }

    /// Notes that a range is written.
    #[inline]
    pub(crate) fn mark(&mut self, range: &Range<usize>) {
        // SAFETY: the run is suspended, and `self` borrowed alone.
        unsafe { mark(self.vm, range) };
    }

    /// Where a range begins. The range came from [`range`].
    #[inline]
    pub(crate) fn address(&self, range: &Range<usize>) -> *mut u8 {
        // SAFETY: inside the arena, or its first byte.
        unsafe { (*self.vm).base.add(range.start) }
    }
}

/// # Safety
/// The range came from `range`; the machine's run is suspended; nobody else has a slice of it.
#[inline]
unsafe fn writable<'a>(vm: *mut Vm, range: Range<usize>) -> &'a mut [u8] {
    // SAFETY: the caller's promise.
    unsafe {
        mark(vm, &range);
        std::slice::from_raw_parts_mut((*vm).base.add(range.start), range.len())
    }
}

/// Notes that granules must be restored.
///
/// # Safety
/// As for [`writable`].
#[inline]
unsafe fn mark(vm: *mut Vm, range: &Range<usize>) {
    if !range.is_empty() {
        let (first, last) = (
            range.start >> GRANULE_SHIFT,
            (range.end - 1) >> GRANULE_SHIFT,
        );
        // SAFETY: the range lies in the arena, so both granules exist.
        let dirty = unsafe { &mut (*vm).dirty };
        if first == last {
            dirty[first] = 1; // nearly always
        } else {
            dirty[first..=last].fill(1);
        }
    }
}
