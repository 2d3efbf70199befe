//! What RFC 9113 calls an error, and which.

use super::client::{
    Client, GET, POST, Seen, Told, block, data, frame, headers, settings, window_update,
};
use crate::h2::fault::ErrorCode;
use crate::h2::frame::{PREFACE, flag, kind};
use crate::h2::{Fault, Settings};

/// Sends bytes after the handshake, and after `GET` on stream 1 (ended) and `POST` on 3 (open).
fn after_requests(bytes: &[u8]) -> (Vec<Told>, Vec<Seen>) {
    let mut client = Client::new();
    client.get(1);
    client.post(3);
    client.seen();
    let told = client.send(bytes);
    let seen = client.seen();
    (told, seen)
}

#[track_caller]
fn ends_the_connection(what: &str, bytes: &[u8], fault: Fault) {
    let (told, seen) = after_requests(bytes);
    assert_eq!(told, [Told::Failed(fault)], "{what}");
    assert_eq!(
        seen,
        [Seen::GoAway {
            last: 3.max(last(bytes)),
            code: fault.code()
        }],
        "{what}"
    );
}

/// The stream that a HEADERS frame opens, if `bytes` is one with a fit number.
fn last(bytes: &[u8]) -> u32 {
    match bytes {
        [_, _, _, kind::HEADERS, _, _, _, _, id] if id % 2 == 1 => u32::from(*id),
        _ => 0,
    }
}

#[track_caller]
fn ends_the_stream(what: &str, bytes: &[u8], stream: u32, fault: Fault) {
    let (told, seen) = after_requests(bytes);
    assert_eq!(told, [Told::Faulted { stream, fault }], "{what}");
    let reset = Seen::Reset {
        stream,
        code: fault.code(),
    };
    assert!(seen.contains(&reset), "{what}: {seen:?}");
    assert!(
        !seen.iter().any(|seen| matches!(seen, Seen::GoAway { .. })),
        "{what}"
    );
}

#[test]
fn a_connection_starts_with_the_preface_and_settings() {
    for (bytes, seen) in [
        (b"GET / HTTP/1.1\r\n".as_slice(), Fault::BadPreface),
        (&PREFACE.replace_last(b'X'), Fault::BadPreface),
        (
            &[PREFACE, &frame(kind::PING, 0, 0, &[0; 8])].concat(),
            Fault::BadPreface,
        ),
        (
            &[PREFACE, &frame(kind::SETTINGS, flag::ACK, 0, &[])].concat(),
            Fault::BadPreface,
        ),
    ] {
        let mut client = Client::silent(&Settings::default());
        assert_eq!(client.send(bytes), [Told::Failed(seen)]);
        assert!(client.server.is_finished());
        assert_eq!(client.send(b"anything"), [], "swallowed");
    }
}

trait ReplaceLast {
    fn replace_last(&self, byte: u8) -> Vec<u8>;
}

impl ReplaceLast for [u8] {
    fn replace_last(&self, byte: u8) -> Vec<u8> {
        let mut bytes = self.to_vec();
        *bytes.last_mut().unwrap() = byte;
        bytes
    }
}

#[test]
fn our_settings_come_first() {
    let mut client = Client::silent(&Settings::default());
    let seen = client.seen();
    let wanted = [(3, 128), (4, 512 << 10), (6, 64 << 10), (9, 1)];
    assert_eq!(
        seen,
        [
            Seen::Settings(wanted.to_vec()),
            Seen::WindowUpdate {
                stream: 0,
                bytes: (1 << 20) - 65_535
            }
        ]
    );
}

