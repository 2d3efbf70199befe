//! Answers: heads, windows, turns.

use super::client::{Client, GET, OK, Seen, frame, headers, settings, window_update};
use crate::h2::frame::kind;
use crate::h2::{Settings, StreamId};
use crate::limits::{H2_FRAME_BYTES_MAX, H2_OUTPUT_BYTES_MAX, H2_TINY_DATA_BURST};

fn data_bytes(seen: &[Seen], wanted: u32) -> usize {
    let length = |seen: &Seen| match seen {
        Seen::Data { stream, bytes, .. } if *stream == wanted => bytes.len(),
        _ => 0,
    };
    seen.iter().map(length).sum()
}

#[test]
fn a_head_of_http_1_becomes_headers_and_what_follows_is_left() {
    let mut client = Client::new();
    let stream = client.get(1);
    let answer =
        b"HTTP/1.1 404 Not Found\r\nServer: zs\r\nConnection: close\r\nX-A: b \r\n\r\nbody";
    let length = client.server.send_head(stream, answer, false).unwrap();
    assert_eq!(&answer[length..], b"body");
    assert_eq!(client.server.send_head(stream, answer, false), None, "once");
    assert_eq!(client.server.send_data(stream, b"body", true), Some(4));
    let lines = [":status: 404", "server: zs", "x-a: b"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(
        client.seen(),
        [
            Seen::Head {
                stream: 1,
                lines,
                end: false
            },
            Seen::Data {
                stream: 1,
                bytes: b"body".to_vec(),
                end: true
            }
        ]
    );
    assert_eq!(client.server.open_streams(), 0);
    assert_eq!(client.server.send_data(stream, b"more", true), None);
}

#[test]
fn interim_heads_come_before_the_final_one() {
    let mut client = Client::new();
    let stream = client.post(1);
    client
        .server
        .send_head(stream, b"HTTP/1.1 100 Continue\r\n\r\n", true)
        .unwrap();
    assert_eq!(
        client.server.send_data(stream, b"x", false),
        None,
        "no final head yet"
    );
    client.server.send_head(stream, OK, false).unwrap();
    client.server.send_data(stream, b"x", false).unwrap();
    assert!(client.server.send_trailers(stream, b"X-Sum: 1\r\n\r\n"));
    let head = |line: &str, end| Seen::Head {
        stream: 1,
        lines: vec![line.to_owned()],
        end,
    };
    assert_eq!(
        client.seen(),
        [
            head(":status: 100", false),
            head(":status: 200", false),
            Seen::Data {
                stream: 1,
                bytes: b"x".to_vec(),
                end: false
            },
            head("x-sum: 1", true),
        ]
    );
}

#[test]
fn a_large_head_goes_out_in_pieces() {
    let mut client = Client::new();
    let stream = client.get(1);
    let value = "v".repeat(40_000);
    let head = format!("HTTP/1.1 200 OK\r\nX-Long: {value}\r\n\r\n");
    client
        .server
        .send_head(stream, head.as_bytes(), true)
        .unwrap();
    let lines = vec![":status: 200".to_owned(), format!("x-long: {value}")];
    assert_eq!(
        client.seen(),
        [Seen::Head {
            stream: 1,
            lines,
            end: true
        }]
    );
}

#[test]
fn windows_are_kept_to_and_changed_by_settings() {
    let mut client = Client::with(&Settings::default(), &[(4, 10)]);
    let stream = client.get(1);
    client.server.send_head(stream, OK, false).unwrap();
    assert_eq!(client.server.sendable(stream), 10);
    assert_eq!(
        client.server.send_data(stream, b"0123456789abc", true),
        Some(10)
    );
    assert_eq!(client.server.poll_writable(), None);
    assert!(client.server.is_blocked());
    client.send(&settings(&[(4, 5)]));
    assert_eq!(client.server.sendable(stream), 0, "five below zero");
    client.send(&window_update(1, 7));
    assert_eq!(client.server.poll_writable(), Some((stream, 2)));
    assert_eq!(client.server.send_data(stream, b"abc", true), Some(2));
    client.send(&settings(&[(4, 9)]));
    assert_eq!(client.server.sendable(stream), 4);
    assert_eq!(client.server.send_data(stream, b"c", true), Some(1));
    assert_eq!(data_bytes(&client.seen(), 1), 13);
}

#[test]
fn the_connection_window_bounds_all_streams() {
    let mut client = Client::with(&Settings::default(), &[(4, 1 << 20)]);
    let body = vec![0; 40_000];
    for id in [1, 3] {
        let stream = client.get(id);
        client.server.send_head(stream, OK, false).unwrap();
    }
    assert_eq!(
        client.server.send_data(StreamId(1), &body, true),
        Some(40_000)
    );
    assert_eq!(
        client.server.send_data(StreamId(3), &body, true),
        Some(25_535)
    );
    assert_eq!(client.server.poll_writable(), None);
    client.send(&window_update(0, 100_000));
    assert_eq!(client.server.poll_writable(), Some((StreamId(3), 100_000)));
    let seen = client.seen();
    let largest = |seen: &Seen| match seen {
        Seen::Data { bytes, .. } => bytes.len(),
        _ => 0,
    };
    assert_eq!(seen.iter().map(largest).max(), Some(H2_FRAME_BYTES_MAX));
}

#[test]
fn unsent_output_holds_data_back() {
    let most = (1 << 31) - 1;
    let mut client = Client::with(&Settings::default(), &[(4, most)]);
    client.send(&window_update(0, most - 65_535));
    let stream = client.get(1);
    client.server.send_head(stream, OK, false).unwrap();
    let body = vec![0; 4 * H2_OUTPUT_BYTES_MAX];
    let taken = client.server.send_data(stream, &body, false).unwrap();
    assert!((H2_OUTPUT_BYTES_MAX - 100..=H2_OUTPUT_BYTES_MAX).contains(&taken));
    client.server.send_data(stream, &body, false).unwrap();
    assert!(client.server.output().len() < H2_OUTPUT_BYTES_MAX + 2 * H2_FRAME_BYTES_MAX);
    assert_eq!(
        (
            client.server.sendable(stream),
            client.server.poll_writable()
        ),
        (0, None)
    );
    assert!(
        !client.server.is_blocked(),
        "it is the caller's turn, not the peer's"
    );
    client.seen();
    assert!(client.server.poll_writable().is_some());
}

/// Opens streams with these `priority` values and lets each turn send one byte, `turns` times.
fn order(priorities: &[&str], turns: usize) -> Vec<u32> {
    let mut client = Client::new();
    for (id, priority) in (1..).step_by(2).zip(priorities) {
        let mut fields = GET.to_vec();
        if !priority.is_empty() {
            fields.push(("priority", priority));
        }
        client.send(&headers(id, &fields, true));
        client.server.send_head(StreamId(id), OK, false).unwrap();
        client.server.set_ready(StreamId(id), true);
    }
    let mut turn = || {
        let (stream, _) = client.server.poll_writable()?;
        client.server.send_data(stream, b"x", false)?;
        client.server.set_ready(stream, true);
        Some(stream.number())
    };
    (0..turns).map(|_| turn().unwrap()).collect()
}

#[test]
fn urgent_streams_go_first_and_equal_ones_take_turns() {
    assert_eq!(order(&["", "", ""], 6), [1, 3, 5, 1, 3, 5], "nothing said");
    assert_eq!(order(&["u=5", "u=1", "u=3"], 2), [3, 3]);
    assert_eq!(order(&["u=2", "u=2"], 3), [1, 1, 1], "one after the other");
    assert_eq!(order(&["u=2, i", "u=2, i"], 4), [1, 3, 1, 3]);
    let mixed = order(&["u=2", "u=2", "u=2, i"], 6);
    assert_eq!(
        mixed,
        [1, 5, 1, 5, 1, 5],
        "the first of a queue shares with the others"
    );
}

#[test]
fn priority_update_moves_a_stream() {
    let mut client = Client::new();
    for id in [1, 3] {
        client.get(id);
        client.server.send_head(StreamId(id), OK, false).unwrap();
        client.server.set_ready(StreamId(id), true);
    }
    client.send(&frame(kind::PRIORITY_UPDATE, 0, 0, b"\0\0\0\x03u=0"));
    client.send(&frame(kind::PRIORITY_UPDATE, 0, 0, b"\0\0\0\x09u=0"));
    for _ in 0..3 {
        assert_eq!(
            client.server.poll_writable().map(|turn| turn.0),
            Some(StreamId(3))
        );
    }
}

#[test]
fn an_answer_may_change_its_own_priority() {
    let mut client = Client::new();
    for (stream, said, answered) in [(1, "u=1", "u=6"), (3, "u=2, i", "u=5"), (5, "u=4", "i")] {
        client.send(&headers(
            stream,
            &[GET, &[("priority", said)]].concat(),
            true,
        ));
        let head = format!("HTTP/1.1 200 OK\r\nPriority: {answered}\r\n\r\n");
        client
            .server
            .send_head(StreamId(stream), head.as_bytes(), false);
        client.server.set_ready(StreamId(stream), true);
    }
    let mut turns = Vec::new();
    while let Some((stream, _)) = client.server.poll_writable() {
        turns.push(stream.number());
        client.server.send_data(stream, b"all", true);
    }
    assert_eq!(turns, [5, 3, 1]);
}

#[test]
fn tiny_windows_are_obeyed_and_rationed() {
    let mut client = Client::with(&Settings::default(), &[(4, 0)]);
    let stream = client.get(1);
    client.server.send_head(stream, OK, false).unwrap();
    client.server.set_ready(stream, true);
    let body = vec![0; 10_000];
    let mut sent = 0;
    for _ in 0..2 * H2_TINY_DATA_BURST {
        client.send(&window_update(1, 1));
        if let Some((stream, _)) = client.server.poll_writable() {
            sent += client.server.send_data(stream, &body, true).unwrap();
        }
    }
    assert_eq!(sent, H2_TINY_DATA_BURST as usize);
    client.send(&window_update(1, 1000));
    assert!(
        client.server.poll_writable().is_some(),
        "a window worth the frame"
    );
    assert_eq!(
        client.server.counters().tiny_data,
        u64::from(H2_TINY_DATA_BURST)
    );
}
