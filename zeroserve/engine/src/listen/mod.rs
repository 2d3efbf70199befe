//! Where connections are born: accept tasks of one loop on one listening socket.

mod admission;

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

pub(crate) use admission::Admission;
use compio::runtime::JoinHandle;

use crate::config::{Door, Scheme};
use crate::conn::{Peer, serve};
use crate::ring::{self, ListenSocket, StreamSocket};
use crate::worker::Worker;

/// Accepts that wait on a socket at once: a burst of connections is taken in by one turn of the loop.
const ACCEPTS_WAITING: usize = 4;
/// Pause after an accept that failed, most often for want of descriptors: they come back when
/// connections end, and trying again at once would only burn CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nServer: zeroserve\r\nRetry-After: 1\r\n\
    Content-Length: 0\r\nConnection: close\r\n\r\n";

/// For a client that is turned away to read why, before its socket goes.
const TURNED_AWAY_SECONDS: u64 = 1;
/// Read of it meanwhile, and thrown away: closing before that resets the connection under the answer.
const TURNED_AWAY_BYTES_MAX: usize = 64 << 10;
/// So many at once on one socket; more are closed at once, or they would be what the limit is against.
const TURNED_AWAY_MAX: usize = 64;

/// Starts accepting; dropping the handles stops it.
pub(crate) fn accept(
    worker: &Rc<Worker>,
    door: Door,
    socket: &ListenSocket,
) -> Vec<JoinHandle<()>> {
    let leaving = Rc::new(Cell::new(0));
    (0..ACCEPTS_WAITING)
        .map(|_| {
            let (worker, leaving) = (Rc::clone(worker), Rc::clone(&leaving));
            compio::runtime::spawn(accept_loop(worker, door, socket.clone(), leaving))
        })
        .collect()
}

/// `leaving` counts the clients of this socket that are being turned away.
async fn accept_loop(
    worker: Rc<Worker>,
    door: Door,
    socket: ListenSocket,
    leaving: Rc<Cell<usize>>,
) {
    loop {
        if let Ok(accepted) = socket.accept().await {
            let address = accepted.peer.map(|peer| peer.ip());
            if door.proxy && !may_introduce(&worker, address) {
                worker.counters.connections_refused.add(1);
                compio::runtime::spawn(accepted.stream.close()).detach();
                continue;
            }
            // Behind a proxy the address is the proxy's, which all its clients share.
            let counted = address.filter(|_| !door.proxy);
            let admitted = admission::admit(&worker.rules, counted);
            let peer = Peer::new(accepted.peer);
            let (worker, stream) = (Rc::clone(&worker), accepted.stream);
            let leaving = Rc::clone(&leaving);
            worker.ensure_sweep();
            compio::runtime::spawn(async move {
                match admitted {
                    Some(_admitted) => serve(worker, stream, peer, door).await,
                    None => turn_away(&worker, stream, door.scheme, &leaving).await,
                }
            })
            .detach();
        } else {
            worker.counters.accept_errors.add(1);
            ring::sleep(ACCEPT_PAUSE).await;
        }
    }
}

/// Whether a proxy at this address is believed. Who may open our unix socket is the file's matter.
fn may_introduce(worker: &Worker, address: Option<IpAddr>) -> bool {
    let trusted = &worker.rules.proxy_from;
    address.is_none_or(|address| trusted.iter().any(|network| network.contains(address)))
}

/// One connection too many: plain HTTP is told so, a TLS handshake would cost what the limit saves.
async fn turn_away(worker: &Worker, stream: StreamSocket, scheme: Scheme, leaving: &Cell<usize>) {
    worker.counters.connections_refused.add(1);
    if scheme == Scheme::Http && leaving.get() < TURNED_AWAY_MAX {
        leaving.set(leaving.get() + 1);
        let place = worker.lifetimes.register(TURNED_AWAY_SECONDS);
        place.lifetime.set_idle(true); // a drain need not wait for it
        place.lifetime.set_used();
        let _ = place.lifetime.guard(tell_busy(&stream)).await;
        leaving.set(leaving.get() - 1);
        drop(place);
        worker.connection_closed();
    }
    stream.abort();
    stream.close().await;
}

async fn tell_busy(stream: &StreamSocket) {
    if stream.send(BUSY).await.0.is_err() {
        return;
    }
    stream.shutdown();
    let mut bytes = 0;
    while bytes < TURNED_AWAY_BYTES_MAX {
        match stream.recv().await {
            Ok(Some(chunk)) => bytes += chunk.len(),
            _ => return,
        }
    }
}
