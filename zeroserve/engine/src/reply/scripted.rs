//! Answers that scripts make or change: their own, the one for their failure, header fields they set on any.

use std::iter;

use zs_chain::{Context, Response};
use zs_proto::field::{Fields, is_name, is_value, push_line};
use zs_proto::h1::encode::reason_phrase;
use zs_proto::message::Method;

use super::text::{TEXT, inline};
use super::{Opening, Reply};

const JSON: &[u8] = b"application/json";
/// Fields that say where a message ends or what becomes of the connection: not for scripts.
const FRAMING: [&str; 6] = [
    "connection",
    "content-length",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What a script answered.
pub(crate) fn scripted(
    mut out: Vec<u8>,
    opening: Opening,
    method: &[u8],
    response: &Response,
    context: &Context,
) -> Reply {
    let Response { status, body, json } = response;
    // RFC 9110, sections 6.4.1 and 8.6: these have no body, and no length.
    let bodiless = matches!(status, 100..=199 | 204 | 304);
    // What would be replaced at once is not written first.
    let typed = context
        .response_headers()
        .any(|(name, value)| name.eq_ignore_ascii_case("content-type") && may_set(name, value));
    let mut head = opening.head(&mut out, *status);
    if !(bodiless || typed) {
        head = head.header("Content-Type", if *json { JSON } else { TEXT });
    }
    if !bodiless {
        head = head.content_length(body.len() as u64);
    }
    head.finish();
    let body = if bodiless { &[] } else { body.as_slice() };
    inline(out, *status, Method::from_token(method), body)
}

/// A script failed: its own request has nothing, and is told nothing.
pub(crate) fn failed(mut out: Vec<u8>, opening: Opening) -> Reply {
    opening.head(&mut out, 500).content_length(0).finish();
    Reply::bare(500, out)
}

/// A page whose placeholders are filled in: without validators, as it is another for each request.
pub(crate) fn templated(
    mut out: Vec<u8>,
    opening: Opening,
    method: Method<'_>,
    status: u16,
    content_type: &[u8],
    fields: &[u8],
    body: &[u8],
) -> Reply {
    opening
        .head(&mut out, status)
        .header("Content-Type", content_type)
        .content_length(body.len() as u64)
        .block(fields)
        .finish();
    inline(out, status, method, body)
}

/// Puts the fields of the shared map into a finished head, in place of those of the same name, and those that come on top.
pub(crate) fn apply_fields(reply: &mut Reply, context: &Context) {
    let added = context.added_headers();
    if context.has_metadata() || !added.is_empty() {
        let added = added.iter().map(|(name, value)| (&**name, &**value));
        put(reply, &set_fields(context), added);
    }
}

/// The fields that scripts have set and may set.
fn set_fields(context: &Context) -> impl Iterator<Item = (&str, &str)> + Clone {
    context
        .response_headers()
        .filter(|(name, value)| may_set(name, value))
}

/// `set` in place of lines of the same names, an empty value in place of none; `added` on top.
fn put<'t>(
    reply: &mut Reply,
    set: &(impl Iterator<Item = (&'t str, &'t str)> + Clone),
    added: impl Iterator<Item = (&'t str, &'t str)>,
) {
    let (start, end) = bounds(reply);
    let whole = reply.head.len();
    let mut replaces = false;
    for (name, value) in set.clone() {
        replaces |= has_line(&reply.head[start..end], name.as_bytes());
        if !value.is_empty() {
            push_line(&mut reply.head, name.as_bytes(), value.as_bytes());
        }
    }
    for (name, value) in added {
        push_line(&mut reply.head, name.as_bytes(), value.as_bytes());
    }
    if replaces {
        let new = reply.head.split_off(whole);
        let is_set = |name: &[u8]| {
            let mut names = set.clone().map(|(name, _)| name.as_bytes());
            names.any(|other| name.eq_ignore_ascii_case(other))
        };
        rebuild(reply, None, |lines, out| {
            for (name, value) in lines.filter(|(name, _)| !is_set(name)) {
                push_line(out, name, value);
            }
            out.extend_from_slice(&new);
        });
    } else {
        // From the end, behind a body that lies there, to their place.
        let new = reply.head.len() - whole;
        reply.head[end..].rotate_right(new);
    }
}

