//! HTTP/1 request heads: bytes of one connection in, [`RequestHead`] out, in one pass.
//!
//! Strict on purpose: whatever a proxy in front could read in two ways is refused (RFC 9112,
//! section 11.2). A verdict never changes when more bytes arrive: each prefix of the input gives
//! "more, please" or the same answer as the whole.

use super::slots::Slots;
use super::target;
use crate::error::PeerError;
use crate::limits::{
    HEADER_BLOCK_BYTES_MAX, HEADERS_MAX, LEADING_CRLF_BYTES_MAX, METHOD_BYTES_MAX,
    REQUEST_LINE_BYTES_MAX,
};
use crate::message::{Method, RequestHead, Version};
use crate::scan::{field_value_end, is_token, target_end, trim};
use memchr::memchr;

/// Why parsing stopped before the end of a head.
enum Stop {
    /// The bytes so far are fine, and there are not enough of them.
    More,
    Refused(PeerError),
}

impl From<PeerError> for Stop {
    fn from(error: PeerError) -> Self {
        Self::Refused(error)
    }
}

/// Parses one request head at the start of `bytes`.
///
/// `None` means that the head is not complete. The number is the length of the head, any empty
/// lines before it included: the body, or the next request, starts there. No state is kept between
/// calls; when heads arrive in pieces, [`HeadProgress`] saves parsing the start again for nothing.
///
/// # Errors
/// The peer's fault, as soon as the bytes show it. Answer with its status, then close.
pub fn parse_head(bytes: &[u8]) -> Result<Option<(RequestHead<'_>, usize)>, PeerError> {
    match parse(bytes) {
        Ok(parsed) => Ok(Some(parsed)),
        Err(Stop::More) => Ok(None),
        Err(Stop::Refused(error)) => Err(error),
    }
}

#[inline] // else the head is copied once more
fn parse(bytes: &[u8]) -> Result<(RequestHead<'_>, usize), Stop> {
    let start = after_empty_lines(bytes)?;
    let (line, rest) = request_line(start)?;
    let mut slots = Slots::default();
    let (block, rest) = field_lines(rest, &mut slots)?;
    let target = target::split(line.method, line.target)?;
    let version = line.version;
    if slots.host.is_none() && version == Version::Http11 {
        return Err(PeerError::MissingHost.into());
    }
    let body = slots.body(version)?;
    let head = RequestHead {
        method: line.method,
        target: line.target,
        form: target.form,
        path: target.path,
        query: target.query,
        version,
        host: target.authority.or(slots.host),
        range: slots.range,
        if_range: slots.if_range,
        if_match: slots.if_match.lines(b"if-match", block),
        if_none_match: slots.if_none_match.lines(b"if-none-match", block),
        if_modified_since: slots.if_modified_since,
        if_unmodified_since: slots.if_unmodified_since,
        accept_encoding: slots.accept_encoding.lines(b"accept-encoding", block),
        user_agent: slots.user_agent,
        referer: slots.referer,
        expect_continue: slots.expects_continue(version, body),
        upgrade: slots.upgrade(version),
        keep_alive: slots.persists(version),
        body,
        block,
    };
    Ok((head, bytes.len() - rest.len()))
}

/// RFC 9112, section 2.2: empty lines before a request line are ignored, within reason.
fn after_empty_lines(bytes: &[u8]) -> Result<&[u8], Stop> {
    let mut rest = bytes;
    while let [b'\r' | b'\n', tail @ ..] = rest {
        if rest.len() + LEADING_CRLF_BYTES_MAX <= bytes.len() {
            return Err(PeerError::BadRequestLine.into());
        }
        rest = after_line_end(rest)?.unwrap_or(tail);
    }
    Ok(rest)
}

/// What follows a `CRLF` at the start of `bytes`; `None` when no line ends here.
#[inline]
fn after_line_end(bytes: &[u8]) -> Result<Option<&[u8]>, Stop> {
    match bytes {
        [b'\r', b'\n', rest @ ..] => Ok(Some(rest)),
        [] | [b'\r'] => Err(Stop::More),
        [b'\r' | b'\n', ..] => Err(PeerError::BadLineEnd.into()),
        _ => Ok(None),
    }
}

struct RequestLine<'b> {
    method: Method<'b>,
    target: &'b [u8],
    version: Version,
}

