//! What the request is.

use zs_proto::path;
use zs_script::{Answer, Arguments, HelperResult, Kind, string_out};

use crate::context::Context;
use crate::form;
use crate::table::{R, RH, Row, row};

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
    row("zs_req_scheme", RH, 10, &[Kind::Out], scheme),
    row("zs_req_peer", RH, 40, &[Kind::Out], peer),
    row("zs_req_header", RH, 40, &[Kind::Text, Kind::Out], header),
    row(
        "zs_req_set_header",
        R,
        60,
        &[Kind::Text, Kind::Text],
        set_header,
    ),
];

/// The value of a text helper.
#[allow(clippy::unnecessary_wraps, reason = "the form that helpers end with")]
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

fn scheme(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let scheme = if context.request.connection.tls {
        "https"
    } else {
        "http"
    };
    text(arguments.out(0), scheme.as_bytes())
}

fn peer(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let peer = context.request.connection.peer.to_string();
    text(arguments.out(0), peer.as_bytes())
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

fn set_header(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let (name, value) = (arguments.text(0).trim_matches(' '), arguments.text(1));
    context.charge(name.len() + value.len())?;
    context
        .request
        .fields_mut()
        .set(name.as_bytes(), value.as_bytes())?;
    Ok(Answer::Value(0))
}
