//! What the access log is told of a finished request.

use std::net::SocketAddr;
use std::time::Duration;

use crate::observe::{Line, Requester};
use crate::worker::Worker;

/// The other end, as the log shows it.
pub(crate) struct Peer(Option<SocketAddr>);

impl Peer {
    pub(crate) const fn new(address: Option<SocketAddr>) -> Self {
        Self(address)
    }

    fn text(&self) -> String {
        match self.0 {
            Some(SocketAddr::V6(v6)) => v6
                .ip()
                .to_ipv4_mapped()
                .map_or_else(|| v6.ip().to_string(), |v4| v4.to_string()),
            Some(SocketAddr::V4(v4)) => v4.ip().to_string(),
            None => "unix".to_owned(),
        }
    }
}

/// One line about a finished request: status, bytes of body, duration, generation.
pub(super) fn log(
    worker: &Worker,
    peer: &Peer,
    scheme: &'static str,
    requester: &Requester,
    (status, body_bytes, duration, generation): (u16, u64, Duration, u64),
) {
    let Some(log) = &worker.log else { return };
    let kept = log.record(&Line {
        peer: &peer.text(),
        scheme,
        date: worker.clock.date(),
        requester,
        status,
        body_bytes,
        duration,
        generation,
    });
    if !kept {
        worker.counters.log_lines_dropped.add(1);
    }
}
