//! The streams that are open, and what is remembered of those that are not (RFC 9113, section 5.1).

use super::fault::Fault;
use super::flow::{ReceiveWindow, SendWindow};
use super::priority::Priority;

/// A stream's number. Never reused within a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(super) u32);

impl StreamId {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Whether body bytes are handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// To the caller, who says when they are consumed.
    Wanted,
    /// To nobody: they are counted and forgotten.
    Unwanted,
}

/// What was sent of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// No final head yet.
    Awaited,
    /// The head; the body is under way.
    Body,
    /// Everything. The stream lives on while the peer still sends.
    Done,
}

/// One open stream.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) id: u32,
    pub(super) send: SendWindow,
    pub(super) receive: ReceiveWindow,
    /// The peer has not ended its side.
    pub(super) peer_open: bool,
    pub(super) answer: Answer,
    pub(super) body: Body,
    /// Bytes of body still to come, if `content-length` said so.
    pub(super) body_left: Option<u64>,
    /// Bytes of body that came after the answer was complete.
    pub(super) unwanted_bytes: u64,
    pub(super) priority: Priority,
    /// The caller has body bytes that wait to be sent.
    pub(super) ready: bool,
    /// When it last had its turn; the lowest goes next.
    pub(super) turn: u64,
}

impl Stream {
    /// DATA came: the declared length must hold (RFC 9113, section 8.1.1).
    pub(super) fn count_body(&mut self, bytes: usize, last: bool) -> Result<(), Fault> {
        let Some(left) = self.body_left else {
            return Ok(());
        };
        let left = left
            .checked_sub(bytes as u64)
            .ok_or(Fault::WrongContentLength)?;
        self.body_left = Some(left);
        if last && left > 0 {
            Err(Fault::WrongContentLength)
        } else {
            Ok(())
        }
    }
}

/// What a stream's number says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not opened yet.
    Idle,
    Open,
    /// We reset it: what is still under way from the peer is ignored.
    ResetByUs,
    /// Both sides ended it, or the peer reset it.
    Closed,
    /// Never opened, and too late for it now.
    Skipped,
    /// Opened after the last one that we said we would answer.
    Ignored,
}

/// How many of the latest streams are remembered after they ended.
const REMEMBERED: u32 = u128::BITS;

/// All streams of a connection.
#[derive(Debug)]
pub(super) struct Streams {
    open: Vec<Stream>,
    /// The highest number that the peer used.
    last: u32,
    /// Of the latest streams, `last` in the lowest bit: whether it was opened.
    opened: u128,
    /// Likewise: whether we reset it.
    reset: u128,
    /// Above this, streams are ignored.
    accept_max: Option<u32>,
}

impl Streams {
    pub(super) const fn new() -> Self {
        Self {
            open: Vec::new(),
            last: 0,
            opened: 0,
            reset: 0,
            accept_max: None,
        }
    }

    /// The connection is over.
    pub(super) fn clear(&mut self) {
        self.open = Vec::new();
    }

    pub(super) const fn last(&self) -> u32 {
        self.last
    }

    pub(super) const fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.open.iter_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.open.iter()
    }

    /// From now on new streams are ignored. Gives the last that is answered.
    pub(super) fn stop_accepting(&mut self) -> u32 {
        *self.accept_max.get_or_insert(self.last)
    }

    /// The peer used a new number; false when a stream with it is to be ignored.
    pub(super) fn use_number(&mut self, id: u32) -> Result<bool, Fault> {
        if id.is_multiple_of(2) || id <= self.last {
            return Err(Fault::BadStreamId);
        }
        let steps = (id - self.last).div_ceil(2);
        self.opened = self.opened.checked_shl(steps).unwrap_or(0) | 1;
        self.reset = self.reset.checked_shl(steps).unwrap_or(0);
        self.last = id;
        Ok(self.accept_max.is_none_or(|max| id <= max))
    }

    pub(super) fn push(&mut self, stream: Stream) {
        self.open.push(stream);
    }

    /// The latest are looked at first: those are answered most of the time.
    #[inline]
    fn place(&self, id: u32) -> Option<usize> {
        self.open.iter().rposition(|stream| stream.id == id)
    }

    #[inline]
    pub(super) fn find(&self, id: u32) -> Option<&Stream> {
        self.open.get(self.place(id)?)
    }

    #[inline]
    pub(super) fn find_mut(&mut self, id: u32) -> Option<&mut Stream> {
        let place = self.place(id)?;
        self.open.get_mut(place)
    }

    /// The stream is over.
    pub(super) fn remove(&mut self, id: u32) -> Option<Stream> {
        let place = self.place(id)?;
        Some(self.open.swap_remove(place))
    }

    /// The stream is over because we said so.
    pub(super) fn remember_reset(&mut self, id: u32) {
        if let Some(bit) = self.bit(id) {
            self.reset |= bit;
        }
    }

    pub(super) fn standing(&self, id: u32) -> Standing {
        if id > self.last || id.is_multiple_of(2) {
            return Standing::Idle;
        }
        if self.place(id).is_some() {
            return Standing::Open;
        }
        if self.accept_max.is_some_and(|max| id > max) {
            return Standing::Ignored;
        }
        match self.bit(id) {
            Some(bit) if self.reset & bit != 0 => Standing::ResetByUs,
            Some(bit) if self.opened & bit == 0 => Standing::Skipped,
            _ => Standing::Closed,
        }
    }

    /// The bit of a number that was used, if it is not forgotten.
    const fn bit(&self, id: u32) -> Option<u128> {
        let steps = (self.last - id) / 2;
        if steps < REMEMBERED {
            Some(1 << steps)
        } else {
            None
        }
    }

    /// Frees what an idle connection does not need.
    pub(super) fn rest(&mut self) {
        if self.open.is_empty() {
            self.open = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_tell_idle_skipped_reset_and_closed_apart() {
        let mut streams = Streams::new();
        assert_eq!(streams.use_number(2), Err(Fault::BadStreamId));
        assert_eq!(streams.use_number(1), Ok(true));
        assert_eq!(streams.use_number(5), Ok(true));
        assert_eq!(streams.use_number(3), Err(Fault::BadStreamId));
        streams.remember_reset(5);
        let standings = [1, 3, 5, 7, 4].map(|id| streams.standing(id));
        assert_eq!(
            standings,
            [
                Standing::Closed,
                Standing::Skipped,
                Standing::ResetByUs,
                Standing::Idle,
                Standing::Idle
            ]
        );
        assert_eq!(streams.stop_accepting(), 5);
        assert_eq!(streams.use_number(601), Ok(false));
        assert_eq!(streams.standing(601), Standing::Ignored);
        assert_eq!(streams.standing(5), Standing::Closed, "long ago");
    }
}
