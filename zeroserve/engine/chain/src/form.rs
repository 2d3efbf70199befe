//! Query strings, as HTML forms write them (WHATWG URL, section 5.1).

use std::borrow::Cow;

/// `(name, value)` pairs, decoded, in order. A pair without `=` has an empty value.
pub(crate) fn pairs(query: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    query
        .split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let at = memchr::memchr(b'=', pair).unwrap_or(pair.len());
            let value = pair.get(at + 1..).unwrap_or_default();
            (decoded(&pair[..at]), decoded(value))
        })
}

/// `+` is a space; a `%` that begins no pair of hex digits stays.
pub(crate) fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = tail.first_chunk::<2>();
        let pair = digits.and_then(|[high, low]| Some(hex(*high)? << 4 | hex(*low)?));
        rest = if let (b'%', Some(value)) = (byte, pair) {
            out.push(value);
            &tail[2..]
        } else {
            out.push(if byte == b'+' { b' ' } else { byte });
            tail
        };
    }
    Cow::Owned(out)
}

/// Pairs as a query (WHATWG URL, section 5.2).
pub(crate) fn encode(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push(b'&');
        }
        encode_part(name, &mut out);
        out.push(b'=');
        encode_part(value, &mut out);
    }
    out
}

fn encode_part(text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        match byte {
            b' ' => out.push(b'+'),
            b'*' | b'-' | b'.' | b'_' => out.push(byte),
            _ if byte.is_ascii_alphanumeric() => out.push(byte),
            _ => {
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                out.extend_from_slice(&[b'%', DIGITS[high], DIGITS[low]]);
            }
        }
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Any bytes as a query: nothing grows, and pairs that are written are read again.
///
/// # Panics
/// When that does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_query(bytes: &[u8]) {
    let owned = |query: &[u8]| -> Vec<(Vec<u8>, Vec<u8>)> {
        let pairs = pairs(query).map(|(name, value)| (name.into_owned(), value.into_owned()));
        pairs.collect()
    };
    let found = owned(bytes);
    let kept: usize = found
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    assert!(kept <= bytes.len());
    let written = encode(&found);
    assert!(written.iter().all(u8::is_ascii_graphic));
    assert_eq!(owned(&written), found);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_again(pairs in prop::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..5)) {
            let encoded = encode(&pairs);
            prop_assert!(encoded.iter().all(u8::is_ascii_graphic));
            let decoded = self::pairs(&encoded).map(|(name, value)| (name.to_vec(), value.to_vec()));
            prop_assert_eq!(decoded.collect::<Vec<_>>(), pairs);
        }
    }

    #[test]
    fn pairs_are_decoded_and_odd_ones_kept() {
        let all: Vec<_> = pairs(b"a=1&&b&c=x%20y+z&%zz=%4").collect();
        let wanted: [(&[u8], &[u8]); 4] =
            [(b"a", b"1"), (b"b", b""), (b"c", b"x y z"), (b"%zz", b"%4")];
        assert_eq!(all.len(), wanted.len());
        for ((name, value), wanted) in all.iter().zip(wanted) {
            assert_eq!((&**name, &**value), wanted);
        }
    }
}
