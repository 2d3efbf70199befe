//! A script's own answer.

use zs_script::{Answer, Arguments, HelperResult, Kind};

use super::mutation::header;
use crate::context::Context;
use crate::field_block::check;
use crate::response::Response;
use crate::table::{R, RH, Row, row};

pub(super) const ROWS: &[Row] = &[
    row("zs_respond", RH, 100, &[Kind::Scalar, Kind::Bytes], respond),
    row(
        "zs_json_respond",
        RH,
        200,
        &[Kind::Scalar, Kind::Handle],
        json_respond,
    ),
    row("zs_response_pending", RH, 10, &[], pending),
    row("zs_response_clear", RH, 10, &[], clear),
    row("zs_abort", R, 20, &[], abort),
    row(
        "zs_res_add_header",
        RH,
        60,
        &[Kind::Text, Kind::Text],
        add_header,
    ),
];

/// What can't be a status is sent as 500.
fn status(given: u64) -> Result<u16, &'static str> {
    match u16::try_from(given) {
        Ok(status @ 100..=999) => Ok(status),
        Ok(_) => Ok(500),
        Err(_) => Err("a status over 65535"),
    }
}

/// The response is there already: an answer comes too late, and has no effect.
const fn in_hook(context: &Context) -> bool {
    context.head.is_some()
}

fn respond(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let status = status(arguments.scalar(0))?;
    if in_hook(context) {
        return Ok(Answer::Value(0));
    }
    let body = arguments.bytes(1);
    context.charge(body.len())?;
    let mut kept = std::mem::take(&mut context.frame.spare_body);
    kept.extend_from_slice(body);
    context.frame.response = Some(Response {
        status,
        body: kept,
        json: false,
    });
    Ok(Answer::Value(0))
}

fn json_respond(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let status = status(arguments.scalar(0))?;
    let handle = arguments.scalar(1).cast_signed();
    let hooked = in_hook(context);
    let Context {
        frame, footprint, ..
    } = context;
    let at = frame.documents.find(handle, footprint)?;
    if hooked {
        return Ok(Answer::Value(0));
    }
    let body = frame.documents.write(at, footprint.left())?;
    arguments.charge(u32::try_from(body.len() / 4).unwrap_or(u32::MAX));
    context.charge(body.len())?;
    context.frame.response = Some(Response {
        status,
        body,
        json: true,
    });
    Ok(Answer::Value(0))
}

fn pending(context: &mut Context, _: &mut Arguments<'_>) -> HelperResult {
    Ok(Answer::Value(context.frame.response.is_some().into()))
}

fn clear(context: &mut Context, _: &mut Arguments<'_>) -> HelperResult {
    context.frame.response = None;
    Ok(Answer::Value(0))
}

/// When the script has returned.
fn abort(context: &mut Context, _: &mut Arguments<'_>) -> HelperResult {
    context.aborted = true;
    Ok(Answer::Value(0))
}

/// Hooks have the head before them; before that there is none.
fn add_header(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let (name, value) = header(context, arguments)?;
    if let Some(head) = &mut context.head {
        head.fields.append(name, value)?;
    } else {
        check(name, value)?;
        let (name, value) = (arguments.text(0).trim_matches(' '), arguments.text(1));
        context.added.push((name.to_owned(), value.to_owned()));
    }
    Ok(Answer::Value(0))
}
