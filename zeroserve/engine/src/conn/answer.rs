//! How an answer leaves: sealed in as few records as there can be, small bodies from memory, large ones
//! read from the tarball while the step before is being sent.

use std::io;
use std::pin::pin;
use std::rc::Rc;

use futures_util::future::join;

use super::Link;
use super::connection::{Connection, End, Waiting};
use super::lifetime::{Ended, Lifetime};
use crate::generation::LoopGeneration;
use crate::reply::{Body, CACHED_BODY_BYTES_MAX, Reply};
use crate::ring;
use crate::worker::Worker;

/// Plaintext of one TLS record (RFC 8446 section 5.1).
const RECORD_BYTES: usize = 16 << 10;
/// What sealing adds, roughly: header, content type and tag for each record.
const RECORD_OVERHEAD: usize = 64;

impl<L: Link> Connection<L> {
    pub(super) async fn send_reply(
        &mut self,
        generation: &LoopGeneration,
        reply: Reply,
    ) -> Result<(), End> {
        match reply.body {
            Body::Inline => self.seal_inline(reply.head),
            // Scripts' answers are finished before they are sent.
            Body::Template { .. } => Err(End::Abort),
            Body::Member {
                member,
                start,
                length,
            } => {
                self.send_member(generation, reply.head, member, start, length)
                    .await
            }
            Body::Parts {
                member,
                parts,
                closing,
            } => {
                let mut head = reply.head;
                for part in parts {
                    head.extend_from_slice(&part.head);
                    self.send_member(generation, head, member, part.start, part.length)
                        .await?;
                    self.flush().await?;
                    head = self.worker.buffers.take(0);
                }
                head.extend_from_slice(&closing);
                self.seal_inline(head)
            }
        }
    }

    fn seal_inline(&mut self, bytes: Vec<u8>) -> Result<(), End> {
        self.make_room(bytes.len());
        self.seal(&bytes)?;
        self.worker.buffers.give(bytes);
        Ok(())
    }

    async fn send_member(
        &mut self,
        generation: &LoopGeneration,
        head: Vec<u8>,
        member: u32,
        start: u64,
        length: u64,
    ) -> Result<(), End> {
        let body = small_body(&self.worker, generation, member).await?;
        let Some(body) = body else {
            let offset = generation.site.index.entry(member).offset;
            return self.stream(generation, head, offset + start, length).await;
        };
        let start = usize::try_from(start).map_err(|_| End::Abort)?;
        let length = usize::try_from(length).map_err(|_| End::Abort)?;
        let bytes = body.get(start..start + length).ok_or(End::Abort)?;
        self.seal_with_head(head, bytes)
    }

    /// Head and body in as few records as there can be: the first holds the head and what fits.
    fn seal_with_head(&mut self, mut head: Vec<u8>, body: &[u8]) -> Result<(), End> {
        self.make_room(head.len() + body.len());
        let first = body.len().min(RECORD_BYTES.saturating_sub(head.len()));
        head.extend_from_slice(&body[..first]);
        self.seal(&head)?;
        self.seal(&body[first..])?;
        self.worker.buffers.give(head);
        Ok(())
    }

    /// A body too large to keep: while one step is being sent, the next is being read.
    async fn stream(
        &mut self,
        generation: &LoopGeneration,
        head: Vec<u8>,
        mut offset: u64,
        mut left: u64,
    ) -> Result<(), End> {
        let worker = Rc::clone(&self.worker);
        let file = &generation.site.file;
        let step = |left: u64| {
            usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(worker.rules.chunk_size)
        };
        let mut buffer = worker.buffers.take(head.len() + step(left));
        buffer.extend_from_slice(&head);
        worker.buffers.give(head);
        let mut want = step(left);
        let (mut result, mut filled) = ring::read_at(file, buffer, offset, want).await;
        loop {
            if result? != want {
                return Err(End::Abort); // the file was cut short under us
            }
            offset += want as u64;
            left -= want as u64;
            self.make_room(filled.len());
            self.seal(&filled)?;
            filled.clear();
            if left == 0 {
                worker.buffers.give(filled);
                return Ok(());
            }
            want = step(left);
            let (sent, read) = join(self.flush(), ring::read_at(file, filled, offset, want)).await;
            sent?;
            (result, filled) = read;
        }
    }

