//! Calls between scripts.

use zs_script::{Answer, Arguments, HelperResult, Kind};

use crate::context::Context;
use crate::step::Pending;
use crate::table::{RH, Row, row};

pub(super) const ROWS: &[Row] = &[row(
    "zs_call",
    RH,
    200,
    &[Kind::Text, Kind::Text, Kind::Handle],
    call,
)];

/// Suspends the script; the execution runs the target and answers with its result.
fn call(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let Context {
        frame, footprint, ..
    } = context;
    let documents = &mut frame.documents;
    let at = documents.find(arguments.scalar(2).cast_signed(), footprint)?;
    let argument = documents.copy(at, footprint)?;
    context.pending = Some(Pending::Call {
        script: arguments.text(0).to_owned(),
        function: arguments.text(1).to_owned(),
        argument,
    });
    Ok(Answer::Suspend)
}
