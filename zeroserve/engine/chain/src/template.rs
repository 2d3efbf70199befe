//! The template pass: values that scripts left take the place of `<zs-meta>key</zs-meta>` in a page.
//!
//! Values are escaped for HTML, for they may come from visitors; `<zs-meta raw>key</zs-meta>` takes them as they are.
//! A value is not looked at again.

use std::sync::LazyLock;

use memchr::memmem::{Finder, FinderRev};

const OPEN: &[u8] = b"<zs-meta>";
const OPEN_RAW: &[u8] = b"<zs-meta raw>";
const CLOSE: &[u8] = b"</zs-meta>";
/// What both opening tags begin with.
const START: &[u8] = b"<zs-meta";

static START_BACKWARDS: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(START));
static CLOSES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(CLOSE));

/// One placeholder: `text[start..end]`.
struct Placeholder<'t> {
    start: usize,
    end: usize,
    /// Without the white space around it.
    key: &'t [u8],
    raw: bool,
}

/// The first placeholder at or behind `from`. A tag that is opened and not closed before the next one is text.
fn next(text: &[u8], from: usize) -> Option<Placeholder<'_>> {
    let mut from = from;
    loop {
        let close = from + CLOSES.find(&text[from..])?;
        let mut before = &text[from..close];
        while let Some(at) = START_BACKWARDS.rfind(before) {
            let tail = &text[from + at..close];
            for (tag, raw) in [(OPEN, false), (OPEN_RAW, true)] {
                if let Some(key) = tail.strip_prefix(tag) {
                    return Some(Placeholder {
                        start: from + at,
                        end: close + CLOSE.len(),
                        key: key.trim_ascii(),
                        raw,
                    });
                }
            }
            before = &before[..at];
        }
        from = close + CLOSE.len();
    }
}

/// Whether [`expand`] would change anything: pages without a placeholder go out as they are, with tag and ranges.
#[must_use]
pub fn has_placeholder(text: &[u8]) -> bool {
    next(text, 0).is_some() && std::str::from_utf8(text).is_ok()
}

/// The page with its placeholders replaced; those of unknown keys are taken out. `None`: there are none, or the page is not
/// UTF-8.
#[must_use]
pub fn expand<'v>(text: &[u8], lookup: impl Fn(&str) -> Option<&'v str>) -> Option<Vec<u8>> {
    let mut placeholder = next(text, 0)?;
    std::str::from_utf8(text).ok()?;
    let mut out = Vec::with_capacity(text.len());
    let mut done = 0;
    loop {
        out.extend_from_slice(&text[done..placeholder.start]);
        // Cut at ASCII: it is UTF-8 as the whole is.
        let key = std::str::from_utf8(placeholder.key).unwrap_or_default();
        match lookup(key) {
            Some(value) if placeholder.raw => out.extend_from_slice(value.as_bytes()),
            Some(value) => escape(value, &mut out),
            None => {}
        }
        done = placeholder.end;
        match next(text, done) {
            Some(another) => placeholder = another,
            None => break,
        }
    }
    out.extend_from_slice(&text[done..]);
    Some(out)
}

/// So that a value is text between tags and in a quoted attribute, whatever it holds.
fn escape(value: &str, out: &mut Vec<u8>) {
    for &byte in value.as_bytes() {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            _ => out.push(byte),
        }
    }
}

/// Fuzz body: a page changes exactly when it has a placeholder; what is outside of placeholders stays; escaped values can't
/// leave their place; and a second pass with values of plain text finds only what was made of pieces.
///
/// # Panics
/// When that does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_template(bytes: &[u8]) {
    const MARK: &str = "\u{1}<>&\"'";
    let removed = expand(bytes, |_| None);
    assert_eq!(removed.is_some(), has_placeholder(bytes));
    let Some(removed) = removed else { return };
    assert!(removed.len() < bytes.len());
    let filled = expand(bytes, |_| Some(MARK)).unwrap();
    let raw = raw_number(bytes);
    let escaped = "\u{1}&lt;&gt;&amp;&quot;&#39;";
    let text = std::str::from_utf8(&filled).unwrap();
    assert!(text.matches(MARK).count() >= raw);
    // Take the values out again: what is left is the page without placeholders.
    if !bytes.contains(&1) {
        let plain = text.replace(escaped, "").replace(MARK, "");
        assert_eq!(plain.as_bytes(), removed);
    }
    assert_eq!(slow(bytes), removed, "against the slow way");
}

