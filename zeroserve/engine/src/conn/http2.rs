//! A connection that speaks HTTP/2: the state machine of `zs_proto::h2` between the session and the
//! answers. All frames of a read are handled in one go; all answers gather and leave as few records.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;

use futures_util::FutureExt as _;
use futures_util::future::{Either, Fuse, FusedFuture as _, select};
use zs_proto::h2::{self, Event, Fault};

use super::answer::{Sent, send_all, send_in_time};
use super::connection::{Connection, End};
use super::http2_body::Sending;
use super::http2_held::HeldAnswers;
use super::http2_ledger::Ledger;
use super::http2_scripts::{Running, add_body};
use super::lifetime::{Ended, Lifetime};
use super::scripts::UnreadBody;
use super::session::{Ingested, Session};
use super::{Link, Peer};
use crate::clock::monotonic_seconds;
use crate::config::Limits;
use crate::request::{self, Begun};
use crate::worker::Worker;

/// Frames gather up to here before they are sealed and sent.
const OUTPUT_HIGH_WATER: usize = 64 << 10;
/// Opened bytes that wait while a send is under way; beyond it the peer has to wait.
const INPUT_BYTES_MAX: usize = 64 << 10;
/// One stream's share of a turn, so that streams of one urgency advance together.
pub(super) const TURN_BYTES: usize = 32 << 10;

/// The part of a connection that HTTP/2 works on; the link is apart, since a receive is always under
/// way on it.
pub(super) struct Http2<'c, L: Link> {
    pub(super) machine: h2::Connection,
    pub(super) worker: &'c Rc<Worker>,
    session: &'c mut Session<L::Chunk>,
    input: &'c mut Vec<u8>,
    pub(super) lifetime: &'c Lifetime,
    pub(super) peer: &'c Peer,
    pub(super) origin: &'c request::Origin,
    pub(super) sending: Vec<Sending>,
    /// Requests that scripts are at.
    pub(super) running: Vec<Running>,
    pub(super) held: HeldAnswers,
    /// Something has arrived since the input was last looked at.
    unhandled: bool,
    pub(super) ledger: Ledger,
    /// Of the output that is being sent, the bytes in front of the frames.
    prefix: usize,
    requests: u64,
    waiting: Waiting,
    /// Second in which the wait began, or something was last achieved.
    since: u64,
    /// A request came, an answer ended or bodies advanced well since the last wait.
    pub(super) achieved: bool,
    /// By how much bodies advanced since that was last achieved.
    pub(super) moved_bytes: usize,
    draining_since: Option<u64>,
}

/// What a turn of the loop has found.
enum Turn {
    /// There is more to send without hearing from the peer.
    Busy,
    /// Nothing moves until the peer says something.
    Waiting,
    Finished,
}

/// What a wait is for; its deadline moves only when this changes or something was achieved, never for
/// frames that keep a connection alive and do nothing else.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// For a request, with none under way.
    Idle,
    /// For the rest of a head.
    Head,
    /// For windows or bodies of streams that are open.
    Streams,
}

impl Waiting {
    const fn seconds(self, limits: &Limits) -> u64 {
        match self {
            Self::Idle => limits.idle_seconds,
            Self::Head => limits.head_seconds,
            Self::Streams => limits.send_seconds,
        }
    }
}

impl<L: Link> Connection<L> {
    /// Serves the rest of the connection as HTTP/2; what has arrived is in the input.
    pub(super) async fn run_http2(&mut self) -> Result<Infallible, End> {
        let Self {
            worker,
            link,
            session,
            place,
            peer,
            input,
            origin,
            ..
        } = self;
        let link = &*link;
        let lifetime = &*place.lifetime;
        let mut http2 = Http2::<L> {
            machine: h2::Connection::new(&h2::Settings::default()),
            worker,
            session,
            input,
            lifetime,
            peer,
            origin,
            sending: Vec::new(),
            running: Vec::new(),
            held: HeldAnswers::default(),
            unhandled: false,
            ledger: Ledger::default(),
            prefix: 0,
            requests: 0,
            waiting: Waiting::Idle,
            since: monotonic_seconds(),
            achieved: false,
            moved_bytes: 0,
            draining_since: None,
        };
        let ended = http2.serve(link).await;
        http2.close_accounts();
        ended
    }
}

