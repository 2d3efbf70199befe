//! What the access log is told of a finished request.

use std::net::SocketAddr;
use std::time::Duration;

use crate::observe::{Line, Protocol, Requester};
use crate::relay::Relayed;
use crate::request::{Exchange, Origin};
use crate::worker::Worker;

/// The other end, as the log shows it.
pub(crate) struct Peer(Option<SocketAddr>);

impl Peer {
    pub(crate) const fn new(address: Option<SocketAddr>) -> Self {
        Self(address)
    }

    pub(crate) const fn address(&self) -> Option<SocketAddr> {
        self.0
    }

    pub(super) fn text(&self) -> String {
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

/// What is told of an answer when it is over.
pub(super) struct Record {
    /// For the log, when there is one.
    pub(super) requester: Option<Box<Requester>>,
    pub(super) protocol: Protocol,
    pub(super) status: u16,
    /// Of the whole body, sent or not.
    pub(super) body_bytes: u64,
    pub(super) started: Duration,
    pub(super) generation: u64,
}

impl Record {
    /// What `exchange` will have been. Takes its requester out.
    pub(super) fn of(exchange: &mut Exchange, protocol: Protocol) -> Self {
        Self {
            requester: exchange.requester.take(),
            protocol,
            status: exchange.reply.status,
            body_bytes: exchange.reply.body_bytes,
            started: exchange.started,
            generation: exchange.generation.id,
        }
    }

    /// Counts the answer, of whose body `sent` bytes have left, and gives it its line.
    pub(super) fn finish(self, worker: &Worker, peer: &Peer, origin: &Origin, sent: u64) {
        let counters = &worker.counters;
        let duration = worker.clock.turn().saturating_sub(self.started);
        counters.answered(self.protocol, self.status, duration);
        counters.bytes_sent.add(sent);
        let (Some(log), Some(requester)) = (&worker.log, &self.requester) else {
            return;
        };
        log.record(&Line {
            peer: &peer.text(),
            scheme: origin.scheme.as_str(),
            tls: origin.tls.as_deref(),
            date: worker.clock.date(),
            requester,
            status: self.status,
            body_bytes: sent,
            duration,
            generation: self.generation,
        });
    }
}

/// What is told of a relayed connection when it is over: one line, as a request's, in which the method
/// is `RELAY` and the target the upstream. Of what went through it nothing is known.
pub(super) struct RelayRecord {
    started: Duration,
    generation: u64,
}

impl RelayRecord {
    pub(super) fn begin(worker: &Worker) -> Self {
        Self {
            started: worker.clock.turn(),
            generation: worker.generation().id,
        }
    }

    pub(super) fn finish(self, worker: &Worker, peer: &Peer, upstream: &str, relayed: &Relayed) {
        let Some(log) = &worker.log else { return };
        let requester = Requester {
            method: (*b"RELAY").into(),
            target: upstream.as_bytes().into(),
            ..Requester::unknown()
        };
        log.record(&Line {
            peer: &peer.text(),
            scheme: "tls",
            tls: None,
            date: worker.clock.date(),
            requester: &requester,
            status: relayed.status,
            body_bytes: relayed.bytes,
            duration: worker.clock.turn().saturating_sub(self.started),
            generation: self.generation,
        });
    }
}
