//! The Huffman code of RFC 7541, Appendix B.
//!
//! The code is canonical: codes of one length count up in the order of their symbols. So the lengths
//! below are the whole of it, and every table is made from them when the crate is compiled.

use super::BadBlock;

const SYMBOLS: usize = 257;

/// The symbol that ends a string; it must never be sent.
const END_OF_STRING: u16 = 256;

/// Bits of the code of each symbol, as Appendix B lists them.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// Longest code.
const BITS_MAX: usize = 30;

#[derive(Clone, Copy)]
struct Code {
    bits: u32,
    length: u8,
}

struct Tables {
    /// For each octet, its code.
    codes: [Code; SYMBOLS],
    /// For each eight bits, the symbol whose code they start with (low byte) and that code's length
    /// (high byte); zero where the code is longer.
    short: [u16; 256],
    /// Symbols by length, then value.
    order: [u16; SYMBOLS],
    /// For each length, the first code above those of this length or less, set to the left of 32
    /// bits. Lengths that no code has repeat the one before.
    above: [u64; BITS_MAX + 1],
    /// For each length, where its symbols start in `order`, minus its first code.
    base: [i64; BITS_MAX + 1],
}

#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "runs when the crate is compiled: a wrong index stops the build"
)]
const fn build() -> Tables {
    let mut tables = Tables {
        codes: [Code { bits: 0, length: 0 }; SYMBOLS],
        short: [0; 256],
        order: [0; SYMBOLS],
        above: [0; BITS_MAX + 1],
        base: [0; BITS_MAX + 1],
    };
    let mut code: u32 = 0;
    let mut placed = 0;
    let mut length = 1;
    while length <= BITS_MAX {
        code <<= 1;
        tables.base[length] = placed as i64 - code as i64;
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                tables.codes[symbol] = Code {
                    bits: code,
                    length: length as u8,
                };
                tables.order[placed] = symbol as u16;
                if length <= 8 {
                    let first = (code as usize) << (8 - length);
                    let mut index = first;
                    while index < first + (1 << (8 - length)) {
                        tables.short[index] = (length as u16) << 8 | symbol as u16;
                        index += 1;
                    }
                }
                placed += 1;
                code += 1;
            }
            symbol += 1;
        }
        tables.above[length] = (code as u64) << (32 - length);
        length += 1;
    }
    tables
}

static TABLES: Tables = build();

/// Decodes a string to the end of `out`.
///
/// Padding must be the start of the end-of-string code and shorter than an octet (section 5.2).
pub(super) fn decode(mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), BadBlock> {
    out.reserve(bytes.len() * 8 / 5 + 1);
    // Bits that were read and not used yet, set to the left, and how many they are.
    let mut bits: u64 = 0;
    let mut held: u32 = 0;
    loop {
        if held < 32 {
            if let Some((four, rest)) = bytes.split_first_chunk::<4>() {
                bits |= u64::from(u32::from_be_bytes(*four)) << (32 - held);
                held += 32;
                bytes = rest;
            } else {
                for &byte in bytes {
                    bits |= u64::from(byte) << (56 - held);
                    held += 8;
                }
                bytes = &[];
            }
        }
        // Codes of up to eight bits, which is nearly all text, while no refill is due.
        loop {
            let [first, ..] = bits.to_be_bytes();
            let [length, symbol] = TABLES
                .short
                .get(usize::from(first))
                .map_or([0; 2], |e| e.to_be_bytes());
            if length == 0 || u32::from(length) > held {
                break;
            }
            out.push(symbol);
            bits <<= length;
            held -= u32::from(length);
        }
        if !bytes.is_empty() && held < 32 {
            continue; // the code may go on in what was not read yet
        }
        if bytes.is_empty() && held < 8 {
            let padding = !(u64::MAX >> held);
            return if bits == padding {
                Ok(())
            } else {
                Err(BadBlock)
            };
        }
        take_long(&mut bits, &mut held, out)?;
    }
}

