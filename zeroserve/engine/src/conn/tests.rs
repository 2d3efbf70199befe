//! Connections against scripted peers: the same bytes, however they are cut, get the same answers.

use crate::sim::answer;

const PAGE: &[u8] = b"<h1>hello</h1>\n";

fn members() -> Vec<(&'static str, &'static [u8])> {
    vec![
        ("index.html", PAGE),
        ("a/index.html", b"folder"),
        ("note.txt", b"a note"),
    ]
}

fn cut_at(bytes: &[u8], at: usize) -> Vec<Vec<u8>> {
    let (head, tail) = bytes.split_at(at);
    [head, tail]
        .iter()
        .filter(|part| !part.is_empty())
        .map(|part| part.to_vec())
        .collect()
}

#[test]
fn a_request_gets_the_same_answer_wherever_it_is_cut() {
    let request = b"GET /note.txt HTTP/1.1\r\nHost: a\r\n\r\nGET /?x HTTP/1.1\r\nHost: a\r\n\r\n";
    let whole = answer(&members(), [request.to_vec()], usize::MAX);
    assert!(whole.contains("a note"));
    assert!(whole.contains("<h1>hello</h1>"));
    for at in 1..request.len() {
        assert_eq!(
            answer(&members(), cut_at(request, at), usize::MAX),
            whole,
            "cut at {at}"
        );
    }
    let bytewise = request.iter().map(|&byte| vec![byte]);
    assert_eq!(answer(&members(), bytewise, usize::MAX), whole);
}

