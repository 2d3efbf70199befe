//! The fields that the server itself reads, sorted into slots while the block is parsed once.

use super::host;
use crate::error::PeerError;
use crate::field::FieldLines;
use crate::message::{BodyFraming, Version};
use crate::scan::trim;

/// Everything the parser keeps of the field lines. Unknown fields cost one look at their length.
#[derive(Default)]
pub(crate) struct Slots<'b> {
    pub(crate) host: Option<&'b [u8]>,
    pub(crate) range: Option<&'b [u8]>,
    pub(crate) if_range: Option<&'b [u8]>,
    pub(crate) if_match: List<'b>,
    pub(crate) if_none_match: List<'b>,
    pub(crate) if_modified_since: Option<&'b [u8]>,
    pub(crate) if_unmodified_since: Option<&'b [u8]>,
    pub(crate) accept_encoding: List<'b>,
    pub(crate) user_agent: Option<&'b [u8]>,
    pub(crate) referer: Option<&'b [u8]>,
    upgrade: Option<&'b [u8]>,
    expect: bool,
    connection: ConnectionOptions,
    content_length: Option<u64>,
    transfer: Option<Transfer>,
}

/// The options of `Connection` (RFC 9110, section 7.6.1) that mean something to us.
#[derive(Default)]
struct ConnectionOptions {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
}

/// A list field: its first value, and whether more lines follow.
#[derive(Default)]
pub(crate) struct List<'b> {
    first: Option<&'b [u8]>,
    repeated: bool,
}

/// What the `Transfer-Encoding` lines said so far.
enum Transfer {
    /// `chunked`, once, alone.
    Chunked,
    /// A coding that we do not implement is among them.
    Unknown,
}

impl<'b> List<'b> {
    fn add(&mut self, value: &'b [u8]) {
        if self.first.is_some() {
            self.repeated = true;
        } else {
            self.first = Some(value);
        }
    }

    pub(crate) fn lines(&self, name: &'static [u8], block: &'b [u8]) -> Option<FieldLines<'b>> {
        let first = self.first?;
        Some(if self.repeated {
            FieldLines::repeated(first, name, block)
        } else {
            FieldLines::single(first)
        })
    }
}

fn once<'b>(slot: &mut Option<&'b [u8]>, value: &'b [u8]) -> Result<(), PeerError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(PeerError::RepeatedField),
    }
}

impl<'b> Slots<'b> {
    /// Takes one field line. The length decides first, so most names are compared with one or none.
    #[inline]
    pub(crate) fn store(&mut self, name: &[u8], value: &'b [u8]) -> Result<(), PeerError> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match name.len() {
            4 if is(b"host") => self.add_host(value),
            5 if is(b"range") => once(&mut self.range, value),
            6 if is(b"expect") => self.add_expect(value),
            7 if is(b"referer") => {
                self.referer.get_or_insert(value);
                Ok(())
            }
            7 if is(b"upgrade") => {
                self.upgrade.get_or_insert(value);
                Ok(())
            }
            8 if is(b"if-range") => once(&mut self.if_range, value),
            8 if is(b"if-match") => {
                self.if_match.add(value);
                Ok(())
            }
            10 if is(b"connection") => {
                self.add_connection(value);
                Ok(())
            }
            10 if is(b"user-agent") => {
                self.user_agent.get_or_insert(value);
                Ok(())
            }
            13 if is(b"if-none-match") => {
                self.if_none_match.add(value);
                Ok(())
            }
            14 if is(b"content-length") => self.add_content_length(value),
            15 if is(b"accept-encoding") => {
                self.accept_encoding.add(value);
                Ok(())
            }
            17 if is(b"if-modified-since") => once(&mut self.if_modified_since, value),
            17 if is(b"transfer-encoding") => self.add_transfer_encoding(value),
            19 if is(b"if-unmodified-since") => once(&mut self.if_unmodified_since, value),
            _ => Ok(()),
        }
    }

    fn add_host(&mut self, value: &'b [u8]) -> Result<(), PeerError> {
        host::check(value)?;
        once(&mut self.host, value)
    }

    fn add_expect(&mut self, value: &[u8]) -> Result<(), PeerError> {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(PeerError::UnknownExpectation);
        }
        self.expect = true;
        Ok(())
    }

    fn add_connection(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',').map(trim) {
            self.connection.close |= option.eq_ignore_ascii_case(b"close");
            self.connection.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.connection.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }

    /// Digits only: no sign, no list, no white space. The same number twice is let pass, as
    /// RFC 9110, section 8.6 allows; two numbers are how requests get smuggled.
    fn add_content_length(&mut self, value: &[u8]) -> Result<(), PeerError> {
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(PeerError::BadContentLength);
        }
        let length = value
            .iter()
            .try_fold(0_u64, |sum, digit| {
                sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
            })
            .ok_or(PeerError::BodyTooLarge)?;
        match self.content_length.replace(length) {
            Some(before) if before != length => Err(PeerError::BadContentLength),
            _ => Ok(()),
        }
    }

    /// Chunked must be the last coding and be applied once (RFC 9112, section 7); we know no other.
    fn add_transfer_encoding(&mut self, value: &[u8]) -> Result<(), PeerError> {
        for coding in value.split(|&byte| byte == b',').map(trim) {
            if coding.is_empty() || matches!(self.transfer, Some(Transfer::Chunked)) {
                return Err(PeerError::BadTransferEncoding);
            }
            self.transfer = Some(if !coding.eq_ignore_ascii_case(b"chunked") {
                Transfer::Unknown
            } else if self.transfer.is_none() {
                Transfer::Chunked
            } else {
                // Chunked after an unknown coding: well formed, still not readable.
                return Err(PeerError::UnknownTransferCoding);
            });
        }
        Ok(())
    }

    /// RFC 9112, section 6.3, with its choice to refuse both lengths taken.
    pub(crate) fn body(&self, version: Version) -> Result<BodyFraming, PeerError> {
        match (&self.transfer, self.content_length) {
            (None, None) => Ok(BodyFraming::None),
            (None, Some(length)) => Ok(BodyFraming::Length(length)),
            (Some(_), Some(_)) => Err(PeerError::ConflictingLengths),
            // RFC 9112, section 6.1: HTTP/1.0 has no transfer codings, so this framing is faulty.
            (Some(_), None) if version == Version::Http10 => Err(PeerError::BadTransferEncoding),
            (Some(Transfer::Unknown), None) => Err(PeerError::UnknownTransferCoding),
            (Some(Transfer::Chunked), None) => Ok(BodyFraming::Chunked),
        }
    }

    /// RFC 9112, section 9.3.
    pub(crate) fn persists(&self, version: Version) -> bool {
        !self.connection.close && (version == Version::Http11 || self.connection.keep_alive)
    }

    /// RFC 9110, section 10.1.1: ignored on HTTP/1.0 and when no body is to come.
    pub(crate) fn expects_continue(&self, version: Version, body: BodyFraming) -> bool {
        self.expect
            && version == Version::Http11
            && !matches!(body, BodyFraming::None | BodyFraming::Length(0))
    }

    /// RFC 9110, section 7.8: only with the connection option, never on HTTP/1.0.
    pub(crate) fn upgrade(&self, version: Version) -> Option<&'b [u8]> {
        self.upgrade
            .filter(|_| self.connection.upgrade && version == Version::Http11)
    }
}
