//! The map that all scripts of a request share.

use zs_script::{Answer, Arguments, HelperResult, Kind};

use super::request::text;
use crate::context::Context;
use crate::table::{RHT, Row, row};

pub(super) const ROWS: &[Row] = &[
    row("zs_meta_set", RHT, 60, &[Kind::Text, Kind::Text], set),
    row("zs_meta_get", RHT, 40, &[Kind::Text, Kind::Out], get),
];

fn set(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let (key, value) = (arguments.text(0).trim_matches(' '), arguments.text(1));
    if key.is_empty() {
        return Err("an empty key".into());
    }
    context.charge(key.len() + value.len())?;
    context.metadata.set(key, value);
    Ok(Answer::Value(0))
}

fn get(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let key = arguments.text(0).trim_matches(' ');
    let value = context.metadata.get(key).unwrap_or_default();
    text(arguments.out(1), value.as_bytes())
}
