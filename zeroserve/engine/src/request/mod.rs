//! From a request's head to an answer. In: a head, the generation that answers it whole. Out: an
//! exchange for the connection to carry out. Reads no socket and no file.

mod dispatch;

use std::rc::Rc;
use std::time::Duration;

use zs_proto::error::PeerError;
use zs_proto::h1::body::BodyDrain;
use zs_proto::message::{BodyFraming, RequestHead, Version};

use crate::clock::monotonic;
use crate::config::Scheme;
use crate::generation::LoopGeneration;
use crate::observe::Requester;
use crate::reply::{self, ConnectionField, Opening, Reply};
use crate::tls::ConnectionInfo;
use crate::worker::Worker;

/// A body that nobody wants is read away up to here, so that the connection can go on; beyond it,
/// closing is cheaper for both sides.
const UNWANTED_BODY_BYTES_MAX: u64 = 1 << 20;

/// What is known of a request before its first byte: how its connection came about.
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    /// What is known of the TLS connection, once its handshake is done.
    pub(crate) tls: Option<Rc<ConnectionInfo>>,
}

impl Origin {
    /// The name that the TLS connection was opened for, in lower case.
    pub(crate) fn server_name(&self) -> Option<&str> {
        self.tls.as_ref()?.sni_inner.as_deref()
    }
}

/// One request's answer, and what happens to the connection then.
pub(crate) struct Exchange {
    pub(crate) generation: Rc<LoopGeneration>,
    pub(crate) reply: Reply,
    pub(crate) keep_alive: bool,
    pub(crate) unwanted_body: Option<BodyDrain>,
    /// For the log, when there is one.
    pub(crate) requester: Option<Requester>,
    pub(crate) started: Duration,
}

/// Answers `head` from `generation`; `last` when the connection has had its share of requests.
pub(crate) fn answer(
    worker: &Worker,
    generation: Rc<LoopGeneration>,
    head: &RequestHead<'_>,
    origin: &Origin,
    last: bool,
) -> Exchange {
    let too_long =
        matches!(head.body, BodyFraming::Length(bytes) if bytes > UNWANTED_BODY_BYTES_MAX);
    let keep_alive =
        head.keep_alive && !last && !worker.draining() && !too_long && !head.expect_continue;
    let connection = match (keep_alive, head.version) {
        (false, _) => ConnectionField::Close,
        (true, Version::Http10) => ConnectionField::KeepAlive,
        (true, Version::Http11) => ConnectionField::Silent,
    };
    let opening = Opening {
        date: worker.clock.date(),
        connection,
    };
    let (reply, keep_alive) = match dispatch::dispatch(worker, &generation, head, origin, opening) {
        Ok(reply) => (reply, keep_alive),
        Err(error) => (refusal(worker, error), false),
    };
    let logged = worker.log.is_some();
    Exchange {
        reply,
        keep_alive,
        unwanted_body: match head.body {
            BodyFraming::None | BodyFraming::Length(0) => None,
            framing => Some(BodyDrain::new(framing, UNWANTED_BODY_BYTES_MAX)),
        },
        requester: logged.then(|| requester(head)),
        started: if logged { monotonic() } else { Duration::ZERO },
        generation,
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
        requester: worker.log.is_some().then(Requester::unknown),
        started: monotonic(),
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

fn requester(head: &RequestHead<'_>) -> Requester {
    Requester {
        method: head.method.as_bytes().into(),
        target: loggable(head.target).into(),
        version: match head.version {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        },
        referer: head.referer.unwrap_or_default().into(),
        user_agent: head.user_agent.unwrap_or_default().into(),
    }
}
