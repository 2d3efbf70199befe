//! What a field of a request is to this server, decided once when its line is made.

use crate::scan::{field_value_end, is_token};

/// Kept with each line of the HPACK tables, so that a field which comes by index is not checked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// An ordinary field, fit to be handed on.
    Regular,
    /// `:method`.
    Method,
    /// `:scheme`.
    Scheme,
    /// `:authority`.
    Authority,
    /// `:path`.
    Path,
    /// `host`, which must agree with `:authority`.
    Host,
    /// `cookie`: may come as many lines (RFC 9113, section 8.2.3), which do not count as fields.
    Cookie,
    /// `priority` (RFC 9218, section 5).
    Priority,
    /// Makes the request malformed (RFC 9113, sections 8.2 and 8.3).
    Malformed,
}

impl FieldKind {
    /// The kind of a field with this name and value.
    #[inline]
    pub(crate) fn of(name: &[u8], value: &[u8]) -> Self {
        if !is_fit_value(value) {
            return Self::Malformed;
        }
        if name.first() == Some(&b':') {
            return Self::pseudo(name);
        }
        // Upper case is malformed in HTTP/2 (RFC 9113, section 8.2.1).
        let fit = |&byte: &u8| is_token(byte) && !byte.is_ascii_uppercase();
        if name.is_empty() || !name.iter().all(fit) {
            return Self::Malformed;
        }
        match name {
            b"host" => Self::Host,
            b"cookie" => Self::Cookie,
            b"priority" => Self::Priority,
            b"te" if value.eq_ignore_ascii_case(b"trailers") => Self::Regular,
            // RFC 9113, section 8.2.2: what speaks of the connection has no place here.
            b"te" | b"upgrade" | b"connection" | b"keep-alive" | b"proxy-connection"
            | b"transfer-encoding" => Self::Malformed,
            _ => Self::Regular,
        }
    }

    const fn pseudo(name: &[u8]) -> Self {
        match name {
            b":method" => Self::Method,
            b":scheme" => Self::Scheme,
            b":authority" => Self::Authority,
            b":path" => Self::Path,
            _ => Self::Malformed,
        }
    }
}

/// No control bytes but tabs, and no white space at the ends (RFC 9113, section 8.2.1). The section
/// asks for less than the first; HTTP/1 asks for all of it, and a request may be passed on as that.
#[inline]
fn is_fit_value(value: &[u8]) -> bool {
    let space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    !space(value.first()) && !space(value.last()) && field_value_end(value).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_that_http_2_refuses() {
        let malformed = |name: &str, value: &str| {
            FieldKind::of(name.as_bytes(), value.as_bytes()) == FieldKind::Malformed
        };
        for (name, value) in [
            ("", "x"),
            ("Accept", "x"),
            ("a b", "x"),
            ("a:b", "x"),
            ("a\0", "x"),
            ("a\u{e9}", "x"),
            (":status", "200"),
            (":unknown", "x"),
            ("connection", "close"),
            ("keep-alive", "x"),
            ("proxy-connection", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "x"),
            ("te", "gzip"),
            ("te", "trailers, gzip"),
            ("x", " a"),
            ("x", "a\t"),
            ("x", "a\r\nb: c"),
            ("x", "a\nb"),
            ("x", "a\0b"),
            (":path", "/\r\n"),
        ] {
            assert!(malformed(name, value), "{name:?}: {value:?}");
        }
        for (name, value) in [
            ("te", "trailers"),
            ("x", ""),
            ("x", "a \t b"),
            ("x", "\u{e9}"),
        ] {
            assert!(!malformed(name, value), "{name:?}: {value:?}");
        }
    }
}
