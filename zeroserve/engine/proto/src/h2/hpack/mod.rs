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

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod model;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

/// A string literal without Huffman code, for clients in tests.
#[cfg(test)]
pub(super) fn write_plain(out: &mut Vec<u8>, text: &[u8]) {
    integer::encode(out, 0x7f, 0, text.len());
    out.extend_from_slice(text);
}

/// Decodes blocks of one connection, as far as they can be decoded, with the decoder and its model,
/// and wants the same fields from both.
///
/// # Panics
/// When they differ.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn fuzz_blocks<B: AsRef<[u8]>>(blocks: &[B]) {
    use crate::h2::head::HeadBlock;
    let mut decoder = Decoder::new();
    let mut model = model::ModelDecoder::new(crate::limits::H2_DECODER_TABLE_BYTES_MAX);
    let mut head = HeadBlock::default();
    for block in blocks {
        head.clear();
        let verdict = decoder.decode(block.as_ref(), &mut head);
        let fields = model.decode(block.as_ref());
        assert_eq!(verdict.is_ok(), fields.is_some(), "one verdict");
        let Some(fields) = fields else { return };
        assert_eq!(decoder.table_size(), model.size());
        if head.is_trailers() {
            let wanted = fields
                .iter()
                .map(|(name, value)| (name.as_slice(), value.as_slice()));
            assert!(head.fields().eq(wanted), "the same fields");
        }
    }
}
