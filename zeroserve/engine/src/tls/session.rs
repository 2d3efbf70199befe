//! One TLS session over memory. Several records of an answer gather in one buffer and leave in one
//! send; a record's bytes are read straight from the receive buffer.

use std::io::{self, Read, Write};
use std::ops::Deref;

use boring::error::ErrorStack;
use boring::ssl::{ErrorCode, NameType, SslStream};

use super::Context;
use super::info::{self, ConnectionInfo, Seen, host_name};
use super::policy::Course;

/// Room made for plaintext per read: requests are small, uploads take a few turns.
const PLAINTEXT_STEP: usize = 2 << 10;

/// What a record is longer than its plaintext: a content type and a tag, with every cipher of TLS 1.3.
const RECORD_EXPANSION: usize = 17;

pub(crate) struct Session<C> {
    stream: SslStream<Memory<C>>,
    established: bool,
    said_goodbye: bool,
    seen: Seen,
    has_ech: bool,
}

/// What a chunk of ciphertext led to.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) enum Ingested {
    /// Wait for more bytes; output may be waiting to be sent.
    Open,
    /// The handshake has just finished.
    Established,
    /// The peer has closed its side.
    PeerClosed,
    /// The peer broke the protocol; an alert may be waiting to be sent.
    Failed,
}

/// The transport `BoringSSL` sees.
struct Memory<C> {
    /// What was read before there was a session.
    first: Vec<u8>,
    input: Option<C>,
    /// Bytes of whichever of the two is being read.
    taken: usize,
    output: Vec<u8>,
}

impl<C> Memory<C> {
    const fn is_empty(&self) -> bool {
        self.input.is_none() && self.first.is_empty()
    }
}

impl<C: Deref<Target = [u8]>> Read for Memory<C> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let chunk: &[u8] = match &self.input {
            _ if !self.first.is_empty() => &self.first,
            Some(chunk) => chunk,
            None => return Err(io::ErrorKind::WouldBlock.into()),
        };
        let left = chunk.get(self.taken..).unwrap_or_default();
        let count = left.len().min(into.len());
        into[..count].copy_from_slice(&left[..count]);
        self.taken += count;
        if self.taken == chunk.len() {
            // Back to the loop's pool at once: other connections wait for buffers.
            if self.first.is_empty() {
                self.input = None;
            }
            self.first = Vec::new();
            self.taken = 0;
        }
        Ok(count)
    }
}

impl<C> Write for Memory<C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<C: Deref<Target = [u8]>> Session<C> {
    /// A session whose first bytes are `first`, all that has arrived so far; `hello` is the message in
    /// them, if there is one.
    fn accept(context: &Context, first: Vec<u8>, hello: Option<&[u8]>) -> Result<Self, ErrorStack> {
        let memory = Memory {
            first,
            input: None,
            taken: 0,
            output: Vec::new(),
        };
        let ssl = context.session()?;
        // Handshake state is dropped when the handshake is done: several KiB a connection.
        // SAFETY: `ssl` is a valid session, owned here.
        unsafe {
            boring_sys::SSL_set_shed_handshake_config(foreign_ptr(&ssl), 1);
        }
        Ok(Self {
            stream: SslStream::new(ssl, memory)?,
            established: false,
            said_goodbye: false,
            seen: hello.map(Seen::of).unwrap_or_default(),
            has_ech: context.has_ech(),
        })
    }

    /// Whether a session is to be made of the first flight `first` at all: `None` when the connection is
    /// somebody else's, and nothing of ours may be sent. The outcome is that of the first flight.
    pub(crate) fn open_ours(
        context: &Context,
        first: &[u8],
        hello: Option<&[u8]>,
    ) -> Result<Option<(Self, Ingested)>, ErrorStack> {
        let course = context.course(hello);
        if course == Course::Relay {
            return Ok(None);
        }
        let mut session = Self::accept(context, first.to_vec(), hello)?;
        let outcome = session.open(&mut Vec::new());
        // What the library would answer is still in our hands.
        let ours = course == Course::Serve
            || session.stream.ssl().ech_accepted()
            || outcome != Ingested::Failed && context.serves_clear(session.seen.name.as_deref());
        Ok(ours.then_some((session, outcome)))
    }

    /// Takes ciphertext in and appends what it carries to `plaintext`. The chunk is given back whatever
    /// comes of it: a session that ends must not hold one of the loop's receive buffers.
    pub(crate) fn ingest(&mut self, chunk: C, plaintext: &mut Vec<u8>) -> Ingested {
        let memory = self.stream.get_mut();
        memory.input = Some(chunk);
        memory.taken = 0;
        let outcome = self.open(plaintext);
        self.stream.get_mut().input = None;
        outcome
    }

