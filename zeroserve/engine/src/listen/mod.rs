//! Where connections are born: accept tasks of one loop on one listening socket.

use std::rc::Rc;
use std::time::Duration;

use compio::runtime::JoinHandle;

use crate::config::Scheme;
use crate::conn::{Peer, serve};
use crate::ring::ListenSocket;
use crate::worker::Worker;

/// Accepts that wait on a socket at once: a burst of connections is taken in by one turn of the loop.
const ACCEPTS_WAITING: usize = 4;
/// Pause after an accept that failed, most often for want of descriptors: they come back when
/// connections end, and trying again at once would only burn CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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
            let peer = Peer::new(accepted.peer);
            let task = serve(Rc::clone(&worker), accepted.stream, peer, scheme);
            compio::runtime::spawn(task).detach();
            worker.ensure_sweep();
        } else {
            worker.counters.accept_errors.add(1);
            compio::time::sleep(ACCEPT_PAUSE).await;
        }
    }
}
