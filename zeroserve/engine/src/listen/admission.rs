//! Who may open a connection: limits in all and for one address, over all loops. Asked once a
//! connection; the lock is taken only where there is a limit for each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Limits;
use crate::worker::Rules;

pub(crate) struct Admission {
    connections_max: usize,
    per_address_max: usize,
    open: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection's admission; dropping it makes room.
pub(crate) struct Admitted {
    rules: Arc<Rules>,
    address: Option<IpAddr>,
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            connections_max: limits.connections,
            per_address_max: limits.connections_per_address,
            open: AtomicUsize::new(0),
            by_address: Mutex::new(HashMap::new()),
        }
    }

    fn enter(&self, address: Option<IpAddr>) -> bool {
        let open = self.open.fetch_add(1, Ordering::Relaxed);
        let fits = self.connections_max == 0 || open < self.connections_max;
        if fits && self.enter_address(address) {
            return true;
        }
        self.open.fetch_sub(1, Ordering::Relaxed);
        false
    }

    fn enter_address(&self, address: Option<IpAddr>) -> bool {
        let (Some(address), true) = (address, self.per_address_max > 0) else {
            return true;
        };
        let mut by_address = self
            .by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(address).or_default();
        if *count >= self.per_address_max {
            return false;
        }
        *count += 1;
        true
    }

    fn leave(&self, address: Option<IpAddr>) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        let (Some(address), true) = (address, self.per_address_max > 0) else {
            return;
        };
        let mut by_address = self
            .by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&address);
            }
        }
    }
}

/// `None` when a limit is reached.
pub(super) fn admit(rules: &Arc<Rules>, address: Option<IpAddr>) -> Option<Admitted> {
    // A client behind one IPv6 prefix owns all its addresses: its /64 counts as one.
    let address = address.map(|address| match address {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        },
        v4 @ IpAddr::V4(_) => v4,
    });
    rules.admission.enter(address).then(|| Admitted {
        rules: Arc::clone(rules),
        address,
    })
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.rules.admission.leave(self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_in_all_and_for_one_address() {
        let limits = Limits {
            connections: 3,
            connections_per_address: 2,
            ..Limits::default()
        };
        let admission = Admission::new(&limits);
        let (a, b) = (
            Some(IpAddr::from([192, 0, 2, 1])),
            Some(IpAddr::from([192, 0, 2, 2])),
        );
        assert!(admission.enter(a) && admission.enter(a));
        assert!(!admission.enter(a), "the third from one address");
        assert!(admission.enter(b));
        assert!(!admission.enter(None), "the fourth in all");
        admission.leave(a);
        assert!(admission.enter(a));
    }
}
