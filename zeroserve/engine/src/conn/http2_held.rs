//! Answers that wait for the end of their request's body. RFC 9113, section 8.1 lets a server answer
//! before that; but some clients (curl 7.88 is one) lose an answer that comes while they send.

use zs_proto::h2::StreamId;

use crate::request::{Exchange, UNWANTED_BODY_BYTES_MAX};
use crate::worker::Worker;

struct Held {
    stream: StreamId,
    exchange: Exchange,
    /// Bytes of the body so far.
    bytes: u64,
    /// Second in which the rest of the body is no longer waited for.
    until: u64,
}

/// The answers of one connection that wait.
#[derive(Default)]
pub(super) struct HeldAnswers(Vec<Held>);

impl HeldAnswers {
    /// Keeps an answer until the body is there, or `until` has come.
    pub(super) fn hold(
        &mut self,
        worker: &Worker,
        stream: StreamId,
        mut exchange: Exchange,
        until: u64,
    ) {
        // It may take a while: what is held should be no larger than what it says.
        let small = exchange.reply.head.as_slice().to_vec();
        let buffer = std::mem::replace(&mut exchange.reply.head, small);
        worker.buffers.give(buffer);
        self.0.push(Held {
            stream,
            exchange,
            bytes: 0,
            until,
        });
    }

    /// A part of a body came: gives its answer if that is due, since the body is complete or longer
    /// than anybody wants to read first.
    pub(super) fn body_came(
        &mut self,
        stream: StreamId,
        bytes: usize,
        ended: bool,
    ) -> Option<Exchange> {
        let place = self.place_of(stream)?;
        let held = self.0.get_mut(place)?;
        held.bytes += bytes as u64;
        let due = ended || held.bytes > UNWANTED_BODY_BYTES_MAX;
        if !due {
            return None;
        }
        let mut exchange = self.0.swap_remove(place).exchange;
        exchange.body_first = false; // not once more
        Some(exchange)
    }

    /// An answer whose body took too long.
    pub(super) fn take_overdue(&mut self, now: u64) -> Option<(StreamId, Exchange)> {
        let place = self.0.iter().position(|held| held.until <= now)?;
        let Held {
            stream,
            mut exchange,
            ..
        } = self.0.swap_remove(place);
        exchange.body_first = false;
        Some((stream, exchange))
    }

    /// The answer of a stream that is gone.
    pub(super) fn take(&mut self, stream: StreamId) -> Option<Exchange> {
        let place = self.place_of(stream)?;
        Some(self.0.swap_remove(place).exchange)
    }

    /// All of them: the connection is over.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Exchange> + use<> {
        std::mem::take(&mut self.0)
            .into_iter()
            .map(|held| held.exchange)
    }

    /// The second in which the first of them is overdue.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.0.iter().map(|held| held.until).min()
    }

    fn place_of(&self, stream: StreamId) -> Option<usize> {
        self.0.iter().position(|held| held.stream == stream)
    }
}
