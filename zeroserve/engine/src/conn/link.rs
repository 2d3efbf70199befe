//! What a connection needs of its transport.

use std::io;
use std::ops::Deref;

use compio::driver::BufferRef;

use crate::ring::StreamSocket;

/// A byte stream with owned buffers. Implemented by the ring's sockets and, in tests, by memory.
pub(crate) trait Link: 'static {
    type Chunk: Deref<Target = [u8]> + 'static;

    /// The next bytes; `None` when the peer has closed its side.
    async fn recv(&self) -> io::Result<Option<Self::Chunk>>;

    /// Sends `buffer` from `from` on and hands it back with the count sent.
    async fn send(&self, buffer: Vec<u8>, from: usize) -> (io::Result<usize>, Vec<u8>);

    /// Tells the peer that nothing more will come.
    async fn shutdown(&self);

    async fn close(self);
}

impl Link for StreamSocket {
    type Chunk = BufferRef;

    async fn recv(&self) -> io::Result<Option<BufferRef>> {
        loop {
            match Self::recv(self).await {
                // The loop's receive buffers are all in use: those that hold them give them back
                // before they wait, so one turn later there are some again.
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    yield_once().await;
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

    async fn shutdown(&self) {
        Self::shutdown(self).await;
    }

    async fn close(self) {
        Self::close(self).await;
    }
}

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
