//! One reading of a request path: from percent-encoded bytes to the name of a member.
//!
//! Everything that looks a path up (files, scripts, the internal folder) goes through [`clean`], so
//! that no two parts of the server can disagree on what a path means.

use std::borrow::Cow;

use crate::error::PeerError;

/// The folder of an archive that is never served.
const INTERNAL: &[u8] = b".zeroserve";

/// A decoded path: relative to the root, no empty, `.` or `..` segment, valid UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanPath<'b> {
    /// Without slash at either end; empty for the root. Valid UTF-8, without NUL.
    pub path: &'b [u8],
    /// Whether the request named a folder: it ended in `/`, `/.` or `/..`. True for the root.
    pub trailing_slash: bool,
}

impl CleanPath<'_> {
    /// Whether the path is, or lies in, the folder that is never served: answer 404.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        match self.path.strip_prefix(INTERNAL) {
            Some(rest) => matches!(rest, [] | [b'/', ..]),
            None => false,
        }
    }

    /// Appends the path as a URL path, encoded again and with one leading slash, to `out`.
    ///
    /// For `Location`: building it from the raw path would turn `//evil.example` into a redirect to
    /// another host.
    pub fn write_url(&self, out: &mut Vec<u8>) {
        out.push(b'/');
        for &byte in self.path {
            if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte) {
                out.push(byte);
            } else {
                let hex = |digit: u8| {
                    if digit < 10 {
                        b'0' + digit
                    } else {
                        b'A' - 10 + digit
                    }
                };
                out.extend_from_slice(&[b'%', hex(byte >> 4), hex(byte & 15)]);
            }
        }
        if self.trailing_slash && !self.path.is_empty() {
            out.push(b'/');
        }
    }
}

/// Decodes and resolves `raw`, which starts with `/`.
///
/// The common path needs no change and is borrowed from `raw`; else the result is built in
/// `scratch`, whose old content is dropped and whose memory is kept for the next call.
///
/// # Errors
/// [`PeerError::BadPath`]: no leading slash, `..` above the root, `%2F` or NUL in a segment, a `%`
/// without two hexadecimal digits, or a result that is not UTF-8.
pub fn clean<'b>(raw: &'b [u8], scratch: &'b mut Vec<u8>) -> Result<CleanPath<'b>, PeerError> {
    let Some((b'/', rest)) = raw.split_first() else {
        return Err(PeerError::BadPath);
    };
    match as_it_is(rest) {
        Some(path) => Ok(path),
        None => rebuild(rest, scratch),
    }
}

/// `raw` with empty and `.` segments left out and `..` resolved, still percent-encoded; a slash at the end stays. `..` above
/// the root stops there. An encoded dot or slash is only a byte here: lookups go by [`clean`].
#[must_use]
pub fn normalize(raw: &[u8]) -> Cow<'_, [u8]> {
    let rest = raw.strip_prefix(b"/").unwrap_or(raw);
    let segments = || rest.split(|&byte| byte == b'/');
    let last = segments().count() - 1;
    let plain = |(at, segment): (usize, &[u8])| match segment {
        b"" => at == last,
        b"." | b".." => false,
        _ => true,
    };
    if raw.starts_with(b"/") && segments().enumerate().all(plain) {
        return Cow::Borrowed(raw);
    }
    let mut out = vec![b'/'];
    for (at, segment) in segments().enumerate() {
        match segment {
            b"" | b"." => {}
            b".." => {
                // Up to the slash before the segment that is given up.
                let parent = out.iter().rev().skip(1).position(|&byte| byte == b'/');
                let kept = parent.map_or(1, |back| out.len() - 1 - back);
                out.truncate(kept.max(1));
            }
            _ => {
                out.extend_from_slice(segment);
                if at != last {
                    out.push(b'/');
                }
            }
        }
    }
    Cow::Owned(out)
}

/// The path when it is clean already. Decides in one scan; bytes above 0x7F take the slow road.
#[inline]
fn as_it_is(rest: &[u8]) -> Option<CleanPath<'_>> {
    let mut at_start = true;
    for &byte in rest {
        match byte {
            b'%' | 0 | 0x80.. => return None,
            // An empty segment, or one that may be `.` or `..`; `.well-known` is not, but rare.
            b'/' | b'.' if at_start => return None,
            _ => at_start = byte == b'/',
        }
    }
    let path = rest.strip_suffix(b"/").unwrap_or(rest);
    Some(CleanPath {
        path,
        trailing_slash: at_start,
    })
}

/// Decodes segment by segment, so that a decoded `.` or `/` cannot pass for a raw one.
fn rebuild<'b>(rest: &[u8], out: &'b mut Vec<u8>) -> Result<CleanPath<'b>, PeerError> {
    out.clear();
    let mut trailing_slash = true;
    for raw in rest.split(|&byte| byte == b'/') {
        let start = out.len();
        if start > 0 {
            out.push(b'/');
        }
        let first = out.len();
        decode(raw, out)?;
        trailing_slash = true;
        match out.get(first..) {
            Some(b"" | b".") => out.truncate(start),
            Some(b"..") => {
                if start == 0 {
                    return Err(PeerError::BadPath);
                }
                let kept = out.get(..start).unwrap_or_default();
                let parent = kept.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                out.truncate(parent);
            }
            _ => trailing_slash = false,
        }
    }
    match core::str::from_utf8(out) {
        Ok(path) => Ok(CleanPath {
            path: path.as_bytes(),
            trailing_slash,
        }),
        Err(_) => Err(PeerError::BadPath),
    }
}

fn decode(raw: &[u8], out: &mut Vec<u8>) -> Result<(), PeerError> {
    let mut rest = raw;
    while let Some((&byte, tail)) = rest.split_first() {
        let (decoded, tail) = match (byte, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let value = hex_value(*high)
                    .zip(hex_value(*low))
                    .map(|(high, low)| high << 4 | low);
                (value.ok_or(PeerError::BadPath)?, tail)
            }
            (b'%', _) => return Err(PeerError::BadPath),
            _ => (byte, tail),
        };
        if decoded == 0 || decoded == b'/' {
            return Err(PeerError::BadPath);
        }
        out.push(decoded);
        rest = tail;
    }
    Ok(())
}

const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Fuzz body: a clean path has no segment to resolve, is UTF-8, and stays the same path when it is
/// encoded and cleaned again, whatever was in the scratch space.
///
/// # Panics
/// When that does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_path(bytes: &[u8]) {
    let mut scratch = b"left over".to_vec();
    let Ok(path) = clean(bytes, &mut scratch) else {
        return;
    };
    assert!(
        path.path.len() < bytes.len(),
        "decoding never makes a path longer"
    );
    assert!(core::str::from_utf8(path.path).is_ok_and(|text| !text.contains('\0')));
    if !path.path.is_empty() {
        let bad = |segment: &[u8]| matches!(segment, b"" | b"." | b"..");
        assert!(!path.path.split(|&byte| byte == b'/').any(bad));
    }
    let mut url = Vec::new();
    path.write_url(&mut url);
    assert!(url.is_ascii() && !url.starts_with(b"//"));
    assert_eq!(clean(&url, &mut Vec::new()), Ok(path));
}