    fn seal(&mut self, bytes: &[u8]) -> Result<(), End> {
        if self.session.seal(bytes) {
            Ok(())
        } else {
            Err(End::Abort)
        }
    }

    /// Gives the session a buffer that will not have to grow.
    fn make_room(&mut self, plaintext_bytes: usize) {
        let output = self.session.output();
        if output.capacity() == 0 {
            let records = plaintext_bytes / RECORD_BYTES + 2;
            *output = self
                .worker
                .buffers
                .take(plaintext_bytes + records * RECORD_OVERHEAD);
        }
    }

    /// Sends all that waits.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        let output = std::mem::take(self.session.output());
        if output.is_empty() {
            self.worker.buffers.give(output);
            return Ok(());
        }
        if self.waiting != Waiting::Handshake {
            let seconds = self.worker.rules.limits.send_seconds;
            self.place.lifetime.extend(seconds);
            self.waiting = Waiting::Nothing;
        }
        self.send(output).await
    }

    /// Sends `output`, and keeps account of what has left.
    pub(super) async fn send(&mut self, output: Vec<u8>) -> Result<(), End> {
        let (sent, ended) = send_in_time(&self.link, &self.place.lifetime, output).await;
        let Self {
            worker,
            session,
            peer,
            origin,
            ledger,
            ..
        } = self;
        let left = &sent.output[..sent.count];
        if left.len() == sent.output.len() {
            ledger.all_left(
                |from| session.plaintext_bytes(&left[from..]),
                |record, bytes| record.finish(worker, peer, origin, bytes),
            );
        } else {
            ledger.cut(left.len(), |range| session.plaintext_bytes(&left[range]));
        }
        if let Some(ended) = ended {
            return Err(ended.into());
        }
        sent.result?;
        self.worker.buffers.give(sent.output);
        Ok(())
    }
}

/// The whole body of a small member, from memory; read once and kept for the next requests. `None` for
/// a large one, which streams.
pub(super) async fn small_body(
    worker: &Worker,
    generation: &LoopGeneration,
    member: u32,
) -> Result<Option<Rc<[u8]>>, End> {
    if let Some(body) = generation.bodies.body(member) {
        worker.counters.cache_hits.add(1);
        return Ok(Some(body));
    }
    let entry = generation.site.index.entry(member);
    let length = match usize::try_from(entry.size) {
        Ok(length) if length <= CACHED_BODY_BYTES_MAX => length,
        _ => return Ok(None),
    };
    worker.counters.cache_misses.add(1);
    let buffer = worker.buffers.take(length);
    let (result, buffer) = ring::read_at(&generation.site.file, buffer, entry.offset, length).await;
    if result? != length {
        return Err(End::Abort); // the file was cut short under us
    }
    let body: Rc<[u8]> = Rc::from(&buffer[..length]);
    worker.buffers.give(buffer);
    generation.keep_body(member, &body);
    Ok(Some(body))
}

/// What became of an output.
pub(crate) struct Sent {
    pub(super) output: Vec<u8>,
    /// So many of its bytes have left: the kernel has taken them.
    pub(super) count: usize,
    pub(super) result: io::Result<()>,
}

impl Sent {
    /// The output again, when all of it has left.
    pub(crate) fn whole(self) -> io::Result<Vec<u8>> {
        self.result.map(|()| self.output)
    }
}

pub(crate) async fn send_all<L: Link>(link: &L, mut output: Vec<u8>) -> Sent {
    let mut count = 0;
    let mut result = Ok(());
    while count < output.len() {
        let (sent, buffer) = link.send(output, count).await;
        output = buffer;
        match sent {
            Ok(0) => result = Err(io::ErrorKind::WriteZero.into()),
            Ok(more) => count += more,
            Err(error) => result = Err(error),
        }
        if result.is_err() {
            break;
        }
    }
    Sent {
        output,
        count,
        result,
    }
}

/// As `send_all`, until the deadline passes: then the link is ended, which also ends the send, so that
/// what has left is known.
pub(super) async fn send_in_time<L: Link>(
    link: &L,
    lifetime: &Lifetime,
    output: Vec<u8>,
) -> (Sent, Option<Ended>) {
    let mut sending = pin!(send_all(link, output));
    match lifetime.guard(sending.as_mut()).await {
        Ok(sent) => (sent, None),
        Err(ended) => {
            link.abort();
            (sending.await, Some(ended))
        }
    }
}
