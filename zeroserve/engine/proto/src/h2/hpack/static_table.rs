//! The static table (RFC 7541, Appendix A), as lines that need only be copied.

use crate::h2::field_kind::FieldKind;

/// One entry, in the shape that the dynamic table has too.
pub(super) struct StaticLine {
    /// `name: value` and CRLF.
    pub(super) line: &'static [u8],
    pub(super) name_len: usize,
    pub(super) kind: FieldKind,
}

const fn line(line: &'static [u8], name_len: usize, kind: FieldKind) -> StaticLine {
    StaticLine {
        line,
        name_len,
        kind,
    }
}

/// How many entries there are; the dynamic table's indices start above.
pub(super) const ENTRIES: usize = 61;

#[rustfmt::skip]
static LINES: [StaticLine; ENTRIES] = [
    line(b":authority: \r\n", 10, FieldKind::Authority),
    line(b":method: GET\r\n", 7, FieldKind::Method),
    line(b":method: POST\r\n", 7, FieldKind::Method),
    line(b":path: /\r\n", 5, FieldKind::Path),
    line(b":path: /index.html\r\n", 5, FieldKind::Path),
    line(b":scheme: http\r\n", 7, FieldKind::Scheme),
    line(b":scheme: https\r\n", 7, FieldKind::Scheme),
    line(b":status: 200\r\n", 7, FieldKind::Malformed),
    line(b":status: 204\r\n", 7, FieldKind::Malformed),
    line(b":status: 206\r\n", 7, FieldKind::Malformed),
    line(b":status: 304\r\n", 7, FieldKind::Malformed),
    line(b":status: 400\r\n", 7, FieldKind::Malformed),
    line(b":status: 404\r\n", 7, FieldKind::Malformed),
    line(b":status: 500\r\n", 7, FieldKind::Malformed),
    line(b"accept-charset: \r\n", 14, FieldKind::Regular),
    line(b"accept-encoding: gzip, deflate\r\n", 15, FieldKind::Regular),
    line(b"accept-language: \r\n", 15, FieldKind::Regular),
    line(b"accept-ranges: \r\n", 13, FieldKind::Regular),
    line(b"accept: \r\n", 6, FieldKind::Regular),
    line(b"access-control-allow-origin: \r\n", 27, FieldKind::Regular),
    line(b"age: \r\n", 3, FieldKind::Regular),
    line(b"allow: \r\n", 5, FieldKind::Regular),
    line(b"authorization: \r\n", 13, FieldKind::Regular),
    line(b"cache-control: \r\n", 13, FieldKind::Regular),
    line(b"content-disposition: \r\n", 19, FieldKind::Regular),
    line(b"content-encoding: \r\n", 16, FieldKind::Regular),
    line(b"content-language: \r\n", 16, FieldKind::Regular),
    line(b"content-length: \r\n", 14, FieldKind::Regular),
    line(b"content-location: \r\n", 16, FieldKind::Regular),
    line(b"content-range: \r\n", 13, FieldKind::Regular),
    line(b"content-type: \r\n", 12, FieldKind::Regular),
    line(b"cookie: \r\n", 6, FieldKind::Cookie),
    line(b"date: \r\n", 4, FieldKind::Regular),
    line(b"etag: \r\n", 4, FieldKind::Regular),
    line(b"expect: \r\n", 6, FieldKind::Regular),
    line(b"expires: \r\n", 7, FieldKind::Regular),
    line(b"from: \r\n", 4, FieldKind::Regular),
    line(b"host: \r\n", 4, FieldKind::Host),
    line(b"if-match: \r\n", 8, FieldKind::Regular),
    line(b"if-modified-since: \r\n", 17, FieldKind::Regular),
    line(b"if-none-match: \r\n", 13, FieldKind::Regular),
    line(b"if-range: \r\n", 8, FieldKind::Regular),
    line(b"if-unmodified-since: \r\n", 19, FieldKind::Regular),
    line(b"last-modified: \r\n", 13, FieldKind::Regular),
    line(b"link: \r\n", 4, FieldKind::Regular),
    line(b"location: \r\n", 8, FieldKind::Regular),
    line(b"max-forwards: \r\n", 12, FieldKind::Regular),
    line(b"proxy-authenticate: \r\n", 18, FieldKind::Regular),
    line(b"proxy-authorization: \r\n", 19, FieldKind::Regular),
    line(b"range: \r\n", 5, FieldKind::Regular),
    line(b"referer: \r\n", 7, FieldKind::Regular),
    line(b"refresh: \r\n", 7, FieldKind::Regular),
    line(b"retry-after: \r\n", 11, FieldKind::Regular),
    line(b"server: \r\n", 6, FieldKind::Regular),
    line(b"set-cookie: \r\n", 10, FieldKind::Regular),
    line(b"strict-transport-security: \r\n", 25, FieldKind::Regular),
    line(b"transfer-encoding: \r\n", 17, FieldKind::Malformed),
    line(b"user-agent: \r\n", 10, FieldKind::Regular),
    line(b"vary: \r\n", 4, FieldKind::Regular),
    line(b"via: \r\n", 3, FieldKind::Regular),
    line(b"www-authenticate: \r\n", 16, FieldKind::Regular),
];

