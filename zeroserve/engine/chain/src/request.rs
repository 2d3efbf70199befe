//! A request as scripts see and change it: copied from the connection's buffer, so that a script may wait while the
//! buffer goes on.

use std::net::SocketAddr;
use std::sync::Arc;

use zs_proto::field::push_line;
use zs_proto::message::{RequestHead, Version};

use crate::field_block::FieldBlock;

/// What is known of the connection, for `zs_connection_info` and its neighbours. Made once a connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// From the PROXY header where there is one.
    pub peer: SocketAddr,
    pub tls: bool,
    /// `h2` or `http/1.1`, if the client named any.
    pub alpn: Option<Box<str>>,
    /// The name that is being served: the inner one when ECH was accepted.
    pub sni_inner: Option<Box<str>>,
    /// The outer name, when ECH was accepted.
    pub sni_outer: Option<Box<str>>,
    /// `None`: the server has no ECH keys, or the connection is plain. Else whether it was accepted.
    pub ech_accepted: Option<bool>,
    /// Of the outer hello.
    pub ja4: Option<Box<str>>,
    /// Of the inner hello, when ECH was accepted.
    pub ja4_inner: Option<Box<str>>,
}

#[derive(Clone, Debug)]
pub struct Request {
    method: Vec<u8>,
    /// Path and query, in origin form.
    target: Vec<u8>,
    /// Bytes of `target` before the `?`.
    path_len: usize,
    host: Vec<u8>,
    /// All fields, `Host` too.
    pub(crate) fields: FieldBlock,
    /// Major and minor version of HTTP.
    pub(crate) version: (u8, u8),
    pub(crate) connection: Arc<Connection>,
    /// A script has changed something.
    changed: bool,
}

impl Request {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self {
            method: Vec::new(),
            target: Vec::new(),
            path_len: 0,
            host: Vec::new(),
            fields: FieldBlock::default(),
            version: (1, 1),
            connection,
            changed: false,
        }
    }

    /// Another request in the memory of this one.
    pub(crate) fn take_head(
        &mut self,
        head: &RequestHead<'_>,
        http2: bool,
        connection: &Arc<Connection>,
    ) {
        self.method.clear();
        self.method.extend_from_slice(head.method.as_bytes());
        self.put_target(head.path, head.query);
        self.host.clear();
        self.host.extend_from_slice(head.host.unwrap_or_default());
        self.fields.copy_from(head.block());
        self.version = match (http2, head.version) {
            (true, _) => (2, 0),
            (false, Version::Http11) => (1, 1),
            (false, Version::Http10) => (1, 0),
        };
        if !Arc::ptr_eq(&self.connection, connection) {
            self.connection = Arc::clone(connection);
        }
        self.changed = false;
    }

    fn put_target(&mut self, path: &[u8], query: Option<&[u8]>) {
        self.target.clear();
        self.target.extend_from_slice(path);
        self.path_len = path.len();
        if let Some(query) = query {
            self.target.push(b'?');
            self.target.extend_from_slice(query);
        }
    }

    #[must_use]
    pub fn method(&self) -> &[u8] {
        &self.method
    }

    /// Path and query.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        &self.target
    }

    /// Still percent-encoded.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        &self.target[..self.path_len]
    }

    /// What follows the `?`.
    #[must_use]
    pub fn query(&self) -> Option<&[u8]> {
        self.target.get(self.path_len + 1..)
    }

    /// Host and optional port.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        &self.host
    }

    #[must_use]
    pub fn fields(&self) -> &FieldBlock {
        &self.fields
    }

    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    pub(crate) fn set_method(&mut self, method: &[u8]) {
        self.method.clear();
        self.method.extend_from_slice(method);
        self.changed = true;
    }

    /// `path` must begin with a slash; both must be free of spaces and control bytes.
    pub(crate) fn set_target(&mut self, path: &[u8], query: Option<&[u8]>) {
        self.put_target(path, query);
        self.changed = true;
    }

    /// The fields, to be changed.
    pub(crate) fn fields_mut(&mut self) -> &mut FieldBlock {
        self.changed = true;
        &mut self.fields
    }

    /// The head as HTTP/1.1 would send it, to be parsed again after scripts have changed it: what scripts write goes
    /// through the same checks as what peers send. Fields that frame the body are left out: it has been taken off the
    /// connection under the head that came.
    #[must_use]
    pub fn to_head(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.target.len() + self.fields.as_bytes().len() + 64);
        for part in [&self.method[..], b" ", &self.target, b" HTTP/1.1\r\n"] {
            out.extend_from_slice(part);
        }
        let mut host = false;
        for (name, value) in self.fields.fields() {
            let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
            if is("content-length") || is("transfer-encoding") || is("expect") {
                continue;
            }
            host |= is("host");
            push_line(&mut out, name, value);
        }
        if !host && !self.host.is_empty() {
            push_line(&mut out, b"host", &self.host);
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// Any bytes as edits of a request: whatever scripts write, the head that goes on has the lines that they wrote and no
/// other, or is refused.
///
/// # Panics
/// When that does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_request_edits(bytes: &[u8]) {
    let mut request = Request::new(Arc::new(Connection {
        peer: ([192, 0, 2, 1], 5000).into(),
        tls: false,
        alpn: None,
        sni_inner: None,
        sni_outer: None,
        ech_accepted: None,
        ja4: None,
        ja4_inner: None,
    }));
    request.method.extend_from_slice(b"GET");
    request.host.extend_from_slice(b"example.org");
    request.put_target(b"/", None);
    for edit in bytes.split(|&byte| byte == 0) {
        if let Some((&what, edit)) = edit.split_first() {
            let before = request.fields.clone();
            let done = fuzzed_edit(&mut request, what, edit);
            assert!(done || request.fields == before, "refused, but changed");
        }
    }
    check_fuzzed_head(&request);
}

