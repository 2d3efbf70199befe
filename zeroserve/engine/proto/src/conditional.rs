//! Preconditions (RFC 9110, section 13): whether a request is carried out, from what it already has.

use crate::date::parse_http_date;
use crate::field::FieldLines;
use crate::limits::LIST_MEMBERS_MAX;
use crate::message::Method;
use crate::scan::trim;

/// The precondition fields of one request; see [`crate::message::RequestHead::conditions`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Conditions<'b> {
    /// `If-Match`.
    pub if_match: Option<FieldLines<'b>>,
    /// `If-None-Match`.
    pub if_none_match: Option<FieldLines<'b>>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<&'b [u8]>,
    /// `If-Unmodified-Since`.
    pub if_unmodified_since: Option<&'b [u8]>,
}

/// What the selected representation is known by.
#[derive(Clone, Copy, Debug)]
pub struct Validators<'b> {
    /// The strong entity tag, with its quotes.
    pub etag: &'b [u8],
    /// `Last-Modified` in Unix seconds. `None` when it is not sent: then dates decide nothing.
    pub last_modified: Option<u64>,
}

/// How to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Carry the request out.
    Proceed,
    /// 304 with the validators and no body.
    NotModified,
    /// 412.
    PreconditionFailed,
}

/// Applies the preconditions in the order of RFC 9110, section 13.2.2, for a representation that
/// exists. A date that is not an HTTP date is ignored, as its field's section asks.
#[must_use]
pub fn evaluate(
    conditions: &Conditions<'_>,
    validators: &Validators<'_>,
    method: Method<'_>,
) -> Outcome {
    if let Some(tags) = conditions.if_match {
        if !names(tags, validators.etag, Comparison::Strong) {
            return Outcome::PreconditionFailed;
        }
    } else if let Some((modified, date)) = dates(validators, conditions.if_unmodified_since)
        && modified > date
    {
        return Outcome::PreconditionFailed;
    }
    if let Some(tags) = conditions.if_none_match {
        return match names(tags, validators.etag, Comparison::Weak) {
            false => Outcome::Proceed,
            true if method.is_read() => Outcome::NotModified,
            true => Outcome::PreconditionFailed,
        };
    }
    if method.is_read()
        && let Some((modified, date)) = dates(validators, conditions.if_modified_since)
        && modified <= date
    {
        return Outcome::NotModified;
    }
    Outcome::Proceed
}

/// Whether `If-Range` lets `Range` be applied (RFC 9110, section 13.1.5): an exact strong tag, or
/// exactly the date we sent. Anything else means that the client has another version.
#[must_use]
pub fn if_range_matches(value: &[u8], validators: &Validators<'_>) -> bool {
    if value.starts_with(b"\"") {
        return value == validators.etag;
    }
    dates(validators, Some(value)).is_some_and(|(modified, date)| modified == date)
}

fn dates(validators: &Validators<'_>, field: Option<&[u8]>) -> Option<(u64, u64)> {
    let modified = validators.last_modified?;
    Some((modified, parse_http_date(field?)?))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// Whether the list names `etag`, or is `*`. Reading stops at the first malformed member.
fn names(tags: FieldLines<'_>, etag: &[u8], comparison: Comparison) -> bool {
    let mut left = LIST_MEMBERS_MAX;
    tags.lines()
        .any(|line| line == b"*" || line_names(line, etag, comparison, &mut left))
}

fn line_names(line: &[u8], etag: &[u8], comparison: Comparison, left: &mut usize) -> bool {
    let mut rest = line;
    loop {
        while let [b' ' | b'\t' | b',', tail @ ..] = rest {
            rest = tail;
        }
        let Some((weak, tag, tail)) = take_tag(rest) else {
            return false;
        };
        if *left == 0 {
            return false;
        }
        *left -= 1;
        if tag == etag && !(weak && comparison == Comparison::Strong) {
            return true;
        }
        rest = trim(tail);
        if !matches!(rest, [b',', ..]) {
            return false;
        }
    }
}

/// One `entity-tag` (RFC 9110, section 8.8.3): whether it is weak, the quoted tag, what follows.
fn take_tag(bytes: &[u8]) -> Option<(bool, &[u8], &[u8])> {
    let (weak, tag) = match bytes.strip_prefix(b"W/") {
        Some(tag) => (true, tag),
        None => (false, bytes),
    };
    let opaque = tag.strip_prefix(b"\"")?;
    // A tag may hold commas, never white space or a quote.
    let end = opaque
        .iter()
        .position(|&byte| byte <= b' ' || byte == b'"' || byte == 0x7f)?;
    if opaque.get(end) != Some(&b'"') {
        return None;
    }
    let (tag, rest) = tag.split_at_checked(end + 2)?;
    Some((weak, tag, rest))
}

/// Fuzz body: four lines with the four fields, an empty one counting as not sent. A tag that
/// matches strongly matches weakly too, and a date decides only when there is one to compare with.
///
/// # Panics
/// When that does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_conditional(bytes: &[u8]) {
    let mut lines = bytes.split(|&byte| byte == b'\n').map(trim);
    let mut next = || lines.next().filter(|line| !line.is_empty());
    let (tags, other_tags, since, until) = (next(), next(), next(), next());
    let etag = b"\"0123456789abcdef\"";
    let validators = |last_modified| Validators {
        etag,
        last_modified,
    };
    let conditions = Conditions {
        if_match: tags.map(FieldLines::single),
        if_none_match: other_tags.map(FieldLines::single),
        if_modified_since: since,
        if_unmodified_since: until,
    };
    for method in [Method::Get, Method::Post] {
        let dated = evaluate(&conditions, &validators(Some(784_111_777)), method);
        let undated = evaluate(&conditions, &validators(None), method);
        assert!(method.is_read() || dated != Outcome::NotModified);
        if since.is_none() && until.is_none() {
            assert_eq!(dated, undated);
        }
        if undated == Outcome::Proceed && tags.is_some() {
            let swapped = Conditions {
                if_none_match: conditions.if_match,
                ..Conditions::default()
            };
            assert_ne!(
                evaluate(&swapped, &validators(None), method),
                Outcome::Proceed
            );
        }
    }
    if let Some(value) = tags {
        let matched = if_range_matches(value, &validators(None));
        assert_eq!(matched, value == etag);
    }
}
