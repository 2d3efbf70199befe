//! What scripts write: whole lines, of printable characters.

use std::sync::Arc;

/// An unfinished line is written out at this many bytes.
const LINE_BYTES_MAX: usize = 512;

/// One line of a script's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub script: Arc<str>,
    pub text: String,
}

/// What one run has written and not finished.
#[derive(Debug, Default)]
pub(crate) struct Tail(Vec<u8>);

impl Tail {
    /// Takes bytes in; finished lines go to `out`.
    pub(crate) fn write(&mut self, script: &Arc<str>, bytes: &[u8], out: &mut Vec<Line>) {
        for &byte in bytes {
            if byte == b'\n' {
                self.flush(script, out, true);
            } else {
                let printable = byte == b'\t' || (0x20..0x7f).contains(&byte);
                self.0.push(if printable { byte } else { b'?' });
            }
        }
        if self.0.len() >= LINE_BYTES_MAX {
            self.flush(script, out, false);
        }
    }

    /// What is left, as a line; an empty one only when it was `ended` by a line break.
    pub(crate) fn flush(&mut self, script: &Arc<str>, out: &mut Vec<Line>, ended: bool) {
        if !ended && self.0.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(&self.0).into_owned();
        self.0.clear();
        out.push(Line {
            script: Arc::clone(script),
            text,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_break_makes_a_line_and_the_rest_waits() {
        let (script, mut tail, mut out) = ("a.o".into(), Tail::default(), Vec::new());
        tail.write(&script, b"one\ntwo\x1b[0m\nth", &mut out);
        tail.write(&script, b"ree", &mut out);
        tail.flush(&script, &mut out, false);
        tail.flush(&script, &mut out, false);
        let texts: Vec<_> = out.iter().map(|line| &*line.text).collect();
        assert_eq!(texts, ["one", "two?[0m", "three"]);
    }
}
