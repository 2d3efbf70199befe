//! Deadlines of connections without a timer each: a connection notes the second by which it must have
//! moved on, and one sweep a second ends those that have not. Also how a drain reaches idle ones.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::clock::monotonic_seconds;

/// For a connection's first request to come while the server drains.
const FRESH_SECONDS: u64 = 2;

/// Why a wait was cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    DeadlinePassed,
    Draining,
}

/// One connection's deadline.
pub(crate) struct Lifetime {
    deadline: Cell<u64>,
    /// Between requests, with nothing received of the next: may be closed without losing anything.
    idle: Cell<bool>,
    /// No request has come yet: its first may be under way.
    fresh: Cell<bool>,
    ended: Cell<Option<Ended>>,
    waker: RefCell<Option<Waker>>,
}

impl Lifetime {
    /// Gives the connection `seconds` from now for what it does next.
    pub(crate) fn extend(&self, seconds: u64) {
        self.deadline.set(monotonic_seconds() + seconds);
    }

    /// What ended a wait came too late: its work was done first.
    pub(crate) fn clear_ended(&self) {
        self.ended.set(None);
    }

    /// Sets the deadline to a second of the monotonic clock.
    pub(crate) fn set_deadline(&self, second: u64) {
        self.deadline.set(second);
    }

    /// The first request has come.
    pub(crate) fn set_used(&self) {
        self.fresh.set(false);
    }

    /// Lets a connection whose deadline has passed say so to its peer.
    pub(crate) fn revive(&self, seconds: u64) {
        self.ended.set(None);
        self.extend(seconds);
    }

    pub(crate) fn set_idle(&self, idle: bool) {
        self.idle.set(idle);
    }

    /// `work`'s output, unless the deadline passes or a drain ends the idle connection first; `work`
    /// is dropped then, which cancels its operation on the ring.
    pub(crate) async fn guard<F: Future>(&self, work: F) -> Result<F::Output, Ended> {
        let mut work = pin!(work);
        std::future::poll_fn(|context| {
            if let Poll::Ready(output) = work.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            if let Some(ended) = self.ended.get() {
                return Poll::Ready(Err(ended));
            }
            let mut waker = self.waker.borrow_mut();
            if !waker
                .as_ref()
                .is_some_and(|known| known.will_wake(context.waker()))
            {
                *waker = Some(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    fn end(&self, why: Ended) {
        self.ended.set(Some(why));
        // Taken out first: waking must not find the cell borrowed.
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// All connections of one loop.
#[derive(Default)]
pub(crate) struct Lifetimes {
    slots: RefCell<Vec<Option<Rc<Lifetime>>>>,
    free: RefCell<Vec<usize>>,
    open: Cell<usize>,
}

/// A connection's place in `Lifetimes`; dropping it forgets the connection.
pub(crate) struct Registered {
    owner: Rc<Lifetimes>,
    slot: usize,
    pub(crate) lifetime: Rc<Lifetime>,
}

impl Lifetimes {
    pub(crate) fn register(self: &Rc<Self>, seconds: u64) -> Registered {
        let lifetime = Rc::new(Lifetime {
            deadline: Cell::new(monotonic_seconds() + seconds),
            idle: Cell::new(false),
            fresh: Cell::new(true),
            ended: Cell::new(None),
            waker: RefCell::new(None),
        });
        let mut slots = self.slots.borrow_mut();
        let entry = Some(Rc::clone(&lifetime));
        let slot = if let Some(slot) = self.free.borrow_mut().pop() {
            slots[slot] = entry;
            slot
        } else {
            slots.push(entry);
            slots.len() - 1
        };
        self.open.set(self.open.get() + 1);
        Registered {
            owner: Rc::clone(self),
            slot,
            lifetime,
        }
    }

    pub(crate) fn open(&self) -> usize {
        self.open.get()
    }

    /// Ends every connection whose deadline has passed; returns how many.
    pub(crate) fn sweep(&self) -> u64 {
        let now = monotonic_seconds();
        let mut count = 0;
        for lifetime in self.snapshot() {
            if lifetime.deadline.get() <= now && lifetime.ended.get().is_none() {
                lifetime.end(Ended::DeadlinePassed);
                count += 1;
            }
        }
        count
    }

    /// Ends the idle connections; the others end after their answer. One that has not asked for anything
    /// yet gets a moment to: its client would take a close for a failure.
    pub(crate) fn end_idle(&self) {
        for lifetime in self.snapshot() {
            if lifetime.fresh.get() {
                let soon = monotonic_seconds() + FRESH_SECONDS;
                lifetime.deadline.set(lifetime.deadline.get().min(soon));
            } else if lifetime.idle.get() {
                lifetime.end(Ended::Draining);
            }
        }
    }

    fn snapshot(&self) -> Vec<Rc<Lifetime>> {
        self.slots
            .borrow()
            .iter()
            .flatten()
            .map(Rc::clone)
            .collect()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.owner.slots.borrow_mut()[self.slot] = None;
        self.owner.free.borrow_mut().push(self.slot);
        self.owner.open.set(self.owner.open.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passed_deadline_ends_the_wait_and_a_future_one_does_not() {
        let all = Rc::new(Lifetimes::default());
        let (late, early) = (all.register(0), all.register(3600));
        assert_eq!(all.sweep(), 1);
        assert_eq!(late.lifetime.ended.get(), Some(Ended::DeadlinePassed));
        assert_eq!(early.lifetime.ended.get(), None);
        assert_eq!(all.sweep(), 0, "a connection is ended once");
    }

    #[test]
    fn a_drain_ends_idle_connections_only() {
        let all = Rc::new(Lifetimes::default());
        let (idle, busy) = (all.register(60), all.register(60));
        idle.lifetime.set_idle(true);
        idle.lifetime.set_used();
        busy.lifetime.set_used();
        let fresh = all.register(60);
        fresh.lifetime.set_idle(true);
        all.end_idle();
        assert_eq!(idle.lifetime.ended.get(), Some(Ended::Draining));
        assert_eq!(busy.lifetime.ended.get(), None);
        assert_eq!(fresh.lifetime.ended.get(), None);
        assert!(fresh.lifetime.deadline.get() <= monotonic_seconds() + FRESH_SECONDS);
    }

    #[test]
    fn slots_are_used_again() {
        let all = Rc::new(Lifetimes::default());
        drop(all.register(60));
        let again = all.register(60);
        assert_eq!((again.slot, all.open()), (0, 1));
        drop(again);
        assert_eq!(all.open(), 0);
    }
}
