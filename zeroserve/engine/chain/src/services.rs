//! What all requests of a process share: rate limits, state, the environment. Outlives generations, so that a reload
//! forgets nothing.

use crate::helpers::kv::Store;
use crate::helpers::rate_limit::RateLimits;

/// Caps that the command line sets.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// Memory of one request's scripts outside of their own, in bytes.
    pub footprint: usize,
    /// Of a body that a script reads, in bytes.
    pub buffered_body: usize,
    /// Keys in the table of rate limits.
    pub rate_limit_keys: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            footprint: 256 << 10,
            buffered_body: 256 << 10,
            rate_limit_keys: 10_000,
        }
    }
}

pub struct Services {
    pub(crate) caps: Caps,
    pub(crate) rate_limits: RateLimits,
    pub(crate) store: Store,
    pub(crate) version: &'static str,
}

impl Services {
    #[must_use]
    pub fn new(caps: Caps, version: &'static str) -> Self {
        Self {
            caps,
            rate_limits: RateLimits::new(caps.rate_limit_keys),
            store: Store::default(),
            version,
        }
    }

    #[must_use]
    pub fn caps(&self) -> &Caps {
        &self.caps
    }
}