#[test]
fn a_peer_that_takes_a_byte_at_a_time_gets_everything() {
    let request = b"GET /note.txt HTTP/1.1\r\nHost: a\r\n\r\n";
    let whole = answer(&members(), [request.to_vec()], usize::MAX);
    for takes in [1, 2, 7, 100] {
        assert_eq!(answer(&members(), [request.to_vec()], takes), whole);
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let mut requests = Vec::new();
    for number in 0..50 {
        let path = if number % 2 == 0 {
            "/note.txt"
        } else {
            "/missing"
        };
        requests.extend_from_slice(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
    }
    let got = answer(&members(), [requests], usize::MAX);
    let statuses: Vec<_> = got
        .lines()
        .filter_map(|line| line.split("HTTP/1.1 ").nth(1))
        .map(|s| &s[..3])
        .collect();
    let expected: Vec<_> = (0..50)
        .map(|n| if n % 2 == 0 { "200" } else { "404" })
        .collect();
    assert_eq!(statuses, expected);
}

#[test]
fn a_body_nobody_wants_does_not_shift_the_next_request() {
    let mut bytes = b"POST /note.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 33\r\n\r\n".to_vec();
    bytes.extend_from_slice(b"GET /secret HTTP/1.1\r\nHost: x\r\n\r\n\0");
    bytes.truncate(bytes.len() - 1);
    bytes.extend_from_slice(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let whole = answer(&members(), [bytes.clone()], usize::MAX);
    assert_eq!(whole.matches("HTTP/1.1 405").count(), 1);
    assert_eq!(whole.matches("HTTP/1.1 404").count(), 0, "{whole}");
    for at in 1..bytes.len() {
        assert_eq!(
            answer(&members(), cut_at(&bytes, at), usize::MAX),
            whole,
            "cut at {at}"
        );
    }
}

#[test]
fn a_chunked_body_nobody_wants_is_read_away() {
    let bytes = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\nhello\r\n0\r\n\r\nGET /note.txt HTTP/1.1\r\nHost: a\r\n\r\n";
    let got = answer(&members(), [bytes.to_vec()], usize::MAX);
    assert!(
        got.contains("HTTP/1.1 405") && got.contains("a note"),
        "{got}"
    );
}

#[test]
fn what_is_no_request_is_answered_once_and_then_the_connection_ends() {
    let bytes =
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n\
        GET /note.txt HTTP/1.1\r\nHost: a\r\n\r\n";
    let got = answer(&members(), [bytes.to_vec()], usize::MAX);
    assert!(got.starts_with("HTTP/1.1 400"), "{got}");
    assert_eq!(got.matches("HTTP/1.1 ").count(), 1);
    assert!(got.contains("Connection: close"));
}

#[test]
fn heads_are_like_those_of_gets_without_the_body() {
    let got = answer(
        &members(),
        [b"HEAD /note.txt HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()],
        9,
    );
    assert!(
        got.contains("Content-Length: 6") && got.ends_with("\n\n"),
        "{got}"
    );
}

#[test]
fn several_ranges_come_as_parts() {
    let request = b"GET /note.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0,2-3\r\n\r\n";
    let got = answer(&members(), [request.to_vec()], usize::MAX);
    assert!(got.starts_with("HTTP/1.1 206"), "{got}");
    assert!(
        got.contains("Content-Range: bytes 0-0/6") && got.contains("Content-Range: bytes 2-3/6")
    );
    let length: usize = got
        .lines()
        .find_map(|l| l.strip_prefix("Content-Length: "))
        .unwrap()
        .parse()
        .unwrap();
    let request = b"GET /note.txt HTTP/1.0\r\nHost: a\r\nRange: bytes=0-0,2-3\r\n\r\n";
    let raw = answer(&members(), [request.to_vec()], usize::MAX);
    let body = raw.split_once("\n\n").unwrap().1;
    // `answer` writes lines with LF alone: each line of the body had one byte more.
    assert_eq!(body.len() + body.lines().count(), length);
}

#[test]
fn a_large_body_streams_whole() {
    let large: Vec<u8> = (0..400_000_u32).map(|n| b'a' + (n % 23) as u8).collect();
    let files: Vec<(&str, &[u8])> = vec![("large.txt", &large)];
    let request = b"GET /large.txt HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
    let got = answer(&files, [request], 10_000);
    assert_eq!(
        got.split_once("\n\n").unwrap().1.trim_end().as_bytes(),
        &large[..]
    );
}

/// The two programs of the announcement.
fn scripted() -> Vec<(&'static str, &'static [u8])> {
    let mut members = members();
    members.extend([
        (
            ".zeroserve/scripts/10-health.o",
            include_bytes!("../../script/tests/programs/health.o").as_slice(),
        ),
        (
            ".zeroserve/scripts/20-visitor.o",
            include_bytes!("../../script/tests/programs/visitor.o").as_slice(),
        ),
        ("page.html", b"<p>You are <zs-meta>visitor</zs-meta></p>"),
    ]);
    members
}

#[test]
fn a_script_answers_and_the_chain_ends_there() {
    let got = answer(
        &scripted(),
        [b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()],
        usize::MAX,
    );
    assert!(got.ends_with("{\"status\":\"ok\"}\n"), "{got}");
    assert_eq!(got.matches("ontent-").count(), 2, "{got}");
    assert!(
        got.to_ascii_lowercase()
            .contains("content-type: application/json"),
        "{got}"
    );
    assert!(!got.contains("x-served-by"), "a later script ran: {got}");
}

#[test]
fn what_scripts_set_goes_into_pages_and_on_every_answer() {
    let page = b"GET /page.html HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n";
    let got = answer(&scripted(), [page.to_vec()], usize::MAX);
    assert!(got.ends_with("<p>You are 0.0.0.0:0</p>\n"), "{got}");
    assert!(
        got.contains("x-served-by: zeroserve-ebpf") && !got.contains("ETag"),
        "{got}"
    );
    let missing = b"GET /missing HTTP/1.1\r\nHost: a\r\n\r\n";
    let got = answer(&scripted(), [missing.to_vec()], usize::MAX);
    assert!(
        got.contains("404") && got.contains("x-served-by: zeroserve-ebpf"),
        "{got}"
    );
    let note = b"GET /note.txt HTTP/1.1\r\nHost: a\r\n\r\n";
    let got = answer(&scripted(), [note.to_vec()], usize::MAX);
    assert!(
        got.contains("ETag") && got.contains("Accept-Ranges"),
        "{got}"
    );
}

#[test]
fn scripted_requests_get_the_same_answers_wherever_they_are_cut() {
    let requests = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n\
        POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
        GET /page.html HTTP/1.1\r\nHost: a\r\n\r\n";
    let whole = answer(&scripted(), [requests.to_vec()], usize::MAX);
    assert_eq!(whole.matches("\"ok\"").count(), 2, "{whole}");
    for at in 1..requests.len() {
        let got = answer(&scripted(), cut_at(requests, at), usize::MAX);
        assert_eq!(got, whole, "cut at {at}");
    }
}
