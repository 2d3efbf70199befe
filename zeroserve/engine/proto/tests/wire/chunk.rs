//! Chunked bodies and draining: tables fed whole and cut at every byte, and a round trip.

use proptest::prelude::*;
use zs_proto::error::PeerError;
use zs_proto::h1::body::{BodyDrain, Drain};
use zs_proto::h1::chunk::ChunkDecoder;
use zs_proto::limits::{CHUNK_EXTENSION_BYTES_MAX, TRAILER_BYTES_MAX};
use zs_proto::message::BodyFraming;

/// Body, bytes consumed and whether it ended.
type Decoded = (Vec<u8>, usize, bool);

fn decode(decoder: &mut ChunkDecoder, bytes: &[u8]) -> Result<Decoded, PeerError> {
    let (mut body, mut consumed) = (Vec::new(), 0);
    loop {
        let step = decoder.handle(&bytes[consumed..])?;
        body.extend_from_slice(&bytes[consumed..][step.body]);
        consumed += step.consumed;
        if step.finished || consumed == bytes.len() {
            return Ok((body, consumed, step.finished));
        }
    }
}

/// Decodes whole, and in two parts for each cut; all must agree.
fn feed(bytes: &[u8]) -> Result<Decoded, PeerError> {
    let whole = decode(&mut ChunkDecoder::new(), bytes);
    for cut in 0..bytes.len() {
        let mut decoder = ChunkDecoder::new();
        let parts = decode(&mut decoder, &bytes[..cut]).and_then(|(mut body, used, done)| {
            if done {
                return Ok((body, used, done));
            }
            let (rest, more, done) = decode(&mut decoder, &bytes[cut..])?;
            body.extend_from_slice(&rest);
            Ok((body, used + more, done))
        });
        assert_eq!(parts, whole, "cut at {cut}");
    }
    whole
}

#[test]
fn chunks_are_decoded() {
    let cases: [(&str, &str, usize); 7] = [
        ("0\r\n\r\n", "", 5),
        ("5\r\nhello\r\n0\r\n\r\n", "hello", 15),
        ("005\r\nhello\r\n00\r\n\r\nGET /", "hello", 18),
        ("1\r\na\r\nA\r\n0123456789\r\n0\r\n\r\n", "a0123456789", 26),
        ("a;x=\"y\";z\r\n0123456789\r\n0;e\r\n\r\n", "0123456789", 30),
        ("0\r\nX-Sum: 1\r\nEmpty:\r\n\r\nNEXT", "", 23),
        ("1\r\n\n\r\n0\r\n\r\n", "\n", 11),
    ];
    for (bytes, body, consumed) in cases {
        let expected = (body.as_bytes().to_vec(), consumed, true);
        assert_eq!(feed(bytes.as_bytes()), Ok(expected), "{bytes:?}");
    }
    assert_eq!(feed(b"5\r\nhel"), Ok((b"hel".to_vec(), 6, false)));
}

#[test]
fn malformed_chunks_are_refused() {
    let cases = [
        ("\r\n", PeerError::BadChunk),
        (";x\r\n", PeerError::BadChunk),
        ("g\r\n", PeerError::BadChunk),
        ("0x5\r\nhello", PeerError::BadChunk),
        ("-1\r\n", PeerError::BadChunk),
        ("+5\r\nhello", PeerError::BadChunk),
        (" 5\r\nhello", PeerError::BadChunk),
        ("5 \r\nhello", PeerError::BadChunk),
        ("5 ;x\r\nhello", PeerError::BadChunk),
        ("5\nhello", PeerError::BadChunk),
        ("5\r\rhello", PeerError::BadChunk),
        ("5;a\nb\r\nhello", PeerError::BadChunk),
        ("5;a\0\r\nhello", PeerError::BadChunk),
        ("5\r\nhelloX", PeerError::BadChunk),
        ("5\r\nhello\n", PeerError::BadChunk),
        ("5\r\nhello\r5", PeerError::BadChunk),
        ("5\r\nhello\r\n\r\n", PeerError::BadChunk),
        ("00000000000000000\r\n", PeerError::BadChunk),
        ("10000000000000000\r\n", PeerError::BadChunk),
        ("0\r\n\n", PeerError::BadTrailer),
        ("0\r\n\rX", PeerError::BadTrailer),
        ("0\r\n X: y\r\n", PeerError::BadTrailer),
        ("0\r\n: y\r\n", PeerError::BadTrailer),
        ("0\r\nX\r\n", PeerError::BadTrailer),
        ("0\r\nX : y\r\n", PeerError::BadTrailer),
        ("0\r\nX: y\n", PeerError::BadTrailer),
        ("0\r\nX: \0\r\n", PeerError::BadTrailer),
        ("0\r\nX: y\r\n z\r\n", PeerError::BadTrailer),
    ];
    for (bytes, error) in cases {
        assert_eq!(feed(bytes.as_bytes()), Err(error), "{bytes:?}");
    }
}

