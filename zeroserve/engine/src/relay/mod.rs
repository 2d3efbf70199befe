//! Other people's connections, copied byte for byte to where they belong: behind a public name there is
//! a server that we are not. In: what the client has sent so far. Out: nothing of our own, ever.

mod splice;
mod upstreams;

use std::cell::Cell;
use std::rc::Rc;

use boring::sha::sha256;
pub(crate) use upstreams::{InFlight, Upstreams};

use crate::conn::{Lifetime, Link, send_all};
use crate::ring::StreamSocket;
use crate::worker::Worker;

/// For the upstream to take a connection, over all its addresses.
const CONNECT_SECONDS: u64 = 10;

/// What a client has sent before it was known to be somebody else's.
pub(crate) struct Opening {
    pub(crate) bytes: Vec<u8>,
    /// It will send nothing more.
    pub(crate) closed: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Relayed {
    /// As an HTTP gateway would say it: 200, 502 when nobody is there, 508 for a circle.
    pub(crate) status: u16,
    /// Bytes that the client was sent.
    pub(crate) bytes: u64,
    /// One side was cut off, so the other is to be.
    pub(crate) cut: bool,
}

impl Relayed {
    /// Nothing was copied: the client sees a plain close, as from a host where nobody listens.
    const fn not(status: u16) -> Self {
        Self {
            status,
            bytes: 0,
            cut: false,
        }
    }
}

/// Copies both ways until both sides have ended, or nothing has moved for the idle time.
pub(crate) async fn run<L: Link>(
    worker: &Rc<Worker>,
    client: &L,
    lifetime: &Lifetime,
    opening: Opening,
    upstream: &str,
) -> Relayed {
    // The same first flight several times at once is a circle: the upstream leads back to us.
    let Some(_in_flight) = InFlight::enter(&worker.rules, sha256(&opening.bytes)) else {
        return Relayed::not(508);
    };
    worker.counters.relayed.add(1);
    lifetime.set_used();
    lifetime.revive(CONNECT_SECONDS);
    let connected = lifetime.guard(connect(worker, upstream)).await;
    let Ok(Some(server)) = connected else {
        return Relayed::not(502);
    };
    let idle_seconds = worker.rules.limits.idle_seconds;
    lifetime.extend(idle_seconds);
    let sent = Cell::new(0);
    let copied = lifetime
        .guard(async {
            if !opening.bytes.is_empty() {
                send_all(&server, opening.bytes).await.whole()?;
            }
            if opening.closed {
                Link::shutdown(&server);
            }
            splice::both_ways(client, &server, opening.closed, &sent, || {
                lifetime.extend(idle_seconds);
            })
            .await
        })
        .await;
    lifetime.revive(CONNECT_SECONDS);
    Link::abort(&server);
    Link::close(server).await;
    Relayed {
        status: 200,
        bytes: sent.get(),
        cut: matches!(copied, Ok(Err(_))),
    }
}

async fn connect(worker: &Worker, upstream: &str) -> Option<StreamSocket> {
    let addresses = worker.upstreams.addresses(upstream).await?;
    for &address in addresses.iter() {
        if let Ok(stream) = StreamSocket::connect(address).await {
            return Some(stream);
        }
    }
    None
}
