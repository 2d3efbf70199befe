//! Log, time, environment, version.

use zs_script::{Answer, Arguments, HelperResult, Kind, string_out};

use crate::context::{Context, Frame};
use crate::table::{ALL, Row, row};

pub(super) const ROWS: &[Row] = &[
    row("zs_log", ALL, 100, &[Kind::Bytes], log),
    row("zs_now_ms", ALL, 20, &[], now_ms),
    row("zs_version", ALL, 20, &[Kind::Out], version),
    row("zs_env_get", ALL, 60, &[Kind::Text, Kind::Out], env_get),
];

fn log(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let bytes = arguments.bytes(0);
    context.charge(bytes.len())?;
    let Frame { script, tail, .. } = &mut context.frame;
    tail.write(script, bytes, &mut context.lines);
    Ok(Answer::Value(0))
}

fn now_ms(context: &mut Context, _: &mut Arguments<'_>) -> HelperResult {
    Ok(Answer::Value(context.now.unix_ms.cast_signed()))
}

fn env_get(_: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let name = arguments.text(0).trim_matches(' ');
    // These would be no names at all, and the standard library panics on some.
    let sound = !name.is_empty() && !name.contains(['=', '\0']);
    let value = sound.then(|| std::env::var_os(name)).flatten();
    let value = value.unwrap_or_default();
    Ok(Answer::Value(string_out(
        arguments.out(1),
        value.as_encoded_bytes(),
    )))
}

fn version(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let version = context.services.version;
    Ok(Answer::Value(string_out(
        arguments.out(0),
        version.as_bytes(),
    )))
}
