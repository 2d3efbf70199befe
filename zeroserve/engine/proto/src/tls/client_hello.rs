//! One `ClientHello` (RFC 8446, section 4.1.2), borrowed: the message without its record layer.

/// Handshake type of a `ClientHello`.
const CLIENT_HELLO: u8 = 1;

/// Extension numbers that are looked into (IANA TLS `ExtensionType` values).
pub mod extension {
    /// `server_name` (RFC 6066).
    pub const SERVER_NAME: u16 = 0;
    /// `signature_algorithms` (RFC 8446, section 4.2.3).
    pub const SIGNATURE_ALGORITHMS: u16 = 13;
    /// `application_layer_protocol_negotiation` (RFC 7301).
    pub const ALPN: u16 = 16;
    /// `supported_versions` (RFC 8446, section 4.2.1).
    pub const SUPPORTED_VERSIONS: u16 = 43;
    /// `encrypted_client_hello` (RFC 9849).
    pub const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
}

/// The facts of a hello. Lists are read when asked for.
#[derive(Clone, Copy, Debug)]
pub struct ClientHello<'b> {
    /// `legacy_version`.
    pub version: u16,
    cipher_suites: &'b [u8],
    extensions: &'b [u8],
}

/// What a hello says of Encrypted Client Hello (RFC 9849, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EchKind {
    /// Nothing.
    Absent,
    /// There is another hello in it, encrypted, or something that looks like it.
    Outer,
    /// It is the one that was encrypted.
    Inner,
    /// Neither.
    Malformed,
}

const TLS13: u16 = 0x0304;

/// Takes fields off the front of a message.
#[derive(Clone, Copy)]
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// A vector with a length of one byte.
    fn short(&mut self) -> Option<&'b [u8]> {
        let length = usize::from(self.byte()?);
        self.take(length)
    }

    /// A vector with a length of two bytes.
    fn long(&mut self) -> Option<&'b [u8]> {
        let length = usize::from(self.number()?);
        self.take(length)
    }
}

impl<'b> ClientHello<'b> {
    /// Reads a handshake message, its 4-byte header included. `None` when it is something else, or its
    /// lengths don't add up.
    #[must_use]
    pub fn parse(message: &'b [u8]) -> Option<Self> {
        let mut reader = Reader(message);
        if reader.byte()? != CLIENT_HELLO {
            return None;
        }
        let [high, middle, low] = *reader.take(3)? else {
            return None;
        };
        let length = u32::from_be_bytes([0, high, middle, low]);
        Self::parse_body(reader.take(usize::try_from(length).ok()?)?)
    }

    /// Reads a hello without that header, as TLS libraries show it.
    #[must_use]
    pub fn parse_body(body: &'b [u8]) -> Option<Self> {
        let mut body = Reader(body);
        let version = body.number()?;
        let _random = body.take(32)?;
        let _session_id = body.short()?;
        let cipher_suites = body.long()?;
        let _compression = body.short()?;
        // A hello without extensions is an old one, and a valid one.
        let extensions = if body.0.is_empty() { &[] } else { body.long()? };
        let whole = cipher_suites.len() % 2 == 0 && body.0.is_empty();
        let hello = Self {
            version,
            cipher_suites,
            extensions,
        };
        (whole && hello.extensions_are_whole()).then_some(hello)
    }

    /// Cipher suites in the client's order, GREASE included.
    pub fn cipher_suites(&self) -> impl Iterator<Item = u16> + use<'b> {
        numbers(self.cipher_suites)
    }

    /// Every extension's number and content, in the client's order.
    pub fn extensions(&self) -> impl Iterator<Item = (u16, &'b [u8])> + use<'b> {
        let mut reader = Reader(self.extensions);
        std::iter::from_fn(move || Some((reader.number()?, reader.long()?)))
    }

    /// The content of an extension.
    #[must_use]
    pub fn extension(&self, number: u16) -> Option<&'b [u8]> {
        self.extensions()
            .find(|(found, _)| *found == number)
            .map(|(_, content)| content)
    }

    /// The host name of `server_name`, as sent.
    #[must_use]
    pub fn server_name(&self) -> Option<&'b [u8]> {
        let mut list = Reader(Reader(self.extension(extension::SERVER_NAME)?).long()?);
        while let Some(kind) = list.byte() {
            let name = list.long()?;
            if kind == 0 {
                return Some(name);
            }
        }
        None
    }

    /// The first protocol that the client offers by ALPN.
    #[must_use]
    pub fn first_protocol(&self) -> Option<&'b [u8]> {
        Reader(Reader(self.extension(extension::ALPN)?).long()?).short()
    }

    /// The versions that `supported_versions` names; none without that extension.
    pub fn supported_versions(&self) -> impl Iterator<Item = u16> + use<'b> {
        let content = self
            .extension(extension::SUPPORTED_VERSIONS)
            .unwrap_or_default();
        numbers(Reader(content).short().unwrap_or_default())
    }

    /// Whether TLS 1.3 may be chosen.
    #[must_use]
    pub fn offers_tls13(&self) -> bool {
        self.supported_versions().any(|version| version == TLS13)
    }

    /// Which half of an encrypted hello this is, by its extension's first byte.
    #[must_use]
    pub fn ech(&self) -> EchKind {
        match self.extension(extension::ENCRYPTED_CLIENT_HELLO) {
            None => EchKind::Absent,
            Some([0, ..]) => EchKind::Outer,
            Some([1]) => EchKind::Inner,
            Some(_) => EchKind::Malformed,
        }
    }

    /// Signature algorithms in the client's order; none without that extension.
    pub fn signature_algorithms(&self) -> impl Iterator<Item = u16> + use<'b> {
        let content = self
            .extension(extension::SIGNATURE_ALGORITHMS)
            .unwrap_or_default();
        numbers(Reader(content).long().unwrap_or_default())
    }

    fn extensions_are_whole(&self) -> bool {
        let mut reader = Reader(self.extensions);
        while !reader.0.is_empty() {
            if reader.number().and_then(|_| reader.long()).is_none() {
                return false;
            }
        }
        true
    }
}

/// Whether a value is one of those that clients send so that servers stay tolerant (RFC 8701).
#[must_use]
pub const fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = u16> + use<'_> {
    bytes
        .chunks_exact(2)
        .filter_map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?)))
}

/// Fuzz body: no bytes make the reader panic, and what it gives lies in what it got.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_client_hello(bytes: &[u8]) {
    if let Some(hello) = ClientHello::parse(bytes) {
        let _ = (hello.server_name(), hello.first_protocol());
        let _ = (hello.offers_tls13(), hello.ech());
        let _ = hello.supported_versions().count() + hello.signature_algorithms().count();
        let _ = hello.cipher_suites().count() + hello.extensions().count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grease_is_known_by_its_pattern() {
        assert!(is_grease(0x0a0a) && is_grease(0xfafa));
        assert!(!is_grease(0x0a1a) && !is_grease(0x1301));
    }

    #[test]
    fn a_hello_cut_anywhere_is_refused() {
        let line = include_str!("../../tests/vectors/ja4-hellos.jsonl")
            .lines()
            .next()
            .unwrap();
        let hex = line
            .split("\"hello\": \"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        assert_eq!(
            ClientHello::parse(&bytes).unwrap().server_name(),
            Some(&b"secret.test"[..])
        );
        for end in 0..bytes.len() {
            assert!(ClientHello::parse(&bytes[..end]).is_none(), "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0x80;
            fuzz_client_hello(&broken);
        }
    }
}