/// The request line and what follows it. Looks no further than the line's cap.
fn request_line(bytes: &[u8]) -> Result<(RequestLine<'_>, &[u8]), Stop> {
    let within = bytes.get(..REQUEST_LINE_BYTES_MAX).unwrap_or(bytes);
    let parsed = method(within).and_then(|(method, rest)| {
        let end = target_end(rest).ok_or(Stop::More)?;
        let (target, rest) = rest.split_at_checked(end).ok_or(Stop::More)?;
        match rest {
            [b' ', ..] if end == 0 => Err(PeerError::BadRequestLine.into()),
            [b' ', rest @ ..] => {
                let (version, rest) = version(rest)?;
                Ok((
                    RequestLine {
                        method,
                        target,
                        version,
                    },
                    within.len() - rest.len(),
                ))
            }
            // A target and no version is HTTP/0.9, which RFC 9112 leaves no room for.
            [b'\r' | b'\n', ..] => Err(PeerError::BadRequestLine.into()),
            _ => Err(PeerError::BadTarget.into()),
        }
    });
    match parsed {
        Ok((line, length)) => Ok((line, bytes.get(length..).ok_or(Stop::More)?)),
        Err(Stop::More) if bytes.len() >= REQUEST_LINE_BYTES_MAX => {
            Err(PeerError::TargetTooLong.into())
        }
        Err(stop) => Err(stop),
    }
}

#[inline]
fn method(bytes: &[u8]) -> Result<(Method<'_>, &[u8]), Stop> {
    if let Some(rest) = bytes.strip_prefix(b"GET ") {
        return Ok((Method::Get, rest));
    }
    let within = bytes.get(..=METHOD_BYTES_MAX).unwrap_or(bytes);
    let Some(end) = within.iter().position(|&byte| !is_token(byte)) else {
        let too_long = within.len() > METHOD_BYTES_MAX;
        return Err(if too_long {
            PeerError::BadMethod.into()
        } else {
            Stop::More
        });
    };
    match bytes.split_at_checked(end) {
        Some((token @ [_, ..], [b' ', rest @ ..])) => Ok((Method::from_token(token), rest)),
        Some((_, [b'\r' | b'\n', ..])) => Err(PeerError::BadRequestLine.into()),
        _ => Err(PeerError::BadMethod.into()),
    }
}

/// `HTTP/1.0` or `HTTP/1.1` and the line's end.
#[inline]
fn version(bytes: &[u8]) -> Result<(Version, &[u8]), Stop> {
    if let Some(rest) = bytes.strip_prefix(b"HTTP/1.1\r\n") {
        return Ok((Version::Http11, rest));
    }
    let name = b"HTTP/";
    let Some((found, rest)) = bytes.split_at_checked(name.len()) else {
        let so_far = name.starts_with(bytes);
        return Err(if so_far {
            Stop::More
        } else {
            PeerError::BadRequestLine.into()
        });
    };
    if found != name {
        return Err(PeerError::BadRequestLine.into());
    }
    let (version, rest) = match rest {
        [b'1', b'.', b'1', rest @ ..] => (Version::Http11, rest),
        [b'1', b'.', b'0', rest @ ..] => (Version::Http10, rest),
        [b'0'..=b'9', b'.', b'0'..=b'9', ..] => return Err(PeerError::UnknownVersion.into()),
        [] | [b'0'..=b'9'] | [b'0'..=b'9', b'.'] => return Err(Stop::More),
        _ => return Err(PeerError::BadRequestLine.into()),
    };
    let rest = after_line_end(rest)?.ok_or(PeerError::BadRequestLine)?;
    Ok((version, rest))
}

/// The block of field lines, and what follows the empty line after it. Looks no further than the
/// block's cap.
fn field_lines<'b>(bytes: &'b [u8], slots: &mut Slots<'b>) -> Result<(&'b [u8], &'b [u8]), Stop> {
    let within = bytes.get(..HEADER_BLOCK_BYTES_MAX).unwrap_or(bytes);
    match fields_within(within, slots) {
        Ok(length) => {
            let (block, rest) = bytes.split_at_checked(length).ok_or(Stop::More)?;
            let rest = rest.get(2..).ok_or(Stop::More)?; // the empty line's CRLF
            Ok((block, rest))
        }
        Err(Stop::More) if bytes.len() >= HEADER_BLOCK_BYTES_MAX => {
            Err(PeerError::FieldsTooLarge.into())
        }
        Err(stop) => Err(stop),
    }
}

/// Sorts the fields into `slots`; gives the length of all field lines, without the empty line.
#[inline]
fn fields_within<'b>(block: &'b [u8], slots: &mut Slots<'b>) -> Result<usize, Stop> {
    let mut rest = block;
    let mut count = 0;
    loop {
        if let Some(_after) = after_line_end(rest)? {
            return Ok(block.len() - rest.len());
        }
        count += 1;
        if count > HEADERS_MAX {
            return Err(PeerError::FieldsTooLarge.into());
        }
        rest = field_line(rest, slots)?;
    }
}

