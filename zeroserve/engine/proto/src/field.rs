//! Header fields as they lie in the receive buffer: read again when somebody asks, never copied.

use crate::scan::{field_value_end, is_token, trim};
use memchr::memchr;

/// Whether these bytes can name a field (RFC 9110, section 5.1).
#[must_use]
pub fn is_name(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token(byte))
}

/// Whether these bytes can be a field's value (RFC 9110, section 5.5): no line break, no control byte.
#[must_use]
pub fn is_value(bytes: &[u8]) -> bool {
    field_value_end(bytes).is_none()
}

/// Writes one field line. Both parts must have passed [`is_name`] and [`is_value`], or a parser.
pub fn push_line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// The `(name, value)` pairs of a parsed block, in the order they came.
///
/// Names keep the case the peer used; values are without the white space around them. Looping twice
/// costs two scans and no memory.
#[derive(Clone, Debug, Default)]
pub struct Fields<'b> {
    /// Whole lines, each with its `CRLF`, already checked by the parser.
    block: &'b [u8],
}

impl<'b> Fields<'b> {
    /// `block` must have passed the parser: whole field lines, each closed by `CRLF`.
    pub(crate) const fn checked(block: &'b [u8]) -> Self {
        Self { block }
    }

    /// Lines that somebody else checked: each a token, a colon, a value of [`is_value`], and `CRLF`.
    #[must_use]
    pub const fn of_lines(block: &'b [u8]) -> Self {
        Self { block }
    }

    /// The values of every field called `name`, ASCII case ignored.
    pub fn named(self, name: &'b [u8]) -> impl Iterator<Item = &'b [u8]> {
        self.filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = (&'b [u8], &'b [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let end = memchr(b'\n', self.block)?;
        let line = self.block.get(..end)?;
        self.block = self.block.get(end + 1..)?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let colon = memchr(b':', line)?;
        Some((line.get(..colon)?, trim(line.get(colon + 1..)?)))
    }
}

/// A list field (RFC 9110, section 5.6.1) that may have come as several lines.
///
/// Almost always there is one line; then this is just its value. When there are more, the block is
/// scanned again for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldLines<'b> {
    first: &'b [u8],
    /// What to look for in `block`; empty when the field came once.
    name: &'static [u8],
    /// The whole block when the field was repeated, else empty.
    block: &'b [u8],
}

impl<'b> FieldLines<'b> {
    /// A field that came once, with this value.
    #[must_use]
    pub const fn single(value: &'b [u8]) -> Self {
        Self {
            first: value,
            name: b"",
            block: b"",
        }
    }

    /// A field that came more than once: all its lines are looked up in `block` by `name`.
    pub(crate) const fn repeated(first: &'b [u8], name: &'static [u8], block: &'b [u8]) -> Self {
        Self { first, name, block }
    }

    /// The first line's value.
    #[must_use]
    pub const fn first(&self) -> &'b [u8] {
        self.first
    }

    /// Each line's value, in order.
    #[must_use]
    pub fn lines(self) -> Lines<'b> {
        let repeated = !self.name.is_empty();
        Lines {
            first: (!repeated).then_some(self.first),
            name: self.name,
            block: Fields::checked(self.block),
        }
    }
}

/// Iterator of [`FieldLines::lines`].
#[derive(Clone, Debug)]
pub struct Lines<'b> {
    first: Option<&'b [u8]>,
    name: &'static [u8],
    block: Fields<'b>,
}

impl<'b> Iterator for Lines<'b> {
    type Item = &'b [u8];

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let name = self.name;
        self.block
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &[u8] = b"Accept-Encoding: br\r\nX: 1:2 \r\naccept-encoding:\tgzip\r\nEmpty:\r\n";

    #[test]
    fn fields_come_in_order_without_white_space() {
        let all: Vec<_> = Fields::checked(BLOCK).collect();
        let wanted: [(&[u8], &[u8]); 4] = [
            (b"Accept-Encoding", b"br"),
            (b"X", b"1:2"),
            (b"accept-encoding", b"gzip"),
            (b"Empty", b""),
        ];
        assert_eq!(all, wanted);
    }

    #[test]
    fn repeated_lines_are_all_found() {
        let lines = FieldLines::repeated(b"br", b"accept-encoding", BLOCK);
        assert_eq!(
            lines.lines().collect::<Vec<_>>(),
            [b"br".as_slice(), b"gzip"]
        );
        assert_eq!(
            FieldLines::single(b"br").lines().collect::<Vec<_>>(),
            [b"br"]
        );
        assert_eq!(Fields::checked(BLOCK).named(b"ACCEPT-encoding").count(), 2);
    }
}