/// One of the helpers' edits, of `name=value`; false when it is refused.
#[cfg(any(test, feature = "fuzzing"))]
fn fuzzed_edit(request: &mut Request, what: u8, edit: &[u8]) -> bool {
    let at = memchr::memchr(b'=', edit).unwrap_or(edit.len());
    let (name, value) = (&edit[..at], edit.get(at + 1..).unwrap_or_default());
    match what % 6 {
        0 => request.fields_mut().set(name, value).is_ok(),
        1 => request.fields_mut().append(name, value).is_ok(),
        2 => {
            request.fields_mut().retain(|found| found != name);
            true
        }
        3 => {
            let change = |_: &[u8]| Ok(Some(value.to_vec()));
            request.fields_mut().change(name, change).is_ok()
        }
        4 if zs_proto::field::is_name(edit) => {
            request.set_method(edit);
            true
        }
        5 => crate::uri::target(edit).is_some_and(|(path, query)| {
            request.set_target(&path, query);
            true
        }),
        _ => false,
    }
}

#[cfg(any(test, feature = "fuzzing"))]
fn check_fuzzed_head(request: &Request) {
    let head = request.to_head();
    let (parsed, used) = match zs_proto::h1::parse::parse_head(&head) {
        Ok(Some(parsed)) => parsed,
        Ok(None) => panic!("a head without an end"),
        Err(_) => return, // two hosts, say, or too large
    };
    assert_eq!(used, head.len());
    assert_eq!(parsed.method.as_bytes(), request.method());
    assert_eq!(parsed.target, request.target());
    let framing = ["content-length", "transfer-encoding", "expect"];
    let kept = |name: &[u8]| {
        !framing
            .iter()
            .any(|each| name.eq_ignore_ascii_case(each.as_bytes()))
    };
    let wanted = request.fields.fields().filter(|(name, _)| kept(name));
    let added = usize::from(request.fields.last(b"host").is_none());
    assert_eq!(parsed.headers().count(), wanted.count() + added);
}
