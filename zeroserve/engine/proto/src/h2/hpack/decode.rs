//! Header blocks in, lines out (RFC 7541, section 3).

use super::table::{ENTRY_OVERHEAD, LineTable};
use super::{BadBlock, huffman, integer, static_table};
use crate::h2::field_kind::FieldKind;
use crate::limits::H2_DECODER_TABLE_BYTES_MAX;

/// Where decoded fields go: a text buffer that a line is put together in, and the verdict on it.
pub(in crate::h2) trait FieldSink {
    /// Takes a line that is ready, CRLF included.
    fn add_line(&mut self, line: &[u8], name_len: usize, kind: FieldKind);
    /// The buffer that a literal's line is decoded into, at its end.
    fn text(&mut self) -> &mut Vec<u8>;
    /// Takes the line that was decoded from `start` on.
    fn end_line(&mut self, start: usize, name_len: usize, kind: FieldKind);
}

/// The decoder of one connection.
#[derive(Debug)]
pub(in crate::h2) struct Decoder {
    table: LineTable<FieldKind>,
}

impl Decoder {
    /// With the table size that a peer may use without being told: we announce no other.
    pub(in crate::h2) const fn new() -> Self {
        Self {
            table: LineTable::new(H2_DECODER_TABLE_BYTES_MAX),
        }
    }

    /// Decodes a whole block. Its fields are all decoded, wanted or not: the table must stay in step.
    ///
    /// # Errors
    /// The block breaks RFC 7541; the connection cannot go on.
    pub(in crate::h2) fn decode<S: FieldSink>(
        &mut self,
        block: &[u8],
        sink: &mut S,
    ) -> Result<(), BadBlock> {
        let mut rest = block;
        let mut fields = false;
        while let Some((&first, tail)) = rest.split_first() {
            rest = tail;
            match first {
                0x80.. => self.indexed(integer::decode(0x7f, first, &mut rest)?, sink)?,
                0x40.. => self.literal(
                    integer::decode(0x3f, first, &mut rest)?,
                    &mut rest,
                    sink,
                    true,
                )?,
                // A table size update stands before all fields (section 4.2).
                0x20.. if fields => return Err(BadBlock),
                0x20.. => {
                    self.resize(integer::decode(0x1f, first, &mut rest)?)?;
                    continue;
                }
                // Without indexing, or never indexed: the same to an endpoint.
                _ => self.literal(
                    integer::decode(0x0f, first, &mut rest)?,
                    &mut rest,
                    sink,
                    false,
                )?,
            }
            fields = true;
        }
        Ok(())
    }

    #[inline]
    fn indexed<S: FieldSink>(&self, index: usize, sink: &mut S) -> Result<(), BadBlock> {
        if let Some(entry) = static_table::entry(index) {
            sink.add_line(entry.line, entry.name_len, entry.kind);
            return Ok(());
        }
        let (line, name_len, kind) = self.dynamic(index)?;
        sink.add_line(line, name_len, kind);
        Ok(())
    }

    #[inline]
    fn dynamic(&self, index: usize) -> Result<(&[u8], usize, FieldKind), BadBlock> {
        let place = index
            .checked_sub(static_table::ENTRIES + 1)
            .ok_or(BadBlock)?;
        self.table.line(place).ok_or(BadBlock)
    }

    fn literal<S: FieldSink>(
        &mut self,
        name_index: usize,
        rest: &mut &[u8],
        sink: &mut S,
        incremental: bool,
    ) -> Result<(), BadBlock> {
        let text = sink.text();
        let start = text.len();
        if name_index == 0 {
            string(rest, text)?;
        } else if let Some(entry) = static_table::entry(name_index) {
            text.extend_from_slice(entry.line.get(..entry.name_len).unwrap_or_default());
        } else {
            let (line, name_len, _) = self.dynamic(name_index)?;
            text.extend_from_slice(line.get(..name_len).unwrap_or_default());
        }
        let name_len = text.len() - start;
        text.extend_from_slice(b": ");
        let value_start = text.len();
        string(rest, text)?;
        let line = text.get(start..).unwrap_or_default();
        let value_len = text.len() - value_start;
        let name = line.get(..name_len).unwrap_or_default();
        let kind = FieldKind::of(name, text.get(value_start..).unwrap_or_default());
        text.extend_from_slice(b"\r\n");
        if incremental {
            let size = name_len + value_len + ENTRY_OVERHEAD;
            let line = text.get(start..).unwrap_or_default();
            self.table.insert(line, name_len, size, kind);
        }
        sink.end_line(start, name_len, kind);
        Ok(())
    }

    fn resize(&mut self, size: usize) -> Result<(), BadBlock> {
        if size > H2_DECODER_TABLE_BYTES_MAX {
            return Err(BadBlock);
        }
        self.table.set_size_max(size);
        Ok(())
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn table_size(&self) -> usize {
        self.table.size()
    }
}

/// A string literal (section 5.2), plain or by Huffman code.
#[inline]
fn string(rest: &mut &[u8], out: &mut Vec<u8>) -> Result<(), BadBlock> {
    let (&first, tail) = rest.split_first().ok_or(BadBlock)?;
    *rest = tail;
    let length = integer::decode(0x7f, first, rest)?;
    let (bytes, tail) = rest.split_at_checked(length).ok_or(BadBlock)?;
    *rest = tail;
    if first & 0x80 == 0 {
        out.extend_from_slice(bytes);
        Ok(())
    } else {
        huffman::decode(bytes, out)
    }
}
