//! What scripts can ask of the server, one file for each group of the manual.

mod body;
mod call;
mod json;
pub(crate) mod kv;
mod log;
mod memory;
mod metadata;
pub(crate) mod rate_limit;
mod request;
mod respond;

use crate::table::Row;

/// Every group's rows.
pub(crate) const ROWS: [&[Row]; 10] = [
    memory::ROWS,
    log::ROWS,
    request::ROWS,
    body::ROWS,
    metadata::ROWS,
    respond::ROWS,
    json::ROWS,
    rate_limit::ROWS,
    kv::ROWS,
    call::ROWS,
];
