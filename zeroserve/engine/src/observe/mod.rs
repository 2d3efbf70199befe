//! Facts about finished requests. Never in a request's way: counting is a plain add, logging appends
//! to memory and a task of its own writes it out.

mod access_log;
mod diagnostics;
mod latency;
mod metrics;

pub(crate) use access_log::{AccessLog, Line, Requester};
pub(crate) use diagnostics::Diagnostics;
pub(crate) use metrics::{Counters, Protocol, Snapshot};
