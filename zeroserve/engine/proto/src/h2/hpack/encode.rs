//! Response heads in, header blocks out.
//!
//! A line that was sent before goes out as one octet: the table is asked for the whole HTTP/1 line,
//! before its name is even looked at. Lines that repeat (server, date, content type and so on) are
//! put into the table; those that differ from file to file are not, as they would push the others out.

use super::table::{ENTRY_OVERHEAD, LineTable};
use super::{huffman, integer, static_table};
use crate::limits::H2_ENCODER_TABLE_BYTES_MAX;
use crate::scan::trim;

/// Ways to write a literal: its first octet's pattern, and the bits left for the name's index.
const WITH_INDEXING: (u8, u8) = (0x40, 0x3f);
const WITHOUT_INDEXING: (u8, u8) = (0x00, 0x0f);
const NEVER_INDEXED: (u8, u8) = (0x10, 0x0f);

/// How many lines [`Encoder`] remembers the place of; more than its table usually holds.
const PLACES: usize = 128;

/// The encoder of one connection.
#[derive(Debug)]
pub(in crate::h2) struct Encoder {
    /// Lines as they came, without CRLF, each with its hash.
    table: LineTable<u64>,
    /// By the low bits of a line's hash: how many lines had come in once it was. Zero: none.
    places: Vec<u32>,
    /// The table size to announce before the next block, and the smallest since the last one.
    announce: Option<(usize, usize)>,
}

impl Encoder {
    pub(in crate::h2) const fn new() -> Self {
        let size = H2_ENCODER_TABLE_BYTES_MAX;
        Self {
            table: LineTable::new(size),
            places: Vec::new(),
            // Ours is smaller than the size that both sides start with: the peer must hear of it.
            announce: Some((size, size)),
        }
    }

    /// The peer's `SETTINGS_HEADER_TABLE_SIZE`. A larger one than ours changes nothing.
    pub(in crate::h2) fn set_peer_size(&mut self, size: usize) {
        let size = size.min(H2_ENCODER_TABLE_BYTES_MAX);
        if size == self.table.size_max() && self.announce.is_none() {
            return;
        }
        let smallest = self
            .announce
            .map_or(size, |(smallest, _)| smallest.min(size));
        self.announce = Some((smallest, size));
        self.table.set_size_max(size);
    }

    /// Starts a block; RFC 7541, section 4.2 wants size updates in front.
    pub(in crate::h2) fn start(&mut self, out: &mut Vec<u8>) {
        if let Some((smallest, size)) = self.announce.take() {
            if smallest < size {
                integer::encode(out, 0x1f, 0x20, smallest);
            }
            integer::encode(out, 0x1f, 0x20, size);
        }
    }

    pub(in crate::h2) fn status(code: u16, out: &mut Vec<u8>) {
        if let Some(index) = static_table::status(code) {
            integer::encode(out, 0x7f, 0x80, index);
            return;
        }
        let (pattern, mask) = WITHOUT_INDEXING;
        integer::encode(out, mask, pattern, static_table::STATUS_NAME);
        plain(
            out,
            itoa::Buffer::new().format(code.clamp(100, 999)).as_bytes(),
        );
    }

