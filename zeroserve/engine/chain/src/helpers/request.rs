//! What the request is.

use zs_proto::path;
use zs_script::{Answer, Arguments, HelperResult, Kind, string_out};

use crate::context::Context;
use crate::form;
use crate::table::{RH, Row, row};

pub(super) const ROWS: &[Row] = &[
    row("zs_req_method", RH, 10, &[Kind::Out], method),
    row("zs_req_path", RH, 20, &[Kind::Out], path),
    row("zs_req_uri", RH, 20, &[Kind::Out], uri),
    row("zs_req_query", RH, 10, &[Kind::Out], query),
    row(
        "zs_req_query_param",
        RH,
        60,
        &[Kind::Text, Kind::Out],
        query_param,
    ),
    row("zs_req_header", RH, 40, &[Kind::Text, Kind::Out], header),
    row(
        "zs_req_normalized_path",
        RH,
        40,
        &[Kind::Out],
        normalized_path,
    ),
    row(
        "zs_req_query_param_matches",
        RH,
        60,
        &[Kind::Text, Kind::Text],
        query_param_matches,
    ),
    row("zs_req_cookie", RH, 60, &[Kind::Text, Kind::Out], cookie),
];

/// The value of a text helper.
pub(super) fn text(out: &mut [u8], value: &[u8]) -> HelperResult {
    Ok(Answer::Value(string_out(out, value)))
}

fn method(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    text(arguments.out(0), context.request.method())
}

fn path(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let path = path::normalize(context.request.path());
    text(arguments.out(0), &path)
}

fn uri(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let request = &context.request;
    let path = path::normalize(request.path());
    match request.query() {
        None => text(arguments.out(0), &path),
        Some(query) => text(arguments.out(0), &[&path, b"?".as_slice(), query].concat()),
    }
}

fn query(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    text(
        arguments.out(0),
        context.request.query().unwrap_or_default(),
    )
}

fn query_param(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let name = arguments.text(0).trim_matches(' ');
    let query = context.request.query().unwrap_or_default();
    let found = form::pairs(query).find(|(found, _)| found.as_ref() == name.as_bytes());
    let value = found.map(|(_, value)| value).unwrap_or_default();
    text(arguments.out(1), &value)
}

/// The last line of a name, but all of `Cookie`: HTTP/2 may split it (RFC 9113, section 8.2.3).
fn header(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let name = arguments.text(0).trim_matches(' ').as_bytes();
    let out = arguments.out(1);
    let fields = context.request.fields();
    if name.eq_ignore_ascii_case(b"cookie") {
        let all: Vec<_> = fields.fields().named(b"cookie").collect();
        return text(out, &all.join(b"; ".as_slice()));
    }
    text(out, fields.last(name).unwrap_or_default())
}

/// Empty when the path has no one meaning.
fn normalized_path(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let mut scratch = Vec::new();
    let out = arguments.out(0);
    let Ok(clean) = path::clean(context.request.path(), &mut scratch) else {
        return text(out, b"");
    };
    let slash = clean.trailing_slash && !clean.path.is_empty();
    let end = if slash { b"/".as_slice() } else { b"" };
    text(out, &[b"/", clean.path, end].concat())
}

fn query_param_matches(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let name = arguments.text(0).trim_matches(' ').as_bytes();
    let value = arguments.text(1).as_bytes();
    let query = context.request.query().unwrap_or_default();
    let found = form::pairs(query)
        .any(|(known, given)| *known == *name && (value == b"*" || *given == *value));
    Ok(Answer::Value(i64::from(found)))
}

fn cookie(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let name = arguments.text(0).trim_matches(' ').as_bytes();
    let lines = context.request.fields().fields().named(b"cookie");
    text(arguments.out(1), cookie_value(lines, name))
}

/// The first cookie of this name. RFC 6265, section 5.4: `name=value` pairs with semicolons between.
fn cookie_value<'a>(lines: impl Iterator<Item = &'a [u8]>, name: &[u8]) -> &'a [u8] {
    let mut pairs = lines.flat_map(|line| line.split(|&byte| byte == b';'));
    let found = pairs.find_map(|pair| {
        let at = memchr::memchr(b'=', pair)?;
        (pair[..at].trim_ascii() == name).then(|| pair[at + 1..].trim_ascii())
    });
    let value = found.unwrap_or_default();
    let quoted = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    quoted.unwrap_or(value)
}

/// A name, a line break, and any bytes as cookies: one line, many lines (HTTP/2) and a line with others in front give the
/// same value, and a value that is written is read again.
///
/// # Panics
/// When that does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_cookie(bytes: &[u8]) {
    let at = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let (name, line) = (
        bytes[..at].trim_ascii(),
        &bytes[(at + 1).min(bytes.len())..],
    );
    let found = cookie_value(std::iter::once(line), name);
    assert!(!found.contains(&b';'));
    let crumbs = line.split(|&byte| byte == b';');
    assert_eq!(cookie_value(crumbs, name), found);
    if name.is_empty() || name.iter().any(|byte| b"=;".contains(byte)) {
        return; // no name of a cookie
    }
    let other = [name, b"_=1; ", line].concat();
    assert_eq!(cookie_value(std::iter::once(&other[..]), name), found);
    let again = [name, b"=\"", found, b"\""].concat();
    assert_eq!(cookie_value(std::iter::once(&again[..]), name), found);
}
