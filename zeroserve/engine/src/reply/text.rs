//! Small answers that are not files: refusals, redirects, the probe.

use zs_proto::error::PeerError;
use zs_proto::h1::encode::reason_phrase;
use zs_proto::message::Method;

use super::{Body, Opening, Reply};

pub(super) const TEXT: &[u8] = b"text/plain; charset=utf-8";
/// The methods that files answer.
const ALLOWED: &[u8] = b"GET, HEAD";

/// The peer's fault, in its own words.
pub(crate) fn refusal(mut out: Vec<u8>, opening: Opening, error: PeerError) -> Reply {
    let status = error.status();
    let body = format!("{}: {}\n", reason_phrase(status), error.reason());
    opening
        .head(&mut out, status)
        .header("Content-Type", TEXT)
        .content_length(body.len() as u64)
        .finish();
    inline(out, status, Method::Get, body.as_bytes())
}

/// A status and its name, for answers without a page of their own.
pub(super) fn plain(out: Vec<u8>, opening: Opening, method: Method<'_>, status: u16) -> Reply {
    with_field(out, opening, method, status, None)
}

pub(crate) fn method_not_allowed(out: Vec<u8>, opening: Opening, method: Method<'_>) -> Reply {
    with_field(out, opening, method, 405, Some(("Allow", ALLOWED)))
}

pub(crate) fn redirect(
    out: Vec<u8>,
    opening: Opening,
    method: Method<'_>,
    status: u16,
    location: &[u8],
) -> Reply {
    with_field(out, opening, method, status, Some(("Location", location)))
}

/// `OPTIONS *` asks about the server as a whole (RFC 9110 section 9.3.7).
pub(crate) fn options(mut out: Vec<u8>, opening: Opening) -> Reply {
    opening
        .head(&mut out, 204)
        .header("Allow", ALLOWED)
        .finish();
    Reply {
        status: 204,
        head: out,
        body: Body::Inline,
        body_bytes: 0,
    }
}

/// What is being served, for those who know the secret path.
pub(crate) fn probe(mut out: Vec<u8>, opening: Opening, method: Method<'_>, body: &[u8]) -> Reply {
    opening
        .head(&mut out, 200)
        .header("Content-Type", b"application/json")
        .header("Cache-Control", b"no-store")
        .content_length(body.len() as u64)
        .finish();
    inline(out, 200, method, body)
}

fn with_field(
    mut out: Vec<u8>,
    opening: Opening,
    method: Method<'_>,
    status: u16,
    field: Option<(&str, &[u8])>,
) -> Reply {
    let phrase = reason_phrase(status);
    let mut head = opening.head(&mut out, status);
    if let Some((name, value)) = field {
        head = head.header(name, value);
    }
    head.header("Content-Type", TEXT)
        .content_length(phrase.len() as u64 + 1)
        .finish();
    let mut body = phrase.as_bytes().to_vec();
    body.push(b'\n');
    inline(out, status, method, &body)
}

pub(super) fn inline(mut head: Vec<u8>, status: u16, method: Method<'_>, body: &[u8]) -> Reply {
    let mut body_bytes = 0;
    if method != Method::Head {
        head.extend_from_slice(body);
        body_bytes = body.len() as u64;
    }
    Reply {
        status,
        head,
        body: Body::Inline,
        body_bytes,
    }
}
