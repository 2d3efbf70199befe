//! What a peer can do to make work: it is counted, bounded, and ended.

use super::client::{
    Client, GET, OK, Seen, Told, block, data, frame, headers, reset, settings, window_update,
};
use crate::h2::fault::ErrorCode;
use crate::h2::frame::{flag, kind};
use crate::h2::{Fault, Misuse, StreamId};
use crate::limits::{
    H2_ACKS_BURST, H2_CONTINUATIONS_MAX, H2_CONTROL_BYTES_MAX, H2_NOISE_BURST,
    H2_OVERSIZED_HEADS_BURST, H2_PRIORITIES_BURST, H2_RESETS_BURST, H2_RESETS_PER_SECOND,
    H2_SETTINGS_FREE, H2_WINDOW_UPDATES_BURST, H2_WINDOW_UPDATES_EARNED,
};

/// Sends a header block in frames of `size` bytes.
pub(super) fn in_pieces(client: &mut Client, stream: u32, block: &[u8], size: usize) -> Vec<Told> {
    let mut told = Vec::new();
    let mut pieces = block.chunks(size).peekable();
    let mut next = (kind::HEADERS, flag::END_STREAM);
    while let Some(piece) = pieces.next() {
        let last = if pieces.peek().is_none() {
            flag::END_HEADERS
        } else {
            0
        };
        told.extend(client.send(&frame(next.0, next.1 | last, stream, piece)));
        next = (kind::CONTINUATION, 0);
    }
    told
}

/// Sends what `bytes` gives until the connection ends; its fault and how often it took.
fn until_failed(client: &mut Client, mut bytes: impl FnMut(u32) -> Vec<u8>) -> (Fault, u32) {
    for count in 0..100_000 {
        if let Some(Told::Failed(fault)) = client.send(&bytes(count)).last() {
            let seen = client.seen();
            let calm = Seen::GoAway {
                last: client.server.core.streams.last(),
                code: fault.code(),
            };
            assert_eq!(seen.last(), Some(&calm));
            return (*fault, count);
        }
        client.seen();
    }
    panic!("never ended");
}

#[test]
fn rapid_resets() {
    let mut client = Client::new();
    let open_and_reset =
        |count: u32| [headers(count * 2 + 1, GET, true), reset(count * 2 + 1)].concat();
    let (fault, count) = until_failed(&mut client, open_and_reset);
    assert_eq!((fault, count), (Fault::ResetFlood, H2_RESETS_BURST));
    assert_eq!(fault.code(), ErrorCode::EnhanceYourCalm);
    assert_eq!(
        client.server.counters().resets_received,
        u64::from(H2_RESETS_BURST) + 1
    );
}

#[test]
fn resets_within_reason_go_on_for_ever() {
    let mut client = Client::new();
    for count in 0..4000 {
        client.now_s = u64::from(count / H2_RESETS_PER_SECOND);
        let id = count * 2 + 1;
        let told = client.send(&[headers(id, GET, true), reset(id)].concat());
        assert_eq!(told.len(), 2, "{count}");
        client.seen();
    }
}

#[test]
fn requests_made_to_be_reset_by_us() {
    let malformed = [GET, &[("Upper", "x")]].concat();
    let (fault, count) = until_failed(&mut Client::new(), |count| {
        headers(count * 2 + 1, &malformed, true)
    });
    assert_eq!((fault, count), (Fault::ResetFlood, H2_RESETS_BURST));
    // A stream that the peer makes us reset by a frame that breaks a rule.
    let (fault, count) = until_failed(&mut Client::new(), |count| {
        [
            headers(count * 2 + 1, GET, true),
            window_update(count * 2 + 1, 0),
        ]
        .concat()
    });
    assert_eq!((fault, count), (Fault::ResetFlood, H2_RESETS_BURST));
}

