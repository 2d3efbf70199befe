//! One request's way through the chain: runs, calls between scripts, waits, hooks. A machine that is stepped; it never
//! blocks.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use zs_proto::message::RequestHead;
use zs_script::{EntryId, Outcome, Phases, Refusal, Resume, Run, RunError, Runtime};

use crate::context::{Context, Frame};
use crate::field_block::FieldBlock;
use crate::json::Document;
use crate::log::Line;
use crate::metadata::Metadata;
use crate::request::Connection;
use crate::response::{Response, ResponseHead};
use crate::scripts::Scripts;
use crate::services::Services;
use crate::step::{Need, Now, Pending, Step, Supply, Verdict};
use crate::trace::{ProcessorTime, Trace};

/// Calls below a request entry or a hook.
const CALL_DEPTH_MAX: usize = 8;
/// Times that hooks may send a request through the chain again.
const ROUNDS_MAX: u32 = 8;
/// Contexts that a loop keeps.
const IDLE_MAX: usize = 64;
/// Of a response's memory that a context keeps.
const SPARE_BODY_BYTES_MAX: usize = 4 << 10;

/// What one loop keeps for its requests' scripts. Cheap to clone.
#[derive(Clone)]
pub struct Pool {
    inner: Rc<Inner>,
}

#[expect(
    clippy::vec_box,
    reason = "executions take and give the box: one word moves"
)]
struct Inner {
    runtime: Runtime,
    services: Arc<Services>,
    idle: RefCell<Vec<Box<Context>>>,
    /// Whom a context belongs to between requests.
    nobody: Arc<str>,
}

impl Pool {
    #[must_use]
    pub fn new(services: Arc<Services>) -> Self {
        Self {
            inner: Rc::new(Inner {
                runtime: Runtime::new(),
                services,
                idle: RefCell::default(),
                nobody: "".into(),
            }),
        }
    }

    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.inner.runtime
    }

    /// Most bytes of a body that a script may have.
    #[must_use]
    pub fn body_bytes_max(&self) -> usize {
        self.inner.services.caps.buffered_body
    }

    /// A request on its way into the chain. With a clock of the processor, notes are taken of what its scripts do.
    #[must_use]
    pub fn begin(
        &self,
        scripts: &Arc<Scripts>,
        head: &RequestHead<'_>,
        http2: bool,
        connection: &Arc<Connection>,
        traced: Option<ProcessorTime>,
    ) -> Execution {
        let Inner {
            services, nobody, ..
        } = &*self.inner;
        let idle = self.inner.idle.borrow_mut().pop();
        let mut context =
            idle.unwrap_or_else(|| Box::new(Context::new(connection, services, nobody)));
        context.request.take_head(head, http2, connection);
        context.trace = traced.map(|processor_time| Box::new(Trace::new(processor_time)));
        Execution {
            pool: Rc::clone(&self.inner),
            scripts: Arc::clone(scripts),
            context: Some(context),
            run: None,
            callers: Vec::new(),
            reply: None,
            need: None,
            next: 0,
            stage: Stage::Chain,
            rounds: 0,
            before_hook: None,
        }
    }
}

/// Which entries run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Chain,
    Hooks,
}

/// Dropping it cancels whatever runs.
pub struct Execution {
    pool: Rc<Inner>,
    scripts: Arc<Scripts>,
    /// Present until it is dropped.
    context: Option<Box<Context>>,
    run: Option<Run<Context>>,
    /// Runs that wait for a call below them to end, outermost first.
    callers: Vec<(Run<Context>, Frame)>,
    /// What the run is told next; nothing while its need is not met.
    reply: Option<Resume>,
    need: Option<Need>,
    /// Index of the chain's next entry.
    next: usize,
    stage: Stage,
    rounds: u32,
    /// Head and shared map before the hook that runs: what they go back to when it fails.
    before_hook: Option<Box<(ResponseHead, Metadata)>>,
}

impl Drop for Execution {
    fn drop(&mut self) {
        self.run = None;
        self.callers.clear();
        let Some(mut context) = self.context.take() else {
            return;
        };
        let mut idle = self.pool.idle.borrow_mut();
        if idle.len() < IDLE_MAX {
            context.clear();
            idle.push(context);
        }
    }
}

