//! Plain or TLS: the one place where the difference lives.

use std::ops::Deref;

use crate::tls;
pub(super) use crate::tls::Ingested;

pub(super) enum Session<C> {
    Plain { output: Vec<u8> },
    Tls(Box<tls::Session<C>>),
}

impl<C: Deref<Target = [u8]>> Session<C> {
    /// Bytes from the wire in; request bytes are appended to `plaintext`.
    pub(super) fn ingest(&mut self, chunk: C, plaintext: &mut Vec<u8>) -> Ingested {
        match self {
            Self::Plain { .. } => {
                plaintext.extend_from_slice(&chunk);
                Ingested::Open
            }
            Self::Tls(session) => session.ingest(chunk, plaintext),
        }
    }

    /// Puts answer bytes behind what waits to be sent; false when the session is broken.
    pub(super) fn seal(&mut self, bytes: &[u8]) -> bool {
        match self {
            Self::Plain { output } => {
                output.extend_from_slice(bytes);
                true
            }
            Self::Tls(session) => session.seal(bytes),
        }
    }

    pub(super) fn seal_close(&mut self) {
        if let Self::Tls(session) = self {
            session.seal_close();
        }
    }

    /// Whether the peer has sent part of a TLS record, of which nothing can be opened yet.
    pub(super) fn is_within_record(&self) -> bool {
        match self {
            Self::Plain { .. } => false,
            Self::Tls(session) => session.is_within_record(),
        }
    }

    /// How many bytes of plaintext these bytes of output hold, as far as a peer could open them.
    pub(super) fn plaintext_bytes(&self, output: &[u8]) -> u64 {
        match self {
            Self::Plain { .. } => output.len() as u64,
            Self::Tls(_) => tls::plaintext_bytes(output),
        }
    }

    /// Wire bytes waiting to be sent.
    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Plain { output } => output,
            Self::Tls(session) => session.output(),
        }
    }
}
