//! Why an archive is refused, in words for its owner: one line, lower case, member and offset.

use core::fmt;

/// A tar that cannot be served. Offsets are bytes from the start of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TarError {
    /// Not one byte.
    Empty,
    /// Zero blocks only: an archive that holds nothing to serve.
    NoMembers,
    /// The first block is no tar header.
    NotATar,
    /// The file starts like this compressed format.
    Compressed(&'static str),
    /// A later block is no tar header.
    BadHeader {
        /// Where the block starts.
        offset: u64,
    },
    /// A number in a header is not one.
    BadNumber {
        /// Which field.
        field: &'static str,
        /// The member.
        member: String,
        /// Where its header starts.
        offset: u64,
    },
    /// An extended header that cannot be read.
    BadExtendedHeader {
        /// Where its header starts.
        offset: u64,
    },
    /// An extended header or long name above [`crate::tar::EXTENDED_BYTES_MAX`].
    ExtendedHeaderTooLarge {
        /// Its size in bytes.
        size: u64,
        /// Where its header starts.
        offset: u64,
    },
    /// The file ends before the member's data does.
    Truncated {
        /// The member.
        member: String,
        /// Where its data should end.
        end: u64,
        /// Where the file ends.
        length: u64,
    },
    /// The file ends without the block of zeros that closes a tar.
    NoEnd {
        /// Where the file ends.
        length: u64,
    },
    /// A GNU sparse file.
    Sparse {
        /// The member.
        member: String,
        /// Where its header starts.
        offset: u64,
    },
    /// A name that cannot be served.
    BadName {
        /// The name, made printable.
        member: String,
        /// What is wrong with it.
        fault: NameFault,
        /// Where its header starts.
        offset: u64,
    },
}

/// What is wrong with a member's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// Nothing is left of it.
    Empty,
    /// It starts with `/`.
    Absolute,
    /// It has a `..` segment.
    Parent,
    /// It is not UTF-8.
    NotUtf8,
    /// It holds a NUL.
    Nul,
    /// It is longer than [`crate::tar::PATH_BYTES_MAX`].
    TooLong,
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "has an empty name",
            Self::Absolute => "has an absolute path",
            Self::Parent => "has a `..` in its path",
            Self::NotUtf8 => "has a name that is not utf-8",
            Self::Nul => "has a zero byte in its name",
            Self::TooLong => "has a name of more than 4096 bytes",
        })
    }
}

impl fmt::Display for TarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty"),
            Self::NoMembers => f.write_str("the archive has no files in it"),
            Self::NotATar => f.write_str("not a tar archive"),
            Self::Compressed(format) => {
                write!(
                    f,
                    "the archive is compressed ({format}); only plain tar is served"
                )
            }
            Self::BadHeader { offset } => write!(f, "broken tar header at byte {offset}"),
            Self::BadNumber {
                field,
                member,
                offset,
            } => {
                write!(
                    f,
                    "member `{member}` at byte {offset} has a malformed {field}"
                )
            }
            Self::BadExtendedHeader { offset } => {
                write!(f, "broken extended header at byte {offset}")
            }
            Self::ExtendedHeaderTooLarge { size, offset } => {
                write!(
                    f,
                    "extended header at byte {offset} is too large ({size} bytes)"
                )
            }
            Self::Truncated {
                member,
                end,
                length,
            } => write!(
                f,
                "archive is truncated: member `{member}` ends at byte {end}, the file at {length}"
            ),
            Self::NoEnd { length } => {
                write!(
                    f,
                    "archive is truncated: no end marker before byte {length}"
                )
            }
            Self::Sparse { member, offset } => {
                write!(
                    f,
                    "member `{member}` at byte {offset} is sparse; pack it without `--sparse`"
                )
            }
            Self::BadName {
                member,
                fault,
                offset,
            } => {
                write!(f, "member `{member}` at byte {offset} {fault}")
            }
        }
    }
}

impl core::error::Error for TarError {}

/// Longest part of a name that is put in an error.
const SHOWN_BYTES_MAX: usize = 200;

/// A name as it can be shown on one line: lossy, escaped, shortened.
pub(crate) fn printable(name: &[u8]) -> String {
    let shown = name.get(..SHOWN_BYTES_MAX).unwrap_or(name);
    let mut text: String = String::from_utf8_lossy(shown)
        .chars()
        .flat_map(char::escape_debug)
        .collect();
    if shown.len() < name.len() {
        text.push('…');
    }
    text
}