impl Execution {
    /// Lets scripts run until they are through, have used up their slice or wait.
    ///
    /// # Panics
    /// A need is not met: our mistake. A helper's panic goes on here, too.
    pub fn step(&mut self, now: Now) -> Step {
        self.context_mut().now = now;
        loop {
            let Some(run) = &mut self.run else {
                match self.begin_next() {
                    Ok(true) => continue,
                    Ok(false) => return Step::Done(self.stage_over()),
                    Err(error) => match self.failed(error) {
                        Some(verdict) => return Step::Done(verdict),
                        None => continue,
                    },
                }
            };
            let (Some(context), Some(reply)) = (&mut self.context, self.reply.take()) else {
                panic!("a script waits, and was not given what for");
            };
            let since = context.trace.as_mut().map(|trace| trace.let_go());
            let outcome = run.resume(context, reply);
            if let (Some(trace), Some(since)) = (&mut context.trace, since) {
                trace.came_back(since);
            }
            let verdict = match outcome {
                Outcome::Yield => {
                    self.reply = Some(Resume::Go);
                    return Step::Yield;
                }
                Outcome::Wait => {
                    if self.wait() {
                        return Step::Wait;
                    }
                    None
                }
                Outcome::Done(result) => self.returned(result),
                Outcome::Failed(error) => self.failed(error),
            };
            if let Some(verdict) = verdict {
                return Step::Done(verdict);
            }
        }
    }

    /// What the script waits for.
    #[must_use]
    pub fn need(&self) -> Option<&Need> {
        self.need.as_ref()
    }

    /// Meets the need.
    pub fn supply(&mut self, supply: Supply) {
        self.need = None;
        self.reply = Some(Resume::Again);
        let context = self.context_mut();
        match supply {
            // Kept: the next script gets the same.
            Supply::Body(body) => context.body = body,
            other => context.supplied = Some(other),
        }
    }

    /// Whether scripts have asked for hooks.
    #[must_use]
    pub fn has_hooks(&self) -> bool {
        !self.context().hooks.is_empty()
    }

    /// Sends the finished response's head through the hooks. Then step.
    pub fn begin_hooks(&mut self, status: u16, lines: &[u8]) {
        let context = self.context_mut();
        let mut fields = FieldBlock::default();
        fields.copy_from(lines);
        context.head = Some(ResponseHead { status, fields });
        self.stage = Stage::Hooks;
        self.next = 0;
    }

    /// The response's head as hooks left it.
    #[must_use]
    pub fn hooked_head(&self) -> Option<(u16, &FieldBlock)> {
        let head = self.context().head.as_ref()?;
        Some((head.status, &head.fields))
    }

    /// # Panics
    /// Never: it is there until the execution is dropped.
    #[must_use]
    pub fn context(&self) -> &Context {
        match &self.context {
            Some(context) => context,
            None => unreachable!("present until drop"),
        }
    }

    fn context_mut(&mut self) -> &mut Context {
        match &mut self.context {
            Some(context) => context,
            None => unreachable!("present until drop"),
        }
    }

    /// After [`Verdict::Respond`].
    pub fn take_response(&mut self) -> Option<Response> {
        self.context_mut().frame.response.take()
    }

    /// A response has been sent: its memory is for a later one, unless it is large.
    pub fn keep_body(&mut self, mut body: Vec<u8>) {
        if body.capacity() <= SPARE_BODY_BYTES_MAX {
            body.clear();
            self.context_mut().frame.spare_body = body;
        }
    }

    /// After [`Verdict::Failed`], and when a hook failed.
    pub fn take_failure(&mut self) -> Option<Box<RunError>> {
        self.context_mut().failure.take()
    }

    /// The script that runs, or has run last.
    #[must_use]
    pub fn script(&self) -> &str {
        &self.context().frame.script
    }

    #[must_use]
    pub fn has_lines(&self) -> bool {
        !self.context().lines.is_empty()
    }