    /// One HTTP/1 field line, without its CRLF. A line without a name is left out, and so are the
    /// fields that speak of the connection (RFC 9113, section 8.2.2).
    #[inline]
    pub(in crate::h2) fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let hash = hash(line);
        if let Some(place) = self.remembered(hash, line) {
            integer::encode(out, 0x7f, 0x80, static_table::ENTRIES + 1 + place);
            return;
        }
        self.literal(line, hash, out);
    }

    fn literal(&mut self, line: &[u8], hash: u64, out: &mut Vec<u8>) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return;
        };
        let name = line.get(..colon).unwrap_or_default();
        let value = trim(line.get(colon + 1..).unwrap_or_default());
        let index = static_table::name(name);
        let (pattern, mask) = match repeats(name, index) {
            _ if name.is_empty() => return,
            Repeats::Dropped => return,
            Repeats::Secret => NEVER_INDEXED,
            Repeats::Seldom => WITHOUT_INDEXING,
            Repeats::Often => {
                let size = name.len() + value.len() + ENTRY_OVERHEAD;
                // A line that would take more than half of the table would push the rest out.
                if size * 2 > self.table.size_max() || line.len() > size {
                    WITHOUT_INDEXING
                } else if let Some(place) = self
                    .table
                    .find(|known, found| known == hash && found == line)
                {
                    // Known, but its place was overwritten by a line with a like hash.
                    self.remember(hash, place);
                    integer::encode(out, 0x7f, 0x80, static_table::ENTRIES + 1 + place);
                    return;
                } else {
                    self.table.insert(line, colon, size, hash);
                    self.remember(hash, 0);
                    WITH_INDEXING
                }
            }
        };
        integer::encode(out, mask, pattern, index.unwrap_or(0));
        if index.is_none() {
            integer::encode(out, 0x7f, 0x00, name.len());
            out.extend(name.iter().map(u8::to_ascii_lowercase));
        }
        // Huffman pays where a line is sent once and named by index from then on. Where it is sent
        // each time, the bytes it saves cost more to save than to encrypt.
        if pattern == WITH_INDEXING.0 {
            compressed(out, value);
        } else {
            plain(out, value);
        }
    }

    #[inline]
    fn remembered(&self, hash: u64, line: &[u8]) -> Option<usize> {
        let inserted = u64::from(*self.places.get(slot(hash))?);
        // `places` holds the low half of the count, which is enough for the table's few entries.
        let place = usize::try_from(low(self.table.inserted()).checked_sub(inserted)?).ok()?;
        let (found, _, known) = self.table.line(place)?;
        (known == hash && found == line).then_some(place)
    }

    fn remember(&mut self, hash: u64, place: usize) {
        if self.places.is_empty() {
            self.places.resize(PLACES, 0);
        }
        let inserted = low(self.table.inserted()).saturating_sub(place as u64);
        if let Some(slot) = self.places.get_mut(slot(hash)) {
            *slot = u32::try_from(inserted).unwrap_or(0);
        }
    }
}

const fn low(count: u64) -> u64 {
    count & u32::MAX as u64
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "only the low bits are wanted"
)]
const fn slot(hash: u64) -> usize {
    hash as usize % PLACES
}

/// A hash of a line's length, ends and middle: enough to tell apart what one server sends, and the
/// line itself is compared after it.
#[inline]
fn hash(line: &[u8]) -> u64 {
    let word = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let middle = line.get(line.len() / 2..).unwrap_or_default();
    let first = word(line.first_chunk()) ^ (line.len() as u64).rotate_left(32);
    let mixed =
        (first ^ word(middle.first_chunk()).rotate_left(17)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ word(line.last_chunk())).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 32)
}

/// How likely it is that a line comes again on this connection.
enum Repeats {
    Often,
    /// Differs from file to file.
    Seldom,
    /// Must not be guessed at by way of the table (RFC 7541, section 7.1.3).
    Secret,
    /// Has no meaning in HTTP/2.
    Dropped,
}

fn repeats(name: &[u8], index: Option<usize>) -> Repeats {
    match index {
        // age, content-disposition, content-length, content-range, etag, expires, last-modified,
        // link, location
        Some(21 | 25 | 28 | 30 | 34 | 36 | 44 | 45 | 46) => Repeats::Seldom,
        // proxy-authenticate, set-cookie, www-authenticate
        Some(48 | 55 | 61) => Repeats::Secret,
        Some(57) => Repeats::Dropped, // transfer-encoding
        Some(_) => Repeats::Often,
        None => {
            let dropped: [&[u8]; 4] = [
                b"connection",
                b"keep-alive",
                b"proxy-connection",
                b"upgrade",
            ];
            if dropped.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                Repeats::Dropped
            } else {
                Repeats::Often
            }
        }
    }
}

fn plain(out: &mut Vec<u8>, value: &[u8]) {
    integer::encode(out, 0x7f, 0x00, value.len());
    out.extend_from_slice(value);
}

fn compressed(out: &mut Vec<u8>, value: &[u8]) {
    let length = huffman::encoded_len(value);
    if length >= value.len() {
        return plain(out, value);
    }
    integer::encode(out, 0x7f, 0x80, length);
    huffman::encode(value, out);
}