/// Placeholders that are taken as they are.
#[cfg(any(test, feature = "fuzzing"))]
fn raw_number(bytes: &[u8]) -> usize {
    let (mut count, mut from) = (0, 0);
    while let Some(found) = next(bytes, from) {
        count += usize::from(found.raw);
        from = found.end;
    }
    count
}

/// Placeholders taken out, byte by byte: remembers the last tag that was opened, and cuts back to it at a closing one.
#[cfg(any(test, feature = "fuzzing"))]
fn slow(text: &[u8]) -> Vec<u8> {
    let (mut out, mut open, mut at) = (Vec::new(), None, 0);
    while at < text.len() {
        let rest = &text[at..];
        let step = if rest.starts_with(CLOSE) {
            if let Some(start) = open.take() {
                out.truncate(start);
                at += CLOSE.len();
                continue;
            }
            CLOSE.len()
        } else if let Some(tag) = [OPEN, OPEN_RAW]
            .into_iter()
            .find(|tag| rest.starts_with(tag))
        {
            open = Some(out.len());
            tag.len()
        } else {
            1
        };
        out.extend_from_slice(&rest[..step]);
        at += step;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lookup(key: &str) -> Option<&'static str> {
        match key {
            "name" => Some("Ann"),
            "evil" => Some("<b a='x' c=\"y\">&"),
            "loop" => Some("<zs-meta raw>name</zs-meta>"),
            "two words" => Some("2"),
            "größe" => Some("ß"),
            "empty" => Some(""),
            _ => None,
        }
    }

    fn page(text: &str) -> Option<String> {
        expand(text.as_bytes(), lookup).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn placeholders_become_values() {
        for (text, wanted) in [
            ("Hi <zs-meta>name</zs-meta>!", "Hi Ann!"),
            ("<zs-meta> \n name\t</zs-meta>", "Ann"),
            (
                "<zs-meta raw>name</zs-meta><zs-meta>name</zs-meta>",
                "AnnAnn",
            ),
            (
                "<zs-meta>two words</zs-meta> <zs-meta>größe</zs-meta>",
                "2 ß",
            ),
            (
                "<zs-meta>evil</zs-meta>",
                "&lt;b a=&#39;x&#39; c=&quot;y&quot;&gt;&amp;",
            ),
            ("<zs-meta raw>evil</zs-meta>", "<b a='x' c=\"y\">&"),
            // Gone.
            (
                "a<zs-meta>unknown</zs-meta>b<zs-meta></zs-meta>c<zs-meta>empty</zs-meta>",
                "abc",
            ),
            // Not looked at again.
            ("<zs-meta raw>loop</zs-meta>", "<zs-meta raw>name</zs-meta>"),
            // The one that is closed counts.
            ("<zs-meta><zs-meta>name</zs-meta>", "<zs-meta>Ann"),
            ("<zs-meta>name</zs-meta></zs-meta>", "Ann</zs-meta>"),
            (
                "</zs-meta><zs-meta>name</zs-meta><zs-meta>",
                "</zs-meta>Ann<zs-meta>",
            ),
            ("<zs-meta>na<zs-metal>me</zs-meta>", ""),
        ] {
            assert_eq!(page(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn other_pages_are_left_alone() {
        for text in [
            "",
            "Hello",
            "<zs-meta>name",
            "name</zs-meta>",
            "</zs-meta><zs-meta>",
            "<ZS-META>name</ZS-META>",
            "<zs-meta >name</zs-meta>",
            "<zs-meta  raw>name</zs-meta>",
            "<zs-meta>name</zs-meta >",
        ] {
            assert_eq!(page(text), None, "{text}");
            assert!(!has_placeholder(text.as_bytes()), "{text}");
        }
        let broken = b"<zs-meta>name</zs-meta>\xff";
        assert_eq!(expand(broken, lookup), None);
        assert!(!has_placeholder(broken));
    }

    /// Twice the page is twice the work, also when tags are opened and never closed.
    #[test]
    fn a_page_of_tags_takes_no_square_of_time() {
        let mut text = "<zs-meta>".repeat(200_000);
        text.push_str("</zs-meta>");
        text.push_str(&"</zs-meta>".repeat(200_000));
        assert_eq!(page(&text).map(|out| out.len()), Some(text.len() - 19));
    }

    proptest! {
        #[test]
        fn any_pieces_give_a_sound_page(pieces in prop::collection::vec(0..10usize, 0..40)) {
            let known = [
                "<zs-meta>", "<zs-meta raw>", "</zs-meta>", "name", " ", "<zs-meta", "raw>", "</", "zs-meta>", "é",
            ];
            let text: String = pieces.iter().map(|&each| known[each]).collect();
            fuzz_template(text.as_bytes());
        }
    }
}
