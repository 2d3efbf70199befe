//! How long requests take, as a histogram of Prometheus counts it.

use std::time::Duration;

use serde::Serialize;

use super::metrics::Counter;

/// Upper bounds in nanoseconds, 50 µs to 10 s; what took longer is in one bucket more.
const BOUNDS_NS: [u64; 17] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];
const BUCKETS: usize = BOUNDS_NS.len() + 1;

#[derive(Default)]
pub(super) struct Histogram {
    buckets: [Counter; BUCKETS],
    sum_ns: Counter,
}

impl Histogram {
    pub(super) fn observe(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        // Most requests are in the first buckets, so a walk from there is quicker than a search.
        let bucket = BOUNDS_NS
            .iter()
            .position(|bound| ns <= *bound)
            .unwrap_or(BOUNDS_NS.len());
        self.buckets[bucket].add(1);
        self.sum_ns.add(ns);
    }
}

/// The sum over all loops. `counts` are those of the buckets alone, the last without a bound.
#[derive(Serialize)]
pub(super) struct Latency {
    bounds_seconds: [f64; BOUNDS_NS.len()],
    counts: [u64; BUCKETS],
    sum_seconds: f64,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            bounds_seconds: BOUNDS_NS.map(seconds),
            counts: [0; BUCKETS],
            sum_seconds: 0.0,
        }
    }
}

impl Latency {
    pub(super) fn add(&mut self, histogram: &Histogram) {
        for (sum, bucket) in self.counts.iter_mut().zip(&histogram.buckets) {
            *sum += bucket.value();
        }
        self.sum_seconds += seconds(histogram.sum_ns.value());
    }
}

fn seconds(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::default();
        for ns in [0, 50_000, 50_001, 999_999, 10_000_000_000, 10_000_000_001] {
            histogram.observe(Duration::from_nanos(ns));
        }
        let mut sum = Latency::default();
        sum.add(&histogram);
        sum.add(&histogram);
        let counts: Vec<_> = sum.counts.iter().map(|count| count / 2).collect();
        assert_eq!(counts[..5], [2, 1, 0, 0, 1]);
        assert_eq!(counts[16..], [1, 1]);
        assert_eq!(counts.iter().sum::<u64>(), 6);
        assert!(
            (sum.sum_seconds - 2.0 * 20.001_1).abs() < 1e-6,
            "{}",
            sum.sum_seconds
        );
    }

    #[test]
    fn bounds_ascend() {
        assert!(BOUNDS_NS.is_sorted());
        assert!((Latency::default().bounds_seconds[0] - 50e-6).abs() < 1e-12);
    }
}
