//! Scripts on an HTTP/2 connection: requests whose scripts could not answer at once, side by side.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::future::{Either, Fuse, select};

use zs_proto::body::{CONTINUE, Collected, Collector};
use zs_proto::h2::StreamId;
use zs_proto::message::BodyFraming;

use super::Link;
use super::connection::End;
use super::http2::Http2;
use super::lifetime::Ended;
use super::scripts::{UnreadBody, member_bytes};
use crate::clock::monotonic;
use crate::request::{PAUSE, Progress, Scripted};
use crate::ring;

/// A request that scripts are at.
pub(super) struct Running {
    pub(super) stream: StreamId,
    scripted: Box<Scripted>,
    waits: Waits,
    /// The body, as far as it has come.
    body: Collector,
    collected: Collected,
}

/// More of a body that one of these may want.
pub(super) fn add_body(running: &mut [Running], stream: StreamId, bytes: &[u8], end_stream: bool) {
    let found = running.iter_mut().find(|each| each.stream == stream);
    if let Some(found) = found.filter(|each| each.collected == Collected::More) {
        found.collected = found.body.handle_data(bytes, end_stream);
    }
}

/// What a running request waits for.
enum Waits {
    /// The loop's other work.
    Turn,
    /// A moment of the monotonic clock.
    Until(Duration),
    /// Its body, up to so many bytes.
    Body(usize),
    Member(u32),
}

impl Waits {
    fn of(progress: &Progress) -> Option<Self> {
        match progress {
            Progress::Done(_) | Progress::Abort => None,
            Progress::Yield => Some(Self::Turn),
            Progress::Pause => Some(Self::Until(monotonic() + PAUSE)),
            Progress::Body { limit } => Some(Self::Body(*limit)),
            Progress::Member(member) => Some(Self::Member(*member)),
        }
    }
}

impl<L: Link> Http2<'_, L> {
    /// Takes a request in whose first step has led to `progress`.
    pub(super) fn begin_scripted(
        &mut self,
        stream: StreamId,
        scripted: Box<Scripted>,
        progress: Progress,
        unread: Option<&UnreadBody>,
    ) {
        let Some(waits) = Waits::of(&progress) else {
            return self.end_scripted(stream, progress);
        };
        let limit = self.worker.scripts.body_bytes_max();
        let (mut body, collected) = match unread {
            Some(unread) => (unread.collector(limit), Collected::More),
            None => (
                Collector::new(BodyFraming::None, false, limit),
                Collected::Whole,
            ),
        };
        let wanted = matches!(waits, Waits::Body(_));
        if wanted && body.poll_continue() {
            self.machine.send_head(stream, CONTINUE, false);
        }
        self.running.push(Running {
            stream,
            scripted,
            waits,
            body,
            collected,
        });
    }

    fn end_scripted(&mut self, stream: StreamId, progress: Progress) {
        match progress {
            Progress::Done(exchange) => {
                self.answer(stream, exchange);
            }
            _ => self.machine.reset(stream, zs_proto::h2::ErrorCode::Cancel),
        }
    }

    /// Gives every running request its turn. True when one can go on without hearing from the peer.
    pub(super) async fn run_scripts(&mut self) -> Result<bool, End> {
        let mut at = 0;
        while at < self.running.len() {
            let worker = self.worker;
            let running = &mut self.running[at];
            let scripted = &mut running.scripted;
            let answered = match running.waits {
                Waits::Turn => None,
                Waits::Until(moment) if monotonic() >= moment => None,
                Waits::Body(_) if running.collected == Collected::TooLarge => {
                    scripted.supply_body(None);
                    None
                }
                Waits::Body(limit) if running.collected == Collected::Whole => {
                    let none = Collector::new(BodyFraming::None, false, 0);
                    let bytes = std::mem::replace(&mut running.body, none).into_bytes();
                    scripted.supply_body((bytes.len() <= limit).then_some(bytes));
                    None
                }
                Waits::Member(member) => {
                    let bytes = member_bytes(worker, scripted.generation(), member).await?;
                    scripted.supply_member(worker, &bytes)
                }
                Waits::Until(_) | Waits::Body(_) => {
                    at += 1;
                    continue;
                }
            };
            let progress = answered.unwrap_or_else(|| scripted.step(worker, None));
            let Some(waits) = Waits::of(&progress) else {
                let Running { stream, .. } = self.running.swap_remove(at);
                self.achieved = true;
                self.end_scripted(stream, progress);
                continue;
            };
            let wanted = matches!(waits, Waits::Body(_));
            running.waits = waits;
            if wanted && running.body.poll_continue() {
                self.machine.send_head(running.stream, CONTINUE, false);
            }
            at += 1;
        }
        Ok(self
            .running
            .iter()
            .any(|each| matches!(each.waits, Waits::Turn)))
    }

    /// The peer's next bytes; `None` when a script can go on before they come.
    pub(super) async fn wait<F: Future>(
        &self,
        receiving: Pin<&mut Fuse<F>>,
    ) -> Result<Option<F::Output>, Ended> {
        let lifetime = self.lifetime;
        let Some(wait) = self.script_wait() else {
            return lifetime.guard(receiving).await.map(Some);
        };
        let waiting = pin!(async {
            if wait.is_zero() {
                ring::next_turn().await;
            } else {
                ring::sleep(wait).await;
            }
        });
        Ok(match lifetime.guard(select(receiving, waiting)).await? {
            Either::Left((received, _)) => Some(received),
            Either::Right(_) => None,
        })
    }

    /// How long scripts pause, or zero when they have only yielded; `None` when the peer alone can move them.
    fn script_wait(&self) -> Option<Duration> {
        let wait = |each: &Running| match each.waits {
            Waits::Turn | Waits::Member(_) => Some(Duration::ZERO),
            Waits::Until(moment) => Some(moment.saturating_sub(monotonic())),
            Waits::Body(_) => None,
        };
        self.running.iter().filter_map(wait).min()
    }
}
