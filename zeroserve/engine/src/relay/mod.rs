//! Other people's connections, copied byte for byte to where they belong: behind a public name there is
//! a server that we are not. In: what the client has sent so far. Out: nothing of our own, ever.

mod splice;
mod upstreams;

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

/// How the client's connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Close,
    /// The other side was cut off, so this one is.
    Reset,
}

/// Copies both ways until both sides have ended, or nothing has moved for the idle time.
pub(crate) async fn run<L: Link>(
    worker: &Rc<Worker>,
    client: &L,
    lifetime: &Lifetime,
    opening: Opening,
    upstream: &str,
) -> Ending {
    // The same first flight several times at once is a circle: the upstream leads back to us.
    let Some(_in_flight) = InFlight::enter(&worker.rules, sha256(&opening.bytes)) else {
        return Ending::Close;
    };
    worker.counters.relayed.add(1);
    lifetime.set_used();
    lifetime.revive(CONNECT_SECONDS);
    let connected = lifetime.guard(connect(worker, upstream)).await;
    let Ok(Some(server)) = connected else {
        return Ending::Close; // as a host does where nobody listens
    };
    let idle_seconds = worker.rules.limits.idle_seconds;
    lifetime.extend(idle_seconds);
    let copied = lifetime
        .guard(async {
            if !opening.bytes.is_empty() {
                send_all(&server, opening.bytes).await.whole()?;
            }
            if opening.closed {
                Link::shutdown(&server);
            }
            splice::both_ways(client, &server, opening.closed, || {
                lifetime.extend(idle_seconds);
            })
            .await
        })
        .await;
    let ending = match copied {
        Ok(Err(_)) => Ending::Reset,
        Ok(Ok(())) | Err(_) => Ending::Close,
    };
    lifetime.revive(CONNECT_SECONDS);
    Link::abort(&server);
    Link::close(server).await;
    ending
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
