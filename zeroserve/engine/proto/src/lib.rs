//! HTTP protocol logic without I/O: bytes of one connection in, decisions and bytes out.
//!
//! What never happens here: a socket, a file, a clock, a thread, a log line, `unsafe`, or a panic
//! on anything a peer sent (`clippy.toml` and the lints below hold us to it). The hot path, that is
//! [`h1::parse::parse_head`], [`path::clean`], [`conditional::evaluate`], [`range::parse`] and
//! [`h1::encode::HeadWriter`], reads its input once and allocates nothing.
//!
//! Modules in the order a request meets them.
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

pub mod accept_encoding;
pub mod body;
pub mod conditional;
pub mod date;
pub mod error;
pub mod field;
pub mod h1;
pub mod h2;
pub mod limits;
pub mod message;
pub mod path;
pub mod proxy;
pub mod range;
mod scan;
pub mod tls;

#[cfg(test)]
mod fuzz_replay;
