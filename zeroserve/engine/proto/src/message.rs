//! A request head, as every version of HTTP gives it to the rest of the server.

use crate::conditional::Conditions;
use crate::field::{FieldLines, Fields};

/// A request method. Known ones are cases; anything else keeps its bytes (a token).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method<'b> {
    /// RFC 9110, section 9.3.1.
    Get,
    /// RFC 9110, section 9.3.2.
    Head,
    /// RFC 9110, section 9.3.3.
    Post,
    /// RFC 9110, section 9.3.4.
    Put,
    /// RFC 9110, section 9.3.5.
    Delete,
    /// RFC 9110, section 9.3.7.
    Options,
    /// RFC 5789.
    Patch,
    /// RFC 9110, section 9.3.6.
    Connect,
    /// RFC 9110, section 9.3.8.
    Trace,
    /// Any other token, case kept: methods are case-sensitive.
    Other(&'b [u8]),
}

impl<'b> Method<'b> {
    /// The method that these bytes name. The bytes must be a token.
    #[must_use]
    pub const fn from_token(token: &'b [u8]) -> Self {
        match token {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"OPTIONS" => Self::Options,
            b"PATCH" => Self::Patch,
            b"CONNECT" => Self::Connect,
            b"TRACE" => Self::Trace,
            other => Self::Other(other),
        }
    }

    /// The method's name as it stands in a request line.
    #[must_use]
    pub const fn as_bytes(self) -> &'b [u8] {
        match self {
            Self::Get => b"GET",
            Self::Head => b"HEAD",
            Self::Post => b"POST",
            Self::Put => b"PUT",
            Self::Delete => b"DELETE",
            Self::Options => b"OPTIONS",
            Self::Patch => b"PATCH",
            Self::Connect => b"CONNECT",
            Self::Trace => b"TRACE",
            Self::Other(token) => token,
        }
    }

    /// GET or HEAD: the methods that a file answers.
    #[must_use]
    pub const fn is_read(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
}

/// The version in a request line. Others are refused with 505.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: closes unless asked to keep alive, has no transfer codings.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// Which of the four forms of RFC 9112, section 3.2 the request target had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`.
    Origin,
    /// `http://authority/path?query`.
    Absolute,
    /// `authority`, with CONNECT only; `path` is empty.
    Authority,
    /// `*`, with OPTIONS only; `path` is `*`.
    Asterisk,
}

/// How the body after a head is delimited (RFC 9112, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// No body, and none was announced.
    None,
    /// Exactly this many bytes. Zero when `Content-Length: 0` was sent.
    Length(u64),
    /// Chunks, read by [`crate::h1::chunk::ChunkDecoder`].
    Chunked,
}

/// One request head. Everything is borrowed from the buffer it was parsed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHead<'b> {
    /// What is asked for.
    pub method: Method<'b>,
    /// The target as sent. May hold quotes and bytes above 0x7F: escape it before logging.
    pub target: &'b [u8],
    /// Which form the target had.
    pub form: TargetForm,
    /// The target's path, still percent-encoded; `/` when an absolute target has none.
    pub path: &'b [u8],
    /// What follows the first `?`, without it; still percent-encoded.
    pub query: Option<&'b [u8]>,
    /// The version in the request line.
    pub version: Version,
    /// Host and optional port, from the target if it has them (RFC 9112, section 3.2.2), else
    /// from `Host`. Always there on HTTP/1.1, never empty.
    pub host: Option<&'b [u8]>,
    /// `Range`.
    pub range: Option<&'b [u8]>,
    /// `If-Range`.
    pub if_range: Option<&'b [u8]>,
    /// `If-Match`, all its lines.
    pub if_match: Option<FieldLines<'b>>,
    /// `If-None-Match`, all its lines.
    pub if_none_match: Option<FieldLines<'b>>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<&'b [u8]>,
    /// `If-Unmodified-Since`.
    pub if_unmodified_since: Option<&'b [u8]>,
    /// `Accept-Encoding`, all its lines.
    pub accept_encoding: Option<FieldLines<'b>>,
    /// `User-Agent`, the first one; for logs.
    pub user_agent: Option<&'b [u8]>,
    /// `Referer`, the first one; for logs.
    pub referer: Option<&'b [u8]>,
    /// The client waits for `100 Continue` before it sends the announced body.
    pub expect_continue: bool,
    /// `Upgrade`, when `Connection` names it too; else the field has no meaning.
    pub upgrade: Option<&'b [u8]>,
    /// Whether the connection may carry another request, by version and `Connection`.
    pub keep_alive: bool,
    /// How the body is delimited.
    pub body: BodyFraming,
    /// The field lines, checked; without the empty line.
    pub(crate) block: &'b [u8],
}

impl<'b> RequestHead<'b> {
    /// Every field as `(name, value)`, in order; scanned again on each call.
    #[must_use]
    pub const fn headers(&self) -> Fields<'b> {
        Fields::checked(self.block)
    }

    /// The field lines as bytes, each with its `CRLF`; without the empty line.
    #[must_use]
    pub const fn block(&self) -> &'b [u8] {
        self.block
    }

    /// The preconditions of this request, for [`crate::conditional::evaluate`].
    #[must_use]
    pub const fn conditions(&self) -> Conditions<'b> {
        Conditions {
            if_match: self.if_match,
            if_none_match: self.if_none_match,
            if_modified_since: self.if_modified_since,
            if_unmodified_since: self.if_unmodified_since,
        }
    }
}
