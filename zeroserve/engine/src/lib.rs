//! The data plane of zeroserve. A request walks through the modules in this order:
//!
//! ```text
//! listen -> ring -> conn -> tls -> (proto) -> request -> site -> reply -> conn -> ring
//! ```
//!
//! `ffi` is the only door; `dry_run` answers requests that come from no socket; `engine` and `worker` carry N event loops; `generation` is what a reload
//! swaps. Protocol decisions are in the crate `zs-proto`, tar parsing in `zs-archive`: neither does I/O.

mod clock;
mod config;
mod conn;
mod dry_run;
mod engine;
mod error;
pub mod ffi;
mod generation;
mod listen;
mod memory;
mod observe;
mod relay;
mod reply;
mod request;
mod ring;
#[cfg(test)]
mod sim;
mod site;
mod tls;
mod worker;
