//! What scripts say and why they failed, for standard error: lines gather in memory and leave on the ring, so that a slow
//! terminal or a full pipe never stalls the loop.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use crate::ring;

/// Lines waiting to be written, in bytes. Beyond it new lines are dropped.
const PENDING_BYTES_MAX: usize = 256 << 10;

pub(crate) struct Diagnostics {
    /// `None` when standard error is closed.
    file: Option<Arc<OwnedFd>>,
    pending: RefCell<Vec<u8>>,
    writing: Cell<bool>,
    dropped: Cell<u64>,
    /// Second of the last line about a peer, and those that were left out since.
    about_peers_s: Cell<u64>,
    about_peers_left_out: Cell<u64>,
}

impl Diagnostics {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self::to(
            std::io::stderr().as_fd().try_clone_to_owned().ok(),
        ))
    }

    fn to(file: Option<OwnedFd>) -> Self {
        Self {
            file: file.map(Arc::new),
            pending: RefCell::default(),
            writing: Cell::new(false),
            dropped: Cell::new(0),
            about_peers_s: Cell::new(u64::MAX),
            about_peers_left_out: Cell::new(0),
        }
    }

    /// Lines are kept for [`Self::take`] instead of being written: nothing runs that could write them.
    pub(crate) fn gathering() -> Rc<Self> {
        Rc::new(Self {
            writing: Cell::new(true),
            ..Self::to(std::io::stderr().as_fd().try_clone_to_owned().ok())
        })
    }

    /// What has gathered.
    pub(crate) fn take(&self) -> String {
        String::from_utf8_lossy(&self.pending.take()).into_owned()
    }

    /// Adds a line, which ends without a line break.
    pub(crate) fn line(self: &Rc<Self>, text: &str) {
        let Some(file) = &self.file else { return };
        {
            let mut pending = self.pending.borrow_mut();
            if pending.len() > PENDING_BYTES_MAX {
                self.dropped.set(self.dropped.get() + 1);
                return;
            }
            let dropped = self.dropped.replace(0);
            if dropped > 0 {
                pending.extend_from_slice(format!("{dropped} lines were dropped\n").as_bytes());
            }
            pending.extend_from_slice(text.as_bytes());
            pending.push(b'\n');
        }
        if !self.writing.replace(true) {
            let (own, file) = (Rc::clone(self), Arc::clone(file));
            compio::runtime::spawn(async move { own.write_out(&file).await }).detach();
        }
    }

    /// Adds a line about what a peer did, at most one a second: a crowd of them must not make a crowd of
    /// lines. The next line tells how many were left out.
    pub(crate) fn about_peer(self: &Rc<Self>, now_s: u64, text: impl FnOnce() -> String) {
        if self.about_peers_s.replace(now_s) == now_s {
            self.about_peers_left_out
                .set(self.about_peers_left_out.get() + 1);
            return;
        }
        let mut text = text();
        match self.about_peers_left_out.replace(0) {
            0 => {}
            count => text = format!("{text} ({count} more since the last such line)"),
        }
        self.line(&text);
    }

    async fn write_out(&self, file: &Arc<OwnedFd>) {
        loop {
            let batch = self.pending.take();
            if batch.is_empty() {
                break;
            }
            let _ = ring::append(file, batch).await;
        }
        self.writing.set(false);
    }
}
