//! Requests for the committed programs, without a server.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use zs_chain::{
    Body, Caps, Connection, Execution, Need, Now, Pool, Scripts, Services, Step, Supply, Verdict,
};
use zs_proto::h1::parse::parse_head;

pub(crate) const VERSION: &str = "1.2.3";

pub(crate) fn programs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

/// Compiled once for all tests of a file: that takes longer than all they do.
static COMPILED: Mutex<BTreeMap<String, Arc<Scripts>>> = Mutex::new(BTreeMap::new());

pub(crate) fn scripts(name: &str) -> Arc<Scripts> {
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let scripts = compiled.entry(name.to_owned());
    Arc::clone(scripts.or_insert_with(|| compile(name)))
}

fn compile(name: &str) -> Arc<Scripts> {
    let path = programs().join(name).with_extension("o");
    let bytes = std::fs::read(&path).unwrap_or_else(|each| panic!("{}: {each}", path.display()));
    let objects = vec![(format!("{name}.o"), bytes)];
    Scripts::compile(objects, false).unwrap_or_else(|each| panic!("{each}"))
}

pub(crate) fn pool() -> Pool {
    Pool::new(Arc::new(Services::new(Caps::default(), VERSION)))
}

/// A client of this address, over plain HTTP.
pub(crate) fn client(peer: &str) -> Arc<Connection> {
    Arc::new(Connection {
        peer: peer.parse().unwrap(),
        tls: false,
        alpn: None,
        sni_inner: None,
        sni_outer: None,
        ech_accepted: None,
        ja4: None,
        ja4_inner: None,
    })
}

/// A request and what is asked of it.
pub(crate) struct Ask<'a> {
    pub line: &'a str,
    pub fields: &'a str,
    pub body: Body,
    pub connection: Arc<Connection>,
    pub now: Now,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self {
            line: "GET / HTTP/1.1",
            fields: "",
            body: Body::Bytes(Vec::new()),
            connection: client("192.0.2.7:5000"),
            now: Now {
                unix_ms: 1_700_000_000_000,
                monotonic_ms: 5000,
            },
        }
    }
}

/// What came of a case.
pub(crate) struct Told {
    pub verdict: Verdict,
    pub execution: Execution,
    pub lines: Vec<String>,
    /// Why a script failed.
    pub failure: String,
}

impl Ask<'_> {
    /// Runs the chain, with the case of this name.
    pub(crate) fn run(&self, pool: &Pool, scripts: &Arc<Scripts>, case: &str) -> Told {
        let head = format!(
            "{}\r\nHost: example.org\r\nCase: {case}\r\n{}\r\n",
            self.line, self.fields
        );
        let (head, _) = parse_head(head.as_bytes()).unwrap().unwrap();
        let execution = pool.begin(scripts, &head, false, &self.connection, None);
        let told = Told {
            verdict: Verdict::Pass,
            execution,
            lines: Vec::new(),
            failure: String::new(),
        };
        self.go_on(told)
    }

    /// Sends a response's head through the hooks.
    pub(crate) fn hook(&self, told: Told, status: u16, lines: &str) -> Told {
        let mut told = told;
        assert!(told.execution.has_hooks(), "no hooks");
        told.execution.begin_hooks(status, lines.as_bytes());
        self.go_on(told)
    }

    pub(crate) fn go_on(&self, told: Told) -> Told {
        let mut told = told;
        told.verdict = loop {
            match told.execution.step(self.now) {
                Step::Yield => {}
                Step::Done(verdict) => break verdict,
                Step::Wait => {
                    let supply = match told.execution.need() {
                        Some(Need::Body { limit }) => Supply::Body(match &self.body {
                            Body::Bytes(bytes) if bytes.len() > *limit => Body::TooLarge,
                            body => body.clone(),
                        }),
                        Some(Need::File(_)) => Supply::File(None),
                        Some(Need::FileMetadata(_)) => Supply::FileMetadata(None),
                        None => panic!("a wait for nothing"),
                    };
                    told.execution.supply(supply);
                }
            }
        };
        let lines = told.execution.take_lines();
        told.lines = lines.into_iter().map(|line| line.text).collect();
        let failure = told.execution.take_failure();
        told.failure = failure.map_or_else(String::new, |error| {
            format!("{}: {}", error.helper.unwrap_or_default(), error.reason)
        });
        told
    }
}
