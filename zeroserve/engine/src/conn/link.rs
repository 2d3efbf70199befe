//! What a connection needs of its transport.

use std::io;
use std::ops::Deref;
use std::time::Duration;

use compio::driver::BufferRef;

use crate::ring::{self, StreamSocket};

/// Turns of the loop that a receive without a buffer is tried again at once; then it pauses, so that
/// want of buffers never burns CPU.
const TURNS_BEFORE_PAUSE: u32 = 2;
const PAUSE: Duration = Duration::from_millis(1);

/// A byte stream with owned buffers. Implemented by the ring's sockets and, in tests, by memory.
pub(crate) trait Link: 'static {
    type Chunk: Deref<Target = [u8]> + 'static;

    /// The next bytes; `None` when the peer has closed its side.
    async fn recv(&self) -> io::Result<Option<Self::Chunk>>;

    /// Sends `buffer` from `from` on and hands it back with the count sent.
    async fn send(&self, buffer: Vec<u8>, from: usize) -> (io::Result<usize>, Vec<u8>);

    /// Completes when the peer has closed its side or is gone, whatever it sent before. May be given up at any time.
    async fn hang_up(&self);

    /// Tells the peer that nothing more will come.
    fn shutdown(&self);

    /// Ends both directions, and with them every operation that is still under way: a cancellation may
    /// get lost in a full queue, and closing waits for the operations.
    fn abort(&self);

    /// Has `close` cut the connection off, so that the peer can't take it for a proper end.
    fn reset(&self);

    async fn close(self);
}

impl Link for StreamSocket {
    type Chunk = BufferRef;

    async fn recv(&self) -> io::Result<Option<BufferRef>> {
        let mut turns = 0;
        loop {
            match Self::recv(self).await {
                // The loop's receive buffers are all in use: those that hold them give them back
                // before they wait, so a turn or two later there are some again.
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    turns += 1;
                    if turns <= TURNS_BEFORE_PAUSE {
                        yield_once().await;
                    } else {
                        ring::sleep(PAUSE).await;
                    }
                }
                other => return other,
            }
        }
    }

    async fn send(&self, buffer: Vec<u8>, from: usize) -> (io::Result<usize>, Vec<u8>) {
        use compio::buf::{IntoInner, IoBuf};
        let (result, window) = Self::send(self, buffer.slice(from..)).await;
        (result, window.into_inner())
    }

    async fn hang_up(&self) {
        Self::hang_up(self).await;
    }

    fn shutdown(&self) {
        Self::shutdown(self);
    }

    fn abort(&self) {
        Self::abort(self);
    }

    fn reset(&self) {
        Self::reset(self);
    }

    async fn close(self) {
        Self::close(self).await;
    }
}

/// Lets the loop's other tasks have a turn.
async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            std::task::Poll::Ready(())
        } else {
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        }
    })
    .await;
}
