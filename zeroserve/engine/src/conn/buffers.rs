//! Buffers that connections of one loop borrow while they work, so that an idle connection owns none
//! and a busy one allocates nothing.

use std::cell::RefCell;

/// Room for a head and one TLS record.
const SMALL_BYTES: usize = 17 << 10;
/// Room for a 128 KiB step of a body, its head and its records.
const LARGE_BYTES: usize = 136 << 10;
/// Kept when free: a batch of small ones; large ones are memory worth giving back.
const SMALL_KEPT: usize = 32;
const LARGE_KEPT: usize = 16;
/// Kept when the loop has been idle for a while.
const IDLE_KEPT: usize = 2;

#[derive(Default)]
pub(crate) struct Buffers {
    small: RefCell<Vec<Vec<u8>>>,
    large: RefCell<Vec<Vec<u8>>>,
}

impl Buffers {
    /// An empty buffer with room for `expected` bytes, or near it.
    pub(crate) fn take(&self, expected: usize) -> Vec<u8> {
        let (stock, size) = if expected <= SMALL_BYTES {
            (&self.small, SMALL_BYTES)
        } else {
            (&self.large, LARGE_BYTES)
        };
        stock
            .borrow_mut()
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(size))
    }

    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let (stock, kept) = match buffer.capacity() {
            0..SMALL_BYTES => return,
            SMALL_BYTES..LARGE_BYTES => (&self.small, SMALL_KEPT),
            // Grown far beyond its class: better freed than kept.
            LARGE_BYTES.. if buffer.capacity() > 2 * LARGE_BYTES => return,
            LARGE_BYTES.. => (&self.large, LARGE_KEPT),
        };
        let mut stock = stock.borrow_mut();
        if stock.len() < kept {
            stock.push(buffer);
        }
    }

    /// Gives memory back to the allocator after a burst.
    pub(crate) fn trim(&self) {
        for stock in [&self.small, &self.large] {
            let mut stock = stock.borrow_mut();
            stock.truncate(IDLE_KEPT);
            stock.shrink_to(IDLE_KEPT);
        }
    }
}
