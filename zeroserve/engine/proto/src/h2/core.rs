//! The state that receiving and sending share: streams, windows, budgets, the output.

use super::budget::Budget;
use super::event::Cause;
use super::fault::{Counters, ErrorCode, Fault};
use super::flow::{INITIAL, ReceiveWindow, SendWindow};
use super::frame;
use super::hpack::Encoder;
use super::stream::{Answer, Body, Streams};
use crate::limits::{
    H2_ACKS_BURST, H2_ACKS_PER_SECOND, H2_CONTROL_BYTES_MAX, H2_NOISE_BURST, H2_NOISE_PER_SECOND,
    H2_OVERSIZED_HEADS_BURST, H2_OVERSIZED_HEADS_PER_SECOND, H2_PRIORITIES_BURST,
    H2_PRIORITIES_PER_SECOND, H2_RESETS_BURST, H2_RESETS_PER_SECOND, H2_TINY_DATA_BURST,
    H2_TINY_DATA_PER_SECOND, H2_WINDOW_UPDATES_BURST, H2_WINDOW_UPDATES_PER_SECOND,
};

/// The budgets of [`crate::limits`].
#[derive(Debug)]
pub(super) struct Budgets {
    pub(super) resets: Budget,
    pub(super) acks: Budget,
    pub(super) noise: Budget,
    pub(super) priorities: Budget,
    pub(super) window_updates: Budget,
    pub(super) oversized_heads: Budget,
    pub(super) tiny_data: Budget,
    refilled_s: Option<u64>,
}

impl Budgets {
    const fn new() -> Self {
        Self {
            resets: Budget::new(H2_RESETS_BURST, H2_RESETS_PER_SECOND),
            acks: Budget::new(H2_ACKS_BURST, H2_ACKS_PER_SECOND),
            noise: Budget::new(H2_NOISE_BURST, H2_NOISE_PER_SECOND),
            priorities: Budget::new(H2_PRIORITIES_BURST, H2_PRIORITIES_PER_SECOND),
            window_updates: Budget::new(H2_WINDOW_UPDATES_BURST, H2_WINDOW_UPDATES_PER_SECOND),
            oversized_heads: Budget::new(H2_OVERSIZED_HEADS_BURST, H2_OVERSIZED_HEADS_PER_SECOND),
            tiny_data: Budget::new(H2_TINY_DATA_BURST, H2_TINY_DATA_PER_SECOND),
            refilled_s: None,
        }
    }

    #[inline]
    pub(super) fn refill(&mut self, now_s: u64) {
        if self.refilled_s == Some(now_s) {
            return;
        }
        let seconds = self
            .refilled_s
            .map_or(0, |before| now_s.saturating_sub(before));
        self.refilled_s = Some(now_s);
        for budget in [
            &mut self.resets,
            &mut self.acks,
            &mut self.noise,
            &mut self.priorities,
            &mut self.window_updates,
            &mut self.oversized_heads,
            &mut self.tiny_data,
        ] {
            budget.refill(seconds);
        }
    }
}

/// How far a graceful end has come (RFC 9113, section 6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drain {
    No,
    /// GOAWAY with the highest number was sent: streams under way are still taken.
    Announced,
    /// GOAWAY with the last number was sent.
    Final,
}

const fn within(budget: bool, fault: Fault) -> Result<(), Fault> {
    if budget { Ok(()) } else { Err(fault) }
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) streams: Streams,
    pub(super) encoder: Encoder,
    pub(super) out: Vec<u8>,
    pub(super) send: SendWindow,
    pub(super) receive: ReceiveWindow,
    /// What the peer wants new streams to start with.
    pub(super) peer_initial_window: u32,
    /// What new streams may send to us once the peer knows of our settings.
    pub(super) stream_window: u32,
    pub(super) settings_acknowledged: bool,
    pub(super) streams_max: usize,
    pub(super) budgets: Budgets,
    /// Bytes of `out` that the peer made us send by control frames.
    control_bytes: usize,
    pub(super) counters: Counters,
    /// Counts turns in [`super::Connection::poll_writable`].
    pub(super) turns: u64,
    /// The turn of those streams of each urgency that go one after the other.
    pub(super) queue_turns: [u64; 8],
    pub(super) drain: Drain,
    pub(super) failed: bool,
}

impl Core {
    pub(super) const fn new(
        stream_window: u32,
        connection_window: u32,
        streams_max: usize,
    ) -> Self {
        Self {
            streams: Streams::new(),
            encoder: Encoder::new(),
            out: Vec::new(),
            send: SendWindow::new(INITIAL),
            receive: ReceiveWindow::new(connection_window, connection_window),
            peer_initial_window: INITIAL,
            stream_window,
            settings_acknowledged: false,
            streams_max,
            budgets: Budgets::new(),
            control_bytes: 0,
            counters: Counters {
                requests: 0,
                resets_received: 0,
                resets_sent: 0,
                acks: 0,
                noise: 0,
                priorities: 0,
                window_updates: 0,
                tiny_data: 0,
                continuations: 0,
                oversized_heads: 0,
            },
            turns: 0,
            queue_turns: [0; 8],
            drain: Drain::No,
            failed: false,
        }
    }

