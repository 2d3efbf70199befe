//! Rate limits: token buckets by key, one table for all loops of a process.
//!
//! A key has up to three buckets: a second's, a minute's, an hour's. Each holds at most its limit, starts full and is
//! refilled steadily. A call takes one token from every bucket, or none from any.

use std::sync::atomic::{AtomicUsize, Ordering};

use zs_script::{Answer, Arguments, HelperResult, Kind};

use crate::context::Context;
use crate::shards::{SWEEP_FULL_MS, SWEEP_MS, Shards};
use crate::table::{R, Row, row};

pub(super) const ROWS: &[Row] = &[row(
    "zs_rate_limit",
    R,
    100,
    &[Kind::Bytes, Kind::Scalar, Kind::Scalar, Kind::Scalar],
    rate_limit,
)];

/// Bytes of a key.
const KEY_BYTES_MAX: usize = 256;
/// Lengths of the windows, in milliseconds, in the order in which they are looked at.
const WINDOWS_MS: [u64; 3] = [1_000, 60_000, 3_600_000];
/// Larger limits count as this one: no machine gets there, and nothing overflows.
const LIMIT_MAX: u64 = 1 << 40;
/// What scripts get: the `ZS_RATE_LIMIT_` numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Allowed,
    /// By its place in [`WINDOWS_MS`].
    Exceeded(usize),
    TooManyKeys,
    BadKey,
}

impl Verdict {
    fn code(self) -> i64 {
        match self {
            Self::Allowed => 0,
            Self::Exceeded(window) => [1, 2, 3][window],
            Self::TooManyKeys => 4,
            Self::BadKey => -1,
        }
    }
}

fn rate_limit(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let limits = [1, 2, 3].map(|number| arguments.scalar(number));
    let now_ms = context.now.monotonic_ms;
    let limiter = &context.services.rate_limits;
    let verdict = limiter.take(arguments.bytes(0), now_ms, limits);
    Ok(Answer::Value(verdict.code()))
}

/// One window's bucket. A token is as many parts as its window has milliseconds; so a millisecond refills exactly
/// `limit` parts, and nothing is ever rounded.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    parts: u64,
    /// Of the last call; 0: no call with this window yet.
    limit: u64,
    /// When `parts` was true.
    at_ms: u64,
}

impl Bucket {
    /// What a bucket of `limit` holds at `now_ms`.
    fn parts_at(&self, now_ms: u64, window_ms: u64, limit: u64) -> u64 {
        let capacity = limit * window_ms;
        if self.limit == 0 {
            return capacity;
        }
        // Another loop's clock may be read a little earlier.
        let refill = now_ms.saturating_sub(self.at_ms).saturating_mul(limit);
        self.parts.saturating_add(refill).min(capacity)
    }

