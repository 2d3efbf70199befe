//! The request's body, for scripts that ask for it.

use zs_script::{Answer, Arguments, HelperResult, Kind};

use crate::context::{Body, Context};
use crate::step::{Need, Pending};
use crate::table::{R, Row, row};

pub(super) const ROWS: &[Row] = &[
    row("zs_req_body_json", R, 200, &[], body_json),
    row("zs_req_body", R, 200, &[Kind::Out], body),
    row("zs_req_body_limit", R, 20, &[Kind::Scalar], body_limit),
];

/// Suspends the script until the body is there.
pub(super) fn wanted(context: &mut Context) -> bool {
    let unread = context.body == Body::Unread;
    if unread {
        let limit = context.body_limit;
        context.pending = Some(Pending::Need(Need::Body { limit }));
    }
    unread
}

fn body_json(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    if wanted(context) {
        return Ok(Answer::Suspend);
    }
    let Body::Bytes(bytes) = &context.body else {
        return Ok(Answer::Value(-1));
    };
    arguments.charge(u32::try_from(bytes.len() / 4).unwrap_or(u32::MAX));
    let documents = &mut context.frame.documents;
    let handle = documents.parse(bytes, &mut context.footprint)?;
    Ok(Answer::Value(handle.unwrap_or(-1)))
}

/// As many bytes as fit; the length is that of the whole.
fn body(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    if wanted(context) {
        return Ok(Answer::Suspend);
    }
    let Body::Bytes(bytes) = &context.body else {
        return Ok(Answer::Value(-1));
    };
    let out = arguments.out(0);
    let fitting = bytes.len().min(out.len());
    out[..fitting].copy_from_slice(&bytes[..fitting]);
    Ok(Answer::Value(bytes.len() as i64))
}

/// Lowers the limit, and says whether the length that was announced is above it.
fn body_limit(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let limit = arguments.scalar(0);
    let bytes = usize::try_from(limit).unwrap_or(usize::MAX);
    context.body_limit = context.body_limit.min(bytes);
    let announced = context.request.fields().last(b"content-length");
    let announced = announced.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    let above = announced.is_some_and(|length: u64| length > limit);
    Ok(Answer::Value(i64::from(above)))
}
