//! Where connections are born: accept tasks of one loop on one listening socket.

mod admission;

use std::rc::Rc;
use std::time::Duration;

pub(crate) use admission::Admission;
use compio::runtime::JoinHandle;

use crate::config::Scheme;
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

/// Starts accepting; dropping the handles stops it.
pub(crate) fn accept(
    worker: &Rc<Worker>,
    scheme: Scheme,
    socket: &ListenSocket,
) -> Vec<JoinHandle<()>> {
    (0..ACCEPTS_WAITING)
        .map(|_| compio::runtime::spawn(accept_loop(Rc::clone(worker), scheme, socket.clone())))
        .collect()
}

async fn accept_loop(worker: Rc<Worker>, scheme: Scheme, socket: ListenSocket) {
    loop {
        if let Ok(accepted) = socket.accept().await {
            let address = accepted.peer.map(|peer| peer.ip());
            let admitted = admission::admit(&worker.rules, address);
            let peer = Peer::new(accepted.peer);
            let (worker, stream) = (Rc::clone(&worker), accepted.stream);
            worker.ensure_sweep();
            compio::runtime::spawn(async move {
                match admitted {
                    Some(_admitted) => serve(worker, stream, peer, scheme).await,
                    None => turn_away(&worker, stream, scheme).await,
                }
            })
            .detach();
        } else {
            worker.counters.accept_errors.add(1);
            ring::sleep(ACCEPT_PAUSE).await;
        }
    }
}

/// One connection too many: plain HTTP is told so, a TLS handshake would cost what the limit saves.
async fn turn_away(worker: &Worker, stream: StreamSocket, scheme: Scheme) {
    worker.counters.connections_refused.add(1);
    if scheme == Scheme::Http {
        let _ = stream.send(BUSY).await;
    }
    stream.close().await;
}