    fn is_full(&self, now_ms: u64, window_ms: u64) -> bool {
        self.parts_at(now_ms, window_ms, self.limit) >= self.limit * window_ms
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Buckets([Bucket; 3]);

impl Buckets {
    /// Takes a token of each window that has a limit, or of none.
    fn take(&mut self, now_ms: u64, limits: [u64; 3]) -> Verdict {
        let mut exceeded = None;
        for (window, (bucket, limit)) in self.0.iter_mut().zip(limits).enumerate() {
            if limit == 0 {
                continue;
            }
            let window_ms = WINDOWS_MS[window];
            let parts = bucket.parts_at(now_ms, window_ms, limit);
            let at_ms = now_ms.max(bucket.at_ms);
            *bucket = Bucket {
                parts,
                limit,
                at_ms,
            };
            if parts < window_ms && exceeded.is_none() {
                exceeded = Some(window);
            }
        }
        if let Some(window) = exceeded {
            return Verdict::Exceeded(window);
        }
        for (window, (bucket, limit)) in self.0.iter_mut().zip(limits).enumerate() {
            if limit != 0 {
                bucket.parts -= WINDOWS_MS[window];
            }
        }
        Verdict::Allowed
    }

    /// Whether a new key would be the same.
    fn are_full(&self, now_ms: u64) -> bool {
        let mut windows = self.0.iter().zip(WINDOWS_MS);
        windows.all(|(bucket, window_ms)| bucket.is_full(now_ms, window_ms))
    }
}

pub(crate) struct RateLimits {
    keys_max: usize,
    shards: Shards<Buckets>,
    /// Keys of all shards, and those about to be put in.
    keys: AtomicUsize,
}

impl RateLimits {
    pub(crate) fn new(keys_max: usize) -> Self {
        Self {
            keys_max,
            shards: Shards::default(),
            keys: AtomicUsize::new(0),
        }
    }

    /// Takes one token of the key's buckets; a limit of 0 is none.
    fn take(&self, key: &[u8], now_ms: u64, limits: [u64; 3]) -> Verdict {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Verdict::BadKey;
        }
        if limits == [0; 3] {
            return Verdict::Allowed;
        }
        let limits = limits.map(|limit| limit.min(LIMIT_MAX));
        self.sweep(now_ms, SWEEP_MS);
        if let Some(known) = self.shards.shard(key).get_mut(key) {
            return known.take(now_ms, limits);
        }
        // Without the shard's lock: a sweep takes them all.
        if !self.reserve() {
            self.sweep(now_ms, SWEEP_FULL_MS);
            if !self.reserve() {
                return Verdict::TooManyKeys;
            }
        }
        let mut shard = self.shards.shard(key);
        let before = shard.len();
        let verdict = shard.entry(key.into()).or_default().take(now_ms, limits);
        if shard.len() == before {
            // Another loop was faster.
            self.keys.fetch_sub(1, Ordering::Relaxed);
        }
        verdict
    }

    /// Room for one more key.
    fn reserve(&self) -> bool {
        let more = |keys| (keys < self.keys_max).then_some(keys + 1);
        let result = self
            .keys
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        result.is_ok()
    }

    /// Forgets keys whose buckets are full again.
    fn sweep(&self, now_ms: u64, every_ms: u64) {
        self.shards.sweep(now_ms, every_ms, |_, buckets| {
            let full = buckets.are_full(now_ms);
            if full {
                self.keys.fetch_sub(1, Ordering::Relaxed);
            }
            !full
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONE: [u64; 3] = [0; 3];

    fn code(limits: &RateLimits, key: &[u8], now_ms: u64, rates: [u64; 3]) -> i64 {
        limits.take(key, now_ms, rates).code()
    }

    #[test]
    fn two_a_second_is_a_burst_of_two_and_then_one_each_half_second() {
        let limits = RateLimits::new(10);
        let times = [0, 0, 0, 499, 500, 500, 999, 1000, 3000, 3000, 3000];
        let codes = times.map(|at| code(&limits, b"a", at, [2, 0, 0]));
        assert_eq!(codes, [0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 1]);
    }

    #[test]
    fn a_denied_call_takes_nothing_from_the_other_windows() {
        let limits = RateLimits::new(10);
        // One a second, three a minute: 57 refusals by the second cost the minute nothing.
        assert_eq!(code(&limits, b"a", 0, [1, 3, 0]), 0);
        for at in 1..58 {
            assert_eq!(code(&limits, b"a", at, [1, 3, 0]), 1);
        }
        let codes = [1000, 2000, 3000].map(|at| code(&limits, b"a", at, [1, 3, 0]));
        assert_eq!(codes, [0, 0, 2]);
        // Both are exceeded: the shorter window is named.
        assert_eq!(code(&limits, b"b", 0, [1, 1, 1]), 0);
        assert_eq!(code(&limits, b"b", 0, [1, 1, 1]), 1);
        assert_eq!(code(&limits, b"b", 1000, [1, 1, 1]), 2);
        assert_eq!(code(&limits, b"b", 60_000, [1, 1, 1]), 3);
        assert_eq!(code(&limits, b"b", 3_600_000, [1, 1, 1]), 0);
    }

    #[test]
    fn another_limit_clamps_what_is_there() {
        let limits = RateLimits::new(10);
        assert_eq!(code(&limits, b"a", 0, [100, 0, 0]), 0);
        assert_eq!(code(&limits, b"a", 0, [1, 0, 0]), 0);
        assert_eq!(code(&limits, b"a", 0, [1, 0, 0]), 1);
        // A higher one refills faster; it does not start full.
        assert_eq!(code(&limits, b"a", 0, [100, 0, 0]), 1);
        assert_eq!(code(&limits, b"a", 10, [100, 0, 0]), 0);
        assert_eq!(code(&limits, b"a", 10, [100, 0, 0]), 1);
        // A window that nobody asked for so far does.
        assert_eq!(code(&limits, b"a", 10, [0, 1, 0]), 0);
    }

    #[test]
    fn keys_are_any_bytes_of_a_sound_length() {
        let limits = RateLimits::new(10);
        assert_eq!(code(&limits, b"", 0, [1, 0, 0]), -1);
        assert_eq!(code(&limits, &[0xff; 256], 0, [1, 0, 0]), 0);
        assert_eq!(code(&limits, &[0xff; 256], 0, [1, 0, 0]), 1);
        assert_eq!(code(&limits, &[0xff; 257], 0, [1, 0, 0]), -1);
        let huge = [u64::MAX; 3];
        assert_eq!(code(&limits, b"huge", u64::MAX, huge), 0);
        assert_eq!(code(&limits, b"huge", 0, huge), 0);
    }

    #[test]
    fn a_full_table_keeps_its_keys_until_their_buckets_are_full() {
        let limits = RateLimits::new(2);
        assert_eq!(code(&limits, b"a", 5000, [1, 0, 0]), 0);
        assert_eq!(code(&limits, b"b", 5000, [1, 0, 0]), 0);
        assert_eq!(code(&limits, b"c", 5000, [1, 0, 0]), 4);
        assert_eq!(code(&limits, b"a", 5000, [1, 0, 0]), 1);
        // No limit, no bucket.
        assert_eq!(code(&limits, b"c", 5000, NONE), 0);
        assert_eq!(code(&limits, b"c", 5999, [1, 0, 0]), 4);
        assert_eq!(code(&limits, b"c", 6000, [1, 0, 0]), 0);
        assert_eq!(limits.keys.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn keys_that_nobody_uses_are_swept() {
        let limits = RateLimits::new(1000);
        for key in 0..500u32 {
            assert_eq!(code(&limits, &key.to_le_bytes(), 1, [1, 0, 0]), 0);
        }
        assert_eq!(code(&limits, b"hour", 1, [0, 0, 1]), 0);
        assert_eq!(code(&limits, b"new", 60_000, [1, 0, 0]), 0);
        assert_eq!(limits.keys.load(Ordering::Relaxed), 2);
        assert_eq!(limits.shards.len(), 2);
    }

    #[test]
    fn loops_share_one_count() {
        let limits = RateLimits::new(50);
        let allowed: usize = std::thread::scope(|scope| {
            let one = |_| {
                scope.spawn(|| {
                    let calls = 0..1000u32;
                    let answers =
                        calls.map(|call| code(&limits, &(call % 100).to_le_bytes(), 0, [0, 0, 3]));
                    answers.filter(|&each| each == 0).count()
                })
            };
            let threads: Vec<_> = (0..4).map(one).collect();
            threads.into_iter().map(|each| each.join().unwrap()).sum()
        });
        // 50 keys found room, each with three tokens.
        assert_eq!(allowed, 150);
        assert_eq!(limits.keys.load(Ordering::Relaxed), 50);
    }

    /// The same limits by the generic cell rate algorithm: no level, but the time at which the next call would be
    /// on schedule, in parts of a millisecond of which a millisecond has `limit`.
    #[derive(Default)]
    struct Model {
        schedule: [u128; 3],
    }

    impl Model {
        fn take(&mut self, now_ms: u64, limits: [u64; 3]) -> i64 {
            let mut next = self.schedule;
            for (window, limit) in limits.into_iter().enumerate().filter(|(_, each)| *each > 0) {
                let (now, limit) = (u128::from(now_ms), u128::from(limit));
                let window_ms = u128::from(WINDOWS_MS[window]);
                next[window] = next[window].max(now * limit) + window_ms;
                if next[window] > (now + window_ms) * limit {
                    return [1, 2, 3][window];
                }
            }
            self.schedule = next;
            0
        }
    }

    /// Often just long enough for a token, or one millisecond less.
    fn pauses() -> impl Strategy<Value = u64> {
        let exact = (1..6u64, 0..2u64, prop::sample::select(&WINDOWS_MS[..]));
        prop_oneof![
            0..2u64,
            0..2_000u64,
            0..200_000u64,
            exact.prop_map(|(rate, less, window_ms)| window_ms.div_ceil(rate) - less),
        ]
    }

    proptest! {
        /// Sweeps change nothing that a caller can see.
        #[test]
        fn answers_are_those_of_the_model(
            rates in [0..6u64, 0..40u64, 0..200u64],
            calls in prop::collection::vec((0..3usize, pauses()), 1..300),
        ) {
            let limits = RateLimits::new(3);
            let mut models: [Model; 3] = Default::default();
            let mut now_ms = 1;
            for (key, pause_ms) in calls {
                now_ms += pause_ms;
                let given = code(&limits, &[b'a', b'b', b'c'][key..=key], now_ms, rates);
                prop_assert_eq!(given, models[key].take(now_ms, rates), "at {}", now_ms);
            }
        }
    }
}
