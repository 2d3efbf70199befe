//! JA4, the fingerprint of a TLS client (`FoxIO`'s public definition of the TLS client part). A hint, and
//! never proof: clients can imitate each other.

use std::fmt::Write as _;

use super::client_hello::{ClientHello, extension, is_grease};

/// Digits of each hash in the text.
const HASH_DIGITS: usize = 12;
/// Stands for the hash of an empty list.
const EMPTY: &str = "000000000000";

/// The fingerprint, 36 characters. `sha256` hashes: this crate has no hash of its own.
#[must_use]
pub fn ja4(hello: &ClientHello<'_>, sha256: impl Fn(&[u8]) -> [u8; 32]) -> String {
    let parts = Parts::of(hello);
    let hash = |text: &str| {
        if text.is_empty() {
            return EMPTY.to_owned();
        }
        let mut digits = String::with_capacity(64);
        for byte in sha256(text.as_bytes()) {
            let _ = write!(digits, "{byte:02x}");
        }
        digits.truncate(HASH_DIGITS);
        digits
    };
    format!(
        "{}_{}_{}",
        parts.shape,
        hash(&parts.ciphers),
        hash(&parts.extensions)
    )
}

/// The same before hashing (`JA4_r`), for people and tests.
#[must_use]
pub fn ja4_raw(hello: &ClientHello<'_>) -> String {
    let parts = Parts::of(hello);
    format!("{}_{}_{}", parts.shape, parts.ciphers, parts.extensions)
}

struct Parts {
    shape: String,
    ciphers: String,
    extensions: String,
}

impl Parts {
    fn of(hello: &ClientHello<'_>) -> Self {
        let mut ciphers: Vec<u16> = hello.cipher_suites().filter(|&c| !is_grease(c)).collect();
        let mut extensions: Vec<u16> = hello
            .extensions()
            .map(|(number, _)| number)
            .filter(|&e| !is_grease(e))
            .collect();
        let shape = shape(hello, ciphers.len(), extensions.len());
        ciphers.sort_unstable();
        extensions.retain(|&e| e != extension::SERVER_NAME && e != extension::ALPN);
        extensions.sort_unstable();
        let algorithms: Vec<u16> = hello
            .signature_algorithms()
            .filter(|&a| !is_grease(a))
            .collect();
        let mut listed = list(&extensions);
        if !algorithms.is_empty() {
            listed.push('_');
            listed.push_str(&list(&algorithms));
        }
        Self {
            shape,
            ciphers: list(&ciphers),
            extensions: listed,
        }
    }
}

fn shape(hello: &ClientHello<'_>, ciphers: usize, extensions: usize) -> String {
    let version = hello.supported_versions().filter(|&v| !is_grease(v)).max();
    let version = match version.unwrap_or(hello.version) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    };
    let named = if hello.extension(extension::SERVER_NAME).is_some() {
        'd'
    } else {
        'i'
    };
    let (first, last) = protocol_characters(hello.first_protocol().unwrap_or_default());
    format!(
        "t{version}{named}{:02}{:02}{first}{last}",
        ciphers.min(99),
        extensions.min(99)
    )
}

/// First and last character of the first protocol; of its hex form when they aren't alphanumeric.
fn protocol_characters(protocol: &[u8]) -> (char, char) {
    let (Some(&first), Some(&last)) = (protocol.first(), protocol.last()) else {
        return ('0', '0');
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return (first.into(), last.into());
    }
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    (digit(first >> 4), digit(last & 0x0f))
}

fn list(numbers: &[u16]) -> String {
    let mut text = String::with_capacity(numbers.len() * 5);
    for number in numbers {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}{number:04x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTORS: &str = include_str!("../../tests/vectors/ja4-hellos.jsonl");

    fn field<'a>(line: &'a str, name: &str) -> &'a str {
        let start = line.find(&format!("\"{name}\": \"")).unwrap() + name.len() + 5;
        line[start..].split('"').next().unwrap()
    }

    #[test]
    fn captured_clients_have_the_fingerprints_they_are_known_by() {
        assert!(VECTORS.lines().count() >= 23);
        for line in VECTORS.lines() {
            let hex = field(line, "hello");
            let hello: Vec<u8> = (0..hex.len() / 2)
                .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
                .collect();
            let hello = ClientHello::parse(&hello).unwrap();
            assert_eq!(ja4_raw(&hello), field(line, "ja4_r"));
            // The hashes themselves are checked where there is a hash: in the engine.
            let shape = field(line, "ja4").split('_').next().unwrap();
            assert!(ja4(&hello, |_| [0; 32]).starts_with(shape));
        }
    }

    #[test]
    fn protocols_outside_ascii_are_shown_in_hex() {
        assert_eq!(protocol_characters(b"h2"), ('h', '2'));
        assert_eq!(protocol_characters(b"x"), ('x', 'x'));
        assert_eq!(protocol_characters(&[0x0a, 0x1b]), ('0', 'b'));
        assert_eq!(protocol_characters(b""), ('0', '0'));
    }
}
