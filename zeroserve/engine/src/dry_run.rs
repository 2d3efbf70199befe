//! Requests without a server: the same site, scripts and answers, driven on the caller's thread, with notes of what the
//! scripts did. In: a request as JSON. Out: answer and notes as JSON. No ring, no socket, and a clock that can be set.

use std::os::unix::fs::FileExt as _;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use boring::base64;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zs_chain::trial::{TrialRequest, parsed};
use zs_chain::{Caps, Now, Services};
use zs_proto::field::Fields;

use crate::clock::{monotonic, processor_time};
use crate::config::{GenerationSpec, Limits, Scheme, ScriptLimits};
use crate::engine::VERSION;
use crate::error::EngineError;
use crate::generation::{Generation, LoopGeneration};
use crate::listen::Admission;
use crate::reply::{Body, Reply};
use crate::request::{self, Begun, Exchange, Origin, Progress, Scripted, Start};
use crate::site::Naming;
use crate::worker::{Rules, Worker};

/// A script that runs for so long without an answer does not end.
const TIME_MAX: Duration = Duration::from_secs(5);
/// A loop under load handles about so many requests in one turn.
const REQUESTS_A_TURN: u32 = 16;

/// What is tried.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    generation: GenerationSpec,
    #[serde(default = "default_index")]
    index: String,
    #[serde(default)]
    try_html: bool,
    #[serde(default)]
    scripts: ScriptLimits,
    /// Whether scripts note what they do. Without notes they run as on a server.
    #[serde(default = "yes")]
    notes: bool,
}

fn default_index() -> String {
    "index.html".to_owned()
}

const fn yes() -> bool {
    true
}

#[derive(Serialize)]
pub(crate) struct Answer {
    /// `script`, `site`, `failed`, `aborted`, `endless`.
    answered_by: &'static str,
    status: u16,
    headers: Vec<(String, String)>,
    /// In base64.
    body: String,
    /// What scripts did, in order.
    runs: Vec<RunNote>,
    metadata: Map<String, Value>,
    /// The request as scripts left it.
    request: RequestNote,
    /// Lines for standard error.
    log: Vec<String>,
    /// Time of the whole request, in nanoseconds: with notes, so more than a server takes.
    nanoseconds: u64,
}

#[derive(Serialize)]
struct RunNote {
    script: String,
    function: String,
    depth: usize,
    calls: Vec<CallNote>,
    fuel: u64,
    /// Time of the processor, without the taking of notes, in nanoseconds.
    cpu_ns: u64,
    outcome: String,
}

#[derive(Serialize)]
struct CallNote {
    helper: &'static str,
    arguments: Vec<String>,
    result: String,
}

#[derive(Serialize, Default)]
struct RequestNote {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    changed: bool,
}

/// A site to try requests on. What scripts keep between requests is kept here, too.
pub(crate) struct DryRun {
    worker: Rc<Worker>,
}

impl DryRun {
    /// # Errors
    /// `Refused` for what a server would refuse.
    pub(crate) fn open(spec: &Spec) -> Result<Self, EngineError> {
        let limits = Limits::default();
        let rules = Rules {
            naming: Naming {
                index: spec.index.as_str().into(),
                try_html: spec.try_html,
                traced: spec.notes,
            },
            probe_path: None,
            chunk_size: 64 << 10,
            hostnames: None,
            redirect_https_port: None,
            time_slice: Duration::from_millis(spec.scripts.time_slice_ms.max(1)),
            admission: Admission::new(&limits),
            proxy_from: Vec::new(),
            own: Arc::default(),
            relaying: Mutex::default(),
            limits,
        };
        let (generation, _) = Generation::build(&spec.generation, &rules.naming)?;
        let caps: Caps = spec.scripts.caps();
        let services = Arc::new(Services::new(caps, VERSION));
        Ok(Self {
            worker: Worker::detached(Arc::new(rules), Arc::new(generation), services),
        })
    }

