//! What scripts can ask of the server, one file for each group of the manual.
#![allow(clippy::unnecessary_wraps, reason = "the form of every helper")]

mod body;
mod call;
mod connection;
mod crypto;
mod encoding;
mod hooks;
mod json;
pub(crate) mod kv;
mod log;
mod memory;
mod metadata;
mod mutation;
pub(crate) mod rate_limit;
mod request;
mod respond;
mod rewrite;

#[cfg(any(test, feature = "fuzzing"))]
pub use {request::fuzz_cookie, rewrite::fuzz_rewrite};

use zs_script::Answer;

use crate::table::Row;

/// A number of bytes or of elements as an answer.
fn count(number: usize) -> Answer {
    Answer::Value(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Every group's rows.
pub(crate) const ROWS: [&[Row]; 16] = [
    memory::ROWS,
    log::ROWS,
    request::ROWS,
    connection::ROWS,
    mutation::ROWS,
    rewrite::ROWS,
    body::ROWS,
    metadata::ROWS,
    respond::ROWS,
    hooks::ROWS,
    json::ROWS,
    crypto::ROWS,
    encoding::ROWS,
    rate_limit::ROWS,
    kv::ROWS,
    call::ROWS,
];
