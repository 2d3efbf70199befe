//! From a request's head to an answer. In: a head, the generation that answers it whole. Out: an
//! exchange for the connection to carry out. Reads no socket and no file.

mod dispatch;
mod scripted;
mod slices;

use std::cell::OnceCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use dispatch::Admitted;
pub(crate) use scripted::{Progress, Scripted};
pub(crate) use slices::PAUSE;

use zs_chain::ProcessorTime;
use zs_proto::error::PeerError;
use zs_proto::h1::body::BodyDrain;
use zs_proto::message::{BodyFraming, RequestHead, Version};

use crate::clock;
use crate::config::Scheme;
use crate::generation::LoopGeneration;
use crate::observe::Requester;
use crate::reply::{self, ConnectionField, Opening, Reply};
use crate::tls::ConnectionInfo;
use crate::worker::Worker;

/// Whom a unix socket's peer is to scripts.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// A body that nobody wants is read away up to here, so that the connection can go on; beyond it,
/// closing is cheaper for both sides.
pub(crate) const UNWANTED_BODY_BYTES_MAX: u64 = 1 << 20;

/// What is known of a request before its first byte: how its connection came about.
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    pub(crate) peer: Option<SocketAddr>,
    /// What is known of the TLS connection, once its handshake is done.
    pub(crate) tls: Option<Rc<ConnectionInfo>>,
    /// All that for scripts, made when the first one runs.
    pub(crate) described: OnceCell<Arc<zs_chain::Connection>>,
}

impl Origin {
    pub(crate) const fn new(scheme: Scheme, peer: Option<SocketAddr>) -> Self {
        Self {
            scheme,
            peer,
            tls: None,
            described: OnceCell::new(),
        }
    }

    /// The name that the TLS connection was opened for, in lower case.
    pub(crate) fn server_name(&self) -> Option<&str> {
        self.tls.as_ref()?.sni_inner.as_deref()
    }

    fn described(&self) -> &Arc<zs_chain::Connection> {
        self.described.get_or_init(|| {
            let info = self.tls.as_deref();
            let text =
                |field: fn(&ConnectionInfo) -> Option<&str>| info.and_then(field).map(Into::into);
            Arc::new(zs_chain::Connection {
                peer: self.peer.unwrap_or(NOBODY),
                tls: self.scheme == Scheme::Https,
                alpn: text(|info| info.alpn),
                sni_inner: text(|info| info.sni_inner.as_deref()),
                sni_outer: text(|info| info.sni_outer.as_deref()),
                ech_accepted: info.and_then(|info| info.ech),
                ja4: text(|info| info.ja4.as_deref()),
                ja4_inner: text(|info| info.ja4_inner.as_deref()),
            })
        })
    }
}

/// One request's answer, and what happens to the connection then.
pub(crate) struct Exchange {
    pub(crate) generation: Rc<LoopGeneration>,
    pub(crate) reply: Reply,
    pub(crate) keep_alive: bool,
    pub(crate) unwanted_body: Option<BodyDrain>,
    /// HTTP/2: the answer may wait for the body's end. Not for a body that is known to be long, nor
    /// for a client that waits for the answer itself.
    pub(crate) body_first: bool,
    /// For the log, when there is one.
    pub(crate) requester: Option<Box<Requester>>,
    pub(crate) started: Duration,
}

/// A request that is answered, or one whose scripts had not answered after their first step.
#[allow(
    clippy::large_enum_variant,
    reason = "nearly always it is the large one, and it is never stored"
)]
pub(crate) enum Begun {
    Answered(Exchange),
    Scripted(Box<Scripted>, Progress),
}

/// Answers `head` from `generation`, or begins to; `last` when the connection has had its share of requests.
pub(crate) fn begin(
    worker: &Worker,
    generation: Rc<LoopGeneration>,
    head: &RequestHead<'_>,
    origin: &Origin,
    last: bool,
    http2: bool,
) -> Begun {
    let mut scripted = match admit(worker, generation, head, origin, last, http2) {
        Start::Answered(exchange) => return Begun::Answered(exchange),
        Start::Scripted(scripted) => scripted,
    };
    match scripted.step(worker, Some(head)) {
        Progress::Done(exchange) => Begun::Answered(exchange),
        progress => Begun::Scripted(Box::new(scripted), progress),
    }
}

/// A request before its scripts.
#[allow(
    clippy::large_enum_variant,
    reason = "it is taken apart at once: a box would cost each request with scripts"
)]
pub(crate) enum Start {
    Answered(Exchange),
    Scripted(Scripted),
}

