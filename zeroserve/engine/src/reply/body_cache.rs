//! Small hot bodies of one loop and one generation, kept in memory after their first use. Bounded:
//! when full, the oldest go. Gone with the generation, so it can never serve old bytes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use hashbrown::HashMap;

/// Largest body kept. The bar for 100 KB files needs them here; larger ones stream.
pub(crate) const BODY_BYTES_MAX: usize = 128 << 10;
/// All bodies of a loop together: part of the 3 MB that a further loop may take.
const TOTAL_BYTES_MAX: usize = 2 << 20;

#[derive(Default)]
pub(crate) struct BodyCache(RefCell<Inner>);

#[derive(Default)]
struct Inner {
    bodies: HashMap<u32, Rc<[u8]>, foldhash::fast::FixedState>,
    oldest_first: VecDeque<u32>,
    bytes: usize,
}

impl BodyCache {
    pub(crate) fn body(&self, member: u32) -> Option<Rc<[u8]>> {
        self.0.borrow().bodies.get(&member).map(Rc::clone)
    }

    /// Keeps `body`, making room first; returns by how many bytes the cache has grown.
    pub(crate) fn keep(&self, member: u32, body: &Rc<[u8]>) -> i64 {
        let mut inner = self.0.borrow_mut();
        let before = inner.bytes;
        if body.len() > BODY_BYTES_MAX || inner.bodies.contains_key(&member) {
            return 0;
        }
        while inner.bytes + body.len() > TOTAL_BYTES_MAX {
            let Some(oldest) = inner.oldest_first.pop_front() else {
                break;
            };
            if let Some(gone) = inner.bodies.remove(&oldest) {
                inner.bytes -= gone.len();
            }
        }
        inner.bytes += body.len();
        inner.bodies.insert(member, Rc::clone(body));
        inner.oldest_first.push_back(member);
        i64::try_from(inner.bytes).unwrap_or(0) - i64::try_from(before).unwrap_or(0)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.borrow().bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: usize) -> Rc<[u8]> {
        vec![7; bytes].into()
    }

    #[test]
    fn the_oldest_bodies_make_room_and_the_bound_holds() {
        let cache = BodyCache::default();
        for member in 0..100 {
            cache.keep(member, &body(100 << 10));
            assert!(cache.bytes() <= TOTAL_BYTES_MAX);
        }
        assert!(cache.body(0).is_none());
        assert!(cache.body(99).is_some());
    }

    #[test]
    fn large_bodies_are_not_kept() {
        let cache = BodyCache::default();
        assert_eq!(cache.keep(1, &body(BODY_BYTES_MAX + 1)), 0);
        assert!(cache.body(1).is_none());
    }
}
