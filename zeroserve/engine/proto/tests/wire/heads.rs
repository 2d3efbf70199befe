//! HTTP/1 request heads.

use super::feed::{feed, refused};
use proptest::prelude::*;
use zs_proto::error::PeerError;
use zs_proto::h1::parse::{HeadProgress, parse_head};
use zs_proto::limits::{
    HEADER_BLOCK_BYTES_MAX, HEADERS_MAX, LEADING_CRLF_BYTES_MAX, METHOD_BYTES_MAX,
    REQUEST_LINE_BYTES_MAX,
};
use zs_proto::message::{BodyFraming, Method, TargetForm, Version};

/// A GET of `/` on HTTP/1.1 with `Host: a` and these further lines.
fn with_fields(lines: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into_bytes()
}

fn with_line(line: &str) -> Vec<u8> {
    format!("{line}\r\nHost: a\r\n\r\n").into_bytes()
}

#[test]
fn a_browsers_request_is_taken_apart() {
    let bytes = b"GET /docs/a.html?x=1&y HTTP/1.1\r\nHost: example.com:8443\r\n\
        User-Agent: Mozilla/5.0 (X11)\r\nReferer: https://example.com/\r\n\
        accept-encoding: gzip, br\r\nIf-None-Match: \"a\"\r\nRange: bytes=0-9\r\n\
        If-Range: \"a\"\r\nIf-Modified-Since: x\r\nIf-Unmodified-Since: y\r\nIf-Match: *\r\n\
        Cookie: a=b\r\n\r\nNEXT";
    let (head, length) = feed(bytes).unwrap();
    assert_eq!(length, bytes.len() - 4);
    assert_eq!(head.method, Method::Get);
    assert_eq!(head.target, b"/docs/a.html?x=1&y");
    assert_eq!(head.form, TargetForm::Origin);
    assert_eq!(head.path, b"/docs/a.html");
    assert_eq!(head.query, Some(b"x=1&y".as_slice()));
    assert_eq!(head.version, Version::Http11);
    assert_eq!(head.host, Some(b"example.com:8443".as_slice()));
    assert_eq!(head.user_agent, Some(b"Mozilla/5.0 (X11)".as_slice()));
    assert_eq!(head.referer, Some(b"https://example.com/".as_slice()));
    assert_eq!(head.accept_encoding.unwrap().first(), b"gzip, br");
    assert_eq!(head.if_none_match.unwrap().first(), b"\"a\"");
    assert_eq!(head.if_match.unwrap().first(), b"*");
    assert_eq!(head.range, Some(b"bytes=0-9".as_slice()));
    assert_eq!(head.if_range, Some(b"\"a\"".as_slice()));
    assert_eq!(head.if_modified_since, Some(b"x".as_slice()));
    assert_eq!(head.if_unmodified_since, Some(b"y".as_slice()));
    assert_eq!(head.body, BodyFraming::None);
    assert!(head.keep_alive && !head.expect_continue);
    assert_eq!(head.upgrade, None);
    assert_eq!(head.headers().count(), 11);
    assert_eq!(
        head.headers().last(),
        Some((b"Cookie".as_slice(), b"a=b".as_slice()))
    );
}

#[test]
fn pipelined_requests_are_read_one_by_one() {
    let bytes = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n";
    let (first, length) = feed(bytes).unwrap();
    assert_eq!(first.path, b"/a");
    let (second, rest) = feed(&bytes[length..]).unwrap();
    assert_eq!(second.path, b"/b");
    assert_eq!(length + rest, bytes.len());
}

