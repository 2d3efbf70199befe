//! Walking a tar: which bytes are wanted next, and what they say. Data of members is never wanted.
//!
//! Reads ustar, the old format, pax (`path`, `size`, `mtime`, also global) and GNU long names and
//! base-256 numbers. Files and contiguous files are given out; directories, links, devices and what
//! we do not know are stepped over; sparse files are refused, since their bytes are not in place.
//!
//! ```
//! # use zs_archive::{error::TarError, tar::{Entry, Walker}};
//! fn list(tar: &[u8]) -> Result<Vec<Entry>, TarError> {
//!     let mut walker = Walker::new(tar.len() as u64);
//!     let mut entries = Vec::new();
//!     while let Some(want) = walker.poll_read() {
//!         let from = usize::try_from(want.offset).unwrap_or(usize::MAX);
//!         entries.extend(walker.handle_bytes(tar.get(from..).unwrap_or_default())?);
//!     }
//!     Ok(entries)
//! }
//! # assert_eq!(list(b""), Err(TarError::Empty));
//! ```

use crate::error::{TarError, printable};
use crate::header::{BLOCK_BYTES, Header, Kind};
use crate::name::normalize;
use crate::pax::Overrides;

/// Longest extended header or long name. Room for a path and large access-control lists; the window
/// that the caller reads into must hold it.
pub const EXTENDED_BYTES_MAX: u64 = 256 << 10;

/// Longest member path: `PATH_MAX` of Linux. A request line of 8 KiB can hold it unless most of it
/// is percent-encoded.
pub const PATH_BYTES_MAX: usize = 4096;

const _: () = assert!(PATH_BYTES_MAX as u64 * 2 < EXTENDED_BYTES_MAX);

/// A file in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path: relative, no `.`, `..` or empty segment.
    pub path: String,
    /// Where its data starts, from the start of the archive; a multiple of 512.
    pub offset: u64,
    /// Bytes of data; `offset + size` is within the archive.
    pub size: u64,
    /// Modification time in Unix seconds; may be negative.
    pub mtime: i64,
}

/// The bytes that [`Walker::handle_bytes`] wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// Where they start.
    pub offset: u64,
    /// How many; at most [`EXTENDED_BYTES_MAX`]. Always within the length given to `new`.
    pub len: usize,
}

/// State of one walk. It is over when [`Walker::poll_read`] gives `None` or an error came.
#[derive(Debug)]
pub struct Walker {
    total_len: u64,
    state: State,
    offset: u64,
    found: bool,
    globals: Overrides,
    /// Of extended headers since the last member.
    pending: Overrides,
    long_name: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A header block starts at `offset`.
    AtHeader,
    /// Text of an extended header starts at `offset`; `header` is where that header started.
    AtText {
        text: Text,
        len: usize,
        header: u64,
    },
    Finished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Extended,
    Global,
    LongName,
}

impl Walker {
    /// A walk over an archive of `total_len` bytes.
    #[must_use]
    pub fn new(total_len: u64) -> Self {
        Self {
            total_len,
            state: State::AtHeader,
            offset: 0,
            found: false,
            globals: Overrides::default(),
            pending: Overrides::default(),
            long_name: None,
        }
    }

    /// The bytes to hand over next; `None` when the walk is over.
    ///
    /// More may be handed over than is wanted, so one large read can answer many calls: those whose
    /// `Want` lies within it. At the end of an archive without end marker the `Want` is of length 0;
    /// handing over no bytes then gives the error.
    #[must_use]
    pub fn poll_read(&self) -> Option<Want> {
        let len = match self.state {
            State::Finished => return None,
            State::AtHeader => usize::try_from(self.left().min(BLOCK_BYTES)).unwrap_or(0),
            State::AtText { len, .. } => len,
        };
        // The padding of the last member may be cut off: the next header is then behind the end.
        let offset = self.offset.min(self.total_len);
        Some(Want { offset, len })
    }

    fn left(&self) -> u64 {
        self.total_len.saturating_sub(self.offset)
    }

