//! A request that somebody wrote in order to try a site, as JSON: `zeroserve test` and `explain` hand it over. It becomes the
//! head that HTTP/1.1 would send, so that it passes the same parser as a visitor's.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use zs_proto::h1::parse::parse_head;
use zs_proto::message::RequestHead;

use crate::Connection;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRequest {
    method: String,
    /// Path and query.
    target: String,
    /// `Host` is added when there is none.
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// In base64.
    #[serde(default)]
    body: String,
    #[serde(default)]
    pub http2: bool,
    #[serde(default = "default_peer")]
    peer: String,
    #[serde(default = "yes")]
    pub tls: bool,
    #[serde(default)]
    sni: Option<String>,
    #[serde(default)]
    ja4: Option<String>,
    #[serde(default)]
    ech_accepted: Option<bool>,
    /// Unix time in milliseconds that scripts see; the real one without it. Rate limits go by it, too.
    #[serde(default)]
    pub now_ms: Option<u64>,
}

fn default_peer() -> String {
    "192.0.2.1:50000".to_owned()
}

const fn yes() -> bool {
    true
}

impl TrialRequest {
    /// # Errors
    /// Why it is no body.
    pub fn body(&self) -> Result<Vec<u8>, String> {
        let decoded = BASE64_STANDARD.decode(&self.body);
        decoded.map_err(|_| "the body is not base64".to_owned())
    }

    /// As HTTP/1.1 would send it.
    ///
    /// # Errors
    /// Why it is no request: a server would refuse it, or read other lines than were written.
    pub fn head(&self, body_bytes: usize) -> Result<String, String> {
        let mut lines = vec![format!("{} {} HTTP/1.1", self.method, self.target)];
        if !self.has("host") {
            lines.push("Host: localhost".to_owned());
        }
        if body_bytes > 0 && !self.has("content-length") {
            lines.push(format!("Content-Length: {body_bytes}"));
        }
        for (name, value) in &self.headers {
            lines.push(format!("{name}: {value}"));
        }
        let text = lines.join("\r\n") + "\r\n\r\n";
        let (head, length) = read(&text)?;
        let added = lines.len() - 1 - self.headers.len();
        let names = self.headers.iter().map(|(name, _)| name.as_bytes());
        let as_written = length == text.len()
            && head.method.as_bytes() == self.method.as_bytes()
            && head.headers().skip(added).map(|(name, _)| name).eq(names);
        if !as_written {
            return Err("no request: a line break or a colon where none may be".to_owned());
        }
        Ok(text)
    }

    fn has(&self, name: &str) -> bool {
        let mut names = self.headers.iter().map(|(name, _)| name);
        names.any(|each| each.eq_ignore_ascii_case(name))
    }

    /// Where it comes from.
    ///
    /// # Errors
    /// Why it can't come from there.
    pub fn connection(&self) -> Result<Connection, String> {
        let peer: SocketAddr = self
            .peer
            .parse()
            .map_err(|_| format!("`{}` is no address with a port", self.peer))?;
        let alpn = if self.http2 { "h2" } else { "http/1.1" };
        Ok(Connection {
            peer,
            tls: self.tls,
            alpn: self.tls.then(|| alpn.into()),
            sni_inner: self.sni.as_deref().map(Into::into),
            sni_outer: None,
            ech_accepted: self.ech_accepted,
            ja4: self.ja4.as_deref().map(Into::into),
            ja4_inner: None,
        })
    }
}

/// The head in a text that [`TrialRequest::head`] made.
///
/// # Errors
/// Why it is none.
pub fn parsed(text: &str) -> Result<RequestHead<'_>, String> {
    read(text).map(|(head, _)| head)
}

fn read(text: &str) -> Result<(RequestHead<'_>, usize), String> {
    parse_head(text.as_bytes())
        .map_err(|error| format!("no request: {}", error.reason()))?
        .ok_or_else(|| "no request: its head does not end".to_owned())
}

/// A head that is made says what was written, line by line, and nothing else.
///
/// # Panics
/// It says something else.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_trial_request(bytes: &[u8]) {
    let Ok(written) = serde_json::from_slice::<TrialRequest>(bytes) else {
        return;
    };
    if let Ok(connection) = written.connection() {
        assert_eq!(connection.peer.to_string().parse(), Ok(connection.peer));
    }
    let Ok(body) = written.body() else {
        return;
    };
    let Ok(text) = written.head(body.len()) else {
        return;
    };
    let head = parsed(&text).expect("it was read when it was made");
    assert_eq!(head.method.as_bytes(), written.method.as_bytes());
    assert_eq!(head.target, written.target.as_bytes());
    let mut read = head.headers();
    if !written.has("host") {
        assert_eq!(read.next(), Some((&b"Host"[..], &b"localhost"[..])));
    }
    if !body.is_empty() && !written.has("content-length") {
        let length = body.len().to_string();
        assert_eq!(
            read.next(),
            Some((&b"Content-Length"[..], length.as_bytes()))
        );
    }
    for (name, value) in &written.headers {
        let value = value.trim_matches([' ', '\t']);
        assert_eq!(read.next(), Some((name.as_bytes(), value.as_bytes())));
    }
    assert_eq!(read.next(), None);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> TrialRequest {
        serde_json::from_str(text).expect("a request")
    }

    #[test]
    fn the_head_is_that_of_http_1_1() {
        let plain = request(r#"{"method": "GET", "target": "/a?b"}"#);
        let head = plain.head(0).unwrap();
        assert_eq!(head, "GET /a?b HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let full = request(
            r#"{"method": "POST", "target": "/", "body": "aGk=", "headers": [["host", "a"], ["B", "c"]]}"#,
        );
        let head = full.head(full.body().unwrap().len()).unwrap();
        assert_eq!(
            head,
            "POST / HTTP/1.1\r\nContent-Length: 2\r\nhost: a\r\nB: c\r\n\r\n"
        );
    }

    #[test]
    fn a_line_break_adds_no_line() {
        for text in [
            r#"{"method": "GET", "target": "/", "headers": [["A", "b\r\nC: d"]]}"#,
            r#"{"method": "GET", "target": "/", "headers": [["A", "b\nC: d"]]}"#,
            r#"{"method": "GET", "target": "/", "headers": [["A", "b\r\n\r\nGET / HTTP/1.1"]]}"#,
            r#"{"method": "GET", "target": "/ HTTP/1.1\r\nA: b\r\nC:"}"#,
            r#"{"method": "\r\nGET", "target": "/"}"#,
            r#"{"method": "GET", "target": "/", "headers": [["A: b", "c"]]}"#,
        ] {
            let refused = request(text).head(0).unwrap_err();
            assert!(refused.starts_with("no request: "), "{text}: {refused}");
        }
    }

    #[test]
    fn what_is_no_body_or_no_address_is_told() {
        let odd = request(r#"{"method": "GET", "target": "/", "body": "?", "peer": "here"}"#);
        assert_eq!(odd.body().unwrap_err(), "the body is not base64");
        assert_eq!(
            odd.connection().unwrap_err(),
            "`here` is no address with a port"
        );
    }
}
