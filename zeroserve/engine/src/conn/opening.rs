//! How a connection begins. The first flight of TLS is read whole before TLS sees it: until it is known
//! whose connection it is, nothing may be answered.

use std::net::SocketAddr;
use std::rc::Rc;

use zs_proto::proxy::{self, ProxyHeader};
use zs_proto::tls::flight::{Flight, first_message};

use super::lifetime::{Ended, Lifetime};
use super::session::{Ingested, Session};
use super::{Link, connection::Waiting};
use crate::config::{Door, Scheme};
use crate::relay;
use crate::tls;
use crate::worker::Worker;

/// What a connection turned out to be.
pub(super) enum Opened<C> {
    Session {
        session: Session<C>,
        waiting: Waiting,
        /// What came of the bytes so far.
        begun: Ingested,
        /// Request bytes that have arrived.
        input: Vec<u8>,
        /// Who the peer is, by the word of a proxy.
        introduced: Option<SocketAddr>,
    },
    /// It is for somebody else, who is at `upstream` (`HOST:PORT`).
    Relay {
        opening: relay::Opening,
        upstream: Box<str>,
        introduced: Option<SocketAddr>,
    },
    /// The peer went before there was anything to answer.
    Gone,
}

/// Why no more is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopped {
    /// The first message is there, or can't come any more.
    Whole,
    /// The peer has said that it will send nothing more.
    Closed,
    Late,
    Broken,
}

struct FirstFlight {
    bytes: Vec<u8>,
    /// The message in it; `None` when there is none.
    hello: Option<Vec<u8>>,
    stopped: Stopped,
}

impl FirstFlight {
    /// `bytes` are those that have arrived already.
    async fn read<L: Link>(link: &L, lifetime: &Lifetime, mut bytes: Vec<u8>) -> Self {
        let mut hello = None;
        let stopped = loop {
            match first_message(&bytes) {
                Flight::Incomplete => {}
                Flight::Hello(message) => {
                    hello = Some(message);
                    break Stopped::Whole;
                }
                Flight::NotTls => break Stopped::Whole,
            }
            match lifetime.guard(link.recv()).await {
                Ok(Ok(Some(chunk))) => bytes.extend_from_slice(&chunk),
                Ok(Ok(None)) => break Stopped::Closed,
                Err(Ended::DeadlinePassed) => break Stopped::Late,
                Ok(Err(_)) | Err(Ended::Draining) => break Stopped::Broken,
            }
        };
        Self {
            bytes,
            hello,
            stopped,
        }
    }
}

/// What a proxy says of whom the connection is for, and the bytes behind it. `None` when it says nothing
/// of the kind: the connection is closed then, without an answer.
async fn introduction<L: Link>(
    link: &L,
    lifetime: &Lifetime,
) -> Option<(Vec<u8>, Option<SocketAddr>)> {
    let mut bytes = Vec::new();
    loop {
        let chunk = lifetime.guard(link.recv()).await.ok()?.ok()??;
        bytes.extend_from_slice(&chunk);
        match proxy::parse(&bytes) {
            ProxyHeader::Incomplete => {}
            ProxyHeader::Whole { consumed, source } => {
                bytes.drain(..consumed);
                return Some((bytes, source));
            }
            ProxyHeader::Invalid => return None,
        }
    }
}

/// Reads as much as is needed to know whose connection this is.
pub(super) async fn open<L: Link>(
    worker: &Rc<Worker>,
    link: &L,
    lifetime: &Lifetime,
    door: Door,
) -> Opened<L::Chunk> {
    let (bytes, introduced) = if door.proxy {
        match introduction(link, lifetime).await {
            Some(introduced) => introduced,
            None => return Opened::Gone,
        }
    } else {
        (Vec::new(), None)
    };
    if door.scheme == Scheme::Http {
        return Opened::Session {
            session: Session::Plain { output: Vec::new() },
            waiting: Waiting::Nothing,
            begun: Ingested::Open,
            input: bytes,
            introduced,
        };
    }
    let first = FirstFlight::read(link, lifetime, bytes).await;
    let generation = worker.generation();
    let Some(context) = &generation.tls else {
        return Opened::Gone;
    };
    let unfinished = first.stopped != Stopped::Whole;
    if first.stopped == Stopped::Broken || unfinished && !context.relays() {
        return Opened::Gone;
    }
    let hello = first.hello.as_deref();
    match tls::Session::open_ours(context, &first.bytes, hello) {
        Ok(Some((session, begun))) => Opened::Session {
            session: Session::Tls(Box::new(session)),
            waiting: Waiting::Handshake,
            begun,
            input: Vec::new(),
            introduced,
        },
        Ok(None) => match context.upstream(hello) {
            Some(upstream) => {
                let closed = first.stopped == Stopped::Closed;
                let bytes = first.bytes;
                Opened::Relay {
                    opening: relay::Opening { bytes, closed },
                    upstream,
                    introduced,
                }
            }
            None => Opened::Gone,
        },
        Err(_) => Opened::Gone,
    }
}
