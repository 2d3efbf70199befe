//! The member index, `.zeroserve/members.bin`: what pack knows of every file, checked and read in
//! place.
//!
//! Layout, little endian. Header of 64 bytes: magic, `u32` count, `u32` bytes of strings, site
//! digest, `u32` record size, `u32` flags (0), `u64` 0. Then records of 72 bytes, sorted by path.
//! Then the strings, which records point into.

use crate::name::is_normal;
use core::fmt;

/// Where the index lies in an archive; pack writes it first.
pub const INDEX_PATH: &str = ".zeroserve/members.bin";

const MAGIC: &[u8; 8] = b"ZSMEMBR1";
const HEADER_BYTES: usize = 64;
const RECORD_BYTES: usize = 72;
/// The record size as the header states it; another one is another version of the layout.
const RECORD_BYTES_STATED: u32 = 72;
const _: () = assert!(RECORD_BYTES == RECORD_BYTES_STATED as usize);
const ENCODING_BITS: u8 = 0b111;
const PLACEHOLDER_BIT: u8 = 1;

/// An index that must not be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexError {
    /// It does not start like an index, or is of a version that we do not know.
    NotAnIndex,
    /// Its length is not what its header says.
    WrongLength {
        /// Bytes there should be.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// A reserved bit or byte of the header is set.
    ReservedHeader,
    /// A record breaks a rule.
    BadRecord {
        /// Its place, from 0.
        record: usize,
        /// Which rule.
        fault: RecordFault,
    },
}

/// A rule that a record breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// It points outside the strings.
    StringBounds,
    /// Its path or type is not UTF-8.
    NotUtf8,
    /// Its path is absolute or empty, or has a `.`, `..` or empty segment.
    BadPath,
    /// Its content type is empty or has bytes that a header field cannot carry.
    BadType,
    /// Its path does not come after the one before it.
    NotSorted,
    /// Its data is not at a multiple of 512, or ends above 2⁶⁴.
    BadExtent,
    /// A reserved bit or byte is set.
    Reserved,
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StringBounds => "points outside the strings",
            Self::NotUtf8 => "has text that is not utf-8",
            Self::BadPath => "has a malformed path",
            Self::BadType => "has a malformed content type",
            Self::NotSorted => "is not in order",
            Self::BadExtent => "has an impossible offset or size",
            Self::Reserved => "sets reserved bits",
        })
    }
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnIndex => f.write_str("not a member index of this version"),
            Self::WrongLength { expected, found } => {
                write!(f, "member index has {found} bytes instead of {expected}")
            }
            Self::ReservedHeader => f.write_str("member index sets reserved bits"),
            Self::BadRecord { record, fault } => {
                write!(f, "record {record} of the member index {fault}")
            }
        }
    }
}

impl core::error::Error for IndexError {}

/// What the index says of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'b> {
    /// Its path: relative, no `.`, `..` or empty segment.
    pub path: &'b str,
    /// Where its data starts, from the start of the archive; a multiple of 512.
    pub offset: u64,
    /// Bytes of data.
    pub size: u64,
    /// Modification time in Unix seconds; 0 means none.
    pub mtime: i64,
    /// SHA-256 of the data.
    pub sha256: &'b [u8; 32],
    /// The value of `Content-Type`: printable ASCII.
    pub content_type: &'b str,
    /// Siblings that hold it coded: bit 0 `.br`, bit 1 `.zst`, bit 2 `.gz`.
    pub encodings: u8,
    /// HTML with a `<zs-meta` placeholder in it.
    pub has_placeholder: bool,
}

/// A checked index over the bytes it was parsed from.
#[derive(Clone, Copy, Debug)]
pub struct MemberIndex<'b> {
    site_digest: &'b [u8; 32],
    records: &'b [[u8; RECORD_BYTES]],
    strings: &'b [u8],
}