    fn open(&mut self, plaintext: &mut Vec<u8>) -> Ingested {
        let mut outcome = Ingested::Open;
        if !self.established {
            match self.stream.accept() {
                Ok(()) => {
                    self.established = true;
                    self.release_tickets();
                    outcome = Ingested::Established;
                }
                Err(error) if error.code() == ErrorCode::WANT_READ => return Ingested::Open,
                Err(_) => return Ingested::Failed,
            }
        }
        while !self.stream.get_mut().is_empty() || self.stream.ssl().pending() > 0 {
            if plaintext.capacity() - plaintext.len() < PLAINTEXT_STEP {
                plaintext.reserve(PLAINTEXT_STEP);
            }
            match self.stream.ssl_read_uninit(plaintext.spare_capacity_mut()) {
                Ok(count) => {
                    // SAFETY: BoringSSL has initialised `count` bytes of the spare capacity.
                    unsafe { plaintext.set_len(plaintext.len() + count) };
                }
                Err(error) => match error.code() {
                    ErrorCode::WANT_READ => break,
                    ErrorCode::ZERO_RETURN => return Ingested::PeerClosed,
                    _ => return Ingested::Failed,
                },
            }
        }
        outcome
    }

    /// Puts the session tickets into the output, which `BoringSSL` would keep for the first answer. A
    /// client with Nagle's algorithm holds its first request back until something acknowledges its
    /// last flight, and with nothing to send we would do that after 40 ms.
    fn release_tickets(&mut self) {
        // SAFETY: `ssl` is a valid session; a write of no bytes reads none.
        unsafe {
            boring_sys::SSL_write(foreign_ptr(self.stream.ssl()), std::ptr::null(), 0);
        }
    }

    /// The protocol agreed on by ALPN, `http/1.1` when the client named none; `None` before the
    /// handshake is done.
    pub(crate) fn protocol(&self) -> Option<&[u8]> {
        self.established.then(|| {
            self.stream
                .ssl()
                .selected_alpn_protocol()
                .unwrap_or(b"http/1.1")
        })
    }

    /// What the handshake has settled; to be called once, when it is done.
    pub(crate) fn take_info(&mut self) -> ConnectionInfo {
        let ssl = self.stream.ssl();
        let seen = std::mem::take(&mut self.seen);
        let accepted = ssl.ech_accepted();
        ConnectionInfo {
            alpn: match ssl.selected_alpn_protocol() {
                Some(b"h2") => Some("h2"),
                Some(b"http/1.1") => Some("http/1.1"),
                _ => None,
            },
            sni_inner: ssl.servername_raw(NameType::HOST_NAME).and_then(host_name),
            sni_outer: seen.name.filter(|_| accepted),
            ech: self.has_ech.then_some(accepted),
            ja4: seen.ja4,
            ja4_inner: info::inner_ja4(ssl),
        }
    }

    /// Whether part of a record has arrived, of which nothing can be opened yet.
    pub(crate) fn is_within_record(&self) -> bool {
        // SAFETY: `ssl` is a valid session; the call only looks.
        unsafe { boring_sys::SSL_has_pending(foreign_ptr(self.stream.ssl())) == 1 }
    }

    /// Seals `plaintext` as records of up to 16 KiB behind the waiting output.
    pub(crate) fn seal(&mut self, plaintext: &[u8]) -> bool {
        plaintext.is_empty() || self.stream.ssl_write(plaintext).is_ok()
    }

    /// Says goodbye (`close_notify`), so that the peer can tell the end from a cut.
    /// Once: a second call would look for the peer's.
    pub(crate) fn seal_close(&mut self) {
        if self.established && !std::mem::replace(&mut self.said_goodbye, true) {
            let _ = self.stream.shutdown();
        }
    }

    /// Ciphertext waiting to be sent.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.stream.get_mut().output
    }
}

/// How many bytes of plaintext the whole records in `wire` hold (RFC 8446 section 5.2). `wire` begins
/// with a record of ours.
pub(crate) fn plaintext_bytes(mut wire: &[u8]) -> u64 {
    let mut bytes = 0;
    while let [_, _, _, high, low, rest @ ..] = wire {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(next) = rest.get(length..) else {
            break;
        };
        bytes += length.saturating_sub(RECORD_EXPANSION) as u64;
        wire = next;
    }
    bytes
}

fn foreign_ptr(ssl: &boring::ssl::SslRef) -> *mut boring_sys::SSL {
    use foreign_types::ForeignTypeRef as _;
    ssl.as_ptr()
}
