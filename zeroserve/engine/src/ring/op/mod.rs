//! Ring operations that the runtime lacks, one a file.

mod timeout;

pub(crate) use timeout::sleep;
