//! Answers of an HTTP/2 connection that are not over, and whose bytes lie where in the output. As with
//! HTTP/1.1, an answer is counted with the body bytes that have left.

use std::ops::Range;

use zs_proto::h2::StreamId;

use super::http2_body::Sending;
use super::log_line::Record;

/// Largest DATA frame we send, and its header (RFC 9113 section 4.1).
const FRAME_BYTES: usize = 16 << 10;
const FRAME_HEADER_BYTES: usize = 9;

/// How much of a body the state machine has taken, and how much of that has left.
#[derive(Clone, Copy, Default)]
pub(super) struct Progress {
    taken: u64,
    left: u64,
}

/// Body bytes of one stream in the output that gathers.
struct Share {
    stream: StreamId,
    place: Range<usize>,
    body: u64,
}

/// An answer that is taken whole, or whose stream is gone.
struct Over {
    stream: StreamId,
    record: Record,
    progress: Progress,
}

#[derive(Default)]
pub(super) struct Ledger {
    shares: Vec<Share>,
    over: Vec<Over>,
}

impl Ledger {
    /// The state machine has taken `body` bytes of `stream`, which are at `place` in its output.
    pub(super) fn taken(
        &mut self,
        stream: StreamId,
        progress: &mut Progress,
        place: Range<usize>,
        body: usize,
    ) {
        if place.is_empty() {
            return; // the stream is gone: nobody gets them
        }
        let body = body as u64;
        progress.taken += body;
        self.shares.push(Share {
            stream,
            place,
            body,
        });
    }

    /// Nothing more of an answer will be taken.
    pub(super) fn over(&mut self, stream: StreamId, record: Record, progress: Progress) {
        self.over.push(Over {
            stream,
            record,
            progress,
        });
    }

    /// The whole output has left; `finish` takes the answers that are over.
    pub(super) fn all_left(
        &mut self,
        sending: &mut [Sending],
        mut finish: impl FnMut(Record, u64),
    ) {
        self.shares.clear();
        for answer in sending {
            answer.progress.left = answer.progress.taken;
        }
        for Over {
            record, progress, ..
        } in self.over.drain(..)
        {
            finish(record, progress.taken);
        }
    }

    /// Only the first `count` bytes of the output have left, and no more will.
    pub(super) fn cut(&mut self, sending: &mut [Sending], count: usize) {
        for share in std::mem::take(&mut self.shares) {
            let left = body_left(&share.place, share.body, count);
            let over = self.over.iter_mut().map(|o| (o.stream, &mut o.progress));
            let under_way = sending.iter_mut().map(|s| (s.stream, &mut s.progress));
            if let Some((_, progress)) = over
                .chain(under_way)
                .find(|(stream, _)| *stream == share.stream)
            {
                progress.left += left;
            }
        }
    }

    /// The connection has ended, and with it every answer.
    pub(super) fn close(&mut self, sending: Vec<Sending>, mut finish: impl FnMut(Record, u64)) {
        for answer in sending {
            finish(answer.record, answer.progress.left);
        }
        for Over {
            record, progress, ..
        } in self.over.drain(..)
        {
            finish(record, progress.left);
        }
    }

    /// An idle connection owns no memory for it.
    pub(super) fn rest(&mut self) {
        if self.over.is_empty() {
            *self = Self::default();
        }
    }
}

/// Of `body` bytes in DATA frames at `place` of the output, those among its first `count` bytes.
fn body_left(place: &Range<usize>, body: u64, count: usize) -> u64 {
    if count >= place.end {
        return body;
    }
    let part = count.saturating_sub(place.start);
    let headers = FRAME_HEADER_BYTES * part.div_ceil(FRAME_HEADER_BYTES + FRAME_BYTES);
    (part.saturating_sub(headers) as u64).min(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_front_of_a_cut_has_left() {
        let body = FRAME_BYTES + 50;
        let place = 100..100 + 2 * FRAME_HEADER_BYTES + body;
        let second = 100 + FRAME_HEADER_BYTES + FRAME_BYTES;
        for (count, left) in [
            (0, 0),
            (105, 0),
            (110, 1),
            (second, FRAME_BYTES),
            (second + FRAME_HEADER_BYTES + 7, FRAME_BYTES + 7),
            (1 << 20, body),
        ] {
            let found = body_left(&place, body as u64, count);
            assert_eq!(found, left as u64, "{count}");
        }
    }

    /// A client's preface, empty settings, and a GET of `/large.txt` over plain HTTP (RFC 7541: the
    /// pseudo-headers from the static table, two of them with values of their own).
    fn request() -> Vec<u8> {
        let mut wire = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        wire.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
        let mut head = vec![0x82, 0x86, 0x04, 10];
        head.extend_from_slice(b"/large.txt");
        head.extend_from_slice(&[0x01, 1, b'a']);
        let length = u8::try_from(head.len()).unwrap();
        wire.extend_from_slice(&[0, 0, length, 1, 5, 0, 0, 0, 1]);
        wire.extend_from_slice(&head);
        wire
    }

    /// Bytes of DATA among `received`, the last frame cut or not.
    fn data_bytes(mut received: &[u8]) -> usize {
        let mut bytes = 0;
        while let [high, middle, low, kind, _, _, _, _, _, rest @ ..] = received {
            let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
            let there = length.min(rest.len());
            bytes += if *kind == 0 { there } else { 0 };
            received = &rest[there..];
        }
        bytes
    }

    #[test]
    fn what_has_left_is_counted_wherever_the_peer_hangs_up() {
        // Within the first windows (65,535 bytes), as this peer never opens them.
        for size in [6_usize, 50_000] {
            let content = vec![b'x'; size];
            let files: Vec<(&str, &[u8])> = vec![("large.txt", &content)];
            let (whole, counted) = crate::sim::cut(&files, [request()], usize::MAX);
            assert_eq!(data_bytes(&whole), size);
            assert_eq!(
                (counted.bytes_sent, counted.requests_http2),
                (size as u64, 1)
            );
            for takes in (0..whole.len()).step_by(1 + size / 40) {
                let (received, counted) = crate::sim::cut(&files, [request()], takes);
                assert_eq!(counted.bytes_sent, data_bytes(&received) as u64, "{takes}");
                assert_eq!((counted.requests, counted.responses_2xx), (1, 1), "{takes}");
            }
        }
    }
}
