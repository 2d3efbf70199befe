//! Arenas: reserved address space, of which the middle is a script's memory. Reused, restored after each run.

use std::io::Error;
use std::ptr::{self, NonNull};

use crate::layout::{
    ARENA_BYTES, GRANULE_BYTES, GRANULES, GUARD_BYTES, IMAGE_START, INPUT_BYTES_MAX, INPUT_START,
    PAD_BYTES,
};

const MAPPED_BYTES: usize = GUARD_BYTES + ARENA_BYTES + PAD_BYTES + GUARD_BYTES;
/// A store at the end of a granule reaches this far into the next one.
const OVERHANG: usize = 8;

/// Memory of one run: guard, arena, pad, guard. Pages that nothing touched cost nothing.
pub(crate) struct Arena {
    mapping: NonNull<u8>,
}

impl Arena {
    /// Reserves address space.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn new() -> Result<Self, Error> {
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let mapping = unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            libc::mmap(ptr::null_mut(), MAPPED_BYTES, libc::PROT_NONE, flags, -1, 0)
        };
        if mapping == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        let mapping =
            NonNull::new(mapping.cast::<u8>()).ok_or_else(|| Error::other("mapped at null"))?;
        let arena = Self { mapping };
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the range lies inside the mapping.
        let opened =
            unsafe { libc::mprotect(arena.base().cast(), ARENA_BYTES + PAD_BYTES, access) };
        if opened != 0 {
            return Err(Error::last_os_error());
        }
        Ok(arena)
    }

    /// First byte of the arena.
    pub(crate) fn base(&self) -> *mut u8 {
        // SAFETY: inside the mapping.
        unsafe { self.mapping.as_ptr().add(GUARD_BYTES) }
    }

    /// Writes the image of a program into an arena that is all zero.
    pub(crate) fn write_image(&mut self, image: &[u8]) {
        assert!(
            image.len() <= ARENA_BYTES - IMAGE_START,
            "the loader keeps images small"
        );
        // SAFETY: it fits, and nobody else has the arena.
        unsafe {
            ptr::copy_nonoverlapping(image.as_ptr(), self.base().add(IMAGE_START), image.len());
        };
    }

    /// Zeroes what `write_image` wrote.
    pub(crate) fn clear_image(&mut self, bytes: usize) {
        assert!(
            bytes <= ARENA_BYTES - IMAGE_START,
            "the loader keeps images small"
        );
        // SAFETY: as above.
        unsafe { ptr::write_bytes(self.base().add(IMAGE_START), 0, bytes) };
    }

    /// Writes the input of an entry.
    pub(crate) fn write_input(&mut self, input: &[u8]) {
        assert!(input.len() <= INPUT_BYTES_MAX, "input too long");
        // SAFETY: it fits, and nobody else has the arena.
        unsafe {
            ptr::copy_nonoverlapping(input.as_ptr(), self.base().add(INPUT_START), input.len());
        };
    }

    /// Zeroes what `write_input` wrote.
    pub(crate) fn clear_input(&mut self, bytes: usize) {
        assert!(bytes <= INPUT_BYTES_MAX, "input too long");
        // SAFETY: as above.
        unsafe { ptr::write_bytes(self.base().add(INPUT_START), 0, bytes) };
    }

    /// Brings every marked granule back to what it was before the run, and takes the marks away.
    pub(crate) fn restore(&mut self, dirty: &mut [u8; GRANULES], image: &[u8]) {
        // Most runs touch one or two granules: look at many marks at once.
        for (part, marks) in dirty.as_chunks_mut::<64>().0.iter_mut().enumerate() {
            if marks.iter().fold(0, |all, mark| all | mark) == 0 {
                continue;
            }
            for (eight, marks) in marks.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                let mut left = u64::from_le_bytes(std::mem::take(marks));
                while left != 0 {
                    let one = left.trailing_zeros() as usize / 8; // a mark is a byte of 1
                    left &= left - 1;
                    self.restore_granule((part * 64 + eight * 8 + one) * GRANULE_BYTES, image);
                }
            }
        }
    }

    fn restore_granule(&mut self, start: usize, image: &[u8]) {
        let bytes = GRANULE_BYTES + OVERHANG;
        // SAFETY: a granule and its overhang end inside the pad at the latest; `fresh` is inside the image.
        unsafe {
            let target = self.base().add(start);
            let fresh = start
                .checked_sub(IMAGE_START)
                .and_then(|at| image.get(at..))
                .unwrap_or_default();
            // The last granule of the stack hangs over into the image.
            let zeroed = if start < IMAGE_START {
                bytes.min(IMAGE_START - start)
            } else {
                0
            };
            let fresh = if start < IMAGE_START {
                &image[..image.len().min(bytes - zeroed)]
            } else {
                fresh
            };
            let fresh = &fresh[..fresh.len().min(bytes - zeroed)];
            ptr::write_bytes(target, 0, zeroed);
            ptr::copy_nonoverlapping(fresh.as_ptr(), target.add(zeroed), fresh.len());
            let done = zeroed + fresh.len();
            ptr::write_bytes(target.add(done), 0, bytes - done);
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and whole; a run gives its arena back only when it has ended.
        unsafe { libc::munmap(self.mapping.as_ptr().cast(), MAPPED_BYTES) };
    }
}
