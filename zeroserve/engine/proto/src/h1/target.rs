//! The request target: which of the four forms of RFC 9112, section 3.2, and its parts.

use super::host;
use crate::error::PeerError;
use crate::message::{Method, TargetForm};
use memchr::memchr;

/// The parts of a target.
pub(crate) struct Target<'b> {
    pub(crate) form: TargetForm,
    pub(crate) path: &'b [u8],
    pub(crate) query: Option<&'b [u8]>,
    /// The authority of an absolute or CONNECT target: it wins over `Host`.
    pub(crate) authority: Option<&'b [u8]>,
}

/// Takes a target apart. Its bytes were scanned: no control byte, space or `#` is among them.
#[inline]
pub(crate) fn split<'b>(method: Method<'b>, target: &'b [u8]) -> Result<Target<'b>, PeerError> {
    if method == Method::Connect {
        host::check(target).map_err(|_| PeerError::BadTarget)?;
        let form = TargetForm::Authority;
        return Ok(Target {
            form,
            path: b"",
            query: None,
            authority: Some(target),
        });
    }
    if target.first() == Some(&b'/') {
        let (path, query) = split_query(target);
        return Ok(Target {
            form: TargetForm::Origin,
            path,
            query,
            authority: None,
        });
    }
    if target == b"*" && method == Method::Options {
        let form = TargetForm::Asterisk;
        return Ok(Target {
            form,
            path: b"*",
            query: None,
            authority: None,
        });
    }
    absolute(target)
}

fn split_query(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr(b'?', target).and_then(|at| target.split_at_checked(at)) {
        Some((path, query)) => (path, query.get(1..)),
        None => (target, None),
    }
}

/// `http://authority[/path][?query]`; RFC 9112, section 3.2.2 wants every server to take it.
fn absolute(target: &[u8]) -> Result<Target<'_>, PeerError> {
    let rest = strip_scheme(target).ok_or(PeerError::BadTarget)?;
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end).ok_or(PeerError::BadTarget)?;
    host::check(authority).map_err(|_| PeerError::BadTarget)?;
    let (path, query) = split_query(rest);
    let path = if path.is_empty() { b"/" } else { path };
    Ok(Target {
        form: TargetForm::Absolute,
        path,
        query,
        authority: Some(authority),
    })
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    [b"http://".as_slice(), b"https://"]
        .into_iter()
        .find_map(|scheme| {
            let (start, rest) = target.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        })
}
