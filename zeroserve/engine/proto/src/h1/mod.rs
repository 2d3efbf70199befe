//! HTTP/1.x (RFC 9112): heads in, body framing, heads out.

pub mod body;
pub mod chunk;
pub mod encode;
pub(crate) mod host;
pub mod parse;
pub(crate) mod slots;
pub(crate) mod target;
