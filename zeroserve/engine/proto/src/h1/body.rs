//! Skipping a request body that nobody wants, so that the connection can carry the next request.

use super::chunk::ChunkDecoder;
use crate::error::PeerError;
use crate::message::BodyFraming;

/// What one call of [`BodyDrain::handle`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// The body ended after this many bytes of the input; the rest belongs to the next request.
    Done {
        /// Bytes of the input that were body.
        consumed: usize,
    },
    /// The whole input was body, and more is to come.
    More,
    /// The body is longer than we are willing to read: answer, then close the connection.
    OverLimit,
}

/// Counts a body away. Ask [`BodyDrain::handle`] once before reading: it may be done already.
#[derive(Clone, Debug)]
pub struct BodyDrain {
    kind: Kind,
    /// Bytes, framing included, that may still be read.
    budget: u64,
}

#[derive(Clone, Debug)]
enum Kind {
    Length { left: u64 },
    Chunked(ChunkDecoder),
}

impl BodyDrain {
    /// For a body with this framing, of at most `limit` bytes on the wire.
    #[must_use]
    pub const fn new(framing: BodyFraming, limit: u64) -> Self {
        let kind = match framing {
            BodyFraming::None => Kind::Length { left: 0 },
            BodyFraming::Length(left) => Kind::Length { left },
            BodyFraming::Chunked => Kind::Chunked(ChunkDecoder::new()),
        };
        Self {
            kind,
            budget: limit,
        }
    }

    /// Skips what belongs to the body. A length above the limit is over it at once.
    ///
    /// # Errors
    /// Those of [`ChunkDecoder::handle`].
    pub fn handle(&mut self, bytes: &[u8]) -> Result<Drain, PeerError> {
        match &mut self.kind {
            Kind::Length { left } if *left > self.budget => Ok(Drain::OverLimit),
            Kind::Length { left } => {
                let take = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= take as u64;
                self.budget -= take as u64;
                Ok(if *left == 0 {
                    Drain::Done { consumed: take }
                } else {
                    Drain::More
                })
            }
            Kind::Chunked(decoder) => {
                let mut consumed = 0;
                loop {
                    let step = decoder.handle(bytes.get(consumed..).unwrap_or_default())?;
                    consumed += step.consumed;
                    let Some(budget) = self.budget.checked_sub(step.consumed as u64) else {
                        return Ok(Drain::OverLimit);
                    };
                    self.budget = budget;
                    if step.finished {
                        return Ok(Drain::Done { consumed });
                    }
                    if consumed >= bytes.len() {
                        return Ok(Drain::More);
                    }
                }
            }
        }
    }
}