#[inline]
fn field_line<'b>(line: &'b [u8], slots: &mut Slots<'b>) -> Result<&'b [u8], Stop> {
    let name_end = line
        .iter()
        .position(|&byte| !is_token(byte))
        .ok_or(Stop::More)?;
    let (name, rest) = line.split_at_checked(name_end).ok_or(Stop::More)?;
    let rest = match rest {
        [b':', rest @ ..] if name_end > 0 => rest,
        [b' ' | b'\t', ..] if name_end == 0 => return Err(PeerError::FoldedField.into()),
        [b' ' | b'\t', ..] => return Err(PeerError::SpaceBeforeColon.into()),
        _ => return Err(PeerError::BadFieldName.into()),
    };
    let value_end = field_value_end(rest).ok_or(Stop::More)?;
    let (value, rest) = rest.split_at_checked(value_end).ok_or(Stop::More)?;
    let rest = after_line_end(rest)?.ok_or(PeerError::BadFieldValue)?;
    slots.store(name, trim(value))?;
    Ok(rest)
}

/// Remembers how far an unfinished head was searched for its end.
///
/// A peer that sends its head byte by byte would otherwise make each byte cost a whole parse. Ask
/// this only after [`parse_head`] gave `None`; a head that arrives whole never pays for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadProgress {
    searched: usize,
}

impl HeadProgress {
    /// Nothing searched yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { searched: 0 }
    }

    /// Whether parsing `bytes` (all bytes since the head's start) may now give a verdict: an empty
    /// line came, or a cap is reached.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() >= REQUEST_LINE_BYTES_MAX {
            // Above this size a request line may be over its cap: the parser must look. To keep
            // that rare, only each further kilobyte counts.
            if bytes.len() / 1024 > self.searched / 1024 {
                self.searched = bytes.len();
                return true;
            }
        }
        // Three bytes back: an empty line may have been cut in its middle.
        let mut from = self.searched.saturating_sub(3);
        self.searched = bytes.len();
        while let Some(found) = bytes.get(from..).and_then(|rest| memchr(b'\n', rest)) {
            from += found + 1;
            if matches!(bytes.get(from..), Some([b'\n', ..] | [b'\r', b'\n', ..])) {
                return true;
            }
        }
        false
    }
}

/// Fuzz body: no prefix of the input may be judged differently from the whole, and a head that is
/// written out again from its parts must read the same.
///
/// # Panics
/// When one of these does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_head(bytes: &[u8]) {
    let verdict = |end: usize| {
        let parsed = parse_head(bytes.get(..end).unwrap_or_default());
        parsed.map(|parsed| parsed.map(|(_head, length)| length))
    };
    let whole = verdict(bytes.len());
    // Every cut of a short input, and as many cuts of a long one.
    let stride = bytes.len() / 512 + 1;
    for cut in (0..bytes.len()).step_by(stride) {
        match (verdict(cut), whole) {
            (Ok(None), Ok(Some(length))) => assert!(cut < length, "a whole head is seen at once"),
            (Ok(None), _) => {}
            (prefix, whole) => assert_eq!(prefix, whole, "cut at {cut}"),
        }
    }
    let Ok(Some((head, length))) = parse_head(bytes) else {
        return;
    };
    let mut progress = HeadProgress::new();
    let ready = (0..=length).any(|end| progress.handle_bytes(bytes.get(..end).unwrap_or_default()));
    assert!(
        ready,
        "the end of a head is found when it comes byte by byte"
    );
    assert!(head.headers().count() <= HEADERS_MAX);
    let mut again = [head.method.as_bytes(), b" ", head.target].concat();
    again.extend_from_slice(match head.version {
        Version::Http10 => b" HTTP/1.0\r\n",
        Version::Http11 => b" HTTP/1.1\r\n",
    });
    for (name, value) in head.headers() {
        assert!(!name.is_empty() && name.iter().all(|&byte| is_token(byte)));
        assert_eq!(field_value_end(value), None);
        again.extend_from_slice(&[name, b":", value, b"\r\n"].concat());
    }
    again.extend_from_slice(b"\r\n");
    let second = parse_head(&again).map(|parsed| parsed.map(|(head, _)| (head.path, head.body)));
    assert_eq!(second, Ok(Some((head.path, head.body))));
}
