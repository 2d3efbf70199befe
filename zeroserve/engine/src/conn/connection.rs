//! One connection's walk: receive, open records, parse heads, answer, send, wait. What is decided
//! about a request is decided elsewhere; what happens to bytes happens here.

use std::io;
use std::rc::Rc;

use zs_proto::error::PeerError;
use zs_proto::h1::body::{BodyDrain, Drain};
use zs_proto::h1::parse::{HeadProgress, parse_head};
use zs_proto::h2::Preface;

use super::ledger::Ledger;
use super::lifetime::{Ended, Registered};
use super::log_line::{Record, RelayRecord};
use super::opening::{self, Opened};
use super::scripts::UnreadBody;
use super::session::{Ingested, Session};
use super::{Buffers, Link, Peer};
use crate::config::{Door, Limits};
use crate::observe;
use crate::relay;
use crate::request::{self, Begun, Exchange, Origin};
use crate::worker::Worker;

/// For the peer to read our last answer and close, before we do.
const LINGER_SECONDS: u64 = 3;
/// Read and thrown away while lingering.
const LINGER_BYTES_MAX: usize = 4 << 20;
/// Answers gather up to here before they are sent, when requests are pipelined.
const OUTPUT_HIGH_WATER: usize = 64 << 10;

/// What the deadline is for; it moves only when this changes, so that a trickle of bytes can't hold a
/// connection open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    Handshake,
    Idle,
    Head,
    Body,
    Nothing,
}

impl Waiting {
    const fn seconds(self, limits: &Limits) -> u64 {
        match self {
            Self::Handshake => limits.handshake_seconds,
            Self::Idle => limits.idle_seconds,
            Self::Head => limits.head_seconds,
            Self::Body => limits.body_seconds,
            Self::Nothing => limits.send_seconds,
        }
    }
}

/// How a connection ends.
pub(super) enum End {
    /// The peer is done or idle: goodbye and close.
    Goodbye,
    /// The peer may still be sending: let it read the answer before the socket goes.
    Linger,
    /// The transport is gone or can't be trusted.
    Abort,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Abort
    }
}

impl From<Ended> for End {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Draining => Self::Goodbye,
            Ended::DeadlinePassed => Self::Abort,
        }
    }
}

pub(super) struct Connection<L: Link> {
    pub(super) worker: Rc<Worker>,
    pub(super) link: L,
    pub(super) session: Session<L::Chunk>,
    pub(super) place: Registered,
    pub(super) peer: Peer,
    /// Request bytes, opened and not answered yet, from `consumed` on.
    pub(super) input: Vec<u8>,
    pub(super) consumed: usize,
    /// How far an unfinished head was searched for its end.
    unfinished: Option<HeadProgress>,
    /// The rest of a request body that is being thrown away.
    unwanted_body: Option<BodyDrain>,
    pub(super) waiting: Waiting,
    pub(super) origin: Origin,
    pub(super) ledger: Ledger,
    requests: u64,
    protocol: Protocol,
}

/// Which protocol the peer speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// Known after the handshake; without TLS, by the first bytes.
    Undecided,
    Http1,
    Http2,
}

/// Serves one connection until it ends.
pub(crate) async fn serve<L: Link>(worker: Rc<Worker>, link: L, peer: Peer, door: Door) {
    let place = worker
        .lifetimes
        .register(worker.rules.limits.handshake_seconds);
    worker.counters.connections.add(1);
    let _open = Open::new(&worker);
    match opening::open(&worker, &link, &place.lifetime, door).await {
        Opened::Session {
            session,
            waiting,
            begun,
            input,
            introduced,
        } => {
            let peer = introduced.map_or(peer, |source| Peer::new(Some(source)));
            let mut connection = Connection {
                worker: Rc::clone(&worker),
                link,
                session,
                place,
                origin: Origin::new(door.scheme, peer.address()),
                peer,
                input,
                consumed: 0,
                unfinished: None,
                unwanted_body: None,
                waiting,
                ledger: Ledger::default(),
                requests: 0,
                protocol: Protocol::Undecided,
            };
            let Err(end) = connection.run(begun).await;
            connection.finish(end).await;
        }
        Opened::Relay {
            opening,
            upstream,
            introduced,
        } => {
            let peer = introduced.map_or(peer, |source| Peer::new(Some(source)));
            let session = RelayRecord::begin(&worker);
            let relayed = relay::run(&worker, &link, &place.lifetime, opening, &upstream).await;
            session.finish(&worker, &peer, &upstream, &relayed);
            if relayed.cut {
                link.reset();
            } else {
                link.abort();
            }
            link.close().await;
            drop(place);
        }
        Opened::Gone => {
            link.abort();
            link.close().await;
            drop(place);
        }
    }
}

