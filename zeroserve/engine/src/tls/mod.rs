//! TLS 1.3 over memory: records in, plaintext out, and back. Never touches a socket.

#[cfg(test)]
mod authority;
mod choice;
mod context;
mod credential;
mod ech;
mod info;
mod material;
mod policy;
mod session;
#[cfg(test)]
mod tests;
mod ticket;

use boring::error::ErrorStack;
pub(crate) use context::{Context, build};
pub(crate) use ech::EchSummary;
pub(crate) use info::ConnectionInfo;
pub(crate) use session::{Ingested, Session, plaintext_bytes};

use crate::error::EngineError;

fn bug(error: &ErrorStack) -> EngineError {
    EngineError::Bug(format!("BoringSSL refused its own settings: {error}"))
}

fn reason(error: &ErrorStack) -> String {
    let first = error.errors().first().and_then(|error| error.reason());
    first
        .unwrap_or("unknown reason")
        .to_lowercase()
        .replace('_', " ")
}
