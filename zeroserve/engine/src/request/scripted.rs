//! A request that scripts look at: steps of the chain between the connection's, until there is an answer. No I/O: what is
//! to be read is named.

use std::rc::Rc;
use std::time::Duration;

use zs_chain::{Body, Execution, FileMetadata, Need, Step, Supply, Verdict};
use zs_proto::error::PeerError;
use zs_proto::h1::parse::parse_head;
use zs_proto::message::{BodyFraming, Method, RequestHead};

use super::slices::{Slices, Turn};
use super::{Exchange, Manner, dispatch};
use crate::generation::LoopGeneration;
use crate::reply::{self, Reply};
use crate::worker::Worker;

/// Of a member that a script reads.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// What a step led to.
#[allow(
    clippy::large_enum_variant,
    reason = "nearly always it is the large one, and it is never stored"
)]
pub(crate) enum Progress {
    Done(Exchange),
    /// Close without an answer.
    Abort,
    /// Others first: step again in the loop's next turn.
    Yield,
    /// Step again after [`super::slices::PAUSE`].
    Pause,
    /// Give it the body, up to so many bytes: [`Scripted::supply_body`].
    Body {
        limit: usize,
    },
    /// Give it a member's bytes: [`Scripted::supply_member`].
    Member(u32),
}

/// Where the request stands.
enum Stage {
    Chain,
    /// Bytes of a page are wanted.
    Template {
        member: u32,
        status: u16,
    },
    /// The answer is finished but for the hooks; with the header fields that scripts had set by then.
    Hooks(Box<(Reply, Vec<(String, String)>)>),
}

pub(crate) struct Scripted {
    execution: Execution,
    generation: Rc<LoopGeneration>,
    root: usize,
    manner: Option<Manner>,
    stage: Stage,
    slices: Slices,
    /// A script has had the body, so none of it is left.
    body_read: bool,
    /// The log knows that it runs long.
    throttled: bool,
}

impl Scripted {
    pub(super) fn new(
        generation: Rc<LoopGeneration>,
        root: usize,
        execution: Execution,
        manner: Manner,
        time_slice: Duration,
    ) -> Self {
        Self {
            execution,
            generation,
            root,
            manner: Some(manner),
            stage: Stage::Chain,
            slices: Slices::new(time_slice),
            body_read: false,
            throttled: false,
        }
    }

    /// Goes on as far as it can. `head` is the request's, as long as it lies in the connection's buffer: it saves reading
    /// it again.
    pub(crate) fn step(&mut self, worker: &Worker, head: Option<&RequestHead<'_>>) -> Progress {
        loop {
            if let Stage::Template { member, .. } = self.stage {
                return Progress::Member(member);
            }
            let step = self.execution.step(worker.clock.now());
            self.write_log(worker);
            let verdict = match step {
                Step::Yield => match self.slices.spent() {
                    Turn::Continue => continue,
                    Turn::Yield => return Progress::Yield,
                    Turn::Pause => {
                        self.note_throttling(worker);
                        return Progress::Pause;
                    }
                },
                Step::Wait => match self.want() {
                    Some(progress) => return progress,
                    None => continue,
                },
                Step::Done(verdict) => verdict,
            };
            let reply = match verdict {
                Verdict::Abort => return Progress::Abort,
                Verdict::Again => {
                    self.stage = Stage::Chain;
                    continue;
                }
                Verdict::Hooked => {
                    let reply = self.hooked();
                    return self.done(worker, Ok(reply));
                }
                Verdict::Pass => match self.site_answer(worker, head) {
                    Ok(reply) => reply,
                    Err(error) => return self.done(worker, Err(error)),
                },
                Verdict::Respond => self.scripts_answer(worker),
                Verdict::Failed => self.failure(worker),
            };
            if let reply::Body::Template { member } = reply.body {
                let status = reply.status;
                self.stage = Stage::Template { member, status };
                continue;
            }
            if let Some(progress) = self.answered(worker, reply) {
                return progress;
            }
        }
    }

    /// The body that was asked for; `None` when it is larger than the limit.
    pub(crate) fn supply_body(&mut self, body: Option<Vec<u8>>) {
        self.body_read = body.is_some();
        if let (false, Some(manner)) = (self.body_read, &mut self.manner) {
            manner.keep_alive = false; // the connection stands in the middle of it
        }
        let body = body.map_or(Body::TooLarge, Body::Bytes);
        self.execution.supply(Supply::Body(body));
    }

    /// What scripts made of the request, for explanations.
    pub(crate) fn execution(&mut self) -> &mut Execution {
        &mut self.execution
    }

    pub(crate) fn generation(&self) -> &LoopGeneration {
        &self.generation
    }

    /// A member's bytes, whole.
    pub(crate) fn supply_member(&mut self, worker: &Worker, bytes: &[u8]) -> Option<Progress> {
        let Stage::Template { member, status } = self.stage else {
            self.execution.supply(Supply::File(Some(bytes.to_vec())));
            return None;
        };
        self.stage = Stage::Chain;
        let context = self.execution.context();
        let filled = zs_chain::template::expand(bytes, |key| context.metadata(key));
        let index = &self.generation.site.index;
        let entry = index.entry(member);
        let reply = reply::templated(
            worker.buffers.take(0),
            self.opening(worker),
            Method::from_token(context.request().method()),
            status,
            index.content_type(entry),
            index.header_block(entry),
            filled.as_deref().unwrap_or(bytes),
        );
        self.answered(worker, reply)
    }

