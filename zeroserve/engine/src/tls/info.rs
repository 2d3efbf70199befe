//! What is known of a TLS connection beside its bytes: what the log shows and scripts may ask for.

use boring::sha::sha256;
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
    pub(super) ja4: Option<Box<str>>,
}

impl Seen {
    /// Reads a `ClientHello`, its 4-byte header included.
    pub(super) fn of(message: &[u8]) -> Self {
        let Some(hello) = ClientHello::parse(message) else {
            return Self::default(); // BoringSSL says why
        };
        Self {
            ja4: Some(ja4(&hello, sha256).into_boxed_str()),
        }
    }
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