#[test]
fn repeated_list_fields_keep_all_their_lines() {
    let bytes = with_fields(
        "If-None-Match: \"a\"\r\nX: y\r\nif-none-match:\"b\"\r\nAccept-Encoding: br\r\n\
         Accept-Encoding: gzip\r\nIf-Match: \"c\"\r\nIf-Match: \"d\"\r\n",
    );
    let (head, _) = feed(&bytes).unwrap();
    let lines = |field: Option<zs_proto::field::FieldLines<'_>>| {
        let texts = field
            .unwrap()
            .lines()
            .map(|line| String::from_utf8_lossy(line).into_owned());
        texts.collect::<Vec<_>>()
    };
    assert_eq!(lines(head.if_none_match), ["\"a\"", "\"b\""]);
    assert_eq!(lines(head.accept_encoding), ["br", "gzip"]);
    assert_eq!(lines(head.if_match), ["\"c\"", "\"d\""]);
}

#[test]
fn methods_are_told_apart() {
    let known = [
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("PUT", Method::Put),
        ("DELETE", Method::Delete),
        ("OPTIONS", Method::Options),
        ("PATCH", Method::Patch),
        ("TRACE", Method::Trace),
        ("get", Method::Other(b"get")),
        ("M-SEARCH", Method::Other(b"M-SEARCH")),
    ];
    for (name, method) in known {
        let bytes = with_line(&format!("{name} / HTTP/1.1"));
        let (head, _) = feed(&bytes).unwrap();
        assert_eq!(head.method, method);
        assert_eq!(head.method.as_bytes(), name.as_bytes());
    }
}

