//! The `io_uring` room: runtime flags, sockets and files. All network and disk I/O of a request
//! passes here, and nothing outside this room names the runtime's operations.

mod file;
mod op;
mod setup;
mod socket;

pub(crate) use file::{append, read_at};
pub(crate) use op::{next_turn, sleep};
pub(crate) use setup::{probe, runtime};
pub(crate) use socket::{ListenSocket, StreamSocket};
