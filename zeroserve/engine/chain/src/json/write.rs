//! Nodes to JSON text: no spaces, keys sorted, everything but quotes, backslashes and control characters as UTF-8.

use zs_script::Refusal;

use super::document::{Document, Id, Kind};

/// Writes a value. Recursion: no deeper than documents are.
///
/// # Errors
/// The text is longer than `limit` bytes. Some more are written then.
pub(super) fn write(
    document: &Document,
    id: Id,
    out: &mut Vec<u8>,
    limit: usize,
) -> Result<(), Refusal> {
    match document.kind(id) {
        Kind::Vacant(_) | Kind::Null => out.extend_from_slice(b"null"),
        Kind::Bool(true) => out.extend_from_slice(b"true"),
        Kind::Bool(false) => out.extend_from_slice(b"false"),
        Kind::Integer(value) => {
            out.extend_from_slice(itoa::Buffer::new().format(*value).as_bytes());
        }
        Kind::Number(span) => out.extend_from_slice(document.text(*span).as_bytes()),
        Kind::String(span) => write_string(document.text(*span), out),
        Kind::Array(elements) => {
            out.push(b'[');
            for (index, &each) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(document, each, out, limit)?;
            }
            out.push(b']');
        }
        Kind::Object(members) => {
            out.push(b'{');
            for (index, each) in members.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(document.text(each.key), out);
                out.push(b':');
                write(document, each.value, out, limit)?;
            }
            out.push(b'}');
        }
    }
    if out.len() > limit {
        return Err(
            format!("memory of the request: a JSON text of more than {limit} bytes").into(),
        );
    }
    Ok(())
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[start..index]);
        start = index + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            _ => {
                let digit = b"0123456789abcdef"[usize::from(byte & 15)];
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), digit]);
            }
        }
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
}
