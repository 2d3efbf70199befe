//! What an execution and its caller say to each other at each step.

use crate::context::Body;
use crate::json::Document;

/// The time at a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Unix time in milliseconds.
    pub unix_ms: u64,
    /// Of a clock that never goes back, in milliseconds.
    pub monotonic_ms: u64,
}

/// How a request leaves the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No script has answered: go on with the request as it is now.
    Pass,
    /// [`crate::Execution::take_response`].
    Respond,
    /// A script failed: 500 without a body. [`crate::Execution::take_failure`] says why.
    Failed,
    /// Close without an answer.
    Abort,
    /// Hooks are through: [`crate::Execution::hooked_head`].
    Hooked,
    /// A hook wants the response dropped: step on, the chain runs again.
    Again,
}

/// What a script waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// The request's body, up to this many bytes.
    Body { limit: usize },
    /// The bytes of a member of the tarball, by its path in the script's root.
    File(String),
    /// Size, tag and time of a member.
    FileMetadata(String),
}

/// What the caller found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Supply {
    Body(Body),
    File(Option<Vec<u8>>),
    FileMetadata(Option<FileMetadata>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMetadata {
    pub size: u64,
    /// 32 hex digits.
    pub etag: String,
    /// Seconds of Unix time; 0 when not known.
    pub mtime: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Done(Verdict),
    /// The slice is used up: step again, now or later.
    Yield,
    /// [`crate::Execution::need`] says what for; then [`crate::Execution::supply`] it and step again.
    Wait,
}

/// What a helper that suspends its script asks for.
pub(crate) enum Pending {
    Need(Need),
    Call {
        script: String,
        function: String,
        argument: Document,
    },
}
