//! How the C allocator is asked to behave in a process that should stay small.

/// Blocks from here on are mapped on their own and go back to the system when freed. glibc would
/// otherwise raise this to 32 MiB at the first such free, and keep every burst in the heap.
const MAPPED_FROM_BYTES: libc::c_int = 128 << 10;

/// Once, before the first loop starts.
pub(crate) fn settle() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a number of the allocator's; any thread may.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM_BYTES);
    }
}

/// Gives freed memory back to the system; for a loop that has just become idle.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: releases free memory only; any thread may.
    unsafe {
        libc::malloc_trim(0);
    }
}
