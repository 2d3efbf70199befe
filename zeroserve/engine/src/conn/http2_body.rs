//! Bodies of HTTP/2 answers: what is left of each, and one turn of one of them.

use std::collections::VecDeque;
use std::rc::Rc;

use zs_proto::h2::{self, StreamId};

use super::Link;
use super::answer::small_body;
use super::connection::End;
use super::http2::Http2;
use super::http2_ledger::Progress;
use super::log_line::Record;
use crate::generation::LoopGeneration;
use crate::reply::Body;
use crate::ring;

/// A peer that takes so much of its answers in the time of one send is still there. Less is no progress:
/// a window that is opened by a byte now and then must not hold a connection for ever.
const PROGRESS_BYTES: usize = 16 << 10;

/// An answer whose body has not all been taken by the state machine.
pub(super) struct Sending {
    pub(super) stream: StreamId,
    pub(super) generation: Rc<LoopGeneration>,
    pub(super) pieces: VecDeque<Piece>,
    pub(super) record: Record,
    pub(super) progress: Progress,
}

/// Body bytes in order.
pub(super) enum Piece {
    Bytes {
        bytes: Vec<u8>,
        at: usize,
    },
    Cached {
        body: Rc<[u8]>,
        at: usize,
        end: usize,
    },
    Member {
        member: u32,
        start: u64,
        length: u64,
    },
}

impl<L: Link> Http2<'_, L> {
    /// One turn of one answer.
    pub(super) async fn advance(&mut self, place: usize, room: usize) -> Result<(), End> {
        let Self {
            machine,
            worker,
            sending,
            ledger,
            ..
        } = self;
        let answer = &mut sending[place];
        let stream = answer.stream;
        let last = answer.pieces.len() == 1;
        let from = machine.output().len();
        let (taken, done) = match answer.pieces.front_mut() {
            None => (0, true),
            Some(Piece::Bytes { bytes, at }) => {
                let taken = send_part(machine, stream, &bytes[*at..], room, last);
                *at += taken;
                (taken, *at == bytes.len())
            }
            Some(Piece::Cached { body, at, end }) => {
                let taken = send_part(machine, stream, &body[*at..*end], room, last);
                *at += taken;
                (taken, *at == *end)
            }
            Some(Piece::Member {
                member,
                start,
                length,
            }) => {
                let generation = &answer.generation;
                if let Some(body) = small_body(worker, generation, *member).await? {
                    let number = |value: u64| usize::try_from(value).map_err(|_| End::Abort);
                    let at = number(*start)?;
                    let end = at + number(*length)?;
                    answer.pieces[0] = Piece::Cached { body, at, end };
                    return Ok(());
                }
                let count = usize::try_from(*length).unwrap_or(usize::MAX).min(room);
                let offset = generation.site.index.entry(*member).offset + *start;
                let file = &generation.site.file;
                let buffer = worker.buffers.take(count);
                let (result, buffer) = ring::read_at(file, buffer, offset, count).await;
                if result? != count {
                    return Err(End::Abort); // the file was cut short under us
                }
                let last = last && count as u64 == *length;
                let taken = send_part(machine, stream, &buffer, room, last);
                worker.buffers.give(buffer);
                *start += taken as u64;
                *length -= taken as u64;
                (taken, *length == 0)
            }
        };
        let frames = from..machine.output().len();
        self.moved_bytes += frames.len();
        ledger.taken(stream, &mut answer.progress, frames, taken);
        if done {
            answer.pieces.pop_front();
        }
        if answer.pieces.is_empty() || self.moved_bytes >= PROGRESS_BYTES {
            self.achieved = true;
            self.moved_bytes = 0;
        }
        if answer.pieces.is_empty() {
            self.finish_at(place);
        } else {
            machine.set_ready(stream, true);
        }
        Ok(())
    }
}

/// Gives up to `room` of `bytes` to the state machine; how many it took. A stream that is gone takes
/// all: nobody waits for them.
fn send_part(
    machine: &mut h2::Connection,
    stream: StreamId,
    bytes: &[u8],
    room: usize,
    last: bool,
) -> usize {
    let part = &bytes[..room.min(bytes.len())];
    let ends = last && part.len() == bytes.len();
    machine.send_data(stream, part, ends).unwrap_or(part.len())
}

/// A reply's body as pieces. `head` holds the head's bytes and, behind them, those of an inline body.
pub(super) fn pieces(
    mut head: Vec<u8>,
    head_bytes: usize,
    body: Body,
    buffers: &super::Buffers,
) -> VecDeque<Piece> {
    match body {
        // Scripts' answers are finished before they are sent.
        Body::Template { .. } => VecDeque::new(),
        Body::Inline => {
            head.drain(..head_bytes);
            VecDeque::from([Piece::Bytes { bytes: head, at: 0 }])
        }
        Body::Member {
            member,
            start,
            length,
        } => {
            buffers.give(head);
            VecDeque::from([Piece::Member {
                member,
                start,
                length,
            }])
        }
        Body::Parts {
            member,
            parts,
            closing,
        } => {
            buffers.give(head);
            let mut pieces = VecDeque::with_capacity(2 * parts.len() + 1);
            for part in parts {
                pieces.push_back(Piece::Bytes {
                    bytes: part.head.into_vec(),
                    at: 0,
                });
                let (start, length) = (part.start, part.length);
                pieces.push_back(Piece::Member {
                    member,
                    start,
                    length,
                });
            }
            pieces.push_back(Piece::Bytes {
                bytes: closing.into_vec(),
                at: 0,
            });
            pieces
        }
    }
}
