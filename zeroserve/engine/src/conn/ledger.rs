//! Answers of an HTTP/1.1 connection that are not over. Each is counted, and gets its line in the log,
//! when its last byte has left or the connection has ended: with the body bytes that have left by then.

use std::ops::Range;

use smallvec::SmallVec;

use super::log_line::Record;

struct Answer {
    record: Record,
    /// Bytes of its head.
    head: u64,
    /// Where it begins in the output that waits, 0 when it began in an earlier one.
    from: usize,
    /// Its head and body bytes in earlier outputs.
    left: u64,
    /// Its last byte is in the output.
    whole: bool,
}

impl Answer {
    fn body_left(&self) -> u64 {
        self.left
            .saturating_sub(self.head)
            .min(self.record.body_bytes)
    }
}

/// Oldest first; their bytes lie in this order in the output. Most connections have one at a time,
/// which needs no memory of its own.
#[derive(Default)]
pub(super) struct Ledger(SmallVec<[Answer; 1]>);

impl Ledger {
    /// An answer with a head of `head` bytes begins, behind `from` bytes of output.
    pub(super) fn begin(&mut self, record: Record, head: usize, from: usize) {
        self.0.push(Answer {
            record,
            head: head as u64,
            from,
            left: 0,
            whole: false,
        });
    }

    /// All of the newest answer is in the output.
    pub(super) fn complete(&mut self) {
        if let Some(newest) = self.0.last_mut() {
            newest.whole = true;
        }
    }

    /// The whole output has left. `plaintext` tells how many bytes of answers its end from a position
    /// on holds; `over` takes what is over.
    pub(super) fn all_left(
        &mut self,
        plaintext: impl FnOnce(usize) -> u64,
        mut over: impl FnMut(Record, u64),
    ) {
        let unfinished = match self.0.last() {
            Some(newest) if !newest.whole => self.0.pop(),
            _ => None,
        };
        for answer in self.0.drain(..) {
            let body_bytes = answer.record.body_bytes;
            over(answer.record, body_bytes);
        }
        if let Some(mut answer) = unfinished {
            answer.left += plaintext(answer.from);
            answer.from = 0;
            self.0.push(answer);
        }
    }

    /// Only `count` bytes of the output have left, and no more will. `plaintext` tells how many bytes
    /// of answers a range of it holds.
    pub(super) fn cut(&mut self, count: usize, plaintext: impl Fn(Range<usize>) -> u64) {
        let mut end = count;
        for answer in self.0.iter_mut().rev() {
            if answer.from < end {
                answer.left += plaintext(answer.from..end);
            }
            end = end.min(answer.from);
        }
    }

    /// The connection has ended, and with it every answer.
    pub(super) fn close(&mut self, mut over: impl FnMut(Record, u64)) {
        for answer in std::mem::take(&mut self.0) {
            let body_bytes = answer.body_left();
            over(answer.record, body_bytes);
        }
    }

    /// An idle connection owns no memory for it.
    pub(super) fn rest(&mut self) {
        if self.0.is_empty() {
            self.0.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sim::cut;

    const NOTE: &[u8] = b"a note";

    fn large() -> Vec<u8> {
        (0..200_000_u32).map(|n| b'a' + (n % 23) as u8).collect()
    }

    /// Body bytes among `received`, an answer as HTTP/1.1.
    fn body_bytes(received: &[u8]) -> usize {
        let end = received.windows(4).position(|part| part == b"\r\n\r\n");
        end.map_or(0, |end| received.len() - end - 4)
    }

    #[test]
    fn what_has_left_is_counted_wherever_the_peer_hangs_up() {
        let large = large();
        let files: Vec<(&str, &[u8])> = vec![("large.txt", &large)];
        let request = b"GET /large.txt HTTP/1.1\r\nHost: a\r\n\r\n";
        for takes in [0, 1, 100, 300, 1000, 65_536, 70_000, 131_300, 199_999] {
            let (received, counted) = cut(&files, [request.to_vec()], takes);
            assert_eq!(received.len(), takes);
            assert_eq!(counted.bytes_sent, body_bytes(&received) as u64, "{takes}");
            assert_eq!((counted.requests, counted.responses_2xx), (1, 1), "{takes}");
        }
        let (received, counted) = cut(&files, [request.to_vec()], usize::MAX);
        assert!(received.ends_with(&large));
        assert_eq!(counted.bytes_sent, large.len() as u64);
    }

    #[test]
    fn each_of_several_answers_counts_for_itself() {
        let files: Vec<(&str, &[u8])> = vec![("note.txt", NOTE)];
        let request = b"GET /note.txt HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
        let (whole, counted) = cut(&files, [request.repeat(3)], usize::MAX);
        assert_eq!(counted.bytes_sent, 3 * NOTE.len() as u64);
        let one = whole.len() / 3;
        for takes in 0..whole.len() {
            let (_, counted) = cut(&files, [request.repeat(3)], takes);
            let part = (takes % one).saturating_sub(one - NOTE.len());
            let expected = takes / one * NOTE.len() + part;
            assert_eq!(
                counted.bytes_sent,
                expected as u64,
                "{takes} of {}",
                whole.len()
            );
            assert_eq!(
                counted.requests, 3,
                "{takes}: answered, though the peer has gone"
            );
        }
    }

    #[test]
    fn an_answer_without_a_body_counts_nothing() {
        let files: Vec<(&str, &[u8])> = vec![("note.txt", NOTE)];
        let request = b"HEAD /note.txt HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
        let (_, counted) = cut(&files, [request], usize::MAX);
        assert_eq!((counted.bytes_sent, counted.requests), (0, 1));
    }
}