    /// # Errors
    /// `Refused` for what is no request.
    pub(crate) fn answer(&self, request: &TrialRequest) -> Result<Answer, EngineError> {
        let worker = &self.worker;
        worker.clock.begin_turn();
        worker.clock.pretend(request.now_ms.map(|unix_ms| Now {
            unix_ms,
            monotonic_ms: unix_ms,
        }));
        let body = request.body().map_err(EngineError::Refused)?;
        let text = request.head(body.len()).map_err(EngineError::Refused)?;
        let head = parsed(&text).map_err(EngineError::Refused)?;
        let origin = origin(request)?;
        let began = monotonic();
        let start = request::admit(
            worker,
            worker.generation(),
            &head,
            &origin,
            false,
            request.http2,
        );
        let mut notes = Answer::unknown();
        let outcome = match start {
            Start::Answered(exchange) => {
                notes.answered_by = "site";
                notes.request =
                    RequestNote::of(head.method.as_bytes(), head.target, head.headers());
                Some(exchange)
            }
            Start::Scripted(mut scripted) => {
                let progress = scripted.step(worker, Some(&head));
                let exchange = self.drive(&mut scripted, progress, &body)?;
                notes.take(&mut scripted, exchange.as_ref());
                exchange
            }
        };
        let took = monotonic().saturating_sub(began);
        notes.nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        if let Some(Exchange {
            generation, reply, ..
        }) = outcome
        {
            notes.show(&generation, &reply)?;
        }
        let lines = worker.diagnostics.take();
        notes.log = lines.lines().map(str::to_owned).collect();
        Ok(notes)
    }

    /// Answers one request `runs` times, and returns what one took of the processor's time, in nanoseconds: all that a
    /// server does between a head in memory and an answer in memory.
    ///
    /// # Errors
    /// `Refused` for what is no request.
    pub(crate) fn measure(&self, request: &TrialRequest, runs: u32) -> Result<f64, EngineError> {
        let worker = &self.worker;
        let body = request.body().map_err(EngineError::Refused)?;
        let text = request.head(body.len()).map_err(EngineError::Refused)?;
        let origin = origin(request)?;
        let began = processor_time();
        for run in 0..runs {
            if run % REQUESTS_A_TURN == 0 {
                worker.clock.begin_turn();
            }
            let head = parsed(&text).map_err(EngineError::Refused)?;
            let generation = worker.generation();
            let exchange =
                match request::begin(worker, generation, &head, &origin, false, request.http2) {
                    Begun::Answered(exchange) => Some(exchange),
                    Begun::Scripted(mut scripted, progress) => {
                        self.drive(&mut scripted, progress, &body)?
                    }
                };
            if let Some(exchange) = exchange {
                worker.buffers.give(exchange.reply.head);
            }
        }
        let took = processor_time().saturating_sub(began);
        Ok(took.as_secs_f64() * 1e9 / f64::from(runs.max(1)))
    }

    /// Steps a request's scripts to their answer; `None` when there is to be none.
    fn drive(
        &self,
        scripted: &mut Scripted,
        mut progress: Progress,
        body: &[u8],
    ) -> Result<Option<Exchange>, EngineError> {
        let worker = &self.worker;
        let deadline = monotonic() + TIME_MAX;
        loop {
            let next = match progress {
                Progress::Done(exchange) => return Ok(Some(exchange)),
                Progress::Abort => return Ok(None),
                Progress::Yield | Progress::Pause if monotonic() > deadline => return Ok(None),
                Progress::Yield | Progress::Pause => None,
                Progress::Body { limit } => {
                    scripted.supply_body((body.len() <= limit).then(|| body.to_vec()));
                    None
                }
                Progress::Member(member) => {
                    let generation = scripted.generation();
                    let entry = generation.site.index.entry(member);
                    let bytes = read(generation, entry.offset, entry.size)?;
                    scripted.supply_member(worker, &bytes)
                }
            };
            progress = match next {
                Some(progress) => progress,
                None => scripted.step(worker, None),
            };
        }
    }
}

