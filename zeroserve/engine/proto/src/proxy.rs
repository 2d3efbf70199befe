//! The PROXY protocol, versions 1 and 2 (`HAProxy`'s `proxy-protocol.txt`): what a proxy says before a
//! connection's own bytes of whom the connection is for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longest line of version 1 with its line end, as its text has it: two IPv6 addresses and two ports.
const LINE_BYTES_MAX: usize = 107;
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_HEADER_BYTES: usize = 16;
/// Extensions of version 2 carry names and certificates; nobody sends more, and 64 KiB would be a way
/// to hold memory.
const V2_BYTES_MAX: usize = V2_HEADER_BYTES + (4 << 10);

/// What the bytes so far hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// More bytes are needed.
    Incomplete,
    /// It takes `consumed` bytes. Without a source the connection is the proxy's own, as for a health
    /// check.
    Whole {
        /// Bytes of the header.
        consumed: usize,
        /// Who is at the other end.
        source: Option<SocketAddr>,
    },
    /// No such header, or a broken one.
    Invalid,
}

/// Reads the header off `bytes`, all that has arrived so far.
#[must_use]
pub fn parse(bytes: &[u8]) -> ProxyHeader {
    let (begun, signature) = (bytes.len().min(SIGNATURE.len()), SIGNATURE);
    if bytes.starts_with(signature) {
        return version_2(bytes).unwrap_or(ProxyHeader::Incomplete);
    }
    if signature.starts_with(bytes.get(..begun).unwrap_or_default()) {
        return ProxyHeader::Incomplete;
    }
    version_1(bytes)
}

fn version_1(bytes: &[u8]) -> ProxyHeader {
    const START: &[u8] = b"PROXY ";
    let shown = bytes
        .get(..bytes.len().min(LINE_BYTES_MAX))
        .unwrap_or_default();
    if !START.starts_with(
        shown
            .get(..shown.len().min(START.len()))
            .unwrap_or_default(),
    ) {
        return ProxyHeader::Invalid;
    }
    let Some(end) = shown.windows(2).position(|pair| pair == b"\r\n") else {
        return if shown.len() < LINE_BYTES_MAX && !shown.contains(&b'\n') {
            ProxyHeader::Incomplete
        } else {
            ProxyHeader::Invalid
        };
    };
    let line = shown.get(START.len()..end).unwrap_or_default();
    let line = std::str::from_utf8(line).ok();
    let Some(line) = line.filter(|line| !line.contains('\n')) else {
        return ProxyHeader::Invalid;
    };
    let source = if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        Some(None) // what follows is not to be looked at
    } else {
        source_of(line).map(Some)
    };
    source.map_or(ProxyHeader::Invalid, |source| ProxyHeader::Whole {
        consumed: end + 2,
        source,
    })
}

/// `TCP4 192.0.2.1 192.0.2.2 56324 443`, one space each.
fn source_of(line: &str) -> Option<SocketAddr> {
    let mut words = line.split(' ');
    let family = words.next()?;
    let mut address = || words.next()?.parse::<IpAddr>().ok();
    let (source, destination) = (address()?, address()?);
    let mut port = || {
        let text = words.next()?;
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let exact = text == "0" || !text.starts_with('0');
        text.parse::<u16>().ok().filter(|_| plain && exact)
    };
    let (source_port, _destination_port) = (port()?, port()?);
    let fits = match family {
        "TCP4" => source.is_ipv4() && destination.is_ipv4(),
        "TCP6" => source.is_ipv6() && destination.is_ipv6(),
        _ => false,
    };
    (fits && words.next().is_none()).then_some(SocketAddr::new(source, source_port))
}

/// `None` while bytes are missing.
fn version_2(bytes: &[u8]) -> Option<ProxyHeader> {
    let (header, rest) = bytes.split_first_chunk::<V2_HEADER_BYTES>()?;
    let [.., command, family, high, low] = *header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let consumed = V2_HEADER_BYTES + length;
    // Version in the upper half; 0 is the proxy itself (LOCAL), 1 somebody else (PROXY).
    if !matches!(command, 0x20 | 0x21) || consumed > V2_BYTES_MAX {
        return Some(ProxyHeader::Invalid);
    }
    let content = rest.get(..length)?;
    let source = match (command, family) {
        (0x21, 0x11) => v4(content).map(Some),
        (0x21, 0x21) => v6(content).map(Some),
        // LOCAL, or an address that is none of TCP: the real peer stands.
        _ => Some(None),
    };
    Some(
        source.map_or(ProxyHeader::Invalid, |source| ProxyHeader::Whole {
            consumed,
            source,
        }),
    )
}

