//! Whole connections: `cases.tsv`, each row fed whole and cut at every byte.
//!
//! The walk below is what a server does with a connection's bytes, without the answers: heads are
//! parsed, bodies passed over, and the first fault ends it.

use zs_proto::error::PeerError;
use zs_proto::h1::body::{BodyDrain, Drain};
use zs_proto::h1::parse::{HeadProgress, parse_head};
use zs_proto::message::{RequestHead, TargetForm};
use zs_proto::path;

const CASES: &str = include_str!("cases.tsv");
/// A table that was cut short fails.
const CASES_MIN: usize = 150;
/// Rows longer than this are cut at each byte near their ends and at some in between.
const EVERY_CUT_BYTES: usize = 4 << 10;
/// Rows up to this length are fed one byte at a time, too.
const BYTE_BY_BYTE_BYTES: usize = 512;
/// A prime, so that the cuts fall on no grid of the parser's.
const SOME_CUTS_STEP: usize = 251;

/// One row: the words of its verdict, and the bytes.
struct Case {
    line: usize,
    verdict: String,
    bytes: Vec<u8>,
}

fn cases() -> Vec<Case> {
    let rows = CASES.lines().enumerate();
    rows.filter(|(_, row)| !row.is_empty() && !row.starts_with('#'))
        .map(|(number, row)| {
            let (verdict, bytes) = row.split_once('\t').expect("a tab in each row");
            Case {
                line: number + 1,
                verdict: String::from_utf8(unescape(verdict)).expect("verdicts are text"),
                bytes: unescape(bytes),
            }
        })
        .collect()
}

/// The bytes that a cell of the table stands for.
fn unescape(cell: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = cell;
    while let Some(first) = rest.chars().next() {
        let tail = &rest[first.len_utf8()..];
        rest = match first {
            '↵' => {
                out.extend_from_slice(b"\r\n");
                tail
            }
            '{' => {
                let (inside, after) = tail.split_once('}').expect("a closing brace");
                let (text, times) = inside.rsplit_once('*').expect("a number of times");
                out.extend(unescape(text).repeat(times.parse().expect("a number")));
                after
            }
            '\\' => {
                let taken = usize::from(tail.starts_with('x')) * 2 + 1;
                let (code, after) = tail.split_at(taken);
                out.push(match code {
                    "r" => b'\r',
                    "n" => b'\n',
                    "t" => b'\t',
                    "0" => 0,
                    "\\" => b'\\',
                    _ => u8::from_str_radix(&code[1..], 16).expect("an escape"),
                });
                after
            }
            other => {
                out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                tail
            }
        };
    }
    out
}

/// A connection so far.
#[derive(Default)]
struct Walk {
    words: Vec<String>,
    /// Received, and not yet done with.
    pending: Vec<u8>,
    progress: HeadProgress,
    body: Option<BodyDrain>,
    close_after_body: bool,
    ended: bool,
}

impl Walk {
    fn receive(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        while !self.ended {
            match self.step() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.words.push(error.status().to_string());
                    self.ended = true;
                }
            }
        }
    }

    /// One head or body; false when more bytes are needed.
    fn step(&mut self) -> Result<bool, PeerError> {
        if let Some(mut body) = self.body.take() {
            match body.handle(&self.pending)? {
                Drain::Done { consumed } => {
                    self.pending.drain(..consumed);
                    self.end_if(self.close_after_body);
                    return Ok(true);
                }
                Drain::More => self.pending.clear(),
                Drain::OverLimit => unreachable!("there is no limit here"),
            }
            self.body = Some(body);
            return Ok(false);
        }
        if !self.progress.handle_bytes(&self.pending) {
            // Nothing that could end a head came, and still a fault may have.
            parse_head(&self.pending).map(|head| assert!(head.is_none()))?;
            return Ok(false);
        }
        let Some((head, length)) = parse_head(&self.pending)? else {
            return Ok(false);
        };
        self.words.push(target(&head)?);
        self.close_after_body = !head.keep_alive;
        self.body = Some(BodyDrain::new(head.body, u64::MAX));
        self.pending.drain(..length);
        self.progress = HeadProgress::new();
        Ok(true)
    }

    fn end_if(&mut self, wanted: bool) {
        if wanted {
            self.words.push("close".to_owned());
            self.ended = true;
        }
    }

    fn verdict(mut self) -> String {
        let waits = self.body.is_some() || !self.pending.is_empty();
        if waits && !self.ended {
            self.words.push("...".to_owned());
        }
        self.words.join(" ")
    }
}

/// What a request asks for; its path must have one reading.
fn target(head: &RequestHead<'_>) -> Result<String, PeerError> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match head.form {
        TargetForm::Asterisk | TargetForm::Authority => return Ok(text(head.target)),
        TargetForm::Origin | TargetForm::Absolute => {}
    }
    path::clean(head.path, &mut Vec::new())?;
    let query = head.query.map(|query| format!("?{}", text(query)));
    Ok(text(head.path) + &query.unwrap_or_default())
}

/// Where a row of this length is cut in two.
fn cuts(length: usize) -> Box<dyn Iterator<Item = usize>> {
    if length <= EVERY_CUT_BYTES {
        return Box::new(1..length);
    }
    let near_the_ends = (1..100).chain(length - 100..length);
    Box::new(near_the_ends.chain((100..length - 100).step_by(SOME_CUTS_STEP)))
}

/// What the row comes to when it arrives in these parts, if that is not its verdict.
fn differs(case: &Case, parts: &[&[u8]]) -> Option<String> {
    let mut walk = Walk::default();
    for part in parts {
        walk.receive(part);
    }
    let verdict = walk.verdict();
    (verdict != case.verdict).then_some(verdict)
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "the count is for whoever asks how many there are"
)]
fn every_row_of_the_table_has_its_verdict_however_it_is_cut() {
    let cases = cases();
    assert!(cases.len() >= CASES_MIN, "{} cases", cases.len());
    let (mut fed, mut wrong) = (0, Vec::new());
    for case in &cases {
        let mut note = |found: Option<String>, how: &str| {
            if let Some(found) = found {
                let (row, wanted) = (case.line, &case.verdict);
                wrong.push(format!("cases.tsv:{row}: {found}, not {wanted}; {how}"));
            }
        };
        let whole = differs(case, &[&case.bytes]);
        let single: Vec<&[u8]> = case.bytes.chunks(1).collect();
        if whole.is_none() && case.bytes.len() <= BYTE_BY_BYTE_BYTES {
            note(differs(case, &single), "byte by byte");
        }
        if whole.is_none() {
            for cut in cuts(case.bytes.len()) {
                let (start, end) = case.bytes.split_at(cut);
                note(differs(case, &[start, end]), &format!("cut at {cut}"));
                fed += 1;
            }
        }
        note(whole, "whole");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} wire cases, fed whole and cut {fed} times", cases.len());
}
