//! Response hooks: call targets that look at a response's head before it goes out, and what they can do there.

use zs_script::{Answer, Arguments, HelperResult, Kind, Refusal};

use super::mutation::replace_values;
use super::request::text;
use crate::context::Context;
use crate::response::{Hook, ResponseHead};
use crate::table::{H, RH, Row, row};

pub(super) const ROWS: &[Row] = &[
    row(
        "zs_res_hook",
        RH,
        200,
        &[Kind::Text, Kind::Text, Kind::Handle],
        hook,
    ),
    row("zs_res_hooks_clear", RH, 10, &[], hooks_clear),
    row("zs_res_status", H, 10, &[], status),
    row("zs_res_set_status", H, 20, &[Kind::Scalar], set_status),
    row("zs_res_header", H, 40, &[Kind::Text, Kind::Out], header),
    row(
        "zs_res_replace_header",
        H,
        400,
        &[Kind::Text],
        replace_header,
    ),
    row("zs_res_continue_request", H, 20, &[], continue_request),
];

/// What a hook takes beside its names and its argument.
const HOOK_BYTES: usize = 64;

fn hook(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let (script, function) = (arguments.text(0), arguments.text(1));
    let script = if script.is_empty() {
        &*context.frame.script
    } else {
        script
    };
    let script = script.to_owned();
    context.charge(HOOK_BYTES + script.len() + function.len())?;
    let Context {
        frame, footprint, ..
    } = context;
    let documents = &mut frame.documents;
    let at = documents.find(arguments.scalar(2).cast_signed(), footprint)?;
    let argument = documents.copy(at, footprint)?;
    context.hooks.push_back(Hook {
        script,
        function: function.to_owned(),
        argument,
    });
    Ok(Answer::Value(0))
}

fn hooks_clear(context: &mut Context, _: &mut Arguments<'_>) -> HelperResult {
    for mut hook in context.hooks.drain(..) {
        hook.argument.release(&mut context.footprint);
    }
    Ok(Answer::Value(0))
}

fn head(context: &mut Context) -> Result<&mut ResponseHead, Refusal> {
    context
        .head
        .as_mut()
        .ok_or_else(|| "there is no response yet".into())
}

fn status(context: &mut Context, _: &mut Arguments<'_>) -> HelperResult {
    Ok(Answer::Value(head(context)?.status.into()))
}

fn set_status(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let Ok(status @ 100..=999) = u16::try_from(arguments.scalar(0)) else {
        return Err("a status outside of 100 to 999".into());
    };
    head(context)?.status = status;
    Ok(Answer::Value(0))
}

fn header(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let name = arguments.text(0).trim_matches(' ').as_bytes();
    let value = head(context)?.fields.last(name);
    text(arguments.out(1), value.unwrap_or_default())
}

fn replace_header(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let bytes = replace_values(&mut head(context)?.fields, arguments)?;
    context.charge(bytes)?;
    Ok(Answer::Value(0))
}

/// When the hook has returned.
fn continue_request(context: &mut Context, _: &mut Arguments<'_>) -> HelperResult {
    context.continue_request = true;
    Ok(Answer::Value(0))
}
