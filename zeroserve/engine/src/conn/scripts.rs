//! Scripts on an HTTP/1.1 connection: what they wait for, and that nobody waits for them.

use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, select};
use zs_proto::body::{CONTINUE, Collected, Collector};
use zs_proto::message::BodyFraming;

use super::Link;
use super::answer::small_body;
use super::connection::{Connection, End, Waiting};
use crate::generation::LoopGeneration;
use crate::request::{self, Exchange, PAUSE, Progress, Scripted};
use crate::ring;
use crate::worker::Worker;

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

    pub(super) fn collector(&self, limit: usize) -> Collector {
        Collector::new(self.framing, self.expected, limit)
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
                    ring::next_turn().await;
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
        let mut collector = body.collector(limit);
        loop {
            let bytes = self.input.get(self.consumed..).unwrap_or_default();
            let progress = match collector.handle_bytes(bytes) {
                Ok(progress) => progress,
                Err(error) => {
                    let exchange = request::refuse(&self.worker, error);
                    self.exchange(exchange).await?;
                    return Err(End::Linger);
                }
            };
            self.consumed += progress.consumed;
            match progress.body {
                Collected::Whole => return Ok(Some(collector.into_bytes())),
                Collected::TooLarge => return Ok(None),
                Collected::More => self.compact(),
            }
            if collector.poll_continue() && !self.session.seal(CONTINUE) {
                return Err(End::Abort);
            }
            self.flush().await?; // the answers before this one, too
            let lifetime = &self.place.lifetime;
            if self.waiting != Waiting::Body {
                lifetime.extend(self.worker.rules.limits.body_seconds);
                self.waiting = Waiting::Body;
            }
            let Some(chunk) = lifetime.guard(self.link.recv()).await?? else {
                return Err(End::Abort);
            };
            if self.ingest(chunk).await? {
                return Err(End::Abort); // the peer's last bytes, and not all of the body
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
