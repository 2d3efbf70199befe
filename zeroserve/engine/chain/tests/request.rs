//! What scripts read of a request and change in it, by programs that were compiled from C.

mod support;

use zs_chain::{Body, Verdict};

use support::{Ask, client, pool, scripts};

const LINE: &str = "GET /a//b/./%41/../c%20d/?q=1%202&e&q=2 HTTP/1.1";
const FIELDS: &str = "X-Twice: one\r\nx-twice: two\r\nCookie: a=1; b=\"x=y\"\r\ncookie: c=2\r\n";

/// The lines that a case shows.
fn shown(ask: &Ask<'_>, case: &str) -> Vec<String> {
    let told = ask.run(&pool(), &scripts("request"), case);
    assert_eq!(told.verdict, Verdict::Pass, "{case}: {}", told.failure);
    told.lines
}

/// Why a case fails.
fn refused(ask: &Ask<'_>, case: &str) -> String {
    let told = ask.run(&pool(), &scripts("request"), case);
    assert_eq!(told.verdict, Verdict::Failed, "{case}");
    told.failure
}

#[test]
fn a_request_is_read() {
    let ask = Ask {
        line: LINE,
        fields: FIELDS,
        ..Ask::default()
    };
    let wanted = [
        "3 GET",
        "12 /a/b/c%20d/",
        "9 /a/b/c d/",
        "25 /a/b/c%20d/?q=1%202&e&q=2",
        "12 q=1%202&e&q=2",
        "3 1 2",
        "0",
        "3 two",
        "17 a=1; b=\"x=y\"; c=2",
        "3 x=y",
        "0",
        "1",
        "0",
        "1",
        "0",
    ];
    let wanted: Vec<_> = wanted.iter().map(|each| fix_length(each)).collect();
    assert_eq!(shown(&ask, "inspect"), wanted);
}

/// A line whose number is the length of its text.
fn fix_length(line: &str) -> String {
    match line.split_once(' ') {
        Some((_, text)) => format!("{} {text}", text.len()),
        None => line.to_owned(),
    }
}

#[test]
fn a_connection_is_described() {
    for (peer, shown_peer, ip, inside) in [
        ("192.0.2.7:5000", "14 192.0.2.7:5000", "9 192.0.2.7", "1"),
        (
            "[::ffff:192.0.2.7]:5000",
            "23 [::ffff:192.0.2.7]:5000",
            "9 192.0.2.7",
            "1",
        ),
        (
            "[2001:db8::1]:5000",
            "18 [2001:db8::1]:5000",
            "11 2001:db8::1",
            "0",
        ),
    ] {
        let ask = Ask {
            connection: client(peer),
            ..Ask::default()
        };
        let now = (1_700_000_000_000u64 % (1 << 32)).to_string();
        let wanted = [
            "4 http", shown_peer, ip, "5 1.2.3", "1", "1", "0", "0", inside, "0", "0", &now,
        ];
        assert_eq!(shown(&ask, "connection"), wanted, "{peer}");
    }
}

#[test]
fn a_connection_is_an_object() {
    let mut told = Ask::default().run(&pool(), &scripts("request"), "connection_json");
    assert_eq!(told.verdict, Verdict::Respond, "{}", told.failure);
    let response = told.execution.take_response().unwrap();
    let found: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    let wanted = serde_json::json!({
        "tls": false, "tls_handshake_complete": false, "alpn": null, "ech": null,
        "sni": {"inner": null, "outer": null},
        "fingerprint": {"ja4": null, "ja4_inner": null},
        "tls_client": {"certificate": null, "chain_fingerprints_sha256": []},
    });
    assert_eq!(found, wanted);
}

#[test]
fn text_is_cut_to_its_buffer() {
    let ask = Ask {
        line: "GET /long HTTP/1.1",
        ..Ask::default()
    };
    assert_eq!(shown(&ask, "cut"), ["5", "1", "5 /lon"]);
}

#[test]
fn bodies_are_read_once_and_up_to_the_limit() {
    let ask = Ask {
        line: "POST / HTTP/1.1",
        fields: "Content-Length: 5\r\n",
        body: Body::Bytes(b"hello".to_vec()),
        ..Ask::default()
    };
    assert_eq!(shown(&ask, "body"), ["5", "5 hello", "5 hello"]);
    assert_eq!(shown(&ask, "body_limit"), ["0", "1", "0", "-1", "-1"]);
}

#[test]
fn targets_are_replaced() {
    for (uri, shown_uri) in [
        ("/x/../y?z#f", "4 /y?z"),
        ("x?y", "4 /x?y"),
        ("http://evil.example/p", "2 /p"),
        ("//evil.example", "13 /evil.example"),
    ] {
        let fields = format!("Uri: {uri}\r\n");
        let ask = Ask {
            fields: &fields,
            ..Ask::default()
        };
        assert_eq!(
            shown(&ask, "set_uri"),
            ["0", &fix_length(shown_uri)],
            "{uri}"
        );
    }
    for (uri, reason) in [
        ("", "it is empty"),
        ("/a b", "a space"),
        ("#f", "it is empty"),
    ] {
        let fields = format!("Uri: {uri}\r\n");
        let ask = Ask {
            fields: &fields,
            ..Ask::default()
        };
        let refusal = refused(&ask, "set_uri");
        assert!(
            refusal.starts_with("zs_req_set_uri: not a URI") && refusal.contains(reason),
            "{refusal}"
        );
    }
}

