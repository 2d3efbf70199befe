//! HPACK (RFC 7541): header blocks in, field lines out, and back.
//!
//! Both sides keep their dynamic table as ready lines, so that a field which the table knows costs
//! one copy (in) or one comparison (out). Nothing is allocated per field; the tables grow to their
//! cap and stay there.

mod decode;
mod encode;
mod huffman;
mod integer;
mod static_table;
mod table;

pub(super) use decode::{Decoder, FieldSink};
pub(super) use encode::Encoder;

/// A header block that cannot be decoded: the connection's compression state is lost with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadBlock;