#[test]
fn settings_and_pings() {
    let ping = frame(kind::PING, 0, 0, &[0; 8]);
    let (fault, count) = until_failed(&mut Client::new(), |_| ping.clone());
    assert_eq!(
        (fault, count + 1),
        (Fault::AckFlood, H2_ACKS_BURST),
        "one was the handshake's"
    );
    let (fault, _) = until_failed(&mut Client::new(), |_| settings(&[]));
    assert_eq!(fault, Fault::AckFlood);
}

#[test]
fn settings_with_more_in_them_than_there_is_to_set() {
    // Each initial window size is applied to every open stream.
    let bomb = settings(&vec![(0x4, 65_535); 2730]);
    assert!(bomb.len() <= 16_393);
    let flood = until_failed(&mut Client::new(), |_| bomb.clone());
    assert_eq!(flood, (Fault::AckFlood, 0));
    let usual = settings(&[(0x4, 65_535); H2_SETTINGS_FREE]);
    let (fault, count) = until_failed(&mut Client::new(), |_| usual.clone());
    assert_eq!((fault, count + 1), (Fault::AckFlood, H2_ACKS_BURST));
}

#[test]
fn answers_that_nobody_reads() {
    let mut client = Client::new();
    let body = [data(1, &[0; 16_384], false), data(3, &[0; 16_384], false)].concat();
    client.post(1);
    client.post(3);
    client.seen();
    let mut failed = false;
    for second in 0..10_000 {
        client.now_s = second * 100;
        client.send(&body);
        let ping = frame(kind::PING, 0, 0, &[0; 8]);
        failed |= client
            .send(&ping)
            .contains(&Told::Failed(Fault::UnreadAnswers));
        assert!(client.server.output().len() < H2_CONTROL_BYTES_MAX + 100);
        if failed {
            return;
        }
    }
    panic!("output without bound");
}

#[test]
fn continuations() {
    let head = block(GET);
    let mut client = Client::new();
    let size = head.len().div_ceil(H2_CONTINUATIONS_MAX as usize + 1);
    let told = in_pieces(&mut client, 1, &head, size);
    assert!(matches!(told[..], [Told::Request { .. }]), "{told:?}");
    let opened = frame(kind::HEADERS, flag::END_STREAM, 1, &head);
    let mut client = Client::new();
    client.send(&opened);
    let (fault, count) = until_failed(&mut client, |_| frame(kind::CONTINUATION, 0, 1, b""));
    assert_eq!(
        (fault, count),
        (Fault::HeaderBlockTooLarge, H2_CONTINUATIONS_MAX)
    );
    let mut client = Client::new();
    client.send(&opened);
    let (fault, count) = until_failed(&mut client, |_| {
        frame(kind::CONTINUATION, 0, 1, &[0; 16_384])
    });
    assert_eq!((fault, count), (Fault::HeaderBlockTooLarge, 3));
}

#[test]
fn a_header_bomb_is_not_written_out() {
    let mut client = Client::new();
    // One entry that fills the table, then as many references to it as a frame holds.
    let value = "v".repeat(4000);
    let mut bomb = block(GET);
    bomb.extend_from_slice(&[0x40, 1, b'x']);
    crate::h2::hpack::write_plain(&mut bomb, value.as_bytes());
    bomb.resize(16_000, 0xbe);
    let told = client.send(&frame(kind::HEADERS, 0x5, 1, &bomb));
    assert_eq!(
        told,
        [Told::Refused {
            stream: 1,
            status: 431
        }]
    );
    assert!(client.server.head.text_capacity() < 256 << 10);
    client.server.send_head(StreamId(1), OK, true).unwrap();
    client.server.rest();
    assert!(client.server.head.text_capacity() < 4 << 10);
    // The table is still in step.
    let mut next = block(GET);
    next.push(0xbe);
    let told = client.send(&frame(kind::HEADERS, 0x5, 3, &next));
    let [Told::Request { fields, .. }] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(fields[0], format!("x: {value}"));
}

