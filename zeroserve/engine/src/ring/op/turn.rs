//! Waiting for the loop's next look at the ring (`IORING_OP_NOP`).
//!
//! A task that only wakes itself is run again before that look, up to `TASKS_PER_TURN` times when it is alone: what other
//! connections have sent meanwhile waits for all of them.

use compio::driver::{OpCode, OpEntry};
use io_uring::opcode;

struct Nothing;

// SAFETY: the entry points to no memory.
unsafe impl OpCode for Nothing {
    type Control = ();

    fn create_entry(&mut self, (): &mut ()) -> OpEntry {
        OpEntry::Submission(opcode::Nop::new().build())
    }
}

/// Goes on when everything that has completed up to now has had its turn.
pub(crate) async fn next_turn() {
    // Nothing can happen to it but being cancelled.
    let _ = compio::runtime::submit(Nothing).await;
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    use super::next_turn;
    use crate::ring::{runtime, sleep};

    #[test]
    fn what_has_completed_has_its_turn() {
        runtime().unwrap().block_on(async {
            let passed = Rc::new(Cell::new(false));
            let waiting = Rc::clone(&passed);
            let other = compio::runtime::spawn(async move {
                sleep(Duration::from_nanos(1)).await;
                waiting.set(true);
            });
            // One to submit it, one to hear of it, one for the task.
            for _ in 0..3 {
                next_turn().await;
            }
            assert!(passed.get());
            let _ = other.await;
        });
    }
}
