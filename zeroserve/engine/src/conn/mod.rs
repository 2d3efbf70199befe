//! A connection is one task: it waits for bytes, decides through `proto`, and sends. Straight-line
//! code over a `Link`, which is a socket, or bytes in memory in tests.

mod answer;
mod buffers;
mod connection;
mod http2;
mod http2_answers;
mod http2_body;
mod http2_held;
mod http2_ledger;
mod http2_scripts;
mod ledger;
mod lifetime;
mod link;
mod log_line;
mod opening;
mod scripts;
mod session;
#[cfg(test)]
mod tests;

pub(crate) use answer::send_all;
pub(crate) use buffers::Buffers;
pub(crate) use connection::serve;
pub(crate) use lifetime::{Lifetime, Lifetimes};
pub(crate) use link::Link;
pub(crate) use log_line::Peer;
