//! The first flight of a TLS connection, read whole before TLS begins: what is decided about it is
//! decided before `BoringSSL` sees a byte and could answer.

use zs_proto::tls::flight::{Flight, first_message};

use super::Link;

/// What a client sends first.
pub(super) struct FirstFlight {
    /// All that has arrived.
    pub(super) bytes: Vec<u8>,
    /// The message in it; `None` when it is no TLS handshake.
    pub(super) hello: Option<Vec<u8>>,
}

impl FirstFlight {
    /// Reads until the first message is there, or can't come any more. `None` when the peer has gone
    /// before that.
    pub(super) async fn read<L: Link>(link: &L) -> Option<Self> {
        let mut bytes = Vec::new();
        loop {
            bytes.extend_from_slice(&link.recv().await.ok()??);
            let hello = match first_message(&bytes) {
                Flight::Incomplete => continue,
                Flight::Hello(message) => Some(message),
                Flight::NotTls => None,
            };
            return Some(Self { bytes, hello });
        }
    }
}
