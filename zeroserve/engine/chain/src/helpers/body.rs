//! The request's body, for scripts that ask for it.

use serde_json::Value;
use zs_script::{Answer, Arguments, HelperResult};

use crate::context::{Body, Context};
use crate::execution::{Need, Pending};
use crate::table::{R, Row, row};

pub(super) const ROWS: &[Row] = &[row("zs_req_body_json", R, 200, &[], body_json)];

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
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return Ok(Answer::Value(-1));
    };
    let handle = context
        .frame
        .documents
        .insert(value, &mut context.footprint)?;
    Ok(Answer::Value(handle))
}