#[test]
fn target_forms_are_told_apart() {
    type Parts = (TargetForm, &'static str, Option<&'static str>, &'static str);
    let cases: [(&str, Parts); 9] = [
        ("GET /?", (TargetForm::Origin, "/", Some(""), "a")),
        ("GET //b/c", (TargetForm::Origin, "//b/c", None, "a")),
        (
            "GET /\u{e9}|\"",
            (TargetForm::Origin, "/\u{e9}|\"", None, "a"),
        ),
        (
            "GET http://b:1/p?q?r",
            (TargetForm::Absolute, "/p", Some("q?r"), "b:1"),
        ),
        ("GET HTTPS://b", (TargetForm::Absolute, "/", None, "b")),
        (
            "GET http://b?q",
            (TargetForm::Absolute, "/", Some("q"), "b"),
        ),
        (
            "GET http://[::1]:8/",
            (TargetForm::Absolute, "/", None, "[::1]:8"),
        ),
        ("OPTIONS *", (TargetForm::Asterisk, "*", None, "a")),
        ("CONNECT b:443", (TargetForm::Authority, "", None, "b:443")),
    ];
    for (start, (form, path, query, host)) in cases {
        let bytes = with_line(&format!("{start} HTTP/1.1"));
        let (head, _) = feed(&bytes).unwrap();
        assert_eq!(head.form, form, "{start}");
        assert_eq!(head.path, path.as_bytes(), "{start}");
        assert_eq!(head.query, query.map(str::as_bytes), "{start}");
        assert_eq!(head.host, Some(host.as_bytes()), "{start}");
    }
}

#[test]
fn malformed_request_lines_are_refused() {
    let cases = [
        ("GET /", PeerError::BadRequestLine),
        ("GET", PeerError::BadRequestLine),
        ("GET  / HTTP/1.1", PeerError::BadRequestLine),
        ("GET /  HTTP/1.1", PeerError::BadRequestLine),
        ("GET / HTTP/1.1 ", PeerError::BadRequestLine),
        ("GET /a b HTTP/1.1", PeerError::BadRequestLine),
        ("GET / HTTP/11", PeerError::BadRequestLine),
        ("GET / http/1.1", PeerError::BadRequestLine),
        ("GET / HTTP/1.", PeerError::BadRequestLine),
        ("GET / HTTP/1.1x", PeerError::BadRequestLine),
        (" GET / HTTP/1.1", PeerError::BadMethod),
        ("G(T / HTTP/1.1", PeerError::BadMethod),
        ("GET\t/ HTTP/1.1", PeerError::BadMethod),
        ("\0 / HTTP/1.1", PeerError::BadMethod),
        ("GET /\t HTTP/1.1", PeerError::BadTarget),
        ("GET /\0 HTTP/1.1", PeerError::BadTarget),
        ("GET /\x7f HTTP/1.1", PeerError::BadTarget),
        ("GET /a#b HTTP/1.1", PeerError::BadTarget),
        ("GET a HTTP/1.1", PeerError::BadTarget),
        ("GET ?a HTTP/1.1", PeerError::BadTarget),
        ("GET * HTTP/1.1", PeerError::BadTarget),
        ("OPTIONS ** HTTP/1.1", PeerError::BadTarget),
        ("GET ftp://a/ HTTP/1.1", PeerError::BadTarget),
        ("GET http:///a HTTP/1.1", PeerError::BadTarget),
        ("GET http://u@a/ HTTP/1.1", PeerError::BadTarget),
        ("GET http://a:b/ HTTP/1.1", PeerError::BadTarget),
        ("CONNECT / HTTP/1.1", PeerError::BadTarget),
        ("GET / HTTP/2.0", PeerError::UnknownVersion),
        ("GET / HTTP/1.2", PeerError::UnknownVersion),
        ("GET / HTTP/0.9", PeerError::UnknownVersion),
        ("PRI * HTTP/2.0", PeerError::UnknownVersion),
    ];
    for (line, error) in cases {
        assert_eq!(refused(&with_line(line)), error, "{line:?}");
    }
}

#[test]
fn line_ends_are_crlf_only() {
    let cases: [&[u8]; 6] = [
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        b"GET / HTTP/1.1\rHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
    ];
    for bytes in cases {
        let error = refused(bytes);
        let line_end = [PeerError::BadLineEnd, PeerError::BadRequestLine];
        assert!(
            line_end.contains(&error),
            "{error:?}: {}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn malformed_fields_are_refused() {
    let cases = [
        ("X : b\r\n", PeerError::SpaceBeforeColon),
        ("X\t: b\r\n", PeerError::SpaceBeforeColon),
        ("X: a\r\n b\r\n", PeerError::FoldedField),
        ("X: a\r\n\tb\r\n", PeerError::FoldedField),
        (": b\r\n", PeerError::BadFieldName),
        ("X\r\n", PeerError::BadFieldName),
        ("X(Y: b\r\n", PeerError::BadFieldName),
        ("X\0: b\r\n", PeerError::BadFieldName),
        ("\u{e9}: b\r\n", PeerError::BadFieldName),
        ("X: a\0b\r\n", PeerError::BadFieldValue),
        ("X: a\x0bb\r\n", PeerError::BadFieldValue),
        ("X: a\x7fb\r\n", PeerError::BadFieldValue),
        (
            "Range: bytes=0-1\r\nRange: bytes=2-3\r\n",
            PeerError::RepeatedField,
        ),
        ("If-Range: a\r\nIf-Range: a\r\n", PeerError::RepeatedField),
        (
            "If-Modified-Since: a\r\nIf-Modified-Since: a\r\n",
            PeerError::RepeatedField,
        ),
        (
            "If-Unmodified-Since: a\r\nIf-Unmodified-Since: a\r\n",
            PeerError::RepeatedField,
        ),
        ("Host: a\r\n", PeerError::RepeatedField),
        ("Host: b\r\n", PeerError::RepeatedField),
        ("Expect: 200-ok\r\n", PeerError::UnknownExpectation),
    ];
    for (lines, error) in cases {
        assert_eq!(refused(&with_fields(lines)), error, "{lines:?}");
    }
    let first_folded = b"GET / HTTP/1.1\r\n Host: a\r\n\r\n";
    assert_eq!(refused(first_folded), PeerError::FoldedField);
}

#[test]
fn host_is_wanted_once_on_http11() {
    let host = |lines: &str, version: &str| format!("GET / HTTP/{version}\r\n{lines}\r\n");
    assert_eq!(refused(host("", "1.1").as_bytes()), PeerError::MissingHost);
    assert_eq!(
        refused(host("Host:\r\n", "1.1").as_bytes()),
        PeerError::BadHost
    );
    assert_eq!(
        refused(host("Host: a b\r\n", "1.1").as_bytes()),
        PeerError::BadHost
    );
    assert_eq!(
        refused(host("Host: u@a\r\n", "1.0").as_bytes()),
        PeerError::BadHost
    );
    let old = host("", "1.0").into_bytes();
    assert_eq!(feed(&old).unwrap().0.host, None);
    // The authority of the target wins, and still a Host is wanted (RFC 9112, 3.2.2).
    assert_eq!(
        refused(b"GET http://a/ HTTP/1.1\r\n\r\n"),
        PeerError::MissingHost
    );
}

/// Field lines, and the framing they announce.
const BODIES: &[(&str, Result<BodyFraming, PeerError>)] = &[
    ("", Ok(BodyFraming::None)),
    ("Content-Length: 0\r\n", Ok(BodyFraming::Length(0))),
    ("Content-Length:  007 \r\n", Ok(BodyFraming::Length(7))),
    (
        "Content-Length: 7\r\nContent-Length: 7\r\n",
        Ok(BodyFraming::Length(7)),
    ),
    (
        "Content-Length: 18446744073709551615\r\n",
        Ok(BodyFraming::Length(u64::MAX)),
    ),
    (
        "Content-Length: 18446744073709551616\r\n",
        Err(PeerError::BodyTooLarge),
    ),
    (
        "Content-Length: 7\r\nContent-Length: 8\r\n",
        Err(PeerError::BadContentLength),
    ),
    ("Content-Length: 7, 7\r\n", Err(PeerError::BadContentLength)),
    ("Content-Length: +7\r\n", Err(PeerError::BadContentLength)),
    ("Content-Length: -7\r\n", Err(PeerError::BadContentLength)),
    ("Content-Length: 7 7\r\n", Err(PeerError::BadContentLength)),
    ("Content-Length: 0x7\r\n", Err(PeerError::BadContentLength)),
    ("Content-Length:\r\n", Err(PeerError::BadContentLength)),
    ("Transfer-Encoding: chunked\r\n", Ok(BodyFraming::Chunked)),
    ("transfer-encoding: CHUNKED\r\n", Ok(BodyFraming::Chunked)),
    (
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        Err(PeerError::ConflictingLengths),
    ),
    (
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        Err(PeerError::ConflictingLengths),
    ),
    (
        "Transfer-Encoding: chunked, chunked\r\n",
        Err(PeerError::BadTransferEncoding),
    ),
    (
        "Transfer-Encoding: chunked, gzip\r\n",
        Err(PeerError::BadTransferEncoding),
    ),
    (
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        Err(PeerError::BadTransferEncoding),
    ),
    (
        "Transfer-Encoding:\r\n",
        Err(PeerError::BadTransferEncoding),
    ),
    (
        "Transfer-Encoding: ,chunked\r\n",
        Err(PeerError::BadTransferEncoding),
    ),
    (
        "Transfer-Encoding: gzip\r\n",
        Err(PeerError::UnknownTransferCoding),
    ),
    (
        "Transfer-Encoding: gzip, chunked\r\n",
        Err(PeerError::UnknownTransferCoding),
    ),
    (
        "Transfer-Encoding: identity\r\n",
        Err(PeerError::UnknownTransferCoding),
    ),
    (
        "Transfer-Encoding: xchunked\r\n",
        Err(PeerError::UnknownTransferCoding),
    ),
    (
        "Transfer-Encoding: chunked;a=b\r\n",
        Err(PeerError::UnknownTransferCoding),
    ),
    (
        "Transfer-Encoding: \"chunked\"\r\n",
        Err(PeerError::UnknownTransferCoding),
    ),
];

#[test]
fn bodies_are_framed_or_refused() {
    for &(lines, framing) in BODIES {
        let bytes = with_fields(lines);
        assert_eq!(
            feed(&bytes).map(|(head, _)| head.body),
            framing,
            "{lines:?}"
        );
    }
    let old = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(refused(old), PeerError::BadTransferEncoding);
}

#[test]
fn keep_alive_follows_version_and_connection() {
    let cases = [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: x, CLOSE\r\n", false),
        ("1.1", "Connection: x\r\nConnection: close\r\n", false),
        ("1.1", "Connection: keep-alive, close\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ];
    for (version, lines, keep_alive) in cases {
        let bytes = format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n").into_bytes();
        assert_eq!(
            feed(&bytes).unwrap().0.keep_alive,
            keep_alive,
            "{version} {lines:?}"
        );
    }
}

#[test]
fn upgrade_counts_only_when_connection_names_it() {
    let upgrade = |bytes: &[u8]| feed(bytes).unwrap().0.upgrade.map(<[u8]>::to_vec);
    let named = with_fields("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n");
    assert_eq!(upgrade(&named), Some(b"websocket".to_vec()));
    assert_eq!(upgrade(&with_fields("Upgrade: websocket\r\n")), None);
    let old = b"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(upgrade(old), None);
}

#[test]
fn expect_counts_only_with_a_body_on_http11() {
    let expects = |bytes: &[u8]| feed(bytes).unwrap().0.expect_continue;
    assert!(expects(&with_fields(
        "Expect: 100-Continue\r\nContent-Length: 1\r\n"
    )));
    assert!(expects(&with_fields(
        "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n"
    )));
    assert!(!expects(&with_fields("Expect: 100-continue\r\n")));
    assert!(!expects(&with_fields(
        "Expect: 100-continue\r\nContent-Length: 0\r\n"
    )));
    assert!(!expects(
        b"PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    ));
}

#[test]
fn empty_lines_before_a_request_are_ignored_within_reason() {
    let mut bytes = b"\r\n".repeat(LEADING_CRLF_BYTES_MAX / 2);
    bytes.extend_from_slice(&with_fields(""));
    assert_eq!(feed(&bytes).unwrap().1, bytes.len());
    let too_many = b"\r\n".repeat(LEADING_CRLF_BYTES_MAX / 2 + 1);
    assert_eq!(refused(&too_many), PeerError::BadRequestLine);
    assert_eq!(
        refused(b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        PeerError::BadLineEnd
    );
    assert_eq!(
        refused(b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        PeerError::BadLineEnd
    );
}

#[test]
fn caps_are_exact() {
    // Request line: the last size that is taken, and the first that is not.
    let line = |bytes: usize| {
        let path = "a".repeat(bytes - "GET / HTTP/1.1\r\n".len());
        format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
    };
    assert!(matches!(
        parse_head(&line(REQUEST_LINE_BYTES_MAX)),
        Ok(Some(_))
    ));
    assert_eq!(
        parse_head(&line(REQUEST_LINE_BYTES_MAX + 1)),
        Err(PeerError::TargetTooLong)
    );
    let unfinished = b"GET /"
        .iter()
        .chain(&[b'a'; REQUEST_LINE_BYTES_MAX])
        .copied();
    let unfinished: Vec<u8> = unfinished.collect();
    assert_eq!(parse_head(&unfinished), Err(PeerError::TargetTooLong));
    assert_eq!(
        parse_head(&unfinished[..REQUEST_LINE_BYTES_MAX - 1]),
        Ok(None)
    );

    let block = |bytes: usize| {
        let value = "a".repeat(bytes - "Host: a\r\nX:\r\n\r\n".len());
        format!("GET / HTTP/1.1\r\nHost: a\r\nX:{value}\r\n\r\n").into_bytes()
    };
    assert!(matches!(
        parse_head(&block(HEADER_BLOCK_BYTES_MAX)),
        Ok(Some(_))
    ));
    assert_eq!(
        parse_head(&block(HEADER_BLOCK_BYTES_MAX + 1)),
        Err(PeerError::FieldsTooLarge)
    );

    let fields = |count: usize| with_fields(&"X: y\r\n".repeat(count - 1));
    assert_eq!(
        feed(&fields(HEADERS_MAX)).unwrap().0.headers().count(),
        HEADERS_MAX
    );
    assert_eq!(refused(&fields(HEADERS_MAX + 1)), PeerError::FieldsTooLarge);

    let method = |bytes: usize| with_line(&format!("{} / HTTP/1.1", "M".repeat(bytes)));
    assert!(feed(&method(METHOD_BYTES_MAX)).is_ok());
    assert_eq!(refused(&method(METHOD_BYTES_MAX + 1)), PeerError::BadMethod);
}

#[test]
fn every_fault_has_a_status_and_a_reason() {
    let cases = [
        (PeerError::BadRequestLine, 400),
        (PeerError::HeadTimeout, 408),
        (PeerError::LengthRequired, 411),
        (PeerError::BodyTooLarge, 413),
        (PeerError::TargetTooLong, 414),
        (PeerError::UnknownExpectation, 417),
        (PeerError::Misdirected, 421),
        (PeerError::FieldsTooLarge, 431),
        (PeerError::UnknownTransferCoding, 501),
        (PeerError::UnknownVersion, 505),
    ];
    for (error, status) in cases {
        assert_eq!(error.status(), status);
        assert!(!error.to_string().is_empty());
        assert!(!zs_proto::h1::encode::reason_phrase(status).is_empty());
    }
}

#[test]
fn a_slow_head_is_parsed_a_few_times_only() {
    let bytes = with_fields(&format!("X: {}\r\n", "a".repeat(40_000)));
    let mut progress = HeadProgress::new();
    let looks = (1..bytes.len())
        .filter(|&end| progress.handle_bytes(&bytes[..end]))
        .count();
    assert!(looks <= bytes.len() / 1024 + 1, "{looks}");
    assert!(progress.handle_bytes(&bytes));
}

proptest! {
    /// What a client that keeps to the grammar wrote comes back as it was.
    #[test]
    fn fields_survive_a_round_trip(
        method in "[A-Z]{1,12}",
        path in "/[a-z0-9%._~/-]{0,30}",
        query in proptest::option::of("[a-z0-9=&?/]{0,20}"),
        fields in proptest::collection::vec(("[XYZ][!#$%&'*+.^_`|~0-9a-z-]{0,12}", "[!-~]{0,8}([ \t][!-~\u{e9}]{1,8}){0,2}"), 0..8),
        tail in proptest::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut bytes = format!("{method} {path}").into_bytes();
        if let Some(query) = &query {
            bytes.extend_from_slice(format!("?{query}").as_bytes());
        }
        bytes.extend_from_slice(b" HTTP/1.1\r\nhost: example.com\r\n");
        for (name, value) in &fields {
            bytes.extend_from_slice(format!("{name}: \t{value} \r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        let length = bytes.len();
        bytes.extend_from_slice(&tail);
        // CONNECT wants an authority for its target; the table above has it.
        prop_assume!(method != "CONNECT");
        let (head, consumed) = parse_head(&bytes).unwrap().unwrap();
        prop_assert_eq!(consumed, length);
        prop_assert_eq!(head.method.as_bytes(), method.as_bytes());
        prop_assert_eq!(head.path, path.as_bytes());
        prop_assert_eq!(head.query, query.as_deref().map(str::as_bytes));
        let read: Vec<_> = head.headers().skip(1).collect();
        let wanted: Vec<_> =
            fields.iter().map(|(name, value)| (name.as_bytes(), value.trim_matches([' ', '\t']).as_bytes())).collect();
        prop_assert_eq!(read, wanted);
    }
}
