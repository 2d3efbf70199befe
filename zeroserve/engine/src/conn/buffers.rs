//! Buffers that connections of one loop borrow while they work, so that an idle connection owns none
//! and a busy one allocates nothing.

use std::cell::{Cell, RefCell};

/// A size of buffer, and how many free ones are worth keeping while they are used.
struct Class {
    bytes: usize,
    kept: usize,
}

/// A turn of the loop may have the answers of 100 connections under way at once.
const CLASSES: [Class; 3] = [
    // A head and one TLS record.
    Class {
        bytes: 17 << 10,
        kept: 128,
    },
    // A 64 KiB step of a body, with head and records.
    Class {
        bytes: 68 << 10,
        kept: 64,
    },
    // A whole cached body of 128 KiB.
    Class {
        bytes: 136 << 10,
        kept: 128,
    },
];
/// Kept of a class that nobody has used for a second.
const IDLE_KEPT: usize = 2;

/// Free buffers of one class.
#[derive(Default)]
struct Shelf {
    free: RefCell<Vec<Vec<u8>>>,
    used: Cell<bool>,
}

#[derive(Default)]
pub(crate) struct Buffers([Shelf; CLASSES.len()]);

impl Buffers {
    /// An empty buffer with room for `expected` bytes, or for the most that is kept.
    pub(crate) fn take(&self, expected: usize) -> Vec<u8> {
        let class = CLASSES
            .iter()
            .position(|class| expected <= class.bytes)
            .unwrap_or(CLASSES.len() - 1);
        let stock = &self.0[class];
        stock.used.set(true);
        let free = stock.free.borrow_mut().pop();
        free.unwrap_or_else(|| Vec::with_capacity(CLASSES[class].bytes))
    }

    /// Takes a buffer back. One that has grown far beyond its class is freed instead.
    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        let Some(class) = CLASSES.iter().rposition(|class| class.bytes <= capacity) else {
            return;
        };
        let mut free = self.0[class].free.borrow_mut();
        if free.len() < CLASSES[class].kept && capacity < 2 * CLASSES[class].bytes {
            buffer.clear();
            free.push(buffer);
        }
    }

    /// Frees most of what nobody has used since the last call; true when that was much.
    pub(crate) fn trim(&self) -> bool {
        let mut freed = false;
        for stock in &self.0 {
            let mut free = stock.free.borrow_mut();
            if !stock.used.replace(false) && free.len() > IDLE_KEPT {
                free.truncate(IDLE_KEPT);
                free.shrink_to(IDLE_KEPT);
                freed = true;
            }
        }
        freed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_to_its_class() {
        let buffers = Buffers::default();
        for expected in [0, 20 << 10, 100 << 10, 500 << 10] {
            let buffer = buffers.take(expected);
            let (address, capacity) = (buffer.as_ptr(), buffer.capacity());
            buffers.give(buffer);
            let again = buffers.take(expected);
            assert_eq!((again.as_ptr(), again.capacity()), (address, capacity));
        }
    }

    #[test]
    fn free_buffers_are_bounded_and_go_when_unused() {
        let buffers = Buffers::default();
        let taken: Vec<_> = (0..200).map(|_| buffers.take(0)).collect();
        for buffer in taken {
            buffers.give(buffer);
        }
        assert_eq!(buffers.0[0].free.borrow().len(), CLASSES[0].kept);
        assert!(!buffers.trim(), "they have just been used");
        assert!(buffers.trim());
        assert_eq!(buffers.0[0].free.borrow().len(), IDLE_KEPT);
    }
}
