//! Every fuzz body of this crate, over its corpus and inputs made from it.

include!("../../fuzz/replay.rs");

/// Each one may be compiled, which takes milliseconds.
const MADE_INPUTS: u32 = 200;

#[test]
fn elf() {
    replay("elf", crate::fuzz::fuzz_elf);
}

#[test]
fn code() {
    replay("code", crate::fuzz::fuzz_code);
}