    /// Lines that scripts have logged since the last call.
    pub fn take_lines(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.context_mut().lines)
    }

    /// What scripts did, when the execution was begun with notes.
    pub fn take_trace(&mut self) -> Option<Box<Trace>> {
        self.context_mut().trace.take()
    }

    /// Begins the stage's next entry, or passes over it; false when there is none.
    fn begin_next(&mut self) -> Result<bool, Box<RunError>> {
        match self.stage {
            Stage::Chain => {
                let Some(&(script, entry)) = self.scripts.chain.get(self.next) else {
                    return Ok(false);
                };
                self.next += 1;
                if let Some(context) = &mut self.context {
                    let name = &self.scripts.list[script].name;
                    context.frame.renew(name, &mut context.footprint);
                }
                self.begin_run(script, entry, &[])?;
                Ok(true)
            }
            Stage::Hooks => {
                let context = self.context_mut();
                let Some(hook) = context.hooks.pop_front() else {
                    return Ok(false);
                };
                let before = context.head.clone().unwrap_or_default();
                let before = (before, context.metadata.clone());
                self.before_hook = Some(Box::new(before));
                let Some((script, entry)) = self.scripts.call_target(&hook.script, &hook.function)
                else {
                    let text = format!("no call target `{}` for a hook", hook.function);
                    let script = hook.script.into();
                    self.context_mut().lines.push(Line { script, text });
                    return Ok(true);
                };
                self.begin_call(script, entry, Ok(hook.argument))?;
                Ok(true)
            }
        }
    }

    fn begin_run(
        &mut self,
        script: usize,
        entry: EntryId,
        input: &[u8],
    ) -> Result<(), Box<RunError>> {
        let phase = match self.stage {
            Stage::Chain => Phases::REQUEST,
            Stage::Hooks => Phases::RESPONSE,
        };
        let module = &self.scripts.list[script].module;
        let run = Run::new(&self.pool.runtime, module, entry, input, phase)?;
        let depth = self.callers.len();
        let name = &self.scripts.list[script].name;
        if let Some(trace) = self.context.as_mut().and_then(|each| each.trace.as_mut()) {
            trace.begin(name, run.entry_name(), depth);
        }
        self.run = Some(run);
        self.reply = Some(Resume::Go);
        Ok(())
    }

    /// Begins a call target in a frame of its own, with its argument as handle 1.
    fn begin_call(
        &mut self,
        script: usize,
        entry: EntryId,
        argument: Result<Document, Refusal>,
    ) -> Result<(), Box<RunError>> {
        let mut frame = Frame::new(&self.scripts.list[script].name);
        let context = self.context_mut();
        let handle =
            argument.and_then(|argument| frame.documents.adopt(argument, &mut context.footprint));
        context.frame = frame;
        match handle {
            Ok(handle) => self.begin_run(script, entry, &handle.to_le_bytes()),
            Err(refusal) => Err(Box::new(RunError {
                script: Arc::clone(&self.scripts.list[script].name),
                function: String::new(),
                helper: None,
                line: None,
                reason: refusal.0,
            })),
        }
    }

    /// The run's helper waits. True when the caller has to meet a need; a call is begun here.
    fn wait(&mut self) -> bool {
        match self.context_mut().pending.take() {
            Some(Pending::Need(need)) => {
                self.need = Some(need);
                return true;
            }
            Some(Pending::Call {
                script,
                function,
                argument,
            }) => self.call(&script, &function, argument),
            None => self.reply = Some(Resume::Fail("nothing to wait for".to_owned())),
        }
        false
    }

    fn call(&mut self, script: &str, function: &str, mut argument: Document) {
        let target = self.scripts.call_target(script, function);
        let room = self.callers.len() < CALL_DEPTH_MAX;
        let (Some((script, entry)), true) = (target, room) else {
            argument.release(&mut self.context_mut().footprint);
            self.reply = Some(Resume::Value(-1));
            return;
        };
        let Some(run) = self.run.take() else { return };
        let nobody = Frame::new(&self.pool.nobody);
        let frame = std::mem::replace(&mut self.context_mut().frame, nobody);
        self.callers.push((run, frame));
        if let Err(error) = self.begin_call(script, entry, Ok(argument)) {
            self.note_failure(&error);
            self.back_to_caller(Ok(None));
        }
    }

    /// An entry has returned; a verdict when that ends the stage.
    fn returned(&mut self, result: u64) -> Option<Verdict> {
        self.end_run(None, result);
        let in_call = !self.callers.is_empty();
        let in_hook = self.stage == Stage::Hooks;
        let context = self.context_mut();
        context.flush_tail();
        if in_call {
            let Context {
                frame, footprint, ..
            } = context;
            let documents = &mut frame.documents;
            let result = match documents.find(result.cast_signed(), footprint) {
                Ok(at) => documents.take(at, footprint).map(Some),
                Err(_) => Ok(None), // its way to say that it failed
            };
            self.back_to_caller(result);
            return None;
        }
        if context.aborted {
            return Some(Verdict::Abort);
        }
        if in_hook {
            let again = std::mem::take(&mut context.continue_request);
            return if again { self.run_again() } else { None };
        }
        context.frame.response.is_some().then_some(Verdict::Respond)
    }

    /// The callee's result becomes a document of the caller.
    fn back_to_caller(&mut self, result: Result<Option<Document>, Refusal>) {
        let Some((run, frame)) = self.callers.pop() else {
            return;
        };
        self.run = Some(run);
        let context = self.context_mut();
        let Context {
            frame: current,
            footprint,
            ..
        } = context;
        let mut callee = std::mem::replace(current, frame);
        callee.documents.clear(footprint);
        let adopted = result.and_then(|result| match result {
            Some(document) => current.documents.adopt(document, footprint),
            None => Ok(-1),
        });
        self.reply = Some(match adopted {
            Ok(handle) => Resume::Value(handle),
            Err(refusal) => Resume::Fail(refusal.0),
        });
    }

    /// A run has failed: a callee's failure is the caller's -1, a hook's is logged, any other ends the chain.
    fn failed(&mut self, error: Box<RunError>) -> Option<Verdict> {
        self.end_run(Some(&error), 0);
        self.context_mut().flush_tail();
        if !self.callers.is_empty() {
            self.note_failure(&error);
            self.back_to_caller(Ok(None));
            return None;
        }
        match self.stage {
            Stage::Chain => {
                let context = self.context_mut();
                context.frame.response = None;
                context.failure = Some(error);
                Some(Verdict::Failed)
            }
            Stage::Hooks => {
                let before = self.before_hook.take();
                let context = self.context_mut();
                if let Some(before) = before {
                    let (head, metadata) = *before;
                    context.head = Some(head);
                    context.metadata = metadata;
                }
                context.continue_request = false;
                self.note_failure(&error);
                None
            }
        }
    }

    /// A failure that the request survives: a line in the log.
    fn note_failure(&mut self, error: &RunError) {
        let script = Arc::clone(&error.script);
        let text = error.to_string();
        self.context_mut().lines.push(Line { script, text });
    }

    fn end_run(&mut self, error: Option<&RunError>, result: u64) {
        let Some(run) = self.run.take() else { return };
        let depth = self.callers.len();
        let context = self.context_mut();
        let responded = context.frame.response.is_some();
        if let Some(trace) = &mut context.trace {
            let outcome = match error {
                Some(error) => format!("failed: {error}"),
                None if depth > 0 => format!("returned {}", result.cast_signed()),
                None if responded => "responded".to_owned(),
                None => "passed".to_owned(),
            };
            trace.end(depth, run.fuel_spent(), outcome);
        }
    }

    fn stage_over(&mut self) -> Verdict {
        match self.stage {
            Stage::Chain => Verdict::Pass,
            Stage::Hooks => Verdict::Hooked,
        }
    }

    /// The chain begins anew; not for ever.
    fn run_again(&mut self) -> Option<Verdict> {
        self.rounds += 1;
        if self.rounds > ROUNDS_MAX {
            let script = Arc::clone(&self.pool.nobody);
            let text = format!("`zs_res_continue_request` more than {ROUNDS_MAX} times: not again");
            self.context_mut().lines.push(Line { script, text });
            return None;
        }
        self.stage = Stage::Chain;
        self.next = 0;
        let context = self.context_mut();
        context.head = None;
        // The chain puts them up again.
        for mut hook in context.hooks.drain(..) {
            hook.argument.release(&mut context.footprint);
        }
        context.added.clear();
        Some(Verdict::Again)
    }
}
