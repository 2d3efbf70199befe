//! Sockets on the ring: accept, receive into a buffer of the kernel's choice, send, close.

use std::cell::Cell;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use compio::buf::{BufResult, IntoInner, IoBuf};
use compio::driver::op::{
    Accept, CloseSocket, Connect, RecvFlags, RecvManaged, ResultTakeBuffer, Send, SendFlags,
};
use compio::driver::{BufferRef, PollFirst, SharedFd};
use compio::runtime::Runtime;
use socket2::{Domain, Protocol, Socket, Type};

/// Whole buffers are sent: the kernel waits for room in the socket and goes on by itself, so a large
/// answer costs one submission however full the socket is.
const SEND_FLAGS: SendFlags =
    SendFlags::from_bits_retain((libc::MSG_NOSIGNAL | libc::MSG_WAITALL).cast_unsigned());

/// A listening socket, shared by the accept tasks of one loop.
#[derive(Clone)]
pub(crate) struct ListenSocket(SharedFd<Socket>);

/// A fresh connection and who is at the other end (`None` for unix sockets).
pub(crate) struct Accepted {
    pub(crate) stream: StreamSocket,
    pub(crate) peer: Option<SocketAddr>,
}

impl ListenSocket {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        let socket = Socket::from(fd);
        // Accepted sockets inherit it: answers leave in one send, so Nagle only adds delay. Fails on
        // unix sockets, where there is no such thing.
        let _ = socket.set_tcp_nodelay(true);
        Self(SharedFd::new(socket))
    }

    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        let BufResult(result, op) = compio::runtime::submit(Accept::new(self.0.clone())).await;
        result?;
        let (socket, address) = op.into_inner();
        Ok(Accepted {
            stream: StreamSocket::new(socket),
            peer: address.as_socket(),
        })
    }
}

/// One connection's socket.
pub(crate) struct StreamSocket {
    fd: SharedFd<Socket>,
    // Nothing was left after the last receive, so the next one polls first instead of trying in vain.
    drained: Cell<bool>,
}

impl StreamSocket {
    fn new(socket: Socket) -> Self {
        Self {
            fd: SharedFd::new(socket),
            drained: Cell::new(false),
        }
    }

    /// Connects to `address`.
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM.cloexec(), Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        let stream = Self::new(socket);
        let op = Connect::new(stream.fd.clone(), address.into());
        let BufResult(result, _) = compio::runtime::submit(op).await;
        result?;
        Ok(stream)
    }

    /// The next bytes, in a buffer that goes back to the loop's pool when dropped; `None` at the end.
    pub(crate) async fn recv(&self) -> io::Result<Option<BufferRef>> {
        let submitted = Runtime::with_current(|runtime| {
            let pool = runtime.buffer_pool()?;
            let mut op = RecvManaged::new(self.fd.clone(), &pool, 0, RecvFlags::empty())?;
            if self.drained.get() {
                op.poll_first();
            }
            io::Result::Ok(runtime.submit(op).with_extra())
        })?;
        let (result, extra) = submitted.await;
        if let Ok(nonempty) = extra.sock_nonempty() {
            self.drained.set(!nonempty);
        }
        // SAFETY: the result is the count the kernel wrote into the buffer it chose.
        unsafe { result.take_buffer() }
    }

    /// Sends all of `buffer` and hands it back.
    pub(crate) async fn send<B: IoBuf>(&self, buffer: B) -> (io::Result<usize>, B) {
        let op = Send::new(self.fd.clone(), buffer, SEND_FLAGS);
        let BufResult(result, op) = compio::runtime::submit(op).await;
        (result, op.into_inner())
    }

    /// Completes when the peer has closed its side; reads nothing.
    pub(crate) async fn hang_up(&self) {
        super::op::hang_up(self.fd.clone()).await;
    }

    /// Says that no more will be sent. Not by the ring, which gives every shutdown to a worker thread:
    /// that costs more than the call, and the call moves no bytes and does not wait.
    pub(crate) fn shutdown(&self) {
        let _ = self.fd.shutdown(Shutdown::Write);
    }

    /// Ends both directions: whatever is under way on the socket completes. As for [`Self::shutdown`].
    pub(crate) fn abort(&self) {
        let _ = self.fd.shutdown(Shutdown::Both);
    }

    /// Has the close cut the connection off.
    pub(crate) fn reset(&self) {
        let _ = self.fd.set_linger(Some(Duration::ZERO));
    }

    /// Closes on the ring, once operations that still hold the descriptor have ended.
    pub(crate) async fn close(self) {
        if let Some(socket) = self.fd.take().await {
            let _ = compio::runtime::submit(CloseSocket::new(socket.into())).await;
        }
    }
}
