//! JSON documents.

use serde_json::json;
use zs_script::{Answer, Arguments, HelperResult, Kind, Refusal, string_out};

use super::count;
use crate::context::Context;
use crate::json::{At, Scalar};
use crate::step::{Need, Pending, Supply};
use crate::table::{RHI, Row, row};

use Kind::{Bytes, Handle, Out, Text};

pub(super) const ROWS: &[Row] = &[
    row("zs_json_parse", RHI, 200, &[Bytes], parse),
    row("zs_load_static_json", RHI, 500, &[Text], static_json),
    row("zs_load_file_metadata", RHI, 200, &[Text], file_metadata),
    row("zs_json_new_object", RHI, 60, &[], new_object),
    row("zs_json_new_array", RHI, 60, &[], new_array),
    row("zs_json_clone", RHI, 200, &[Handle], clone),
    row("zs_json_reset", RHI, 20, &[Handle], reset),
    row("zs_json_get", RHI, 60, &[Handle, Text], get),
    row(
        "zs_json_array_get",
        RHI,
        40,
        &[Handle, Kind::Scalar],
        array_get,
    ),
    row("zs_json_read_string", RHI, 40, &[Handle, Out], read_string),
    row("zs_json_read_i64", RHI, 40, &[Handle, Out], read_i64),
    row("zs_json_read_bool", RHI, 40, &[Handle, Out], read_bool),
    row("zs_json_len", RHI, 20, &[Handle], len),
    row("zs_json_type", RHI, 20, &[Handle], type_of),
    row("zs_json_set", RHI, 200, &[Handle, Text, Handle], set),
    row("zs_json_remove", RHI, 100, &[Handle, Text], remove),
    row(
        "zs_json_array_push",
        RHI,
        200,
        &[Handle, Handle],
        array_push,
    ),
    row(
        "zs_json_array_set",
        RHI,
        200,
        &[Handle, Kind::Scalar, Handle],
        array_set,
    ),
    row("zs_json_set_string", RHI, 100, &[Handle, Text], set_string),
    row("zs_json_set_i64", RHI, 60, &[Handle, Kind::Scalar], set_i64),
    row(
        "zs_json_set_bool",
        RHI,
        60,
        &[Handle, Kind::Scalar],
        set_bool,
    ),
    row("zs_json_set_null", RHI, 60, &[Handle], set_null),
    row("zs_object_free", RHI, 40, &[Handle], free),
];

/// "There is none", "that is of another type": no reason to end a run.
const NO: HelperResult = Ok(Answer::Value(-1));
const DONE: HelperResult = Ok(Answer::Value(0));

fn at(context: &mut Context, arguments: &Arguments<'_>, number: usize) -> Result<At, Refusal> {
    let handle = arguments.scalar(number).cast_signed();
    context.frame.documents.find(handle, &mut context.footprint)
}

/// A new handle for what was found, if anything was.
fn handle(context: &mut Context, found: Option<At>) -> HelperResult {
    match found {
        Some(at) => Ok(Answer::Value(context.frame.documents.handle(at)?)),
        None => NO,
    }
}

/// Charges for bytes that are copied or let go.
fn charge(arguments: &mut Arguments<'_>, bytes: usize) {
    arguments.charge(u32::try_from(bytes / 16).unwrap_or(u32::MAX));
}

/// Charges for text that is read, and reads it.
fn parsed(context: &mut Context, arguments: &mut Arguments<'_>, text: &[u8]) -> HelperResult {
    arguments.charge(u32::try_from(text.len() / 4).unwrap_or(u32::MAX));
    let documents = &mut context.frame.documents;
    let handle = documents.parse(text, &mut context.footprint)?;
    Ok(Answer::Value(handle.unwrap_or(-1)))
}

fn parse(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let text = arguments.bytes(0);
    parsed(context, arguments, text)
}

/// Suspends the script until the file is there.
fn static_json(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    match context.supplied.take() {
        Some(Supply::File(Some(text))) => parsed(context, arguments, &text),
        Some(_) => NO,
        None => need(context, arguments, Need::File),
    }
}

/// Suspends the script until somebody has looked.
fn file_metadata(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    match context.supplied.take() {
        Some(Supply::FileMetadata(Some(file))) => {
            let value = json!({"etag": file.etag, "mtime": file.mtime, "size": file.size});
            let documents = &mut context.frame.documents;
            let handle = documents.insert(&value, &mut context.footprint)?;
            Ok(Answer::Value(handle))
        }
        Some(_) => NO,
        None => need(context, arguments, Need::FileMetadata),
    }
}

fn need(
    context: &mut Context,
    arguments: &Arguments<'_>,
    need: fn(String) -> Need,
) -> HelperResult {
    let path = arguments.text(0);
    if path.is_empty() {
        return NO;
    }
    context.pending = Some(Pending::Need(need(path.to_owned())));
    Ok(Answer::Suspend)
}

fn new_object(context: &mut Context, _: &mut Arguments<'_>) -> HelperResult {
    let documents = &mut context.frame.documents;
    Ok(Answer::Value(documents.new_object(&mut context.footprint)?))
}

