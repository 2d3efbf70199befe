//! The script chain: what scripts see of a request, what they can do to it, and in which order they run.
//!
//! Comes in: a request's head, compiled scripts, what the process shares (rate limits, state), and when asked for,
//! a body or a member of the tarball. Goes out: a verdict, a changed request, header fields, log lines. Never here: a
//! socket, a file, a clock, a thread.
//!
//! ```text
//! scripts (compiled, in order) ─► execution ─► step: done, yield, need ─► verdict      the engine drives it
//!                                    │
//!                     context ◄── helpers (one table: `table`)                         what a run may see and change
//! ```
//!
//! The caller steps an [`Execution`] until it is done. It decides by its own clock what a yield means, and fetches
//! what a need names; whoever drops an execution cancels it.

#![allow(
    clippy::cast_possible_wrap,
    reason = "helpers answer with lengths of what is in memory: far below 2^63"
)]

mod address;
mod context;
mod execution;
mod field_block;
mod form;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;
#[cfg(test)]
mod fuzz_replay;
mod helpers;
mod json;
mod log;
mod metadata;
mod replacement;
mod request;
mod response;
mod scripts;
mod services;
mod shards;
mod step;
mod table;
pub mod template;
mod trace;
pub mod trial;
mod uri;

pub use context::{Body, Context};
pub use execution::{Execution, Pool};
pub use field_block::FieldBlock;
pub use log::Line;
pub use request::{Connection, Request};
pub use response::Response;
pub use scripts::{SCRIPTS_FOLDER, Scripts};
pub use services::{Caps, Services};
pub use step::{FileMetadata, Need, Now, Step, Supply, Verdict};
pub use trace::{CallTrace, ProcessorTime, RunTrace, Trace};
pub use zs_script::{LoadError, RunError, Runtime};
#[cfg(any(test, feature = "fuzzing"))]
pub use {
    address::fuzz_address,
    form::fuzz_query,
    fuzz::fuzz_helper_calls,
    helpers::{fuzz_cookie, fuzz_rewrite},
    json::{fuzz_json, fuzz_json_operations},
    request::fuzz_request_edits,
    trial::fuzz_trial_request,
    uri::fuzz_uri,
};
