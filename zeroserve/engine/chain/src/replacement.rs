//! Search and replace, by text or by regular expression, on bytes that somebody else wrote.
//!
//! Neither an expression nor what it is used on can take more than its share: matching takes linear time, compiled
//! expressions and results have a bound.

use std::cell::RefCell;

use memchr::memmem;
use regex::bytes::{Captures, Regex, RegexBuilder};
use serde::Deserialize;
use zs_script::Refusal;

/// Bytes of a compiled expression: its time for one byte of text is at most in proportion.
const COMPILED_BYTES_MAX: usize = 32 << 10;
/// Compiled expressions that a loop keeps: scripts have few, and use them on every request.
const KEPT_MAX: usize = 32;
/// Bytes of a result; no head is larger.
const RESULT_BYTES_MAX: usize = 64 << 10;

thread_local! {
    /// The last ones used, newest first.
    static KEPT: RefCell<Vec<(String, Regex)>> = const { RefCell::new(Vec::new()) };
}

/// What to look for and what to put there, as scripts write it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Operation {
    /// A header's name, or a parameter's.
    #[serde(alias = "key")]
    pub(crate) name: String,
    search: Option<String>,
    search_regexp: Option<String>,
    replace: String,
}

/// An operation that has been checked.
pub(crate) enum Replacement<'o> {
    /// At most this many times, if there is a limit.
    Text(&'o str, &'o str, Option<usize>),
    Expression(Regex, &'o str),
}

impl Operation {
    pub(crate) fn replacement(&self) -> Result<Replacement<'_>, Refusal> {
        match (&self.search, &self.search_regexp) {
            (Some(search), None) => Replacement::text(search, &self.replace, None),
            (None, Some(expression)) => Replacement::expression(expression, &self.replace),
            _ => Err("one of `search` and `search_regexp` is needed".into()),
        }
    }
}

impl<'o> Replacement<'o> {
    pub(crate) fn text(
        search: &'o str,
        replace: &'o str,
        limit: Option<usize>,
    ) -> Result<Self, Refusal> {
        if search.is_empty() {
            return Err("an empty text to look for".into());
        }
        Ok(Self::Text(search, replace, limit))
    }

    pub(crate) fn expression(expression: &str, replace: &'o str) -> Result<Self, Refusal> {
        Ok(Self::Expression(compiled(expression)?, replace))
    }

    /// The text with every place replaced; `None` when there is none.
    ///
    /// # Errors
    /// The result is too large.
    pub(crate) fn apply(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        let mut out = Output::default();
        match self {
            Self::Text(search, replace, limit) => {
                let places = memmem::find_iter(text, search.as_bytes());
                for at in places.take(limit.unwrap_or(usize::MAX)) {
                    out.keep_to(text, at)?;
                    out.push(replace.as_bytes())?;
                    out.done = at + search.len();
                }
            }
            Self::Expression(expression, replace) => {
                for found in expression.captures_iter(text) {
                    let place = found.get_match();
                    out.keep_to(text, place.start())?;
                    out.expand(&found, place.len(), replace)?;
                    out.done = place.end();
                }
            }
        }
        out.finish(text)
    }
}

/// A result on its way.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    /// Up to where the text has been looked at.
    done: usize,
    changed: bool,
}

impl Output {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.check(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        self.changed = true;
        Ok(())
    }

    fn check(&self, further: usize) -> Result<(), Refusal> {
        if further > RESULT_BYTES_MAX - self.bytes.len() {
            return Err(format!("a result of more than {RESULT_BYTES_MAX} bytes").into());
        }
        Ok(())
    }

    fn keep_to(&mut self, text: &[u8], end: usize) -> Result<(), Refusal> {
        self.push(&text[self.done..end])
    }

    /// The replacement with its `$1` and `${name}` filled in. Groups lie in the match, which bounds them.
    fn expand(
        &mut self,
        found: &Captures<'_>,
        match_bytes: usize,
        replace: &str,
    ) -> Result<(), Refusal> {
        let groups = memchr::memchr_iter(b'$', replace.as_bytes()).count();
        self.check(
            groups
                .saturating_mul(match_bytes)
                .saturating_add(replace.len()),
        )?;
        found.expand(replace.as_bytes(), &mut self.bytes);
        self.changed = true;
        Ok(())
    }

