//! Blocks of a PEM file (RFC 7468), found and not decoded: what lies between is for people.

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// One block, borrowed from the text of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'t> {
    /// As `CERTIFICATE`.
    pub label: &'t str,
    /// The whole block, its first and last line included.
    pub text: &'t str,
    /// The lines between those two.
    pub body: &'t str,
    /// Where the block begins, counted from 1.
    pub line: usize,
}

/// The blocks of `text` in their order. A block without its end, or with another label there, is left
/// out as if it were text.
pub fn blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let (start, begin) = next_line(text, at)?;
            at = start + begin.len();
            let Some(label) = label(begin, BEGIN) else {
                continue;
            };
            let mut end = at;
            while let Some((found, line)) = next_line(text, end) {
                end = found + line.len();
                if line.starts_with(BEGIN) {
                    break;
                }
                if self::label(line, END) == Some(label) {
                    let block = Block {
                        label,
                        text: &text[start..end],
                        body: &text[at..found],
                        line: 1 + text[..start].matches('\n').count(),
                    };
                    at = end;
                    return Some(block);
                }
            }
        }
    })
}

/// The line that begins at `at`, its end included, and where that is.
fn next_line(text: &str, at: usize) -> Option<(usize, &str)> {
    let line = text.get(at..)?.split_inclusive('\n').next()?;
    Some((at, line))
}

fn label<'t>(line: &'t str, start: &str) -> Option<&'t str> {
    line.trim_end().strip_prefix(start)?.strip_suffix(DASHES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Vec<(&str, usize)> {
        blocks(text)
            .map(|block| (block.label, block.line))
            .collect()
    }

    #[test]
    fn blocks_are_found_between_other_text() {
        let text = "subject: x\r\n-----BEGIN CERTIFICATE-----\r\nAAAA\r\n-----END CERTIFICATE-----\r\n\
                    text\n-----BEGIN PRIVATE KEY-----\nBBBB\n-----END PRIVATE KEY-----";
        assert_eq!(labels(text), [("CERTIFICATE", 2), ("PRIVATE KEY", 6)]);
        let bodies: Vec<_> = blocks(text).map(|block| block.body.trim_end()).collect();
        assert_eq!(bodies, ["AAAA", "BBBB"]);
        assert!(blocks(text).all(|block| block.text.starts_with(BEGIN)));
    }

    #[test]
    fn a_block_that_does_not_end_is_text() {
        assert_eq!(labels("-----BEGIN A-----\nAAAA\n"), []);
        assert_eq!(labels("-----BEGIN A-----\nAAAA\n-----END B-----\n"), []);
        let text = "-----BEGIN A-----\nAA\n-----BEGIN B-----\nBB\n-----END B-----\n";
        assert_eq!(labels(text), [("B", 3)]);
    }

    #[test]
    fn a_text_cut_anywhere_has_no_other_block() {
        let text = "-----BEGIN A-----\nAAAA\n-----END A-----\nä\n";
        for end in 0..text.len() {
            if text.is_char_boundary(end) {
                assert!(labels(&text[..end]).len() <= 1);
            }
        }
        assert_eq!(labels(text), [("A", 1)]);
    }
}