/// As [`begin`], without the scripts' first step.
#[inline]
pub(crate) fn admit(
    worker: &Worker,
    generation: Rc<LoopGeneration>,
    head: &RequestHead<'_>,
    origin: &Origin,
    last: bool,
    http2: bool,
) -> Start {
    let manner = Manner::new(worker, head, last, http2);
    let opening = manner.opening(worker, false);
    let reply = match dispatch::admit(worker, &generation, head, origin, opening) {
        Ok(Admitted::Reply(reply)) => Ok(reply),
        Ok(Admitted::Root(root)) => match &generation.site.root_at(root).scripts {
            Some(scripts) if !scripts.is_empty() => {
                let traced = worker.rules.naming.traced;
                let notes = traced.then_some(clock::processor_nanoseconds as ProcessorTime);
                let pool = &worker.scripts;
                let execution = pool.begin(scripts, head, http2, origin.described(), notes);
                let slice = worker.rules.time_slice;
                let scripted = Scripted::new(generation, root, execution, manner, slice);
                return Start::Scripted(scripted);
            }
            _ => dispatch::resolve(worker, &generation, root, head, opening, false),
        },
        Err(error) => Err(error),
    };
    Start::Answered(manner.exchange(worker, generation, reply, false))
}

/// How a request's answer is framed and logged, whatever it will be.
pub(crate) struct Manner {
    version: Version,
    /// The client's wish, and ours, apart from the body.
    keep_alive: bool,
    framing: BodyFraming,
    /// The client holds the body back until it is told to go on.
    expect_continue: bool,
    requester: Option<Box<Requester>>,
    started: Duration,
}

impl Manner {
    fn new(worker: &Worker, head: &RequestHead<'_>, last: bool, http2: bool) -> Self {
        Self {
            version: head.version,
            keep_alive: head.keep_alive && !last,
            framing: head.body,
            expect_continue: head.expect_continue,
            requester: worker
                .log
                .is_some()
                .then(|| Box::new(requester(head, http2))),
            started: worker.clock.turn(),
        }
    }

    /// `body_read`: none of the body is left on the connection.
    fn keeps_alive(&self, worker: &Worker, body_read: bool) -> bool {
        self.keep_alive && (body_read || self.is_body_short()) && !worker.draining()
    }

    /// Whether the body may be short enough to be read away, and comes without being asked for.
    const fn is_body_short(&self) -> bool {
        let too_long =
            matches!(self.framing, BodyFraming::Length(bytes) if bytes > UNWANTED_BODY_BYTES_MAX);
        !too_long && !self.expect_continue
    }

    fn opening(&self, worker: &Worker, body_read: bool) -> Opening {
        let connection = match (self.keeps_alive(worker, body_read), self.version) {
            (false, _) => ConnectionField::Close,
            (true, Version::Http10) => ConnectionField::KeepAlive,
            (true, Version::Http11) => ConnectionField::Silent,
        };
        Opening {
            date: worker.clock.date(),
            connection,
        }
    }

    #[inline]
    fn exchange(
        self,
        worker: &Worker,
        generation: Rc<LoopGeneration>,
        reply: Result<Reply, PeerError>,
        body_read: bool,
    ) -> Exchange {
        let (reply, keep_alive) = match reply {
            Ok(reply) => (reply, self.keeps_alive(worker, body_read)),
            Err(error) => (refusal(worker, error), false),
        };
        Exchange {
            reply,
            keep_alive,
            body_first: self.is_body_short(),
            unwanted_body: match self.framing {
                BodyFraming::None | BodyFraming::Length(0) => None,
                _ if body_read => None,
                framing => Some(BodyDrain::new(framing, UNWANTED_BODY_BYTES_MAX)),
            },
            requester: self.requester,
            started: self.started,
            generation,
        }
    }
}

/// Answers bytes that are not a request, after which the connection can't be trusted to be in step.
pub(crate) fn refuse(worker: &Worker, error: PeerError) -> Exchange {
    Exchange {
        generation: worker.generation(),
        reply: refusal(worker, error),
        keep_alive: false,
        // More of it may be under way: the peer must be let to read the answer.
        unwanted_body: Some(BodyDrain::new(BodyFraming::Chunked, 0)),
        body_first: false,
        requester: worker.log.is_some().then(|| Box::new(Requester::unknown())),
        started: worker.clock.turn(),
    }
}

fn refusal(worker: &Worker, error: PeerError) -> Reply {
    let opening = Opening {
        date: worker.clock.date(),
        connection: ConnectionField::Close,
    };
    reply::refusal(worker.buffers.take(0), opening, error)
}

/// Below this the probe's path is a secret; what comes near it may be a mistyped one.
const SECRET_PREFIX: &[u8] = b"/.zeroserve/probe/";

fn loggable(target: &[u8]) -> &[u8] {
    let secret = target
        .windows(SECRET_PREFIX.len())
        .any(|window| window.eq_ignore_ascii_case(SECRET_PREFIX));
    if secret {
        b"/.zeroserve/probe/[secret]"
    } else {
        target
    }
}

fn requester(head: &RequestHead<'_>, http2: bool) -> Requester {
    Requester {
        method: head.method.as_bytes().into(),
        target: loggable(head.target).into(),
        version: match (http2, head.version) {
            (true, _) => "HTTP/2.0",
            (false, Version::Http10) => "HTTP/1.0",
            (false, Version::Http11) => "HTTP/1.1",
        },
        referer: head.referer.unwrap_or_default().into(),
        user_agent: head.user_agent.unwrap_or_default().into(),
    }
}