impl<'b> MemberIndex<'b> {
    /// Checks all of it: bounds, order, UTF-8, reserved bytes. Whether offsets, sizes and digests are
    /// true, only the archive can tell.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, IndexError> {
        let (header, rest) = bytes
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or(IndexError::NotAnIndex)?;
        let mut fields = Reader(header);
        let is_ours = fields.take::<8>() == Some(MAGIC);
        let (Some(count), Some(strings_len)) = (fields.u32(), fields.u32()) else {
            return Err(IndexError::NotAnIndex);
        };
        let Some(site_digest) = fields.take::<32>() else {
            return Err(IndexError::NotAnIndex);
        };
        if !is_ours || fields.u32() != Some(RECORD_BYTES_STATED) {
            return Err(IndexError::NotAnIndex);
        }
        if fields.u32() != Some(0) || fields.u64() != Some(0) {
            return Err(IndexError::ReservedHeader);
        }
        let records_len = u64::from(count) * RECORD_BYTES as u64;
        let expected = HEADER_BYTES as u64 + records_len + u64::from(strings_len);
        let found = bytes.len() as u64;
        let split = usize::try_from(records_len)
            .ok()
            .filter(|_| expected == found);
        let Some((records, strings)) = split.and_then(|at| rest.split_at_checked(at)) else {
            return Err(IndexError::WrongLength { expected, found });
        };
        let index = Self {
            site_digest,
            records: records.as_chunks().0,
            strings,
        };
        index.check()?;
        Ok(index)
    }

    fn check(&self) -> Result<(), IndexError> {
        let mut before: Option<&str> = None;
        for (record, raw) in self.records.iter().enumerate() {
            let refuse = |fault| IndexError::BadRecord { record, fault };
            let read = self.read(raw).map_err(refuse)?;
            // `str` is ordered by its bytes.
            if before.is_some_and(|before| before >= read.path) {
                return Err(refuse(RecordFault::NotSorted));
            }
            before = Some(read.path);
        }
        Ok(())
    }

    /// Number of members.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are no members.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// SHA-256 that stands for the site's content, whatever archive carries it.
    #[must_use]
    pub const fn site_digest(&self) -> &'b [u8; 32] {
        self.site_digest
    }

    /// The member at a place in the order of paths.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<Record<'b>> {
        self.read(self.records.get(place)?).ok()
    }

    /// The members in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = Record<'b>> + use<'b> {
        let index = *self;
        index
            .records
            .iter()
            .filter_map(move |raw| index.read(raw).ok())
    }

    /// The member with this path.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Record<'b>> {
        let order = |raw: &[u8; RECORD_BYTES]| {
            self.read(raw)
                .ok()
                .map(|record| record.path)
                .cmp(&Some(path))
        };
        let place = self.records.binary_search_by(order).ok()?;
        self.get(place)
    }

    fn read(&self, raw: &'b [u8; RECORD_BYTES]) -> Result<Record<'b>, RecordFault> {
        let raw = RawRecord::read(raw).ok_or(RecordFault::Reserved)?;
        let path = self.string(raw.path_offset, usize::from(raw.path_len))?;
        let content_type = self.string(raw.type_offset, usize::from(raw.type_len))?;
        if !is_normal(path) {
            return Err(RecordFault::BadPath);
        }
        if content_type.is_empty()
            || !content_type
                .bytes()
                .all(|byte| (b' '..=b'~').contains(&byte))
        {
            return Err(RecordFault::BadType);
        }
        if !raw.offset.is_multiple_of(512) || raw.offset.checked_add(raw.size).is_none() {
            return Err(RecordFault::BadExtent);
        }
        if raw.encodings & !ENCODING_BITS != 0
            || raw.flags & !PLACEHOLDER_BIT != 0
            || raw.reserved != [0; 3]
        {
            return Err(RecordFault::Reserved);
        }
        Ok(Record {
            path,
            offset: raw.offset,
            size: raw.size,
            mtime: raw.mtime,
            sha256: raw.sha256,
            content_type,
            encodings: raw.encodings,
            has_placeholder: raw.flags & PLACEHOLDER_BIT != 0,
        })
    }

    fn string(&self, offset: u32, len: usize) -> Result<&'b str, RecordFault> {
        let start = usize::try_from(offset).map_err(|_| RecordFault::StringBounds)?;
        let end = start.checked_add(len).ok_or(RecordFault::StringBounds)?;
        let bytes = self
            .strings
            .get(start..end)
            .ok_or(RecordFault::StringBounds)?;
        core::str::from_utf8(bytes).map_err(|_| RecordFault::NotUtf8)
    }
}

/// A record's fields in the order they lie in.
struct RawRecord<'b> {
    offset: u64,
    size: u64,
    mtime: i64,
    sha256: &'b [u8; 32],
    path_offset: u32,
    type_offset: u32,
    path_len: u16,
    type_len: u8,
    encodings: u8,
    flags: u8,
    reserved: [u8; 3],
}

impl<'b> RawRecord<'b> {
    fn read(bytes: &'b [u8; RECORD_BYTES]) -> Option<Self> {
        let mut fields = Reader(bytes);
        Some(Self {
            offset: fields.u64()?,
            size: fields.u64()?,
            mtime: fields.u64()?.cast_signed(),
            sha256: fields.take()?,
            path_offset: fields.u32()?,
            type_offset: fields.u32()?,
            path_len: fields.take().copied().map(u16::from_le_bytes)?,
            type_len: fields.take().map(|[byte]| *byte)?,
            encodings: fields.take().map(|[byte]| *byte)?,
            flags: fields.take().map(|[byte]| *byte)?,
            reserved: *fields.take()?,
        })
    }
}

/// Takes fixed-size fields off the front.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take<const N: usize>(&mut self) -> Option<&'b [u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(field)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().copied().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().copied().map(u64::from_le_bytes)
    }
}

/// Fuzz body: an index that is taken gives out every record, in order, and finds each by its path.
///
/// # Panics
/// When that does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_members(bytes: &[u8]) {
    let Ok(index) = MemberIndex::parse(bytes) else {
        return;
    };
    assert_eq!(index.iter().count(), index.len());
    for (place, record) in index.iter().enumerate() {
        assert_eq!(index.get(place), Some(record));
        assert_eq!(index.find(record.path), Some(record));
    }
    assert_eq!(index.get(index.len()), None);
}
