//! A request's body as one piece of memory, for an answer that needs all of it. One collector serves
//! both versions of HTTP: HTTP/1.1 gives it what follows the head, HTTP/2 the payload of each DATA
//! frame. It never holds more than its limit.
//!
//! ```
//! # use zs_proto::body::{Collected, Collector, Progress};
//! # use zs_proto::message::BodyFraming;
//! # let (framing, expect_continue, received) = (BodyFraming::Length(2), true, b"hiGET /");
//! let mut collector = Collector::new(framing, expect_continue, 64 << 10);
//! let Progress { consumed, body } = collector.handle_bytes(received)?;
//! match body {
//!     Collected::More => {
//!         if collector.poll_continue() {
//!             // send `CONTINUE` before waiting for bytes
//!         }
//!     }
//!     // what is left of the input is the next request
//!     Collected::Whole => assert_eq!((collector.into_bytes(), consumed), (b"hi".to_vec(), 2)),
//!     // answer 413 and read the rest away with `into_drain`, or close
//!     Collected::TooLarge => {}
//! }
//! # Ok::<(), zs_proto::error::PeerError>(())
//! ```

use crate::error::PeerError;
use crate::h1::body::{BodyDrain, Reader};
use crate::message::BodyFraming;

/// The interim answer that a client waits for before it sends an announced body (RFC 9110, section
/// 15.2.1); also fit for [`crate::h2::Connection::send_head`].
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Memory for a first part whose whole is not known to be smaller: one DATA frame.
const FIRST_BYTES: usize = 16 << 10;

/// How far a body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collected {
    /// More of it is to come.
    More,
    /// It is complete: take it with [`Collector::into_bytes`].
    Whole,
    /// It is above the limit, or is going to be. Nothing of it is kept.
    TooLarge,
}

/// What one call of [`Collector::handle_bytes`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that are done with: all of them as long as more is to come.
    pub consumed: usize,
    /// How far the body has come.
    pub body: Collected,
}

/// Gathers one body. Ask once before waiting for bytes: it may be complete, or too large, already.
#[derive(Clone, Debug)]
pub struct Collector {
    reader: Reader,
    bytes: Vec<u8>,
    limit: usize,
    /// No more memory than this is ever set aside: the limit, or what was announced.
    most: usize,
    too_large: bool,
    continue_due: bool,
}

impl Collector {
    /// For a body with the framing and the expectation that its head has, of at most `limit` bytes
    /// without framing. One that is announced as longer is too large from the start.
    #[must_use]
    pub fn new(framing: BodyFraming, expect_continue: bool, limit: usize) -> Self {
        let reader = Reader::new(framing);
        let announced = reader
            .left()
            .map(|left| usize::try_from(left).unwrap_or(usize::MAX));
        Self {
            bytes: Vec::new(),
            limit,
            most: announced.map_or(limit, |length| length.min(limit)),
            too_large: announced.is_some_and(|length| length > limit),
            continue_due: expect_continue,
            reader,
        }
    }

    /// HTTP/1.1: what was received behind the head, or behind the bytes consumed before. Nothing
    /// behind the end of the body is ever consumed.
    ///
    /// # Errors
    /// Those of [`crate::h1::chunk::ChunkDecoder::handle`]: the connection is out of step then.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<Progress, PeerError> {
        let mut consumed = 0;
        let body = loop {
            if self.too_large {
                break Collected::TooLarge;
            }
            let rest = bytes.get(consumed..).unwrap_or_default();
            let step = self.reader.handle(rest)?;
            consumed += step.consumed;
            self.keep(rest.get(step.body).unwrap_or_default());
            if step.finished {
                break self.ended();
            }
            if consumed >= bytes.len() && !self.too_large {
                break Collected::More;
            }
        };
        if consumed > 0 {
            self.continue_due = false;
        }
        Ok(Progress { consumed, body })
    }

    /// HTTP/2: the payload of one [`crate::h2::Event::Data`]. Give its bytes back to the peer's
    /// windows at once, they are bounded here. Trailers end a body like an empty last payload; so
    /// does a request without a body, whose end came with its head.
    pub fn handle_data(&mut self, bytes: &[u8], end_stream: bool) -> Collected {
        if end_stream || !bytes.is_empty() {
            self.continue_due = false;
        }
        if !self.too_large {
            self.keep(bytes);
        }
        if end_stream || self.too_large {
            self.ended()
        } else {
            Collected::More
        }
    }

    /// Whether [`CONTINUE`] is to be sent before waiting for bytes; true once at most. Not when the
    /// body is on its way already, nor when it would be refused (RFC 9110, section 10.1.1).
    pub const fn poll_continue(&mut self) -> bool {
        let due = self.continue_due && !self.too_large;
        self.continue_due = false;
        due
    }

    /// The body, once it is whole.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// HTTP/1.1: reads the rest of the body away, at most `limit` bytes of it on the wire.
    #[must_use]
    pub fn into_drain(self, limit: u64) -> BodyDrain {
        BodyDrain::resume(self.reader, limit)
    }

    const fn ended(&self) -> Collected {
        if self.too_large {
            Collected::TooLarge
        } else {
            Collected::Whole
        }
    }

    /// Adds a part. Memory grows with what came, never with what was announced, and by doubling.
    fn keep(&mut self, part: &[u8]) {
        let length = self.bytes.len().saturating_add(part.len());
        if length > self.limit {
            self.too_large = true;
            self.bytes = Vec::new();
            return;
        }
        let room = self.bytes.capacity();
        if length > room {
            let wanted = FIRST_BYTES.max(room.saturating_mul(2)).min(self.most);
            self.bytes
                .reserve_exact(wanted.max(length) - self.bytes.len());
        }
        self.bytes.extend_from_slice(part);
    }
}

