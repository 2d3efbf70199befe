//! HTTP/1.x (RFC 9112): heads in, body framing, heads out.

pub mod body;
pub mod chunk;
pub mod encode;
mod host;
pub mod parse;
mod slots;
mod target;
