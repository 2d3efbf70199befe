//! Answers that scripts make or change: their own, the one for their failure, header fields they set on any.

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
) -> Reply {
    let Response { status, body, json } = response;
    // RFC 9110, sections 6.4.1 and 8.6: these have no body, and no length.
    let bodiless = matches!(status, 100..=199 | 204 | 304);
    let mut head = opening.head(&mut out, *status);
    if !bodiless {
        head = head
            .header("Content-Type", if *json { JSON } else { TEXT })
            .content_length(body.len() as u64);
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
    let set: Vec<_> = context
        .response_headers()
        .filter(|(name, value)| may_set(name, value))
        .collect();
    let added = context.added_headers();
    if !(set.is_empty() && added.is_empty()) {
        set_fields(reply, &set, added);
    }
}

/// `set` in place of lines of the same names, an empty value in place of none; `added` on top.
fn set_fields(reply: &mut Reply, set: &[(&str, &str)], added: &[(String, String)]) {
    let replaced = |name: &[u8]| {
        set.iter()
            .any(|(other, _)| name.eq_ignore_ascii_case(other.as_bytes()))
    };
    let further = set
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .copied()
        .chain(added.iter().map(|(name, value)| (&**name, &**value)));
    rebuild(reply, None, |lines, out| {
        for (name, value) in lines {
            if !replaced(name) {
                push_line(out, name, value);
            }
        }
        for (name, value) in further.clone() {
            push_line(out, name.as_bytes(), value.as_bytes());
        }
    });
}

/// The fields that hooks have put into the shared map: those that were not there `before`.
pub(crate) fn apply_new_fields(reply: &mut Reply, context: &Context, before: &[(String, String)]) {
    let known = |name: &str, value: &str| before.iter().any(|(n, v)| n == name && v == value);
    let new: Vec<_> = context
        .response_headers()
        .filter(|(name, value)| !known(name, value) && may_set(name, value))
        .collect();
    if !new.is_empty() {
        set_fields(reply, &new, &[]);
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
    let (start, end) = bounds(&reply.head);
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
fn bounds(head: &[u8]) -> (usize, usize) {
    let start = memchr::memchr(b'\n', head).map_or(head.len(), |at| at + 1);
    let end = memchr::memmem::find(head, b"\r\n\r\n").map_or(head.len(), |at| at + 2);
    (start.min(end), end)
}

/// Writes the head anew around what `lines` makes of its fields; an inline body follows as before.
fn rebuild(reply: &mut Reply, status: Option<u16>, lines: impl Fn(Fields<'_>, &mut Vec<u8>)) {
    let head = std::mem::take(&mut reply.head);
    let (start, end) = bounds(&head);
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
