//! Where an upstream is, asked off the loop and remembered for a moment; never at our own address.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::rc::Rc;
use std::sync::{Arc, PoisonError};

use futures_channel::oneshot;

use crate::clock::monotonic_seconds;
use crate::worker::Rules;

/// For how long an answer is remembered, a failure too: a flood of probes costs one look-up.
const KNOWN_SECONDS: u64 = 30;
/// Look-ups of one loop at a time, each a thread.
const LOOKUPS_MAX: usize = 4;
/// The same first flight, relayed so many times at once: clients draw 32 random bytes for each.
const SAME_FLIGHTS_MAX: usize = 8;

type Addresses = Rc<[SocketAddr]>;

/// One loop's knowledge of upstreams.
#[derive(Default)]
pub(crate) struct Upstreams {
    /// Addresses that we listen on.
    own: Arc<[SocketAddr]>,
    known: RefCell<HashMap<Box<str>, (u64, Addresses)>>,
    lookups: Cell<usize>,
}

impl Upstreams {
    pub(crate) fn new(own: Arc<[SocketAddr]>) -> Self {
        Self {
            own,
            ..Self::default()
        }
    }

    /// Addresses of `upstream`, a `HOST:PORT`; empty when there is none that may be used. `None` when too
    /// many look-ups are under way.
    pub(super) async fn addresses(&self, upstream: &str) -> Option<Addresses> {
        let now = monotonic_seconds();
        if let Some((until, addresses)) = self.known.borrow().get(upstream)
            && now < *until
        {
            return Some(Rc::clone(addresses));
        }
        if self.lookups.get() >= LOOKUPS_MAX {
            return None;
        }
        let asking = Asking::begin(&self.lookups);
        let found = look_up(upstream.to_owned(), Arc::clone(&self.own)).await;
        drop(asking);
        let addresses: Addresses = found.into();
        let entry = (now + KNOWN_SECONDS, Rc::clone(&addresses));
        self.known.borrow_mut().insert(upstream.into(), entry);
        Some(addresses)
    }
}

/// A look-up that is under way, also when nobody waits for it any more.
struct Asking<'u>(&'u Cell<usize>);

impl<'u> Asking<'u> {
    fn begin(lookups: &'u Cell<usize>) -> Self {
        lookups.set(lookups.get() + 1);
        Self(lookups)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

async fn look_up(upstream: String, own: Arc<[SocketAddr]>) -> Vec<SocketAddr> {
    let (answer, answered) = oneshot::channel();
    let spawned = std::thread::Builder::new()
        .name("zs-lookup".to_owned())
        .stack_size(256 << 10)
        .spawn(move || {
            let found = upstream.to_socket_addrs().into_iter().flatten();
            let others = found.filter(|&address| !is_own(address, &own)).collect();
            let _ = answer.send(others);
        });
    match spawned {
        Ok(_) => answered.await.unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

/// Whether a connection to `address` would come back to us.
fn is_own(address: SocketAddr, own: &[SocketAddr]) -> bool {
    let ip = address.ip().to_canonical();
    own.iter().any(|listening| {
        let at = listening.ip().to_canonical();
        listening.port() == address.port() && (at == ip || at.is_unspecified() && is_local(ip))
    })
}

/// Whether this machine has the address: only then can a socket be bound to it.
fn is_local(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// A first flight that is being relayed; dropping it ends that.
pub(crate) struct InFlight<'r> {
    rules: &'r Rules,
    print: [u8; 32],
}

impl<'r> InFlight<'r> {
    /// `None` when the same flight is under way too often: it goes in a circle, perhaps through an
    /// address that does not look like ours.
    pub(super) fn enter(rules: &'r Rules, print: [u8; 32]) -> Option<Self> {
        let mut all = rules
            .relaying
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(print).or_insert(0);
        if *count >= SAME_FLIGHTS_MAX {
            return None;
        }
        *count += 1;
        Some(Self { rules, print })
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let relaying = &self.rules.relaying;
        let mut all = relaying.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.print) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.print);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn our_own_addresses_are_known_in_every_form() {
        let fixed = [at("127.0.0.1:443")];
        assert!(is_own(at("127.0.0.1:443"), &fixed));
        assert!(is_own(at("[::ffff:127.0.0.1]:443"), &fixed));
        assert!(!is_own(at("127.0.0.1:444"), &fixed));
        assert!(!is_own(at("127.0.0.2:443"), &fixed));
        for every in [at("0.0.0.0:443"), at("[::]:443")] {
            assert!(is_own(at("127.0.0.2:443"), &[every]));
            assert!(!is_own(at("192.0.2.1:443"), &[every]), "not this machine's");
        }
    }
}
