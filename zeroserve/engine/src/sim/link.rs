//! The peer's side of a connection, scripted.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use crate::conn::Link;

/// Hands out what the peer sends piece by piece, and records what it gets.
pub(crate) struct MemoryLink {
    incoming: RefCell<VecDeque<Vec<u8>>>,
    /// What the peer has received.
    pub(crate) received: Rc<RefCell<Vec<u8>>>,
    /// Most bytes the peer takes in one send: short writes.
    pub(crate) takes_at_once: usize,
    /// Most bytes the peer takes in all, before it hangs up.
    pub(crate) takes_in_all: usize,
    /// How the connection ended: the peer saw a close after all it was sent.
    pub(crate) closed: Rc<Cell<bool>>,
}

impl MemoryLink {
    pub(crate) fn new(pieces: impl IntoIterator<Item = Vec<u8>>, takes_at_once: usize) -> Self {
        Self {
            incoming: RefCell::new(pieces.into_iter().collect()),
            received: Rc::default(),
            takes_at_once,
            takes_in_all: usize::MAX,
            closed: Rc::default(),
        }
    }
}

impl Link for MemoryLink {
    type Chunk = Vec<u8>;

    async fn recv(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.incoming.borrow_mut().pop_front())
    }

    async fn send(&self, buffer: Vec<u8>, from: usize) -> (io::Result<usize>, Vec<u8>) {
        let mut received = self.received.borrow_mut();
        let room = self.takes_in_all - received.len();
        if room == 0 {
            return (Err(io::ErrorKind::BrokenPipe.into()), buffer);
        }
        let count = (buffer.len() - from).min(self.takes_at_once).min(room);
        received.extend_from_slice(&buffer[from..from + count]);
        (Ok(count), buffer)
    }

    async fn hang_up(&self) {
        std::future::pending::<()>().await;
    }

    fn shutdown(&self) {}

    fn abort(&self) {}

    fn reset(&self) {}

    async fn close(self) {
        self.closed.set(true);
    }
}
