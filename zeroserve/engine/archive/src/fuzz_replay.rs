//! Every fuzz body of this crate, over its corpus and inputs made from it.
#![allow(
    clippy::disallowed_methods,
    reason = "a test reads its corpus from files"
)]

include!("../../fuzz/replay.rs");

/// A few milliseconds in a debug build.
const MADE_INPUTS: u32 = 3000;

#[test]
fn tar() {
    replay("tar", crate::tar::fuzz_tar);
}

#[test]
fn member_index() {
    replay("member_index", crate::members::fuzz_members);
}
