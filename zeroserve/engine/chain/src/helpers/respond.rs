//! A script's own answer.

use zs_script::{Answer, Arguments, HelperResult, Kind};

use crate::context::Context;
use crate::response::Response;
use crate::table::{R, Row, row};

pub(super) const ROWS: &[Row] = &[
    row("zs_respond", R, 100, &[Kind::Scalar, Kind::Bytes], respond),
    row(
        "zs_json_respond",
        R,
        200,
        &[Kind::Scalar, Kind::Handle],
        json_respond,
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

fn respond(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let status = status(arguments.scalar(0))?;
    let body = arguments.bytes(1);
    context.charge(body.len())?;
    context.frame.response = Some(Response {
        status,
        body: body.to_vec(),
        json: false,
    });
    Ok(Answer::Value(0))
}

fn json_respond(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let status = status(arguments.scalar(0))?;
    let handle = arguments.scalar(1).cast_signed();
    let body = context
        .frame
        .documents
        .value(handle)?
        .to_string()
        .into_bytes();
    arguments.charge(u32::try_from(body.len() / 4).unwrap_or(u32::MAX));
    context.charge(body.len())?;
    context.frame.response = Some(Response {
        status,
        body,
        json: true,
    });
    Ok(Answer::Value(0))
}
