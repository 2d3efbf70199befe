//! Bodies as a whole: case by case, and any body in any pieces over both versions of HTTP.

use proptest::prelude::*;
use zs_proto::body::{CONTINUE, Collected, Collector, Progress};
use zs_proto::error::PeerError;
use zs_proto::h1::body::Drain;
use zs_proto::message::BodyFraming;

/// Gives `bytes` to a collector that must take them: how many it did, and how far it came.
fn step(collector: &mut Collector, bytes: &[u8]) -> (usize, Collected) {
    let Progress { consumed, body } = collector.handle_bytes(bytes).expect("well formed");
    (consumed, body)
}

fn collector(framing: BodyFraming, limit: usize) -> Collector {
    Collector::new(framing, false, limit)
}

#[test]
fn a_body_ends_where_its_framing_says() {
    for framing in [BodyFraming::None, BodyFraming::Length(0)] {
        let mut none = collector(framing, 0);
        assert_eq!(step(&mut none, b"GET /"), (0, Collected::Whole));
        assert_eq!(none.into_bytes(), b"");
    }
    let mut length = collector(BodyFraming::Length(5), 5);
    assert_eq!(step(&mut length, b""), (0, Collected::More));
    assert_eq!(step(&mut length, b"hel"), (3, Collected::More));
    assert_eq!(step(&mut length, b"loGET /"), (2, Collected::Whole));
    assert_eq!(length.into_bytes(), b"hello");
    let mut chunked = collector(BodyFraming::Chunked, 5);
    assert_eq!(
        step(&mut chunked, b"2\r\nhe\r\n3\r\nl"),
        (11, Collected::More)
    );
    assert_eq!(
        step(&mut chunked, b"lo\r\n0\r\nX: 1\r\n\r\nGET /"),
        (15, Collected::Whole)
    );
    assert_eq!(chunked.into_bytes(), b"hello");
}

#[test]
fn a_length_above_the_limit_is_refused_before_a_byte_came() {
    let mut length = collector(BodyFraming::Length(6), 5);
    assert_eq!(step(&mut length, b""), (0, Collected::TooLarge));
    assert_eq!(length.clone().handle_data(b"", false), Collected::TooLarge);
    assert_eq!(
        length.clone().into_drain(5).handle(b""),
        Ok(Drain::OverLimit)
    );
    let drained = length.into_drain(6).handle(b"hello!GET /");
    assert_eq!(drained, Ok(Drain::Done { consumed: 6 }));
    let mut endless = collector(BodyFraming::Length(u64::MAX), usize::MAX - 1);
    assert_eq!(step(&mut endless, b"x"), (0, Collected::TooLarge));
}

#[test]
fn chunks_above_the_limit_leave_the_rest_to_be_read_away() {
    let bytes = b"3\r\nhel\r\n3\r\nlo!\r\n0\r\n\r\nGET /";
    let mut chunked = collector(BodyFraming::Chunked, 5);
    let (consumed, body) = step(&mut chunked, bytes);
    assert_eq!(body, Collected::TooLarge);
    assert_eq!(step(&mut chunked, b""), (0, Collected::TooLarge));
    let rest = chunked.into_drain(100).handle(&bytes[consumed..]);
    let expected = bytes.len() - b"GET /".len() - consumed;
    assert_eq!(rest, Ok(Drain::Done { consumed: expected }));
}

#[test]
fn broken_chunks_are_the_peers_fault() {
    let mut chunked = collector(BodyFraming::Chunked, 5);
    assert_eq!(chunked.handle_bytes(b"x"), Err(PeerError::BadChunk));
}

#[test]
fn a_client_is_told_to_go_on_once_and_only_if_it_waits() {
    let waiting = || Collector::new(BodyFraming::Length(2), true, 5);
    let mut asked = waiting();
    asked.handle_bytes(b"").unwrap();
    assert_eq!([0; 2].map(|_| asked.poll_continue()), [true, false]);
    assert!(!collector(BodyFraming::Length(2), 5).poll_continue());

    let mut did_not_wait = waiting();
    did_not_wait.handle_bytes(b"h").unwrap();
    assert!(!did_not_wait.poll_continue());
    let mut did_not_wait = waiting();
    assert_eq!(did_not_wait.handle_data(b"h", false), Collected::More);
    assert!(!did_not_wait.poll_continue());
    let mut waits = waiting();
    assert_eq!(waits.handle_data(b"", false), Collected::More);
    assert!(waits.poll_continue());

    let mut refused = Collector::new(BodyFraming::Length(6), true, 5);
    assert!(!refused.poll_continue());
    assert!(CONTINUE.ends_with(b"\r\n\r\n"));
}

proptest! {
    #[test]
    fn any_body_in_any_pieces_is_gathered_up_to_the_limit(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        limit in 0_usize..250,
        chunked in any::<bool>(),
        cuts in proptest::collection::vec(1_usize..40, 1..20),
        tail in proptest::collection::vec(any::<u8>(), 0..9),
    ) {
        let (framing, mut bytes) = if chunked {
            let mut bytes = Vec::new();
            for (part, size) in body.chunks(cuts[0]).zip(cuts.iter().cycle()) {
                let zeros = "0".repeat(size % 4);
                bytes.extend_from_slice(format!("{zeros}{:x}\r\n", part.len()).as_bytes());
                bytes.extend_from_slice(part);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            (BodyFraming::Chunked, bytes)
        } else {
            (BodyFraming::Length(body.len() as u64), body.clone())
        };
        let end = bytes.len();
        bytes.extend_from_slice(&tail);

        let mut h1 = collector(framing, limit);
        let (mut at, mut verdict) = (0, Collected::More);
        for size in cuts.iter().cycle() {
            let part = &bytes[at..bytes.len().min(at + size)];
            let step = h1.handle_bytes(part).unwrap();
            at += step.consumed;
            verdict = step.body;
            if verdict != Collected::More {
                break;
            }
            prop_assert_eq!(step.consumed, part.len());
        }
        let mut h2 = collector(framing, limit);
        let mut parts = body.chunks(cuts[0]);
        let last = parts.next_back().unwrap_or_default();
        let early = parts.map(|part| h2.handle_data(part, false)).last();
        let over = early == Some(Collected::TooLarge);
        let h2_verdict = h2.handle_data(last, true);

        if body.len() <= limit {
            prop_assert_eq!((verdict, at), (Collected::Whole, end));
            prop_assert_eq!(h1.into_bytes(), &*body);
            prop_assert_eq!((h2_verdict, over), (Collected::Whole, false));
            prop_assert_eq!(h2.into_bytes(), body);
        } else {
            prop_assert_eq!((verdict, h2_verdict), (Collected::TooLarge, Collected::TooLarge));
            let drained = h1.into_drain(u64::MAX).handle(&bytes[at..]);
            prop_assert_eq!(drained, Ok(Drain::Done { consumed: end - at }));
        }
    }
}
