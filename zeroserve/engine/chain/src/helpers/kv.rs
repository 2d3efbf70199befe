//! State that outlives requests: a store of bytes by key, one for all loops of a process. It holds so much and no more:
//! when it is full, new values are refused and old ones stay, for a script may count on what it has kept.

use std::sync::atomic::{AtomicUsize, Ordering};

use zs_script::{Answer, Arguments, HelperResult, Kind};

use crate::context::Context;
use crate::shards::{SWEEP_FULL_MS, SWEEP_MS, Shards};
use crate::table::{R, RH, Row, row};

pub(super) const ROWS: &[Row] = &[
    row("zs_kv_get", RH, 100, &[Kind::Bytes, Kind::Out], get),
    row(
        "zs_kv_set",
        R,
        200,
        &[Kind::Bytes, Kind::Bytes, Kind::Scalar],
        set,
    ),
    row("zs_kv_delete", R, 100, &[Kind::Bytes], delete),
    row(
        "zs_kv_incr",
        R,
        200,
        &[Kind::Bytes, Kind::Scalar, Kind::Scalar, Kind::OutExactly(8)],
        incr,
    ),
];

const KEY_BYTES_MAX: usize = 256;
const VALUE_BYTES_MAX: usize = 64 << 10;
/// Of all keys and values.
const STORE_BYTES_MAX: usize = 16 << 20;
/// What an entry takes beside its key and value.
const ENTRY_BYTES: usize = 96;

fn get(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let (key, out) = (arguments.bytes(0), arguments.out(1));
    let store = &context.services.store;
    let length = store.read(key, context.now.monotonic_ms, |value| {
        let fitting = value.len().min(out.len());
        out[..fitting].copy_from_slice(&value[..fitting]);
        value.len() as i64
    });
    Ok(Answer::Value(length.unwrap_or(-1)))
}

fn set(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let (key, value) = (arguments.bytes(0), arguments.bytes(1));
    let now_ms = context.now.monotonic_ms;
    let until_ms = end(now_ms, arguments.scalar(2));
    let kept = context.services.store.put(key, now_ms, |_| {
        Some((value.into(), until_ms)).filter(|_| value.len() <= VALUE_BYTES_MAX)
    });
    Ok(Answer::Value(if kept { 0 } else { -1 }))
}

fn delete(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let store = &context.services.store;
    let found = store.remove(arguments.bytes(0), context.now.monotonic_ms);
    Ok(Answer::Value(found.into()))
}

fn incr(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let (by, now_ms) = (arguments.scalar(1).cast_signed(), context.now.monotonic_ms);
    let until_ms = end(now_ms, arguments.scalar(2));
    let mut sum = [0; 8];
    let kept = context
        .services
        .store
        .put(arguments.bytes(0), now_ms, |old| {
            let (number, until_ms) = match old {
                None => (0, until_ms),
                Some(old) => (
                    i64::from_le_bytes((*old.value).try_into().ok()?),
                    old.until_ms,
                ),
            };
            sum = number.checked_add(by)?.to_le_bytes();
            Some((sum.into(), until_ms))
        });
    if !kept {
        return Ok(Answer::Value(-1));
    }
    arguments.out(3).copy_from_slice(&sum);
    Ok(Answer::Value(8))
}

/// 0 seconds: never.
fn end(now_ms: u64, ttl_secs: u64) -> u64 {
    match ttl_secs {
        0 => u64::MAX,
        _ => now_ms.saturating_add(ttl_secs.saturating_mul(1000)),
    }
}

struct Entry {
    value: Box<[u8]>,
    /// When it is as if it were not there.
    until_ms: u64,
}

impl Entry {
    fn is_over(&self, now_ms: u64) -> bool {
        self.until_ms <= now_ms
    }
}

#[derive(Default)]
pub(crate) struct Store {
    shards: Shards<Entry>,
    /// Of all entries, and of those about to be put in.
    bytes: AtomicUsize,
}

fn size(key: &[u8], value: &[u8]) -> usize {
    key.len() + value.len() + ENTRY_BYTES
}

impl Store {
    fn read<T>(&self, key: &[u8], now_ms: u64, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let shard = self.shards.shard(key);
        let entry = shard.get(key).filter(|entry| !entry.is_over(now_ms))?;
        Some(read(&entry.value))
    }