impl<L: Link> Http2<'_, L> {
    async fn serve(&mut self, link: &L) -> Result<Infallible, End> {
        let lifetime = self.lifetime;
        let mut receiving = pin!(link.recv().fuse());
        let mut peer_closed = false;
        loop {
            self.handle_input();
            self.run_scripts().await?;
            let turn = self.fill_output().await?;
            if let Some(output) = self.sealed_output()? {
                peer_closed |= self.send(link, output, receiving.as_mut(), L::recv).await?;
            } else {
                self.all_left(); // as with a stream that the peer has given up
            }
            match turn {
                Turn::Finished => return Err(End::Goodbye),
                Turn::Busy => continue,
                Turn::Waiting => {}
            }
            if receiving.is_terminated() && !peer_closed {
                receiving.set(link.recv().fuse());
            }
            if self.unhandled {
                continue; // it came while we were sending, and may be what the streams wait for
            }
            if peer_closed {
                return Err(End::Goodbye);
            }
            self.rest();
            let received = self.wait(receiving.as_mut()).await;
            lifetime.set_idle(false);
            match received {
                Ok(None) => self.achieved = true, // a script can go on
                Ok(Some(chunk)) => {
                    lifetime.clear_ended();
                    peer_closed = self.received(chunk?)?;
                    if !peer_closed {
                        receiving.set(link.recv().fuse());
                    }
                }
                Err(ended) => self.interrupted(ended, link).await?,
            }
        }
    }

    /// Sends `output` while a receive is under way. What that brings is opened at once, since its buffer
    /// belongs to the loop; a peer that floods is not listened to until the send is done. True when the
    /// peer's last bytes came.
    async fn send<'l, F>(
        &mut self,
        link: &'l L,
        output: Vec<u8>,
        mut receiving: Pin<&mut Fuse<F>>,
        again: impl Fn(&'l L) -> F,
    ) -> Result<bool, End>
    where
        F: Future<Output = io::Result<Option<L::Chunk>>>,
    {
        let lifetime = self.lifetime;
        lifetime.extend(self.worker.rules.limits.send_seconds);
        let mut sending = pin!(send_all(link, output));
        let mut peer_closed = false;
        let failure = loop {
            match lifetime
                .guard(select(sending.as_mut(), receiving.as_mut()))
                .await
            {
                Ok(Either::Left((sent, _))) => {
                    let result = self.settle(sent);
                    return result.map(|()| peer_closed);
                }
                Ok(Either::Right((chunk, _))) => {
                    match chunk.map_err(End::from).and_then(|c| self.received(c)) {
                        Ok(closed) => peer_closed |= closed,
                        Err(end) => break end,
                    }
                    if !peer_closed && self.input.len() < INPUT_BYTES_MAX {
                        receiving.set(again(link).fuse());
                    }
                }
                Err(ended) => break ended.into(),
            }
        };
        // The send ends with the link, and tells what has left.
        link.abort();
        let _ = self.settle(sending.await);
        Err(failure)
    }

    /// Keeps account of what has left.
    fn settle(&mut self, sent: Sent) -> Result<(), End> {
        let left = &sent.output[..sent.count];
        if left.len() == sent.output.len() {
            self.all_left();
        } else {
            let frames = left.get(self.prefix..).unwrap_or_default();
            let count = self.session.plaintext_bytes(frames);
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            self.ledger.cut(&mut self.sending, count);
        }
        sent.result?;
        self.worker.buffers.give(sent.output);
        Ok(())
    }

    /// Nothing waits in the output.
    fn all_left(&mut self) {
        let (worker, peer, origin) = (self.worker, self.peer, self.origin);
        self.ledger.all_left(&mut self.sending, |record, bytes| {
            record.finish(worker, peer, origin, bytes);
        });
    }

    /// Opens what has arrived; true when it was the peer's last.
    fn received(&mut self, chunk: Option<L::Chunk>) -> Result<bool, End> {
        let Some(chunk) = chunk else { return Ok(true) };
        self.unhandled = true;
        if self.input.capacity() == 0 {
            *self.input = self.worker.buffers.take(0);
        }
        match self.session.ingest(chunk, self.input) {
            Ingested::Open | Ingested::Established => Ok(false),
            Ingested::PeerClosed => Ok(true),
            Ingested::Failed => Err(End::Abort),
        }
    }

    /// Answers what has arrived.
    fn handle_input(&mut self) {
        let now = monotonic_seconds();
        self.announce_drain(now);
        self.unhandled = false;
        let mut consumed = 0;
        loop {
            let step = self.machine.handle_bytes(now, &self.input[consumed..]);
            consumed += step.consumed;
            let (stream, exchange) = match step.event {
                None => break,
                Some(Event::Request {
                    stream,
                    head,
                    end_stream,
                }) => {
                    self.achieved = true;
                    self.requests += 1;
                    self.lifetime.set_used();
                    let generation = self.worker.generation();
                    match request::begin(self.worker, generation, &head, self.origin, false, true) {
                        Begun::Answered(exchange) => (stream, exchange),
                        Begun::Scripted(scripted, progress) => {
                            let body = UnreadBody::new(head.body, head.expect_continue);
                            let body = (!end_stream).then_some(&body);
                            self.begin_scripted(stream, scripted, progress, body);
                            continue;
                        }
                    }
                }
                Some(Event::Refused { stream, error }) => {
                    self.achieved = true;
                    (stream, request::refuse(self.worker, error))
                }
                Some(Event::Gone { stream, .. }) => {
                    self.give_up(stream);
                    continue;
                }
                Some(Event::Data {
                    stream,
                    bytes,
                    end_stream,
                }) => {
                    let count = bytes.len();
                    add_body(&mut self.running, stream, bytes, end_stream);
                    self.machine.body_consumed(stream, count);
                    match self.held.body_came(stream, count, end_stream) {
                        Some(exchange) => (stream, exchange),
                        None => continue,
                    }
                }
                Some(Event::Trailers { stream, .. }) => {
                    add_body(&mut self.running, stream, &[], true);
                    match self.held.body_came(stream, 0, true) {
                        Some(exchange) => (stream, exchange),
                        None => continue,
                    }
                }
                Some(Event::Failed { fault }) => {
                    self.misused(fault);
                    continue;
                }
                Some(Event::Pong { .. } | Event::PeerGoesAway { .. }) => continue,
            };
            self.answer(stream, exchange);
        }
        self.input.drain(..consumed);
    }

    /// Whether the server drains, or the connection has had its share of requests.
    fn is_leaving(&self) -> bool {
        let share = self.worker.rules.limits.requests_per_connection;
        self.worker.draining() || (share != 0 && self.requests >= share)
    }

    /// Tells the peer that we go away: in two steps, so that requests that are on their way are still
    /// answered (RFC 9113 section 6.8). The second does not wait for the peer.
    fn announce_drain(&mut self, now: u64) {
        if !self.is_leaving() {
            return;
        }
        match self.draining_since {
            None => {
                self.draining_since = Some(now);
                self.machine.drain();
            }
            Some(since) if now > since => self.machine.finish_drain(),
            Some(_) => {}
        }
    }

    /// Gives streams their turns until enough has gathered, or nothing can move.
    async fn fill_output(&mut self) -> Result<Turn, End> {
        while self.machine.output().len() < OUTPUT_HIGH_WATER {
            let Some((stream, room)) = self.machine.poll_writable() else {
                return Ok(if self.machine.is_finished() {
                    Turn::Finished
                } else {
                    Turn::Waiting
                });
            };
            let Some(place) = self.place_of(stream) else {
                self.machine.set_ready(stream, false);
                continue;
            };
            self.advance(place, room.min(TURN_BYTES)).await?;
        }
        Ok(Turn::Busy)
    }

    /// What has gathered, sealed.
    fn sealed_output(&mut self) -> Result<Option<Vec<u8>>, End> {
        let gathered = self.machine.output();
        if gathered.is_empty() && self.session.output().is_empty() {
            return Ok(None);
        }
        let output = self.session.output();
        if output.capacity() == 0 {
            *output = self.worker.buffers.take(gathered.len() + 1024);
        }
        self.prefix = output.len();
        if !self.session.seal(gathered) {
            return Err(End::Abort);
        }
        gathered.clear();
        Ok(Some(std::mem::take(self.session.output())))
    }

    /// Before a wait: sets its deadline, and frees what an idle connection doesn't need.
    fn rest(&mut self) {
        let now = monotonic_seconds();
        let open = self.machine.open_streams();
        let begun = !self.input.is_empty() || self.session.is_within_record();
        let waiting = if self.machine.is_gathering() || (open == 0 && begun) {
            Waiting::Head
        } else if open > 0 {
            Waiting::Streams
        } else {
            Waiting::Idle
        };
        if waiting != self.waiting || std::mem::take(&mut self.achieved) {
            self.since = now;
            self.waiting = waiting;
        }
        let deadline = self.deadline();
        let deadline = self.held.deadline().map_or(deadline, |at| at.min(deadline));
        // In a drain every wait is short: the second announcement must not wait for the peer.
        let drains = self.draining_since.is_some() && !self.machine.is_finished();
        self.lifetime.set_deadline(if drains {
            deadline.min(now + 1)
        } else {
            deadline
        });
        if waiting == Waiting::Idle {
            self.machine.rest();
            self.ledger.rest();
            self.worker
                .buffers
                .give(std::mem::take(self.machine.output()));
            self.worker.buffers.give(std::mem::take(self.input));
        }
        // A drain wakes every connection that waits: it has something to say.
        self.lifetime.set_idle(true);
    }

    /// The second in which the wait under way has lasted too long.
    fn deadline(&self) -> u64 {
        self.since + self.waiting.seconds(&self.worker.rules.limits)
    }

    /// A wait was cut short: by a drain, which is announced and goes on; by a deadline, which ends it.
    async fn interrupted(&mut self, ended: Ended, link: &L) -> Result<(), End> {
        let now = monotonic_seconds();
        if self.answer_overdue(now) {
            self.lifetime.revive(self.worker.rules.limits.send_seconds);
            return Ok(());
        }
        let in_time = now < self.deadline();
        if self.is_leaving() && (ended == Ended::Draining || in_time) {
            self.lifetime.revive(self.worker.rules.limits.send_seconds);
            if self.draining_since.is_some() {
                self.machine.finish_drain();
            }
            return Ok(());
        }
        if self.waiting == Waiting::Streams && self.machine.is_blocked() {
            self.machine.fail(Fault::Stalled);
            self.misused(Fault::Stalled);
        }
        self.machine.drain();
        self.machine.finish_drain();
        self.lifetime.revive(1);
        if let Ok(Some(output)) = self.sealed_output() {
            let (sent, _) = send_in_time(link, self.lifetime, output).await;
            let _ = self.settle(sent);
        }
        Err(End::Abort)
    }

    /// Answers the requests whose body did not come in time; false when there are none.
    fn answer_overdue(&mut self, now: u64) -> bool {
        let mut any = false;
        while let Some((stream, exchange)) = self.held.take_overdue(now) {
            self.answer(stream, exchange);
            any = true;
        }
        any
    }

    /// The connection ends for what its peer did: that is counted, and said.
    fn misused(&self, fault: Fault) {
        self.worker.counters.http2_ended(fault.into());
        let text = || format!("HTTP/2 connection of {} ended: {fault}", self.peer.text());
        self.worker
            .diagnostics
            .about_peer(monotonic_seconds(), text);
    }
}
