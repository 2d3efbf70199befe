//! What an archive holds, without I/O: tar headers and the member index in, entries out.
//!
//! The caller reads (the engine through its ring, a test from memory) and hands bytes over; this
//! crate only says which bytes it wants next and what they mean. It never opens a file, and no
//! archive, however broken, makes it panic or allocate more than a name or one extended header.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod error;
mod header;
pub mod members;
mod name;
mod pax;
pub mod tar;

#[cfg(test)]
mod fuzz_replay;