/// One code of more than eight bits.
#[cold]
fn take_long(bits: &mut u64, held: &mut u32, out: &mut Vec<u8>) -> Result<(), BadBlock> {
    let window = *bits >> 32;
    let length = TABLES
        .above
        .iter()
        .position(|&above| window < above)
        .ok_or(BadBlock)?;
    if length > *held as usize {
        return Err(BadBlock); // padding of an octet or more, or a cut code
    }
    let code = i64::try_from(window >> (32 - length)).map_err(|_| BadBlock)?;
    let place = TABLES.base.get(length).ok_or(BadBlock)? + code;
    let place = usize::try_from(place).map_err(|_| BadBlock)?;
    match TABLES.order.get(place) {
        None | Some(&END_OF_STRING) => return Err(BadBlock),
        Some(symbol) => out.push(symbol.to_le_bytes()[0]),
    }
    *bits <<= length;
    *held -= u32::try_from(length).map_err(|_| BadBlock)?;
    Ok(())
}

#[inline]
#[allow(clippy::indexing_slicing, reason = "a u8 is always within 257 entries")]
fn code(byte: u8) -> Code {
    TABLES.codes[byte as usize]
}

/// The code of a symbol and its length, for the model.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn code_of(symbol: usize) -> Option<(u32, u32)> {
    let code = TABLES.codes.get(symbol)?;
    Some((code.bits, u32::from(code.length)))
}

/// How many bytes [`encode`] writes for `bytes`.
pub(super) fn encoded_len(bytes: &[u8]) -> usize {
    let bits: usize = bytes
        .iter()
        .map(|&byte| usize::from(code(byte).length))
        .sum();
    bits.div_ceil(8)
}

/// Encodes `bytes` to the end of `out`, padded with ones.
pub(super) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let mut bits: u64 = 0;
    let mut held: u32 = 0;
    for &byte in bytes {
        let code = code(byte);
        bits = bits << code.length | u64::from(code.bits);
        held += u32::from(code.length);
        if held >= 32 {
            held -= 32;
            let word = (bits >> held) & u64::from(u32::MAX);
            if let Ok(word) = u32::try_from(word) {
                out.extend_from_slice(&word.to_be_bytes());
            }
        }
    }
    let left = (bits << (64 - held.max(1))) | (u64::MAX >> held);
    if held > 0 {
        let bytes = left.to_be_bytes();
        out.extend_from_slice(bytes.get(..held.div_ceil(8) as usize).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn codes_are_those_of_appendix_b() {
        for (symbol, bits, length) in [
            (usize::from(b'0'), 0x0, 5),
            (usize::from(b'a'), 0x3, 5),
            (usize::from(b' '), 0x14, 6),
            (usize::from(b'Z'), 0xfd, 8),
            (usize::from(b'!'), 0x3f8, 10),
            (usize::from(b'\\'), 0x7_fff0, 19),
            (0, 0x1ff8, 13),
            (10, 0x3fff_fffc, 30),
            (128, 0xf_ffe6, 20),
            (255, 0x3ff_ffee, 26),
            (256, 0x3fff_ffff, 30),
        ] {
            let code = TABLES.codes[symbol];
            assert_eq!((code.bits, code.length), (bits, length), "symbol {symbol}");
        }
    }

    #[test]
    fn wrong_padding_is_refused() {
        let decoded = |bytes: &[u8]| decode(bytes, &mut Vec::new());
        assert_eq!(decoded(&[0x07]), Ok(()), "`0` and three ones");
        assert_eq!(decoded(&[0x00]), Err(BadBlock), "`0` and three zeros");
        assert_eq!(decoded(&[0x07, 0xff]), Err(BadBlock), "eight ones and more");
        assert_eq!(decoded(&[0xff]), Err(BadBlock), "eight ones");
        assert_eq!(
            decoded(&[0xff, 0xff, 0xff, 0xff]),
            Err(BadBlock),
            "the end of string"
        );
        assert_eq!(
            decoded(&[0xff, 0xff, 0xff, 0xfc]),
            Err(BadBlock),
            "a cut code"
        );
        assert_eq!(decoded(&[]), Ok(()));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut coded = Vec::new();
            encode(&bytes, &mut coded);
            prop_assert_eq!(coded.len(), encoded_len(&bytes));
            let mut out = b"before".to_vec();
            prop_assert_eq!(decode(&coded, &mut out), Ok(()));
            prop_assert_eq!(&out[6..], &bytes[..]);
        }
    }
}
