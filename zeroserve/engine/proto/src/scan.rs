//! Byte classes of the HTTP grammar, and scans that look at eight bytes at a time.

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// A `u64` with `byte` in each place.
const fn splat(byte: u8) -> u64 {
    ONES * byte as u64
}

// The two tests below mark the high bit of each byte that fits. A borrow may also mark bytes above
// the first hit, never below it, and only the first is used (bytes are loaded little endian).

const fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(splat(limit)) & !word & HIGHS
}

const fn equal(word: u64, byte: u8) -> u64 {
    let differing = word ^ splat(byte);
    differing.wrapping_sub(ONES) & !differing & HIGHS
}

/// Index of the first byte that `word_hits` marks (eight at a time) or `byte_hits` wants (the rest).
#[inline]
fn first(
    bytes: &[u8],
    word_hits: impl Fn(u64) -> u64,
    byte_hits: impl Fn(u8) -> bool,
) -> Option<usize> {
    let mut rest = bytes;
    let mut at = 0;
    while let Some((eight, tail)) = rest.split_first_chunk::<8>() {
        let hits = word_hits(u64::from_le_bytes(*eight));
        if hits != 0 {
            return Some(at + (hits.trailing_zeros() / 8) as usize);
        }
        at += 8;
        rest = tail;
    }
    rest.iter()
        .position(|&byte| byte_hits(byte))
        .map(|index| at + index)
}

/// Index of the first control byte (0x00-0x1F except HTAB, 0x7F): where a field value must end.
#[inline]
pub(crate) fn field_value_end(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let rest = bytes.get(from..)?;
        let hit = first(
            rest,
            |word| below(word, 0x20) | equal(word, 0x7f),
            |byte| byte < 0x20 || byte == 0x7f,
        )?;
        if rest.get(hit) != Some(&b'\t') {
            return Some(from + hit);
        }
        from += hit + 1;
    }
}

/// Index of the first byte that cannot be part of a request target: control bytes, space, `#`, DEL.
#[inline]
pub(crate) fn target_end(bytes: &[u8]) -> Option<usize> {
    first(
        bytes,
        |word| below(word, 0x21) | equal(word, 0x7f) | equal(word, b'#'),
        |byte| byte < 0x21 || byte == 0x7f || byte == b'#',
    )
}

/// Index of the first LF. For lines of some dozen bytes, where finding the fastest way to search
/// costs more than the search.
#[inline]
pub(crate) fn line_end(bytes: &[u8]) -> Option<usize> {
    first(bytes, |word| equal(word, b'\n'), |byte| byte == b'\n')
}

const TOKEN: u8 = 1;
const HOST: u8 = 2;
const IP_LITERAL: u8 = 4;

const fn build_classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut index: u8 = 0;
    loop {
        let mut class = 0;
        if index.is_ascii_alphanumeric() || in_set(b"!#$%&'*+-.^_`|~", index) {
            class |= TOKEN; // RFC 9110, section 5.6.2
        }
        if index.is_ascii_alphanumeric() || in_set(b"-._~!$&'()*+,;=%", index) {
            class |= HOST; // reg-name of RFC 3986, section 3.2.2; an escape's digits are not checked
        }
        if index.is_ascii_alphanumeric() || in_set(b":.-_~!$&'()*+,;=", index) {
            class |= IP_LITERAL; // IPv6address or IPvFuture of RFC 3986, section 3.2.2
        }
        #[allow(clippy::indexing_slicing, reason = "a u8 is always within 256 entries")]
        {
            table[index as usize] = class;
        }
        if index == u8::MAX {
            return table;
        }
        index += 1;
    }
}

const fn in_set(mut set: &[u8], byte: u8) -> bool {
    while let [first, rest @ ..] = set {
        if *first == byte {
            return true;
        }
        set = rest;
    }
    false
}

static CLASSES: [u8; 256] = build_classes();

#[inline]
#[allow(clippy::indexing_slicing, reason = "a u8 is always within 256 entries")]
fn class(byte: u8) -> u8 {
    CLASSES[byte as usize]
}

/// A `tchar` of RFC 9110, section 5.6.2.
#[inline]
pub(crate) fn is_token(byte: u8) -> bool {
    class(byte) & TOKEN != 0
}

/// A byte of a registered name or IPv4 address.
#[inline]
pub(crate) fn is_host(byte: u8) -> bool {
    class(byte) & HOST != 0
}

/// A byte between the brackets of an IP literal.
#[inline]
pub(crate) fn is_ip_literal(byte: u8) -> bool {
    class(byte) & IP_LITERAL != 0
}

/// Cuts optional white space (SP and HTAB, RFC 9110, section 5.6.3) off both ends.
#[inline]
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn wide_scans_agree_with_a_byte_loop(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let value = bytes.iter().position(|&b| (b < 0x20 && b != b'\t') || b == 0x7f);
            prop_assert_eq!(field_value_end(&bytes), value);
            let target = bytes.iter().position(|&b| b <= 0x20 || b == 0x7f || b == b'#');
            prop_assert_eq!(target_end(&bytes), target);
            let line = bytes.iter().position(|&b| b == b'\n');
            prop_assert_eq!(line_end(&bytes), line);
        }

        #[test]
        fn wide_scans_find_a_lone_byte(place in 0_usize..40, byte: u8) {
            let mut bytes = [b'a'; 40];
            bytes[place] = byte;
            let control = (byte < 0x20 && byte != b'\t') || byte == 0x7f;
            prop_assert_eq!(field_value_end(&bytes), control.then_some(place));
        }
    }

    #[test]
    fn trim_cuts_space_and_tab_only() {
        assert_eq!(trim(b" \t a b\t "), b"a b");
        assert_eq!(trim(b" \t "), b"");
        assert_eq!(trim(b"\x0ba"), b"\x0ba");
    }
}
