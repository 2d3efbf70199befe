//! Where everything lies in a run's arena. Offsets are bytes from the arena's start; a script's pointer is
//! `POINTER_TAG + offset`, so that small integers and null are never good pointers for a helper.
//!
//! ```text
//! 0         4 KiB     64 KiB                128 KiB                     512 KiB
//! | null     | input ...| stack (grows down) | .rodata .data .bss ...     | pad | guard
//! ```

/// Bytes of an arena. A power of two: an address is put into the cage by one `and`.
pub const ARENA_BYTES: usize = 512 << 10;

/// What an address is masked with.
pub const ARENA_MASK: u64 = ARENA_BYTES as u64 - 1;

/// Readable and writable bytes behind the arena: the widest access (8 bytes) at the last offset
/// ends inside it. One page of the largest kind that our targets use.
pub const PAD_BYTES: usize = 64 << 10;

/// Inaccessible bytes on both sides. No masked address reaches them: they only make a bug of ours loud.
pub const GUARD_BYTES: usize = 64 << 10;

/// What is added to an offset to make a pointer. A multiple of the arena's size, and small enough
/// for a 32-bit immediate.
pub const POINTER_TAG: u64 = 0x1000_0000;

/// Helpers refuse pointers below this offset: null plus a small field offset.
pub const NULL_BYTES: usize = 4 << 10;

/// Where the input of an entry (call data) lies.
pub const INPUT_START: usize = NULL_BYTES;
/// Most bytes of input.
pub const INPUT_BYTES_MAX: usize = 512;

/// Frame of one function. clang is told the same limit (`-bpf-stack-size=8192`).
pub const FRAME_BYTES: usize = 8 << 10;
/// Functions that may be active at once, the entry included. Checked on the call graph at load.
pub const CALL_DEPTH_MAX: usize = 8;
/// Top of the entry's frame; a callee's frame lies below its caller's.
pub const STACK_TOP: usize = 128 << 10;

/// Start of the copied sections.
pub const IMAGE_START: usize = STACK_TOP;
/// Most bytes of `.rodata`, `.data` and `.bss` together.
pub const IMAGE_BYTES_MAX: usize = ARENA_BYTES - IMAGE_START;

/// What is restored after a run, piece by piece: a piece that a store touched.
pub const GRANULE_BYTES: usize = 1 << GRANULE_SHIFT;
pub const GRANULE_SHIFT: u32 = 10;
pub const GRANULES: usize = ARENA_BYTES / GRANULE_BYTES;

const _: () = assert!(ARENA_BYTES.is_power_of_two());
const _: () = assert!(GRANULES.is_multiple_of(64)); // marks are looked at 64 at a time
const _: () = assert!(POINTER_TAG & ARENA_MASK == 0); // the mask takes the tag away
const _: () = assert!(POINTER_TAG + ARENA_BYTES as u64 <= i32::MAX as u64);
const _: () = assert!(PAD_BYTES >= 8); // the widest access
const _: () = assert!(INPUT_START + INPUT_BYTES_MAX <= STACK_TOP - CALL_DEPTH_MAX * FRAME_BYTES);
const _: () = assert!(STACK_TOP <= IMAGE_START);

/// Offset of the top of the frame of a function at this depth (0: the entry).
#[must_use]
pub const fn frame_top(depth: usize) -> usize {
    STACK_TOP - depth * FRAME_BYTES
}

/// The pointer that a script sees for an offset.
#[must_use]
pub const fn pointer(offset: usize) -> u64 {
    POINTER_TAG + offset as u64
}