    fn opening(&self, worker: &Worker) -> reply::Opening {
        match &self.manner {
            Some(manner) => manner.opening(worker, self.body_read),
            None => unreachable!("kept until the end"),
        }
    }

    /// What a script waits for; `None` when it was met at once.
    fn want(&mut self) -> Option<Progress> {
        let site = &self.generation.site;
        let root = site.root_at(self.root);
        let supply = match self.execution.need()? {
            Need::Body { limit } => {
                let framing = self.manner.as_ref().map(|manner| manner.framing);
                match framing {
                    Some(BodyFraming::None | BodyFraming::Length(0)) | None => {
                        Supply::Body(Body::Bytes(Vec::new()))
                    }
                    Some(BodyFraming::Length(bytes)) if bytes > *limit as u64 => {
                        Supply::Body(Body::TooLarge)
                    }
                    Some(_) => return Some(Progress::Body { limit: *limit }),
                }
            }
            Need::File(path) => match site.member_of(root, path) {
                Some(member) if site.index.entry(member).size <= FILE_BYTES_MAX => {
                    return Some(Progress::Member(member));
                }
                _ => Supply::File(None),
            },
            Need::FileMetadata(path) => {
                let found = site.member_of(root, path).map(|member| {
                    let entry = site.index.entry(member);
                    FileMetadata {
                        size: entry.size,
                        etag: String::from_utf8_lossy(&entry.etag).into_owned(),
                        mtime: entry.last_modified().unwrap_or(0),
                    }
                });
                Supply::FileMetadata(found)
            }
        };
        self.execution.supply(supply);
        None
    }

    /// No script has answered: the site does, for the request as scripts left it.
    fn site_answer(
        &self,
        worker: &Worker,
        head: Option<&RequestHead<'_>>,
    ) -> Result<Reply, PeerError> {
        let context = self.execution.context();
        let resolve = |head: &RequestHead<'_>| {
            dispatch::resolve(
                worker,
                &self.generation,
                self.root,
                head,
                self.opening(worker),
                context.has_metadata(),
            )
        };
        if let Some(head) = head.filter(|_| !context.request().is_changed()) {
            return resolve(head);
        }
        let text = context.request().to_head();
        match parse_head(&text)? {
            Some((head, _)) => resolve(&head),
            None => Err(PeerError::BadTarget),
        }
    }

    fn scripts_answer(&mut self, worker: &Worker) -> Reply {
        let opening = self.opening(worker);
        let out = worker.buffers.take(0);
        match self.execution.take_response() {
            Some(response) => {
                let context = self.execution.context();
                let method = context.request().method();
                let reply = reply::scripted(out, opening, method, &response, context);
                self.execution.keep_body(response.body);
                reply
            }
            None => reply::failed(out, opening),
        }
    }

    fn failure(&mut self, worker: &Worker) -> Reply {
        if let Some(error) = self.execution.take_failure() {
            worker.diagnostics.line(&error.to_string());
        }
        worker.counters.script_failures.add(1);
        reply::failed(worker.buffers.take(0), self.opening(worker))
    }

    /// There is an answer: hooks may look at it. `None`: step on, for them.
    #[inline]
    fn answered(&mut self, worker: &Worker, mut reply: Reply) -> Option<Progress> {
        reply::apply_fields(&mut reply, self.execution.context());
        if self.execution.has_hooks() {
            let lines = reply::field_lines(&reply);
            self.execution.begin_hooks(reply.status, lines);
            let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            let before = self.execution.context().response_headers().map(owned);
            self.stage = Stage::Hooks(Box::new((reply, before.collect())));
            return None;
        }
        Some(self.done(worker, Ok(reply)))
    }

    fn hooked(&mut self) -> Reply {
        let Stage::Hooks(kept) = std::mem::replace(&mut self.stage, Stage::Chain) else {
            unreachable!("hooks end where they began");
        };
        let (mut reply, before) = *kept;
        if let Some((status, fields)) = self.execution.hooked_head() {
            reply::apply_head(&mut reply, status, &fields.fields());
        }
        reply::apply_new_fields(&mut reply, self.execution.context(), &before);
        reply
    }

    #[inline]
    fn done(&mut self, worker: &Worker, reply: Result<Reply, PeerError>) -> Progress {
        let Some(manner) = self.manner.take() else {
            return Progress::Abort;
        };
        let generation = Rc::clone(&self.generation);
        Progress::Done(manner.exchange(worker, generation, reply, self.body_read))
    }

    /// Once a request: one that spins for ever must not fill the log.
    fn note_throttling(&mut self, worker: &Worker) {
        worker.counters.script_pauses.add(1);
        if !std::mem::replace(&mut self.throttled, true) {
            let script = self.execution.script();
            worker.diagnostics.line(&format!(
                "script `{script}`: throttling, it has run for 20 ms without a pause"
            ));
        }
    }

    fn write_log(&mut self, worker: &Worker) {
        if self.execution.has_lines() {
            for line in self.execution.take_lines() {
                worker
                    .diagnostics
                    .line(&format!("[user_log] {}: {}", line.script, line.text));
            }
        }
    }
}
