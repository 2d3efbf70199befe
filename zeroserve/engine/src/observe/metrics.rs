//! Counters of one event loop. Only the loop writes them, so an add is a load and a store; other
//! threads read them whenever they like.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::Serialize;
use zs_proto::h2::Misuse;

use super::latency::{Histogram, Latency};

#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub(crate) fn subtract(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_sub(n), Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What a request came over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) connections_open: Counter,
    pub(crate) connections: Counter,
    pub(crate) connections_refused: Counter,
    pub(crate) accept_errors: Counter,
    pub(crate) tls_handshakes: Counter,
    pub(crate) tls_failures: Counter,
    /// Connections of others, passed on (`relay`).
    pub(crate) relayed: Counter,
    /// Answered requests by first digit of their status (index 0: 1xx).
    responses: [Counter; 5],
    /// HTTP/2 connections that were ended for a fault of their peer.
    http2_ended: [Counter; Misuse::ALL.len()],
    /// Of them, those over HTTP/2.
    requests_http2: Counter,
    latency: Histogram,
    /// Bytes of bodies.
    pub(crate) bytes_sent: Counter,
    pub(crate) timeouts: Counter,
    pub(crate) cache_bytes: Counter,
    pub(crate) cache_hits: Counter,
    pub(crate) cache_misses: Counter,
    pub(crate) log_lines_dropped: Counter,
    /// Requests answered with 500 because a script failed.
    pub(crate) script_failures: Counter,
    /// Times that a script which went on and on was made to wait.
    pub(crate) script_pauses: Counter,
}

impl Counters {
    /// A request was answered, `duration` after it had come.
    pub(crate) fn answered(&self, protocol: Protocol, status: u16, duration: Duration) {
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        self.responses[class].add(1);
        self.requests_http2
            .add(u64::from(protocol == Protocol::Http2));
        self.latency.observe(duration);
    }

    pub(crate) fn http2_ended(&self, misuse: Misuse) {
        self.http2_ended[misuse as usize].add(1);
    }
}

/// The sum over all loops, as `zs_engine_stats` reports it.
#[derive(Default, Serialize)]
pub(crate) struct Snapshot {
    generation: u64,
    threads: usize,
    pub(crate) threads_running: usize,
    connections_open: u64,
    connections: u64,
    connections_refused: u64,
    accept_errors: u64,
    tls_handshakes: u64,
    tls_failures: u64,
    relayed: u64,
    pub(crate) requests: u64,
    requests_http1: u64,
    pub(crate) requests_http2: u64,
    responses_1xx: u64,
    pub(crate) responses_2xx: u64,
    responses_3xx: u64,
    responses_4xx: u64,
    responses_5xx: u64,
    http2_ended: BTreeMap<&'static str, u64>,
    latency: Latency,
    pub(crate) bytes_sent: u64,
    timeouts: u64,
    pub(crate) cache_bytes: u64,
    cache_hits: u64,
    cache_misses: u64,
    log_lines_dropped: u64,
    script_failures: u64,
    script_pauses: u64,
}

impl Snapshot {
    pub(crate) fn new(generation: u64, threads: usize, threads_running: usize) -> Self {
        Self {
            generation,
            threads,
            threads_running,
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, loop_counters: &Counters) {
        let c = loop_counters;
        let [one, two, three, four, five] = c.responses.each_ref().map(Counter::value);
        let requests = one + two + three + four + five;
        let http2 = c.requests_http2.value().min(requests);
        self.connections_open += c.connections_open.value();
        self.connections += c.connections.value();
        self.connections_refused += c.connections_refused.value();
        self.accept_errors += c.accept_errors.value();
        self.tls_handshakes += c.tls_handshakes.value();
        self.tls_failures += c.tls_failures.value();
        self.relayed += c.relayed.value();
        self.requests += requests;
        self.requests_http1 += requests - http2;
        self.requests_http2 += http2;
        self.responses_1xx += one;
        self.responses_2xx += two;
        self.responses_3xx += three;
        self.responses_4xx += four;
        self.responses_5xx += five;
        for (misuse, counter) in Misuse::ALL.into_iter().zip(&c.http2_ended) {
            *self.http2_ended.entry(misuse.label()).or_default() += counter.value();
        }
        self.latency.add(&c.latency);
        self.bytes_sent += c.bytes_sent.value();
        self.timeouts += c.timeouts.value();
        self.cache_bytes += c.cache_bytes.value();
        self.cache_hits += c.cache_hits.value();
        self.cache_misses += c.cache_misses.value();
        self.log_lines_dropped += c.log_lines_dropped.value();
        self.script_failures += c.script_failures.value();
        self.script_pauses += c.script_pauses.value();
    }
}
