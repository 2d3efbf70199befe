//! The chunked coding (RFC 9112, section 7.1): a strict decoder fed with whatever was received.

use crate::error::PeerError;
use crate::limits::{CHUNK_EXTENSION_BYTES_MAX, CHUNK_SIZE_DIGITS_MAX, TRAILER_BYTES_MAX};
use crate::scan::is_token;
use core::ops::Range;

/// What one call of [`ChunkDecoder::handle`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkStep {
    /// Bytes of the input that are done with; feed the rest again.
    pub consumed: usize,
    /// Where in the input body bytes lie; empty when there were none before `consumed`.
    pub body: Range<usize>,
    /// The last chunk and the trailers were read: what follows is the next request.
    pub finished: bool,
}

/// Decoder of one chunked body. Holds a few numbers, never bytes.
#[derive(Clone, Debug)]
pub struct ChunkDecoder {
    state: State,
    extension_bytes: u32,
    trailer_bytes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { size: u64, digits: u8 },
    Extension { size: u64 },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Finished,
}

impl Default for ChunkDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkDecoder {
    /// A decoder at the start of a body.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: State::Size { size: 0, digits: 0 },
            extension_bytes: 0,
            trailer_bytes: 0,
        }
    }

    /// Reads up to and including the next piece of body. Call again with what is left until all is
    /// consumed or `finished`; nothing behind the end of the body is ever consumed.
    ///
    /// # Errors
    /// [`PeerError::BadChunk`], [`PeerError::BadTrailer`], [`PeerError::FieldsTooLarge`] (trailers).
    pub fn handle(&mut self, bytes: &[u8]) -> Result<ChunkStep, PeerError> {
        let mut rest = bytes;
        loop {
            let consumed = bytes.len() - rest.len();
            if self.state == State::Finished {
                return Ok(ChunkStep {
                    consumed,
                    body: consumed..consumed,
                    finished: true,
                });
            }
            let Some((&byte, tail)) = rest.split_first() else {
                return Ok(ChunkStep {
                    consumed,
                    body: consumed..consumed,
                    finished: false,
                });
            };
            if let State::Data { left } = self.state {
                let take = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                let left = left - take as u64;
                self.state = if left == 0 {
                    State::DataCr
                } else {
                    State::Data { left }
                };
                let end = consumed + take;
                return Ok(ChunkStep {
                    consumed: end,
                    body: consumed..end,
                    finished: false,
                });
            }
            self.state = self.after(byte)?;
            rest = tail;
        }
    }

    /// The state after one byte that is not body.
    fn after(&mut self, byte: u8) -> Result<State, PeerError> {
        match (self.state, byte) {
            (State::Size { size, digits }, _) => size_digit(size, digits, byte),
            (State::Extension { size }, b'\r') => Ok(State::SizeLf { size }),
            (State::Extension { size }, b'\t' | b' '..=0x7e | 0x80..) => {
                count(
                    &mut self.extension_bytes,
                    CHUNK_EXTENSION_BYTES_MAX,
                    PeerError::BadChunk,
                )?;
                Ok(State::Extension { size })
            }
            (State::SizeLf { size: 0 }, b'\n') => Ok(State::TrailerStart),
            (State::SizeLf { size }, b'\n') => Ok(State::Data { left: size }),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size { size: 0, digits: 0 }),
            (State::TrailerStart, b'\r') => Ok(State::EndLf),
            (State::EndLf, b'\n') => Ok(State::Finished),
            (
                State::TrailerStart | State::TrailerName | State::TrailerValue | State::TrailerLf,
                _,
            ) => {
                count(
                    &mut self.trailer_bytes,
                    TRAILER_BYTES_MAX,
                    PeerError::FieldsTooLarge,
                )?;
                trailer_byte(self.state, byte)
            }
            (State::EndLf, _) => Err(PeerError::BadTrailer),
            _ => Err(PeerError::BadChunk),
        }
    }
}

fn size_digit(size: u64, digits: u8, byte: u8) -> Result<State, PeerError> {
    let digit = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        b'\r' if digits > 0 => return Ok(State::SizeLf { size }),
        // White space before `;` is allowed to be sent and used by nobody but smugglers: refused.
        b';' if digits > 0 => return Ok(State::Extension { size }),
        _ => return Err(PeerError::BadChunk),
    };
    if digits == CHUNK_SIZE_DIGITS_MAX {
        return Err(PeerError::BadChunk);
    }
    Ok(State::Size {
        size: size << 4 | u64::from(digit),
        digits: digits + 1,
    })
}

fn trailer_byte(state: State, byte: u8) -> Result<State, PeerError> {
    match (state, byte) {
        (State::TrailerStart | State::TrailerName, _) if is_token(byte) => Ok(State::TrailerName),
        (State::TrailerName, b':') | (State::TrailerValue, b'\t' | b' '..=0x7e | 0x80..) => {
            Ok(State::TrailerValue)
        }
        (State::TrailerValue, b'\r') => Ok(State::TrailerLf),
        (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
        _ => Err(PeerError::BadTrailer),
    }
}

fn count(counter: &mut u32, limit: u32, error: PeerError) -> Result<(), PeerError> {
    *counter += 1;
    if *counter > limit { Err(error) } else { Ok(()) }
}

/// Fuzz body: however the input is cut, the decoder gives the same body, end and verdict, and a
/// drain agrees with it.
///
/// # Panics
/// When that does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_chunk(bytes: &[u8]) {
    use super::body::{BodyDrain, Drain};
    use crate::message::BodyFraming;

    let whole = decode_in_pieces(bytes, bytes.len().max(1));
    for piece in [1, 2, 7] {
        assert_eq!(decode_in_pieces(bytes, piece), whole);
    }
    let drained = BodyDrain::new(BodyFraming::Chunked, u64::MAX).handle(bytes);
    let expected = match whole.1 {
        Ok(Some(consumed)) => Ok(Drain::Done { consumed }),
        Ok(None) => Ok(Drain::More),
        Err(error) => Err(error),
    };
    assert_eq!(drained, expected);
}

/// The body so far, and where it ended, if it did.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn decode_in_pieces(
    bytes: &[u8],
    piece: usize,
) -> (Vec<u8>, Result<Option<usize>, PeerError>) {
    let mut decoder = ChunkDecoder::new();
    let mut body = Vec::new();
    let mut consumed = 0;
    for part in bytes.chunks(piece) {
        let mut rest = part;
        while !rest.is_empty() {
            let step = match decoder.handle(rest) {
                Ok(step) => step,
                Err(error) => return (body, Err(error)),
            };
            assert!(step.consumed > 0 || step.finished, "each call gets on");
            body.extend_from_slice(rest.get(step.body).unwrap_or_default());
            consumed += step.consumed;
            if step.finished {
                return (body, Ok(Some(consumed)));
            }
            rest = rest.get(step.consumed..).unwrap_or_default();
        }
    }
    (body, Ok(None))
}
