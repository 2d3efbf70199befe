//! Memory for native code: written once, then executable and never writable again, freed on drop.

use std::io::Error;
use std::ptr::{self, NonNull};

/// Finished code. Never writable and executable at once.
pub(crate) struct CodeMemory {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the memory is read-only and executable from the end of `new` on; sharing it is sharing constants.
unsafe impl Send for CodeMemory {}
// SAFETY: as above.
unsafe impl Sync for CodeMemory {}

impl CodeMemory {
    /// Copies code into fresh pages and makes them executable.
    ///
    /// # Errors
    /// What the kernel says: no memory, or a policy against executable memory.
    pub(crate) fn new(code: &[u8]) -> Result<Self, Error> {
        let bytes = code.len().max(1);
        // SAFETY: a fresh private mapping; nothing else is at an address that the kernel picks.
        let start = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            libc::mmap(ptr::null_mut(), bytes, access, flags, -1, 0)
        };
        if start == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        let start =
            NonNull::new(start.cast::<u8>()).ok_or_else(|| Error::other("mapped at null"))?;
        let memory = Self { start, bytes };
        // SAFETY: the mapping is at least as long as the code, writable, and only ours.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), start.as_ptr(), code.len()) };
        // SAFETY: the range is the mapping made above.
        let changed = unsafe {
            libc::mprotect(
                start.as_ptr().cast(),
                bytes,
                libc::PROT_READ | libc::PROT_EXEC,
            )
        };
        if changed != 0 {
            return Err(Error::last_os_error());
        }
        memory.make_visible();
        Ok(memory)
    }

    /// Address of a byte of the code. Panics outside.
    #[must_use]
    pub(crate) fn address(&self, offset: usize) -> *const u8 {
        assert!(offset < self.bytes, "no code there");
        // SAFETY: inside the mapping, as just checked.
        unsafe { self.start.as_ptr().add(offset) }
    }

    /// x86-64 keeps its instruction cache coherent.
    #[cfg(target_arch = "x86_64")]
    #[expect(clippy::unused_self, reason = "other machines need it")]
    fn make_visible(&self) {}

    /// Cleans the data cache, drops the instruction cache, and lets every other core notice.
    #[cfg(target_arch = "aarch64")]
    fn make_visible(&self) {
        unsafe extern "C" {
            fn __clear_cache(start: *mut libc::c_char, end: *mut libc::c_char);
        }
        const REGISTER_SYNC_CORE: i32 = 1 << 6;
        const SYNC_CORE: i32 = 1 << 5;
        let start = self.start.as_ptr();
        // SAFETY: the range is our mapping. `membarrier` may be missing; then the next context switch of
        // the other threads, which have never run code at these addresses, does the same.
        unsafe {
            __clear_cache(start.cast(), start.add(self.bytes).cast());
            libc::syscall(libc::SYS_membarrier, REGISTER_SYNC_CORE, 0, 0);
            libc::syscall(libc::SYS_membarrier, SYNC_CORE, 0, 0);
        }
    }
}

impl Drop for CodeMemory {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and whole; a module is dropped when its last run has ended.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