#[test]
fn frames_in_a_wrong_place_end_the_connection() {
    let f = frame;
    for (what, bytes, fault) in [
        (
            "a frame above 16 KiB",
            f(0x77, 0, 0, &vec![0; 16_385]),
            Fault::FrameTooLarge,
        ),
        ("DATA on stream 0", data(0, b"x", true), Fault::WrongStream),
        (
            "HEADERS on stream 0",
            headers(0, GET, true),
            Fault::WrongStream,
        ),
        (
            "PRIORITY on stream 0",
            f(kind::PRIORITY, 0, 0, &[0; 5]),
            Fault::WrongStream,
        ),
        (
            "RST_STREAM on stream 0",
            f(kind::RST_STREAM, 0, 0, &[0; 4]),
            Fault::WrongStream,
        ),
        (
            "SETTINGS on a stream",
            f(kind::SETTINGS, 0, 1, &[]),
            Fault::WrongStream,
        ),
        (
            "PING on a stream",
            f(kind::PING, 0, 1, &[0; 8]),
            Fault::WrongStream,
        ),
        (
            "GOAWAY on a stream",
            f(kind::GOAWAY, 0, 1, &[0; 8]),
            Fault::WrongStream,
        ),
    ] {
        ends_the_connection(what, &bytes, fault);
    }
}

#[test]
fn frames_of_a_wrong_size_end_the_connection() {
    let f = frame;
    for (what, bytes, fault) in [
        (
            "a short RST_STREAM",
            f(kind::RST_STREAM, 0, 3, &[0; 3]),
            Fault::BadFrameSize,
        ),
        (
            "a short SETTINGS",
            f(kind::SETTINGS, 0, 0, &[0; 5]),
            Fault::BadFrameSize,
        ),
        (
            "SETTINGS that acknowledge and set",
            f(kind::SETTINGS, 1, 0, &[0; 6]),
            Fault::BadFrameSize,
        ),
        (
            "a long PING",
            f(kind::PING, 0, 0, &[0; 9]),
            Fault::BadFrameSize,
        ),
        (
            "a short GOAWAY",
            f(kind::GOAWAY, 0, 0, &[0; 7]),
            Fault::BadFrameSize,
        ),
        (
            "a short WINDOW_UPDATE",
            f(kind::WINDOW_UPDATE, 0, 0, &[0; 3]),
            Fault::BadFrameSize,
        ),
        (
            "a push",
            f(kind::PUSH_PROMISE, 4, 1, &[0; 8]),
            Fault::PushPromise,
        ),
        (
            "PRIORITY_UPDATE on a stream",
            f(0x10, 0, 3, &[0, 0, 0, 3]),
            Fault::WrongStream,
        ),
        (
            "PRIORITY_UPDATE for a push",
            f(0x10, 0, 0, &[0, 0, 0, 2]),
            Fault::BadPriorityUpdate,
        ),
        (
            "a short PRIORITY_UPDATE",
            f(0x10, 0, 0, &[0, 0, 0]),
            Fault::BadFrameSize,
        ),
    ] {
        ends_the_connection(what, &bytes, fault);
    }
}

#[test]
fn streams_are_numbered_upwards_and_odd() {
    for (what, bytes, fault) in [
        ("an even number", headers(2, GET, true), Fault::BadStreamId),
        (
            "DATA on an idle stream",
            data(5, b"x", true),
            Fault::IdleStream,
        ),
        (
            "RST_STREAM on an idle stream",
            frame(kind::RST_STREAM, 0, 5, &[0; 4]),
            Fault::IdleStream,
        ),
        (
            "WINDOW_UPDATE on an idle stream",
            window_update(5, 1),
            Fault::IdleStream,
        ),
    ] {
        ends_the_connection(what, &bytes, fault);
    }
    let mut client = Client::new();
    client.get(5);
    assert_eq!(
        client.send(&headers(3, GET, true)),
        [Told::Failed(Fault::BadStreamId)]
    );
}

#[test]
fn header_blocks_come_in_one_piece() {
    let whole = block(GET);
    let (start, end) = whole.split_at(7);
    let opened = frame(kind::HEADERS, flag::END_STREAM, 5, start);
    let mut client = Client::new();
    assert_eq!(client.send(&opened), []);
    assert_eq!(client.send(&frame(kind::CONTINUATION, 0, 5, &[])), []);
    let told = client.send(&frame(kind::CONTINUATION, flag::END_HEADERS, 5, end));
    assert!(
        matches!(
            &told[..],
            [Told::Request {
                stream: 5,
                end: true,
                ..
            }]
        ),
        "{told:?}"
    );
    for (what, then) in [
        ("another frame", frame(kind::PING, 0, 0, &[0; 8])),
        (
            "another stream",
            frame(kind::CONTINUATION, flag::END_HEADERS, 7, end),
        ),
        ("an unknown frame", frame(0x99, 0, 0, &[])),
    ] {
        let mut client = Client::new();
        assert_eq!(client.send(&opened), []);
        assert_eq!(
            client.send(&then),
            [Told::Failed(Fault::BrokenHeaderBlock)],
            "{what}"
        );
    }
    ends_the_connection(
        "CONTINUATION alone",
        &frame(kind::CONTINUATION, flag::END_HEADERS, 3, end),
        Fault::BrokenHeaderBlock,
    );
    let mut client = Client::new();
    let told = client.send(&frame(kind::HEADERS, flag::END_HEADERS, 1, &[0x80]));
    assert_eq!(told, [Told::Failed(Fault::BadHeaderBlock)]);
}

