//! What a run may see and change: the request, the shared metadata, its own response slot and documents.

use std::collections::VecDeque;
use std::sync::Arc;

use zs_script::{Footprint, RunError};

use crate::field_block::Invalid;
use crate::json::Documents;
use crate::log::{Line, Tail};
use crate::metadata::Metadata;
use crate::request::{Connection, Request};
use crate::response::{Hook, Response, ResponseHead};
use crate::services::Services;
use crate::step::{Now, Pending, Supply};
use crate::trace::Trace;

/// A request's body, as far as scripts have asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nobody has asked.
    Unread,
    Bytes(Vec<u8>),
    /// More than the limit.
    TooLarge,
}

/// The server's side of one request's scripts. Used again for another request when it is over.
pub struct Context {
    pub(crate) request: Request,
    pub(crate) metadata: Metadata,
    /// Response fields beside those of the same name.
    pub(crate) added: Vec<(String, String)>,
    /// Those that have not run yet.
    pub(crate) hooks: VecDeque<Hook>,
    /// The response's head, while hooks look at it.
    pub(crate) head: Option<ResponseHead>,
    /// A hook wants the response dropped and the chain run again.
    pub(crate) continue_request: bool,
    /// Close without an answer.
    pub(crate) aborted: bool,
    pub(crate) body: Body,
    /// Bytes that a script may buffer of the body.
    pub(crate) body_limit: usize,
    pub(crate) footprint: Footprint,
    pub(crate) frame: Frame,
    /// What the helper that suspended its script waits for.
    pub(crate) pending: Option<Pending>,
    /// What came of it, when the helper is called again.
    pub(crate) supplied: Option<Supply>,
    pub(crate) services: Arc<Services>,
    pub(crate) now: Now,
    pub(crate) lines: Vec<Line>,
    pub(crate) failure: Option<Box<RunError>>,
    /// Kept for explanations only.
    pub(crate) trace: Option<Box<Trace>>,
}

/// What belongs to one run alone: a script of the chain, or one call.
pub(crate) struct Frame {
    pub(crate) script: Arc<str>,
    pub(crate) documents: Documents,
    pub(crate) response: Option<Response>,
    /// Memory for the next response's body.
    pub(crate) spare_body: Vec<u8>,
    pub(crate) tail: Tail,
}

impl Frame {
    pub(crate) fn new(script: &Arc<str>) -> Self {
        Self {
            script: Arc::clone(script),
            documents: Documents::default(),
            response: None,
            spare_body: Vec::new(),
            tail: Tail::default(),
        }
    }

    /// As new for another run, with the memory that it has.
    pub(crate) fn renew(&mut self, script: &Arc<str>, footprint: &mut Footprint) {
        if !Arc::ptr_eq(&self.script, script) {
            self.script = Arc::clone(script);
        }
        self.clear(footprint);
    }

    /// Without what a run has left; the name stays, as the next run is probably of the same script.
    fn clear(&mut self, footprint: &mut Footprint) {
        self.documents.clear(footprint);
        self.response = None;
        self.tail = Tail::default();
    }
}

impl Context {
    pub(crate) fn new(
        connection: &Arc<Connection>,
        services: &Arc<Services>,
        nobody: &Arc<str>,
    ) -> Self {
        Self {
            request: Request::new(Arc::clone(connection)),
            metadata: Metadata::default(),
            added: Vec::new(),
            hooks: VecDeque::new(),
            head: None,
            continue_request: false,
            aborted: false,
            body: Body::Unread,
            body_limit: services.caps.buffered_body,
            footprint: Footprint::new(services.caps.footprint),
            frame: Frame::new(nobody),
            pending: None,
            supplied: None,
            services: Arc::clone(services),
            now: Now::default(),
            lines: Vec::new(),
            failure: None,
            trace: None,
        }
    }

    /// As new, with the memory that it has.
    pub(crate) fn clear(&mut self) {
        self.metadata.clear();
        self.added.clear();
        self.hooks.clear();
        self.head = None;
        self.continue_request = false;
        self.aborted = false;
        self.body = Body::Unread;
        self.body_limit = self.services.caps.buffered_body;
        self.frame.clear(&mut self.footprint);
        self.footprint = Footprint::new(self.services.caps.footprint);
        self.pending = None;
        self.supplied = None;
        self.lines.clear();
        self.failure = None;
        self.trace = None;
    }

    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// A value that scripts left for templates.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key)
    }

    /// Whether scripts have left anything in the shared map.
    #[must_use]
    pub fn has_metadata(&self) -> bool {
        !self.metadata.is_empty()
    }

    /// All of the shared map.
    pub fn all_metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metadata.iter()
    }

    /// Fields that replace those of the same name in the response. Unchecked.
    pub fn response_headers(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.metadata.response_headers()
    }

    /// Fields that come on top. Checked.
    #[must_use]
    pub fn added_headers(&self) -> &[(String, String)] {
        &self.added
    }

    /// Charges for a copy of these bytes that outlives the call.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), zs_script::Refusal> {
        self.footprint.take(bytes)
    }

    /// Writes what the run has left unfinished.
    pub(crate) fn flush_tail(&mut self) {
        let Frame { script, tail, .. } = &mut self.frame;
        tail.flush(script, &mut self.lines, false);
    }
}

impl From<Invalid> for zs_script::Refusal {
    fn from(invalid: Invalid) -> Self {
        invalid.reason().into()
    }
}