    /// Puts what `change` makes of the entry that is there; nobody sees anything between. False: it makes nothing of it, or
    /// there is no room, or the key is not sound. Nothing is changed then.
    fn put(
        &self,
        key: &[u8],
        now_ms: u64,
        change: impl FnMut(Option<&Entry>) -> Option<(Box<[u8]>, u64)>,
    ) -> bool {
        let mut change = change;
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return false;
        }
        self.sweep(now_ms, SWEEP_MS);
        for attempt in 0..2 {
            let mut shard = self.shards.shard(key);
            let old = shard.get(key);
            let Some((value, until_ms)) = change(old.filter(|entry| !entry.is_over(now_ms))) else {
                return false;
            };
            let before = old.map_or(0, |entry| size(key, &entry.value));
            if self.reserve(before, size(key, &value)) {
                shard.insert(key.into(), Entry { value, until_ms });
                return true;
            }
            drop(shard);
            if attempt == 0 {
                self.sweep(now_ms, SWEEP_FULL_MS);
            }
        }
        false
    }

    fn remove(&self, key: &[u8], now_ms: u64) -> bool {
        let mut shard = self.shards.shard(key);
        let Some(entry) = shard.remove(key) else {
            return false;
        };
        self.bytes
            .fetch_sub(size(key, &entry.value), Ordering::Relaxed);
        !entry.is_over(now_ms)
    }

    /// Room for `after` bytes in place of `before`.
    fn reserve(&self, before: usize, after: usize) -> bool {
        let new = |bytes: usize| {
            let bytes = bytes - before + after;
            (after <= before || bytes <= STORE_BYTES_MAX).then_some(bytes)
        };
        let result = self
            .bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, new);
        result.is_ok()
    }

    fn sweep(&self, now_ms: u64, every_ms: u64) {
        self.shards.sweep(now_ms, every_ms, |key, entry| {
            let over = entry.is_over(now_ms);
            if over {
                self.bytes
                    .fetch_sub(size(key, &entry.value), Ordering::Relaxed);
            }
            !over
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn put(store: &Store, key: &[u8], value: &[u8], now_ms: u64, ttl_secs: u64) -> bool {
        let until_ms = end(now_ms, ttl_secs);
        store.put(key, now_ms, |_| Some((value.into(), until_ms)))
    }

    fn value(store: &Store, key: &[u8], now_ms: u64) -> Option<Vec<u8>> {
        store.read(key, now_ms, <[u8]>::to_vec)
    }

    fn bytes(store: &Store) -> usize {
        store.bytes.load(Ordering::Relaxed)
    }

    #[test]
    fn values_are_gone_when_their_time_is_over() {
        let store = Store::default();
        assert!(put(&store, b"a", b"1", 1000, 2));
        assert_eq!(value(&store, b"a", 2999), Some(b"1".to_vec()));
        assert_eq!(value(&store, b"a", 3000), None);
        assert!(!store.remove(b"a", 3000));
        assert!(put(&store, b"b", b"1", 1000, 0));
        assert_eq!(value(&store, b"b", u64::MAX - 1), Some(b"1".to_vec()));
        assert!(store.remove(b"b", 5000));
        assert!(!store.remove(b"b", 5000));
        assert_eq!(bytes(&store), 0);
        assert!(put(&store, b"c", b"1", 1000, u64::MAX));
        assert!(!put(&store, b"", b"1", 1000, 0));
        assert!(!put(&store, &[1; 257], b"1", 1000, 0));
        assert!(put(&store, &[1; 256], b"1", 1000, 0));
    }

    #[test]
    fn a_full_store_refuses_what_is_new_until_something_is_over() {
        let store = Store::default();
        let large = vec![7; VALUE_BYTES_MAX];
        let stored =
            (0..1000u32).take_while(|key| put(&store, &key.to_le_bytes(), &large, 1000, 60));
        let count = stored.count();
        assert_eq!(count, STORE_BYTES_MAX / size(&[0; 4], &large));
        assert!(!put(&store, b"new", &large, 1000, 0));
        assert_eq!(
            value(&store, &0u32.to_le_bytes(), 1000),
            Some(large.clone())
        );
        // What is there may be replaced and given up.
        assert!(put(&store, &0u32.to_le_bytes(), &large, 1000, 60));
        assert!(store.remove(&1u32.to_le_bytes(), 1000));
        assert!(put(&store, b"new", &large, 1000, 0));
        assert!(!put(&store, b"newer", &large, 1000, 0));
        assert!(put(&store, b"newer", &large, 62_000, 0));
        assert_eq!(bytes(&store), size(b"new", &large) + size(b"newer", &large));
        assert_eq!(store.shards.len(), 2);
    }

    #[test]
    fn nobody_comes_between_reading_and_writing() {
        let store = Store::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let more = |old: Option<&Entry>| {
                            let old = old.map_or(0, |old| {
                                u64::from_le_bytes((*old.value).try_into().unwrap())
                            });
                            Some(((old + 1).to_le_bytes().into(), u64::MAX))
                        };
                        assert!(store.put(b"n", 0, more));
                    }
                });
            }
        });
        assert_eq!(value(&store, b"n", 0), Some(4000u64.to_le_bytes().to_vec()));
    }

    proptest! {
        /// As a map of values and times, whatever is swept when.
        #[test]
        fn it_is_a_map_that_forgets(
            calls in prop::collection::vec((0..4u8, 0..3u8, 0..100usize, 0..4u64, 0..40_000u64), 1..200),
        ) {
            let store = Store::default();
            let (mut model, mut now_ms) = (HashMap::new(), 0);
            for (key, what, length, ttl_secs, pause_ms) in calls {
                now_ms += pause_ms;
                let ttl_secs = ttl_secs * 20;
                model.retain(|_, (_, until_ms): &mut (Vec<u8>, u64)| *until_ms > now_ms);
                match what {
                    0 => {
                        let removed = store.remove(&[key], now_ms);
                        prop_assert_eq!(removed, model.remove(&key).is_some());
                    },
                    1 => {
                        let value = vec![key; length];
                        prop_assert!(put(&store, &[key], &value, now_ms, ttl_secs));
                        let until_ms = if ttl_secs == 0 { u64::MAX } else { now_ms + ttl_secs * 1000 };
                        model.insert(key, (value, until_ms));
                    }
                    _ => {
                        let known = model.get(&key).map(|each| each.0.clone());
                        prop_assert_eq!(value(&store, &[key], now_ms), known);
                    }
                }
            }
            store.sweep(now_ms, 0);
            let kept = model.iter().filter(|(_, (_, until_ms))| *until_ms > now_ms);
            prop_assert_eq!(bytes(&store), kept.map(|(key, (value, _))| size(&[*key], value)).sum::<usize>());
        }
    }
}