/// Source, destination, and a port each.
fn v4(content: &[u8]) -> Option<SocketAddr> {
    let (source, rest) = content.split_first_chunk::<4>()?;
    let (_destination, rest) = rest.split_first_chunk::<4>()?;
    ports(rest).map(|port| SocketAddr::new(Ipv4Addr::from(*source).into(), port))
}

fn v6(content: &[u8]) -> Option<SocketAddr> {
    let (source, rest) = content.split_first_chunk::<16>()?;
    let (_destination, rest) = rest.split_first_chunk::<16>()?;
    ports(rest).map(|port| SocketAddr::new(Ipv6Addr::from(*source).into(), port))
}

fn ports(rest: &[u8]) -> Option<u16> {
    let (source, rest) = rest.split_first_chunk::<2>()?;
    rest.first_chunk::<2>().map(|_| u16::from_be_bytes(*source))
}

/// Fuzz body: a verdict on a prefix is never taken back, and a whole header fits its caps.
///
/// # Panics
/// When it is, or doesn't.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_proxy(bytes: &[u8]) {
    let whole = parse(bytes);
    if let ProxyHeader::Whole { consumed, .. } = whole {
        assert!(consumed <= bytes.len() && consumed <= V2_BYTES_MAX);
    }
    for end in 0..bytes.len().min(256) {
        let part = parse(bytes.get(..end).unwrap_or_default());
        assert!(part == ProxyHeader::Incomplete || part == whole, "at {end}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Option<SocketAddr> {
        match parse(bytes) {
            ProxyHeader::Whole { consumed, source } => {
                assert_eq!(&bytes[consumed..], b"GET");
                source
            }
            other => panic!("{other:?}"),
        }
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn v2(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family][..], &length, content, b"GET"].concat()
    }

    #[test]
    fn lines_of_version_1() {
        let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET";
        assert_eq!(whole(line), Some(at("192.0.2.1:56324")));
        assert_eq!(
            whole(b"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\nGET"),
            Some(at("[2001:db8::1]:1"))
        );
        assert_eq!(whole(b"PROXY UNKNOWN\r\nGET"), None);
        assert_eq!(whole(b"PROXY UNKNOWN ffff::1 what ever\r\nGET"), None);
        let long = format!("PROXY UNKNOWN {}\r\n", "f".repeat(LINE_BYTES_MAX));
        for bad in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
            b"PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
            b"PROXY TCP4 ::1 ::2 1 2\r\n",
            b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
            b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
            b"PROXY UNKNOWNX\r\n",
            b"PROXY UNKNOWN x\ny\r\n",
            long.as_bytes(),
        ] {
            assert_eq!(parse(bad), ProxyHeader::Invalid, "{}", bad.escape_ascii());
        }
        fuzz_proxy(line);
    }

    #[test]
    fn headers_of_version_2() {
        let addresses = [192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 4, 1, 0xbb];
        let header = v2(0x21, 0x11, &addresses);
        assert_eq!(whole(&header), Some(at("192.0.2.1:56324")));
        let with_extensions = [&addresses[..], &[4, 0, 1, 0]].concat();
        assert_eq!(
            whole(&v2(0x21, 0x11, &with_extensions)),
            Some(at("192.0.2.1:56324"))
        );
        let mut wide = [0; 36];
        wide[..16].copy_from_slice(&Ipv6Addr::LOCALHOST.octets());
        wide[33] = 9;
        assert_eq!(whole(&v2(0x21, 0x21, &wide)), Some(at("[::1]:9")));
        assert_eq!(
            whole(&v2(0x20, 0x00, b"")),
            None,
            "a health check of the proxy"
        );
        assert_eq!(whole(&v2(0x21, 0x31, &[0; 216])), None, "a unix socket");
        for bad in [
            v2(0x21, 0x11, &addresses[..11]),
            v2(0x21, 0x21, &wide[..35]),
            v2(0x22, 0x11, &addresses),
            v2(0x11, 0x11, &addresses),
            v2(0x21, 0x11, &[0; V2_BYTES_MAX]),
        ] {
            assert_eq!(parse(&bad), ProxyHeader::Invalid);
        }
        fuzz_proxy(&header);
    }

    #[test]
    fn headers_cut_anywhere_are_incomplete() {
        for header in [
            b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n".to_vec(),
            v2(0x21, 0x11, &[1; 12])[..28].to_vec(),
        ] {
            for end in 0..header.len() {
                assert_eq!(
                    parse(&header[..end]),
                    ProxyHeader::Incomplete,
                    "cut at {end}"
                );
            }
            assert!(matches!(parse(&header), ProxyHeader::Whole { .. }));
        }
    }
}