fn new_array(context: &mut Context, _: &mut Arguments<'_>) -> HelperResult {
    let documents = &mut context.frame.documents;
    Ok(Answer::Value(documents.new_array(&mut context.footprint)?))
}

fn clone(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let from = at(context, arguments, 0)?;
    let Context {
        frame, footprint, ..
    } = context;
    charge(arguments, frame.documents.bytes(from));
    let copy = frame.documents.copy(from, footprint)?;
    Ok(Answer::Value(frame.documents.adopt(copy, footprint)?))
}

fn reset(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let handle = arguments.scalar(0).cast_signed();
    let documents = &mut context.frame.documents;
    documents.reset(handle, &mut context.footprint)?;
    DONE
}

fn get(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let at = at(context, arguments, 0)?;
    let found = context.frame.documents.member(at, arguments.text(1));
    handle(context, found)
}

fn array_get(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let at = at(context, arguments, 0)?;
    let found = context.frame.documents.element(at, arguments.scalar(1));
    handle(context, found)
}

fn read_string(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let at = at(context, arguments, 0)?;
    match context.frame.documents.string(at) {
        Some(text) => Ok(Answer::Value(string_out(arguments.out(1), text.as_bytes()))),
        None => NO,
    }
}

/// Writes a value into a buffer of exactly its size.
fn read<const BYTES: usize>(out: &mut [u8], value: Option<[u8; BYTES]>) -> HelperResult {
    if out.len() != BYTES {
        return Err(format!("a buffer of {} bytes, not {BYTES}", out.len()).into());
    }
    match value {
        Some(bytes) => {
            out.copy_from_slice(&bytes);
            Ok(count(BYTES))
        }
        None => NO,
    }
}

fn read_i64(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let at = at(context, arguments, 0)?;
    let value = context.frame.documents.integer(at);
    read(arguments.out(1), value.map(i64::to_le_bytes))
}

fn read_bool(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let at = at(context, arguments, 0)?;
    let value = context.frame.documents.boolean(at);
    read(arguments.out(1), value.map(|value| [u8::from(value)]))
}

fn len(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let at = at(context, arguments, 0)?;
    let len = context.frame.documents.len(at);
    Ok(len.map_or(Answer::Value(-1), count))
}

fn type_of(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let at = at(context, arguments, 0)?;
    Ok(Answer::Value(context.frame.documents.type_of(at)))
}

fn set(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let (to, value) = (at(context, arguments, 0)?, at(context, arguments, 2)?);
    let Context {
        frame, footprint, ..
    } = context;
    let documents = &mut frame.documents;
    let before = documents.member(to, arguments.text(1));
    let let_go = before.map_or(0, |at| documents.bytes(at));
    charge(arguments, documents.bytes(value) + let_go);
    if documents.set_member(to, arguments.text(1), value, footprint)? {
        DONE
    } else {
        NO
    }
}

fn remove(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let at = at(context, arguments, 0)?;
    let Context {
        frame, footprint, ..
    } = context;
    let documents = &mut frame.documents;
    if let Some(member) = documents.member(at, arguments.text(1)) {
        charge(arguments, documents.bytes(member));
    }
    if documents.remove(at, arguments.text(1), footprint)? {
        DONE
    } else {
        NO
    }
}

fn array_push(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let (to, value) = (at(context, arguments, 0)?, at(context, arguments, 1)?);
    let Context {
        frame, footprint, ..
    } = context;
    charge(arguments, frame.documents.bytes(value));
    let len = frame.documents.push(to, value, footprint)?;
    Ok(len.map_or(Answer::Value(-1), count))
}

fn array_set(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let (to, value) = (at(context, arguments, 0)?, at(context, arguments, 2)?);
    let Context {
        frame, footprint, ..
    } = context;
    let documents = &mut frame.documents;
    let Some(element) = documents.element(to, arguments.scalar(1)) else {
        return NO;
    };
    charge(arguments, documents.bytes(value) + documents.bytes(element));
    documents.replace(element, value, footprint)?;
    DONE
}

fn set_string(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let at = at(context, arguments, 0)?;
    let Context {
        frame, footprint, ..
    } = context;
    charge(arguments, frame.documents.bytes(at));
    let text = arguments.text(1);
    frame.documents.set_string(at, text, footprint)?;
    DONE
}

fn set_scalar(
    context: &mut Context,
    arguments: &mut Arguments<'_>,
    scalar: Scalar,
) -> HelperResult {
    let at = at(context, arguments, 0)?;
    let Context {
        frame, footprint, ..
    } = context;
    charge(arguments, frame.documents.bytes(at));
    frame.documents.set_scalar(at, scalar, footprint)?;
    DONE
}

fn set_i64(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let value = arguments.scalar(1).cast_signed();
    set_scalar(context, arguments, Scalar::Integer(value))
}

fn set_bool(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let value = arguments.scalar(1) != 0;
    set_scalar(context, arguments, Scalar::Bool(value))
}

fn set_null(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    set_scalar(context, arguments, Scalar::Null)
}

fn free(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let handle = arguments.scalar(0).cast_signed();
    let documents = &mut context.frame.documents;
    documents.free(handle, &mut context.footprint)?;
    DONE
}
