//! Ring operations that the runtime lacks, one a file.

mod hang_up;
mod timeout;
mod turn;

pub(crate) use hang_up::hang_up;
pub(crate) use timeout::sleep;
pub(crate) use turn::next_turn;