    fn finish(mut self, text: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        if !self.changed {
            return Ok(None);
        }
        self.push(&text[self.done..])?;
        Ok(Some(self.bytes))
    }
}

/// Bytes, not characters: what peers send need not be UTF-8.
fn compiled(expression: &str) -> Result<Regex, Refusal> {
    KEPT.with_borrow_mut(|kept| {
        if let Some(at) = kept.iter().position(|(known, _)| known == expression) {
            kept[..=at].rotate_right(1);
            return Ok(kept[0].1.clone());
        }
        let compiled = RegexBuilder::new(expression)
            .unicode(false)
            .size_limit(COMPILED_BYTES_MAX)
            .build()
            .map_err(|error| Refusal(one_line(&error)))?;
        kept.truncate(KEPT_MAX - 1);
        kept.insert(0, (expression.to_owned(), compiled.clone()));
        Ok(compiled)
    })
}

/// Syntax errors are drawn over several lines; the last one says what is wrong.
fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    let reason = last.trim().trim_start_matches("error: ");
    format!("no regular expression that is taken: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by_text(text: &str, search: &str, replace: &str, limit: Option<usize>) -> Option<String> {
        let replacement = Replacement::text(search, replace, limit).unwrap();
        let out = replacement.apply(text.as_bytes()).unwrap();
        out.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn by_expression(
        text: &str,
        expression: &str,
        replace: &str,
    ) -> Result<Option<String>, String> {
        let replacement = Replacement::expression(expression, replace).map_err(|each| each.0)?;
        let out = replacement.apply(text.as_bytes()).map_err(|each| each.0)?;
        Ok(out.map(|bytes| String::from_utf8(bytes).unwrap()))
    }

    #[test]
    fn expressions_fill_their_groups_in() {
        for (text, expression, replace, wanted) in [
            (
                "/v1/users/7",
                r"^/v(\d+)/",
                "/api/$1/",
                Some("/api/1/users/7"),
            ),
            ("a-b", r"(?<x>\w)-(?<y>\w)", "${y}_${x}", Some("b_a")),
            ("aaa", "a", "b", Some("bbb")),
            ("aXbX", "(?i)x", "", Some("ab")),
            ("ab", "", ".", Some(".a.b.")),
            ("abc", "x", "y", None),
            ("abc", "b", "$$", Some("a$c")),
            ("é", "é", "e", Some("e")),
        ] {
            let out = by_expression(text, expression, replace).unwrap();
            assert_eq!(out.as_deref(), wanted, "{expression}");
        }
    }

    #[test]
    fn what_is_too_much_is_refused_with_its_reason() {
        let reason = by_expression("x", "(", "").unwrap_err();
        assert_eq!(
            reason,
            "no regular expression that is taken: unclosed group"
        );
        let reason = by_expression("x", r"(\w{100}){100}", "").unwrap_err();
        assert!(reason.contains("size limit"), "{reason}");
        let text = "a".repeat(1000);
        let reason = by_expression(&text, "a+", &"$0".repeat(100)).unwrap_err();
        assert_eq!(reason, "a result of more than 65536 bytes");
        let long = "b".repeat(100);
        let replacement = Replacement::text("a", &long, None).unwrap();
        assert!(replacement.apply(text.as_bytes()).is_err());
    }

    #[test]
    fn kept_expressions_are_the_last_ones_used() {
        for number in 0..100 {
            compiled(&format!("a{number}")).unwrap();
            compiled("often").unwrap();
        }
        KEPT.with_borrow(|kept| {
            assert_eq!(kept.len(), KEPT_MAX);
            assert_eq!(kept[0].0, "often");
            assert_eq!(kept[KEPT_MAX - 1].0, format!("a{}", 101 - KEPT_MAX));
        });
    }

    proptest! {
        #[test]
        fn text_is_replaced_as_the_standard_library_does(
            text in "[ab]{0,20}", search in "[ab]{1,3}", replace in "[abc]{0,3}", limit in prop::option::of(0..4usize),
        ) {
            let wanted = match limit {
                Some(limit) => text.replacen(&search, &replace, limit),
                None => text.replace(&search, &replace),
            };
            let found = by_text(&text, &search, &replace, limit);
            prop_assert_eq!(found.unwrap_or(text), wanted);
        }
    }
}
