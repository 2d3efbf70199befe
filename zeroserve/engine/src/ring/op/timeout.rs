//! Waiting for time to pass, as an operation of the ring (`IORING_OP_TIMEOUT`).
//!
//! The runtime's own timers wake their task through an eventfd when nothing else has completed: two
//! more system calls each, on the loop thread. A timeout completes like everything else.

use std::time::Duration;

use compio::driver::{OpCode, OpEntry};
use io_uring::opcode;
use io_uring::types::Timespec;

struct Timeout(Timespec);

// SAFETY: the entry points to the time span, which lives in the operation: the runtime keeps that at
// one address until it has completed.
unsafe impl OpCode for Timeout {
    type Control = ();

    fn create_entry(&mut self, (): &mut ()) -> OpEntry {
        OpEntry::Submission(opcode::Timeout::new(&raw const self.0).build())
    }
}

/// Completes after `duration`, or not much later.
pub(crate) async fn sleep(duration: Duration) {
    let span = Timespec::new()
        .sec(duration.as_secs())
        .nsec(duration.subsec_nanos());
    // Passing is reported as ETIME; nothing else can happen to it but being cancelled.
    let _ = compio::runtime::submit(Timeout(span)).await;
}
