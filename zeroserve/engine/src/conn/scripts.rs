//! Scripts on an HTTP/1.1 connection: what they wait for, and that nobody waits for them.

use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, select};
use zs_proto::h1::chunk::ChunkDecoder;
use zs_proto::message::BodyFraming;

use super::Link;
use super::answer::small_body;
use super::connection::{Connection, End, Waiting};
use super::link::yield_once;
use crate::generation::LoopGeneration;
use crate::request::{self, Exchange, PAUSE, Progress, Scripted};
use crate::ring;
use crate::worker::Worker;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A request's body that still lies on the connection.
pub(super) struct UnreadBody {
    framing: BodyFraming,
    /// The client waits to be told to send it.
    expected: bool,
}

impl UnreadBody {
    pub(super) const fn new(framing: BodyFraming, expected: bool) -> Self {
        Self { framing, expected }
    }
}

impl<L: Link> Connection<L> {
    /// Runs a request's scripts to their answer.
    pub(super) async fn run_scripts(
        &mut self,
        mut scripted: Box<Scripted>,
        mut progress: Progress,
        body: UnreadBody,
    ) -> Result<Exchange, End> {
        loop {
            let next = match progress {
                Progress::Done(exchange) => return Ok(exchange),
                Progress::Abort => return Err(End::Abort),
                Progress::Yield => {
                    self.flush().await?;
                    yield_once().await;
                    None
                }
                Progress::Pause => {
                    self.flush().await?;
                    self.pause().await?;
                    None
                }
                Progress::Body { limit } => {
                    let bytes = self.read_body(&body, limit).await?;
                    scripted.supply_body(bytes);
                    None
                }
                Progress::Member(member) => {
                    let bytes = member_bytes(&self.worker, scripted.generation(), member).await?;
                    scripted.supply_member(&self.worker, &bytes)
                }
            };
            progress = match next {
                Some(progress) => progress,
                None => scripted.step(&self.worker, None),
            };
        }
    }

    /// A script goes on and on: others for a while, and an end when the client has left.
    async fn pause(&mut self) -> Result<(), End> {
        let lifetime = &self.place.lifetime;
        lifetime.extend(self.worker.rules.limits.send_seconds);
        let (sleeping, leaving) = (pin!(ring::sleep(PAUSE)), pin!(self.link.hang_up()));
        match lifetime.guard(select(sleeping, leaving)).await? {
            Either::Left(_) => Ok(()),
            Either::Right(_) => Err(End::Abort),
        }
    }

    /// The body, whole; `None` when it is larger than `limit`. What follows it stays in the input.
    async fn read_body(&mut self, body: &UnreadBody, limit: usize) -> Result<Option<Vec<u8>>, End> {
        if body.expected && !self.session.seal(CONTINUE) {
            return Err(End::Abort);
        }
        self.flush().await?;
        let mut wanted = Wanted::new(body.framing, limit);
        self.waiting = Waiting::Body;
        self.place
            .lifetime
            .extend(self.worker.rules.limits.body_seconds);
        loop {
            let bytes = self.input.get(self.consumed..).unwrap_or_default();
            let (consumed, end) = match wanted.handle(bytes) {
                Ok(step) => step,
                Err(error) => {
                    let exchange = request::refuse(&self.worker, error);
                    self.exchange(exchange).await?;
                    return Err(End::Linger);
                }
            };
            self.consumed += consumed;
            match end {
                Some(Taken::Whole) => return Ok(Some(wanted.bytes)),
                Some(Taken::TooLarge) => return Ok(None),
                None => {}
            }
            self.compact();
            let received = self.place.lifetime.guard(self.link.recv()).await?;
            match received? {
                Some(chunk) => {
                    if self.ingest(chunk).await? {
                        return Err(End::Abort);
                    }
                }
                None => return Err(End::Abort),
            }
        }
    }
}

/// A body as it gathers.
struct Wanted {
    bytes: Vec<u8>,
    limit: usize,
    framing: Framing,
}

enum Framing {
    /// Bytes still to come.
    Length(u64),
    Chunked(ChunkDecoder),
}

#[derive(Clone, Copy)]
enum Taken {
    Whole,
    TooLarge,
}

impl Wanted {
    fn new(framing: BodyFraming, limit: usize) -> Self {
        let framing = match framing {
            BodyFraming::None => Framing::Length(0),
            BodyFraming::Length(bytes) => Framing::Length(bytes),
            BodyFraming::Chunked => Framing::Chunked(ChunkDecoder::new()),
        };
        Self {
            bytes: Vec::new(),
            limit,
            framing,
        }
    }

    /// How many of `input` were the body's, and whether that was the end of it.
    fn handle(
        &mut self,
        input: &[u8],
    ) -> Result<(usize, Option<Taken>), zs_proto::error::PeerError> {
        match &mut self.framing {
            Framing::Length(left) => {
                let count =
                    usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                self.bytes.extend_from_slice(&input[..count]);
                *left -= count as u64;
                Ok((count, (*left == 0).then_some(Taken::Whole)))
            }
            Framing::Chunked(decoder) => {
                let mut consumed = 0;
                loop {
                    let rest = &input[consumed..];
                    let step = decoder.handle(rest)?;
                    self.bytes.extend_from_slice(&rest[step.body]);
                    consumed += step.consumed;
                    if self.bytes.len() > self.limit {
                        return Ok((consumed, Some(Taken::TooLarge)));
                    }
                    if step.finished {
                        return Ok((consumed, Some(Taken::Whole)));
                    }
                    if step.consumed == 0 || consumed == input.len() {
                        return Ok((consumed, None));
                    }
                }
            }
        }
    }
}

/// A member's bytes, whole. Members that scripts see are small.
pub(super) async fn member_bytes(
    worker: &Worker,
    generation: &LoopGeneration,
    member: u32,
) -> Result<Rc<[u8]>, End> {
    if let Some(body) = small_body(worker, generation, member).await? {
        return Ok(body);
    }
    let entry = generation.site.index.entry(member);
    let length = usize::try_from(entry.size).map_err(|_| End::Abort)?;
    let (result, buffer) =
        ring::read_at(&generation.site.file, Vec::new(), entry.offset, length).await;
    if result? != length {
        return Err(End::Abort); // the file was cut short under us
    }
    Ok(buffer.into())
}
