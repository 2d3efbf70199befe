//! One line a request, written when it ends. Lines gather in memory while the loop is busy and leave
//! in one write on the ring; when the destination is too slow or takes nothing (a full disk), lines are
//! dropped and counted, so a full pipe never stalls the server.

use std::cell::{Cell, RefCell};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::metrics::Counters;
use crate::clock::DATE_LEN;
use crate::config::LogFormat;
use crate::ring;
use crate::tls::ConnectionInfo;

/// Lines waiting to be written, in bytes. Beyond it new lines are dropped.
const PENDING_BYTES_MAX: usize = 1 << 20;

pub(crate) struct AccessLog {
    format: LogFormat,
    counters: Arc<Counters>,
    file: RefCell<Arc<OwnedFd>>,
    pending: RefCell<Vec<u8>>,
    spare: RefCell<Vec<u8>>,
    writing: Cell<bool>,
}

/// Who asked for what: kept from the head, since its bytes are gone when the answer has left.
pub(crate) struct Requester {
    pub(crate) method: Box<[u8]>,
    pub(crate) target: Box<[u8]>,
    pub(crate) version: &'static str,
    pub(crate) referer: Box<[u8]>,
    pub(crate) user_agent: Box<[u8]>,
}

impl Requester {
    /// For bytes that were no request.
    pub(crate) fn unknown() -> Self {
        Self {
            method: (*b"-").into(),
            target: (*b"-").into(),
            version: "-",
            referer: Box::default(),
            user_agent: Box::default(),
        }
    }
}

/// Everything one line says.
pub(crate) struct Line<'a> {
    pub(crate) peer: &'a str,
    pub(crate) scheme: &'static str,
    /// Of a TLS connection; shown in the JSON form only.
    pub(crate) tls: Option<&'a ConnectionInfo>,
    pub(crate) date: [u8; DATE_LEN],
    pub(crate) requester: &'a Requester,
    pub(crate) status: u16,
    pub(crate) body_bytes: u64,
    pub(crate) duration: Duration,
    pub(crate) generation: u64,
}

impl AccessLog {
    pub(crate) fn new(file: OwnedFd, format: LogFormat, counters: Arc<Counters>) -> Self {
        Self {
            format,
            counters,
            file: RefCell::new(Arc::new(file)),
            pending: RefCell::new(Vec::new()),
            spare: RefCell::new(Vec::new()),
            writing: Cell::new(false),
        }
    }

    /// Later lines go to `file`; what is being written still goes to the old one.
    pub(crate) fn reopen(&self, file: OwnedFd) {
        *self.file.borrow_mut() = Arc::new(file);
    }

    /// Adds a line, or drops it and counts it.
    pub(crate) fn record(self: &Rc<Self>, line: &Line<'_>) {
        {
            let mut pending = self.pending.borrow_mut();
            if pending.len() > PENDING_BYTES_MAX {
                self.counters.log_lines_dropped.add(1);
                return;
            }
            match self.format {
                LogFormat::Json => write_json(&mut pending, line),
                LogFormat::Common | LogFormat::Combined => {
                    write_clf(&mut pending, line, self.format == LogFormat::Combined);
                }
            }
        }
        if !self.writing.replace(true) {
            let log = Rc::clone(self);
            compio::runtime::spawn(async move { log.write_out().await }).detach();
        }
    }

    /// Writes until nothing is pending. The task runs after those that are ready now, so a busy turn
    /// of the loop leaves as one write.
    async fn write_out(&self) {
        loop {
            let spare = self.spare.take();
            let batch = self.pending.replace(spare);
            if batch.is_empty() {
                self.spare.replace(batch);
                break;
            }
            let file = Arc::clone(&self.file.borrow());
            let (written, mut batch) = ring::append(&file, batch).await;
            self.counters
                .log_lines_dropped
                .add(lines_in(&batch[written..]));
            batch.clear();
            self.spare.replace(batch);
        }
        self.writing.set(false);
    }

    /// Waits for nothing: true when every line has been handed to the kernel.
    pub(crate) fn is_idle(&self) -> bool {
        !self.writing.get()
    }
}

/// Lines that end in `bytes`.
fn lines_in(bytes: &[u8]) -> u64 {
    bytes.split(|byte| *byte == b'\n').count() as u64 - 1
}

