//! Skipping a request body that nobody wants, so that the connection can carry the next request.

use super::chunk::{ChunkDecoder, ChunkStep};
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
    reader: Reader,
    /// Bytes, framing included, that may still be read.
    budget: u64,
}

/// Where a body's bytes lie in what was received, however it is delimited.
#[derive(Clone, Debug)]
pub(crate) enum Reader {
    Length { left: u64 },
    Chunked(ChunkDecoder),
}

impl Reader {
    pub(crate) const fn new(framing: BodyFraming) -> Self {
        match framing {
            BodyFraming::None => Self::Length { left: 0 },
            BodyFraming::Length(left) => Self::Length { left },
            BodyFraming::Chunked => Self::Chunked(ChunkDecoder::new()),
        }
    }

    /// Body bytes that are still to come, if that was announced.
    pub(crate) const fn left(&self) -> Option<u64> {
        match self {
            Self::Length { left } => Some(*left),
            Self::Chunked(_) => None,
        }
    }

    /// Reads up to and including the next piece of body, as [`ChunkDecoder::handle`] does.
    pub(crate) fn handle(&mut self, bytes: &[u8]) -> Result<ChunkStep, PeerError> {
        match self {
            Self::Length { left } => {
                let take = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= take as u64;
                Ok(ChunkStep {
                    consumed: take,
                    body: 0..take,
                    finished: *left == 0,
                })
            }
            Self::Chunked(decoder) => decoder.handle(bytes),
        }
    }
}

impl BodyDrain {
    /// For a body with this framing, of at most `limit` bytes on the wire.
    #[must_use]
    pub const fn new(framing: BodyFraming, limit: u64) -> Self {
        Self::resume(Reader::new(framing), limit)
    }

    /// For the rest of a body, of at most `limit` bytes on the wire.
    pub(crate) const fn resume(reader: Reader, limit: u64) -> Self {
        Self {
            reader,
            budget: limit,
        }
    }

    /// Skips what belongs to the body. A length above the limit is over it at once.
    ///
    /// # Errors
    /// Those of [`ChunkDecoder::handle`].
    pub fn handle(&mut self, bytes: &[u8]) -> Result<Drain, PeerError> {
        if self.reader.left().is_some_and(|left| left > self.budget) {
            return Ok(Drain::OverLimit);
        }
        let mut consumed = 0;
        loop {
            let step = self
                .reader
                .handle(bytes.get(consumed..).unwrap_or_default())?;
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