#[test]
fn padding_is_cut_off_and_never_longer_than_the_frame() {
    let padded = [&[3][..], &block(GET), &[0; 3]].concat();
    let flags = flag::END_HEADERS | flag::END_STREAM | flag::PADDED;
    let (told, _) = after_requests(&frame(kind::HEADERS, flags, 5, &padded));
    assert!(matches!(&told[..], [Told::Request { stream: 5, .. }]));
    let (told, _) = after_requests(&frame(kind::DATA, flag::PADDED, 3, b"\x02ab\0\0"));
    assert_eq!(
        told,
        [Told::Data {
            stream: 3,
            bytes: b"ab".to_vec(),
            end: false
        }]
    );
    for (what, kind) in [("DATA", kind::DATA), ("HEADERS", kind::HEADERS)] {
        ends_the_connection(
            what,
            &frame(kind, flag::PADDED, 3, b"\x04ab\0"),
            Fault::BadPadding,
        );
        ends_the_connection(
            what,
            &frame(kind, flag::PADDED, 3, b""),
            Fault::BadFrameSize,
        );
    }
}

#[test]
fn settings_have_ranges() {
    for (name, value, fault) in [
        (2, 2, Fault::BadSetting),
        (4, 1 << 31, Fault::WindowOverflow),
        (5, (1 << 14) - 1, Fault::BadSetting),
        (5, 1 << 24, Fault::BadSetting),
        (9, 2, Fault::BadSetting),
    ] {
        ends_the_connection("a setting", &settings(&[(name, value)]), fault);
    }
    let (told, seen) = after_requests(&settings(&[(0x99, 7), (2, 0), (3, 1), (5, 1 << 20)]));
    assert_eq!((told, seen), (vec![], vec![Seen::SettingsAck]));
}

#[test]
fn windows_do_not_overflow() {
    ends_the_connection("by zero", &window_update(0, 0), Fault::EmptyWindowUpdate);
    ends_the_stream("by zero", &window_update(3, 0), 3, Fault::EmptyWindowUpdate);
    let most = (1 << 31) - 1;
    ends_the_connection("connection", &window_update(0, most), Fault::WindowOverflow);
    ends_the_stream("stream", &window_update(1, most), 1, Fault::WindowOverflow);
    let mut client = Client::new();
    client.get(1);
    client.send(&window_update(1, most - 65_535));
    let told = client.send(&settings(&[(4, 65_536)]));
    assert_eq!(told, [Told::Failed(Fault::WindowOverflow)], "by a setting");
}

#[test]
fn frames_on_ended_streams() {
    ends_the_stream(
        "DATA, half closed",
        &data(1, b"x", true),
        1,
        Fault::StreamClosed,
    );
    ends_the_stream(
        "HEADERS, half closed",
        &headers(1, GET, true),
        1,
        Fault::StreamClosed,
    );
    let mut client = Client::new();
    let stream = client.get(1);
    client
        .server
        .send_head(stream, super::client::OK, true)
        .unwrap();
    client.seen();
    assert_eq!(client.send(&window_update(1, 1)), [], "may be under way");
    assert_eq!(
        client.send(&super::client::reset(1)),
        [],
        "may be under way"
    );
    let fault = Fault::StreamClosed;
    assert_eq!(
        client.send(&data(1, b"x", true)),
        [Told::Faulted { stream: 1, fault }]
    );
    assert_eq!(
        client.send(&data(1, b"x", true)),
        [],
        "after our reset it may be under way"
    );
    client.get(3);
    client.send(&super::client::reset(3));
    assert_eq!(client.send(&headers(3, GET, true)), [Told::Failed(fault)]);
}