fn origin(request: &TrialRequest) -> Result<Origin, EngineError> {
    let described = request.connection().map_err(EngineError::Refused)?;
    let scheme = if described.tls {
        Scheme::Https
    } else {
        Scheme::Http
    };
    let origin = Origin::new(scheme, Some(described.peer));
    let _ = origin.described.set(Arc::new(described));
    Ok(origin)
}

impl RequestNote {
    fn of(method: &[u8], target: &[u8], fields: Fields<'_>) -> Self {
        Self {
            method: text(method),
            target: text(target),
            headers: pairs(fields),
            changed: false,
        }
    }
}

impl Answer {
    fn unknown() -> Self {
        Self {
            answered_by: "site",
            status: 0,
            headers: Vec::new(),
            body: String::new(),
            runs: Vec::new(),
            metadata: Map::new(),
            request: RequestNote::default(),
            log: Vec::new(),
            nanoseconds: 0,
        }
    }

    fn take(&mut self, scripted: &mut Scripted, exchange: Option<&Exchange>) {
        let execution = scripted.execution();
        let trace = execution.take_trace();
        let runs = trace.map_or_else(Vec::new, |trace| trace.runs);
        let context = execution.context();
        let request = context.request();
        self.request = RequestNote {
            changed: request.is_changed(),
            ..RequestNote::of(
                request.method(),
                request.target(),
                request.fields().fields(),
            )
        };
        for (key, value) in context.all_metadata() {
            self.metadata.insert(key.to_owned(), value.into());
        }
        let last = runs.iter().rfind(|run| run.depth == 0);
        let outcome = last.map_or("", |run| &*run.outcome);
        self.answered_by = match (exchange, outcome) {
            (None, "") => "endless",
            (None, _) => "aborted",
            (Some(_), "responded") => "script",
            (Some(_), outcome) if outcome.starts_with("failed") => "failed",
            (Some(_), _) => "site",
        };
        for run in runs {
            let calls = run.calls.into_iter().map(|call| CallNote {
                helper: call.helper,
                arguments: call.arguments,
                result: call.result,
            });
            self.runs.push(RunNote {
                script: run.script,
                function: run.function,
                depth: run.depth,
                calls: calls.collect(),
                fuel: run.fuel,
                cpu_ns: run.cpu_ns,
                outcome: run.outcome,
            });
        }
    }

    fn show(&mut self, generation: &LoopGeneration, reply: &Reply) -> Result<(), EngineError> {
        let head = &reply.head;
        let end = memchr::memmem::find(head, b"\r\n\r\n").map_or(head.len(), |at| at + 4);
        let start = memchr::memchr(b'\n', head).map_or(end, |at| at + 1);
        let lines = head.get(start..end.saturating_sub(2)).unwrap_or_default();
        self.status = reply.status;
        self.headers = pairs(Fields::of_lines(lines));
        let mut body = head[end..].to_vec();
        match &reply.body {
            Body::Inline | Body::Template { .. } => {}
            Body::Member {
                member,
                start,
                length,
            } => {
                let offset = generation.site.index.entry(*member).offset;
                body.extend(read(generation, offset + start, *length)?);
            }
            Body::Parts {
                member,
                parts,
                closing,
            } => {
                let offset = generation.site.index.entry(*member).offset;
                for part in parts {
                    body.extend_from_slice(&part.head);
                    body.extend(read(generation, offset + part.start, part.length)?);
                }
                body.extend_from_slice(closing);
            }
        }
        self.body = base64::encode_block(&body);
        Ok(())
    }
}

fn read(generation: &LoopGeneration, offset: u64, length: u64) -> Result<Vec<u8>, EngineError> {
    let refuse = |error: &dyn std::fmt::Display| EngineError::Refused(format!("the site: {error}"));
    let mut bytes = vec![0; usize::try_from(length).map_err(|error| refuse(&error))?];
    let file = generation.site.file.try_clone();
    let file = std::fs::File::from(file.map_err(|error| refuse(&error))?);
    file.read_exact_at(&mut bytes, offset)
        .map_err(|error| refuse(&error))?;
    Ok(bytes)
}

fn pairs(fields: Fields<'_>) -> Vec<(String, String)> {
    fields
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