/// Fuzz body: however a chunked body is cut, the collector has the decoder's bytes and its end, or
/// finds it too large exactly when those are; what it leaves is where the next request starts.
/// HTTP/2, given the same bytes, has the same verdict.
///
/// # Panics
/// When that does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_body(input: &[u8]) {
    use crate::h1::body::Drain;
    use crate::h1::chunk::decode_in_pieces;

    let Some((&[limit, piece], bytes)) = input.split_first_chunk::<2>() else {
        return;
    };
    let (limit, piece) = (usize::from(limit), usize::from(piece).max(1));
    let (body, end) = decode_in_pieces(bytes, piece);
    let mut collector = Collector::new(BodyFraming::Chunked, false, limit);
    let mut consumed = 0;
    let mut last = Ok(Collected::More);
    for part in bytes.chunks(piece) {
        match collector.handle_bytes(part) {
            Ok(step) => {
                let more = step.body == Collected::More;
                assert!(
                    !more || step.consumed == part.len(),
                    "all of it is done with"
                );
                consumed += step.consumed;
                last = Ok(step.body);
            }
            Err(error) => last = Err(error),
        }
        assert!(collector.bytes.capacity() <= limit, "bounded");
        if last != Ok(Collected::More) {
            break;
        }
    }
    if body.len() > limit {
        assert_eq!(last, Ok(Collected::TooLarge));
        let rest = bytes.get(consumed..).unwrap_or_default();
        let drained = collector.clone().into_drain(u64::MAX).handle(rest);
        let expected = match end {
            Ok(Some(all)) => Ok(Drain::Done {
                consumed: all - consumed,
            }),
            Ok(None) => Ok(Drain::More),
            Err(error) => Err(error),
        };
        assert_eq!(drained, expected);
        assert_eq!(collector.into_bytes(), b"");
    } else {
        match end {
            Ok(Some(all)) => {
                assert_eq!((last, consumed), (Ok(Collected::Whole), all));
                assert_eq!(collector.into_bytes(), body);
            }
            Ok(None) => assert_eq!((last, consumed), (Ok(Collected::More), bytes.len())),
            Err(error) => assert_eq!(last, Err(error)),
        }
    }
    let mut frames = Collector::new(BodyFraming::Chunked, false, limit);
    let mut parts = body.chunks(piece);
    let last = parts.next_back().unwrap_or_default();
    for part in parts {
        if frames.handle_data(part, false) == Collected::TooLarge {
            break;
        }
    }
    let verdict = frames.handle_data(last, true);
    assert_eq!(verdict == Collected::Whole, body.len() <= limit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_what_came_and_never_passes_the_limit() {
        let announced = BodyFraming::Length(1 << 30);
        let mut collector = Collector::new(announced, false, 1 << 30);
        collector.handle_bytes(b"x").unwrap();
        assert_eq!(collector.bytes.capacity(), FIRST_BYTES);
        let mut collector = Collector::new(BodyFraming::Chunked, false, 100_000);
        for _ in 0..100 {
            assert_eq!(collector.handle_data(&[0; 1000], false), Collected::More);
            assert!(collector.bytes.capacity() <= 100_000);
        }
        assert_eq!(collector.handle_data(b"x", false), Collected::TooLarge);
        assert_eq!(collector.bytes.capacity(), 0);
        let mut small = Collector::new(BodyFraming::Length(10), false, 100_000);
        small.handle_bytes(b"x").unwrap();
        assert_eq!(small.bytes.capacity(), 10);
    }
}