#[test]
fn extensions_and_trailers_are_bounded_over_the_whole_body() {
    let chunk = format!("1;{}\r\na\r\n", "x".repeat(99));
    let chunks = |count: usize| chunk.repeat(count).into_bytes();
    let most = CHUNK_EXTENSION_BYTES_MAX as usize / 99;
    assert!(decode(&mut ChunkDecoder::new(), &chunks(most)).is_ok());
    assert_eq!(
        decode(&mut ChunkDecoder::new(), &chunks(most + 1)),
        Err(PeerError::BadChunk)
    );

    let trailers = |count: u32| format!("0\r\n{}\r\n", "X: 45\r\n".repeat(count as usize));
    let decode_text = |text: String| decode(&mut ChunkDecoder::new(), text.as_bytes());
    assert!(decode_text(trailers(TRAILER_BYTES_MAX / 7)).is_ok());
    let over = decode_text(trailers(TRAILER_BYTES_MAX / 7 + 1));
    assert_eq!(over, Err(PeerError::FieldsTooLarge));
}

#[test]
fn a_drain_stops_where_the_body_does() {
    let none = BodyDrain::new(BodyFraming::None, 0).handle(b"GET /");
    assert_eq!(none, Ok(Drain::Done { consumed: 0 }));

    let mut drain = BodyDrain::new(BodyFraming::Length(5), 5);
    assert_eq!(drain.handle(b""), Ok(Drain::More));
    assert_eq!(drain.handle(b"hel"), Ok(Drain::More));
    assert_eq!(drain.handle(b"loGET /"), Ok(Drain::Done { consumed: 2 }));

    let mut drain = BodyDrain::new(BodyFraming::Chunked, 15);
    assert_eq!(drain.handle(b"5\r\nhel"), Ok(Drain::More));
    assert_eq!(
        drain.handle(b"lo\r\n0\r\n\r\nGET /"),
        Ok(Drain::Done { consumed: 9 })
    );
}

#[test]
fn a_drain_has_a_limit() {
    assert_eq!(
        BodyDrain::new(BodyFraming::Length(6), 5).handle(b""),
        Ok(Drain::OverLimit)
    );
    let mut drain = BodyDrain::new(BodyFraming::Chunked, 14);
    assert_eq!(drain.handle(b"5\r\nhel"), Ok(Drain::More));
    assert_eq!(drain.handle(b"lo\r\n0\r\n\r\n"), Ok(Drain::OverLimit));
    let broken = BodyDrain::new(BodyFraming::Chunked, 100).handle(b"x");
    assert_eq!(broken, Err(PeerError::BadChunk));
}

proptest! {
    #[test]
    fn any_body_survives_any_cutting(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6),
        extension in "(;[ -~]{0,9})?",
        trailers in proptest::collection::vec("[A-Za-z-]{1,8}:[ -~]{0,8}\r\n", 0..3),
        tail in proptest::collection::vec(any::<u8>(), 0..9),
        pieces in proptest::collection::vec(1_usize..30, 1..40),
    ) {
        let mut bytes = Vec::new();
        for chunk in &chunks {
            bytes.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("0{extension}\r\n{}\r\n", trailers.concat()).as_bytes());
        let length = bytes.len();
        bytes.extend_from_slice(&tail);

        let mut decoder = ChunkDecoder::new();
        let mut drain = BodyDrain::new(BodyFraming::Chunked, length as u64);
        let (mut body, mut at, mut finished) = (Vec::new(), 0, false);
        for piece in pieces.iter().cycle() {
            let part = &bytes[at..bytes.len().min(at + piece)];
            let (read, consumed, done) = decode(&mut decoder, part).unwrap();
            let drained = if done { Drain::Done { consumed } } else { Drain::More };
            prop_assert_eq!(drain.handle(part), Ok(drained));
            body.extend_from_slice(&read);
            at += consumed;
            finished = done;
            if done || at == bytes.len() {
                break;
            }
        }
        prop_assert!(finished);
        prop_assert_eq!(at, length);
        prop_assert_eq!(body, chunks.concat());
    }
}
