//! What makes a request, and what it looks like to the server.

use super::client::{Client, GET, POST, Told, data, headers};
use crate::h2::{Event, Fault};
use crate::limits::HEADERS_MAX;
use crate::message::{BodyFraming, Method, TargetForm};

fn told(fields: &[(&str, &str)]) -> Told {
    let mut told = Client::new().send(&headers(1, fields, true));
    assert_eq!(told.len(), 1);
    told.remove(0)
}

fn with<'f>(more: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    [GET, more].concat()
}

fn without(name: &str) -> Vec<(&'static str, &'static str)> {
    GET.iter()
        .filter(|field| field.0 != name)
        .copied()
        .collect()
}

#[test]
fn malformed_requests_are_reset() {
    let mut late_pseudo = without(":path");
    late_pseudo.extend([("x", "y"), (":path", "/")]);
    let twice = |field| with(&[field]);
    let replaced = |name: &str, field: (&'static str, &'static str)| {
        let mut fields = without(name);
        fields.push(field);
        fields
    };
    for fields in [
        with(&[("Accept", "x")]),
        with(&[("connection", "close")]),
        with(&[("transfer-encoding", "chunked")]),
        with(&[("te", "gzip")]),
        with(&[("x", "a\r\nb: c")]),
        with(&[("x", " a")]),
        with(&[("x y", "a")]),
        with(&[("", "a")]),
        with(&[(":status", "200")]),
        with(&[(":protocol", "websocket")]),
        twice((":method", "GET")),
        twice((":path", "/")),
        twice((":scheme", "https")),
        twice((":authority", "a.test")),
        without(":method"),
        without(":scheme"),
        without(":path"),
        replaced(":path", (":path", "")),
        replaced(":path", (":path", "*")), // with OPTIONS only: see below
        replaced(":path", (":path", "index.html")),
        replaced(":path", (":path", "http://a.test/")),
        replaced(":method", (":method", "G ET")),
        replaced(":method", (":method", "")),
        replaced(":scheme", (":scheme", "")),
        late_pseudo,
        vec![
            (":method", "CONNECT"),
            (":authority", "a.test:1"),
            (":path", "/"),
        ],
        vec![
            (":method", "CONNECT"),
            (":authority", "a.test:1"),
            (":scheme", "https"),
        ],
        vec![(":method", "CONNECT")],
    ] {
        let told = told(&fields);
        let asterisk = fields.contains(&(":path", "*"));
        if asterisk {
            assert_eq!(
                told,
                Told::Refused {
                    stream: 1,
                    status: 400
                }
            );
            continue;
        }
        let malformed = Told::Faulted {
            stream: 1,
            fault: Fault::MalformedRequest,
        };
        assert_eq!(told, malformed, "{fields:?}");
    }
}

#[test]
fn what_is_understood_and_not_wanted_gets_a_status() {
    let long_path = format!("/{}", "a".repeat(9000));
    let long_value = "v".repeat(66_000);
    let mut path = without(":path");
    path.push((":path", &long_path));
    let mut odd_path = without(":path");
    odd_path.push((":path", "/a b"));
    let mut bad_host = without(":authority");
    bad_host.push((":authority", "u@a.test"));
    let many: Vec<(String, String)> = (0..=HEADERS_MAX)
        .map(|n| (format!("x-{n}"), String::new()))
        .collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    for (what, fields, status) in [
        ("no host", without(":authority"), 400),
        ("two hosts", with(&[("host", "b.test")]), 400),
        ("a bad host", bad_host, 400),
        ("a bad path", odd_path, 400),
        ("a long path", path, 414),
        ("many fields", with(&many), 431),
        ("an unknown expectation", with(&[("expect", "magic")]), 417),
        ("range twice", with(&[("range", "a"), ("range", "b")]), 400),
    ] {
        assert_eq!(told(&fields), Told::Refused { stream: 1, status }, "{what}");
    }
    // Above the frame size: in pieces.
    let mut client = Client::new();
    let block = super::client::block(&with(&[
        ("x", &long_value[..65_000]),
        ("y", &long_value[..400]),
    ]));
    let told = super::floods::in_pieces(&mut client, 1, &block, 16_384);
    assert_eq!(
        told,
        [Told::Refused {
            stream: 1,
            status: 431
        }]
    );
    assert_eq!(client.server.counters().oversized_heads, 1);
    client.get(3);
}

