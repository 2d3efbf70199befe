//! TLS 1.3 over memory: records in, plaintext out, and back. Never touches a socket.

mod context;
mod info;
mod session;

pub(crate) use context::{Context, build};
pub(crate) use info::ConnectionInfo;
pub(crate) use session::{Ingested, Session};