/// The entry at `index`, counted from one.
#[inline]
pub(super) fn entry(index: usize) -> Option<&'static StaticLine> {
    LINES.get(index.checked_sub(1)?)
}

/// The index of the entry for a status code that has one.
pub(super) const fn status(code: u16) -> Option<usize> {
    match code {
        200 => Some(8),
        204 => Some(9),
        206 => Some(10),
        304 => Some(11),
        400 => Some(12),
        404 => Some(13),
        500 => Some(14),
        _ => None,
    }
}

/// Index of an entry with this status code's name.
pub(super) const STATUS_NAME: usize = 8;

/// The index of an entry for the field `name`, ASCII case ignored; pseudo-headers have none here.
pub(super) fn name(name: &[u8]) -> Option<usize> {
    same_length(name.len())
        .iter()
        .find_map(|(known, index)| name.eq_ignore_ascii_case(known).then_some(*index))
}

#[rustfmt::skip]
fn same_length(length: usize) -> &'static [(&'static [u8], usize)] {
    match length {
        3 => &[(b"age", 21), (b"via", 60)],
        4 => &[(b"date", 33), (b"etag", 34), (b"from", 37), (b"host", 38), (b"link", 45), (b"vary", 59)],
        5 => &[(b"allow", 22), (b"range", 50)],
        6 => &[(b"accept", 19), (b"cookie", 32), (b"expect", 35), (b"server", 54)],
        7 => &[(b"expires", 36), (b"referer", 51), (b"refresh", 52)],
        8 => &[(b"if-match", 39), (b"if-range", 42), (b"location", 46)],
        10 => &[(b"set-cookie", 55), (b"user-agent", 58)],
        11 => &[(b"retry-after", 53)],
        12 => &[(b"content-type", 31), (b"max-forwards", 47)],
        13 => &[(b"accept-ranges", 18), (b"authorization", 23), (b"cache-control", 24), (b"content-range", 30), (b"if-none-match", 41), (b"last-modified", 44)],
        14 => &[(b"accept-charset", 15), (b"content-length", 28)],
        15 => &[(b"accept-encoding", 16), (b"accept-language", 17)],
        16 => &[(b"content-encoding", 26), (b"content-language", 27), (b"content-location", 29), (b"www-authenticate", 61)],
        17 => &[(b"if-modified-since", 40), (b"transfer-encoding", 57)],
        18 => &[(b"proxy-authenticate", 48)],
        19 => &[(b"content-disposition", 25), (b"if-unmodified-since", 43), (b"proxy-authorization", 49)],
        25 => &[(b"strict-transport-security", 56)],
        27 => &[(b"access-control-allow-origin", 20)],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_whole_lines_and_found_by_name() {
        for index in 1..=ENTRIES {
            let entry = entry(index).unwrap();
            let (name_part, value) = entry.line.split_at(entry.name_len);
            assert!(
                value.starts_with(b": ") && value.ends_with(b"\r\n"),
                "{index}"
            );
            if name_part.starts_with(b":") {
                assert_eq!(name(name_part), None);
            } else {
                assert_eq!(name(&name_part.to_ascii_uppercase()), Some(index));
                let value = value
                    .strip_prefix(b": ")
                    .unwrap()
                    .strip_suffix(b"\r\n")
                    .unwrap();
                let kind = FieldKind::of(name_part, value);
                assert_eq!(kind, entry.kind, "{}", name_part.escape_ascii());
            }
        }
        for code in [200, 204, 206, 304, 400, 404, 500] {
            let line = format!(":status: {code}\r\n");
            assert_eq!(entry(status(code).unwrap()).unwrap().line, line.as_bytes());
        }
        assert!(entry(0).is_none() && entry(ENTRIES + 1).is_none());
    }
}
