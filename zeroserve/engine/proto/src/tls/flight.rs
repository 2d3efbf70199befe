//! The first message of a client, over all the records it may be split into (RFC 8446, section 5.1).

use crate::limits::CLIENT_HELLO_BYTES_MAX;

const HANDSHAKE: u8 = 22;
const RECORD_HEADER_BYTES: usize = 5;
/// Largest record before encryption, and what TLS 1.3 lets a sender add (RFC 8446, section 5.1).
const RECORD_BYTES_MAX: usize = 1 << 14;

/// What the bytes so far hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flight {
    /// More bytes are needed.
    Incomplete,
    /// The message, record headers taken out.
    Hello(Vec<u8>),
    /// Not a TLS handshake, or a first message beyond all reason.
    NotTls,
}

/// Reads the first handshake message off `bytes`, all that the client has sent so far.
#[must_use]
pub fn first_message(bytes: &[u8]) -> Flight {
    let mut message = Vec::new();
    let mut rest = bytes;
    loop {
        let Some((header, body)) = rest.split_first_chunk::<RECORD_HEADER_BYTES>() else {
            let starts_like_one = rest.first().is_none_or(|&kind| kind == HANDSHAKE);
            return if starts_like_one {
                Flight::Incomplete
            } else {
                Flight::NotTls
            };
        };
        let [kind, major, _, high, low] = *header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if kind != HANDSHAKE || major != 3 || length == 0 || length > RECORD_BYTES_MAX {
            return Flight::NotTls;
        }
        let (record, after) = body.split_at_checked(length).unwrap_or((body, &[]));
        message.extend_from_slice(record);
        match wanted(&message) {
            Some(total) if total > CLIENT_HELLO_BYTES_MAX => return Flight::NotTls,
            Some(total) if message.len() >= total => {
                message.truncate(total);
                return Flight::Hello(message);
            }
            _ if record.len() < length => return Flight::Incomplete,
            _ => rest = after,
        }
    }
}

/// Bytes of the message with its header, once the header is there.
fn wanted(message: &[u8]) -> Option<usize> {
    let [_, high, middle, low] = *message.first_chunk()?;
    Some(4 + (usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low)))
}

/// Fuzz body: a verdict on a prefix is never taken back.
///
/// # Panics
/// When it is.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_flight(bytes: &[u8]) {
    let whole = first_message(bytes);
    for end in 0..bytes.len().min(256) {
        let part = first_message(bytes.get(..end).unwrap_or_default());
        assert!(part == Flight::Incomplete || part == whole, "at {end}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(message: &[u8], step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for part in message.chunks(step) {
            out.extend_from_slice(&[HANDSHAKE, 3, 1]);
            out.extend_from_slice(&u16::try_from(part.len()).unwrap().to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }

    #[test]
    fn a_message_is_put_together_from_any_records_and_any_reads() {
        let mut message = vec![1, 0, 1, 0];
        message.extend((0..=255).collect::<Vec<u8>>());
        for step in [1, 3, 4, 100, 300] {
            let mut bytes = records(&message, step);
            assert_eq!(first_message(&bytes), Flight::Hello(message.clone()));
            fuzz_flight(&bytes);
            bytes.extend_from_slice(b"more of it");
            assert_eq!(first_message(&bytes), Flight::Hello(message.clone()));
        }
    }

    #[test]
    fn other_protocols_are_told_at_their_first_bytes() {
        assert_eq!(first_message(b"GET / HTTP/1.1\r\n"), Flight::NotTls);
        assert_eq!(first_message(b"G"), Flight::NotTls);
        assert_eq!(
            first_message(&[22, 3, 1, 0, 0]),
            Flight::NotTls,
            "an empty record"
        );
        assert_eq!(
            first_message(&[22, 3, 1, 0xff, 0xff]),
            Flight::NotTls,
            "too large a record"
        );
        let huge = [22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff];
        assert_eq!(first_message(&huge), Flight::NotTls, "too large a message");
        assert_eq!(first_message(b""), Flight::Incomplete);
    }
}
