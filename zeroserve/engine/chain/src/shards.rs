//! A table that all loops of a process share: by keys of bytes, behind several locks, swept now and then.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, so that loops seldom meet.
const SHARDS: usize = 16;
/// Between sweeps of what nobody uses.
pub(crate) const SWEEP_MS: u64 = 60_000;
/// Between sweeps of a full table: each looks at all of it.
pub(crate) const SWEEP_FULL_MS: u64 = 1_000;

pub(crate) type Shard<V> = HashMap<Box<[u8]>, V>;

pub(crate) struct Shards<V> {
    all: [Mutex<Shard<V>>; SHARDS],
    hasher: RandomState,
    swept_ms: AtomicU64,
}

impl<V> Default for Shards<V> {
    fn default() -> Self {
        Self {
            all: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            swept_ms: AtomicU64::new(0),
        }
    }
}

impl<V> Shards<V> {
    /// The part of the table that a key is in. Hold one at a time.
    pub(crate) fn shard(&self, key: &[u8]) -> MutexGuard<'_, Shard<V>> {
        let [number, ..] = self.hasher.hash_one(key).to_le_bytes();
        locked(&self.all[usize::from(number) % SHARDS])
    }

    /// Takes out what `keep` says no to, unless somebody has done so less than `every_ms` ago. The caller holds no shard.
    pub(crate) fn sweep(&self, now_ms: u64, every_ms: u64, keep: impl Fn(&[u8], &V) -> bool) {
        let last = self.swept_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(last) < every_ms {
            return;
        }
        let ours =
            self.swept_ms
                .compare_exchange(last, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        if ours.is_err() {
            return;
        }
        for shard in &self.all {
            let mut shard = locked(shard);
            shard.retain(|key, value| keep(key, value));
            // The memory of a crowd that has left.
            if shard.capacity() / 4 > shard.len() {
                shard.shrink_to_fit();
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.all.iter().map(|shard| locked(shard).len()).sum()
    }
}

/// Nothing panics while it holds a lock; if something did, the values in there would still be sound.
fn locked<V>(shard: &Mutex<Shard<V>>) -> MutexGuard<'_, Shard<V>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