/// Counts a connection for as long as it is open, also when its task panics.
struct Open(Rc<Worker>);

impl Open {
    fn new(worker: &Rc<Worker>) -> Self {
        worker.counters.connections_open.add(1);
        Self(Rc::clone(worker))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.counters.connections_open.subtract(1);
        self.0.connection_closed();
    }
}

impl<L: Link> Connection<L> {
    /// `begun` is what came of the bytes that there were before.
    async fn run(&mut self, begun: Ingested) -> Result<std::convert::Infallible, End> {
        let mut peer_closed = self.ingested(begun).await?;
        loop {
            match self.protocol() {
                Protocol::Undecided => {}
                Protocol::Http1 => self.answer_buffered().await?,
                Protocol::Http2 => return self.run_http2().await,
            }
            self.flush().await?;
            if peer_closed {
                return Err(End::Goodbye);
            }
            let chunk = self.wait_bytes().await?;
            peer_closed = match chunk {
                None => true,
                Some(chunk) => self.ingest(chunk).await?,
            };
        }
    }

    /// HTTP/2 over TLS is agreed on by ALPN; without TLS a client with prior knowledge says so first
    /// (RFC 9113 section 3.3).
    fn protocol(&mut self) -> Protocol {
        if self.protocol == Protocol::Undecided {
            self.protocol = match &self.session {
                Session::Plain { .. } => match Preface::of(&self.input) {
                    Preface::Http2 => Protocol::Http2,
                    Preface::Partial => Protocol::Undecided,
                    Preface::Other => Protocol::Http1,
                },
                Session::Tls(session) => match session.protocol() {
                    None => Protocol::Undecided,
                    Some(b"h2") => Protocol::Http2,
                    Some(_) => Protocol::Http1,
                },
            };
        }
        self.protocol
    }

    /// Opens what has arrived; true when it was the peer's last.
    pub(super) async fn ingest(&mut self, chunk: L::Chunk) -> Result<bool, End> {
        if self.input.capacity() == 0 {
            self.input = self.worker.buffers.take(0);
        }
        let outcome = self.session.ingest(chunk, &mut self.input);
        self.ingested(outcome).await
    }

    async fn ingested(&mut self, outcome: Ingested) -> Result<bool, End> {
        match outcome {
            Ingested::Open => Ok(false),
            Ingested::PeerClosed => Ok(true),
            Ingested::Established => {
                self.worker.counters.tls_handshakes.add(1);
                if let Session::Tls(session) = &mut self.session {
                    self.origin.tls = Some(Rc::new(session.take_info()));
                }
                self.waiting = Waiting::Nothing;
                Ok(false)
            }
            Ingested::Failed => {
                self.worker.counters.tls_failures.add(1);
                self.flush().await?; // the alert
                Err(End::Linger)
            }
        }
    }

    async fn wait_bytes(&mut self) -> Result<Option<L::Chunk>, End> {
        let waiting = if self.waiting == Waiting::Handshake {
            Waiting::Handshake
        } else if self.unwanted_body.is_some() {
            Waiting::Body
        } else if self.input.is_empty() && !self.session.is_within_record() {
            Waiting::Idle
        } else {
            Waiting::Head
        };
        let idle = waiting == Waiting::Idle;
        if idle {
            if self.worker.draining() && self.requests > 0 {
                return Err(End::Goodbye);
            }
            // An idle connection owns no buffer.
            self.worker.buffers.give(std::mem::take(&mut self.input));
            self.ledger.rest();
        }
        let lifetime = &self.place.lifetime;
        if self.waiting != waiting {
            lifetime.extend(waiting.seconds(&self.worker.rules.limits));
            self.waiting = waiting;
        }
        lifetime.set_idle(idle);
        let received = lifetime.guard(self.link.recv()).await;
        lifetime.set_idle(false);
        match received {
            Ok(chunk) => {
                // A drain or a sweep may have come in the turn that brought these bytes.
                lifetime.clear_ended();
                Ok(chunk?)
            }
            Err(Ended::DeadlinePassed) if waiting == Waiting::Head => {
                self.place.lifetime.revive(LINGER_SECONDS);
                let exchange = request::refuse(&self.worker, PeerError::HeadTimeout);
                self.exchange(exchange).await?;
                Err(End::Goodbye)
            }
            Err(ended) => Err(ended.into()),
        }
    }

