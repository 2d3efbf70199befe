//! Answers of an HTTP/2 connection, from their heads to their ends: begun, queued, given up, accounted for.

use std::collections::VecDeque;
use std::rc::Rc;

use zs_proto::h2::{ErrorCode, StreamId};

use super::Link;
use super::http2::{Http2, TURN_BYTES};
use super::http2_body::{Piece, Sending, pieces};
use super::http2_ledger::Progress;
use super::log_line::Record;
use crate::clock::monotonic_seconds;
use crate::generation::LoopGeneration;
use crate::observe::Protocol;
use crate::reply::{Body, Reply};
use crate::request::Exchange;

impl<L: Link> Http2<'_, L> {
    /// Answers a request as soon as its body has come, if that is worth waiting for.
    pub(super) fn answer(&mut self, stream: StreamId, exchange: Exchange) {
        if self.machine.is_body_coming(stream) {
            if exchange.body_first {
                let until = monotonic_seconds() + self.worker.rules.limits.body_seconds;
                return self.held.hold(self.worker, stream, exchange, until);
            }
            self.machine.discard_body(stream);
        }
        self.begin(stream, exchange);
    }

    /// Sends the head and, if it can be had at once, the body.
    fn begin(&mut self, stream: StreamId, mut exchange: Exchange) {
        let record = Record::of(&mut exchange, Protocol::Http2);
        let Exchange {
            generation, reply, ..
        } = exchange;
        let Reply {
            head,
            body,
            body_bytes,
            ..
        } = reply;
        let mut progress = Progress::default();
        if self.machine.output().capacity() == 0 {
            *self.machine.output() = self.worker.buffers.take(0);
        }
        let Some(head_bytes) = self.machine.send_head(stream, &head, body_bytes == 0) else {
            self.worker.buffers.give(head);
            return self.ledger.over(stream, record, progress);
        };
        if body_bytes == 0 {
            self.worker.buffers.give(head);
            return self.ledger.over(stream, record, progress);
        }
        if let Body::Member {
            member,
            start,
            length,
        } = body
            && let Some(bytes) = generation.bodies.body(member)
        {
            // The usual answer: a hot body that the windows have room for.
            self.worker.counters.cache_hits.add(1);
            self.worker.buffers.give(head);
            let at = usize::try_from(start).unwrap_or(usize::MAX);
            let end = at.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
            let Some(wanted) = bytes.get(at..end) else {
                self.machine.reset(stream, ErrorCode::InternalError);
                return self.ledger.over(stream, record, progress);
            };
            let turn = &wanted[..wanted.len().min(TURN_BYTES)];
            let last = turn.len() == wanted.len();
            let from = self.machine.output().len();
            let taken = self.machine.send_data(stream, turn, last).unwrap_or(0);
            let place = from..self.machine.output().len();
            self.ledger.taken(stream, &mut progress, place, taken);
            if taken == wanted.len() {
                return self.ledger.over(stream, record, progress);
            }
            let piece = Piece::Cached {
                body: bytes,
                at: at + taken,
                end,
            };
            let pieces = VecDeque::from([piece]);
            return self.queue(stream, generation, pieces, record, progress);
        }
        let pieces = pieces(head, head_bytes, body, &self.worker.buffers);
        self.queue(stream, generation, pieces, record, progress);
    }

    fn queue(
        &mut self,
        stream: StreamId,
        generation: Rc<LoopGeneration>,
        pieces: VecDeque<Piece>,
        record: Record,
        progress: Progress,
    ) {
        self.machine.set_ready(stream, true);
        self.sending.push(Sending {
            stream,
            generation,
            pieces,
            record,
            progress,
        });
    }

    /// Where among the answers under way a stream's is.
    pub(super) fn place_of(&self, stream: StreamId) -> Option<usize> {
        self.sending
            .iter()
            .position(|sending| sending.stream == stream)
    }

    /// A stream is gone, and with it what it was to be answered.
    pub(super) fn give_up(&mut self, stream: StreamId) {
        self.running.retain(|each| each.stream != stream);
        if let Some(place) = self.place_of(stream) {
            self.finish_at(place);
        } else if let Some(exchange) = self.held.take(stream) {
            self.unanswered(exchange);
        }
    }

    /// Nothing more of an answer will be sent.
    pub(super) fn finish_at(&mut self, place: usize) {
        let Sending {
            stream,
            record,
            progress,
            ..
        } = self.sending.swap_remove(place);
        self.ledger.over(stream, record, progress);
    }

    /// An answer was never begun, since nobody waits for it any more.
    fn unanswered(&self, mut exchange: Exchange) {
        let record = Record::of(&mut exchange, Protocol::Http2);
        record.finish(self.worker, self.peer, self.origin, 0);
    }

    /// The connection has ended: so have its answers.
    pub(super) fn close_accounts(&mut self) {
        let (worker, peer, origin) = (self.worker, self.peer, self.origin);
        let sending = std::mem::take(&mut self.sending);
        self.ledger.close(sending, |record, bytes| {
            record.finish(worker, peer, origin, bytes);
        });
        for exchange in self.held.take_all() {
            self.unanswered(exchange);
        }
    }
}
