//! `Host` and the authority of a target: `uri-host [":" port]` (RFC 9110, section 7.2).

use crate::error::PeerError;
use crate::limits::HOST_BYTES_MAX;
use crate::scan::{is_host, is_ip_literal};

/// Refuses what is not a host with an optional port; user information and an empty host too.
///
/// An empty `Host` is meant for targets without authority, and an `http` URI always has one
/// (RFC 9110, section 4.2.1).
pub(crate) fn check(value: &[u8]) -> Result<(), PeerError> {
    if value.is_empty() || value.len() > HOST_BYTES_MAX {
        return Err(PeerError::BadHost);
    }
    let port = match value {
        [b'[', literal @ ..] => {
            let end = literal.iter().position(|&byte| !is_ip_literal(byte));
            let (Some(end @ 1..), Some(b']')) = (end, end.and_then(|end| literal.get(end))) else {
                return Err(PeerError::BadHost);
            };
            literal.get(end + 1..)
        }
        _ => match value.iter().position(|&byte| !is_host(byte)) {
            None => return Ok(()),
            Some(0) => return Err(PeerError::BadHost),
            Some(end) => value.get(end..),
        },
    };
    match port {
        Some([]) => Ok(()),
        // RFC 3986, section 3.2.3 allows an empty port.
        Some([b':', digits @ ..]) if digits.iter().all(u8::is_ascii_digit) => Ok(()),
        _ => Err(PeerError::BadHost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_and_without_port_are_taken() {
        let good = [
            "a",
            "example.com",
            "example.com.",
            "a_b",
            "127.0.0.1",
            "127.0.0.1:8443",
            "a:",
            "[::1]",
            "[::1]:80",
            "[v1.x:y]",
            "a%20b",
            "xn--bcher-kva.example",
        ];
        for host in good {
            assert_eq!(check(host.as_bytes()), Ok(()), "{host}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let long = "a".repeat(HOST_BYTES_MAX + 1);
        let bad = [
            "",
            ":80",
            "a:b",
            "a:80:80",
            "u@a",
            "a/b",
            "a b",
            "a,b c",
            "a?b",
            "a#b",
            "[",
            "[]",
            "[]:80",
            "[::1",
            "[::1]80",
            "[::1]]",
            "[::1%eth0]",
            "::1",
            "\u{e9}",
            "a\\b",
            "a\"",
            "<a>",
            &long,
        ];
        for host in bad {
            assert_eq!(check(host.as_bytes()), Err(PeerError::BadHost), "{host}");
        }
    }
}