#[test]
fn a_stream_that_we_reset_is_ignored() {
    let mut client = Client::new();
    let stream = client.post(1);
    client.server.reset(stream, ErrorCode::Cancel);
    assert_eq!(
        client.seen(),
        [Seen::Reset {
            stream: 1,
            code: ErrorCode::Cancel
        }]
    );
    assert_eq!(client.send(&data(1, b"abc", false)), []);
    assert_eq!(client.send(&headers(1, &[("x", "y")], true)), []);
    assert_eq!(client.send(&window_update(1, 5)), []);
    assert_eq!(client.seen(), []);
    assert_eq!(client.server.send_data(stream, b"x", true), None);
}

#[test]
fn dependencies_are_checked_and_not_followed() {
    let of = |id: u8| [0, 0, 0, id, 16];
    assert_eq!(
        after_requests(&frame(kind::PRIORITY, 0, 9, &of(7))),
        (vec![], vec![])
    );
    ends_the_stream(
        "itself",
        &frame(kind::PRIORITY, 0, 3, &of(3)),
        3,
        Fault::SelfDependency,
    );
    ends_the_stream(
        "short",
        &frame(kind::PRIORITY, 0, 3, &[0; 4]),
        3,
        Fault::BadFrameSize,
    );
    let flags = flag::END_HEADERS | flag::END_STREAM | flag::PRIORITY;
    let payload = [&of(5)[..], &block(GET)].concat();
    ends_the_stream(
        "itself",
        &frame(kind::HEADERS, flags, 5, &payload),
        5,
        Fault::SelfDependency,
    );
    let payload = [&of(1)[..], &block(GET)].concat();
    let (told, _) = after_requests(&frame(kind::HEADERS, flags, 5, &payload));
    assert!(matches!(&told[..], [Told::Request { stream: 5, .. }]));
}

#[test]
fn unknown_frames_and_pings_are_taken() {
    let (told, seen) = after_requests(&frame(0xbe, 0xff, 0, b"whatever"));
    assert_eq!((told, seen), (vec![], vec![]));
    let (told, seen) = after_requests(&frame(kind::PING, 0, 0, b"12345678"));
    assert_eq!((told, seen), (vec![], vec![Seen::PingAck(*b"12345678")]));
    let (told, _) = after_requests(&frame(kind::PING, flag::ACK, 0, b"12345678"));
    assert_eq!(told, [Told::Pong(*b"12345678")]);
    let (told, _) = after_requests(&frame(kind::GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 2]));
    assert_eq!(told, [Told::PeerGoesAway(ErrorCode::InternalError)]);
}

#[test]
fn body_and_content_length_must_agree() {
    let with_length = |length| {
        let mut fields = POST.to_vec();
        fields.push(("content-length", length));
        fields
    };
    let fault = Fault::WrongContentLength;
    for (length, bodies, wrong) in [
        ("3", vec![data(5, b"ab", false), data(5, b"c", true)], false),
        ("3", vec![data(5, b"ab", true)], true),
        ("3", vec![data(5, b"abcd", false)], true),
        (
            "3",
            vec![data(5, b"ab", false), headers(5, &[("x", "y")], true)],
            true,
        ),
        ("0", vec![data(5, b"", true)], false),
    ] {
        let mut client = Client::new();
        client.send(&headers(5, &with_length(length), false));
        let told: Vec<_> = bodies.iter().flat_map(|body| client.send(body)).collect();
        let faulted = told.contains(&Told::Faulted { stream: 5, fault });
        assert_eq!(faulted, wrong, "{length}: {told:?}");
    }
    let malformed = Told::Faulted {
        stream: 5,
        fault: Fault::MalformedRequest,
    };
    for length in ["1", "x", "+0", "1, 1"] {
        let told = Client::new().send(&headers(5, &with_length(length), true));
        assert_eq!(told, core::slice::from_ref(&malformed), "{length}");
    }
}