    /// The window of a stream that opens now. Until the peer has acknowledged our settings it may
    /// count with the initial size of the protocol.
    pub(super) fn new_receive_window(&self) -> ReceiveWindow {
        let left = if self.settings_acknowledged {
            self.stream_window
        } else {
            self.stream_window.max(INITIAL)
        };
        ReceiveWindow::new(left, self.stream_window)
    }

    /// Makes room in the bound for answers that the peer did not ask for as data.
    pub(super) const fn control(&mut self, bytes: usize) -> Result<(), Fault> {
        if self.out.is_empty() {
            self.control_bytes = 0;
        }
        self.control_bytes += bytes;
        if self.control_bytes > H2_CONTROL_BYTES_MAX {
            return Err(Fault::UnreadAnswers);
        }
        Ok(())
    }

    pub(super) const fn noise(&mut self) -> Result<(), Fault> {
        self.counters.noise += 1;
        within(self.budgets.noise.spend(1), Fault::NoiseFlood)
    }

    /// A frame came that wants to be acknowledged, and is as much work as `cost` of them.
    pub(super) const fn want_ack(&mut self, cost: u32) -> Result<(), Fault> {
        self.counters.acks += 1;
        within(self.budgets.acks.spend(cost), Fault::AckFlood)
    }

    pub(super) const fn priority_came(&mut self) -> Result<(), Fault> {
        self.counters.priorities += 1;
        within(self.budgets.priorities.spend(1), Fault::PriorityFlood)
    }

    #[inline]
    pub(super) const fn window_update_came(&mut self) -> Result<(), Fault> {
        self.counters.window_updates += 1;
        within(self.budgets.window_updates.spend(1), Fault::WindowFlood)
    }

    pub(super) const fn head_is_oversized(&mut self) -> Result<(), Fault> {
        self.counters.oversized_heads += 1;
        within(self.budgets.oversized_heads.spend(1), Fault::HeadFlood)
    }

    /// Ends a stream for a fault of the peer, also one that was never opened.
    pub(super) fn reset_for(&mut self, id: u32, fault: Fault) -> Result<Cause, Fault> {
        self.counters.resets_sent += 1;
        // Making us reset streams is as cheap to the peer as resetting them itself.
        within(self.budgets.resets.spend(1), Fault::ResetFlood)?;
        self.control(13)?;
        self.reset(id, fault.code());
        Ok(Cause::Fault(fault))
    }

    pub(super) fn reset(&mut self, id: u32, code: ErrorCode) {
        self.streams.remove(id);
        self.streams.remember_reset(id);
        frame::write_reset(&mut self.out, id, code);
    }

    /// The answer is complete. The stream is over if the request is too; if not, the rest of the
    /// request is read away, within reason.
    pub(super) fn answered(&mut self, id: u32) {
        let Some(stream) = self.streams.find_mut(id) else {
            return;
        };
        stream.answer = Answer::Done;
        stream.ready = false;
        if stream.peer_open {
            stream.body = Body::Unwanted;
        } else {
            self.streams.remove(id);
        }
    }

    /// Body bytes are done with: tell the peer when enough of them came together.
    pub(super) fn give_back(&mut self, id: u32, bytes: u32) -> Result<(), Fault> {
        if let Some(due) = self.receive.give(bytes) {
            self.control(13)?;
            frame::write_window_update(&mut self.out, 0, due);
        }
        let Some(stream) = self.streams.find_mut(id) else {
            return Ok(());
        };
        if !stream.peer_open {
            return Ok(());
        }
        if let Some(due) = stream.receive.give(bytes) {
            self.control(13)?;
            frame::write_window_update(&mut self.out, id, due);
        }
        Ok(())
    }

    /// Says goodbye for a fault. Nothing is handled after it.
    pub(super) fn fail(&mut self, fault: Fault) {
        let last = self.streams.last();
        frame::write_go_away(&mut self.out, last, fault.code(), fault.reason());
        self.failed = true;
        self.streams.clear();
    }

    /// The second half of a graceful end.
    pub(super) fn finish_drain(&mut self) {
        if self.failed || self.drain == Drain::Final {
            return;
        }
        self.drain = Drain::Final;
        let last = self.streams.stop_accepting();
        frame::write_go_away(&mut self.out, last, ErrorCode::NoError, "");
    }
}
