//! Blocks of addresses (CIDR, RFC 4632, section 3.1), as scripts write them.

use std::net::IpAddr;

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    address: IpAddr,
    prefix_bits: u32,
}

impl Block {
    /// `address` or `address/bits`. `None`: it is neither.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let width = width(address);
        let prefix_bits = match bits {
            None => width,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().ok()?,
            Some(_) => return None,
        };
        (prefix_bits <= width).then_some(Self {
            address,
            prefix_bits,
        })
    }

    /// IPv4 and IPv6 never match each other: the caller takes IPv4 out of IPv6 ([`IpAddr::to_canonical`]).
    pub(crate) fn contains(&self, other: IpAddr) -> bool {
        let width = width(self.address);
        if width != self::width(other) {
            return false;
        }
        let differing = bits(self.address) ^ bits(other);
        // A shift by the whole width is no shift at all.
        self.prefix_bits == 0 || differing >> (width - self.prefix_bits) == 0
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Any text as a block: refused, or it holds exactly the addresses that differ behind its prefix.
///
/// # Panics
/// When that does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_address(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Some(block) = Block::parse(text) else {
        return;
    };
    assert!(block.contains(block.address));
    let width = width(block.address);
    for place in 0..width {
        let flipped = bits(block.address) ^ 1 << (width - 1 - place);
        let other = match block.address {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(flipped).unwrap_or_default().into()),
            IpAddr::V6(_) => IpAddr::V6(flipped.into()),
        };
        assert_eq!(block.contains(other), place >= block.prefix_bits, "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_what_begins_alike() {
        for (block, address, wanted) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("::1", "::1", true),
        ] {
            let block_ = Block::parse(block).unwrap();
            let address_ = address.parse().unwrap();
            assert_eq!(block_.contains(address_), wanted, "{block} {address}");
        }
    }

    #[test]
    fn other_text_is_no_block() {
        for text in [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "host",
            " 10.0.0.1",
        ] {
            assert_eq!(Block::parse(text), None, "{text}");
        }
    }
}
