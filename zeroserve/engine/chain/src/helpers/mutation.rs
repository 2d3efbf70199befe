//! Changes of the request that later scripts, the file lookup and the proxied request see.

use zs_proto::field::is_name;
use zs_script::{Answer, Arguments, HelperResult, Kind, Refusal};

use crate::context::Context;
use crate::field_block::FieldBlock;
use crate::replacement::Operation;
use crate::table::{R, Row, row};
use crate::uri;

pub(super) const ROWS: &[Row] = &[
    row("zs_req_set_uri", R, 100, &[Kind::Text], set_uri),
    row("zs_req_set_method", R, 40, &[Kind::Text], set_method),
    row(
        "zs_req_set_header",
        R,
        60,
        &[Kind::Text, Kind::Text],
        set_header,
    ),
    row(
        "zs_req_append_header",
        R,
        60,
        &[Kind::Text, Kind::Text],
        append_header,
    ),
    row("zs_req_delete_header", R, 60, &[Kind::Text], delete_header),
    row(
        "zs_req_replace_header",
        R,
        400,
        &[Kind::Text],
        replace_header,
    ),
];

fn set_uri(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    put_target(context, arguments.text(0).as_bytes())?;
    Ok(Answer::Value(0))
}

/// The new target, charged for.
pub(super) fn put_target(context: &mut Context, uri: &[u8]) -> Result<(), Refusal> {
    context.charge(uri.len())?;
    let target = uri::target(uri);
    let (path, query) = target.ok_or("not a URI: it is empty, or has a space or a control byte")?;
    context.request.set_target(&path, query);
    Ok(())
}

fn set_method(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let method = arguments.text(0).as_bytes();
    if !is_name(method) {
        return Err("not a method: it is empty, or has a byte that no token has".into());
    }
    context.charge(method.len())?;
    context.request.set_method(method);
    Ok(Answer::Value(0))
}

/// Name and value of a header that is written, charged for.
pub(super) fn header<'a>(
    context: &mut Context,
    arguments: &Arguments<'a>,
) -> Result<(&'a [u8], &'a [u8]), Refusal> {
    let (name, value) = (arguments.text(0).trim_matches(' '), arguments.text(1));
    context.charge(name.len() + value.len())?;
    Ok((name.as_bytes(), value.as_bytes()))
}

fn set_header(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let (name, value) = header(context, arguments)?;
    context.request.fields_mut().set(name, value)?;
    Ok(Answer::Value(0))
}

fn append_header(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let (name, value) = header(context, arguments)?;
    context.request.fields_mut().append(name, value)?;
    Ok(Answer::Value(0))
}

fn delete_header(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let pattern = arguments.text(0).trim_matches(' ').to_ascii_lowercase();
    let keep = |name: &[u8]| !matches(pattern.as_bytes(), &name.to_ascii_lowercase());
    context.request.fields_mut().retain(keep);
    Ok(Answer::Value(0))
}

/// A name, or one with a star in front, behind or both.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.strip_prefix(b"*"), pattern.strip_suffix(b"*")) {
        (Some([]), _) => true,
        (Some(_), Some(_)) => {
            let middle = &pattern[1..pattern.len() - 1];
            memchr::memmem::find(name, middle).is_some()
        }
        (Some(end), None) => name.ends_with(end),
        (None, Some(beginning)) => name.starts_with(beginning),
        (None, None) => name == pattern,
    }
}

fn replace_header(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let bytes = replace_values(context.request.fields_mut(), arguments)?;
    context.charge(bytes)?;
    Ok(Answer::Value(0))
}

/// Changes the values of a name, as the first argument says. The bytes that all lines have now.
pub(super) fn replace_values(
    fields: &mut FieldBlock,
    arguments: &mut Arguments<'_>,
) -> Result<usize, Refusal> {
    let operation: Operation = operation(arguments)?;
    let replacement = operation.replacement()?;
    let name = operation.name.trim_matches(' ').as_bytes();
    fields.change(name, |value| replacement.apply(value))?;
    let bytes = fields.as_bytes().len();
    arguments.charge(u32::try_from(bytes).unwrap_or(u32::MAX));
    Ok(bytes)
}

/// The first argument as JSON.
pub(super) fn operation<T: serde::de::DeserializeOwned>(
    arguments: &mut Arguments<'_>,
) -> Result<T, Refusal> {
    let text = arguments.text(0);
    // Expressions may have to be compiled.
    arguments.charge(u32::try_from(text.len() * 8).unwrap_or(u32::MAX));
    if !text.trim_ascii_start().starts_with('{') {
        return Err("not such an operation: no JSON object".into()); // serde takes arrays for structures, too
    }
    serde_json::from_str(text).map_err(|error| format!("not such an operation: {error}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, wanted) in [
            ("*", "x", true),
            ("**", "x", true),
            ("x-*", "x-a", true),
            ("x-*", "ax-", false),
            ("*-id", "x-id", true),
            ("*-id", "x-id-", false),
            ("*a*", "xay", true),
            ("*a*", "xy", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("a*b", "acb", false),
            ("", "a", false),
        ] {
            let found = matches(pattern.as_bytes(), name.as_bytes());
            assert_eq!(found, wanted, "{pattern} {name}");
        }
    }
}