#[test]
fn frames_that_do_nothing() {
    let mut client = Client::new();
    client.post(1);
    let empty = |_| data(1, b"", false);
    assert_eq!(
        until_failed(&mut client, empty),
        (Fault::NoiseFlood, H2_NOISE_BURST)
    );
    for (what, bytes) in [
        ("unknown", frame(0xaa, 0, 0, b"")),
        (
            "an unasked answer",
            frame(kind::PING, flag::ACK, 0, &[0; 8]),
        ),
    ] {
        let mut client = Client::new();
        client.get(1);
        let failed = until_failed(&mut client, |_| bytes.clone());
        assert_eq!(failed, (Fault::NoiseFlood, H2_NOISE_BURST), "{what}");
    }
}

#[test]
fn priorities() {
    for bytes in [
        frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 1]),
        frame(kind::PRIORITY_UPDATE, 0, 0, b"\0\0\0\x01u=1"),
        frame(kind::PRIORITY_UPDATE, 0, 0, b"\0\0\0\x63u=1"),
    ] {
        let mut client = Client::new();
        client.get(1);
        let failed = until_failed(&mut client, |_| bytes.clone());
        assert_eq!(failed, (Fault::PriorityFlood, H2_PRIORITIES_BURST));
    }
}

#[test]
fn window_updates() {
    for stream in [0, 1, 3] {
        let mut client = Client::new();
        let closed = client.get(1);
        client.server.send_head(closed, OK, true).unwrap();
        client.get(3);
        let failed = until_failed(&mut client, |_| window_update(stream, 1));
        let expected = (Fault::WindowFlood, H2_WINDOW_UPDATES_BURST);
        assert_eq!(failed, expected, "stream {stream}");
    }
}

#[test]
fn window_updates_for_data_that_came_go_on_for_ever() {
    let mut client = Client::new();
    let stream = client.get(1);
    client.server.send_head(stream, OK, false).unwrap();
    for _ in 0..20_000 {
        assert_eq!(client.server.send_data(stream, &[0; 300], false), Some(300));
        client.seen();
        for _ in 0..H2_WINDOW_UPDATES_EARNED / 2 {
            let updates = [window_update(0, 150), window_update(1, 150)].concat();
            assert_eq!(client.send(&updates), []);
        }
    }
}

#[test]
fn oversized_heads() {
    let value = "v".repeat(4000);
    let mut bomb = block(GET);
    bomb.extend_from_slice(&[0x40, 1, b'x']);
    crate::h2::hpack::write_plain(&mut bomb, value.as_bytes());
    bomb.resize(16_000, 0xbe);
    let mut client = Client::new();
    let flood = |count: u32| {
        [
            frame(kind::HEADERS, 0x5, count * 2 + 1, &bomb),
            reset(count * 2 + 1),
        ]
        .concat()
    };
    let (fault, count) = until_failed(&mut client, flood);
    assert_eq!((fault, count), (Fault::HeadFlood, H2_OVERSIZED_HEADS_BURST));
}

#[test]
fn an_end_that_the_caller_decides_on_is_told_to_the_peer_once() {
    let mut client = Client::new();
    client.get(1);
    client.server.fail(Fault::Stalled);
    client.server.fail(Fault::Stalled);
    let code = ErrorCode::EnhanceYourCalm;
    assert_eq!(client.seen(), [Seen::GoAway { last: 1, code }]);
    assert!(client.server.is_finished());
}

#[test]
fn every_class_of_misuse_has_its_number_and_name() {
    for (number, misuse) in Misuse::ALL.into_iter().enumerate() {
        assert_eq!(misuse as usize, number);
    }
    assert_eq!(Misuse::from(Fault::ResetFlood).label(), "resets");
    assert_eq!(Misuse::from(Fault::BadPreface), Misuse::BrokenRule);
}

#[test]
fn a_flood_of_requests_answered_at_once_leaves_nothing_behind() {
    let mut client = Client::new();
    for count in 0..5_000 {
        let stream = client.get(count * 2 + 1);
        client.server.send_head(stream, OK, true).unwrap();
        client.server.output().clear();
    }
    assert_eq!(client.server.open_streams(), 0);
    assert_eq!(client.server.counters().requests, 5_000);
}
