//! Flow-control windows (RFC 9113, section 5.2).

use super::fault::Fault;

/// Largest window (section 6.9.1).
const WINDOW_MAX: i64 = (1 << 31) - 1;

/// The window that every stream and connection starts with.
pub(super) const INITIAL: u32 = 65_535;

/// How much we may send. Below zero after the peer made its initial window smaller.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendWindow(i64);

impl SendWindow {
    pub(super) const fn new(bytes: u32) -> Self {
        Self(bytes as i64)
    }

    /// `WINDOW_UPDATE`, or a new initial window.
    pub(super) const fn change(&mut self, bytes: i64) -> Result<(), Fault> {
        let sum = self.0 + bytes;
        if sum > WINDOW_MAX {
            return Err(Fault::WindowOverflow);
        }
        self.0 = sum;
        Ok(())
    }

    #[inline]
    pub(super) fn room(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    /// Uses up part of [`SendWindow::room`].
    #[inline]
    pub(super) const fn take(&mut self, bytes: usize) {
        debug_assert!(bytes as u64 <= WINDOW_MAX as u64);
        #[allow(
            clippy::cast_possible_wrap,
            reason = "never above the room, which fits"
        )]
        {
            self.0 -= bytes as i64;
        }
    }
}

/// How much the peer may send, and what it sent that was not given back yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceiveWindow {
    left: i64,
    /// Consumed bytes that the peer was not told of.
    owed: u32,
    /// What the window is refilled to.
    size: u32,
}

impl ReceiveWindow {
    /// `left` may be above `size` as long as the peer has not acknowledged a smaller one.
    pub(super) const fn new(left: u32, size: u32) -> Self {
        Self {
            left: left as i64,
            owed: 0,
            size,
        }
    }

    /// The peer acknowledged our initial window, which is this much smaller than it was.
    pub(super) const fn shrink(&mut self, bytes: u32) {
        self.left -= bytes as i64;
    }

    /// A frame came. One of a size above the window breaks the rules.
    pub(super) const fn take(&mut self, bytes: u32) -> Result<(), Fault> {
        if bytes as i64 > self.left {
            return Err(Fault::WindowExceeded);
        }
        self.left -= bytes as i64;
        Ok(())
    }

    /// Bytes were consumed. Gives the size of the `WINDOW_UPDATE` that is due, if one is: half a
    /// window at a time, so that updates are few and the peer never runs dry.
    pub(super) const fn give(&mut self, bytes: u32) -> Option<u32> {
        self.owed = self.owed.saturating_add(bytes);
        if self.owed < self.size.div_ceil(2) {
            return None;
        }
        let due = self.owed;
        self.owed = 0;
        self.left += due as i64;
        Some(due)
    }
}