/// Whether one of these field lines is called `name`.
fn has_line(lines: &[u8], name: &[u8]) -> bool {
    let starts = iter::once(0).chain(memchr::memchr_iter(b'\n', lines).map(|at| at + 1));
    starts.filter_map(|at| lines.get(at..)).any(|line| {
        line.get(name.len()) == Some(&b':') && line[..name.len()].eq_ignore_ascii_case(name)
    })
}

/// The fields that hooks have put into the shared map: those that were not there `before`.
pub(crate) fn apply_new_fields(reply: &mut Reply, context: &Context, before: &[(String, String)]) {
    let known = |name: &str, value: &str| before.iter().any(|(n, v)| n == name && v == value);
    let new = set_fields(context).filter(|(name, value)| !known(name, value));
    if new.clone().next().is_some() {
        put(reply, &new, iter::empty());
    }
}

/// The head as hooks left it. Fields that frame the message stay as they were.
pub(crate) fn apply_head(reply: &mut Reply, status: u16, fields: &Fields<'_>) {
    rebuild(reply, Some(status), |lines, out| {
        for (name, value) in lines.filter(|(name, _)| is_framing(name)) {
            push_line(out, name, value);
        }
        for (name, value) in fields.clone().filter(|(name, _)| !is_framing(name)) {
            push_line(out, name, value);
        }
    });
}

/// The field lines of a reply's head.
pub(crate) fn field_lines(reply: &Reply) -> &[u8] {
    let (start, end) = bounds(reply);
    &reply.head[start..end]
}

fn is_framing(name: &[u8]) -> bool {
    FRAMING
        .iter()
        .any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
}

/// An invalid one is left out, and the answer still goes out.
fn may_set(name: &str, value: &str) -> bool {
    is_name(name.as_bytes()) && is_value(value.as_bytes()) && !is_framing(name.as_bytes())
}

/// Where the field lines begin and end: behind the status line, before the empty one.
fn bounds(reply: &Reply) -> (usize, usize) {
    let end = reply.head_bytes().saturating_sub(b"\r\n".len());
    let status_line = memchr::memchr(b'\n', &reply.head[..end]);
    (status_line.map_or(end, |at| at + 1), end)
}

/// Writes the head anew around what `lines` makes of its fields; an inline body follows as before.
fn rebuild(reply: &mut Reply, status: Option<u16>, lines: impl Fn(Fields<'_>, &mut Vec<u8>)) {
    let (start, end) = bounds(reply);
    let head = std::mem::take(&mut reply.head);
    let mut out = Vec::with_capacity(head.len() + 256);
    match status.filter(|&status| status != reply.status) {
        None => out.extend_from_slice(&head[..start]),
        Some(status) => {
            let line = format!("HTTP/1.1 {status} {}\r\n", reason_phrase(status));
            out.extend_from_slice(line.as_bytes());
            reply.status = status;
        }
    }
    lines(Fields::of_lines(&head[start..end]), &mut out);
    out.extend_from_slice(&head[end..]);
    reply.head = out;
}

#[cfg(test)]
mod tests {
    use super::super::Body;
    use super::*;

    fn reply(head: &[u8]) -> Reply {
        Reply {
            status: 200,
            head: head.to_vec(),
            body: Body::Inline,
            body_bytes: 2,
        }
    }

    type Set = &'static [(&'static str, &'static str)];

    #[test]
    fn set_fields_stand_before_the_body_and_in_place_of_their_like() {
        let head = b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok";
        let cases: [(Set, &[u8]); 3] = [
            (
                &[("X", "1"), ("dat", "2")],
                b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\nX: 1\r\ndat: 2\r\nY: 3\r\n\r\nok",
            ),
            (
                &[("date", "then"), ("X", "1")],
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\ndate: then\r\nX: 1\r\nY: 3\r\n\r\nok",
            ),
            (
                &[("Date", "")],
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nY: 3\r\n\r\nok",
            ),
        ];
        for (set, wanted) in cases {
            let mut reply = reply(head);
            put(&mut reply, &set.iter().copied(), iter::once(("Y", "3")));
            assert_eq!(
                String::from_utf8_lossy(&reply.head),
                String::from_utf8_lossy(wanted)
            );
        }
    }

    #[test]
    fn hooks_change_status_and_fields_but_not_the_framing() {
        let mut reply = reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: 1\r\n\r\nok");
        apply_head(
            &mut reply,
            404,
            &Fields::of_lines(b"Y: 2\r\ncontent-length: 9\r\n"),
        );
        assert_eq!(
            reply.head,
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nY: 2\r\n\r\nok"
        );
        assert_eq!(reply.status, 404);
    }
}
