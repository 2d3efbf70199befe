//! Integers with a prefix (RFC 7541, section 5.1).

use super::BadBlock;

/// Largest number taken: above any index or length that our caps allow, and far below overflow.
const VALUE_MAX: usize = 1 << 24;

/// Most octets after the prefix, so that zeros cannot be padded on without end.
const CONTINUATION_OCTETS_MAX: usize = 5;

/// Reads the number whose first octet is `first`, of which the low bits in `mask` count.
#[inline]
pub(super) fn decode(mask: u8, first: u8, rest: &mut &[u8]) -> Result<usize, BadBlock> {
    let low = usize::from(first & mask);
    if low < usize::from(mask) {
        return Ok(low);
    }
    let mut value = low;
    for place in 0..CONTINUATION_OCTETS_MAX {
        let (&octet, tail) = rest.split_first().ok_or(BadBlock)?;
        *rest = tail;
        value += usize::from(octet & 0x7f) << (7 * place);
        if value > VALUE_MAX {
            return Err(BadBlock);
        }
        if octet & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(BadBlock)
}

/// Writes `value` behind the representation's own bits, `pattern`, in an octet of their own.
#[inline]
pub(super) fn encode(out: &mut Vec<u8>, mask: u8, pattern: u8, value: usize) {
    match u8::try_from(value) {
        Ok(small) if small < mask => out.push(pattern | small),
        _ => encode_long(out, mask, pattern, value),
    }
}

fn encode_long(out: &mut Vec<u8>, mask: u8, pattern: u8, value: usize) {
    out.push(pattern | mask);
    let mut left = value - usize::from(mask);
    while left >= 0x80 {
        out.push(low_bits(left) | 0x80);
        left >>= 7;
    }
    out.push(low_bits(left));
}

const fn low_bits(value: usize) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low & 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(mask: u8, bytes: &[u8]) -> Result<(usize, usize), BadBlock> {
        let (&first, mut rest) = bytes.split_first().unwrap();
        decode(mask, first, &mut rest).map(|value| (value, rest.len()))
    }

    #[test]
    fn the_examples_of_rfc_7541_c_1() {
        for (mask, value, bytes) in [
            (0x1f, 10, [0x0a].as_slice()),
            (0x1f, 1337, &[0x1f, 0x9a, 0x0a]),
            (0xff, 42, &[0x2a]),
        ] {
            let mut out = Vec::new();
            encode(&mut out, mask, 0, value);
            assert_eq!(out, bytes);
            assert_eq!(read(mask, bytes), Ok((value, 0)));
        }
    }

    #[test]
    fn cut_endless_and_huge_numbers_are_refused() {
        for bytes in [
            [0x7f].as_slice(),
            &[0x7f, 0x80],
            &[0x7f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
            &[0x7f, 0xff, 0xff, 0xff, 0xff, 0x0f],
        ] {
            assert_eq!(read(0x7f, bytes), Err(BadBlock), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in 0_usize..VALUE_MAX, bits in 4_u32..8) {
            let mask = u8::try_from((1_u32 << bits) - 1).unwrap();
            let mut out = Vec::new();
            encode(&mut out, mask, 0, value);
            prop_assert_eq!(read(mask, &out), Ok((value, 0)));
        }
    }
}