#[test]
fn a_request_looks_like_one_of_http_1() {
    let request = told(&[
        (":method", "GET"),
        (":path", "/a?b"),
        (":authority", "a.test:8443"),
        (":scheme", "https"),
        ("user-agent", "x"),
        ("te", "trailers"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ]);
    let Told::Request { line, fields, .. } = request else {
        panic!("{request:?}")
    };
    assert_eq!(line, "GET /a?b a.test:8443");
    let wanted = [
        "user-agent: x",
        "te: trailers",
        "cookie: a=1",
        "cookie: b=2",
        "host: a.test:8443",
    ];
    assert_eq!(fields, wanted);
    let request = told(&[without(":authority"), vec![("host", "b.test")]].concat());
    let Told::Request { line, fields, .. } = request else {
        panic!("{request:?}")
    };
    assert_eq!(
        (line.as_str(), fields),
        ("GET / b.test", vec!["host: b.test".to_owned()])
    );
    let request = told(&with(&[("host", "A.test")]));
    let Told::Request { fields, .. } = request else {
        panic!("{request:?}")
    };
    assert_eq!(fields, ["host: A.test"], "once");
}

#[test]
fn slots_forms_and_framing_are_filled() {
    let mut client = Client::new();
    let fields = with(&[
        ("accept-encoding", "br"),
        ("accept-encoding", "gzip"),
        ("if-none-match", "\"x\""),
        ("range", "bytes=0-1"),
        ("referer", "r"),
    ]);
    let bytes = headers(1, &fields, true);
    let step = client.server.handle_bytes(0, &bytes);
    let Some(Event::Request { head, .. }) = step.event else {
        panic!()
    };
    assert_eq!(head.range, Some(b"bytes=0-1".as_slice()));
    assert_eq!(head.referer, Some(b"r".as_slice()));
    assert_eq!(head.accept_encoding.unwrap().lines().count(), 2);
    assert_eq!(head.if_none_match.unwrap().first(), b"\"x\"");
    assert_eq!(
        (head.body, head.keep_alive, head.upgrade),
        (BodyFraming::None, true, None)
    );
    for (fields, end, form, body) in [
        (
            POST.to_vec(),
            false,
            TargetForm::Origin,
            BodyFraming::Chunked,
        ),
        (
            [POST, &[("content-length", "7")]].concat(),
            false,
            TargetForm::Origin,
            BodyFraming::Length(7),
        ),
        (
            vec![
                (":method", "OPTIONS"),
                (":scheme", "https"),
                (":path", "*"),
                (":authority", "a"),
            ],
            true,
            TargetForm::Asterisk,
            BodyFraming::None,
        ),
        (
            vec![(":method", "CONNECT"), (":authority", "a:1")],
            false,
            TargetForm::Authority,
            BodyFraming::Chunked,
        ),
    ] {
        let mut client = Client::new();
        let bytes = headers(1, &fields, end);
        let step = client.server.handle_bytes(0, &bytes);
        let Some(Event::Request { head, .. }) = step.event else {
            panic!("{fields:?}")
        };
        assert_eq!((head.form, head.body), (form, body), "{fields:?}");
    }
    let bytes = headers(3, &[&[(":method", "PURGE")], &GET[1..]].concat(), true);
    let step = client.server.handle_bytes(0, &bytes);
    let Some(Event::Request { head, .. }) = step.event else {
        panic!()
    };
    assert_eq!(head.method, Method::Other(b"PURGE"));
}

#[test]
fn trailers_end_a_body() {
    let mut client = Client::new();
    client.post(1);
    client.send(&data(1, b"abc", false));
    let told = client.send(&headers(1, &[("x-sum", "7")], true));
    assert_eq!(
        told,
        [Told::Trailers {
            stream: 1,
            fields: vec!["x-sum: 7".into()]
        }]
    );
    for (what, trailers) in [
        ("no end", headers(1, &[("x", "7")], false)),
        ("a pseudo-header", headers(1, &[(":path", "/")], true)),
        ("an upper case name", headers(1, &[("X", "7")], true)),
    ] {
        let mut client = Client::new();
        client.post(1);
        let fault = Fault::MalformedTrailers;
        assert_eq!(
            client.send(&trailers),
            [Told::Faulted { stream: 1, fault }],
            "{what}"
        );
    }
}

#[test]
fn many_cookie_lines_are_no_many_fields() {
    let cookies = vec![("cookie", "name=value"); HEADERS_MAX * 2];
    assert!(matches!(told(&with(&cookies)), Told::Request { .. }));
}