#[test]
fn rules_rewrite_the_target() {
    for (case, operation, shown_uri) in [
        (
            "rewrite_uri",
            r#"{"strip_path_prefix": "/a"}"#,
            "0 /b/c%20d/?q=1%202&e&q=2",
        ),
        (
            "rewrite_uri",
            r#"{"path_regexp": [{"find": "^/(a)/", "replace": "/$1$1/"}]}"#,
            "0 /aa/b/c%20d/?q=1%202&e&q=2",
        ),
        (
            "rewrite_query",
            r#"{"delete": ["q"], "set": [{"key": "n", "val": "a b"}]}"#,
            "0 /a/b/c%20d/?e=&n=a+b",
        ),
        (
            "rewrite_query",
            r#"{"delete": ["q", "e"]}"#,
            "0 /a/b/c%20d/",
        ),
        (
            "replace_header",
            r#"{"name": "X-Twice", "search": "two", "replace": "2"}"#,
            "0 2",
        ),
        (
            "replace_header",
            r#"{"name": "X-Twice", "search_regexp": "(?i)T(.)O", "replace": "$1"}"#,
            "0 w",
        ),
    ] {
        let fields = format!("{FIELDS}Operation: {operation}\r\n");
        let ask = Ask {
            line: LINE,
            fields: &fields,
            ..Ask::default()
        };
        assert_eq!(
            shown(&ask, case),
            ["0", &fix_length(shown_uri)],
            "{operation}"
        );
    }
}

#[test]
fn rules_that_are_none_are_refused() {
    for (case, operation, reason) in [
        ("rewrite_uri", "[]", "not such an operation"),
        (
            "rewrite_uri",
            r#"{"other": 1}"#,
            "not such an operation: unknown field `other`",
        ),
        (
            "rewrite_uri",
            r#"{"uri_substring": [{"find": "", "replace": "x"}]}"#,
            "an empty text",
        ),
        (
            "rewrite_uri",
            r#"{"path_regexp": [{"find": "^", "replace": "a b"}]}"#,
            "not a URI",
        ),
        (
            "rewrite_uri",
            r#"{"path_regexp": [{"find": "[", "replace": ""}]}"#,
            "no regular expression",
        ),
        (
            "rewrite_query",
            r#"{"replace": [{"key": "a", "replace": ""}]}"#,
            "one of `search`",
        ),
        (
            "replace_header",
            r#"{"name": "x-twice", "search": "t", "replace": "\n"}"#,
            "not a header value",
        ),
        (
            "replace_header",
            r#"{"name": "x-twice"}"#,
            "missing field `replace`",
        ),
    ] {
        let fields = format!("{FIELDS}Operation: {operation}\r\n");
        let ask = Ask {
            fields: &fields,
            ..Ask::default()
        };
        let refusal = refused(&ask, case);
        assert!(refusal.contains(reason), "{operation}: {refusal}");
    }
}

#[test]
fn fields_are_changed_and_the_head_is_sound() {
    let ask = Ask {
        fields: FIELDS,
        ..Ask::default()
    };
    let told = ask.run(&pool(), &scripts("request"), "headers");
    assert_eq!(told.verdict, Verdict::Pass, "{}", told.failure);
    let wanted = [
        "0",
        "0",
        "0",
        "0",
        "0",
        "0",
        "0",
        "5 three",
        "22 a=1; b=\"x=y\"; c=2; c=3",
        "0",
        "5 PATCH",
    ];
    let wanted: Vec<_> = wanted.iter().map(|each| fix_length(each)).collect();
    assert_eq!(told.lines, wanted);
    let request = told.execution.context().request();
    assert!(request.is_changed());
    let head = String::from_utf8(request.to_head()).unwrap();
    assert_eq!(
        head,
        "PATCH / HTTP/1.1\r\nHost: example.org\r\nCase: headers\r\nCookie: a=1; b=\"x=y\"\r\ncookie: c=2\r\n\
         X-Twice: three\r\ncookie: c=3\r\nx-a-id: \r\n\r\n"
    );
}

#[test]
fn fields_are_removed() {
    let ask = Ask {
        fields: FIELDS,
        ..Ask::default()
    };
    for (case, left) in [("remove_header", 4), ("remove_all", 0)] {
        let told = ask.run(&pool(), &scripts("request"), case);
        assert_eq!(
            (told.verdict, &told.lines[..]),
            (Verdict::Pass, &["0".to_owned()][..])
        );
        assert_eq!(
            told.execution.context().request().fields().fields().count(),
            left
        );
    }
}

#[test]
fn misuse_is_refused_by_name_and_reason() {
    let ask = Ask::default();
    for (case, refusal) in [
        (
            "bad_method",
            "zs_req_set_method: not a method: it is empty, or has a byte that no token has",
        ),
        (
            "no_method",
            "zs_req_set_method: not a method: it is empty, or has a byte that no token has",
        ),
        ("bad_name", "zs_req_set_header: not a header name"),
        ("bad_name_removed", "zs_req_set_header: not a header name"),
        (
            "bad_value",
            "zs_req_append_header: not a header value: it has a line break or a control byte",
        ),
        (
            "bad_addresses",
            "zs_req_remote_ip_matches: `here` is no address and no block",
        ),
        (
            "footprint",
            "zs_meta_set: memory of the request: 60003 bytes on top of 240020, at most 262144",
        ),
    ] {
        assert_eq!(refused(&ask, case), refusal);
    }
    let refusal = refused(&ask, "bad_address_list");
    assert!(
        refusal.starts_with("zs_req_remote_ip_matches: not a JSON array of addresses"),
        "{refusal}"
    );
}
