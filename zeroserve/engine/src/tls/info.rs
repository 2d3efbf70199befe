//! What is known of a TLS connection beside its bytes: what the log shows and scripts may ask for.

use std::sync::LazyLock;

use boring::ex_data::Index;
use boring::sha::sha256;
use boring::ssl::{self, Ssl, SslRef};
use serde::Serialize;
use zs_proto::tls::client_hello::ClientHello;
use zs_proto::tls::ja4::ja4;

/// Facts of one connection, fixed when its handshake is done.
#[derive(Debug, Serialize)]
pub(crate) struct ConnectionInfo {
    /// The protocol agreed on by ALPN.
    pub(crate) alpn: Option<&'static str>,
    /// The name that is served, in lower case: the inner one when ECH was accepted.
    #[serde(rename = "sni")]
    pub(crate) sni_inner: Option<Box<str>>,
    /// The name that the wire saw, when it is another one: ECH was accepted.
    pub(crate) sni_outer: Option<Box<str>>,
    /// Whether ECH was accepted; `None` without keys for it.
    pub(crate) ech: Option<bool>,
    /// JA4 of the hello that the wire saw.
    pub(crate) ja4: Option<Box<str>>,
    /// JA4 of the hello inside it, when ECH was accepted.
    pub(crate) ja4_inner: Option<Box<str>>,
}

/// What the first flight says, kept until the handshake is done.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The name in clear, in lower case.
    pub(super) name: Option<Box<str>>,
    pub(super) ja4: Option<Box<str>>,
}

impl Seen {
    /// Reads a `ClientHello`, its 4-byte header included.
    pub(super) fn of(message: &[u8]) -> Self {
        let Some(hello) = ClientHello::parse(message) else {
            return Self::default(); // BoringSSL says why
        };
        Self {
            name: hello.server_name().and_then(host_name),
            ja4: Some(ja4(&hello, sha256).into_boxed_str()),
        }
    }
}

/// Where a session keeps the JA4 of its inner hello. The library has room for such indices.
static INNER: LazyLock<Option<Index<Ssl, Box<str>>>> = LazyLock::new(|| Ssl::new_ex_index().ok());

/// Keeps the JA4 of a hello that came out of another one. The library shows it once, here.
pub(super) fn note_inner(mut hello: ssl::ClientHello<'_>) {
    if !hello.ssl().ech_accepted() {
        return;
    }
    let inner = ClientHello::parse_body(hello.as_bytes());
    let inner = inner.map(|inner| ja4(&inner, sha256).into_boxed_str());
    if let (Some(index), Some(inner)) = (*INNER, inner) {
        hello.ssl_mut().set_ex_data(index, inner);
    }
}

/// What `note_inner` has kept.
pub(super) fn inner_ja4(session: &SslRef) -> Option<Box<str>> {
    session.ex_data((*INNER)?).cloned()
}

/// A name as clients send it, as we compare it: lower case, without the root's dot.
pub(super) fn host_name(name: &[u8]) -> Option<Box<str>> {
    let name = std::str::from_utf8(name).ok()?;
    let name = name.strip_suffix('.').unwrap_or(name);
    Some(name.to_ascii_lowercase().into_boxed_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Vector {
        hello: String,
        ja4: String,
    }

    #[test]
    fn captured_clients_have_the_fingerprints_they_are_known_by() {
        let vectors = include_str!("../../proto/tests/vectors/ja4-hellos.jsonl");
        let mut count = 0;
        for line in vectors.lines() {
            let vector: Vector = serde_json::from_str(line).unwrap();
            let message: Vec<u8> = (0..vector.hello.len() / 2)
                .map(|at| u8::from_str_radix(&vector.hello[2 * at..2 * at + 2], 16).unwrap())
                .collect();
            assert_eq!(Seen::of(&message).ja4.as_deref(), Some(&*vector.ja4));
            count += 1;
        }
        assert!(count >= 23);
    }

    #[test]
    fn names_compare_without_case_and_the_roots_dot() {
        assert_eq!(host_name(b"A.Example.").as_deref(), Some("a.example"));
        assert_eq!(host_name(b"\xff"), None);
    }
}