    /// Takes the bytes at the wanted offset: `len` of them, or more (those are ignored).
    ///
    /// # Errors
    /// The archive's fault. Fewer bytes than wanted count as a truncated archive. After an error the
    /// walk is over.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<Option<Entry>, TarError> {
        let result = match self.state {
            State::Finished => Ok(None),
            State::AtHeader => self.header(bytes),
            State::AtText { text, len, header } => self.text(bytes, text, len, header),
        };
        if result.is_err() {
            self.state = State::Finished;
        }
        result
    }

    fn header(&mut self, bytes: &[u8]) -> Result<Option<Entry>, TarError> {
        let at = self.offset;
        let block = match bytes.first_chunk::<512>() {
            Some(block) if self.left() >= BLOCK_BYTES => block,
            _ => return Err(self.no_block(bytes)),
        };
        if block.iter().all(|&byte| byte == 0) {
            self.state = State::Finished;
            return if self.found {
                Ok(None)
            } else {
                Err(TarError::NoMembers)
            };
        }
        let Some(header) = Header::parse(block) else {
            return Err(if at == 0 {
                not_a_tar(block)
            } else {
                TarError::BadHeader { offset: at }
            });
        };
        let text = match header.kind() {
            Kind::Extended => Text::Extended,
            Kind::Global => Text::Global,
            Kind::LongName => Text::LongName,
            kind => return self.member(&header, kind),
        };
        let size = header
            .size()
            .ok_or_else(|| bad_number("size", &header.name(), at))?;
        if size > EXTENDED_BYTES_MAX {
            return Err(TarError::ExtendedHeaderTooLarge { size, offset: at });
        }
        self.offset = at + BLOCK_BYTES;
        self.check_end(size, &header.name())?;
        let len = usize::try_from(size).unwrap_or(0);
        if len == 0 {
            return self.text(&[], text, 0, at); // nothing to wait for
        }
        self.state = State::AtText {
            text,
            len,
            header: at,
        };
        Ok(None)
    }

    /// There is no whole block where a header should be.
    fn no_block(&self, bytes: &[u8]) -> TarError {
        if self.total_len == 0 {
            TarError::Empty
        } else if self.offset == 0 {
            not_a_tar(bytes)
        } else {
            TarError::NoEnd {
                length: self.total_len,
            }
        }
    }

    fn text(
        &mut self,
        bytes: &[u8],
        text: Text,
        len: usize,
        header: u64,
    ) -> Result<Option<Entry>, TarError> {
        let bytes = bytes.get(..len).ok_or(TarError::NoEnd {
            length: self.total_len,
        })?;
        let broken = TarError::BadExtendedHeader { offset: header };
        match text {
            Text::Extended => self.pending.apply(bytes).ok_or(broken)?,
            Text::Global => self.globals.apply(bytes).ok_or(broken)?,
            Text::LongName => {
                let name = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
                self.long_name = Some(name.to_vec());
            }
        }
        self.step_over(len as u64);
        Ok(None)
    }

    fn member(&mut self, header: &Header<'_>, kind: Kind) -> Result<Option<Entry>, TarError> {
        let at = self.offset;
        let values = core::mem::take(&mut self.pending).or(&self.globals);
        // pax is the newer format: where both name a member, its path counts.
        let name = values
            .path
            .or(self.long_name.take())
            .unwrap_or_else(|| header.name());
        if kind == Kind::Sparse || (values.sparse && kind == Kind::File) {
            return Err(TarError::Sparse {
                member: printable(&name),
                offset: at,
            });
        }
        self.offset = at + BLOCK_BYTES;
        if kind == Kind::NoData {
            self.step_over(0);
            return Ok(None);
        }
        let size = values
            .size
            .or_else(|| header.size())
            .ok_or_else(|| bad_number("size", &name, at))?;
        self.check_end(size, &name)?;
        let offset = self.offset;
        self.step_over(size);
        if kind != Kind::File {
            return Ok(None);
        }
        let mtime = values
            .mtime
            .or_else(|| header.mtime())
            .ok_or_else(|| bad_number("modification time", &name, at))?;
        let path = normalize(&name).map_err(|fault| TarError::BadName {
            member: printable(&name),
            fault,
            offset: at,
        })?;
        self.found = true;
        Ok(Some(Entry {
            path,
            offset,
            size,
            mtime,
        }))
    }

    /// Refuses data of `size` bytes at the current offset that the file does not have.
    fn check_end(&self, size: u64, name: &[u8]) -> Result<(), TarError> {
        if size <= self.left() {
            return Ok(());
        }
        let end = self.offset.saturating_add(size);
        Err(TarError::Truncated {
            member: printable(name),
            end,
            length: self.total_len,
        })
    }

    /// To the header behind data of `size` bytes, which are within the file.
    fn step_over(&mut self, size: u64) {
        self.offset = self
            .offset
            .saturating_add(size.next_multiple_of(BLOCK_BYTES));
        self.state = State::AtHeader;
    }
}

fn bad_number(field: &'static str, name: &[u8], offset: u64) -> TarError {
    TarError::BadNumber {
        field,
        member: printable(name),
        offset,
    }
}

/// Tells the formats that people serve by mistake from things that were never a tar.
fn not_a_tar(start: &[u8]) -> TarError {
    match start {
        [0x1f, 0x8b, ..] => TarError::Compressed("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => TarError::Compressed("zstd"),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => TarError::Compressed("xz"),
        [b'B', b'Z', b'h', ..] => TarError::Compressed("bzip2"),
        [b'P', b'K', 3, 4, ..] => TarError::Compressed("zip"),
        _ => TarError::NotATar,
    }
}

/// Fuzz body: every walk ends, each entry lies within the archive and has a name to be served by,
/// and handing over more than is wanted changes nothing.
///
/// # Panics
/// When that does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_tar(bytes: &[u8]) {
    let walk = |exact: bool| {
        let mut walker = Walker::new(bytes.len() as u64);
        let mut entries = Vec::new();
        let mut before = None;
        while let Some(want) = walker.poll_read() {
            assert!(before < Some(want.offset), "each step goes forward");
            before = Some(want.offset);
            let from = usize::try_from(want.offset).unwrap_or(usize::MAX);
            let rest = bytes.get(from..).unwrap_or_default();
            let given = if exact {
                rest.get(..want.len).unwrap_or(rest)
            } else {
                rest
            };
            match walker.handle_bytes(given) {
                Ok(entry) => entries.extend(entry),
                Err(error) => {
                    let text = error.to_string();
                    assert!(!text.contains(['\n', '\r']), "one line: {text}");
                    return (entries, Some(error));
                }
            }
        }
        (entries, None)
    };
    let (entries, error) = walk(true);
    assert_eq!(walk(false), (entries.clone(), error));
    for entry in entries {
        assert!(entry.offset.is_multiple_of(BLOCK_BYTES));
        assert!(entry.offset + entry.size <= bytes.len() as u64);
        assert!(crate::name::is_normal(&entry.path));
    }
}