/// Common Log Format, with referer and user agent in the combined form.
fn write_clf(out: &mut Vec<u8>, line: &Line<'_>, combined: bool) {
    out.extend_from_slice(line.peer.as_bytes());
    out.extend_from_slice(b" - - [");
    // `Tue, 24 Nov 2026 06:01:09 GMT` becomes `24/Nov/2026:06:01:09 +0000`.
    let date = &line.date;
    for (part, end) in [
        (&date[5..7], b'/'),
        (&date[8..11], b'/'),
        (&date[12..16], b':'),
    ] {
        out.extend_from_slice(part);
        out.push(end);
    }
    out.extend_from_slice(&date[17..25]);
    out.extend_from_slice(b" +0000] \"");
    let requester = line.requester;
    write_quoted(out, &requester.method);
    out.push(b' ');
    write_quoted(out, &requester.target);
    let _ = write!(
        out,
        " {}\" {} {}",
        requester.version, line.status, line.body_bytes
    );
    if combined {
        for text in [&requester.referer, &requester.user_agent] {
            out.extend_from_slice(b" \"");
            write_quoted(out, if text.is_empty() { b"-" } else { text });
            out.push(b'"');
        }
    }
    out.push(b'\n');
}

/// Quotes, backslashes and everything outside printable ASCII are escaped as nginx does, so that a
/// client can't forge a line.
fn write_quoted(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        if byte == b'"' || byte == b'\\' || !(0x20..0x7f).contains(&byte) {
            let _ = write!(out, "\\x{byte:02X}");
        } else {
            out.push(byte);
        }
    }
}

fn write_json(out: &mut Vec<u8>, line: &Line<'_>) {
    #[derive(serde::Serialize)]
    struct Record<'a> {
        time: &'a str,
        peer: &'a str,
        scheme: &'a str,
        method: std::borrow::Cow<'a, str>,
        target: std::borrow::Cow<'a, str>,
        version: &'a str,
        status: u16,
        bytes: u64,
        duration_us: u128,
        generation: u64,
        referer: std::borrow::Cow<'a, str>,
        user_agent: std::borrow::Cow<'a, str>,
        #[serde(flatten)]
        tls: Option<&'a ConnectionInfo>,
    }
    let requester = line.requester;
    let record = Record {
        time: std::str::from_utf8(&line.date).unwrap_or_default(),
        peer: line.peer,
        scheme: line.scheme,
        method: String::from_utf8_lossy(&requester.method),
        target: String::from_utf8_lossy(&requester.target),
        version: requester.version,
        status: line.status,
        bytes: line.body_bytes,
        duration_us: line.duration.as_micros(),
        generation: line.generation,
        referer: String::from_utf8_lossy(&requester.referer),
        user_agent: String::from_utf8_lossy(&requester.user_agent),
        tls: line.tls,
    };
    if serde_json::to_writer(&mut *out, &record).is_ok() {
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(requester: &Requester) -> Line<'_> {
        Line {
            peer: "192.0.2.7",
            scheme: "https",
            tls: None,
            date: *b"Tue, 24 Nov 2026 06:01:09 GMT",
            requester,
            status: 200,
            body_bytes: 174,
            duration: Duration::from_micros(42),
            generation: 3,
        }
    }

    fn requester(target: &[u8]) -> Requester {
        Requester {
            method: (*b"GET").into(),
            target: target.into(),
            version: "HTTP/1.1",
            referer: Box::default(),
            user_agent: (*b"curl/7.88").into(),
        }
    }

    #[test]
    fn common_and_combined_lines_read_like_those_of_other_servers() {
        let requester = requester(b"/a?b=c");
        let mut out = Vec::new();
        write_clf(&mut out, &line(&requester), false);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "192.0.2.7 - - [24/Nov/2026:06:01:09 +0000] \"GET /a?b=c HTTP/1.1\" 200 174\n"
        );
        let mut out = Vec::new();
        write_clf(&mut out, &line(&requester), true);
        assert!(
            String::from_utf8(out)
                .unwrap()
                .ends_with("200 174 \"-\" \"curl/7.88\"\n")
        );
    }

    #[test]
    fn a_client_can_not_forge_a_line() {
        let requester = requester(b"/\" 200 0\n1.2.3.4");
        let mut out = Vec::new();
        write_clf(&mut out, &line(&requester), false);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        assert!(text.contains("/\\x22 200 0\\x0A1.2.3.4"));
    }

    #[test]
    fn json_lines_parse() {
        let requester = requester(b"/\xff");
        let mut out = Vec::new();
        write_json(&mut out, &line(&requester));
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["status"], 200);
        assert_eq!(value["duration_us"], 42);
        assert!(value.get("ja4").is_none(), "plain HTTP has none");
    }

    #[test]
    fn json_lines_name_what_is_known_of_a_tls_connection() {
        let requester = requester(b"/");
        let info = ConnectionInfo {
            alpn: Some("h2"),
            sni_inner: Some("secret.example".into()),
            sni_outer: Some("public.example".into()),
            ech: Some(true),
            ja4: Some("t13d1516h2_8daaf6152771_e5627efa2ab1".into()),
            ja4_inner: None,
        };
        let mut out = Vec::new();
        let line = Line {
            tls: Some(&info),
            ..line(&requester)
        };
        write_json(&mut out, &line);
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["sni"], "secret.example");
        assert_eq!(value["ech"], true);
        assert_eq!(value["ja4"], "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }
}