    /// Answers every complete request that has arrived.
    async fn answer_buffered(&mut self) -> Result<(), End> {
        loop {
            let bytes = self.input.get(self.consumed..).unwrap_or_default();
            if let Some(drain) = &mut self.unwanted_body {
                match drain.handle(bytes).map_err(|_| End::Linger)? {
                    Drain::Done { consumed } => self.consumed += consumed,
                    Drain::More => {
                        self.input.clear();
                        self.consumed = 0;
                        return Ok(());
                    }
                    Drain::OverLimit => return Err(End::Linger),
                }
                self.unwanted_body = None;
                self.waiting = Waiting::Nothing;
                continue;
            }
            if bytes.is_empty() {
                self.compact();
                return Ok(());
            }
            if let Some(progress) = &mut self.unfinished
                && !progress.handle_bytes(bytes)
            {
                return Ok(());
            }
            let exchange = match parse_head(bytes) {
                Ok(None) => {
                    self.unfinished.get_or_insert_default().handle_bytes(bytes);
                    self.compact();
                    return Ok(());
                }
                Ok(Some((head, length))) => {
                    let generation = self.worker.generation();
                    self.requests += 1;
                    self.place.lifetime.set_used();
                    let share = self.worker.rules.limits.requests_per_connection;
                    let last = share != 0 && self.requests >= share;
                    let begun =
                        request::begin(&self.worker, generation, &head, &self.origin, last, false);
                    self.unfinished = None;
                    match begun {
                        Begun::Answered(exchange) => {
                            self.consumed += length;
                            exchange
                        }
                        Begun::Scripted(scripted, progress) => {
                            let body = UnreadBody::new(head.body, head.expect_continue);
                            self.consumed += length;
                            self.run_scripts(scripted, progress, body).await?
                        }
                    }
                }
                Err(error) => request::refuse(&self.worker, error),
            };
            self.unfinished = None;
            self.waiting = Waiting::Nothing;
            self.exchange(exchange).await?;
            if self.session.output().len() >= OUTPUT_HIGH_WATER {
                self.flush().await?;
            }
        }
    }

    /// Throws consumed bytes away, so that the next ones follow directly.
    pub(super) fn compact(&mut self) {
        if self.consumed >= self.input.len() {
            self.input.clear();
        } else {
            self.input.drain(..self.consumed);
        }
        self.consumed = 0;
    }

    /// Sends one answer, or puts it behind those that wait to be sent.
    pub(super) async fn exchange(&mut self, mut exchange: Exchange) -> Result<(), End> {
        let record = Record::of(&mut exchange, observe::Protocol::Http1);
        let Exchange {
            generation,
            reply,
            keep_alive,
            unwanted_body,
            ..
        } = exchange;
        let waiting = self.session.output().len();
        self.ledger.begin(record, reply.head_bytes(), waiting);
        self.send_reply(&generation, reply).await?;
        self.ledger.complete();
        self.unwanted_body = unwanted_body;
        if keep_alive {
            return Ok(());
        }
        self.session.seal_close(); // with the answer, in one send
        self.flush().await?;
        // The peer may have sent more already: closing over unread bytes would reset the answer.
        Err(End::Linger)
    }

    async fn finish(mut self, end: End) {
        self.place.lifetime.revive(LINGER_SECONDS);
        match end {
            End::Abort => {}
            End::Goodbye | End::Linger => {
                self.session.seal_close();
                let output = std::mem::take(self.session.output());
                let goodbye = self.send(output).await;
                if matches!(end, End::Linger) && goodbye.is_ok() {
                    self.link.shutdown();
                    self.discard().await;
                }
            }
        }
        give_back(&self.worker.buffers, &mut self.input, self.session.output());
        let Self {
            worker,
            link,
            place,
            session,
            peer,
            origin,
            mut ledger,
            ..
        } = self;
        ledger.close(|record, bytes| record.finish(&worker, &peer, &origin, bytes));
        drop(session);
        link.abort();
        link.close().await;
        drop(place);
    }

    /// Reads and forgets, so that closing does not reset the connection under the peer's last read.
    async fn discard(&mut self) {
        let mut bytes = 0;
        while bytes < LINGER_BYTES_MAX {
            match self.place.lifetime.guard(self.link.recv()).await {
                Ok(Ok(Some(chunk))) => bytes += chunk.len(),
                _ => return,
            }
        }
    }
}

fn give_back(buffers: &Buffers, input: &mut Vec<u8>, output: &mut Vec<u8>) {
    buffers.give(std::mem::take(input));
    buffers.give(std::mem::take(output));
}
