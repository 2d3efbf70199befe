//! How long a script may run: slices of time between other work of the loop, and pauses for one that goes on and on.

use std::time::Duration;

use crate::clock::monotonic;

/// A script that has run for so long without a pause gets one.
const BEFORE_PAUSE: Duration = Duration::from_millis(20);
/// The pause.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// The slices of a script that has had a pause. It is in no hurry any more; others are, and wait for its slice to end
/// (`python -m bench --runaway`).
const AFTER_PAUSE: Duration = Duration::from_micros(100);

/// What a script's used-up slice leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Go on at once.
    Continue,
    /// Others first.
    Yield,
    /// Others for a while.
    Pause,
}

/// One request's account. Looks at the clock only when fuel runs out, so a short script never pays for it.
pub(super) struct Slices {
    slice: Duration,
    /// When the slice under way began.
    began: Option<Duration>,
    /// Ran since the last pause, before this slice.
    ran: Duration,
}

impl Slices {
    pub(super) const fn new(slice: Duration) -> Self {
        Self {
            slice,
            began: None,
            ran: Duration::ZERO,
        }
    }

    /// Fuel has run out.
    pub(super) fn spent(&mut self) -> Turn {
        self.spent_at(monotonic())
    }

    fn spent_at(&mut self, now: Duration) -> Turn {
        let Some(began) = self.began else {
            self.began = Some(now); // a few microseconds late, once
            return Turn::Continue;
        };
        let ran = now.saturating_sub(began);
        if ran < self.slice {
            return Turn::Continue;
        }
        self.began = None;
        self.ran += ran;
        if self.ran < BEFORE_PAUSE {
            return Turn::Yield;
        }
        self.ran = Duration::ZERO;
        self.slice = self.slice.min(AFTER_PAUSE);
        Turn::Pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns up to the next pause, for a script whose fuel lasts for so long.
    fn until_pause(slices: &mut Slices, now: &mut Duration, fuel: Duration) -> Vec<Turn> {
        let mut turns = Vec::new();
        while turns.last() != Some(&Turn::Pause) {
            *now += fuel;
            match slices.spent_at(*now) {
                Turn::Continue => {}
                turn => turns.push(turn),
            }
        }
        turns
    }

    #[test]
    fn a_script_that_never_ends_is_sliced_and_paused() {
        let mut slices = Slices::new(Duration::from_millis(2));
        let mut now = Duration::ZERO;
        let turns = until_pause(&mut slices, &mut now, Duration::from_millis(1));
        assert_eq!(turns.len(), 10, "20 ms in slices of 2");
        assert!(turns[..9].iter().all(|turn| *turn == Turn::Yield));
    }

    #[test]
    fn after_a_pause_slices_are_short() {
        let mut slices = Slices::new(Duration::from_millis(2));
        let (mut now, fuel) = (Duration::ZERO, Duration::from_micros(10));
        until_pause(&mut slices, &mut now, fuel);
        for _ in 0..2 {
            let turns = until_pause(&mut slices, &mut now, fuel);
            assert_eq!(turns.len(), 200, "20 ms in slices of 0.1");
        }
    }
}
