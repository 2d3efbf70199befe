//! Waiting for the peer to go away, without reading what it sent (`IORING_OP_POLL_ADD`).

use std::os::fd::AsRawFd as _;

use compio::driver::{OpCode, OpEntry, SharedFd};
use io_uring::opcode;
use io_uring::types::Fd;
use socket2::Socket;

struct HangUp(SharedFd<Socket>);

const GONE: u32 = (libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR).cast_unsigned() as u32;

// SAFETY: the entry holds a descriptor that the operation keeps open, and no memory.
unsafe impl OpCode for HangUp {
    type Control = ();

    fn create_entry(&mut self, (): &mut ()) -> OpEntry {
        OpEntry::Submission(opcode::PollAdd::new(Fd(self.0.as_raw_fd()), GONE).build())
    }
}

/// Completes when the peer has closed its side, or the connection is broken.
pub(crate) async fn hang_up(socket: SharedFd<Socket>) {
    let _ = compio::runtime::submit(HangUp(socket)).await;
}
