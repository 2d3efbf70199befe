//! Base64 and hexadecimal.

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::prelude::{
    BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD,
};
use zs_script::{Answer, Arguments, HelperResult, Kind, Refusal};

use super::count;
use crate::context::Context;
use crate::table::{ALL, Row, row};

use Kind::{Bytes, InOut, Out, Scalar};

pub(super) const ROWS: &[Row] = &[
    row(
        "zs_base64_encode",
        ALL,
        60,
        &[Bytes, Out, Scalar],
        base64_encode,
    ),
    row(
        "zs_base64_decode_in_place",
        ALL,
        60,
        &[InOut, Scalar],
        base64_decode,
    ),
    row("zs_hex_encode", ALL, 60, &[Bytes, Out, Scalar], hex_encode),
    row("zs_hex_decode_in_place", ALL, 60, &[InOut], hex_decode),
];

/// By the numbers of the header, `ZS_BASE64_STANDARD` first. All are strict: letters, padding, and the bits that are left
/// over in the last letter, which must be zero.
static ALPHABETS: [&GeneralPurpose; 4] = [
    &BASE64_STANDARD,
    &BASE64_STANDARD_NO_PAD,
    &BASE64_URL_SAFE,
    &BASE64_URL_SAFE_NO_PAD,
];

fn alphabet(number: u64) -> Result<&'static GeneralPurpose, Refusal> {
    let found = usize::try_from(number)
        .ok()
        .and_then(|each| ALPHABETS.get(each));
    found
        .copied()
        .ok_or_else(|| format!("{number} is no alphabet of base64").into())
}

/// Half of the ranges' price again: letters take longer than copied bytes.
fn charge(arguments: &mut Arguments<'_>, bytes: usize) {
    arguments.charge(u32::try_from(bytes / 8).unwrap_or(u32::MAX));
}

/// Whether to write, or only to say how much there is.
fn room(out: &[u8], needed: usize) -> Result<bool, Refusal> {
    if !out.is_empty() && out.len() < needed {
        return Err(format!("a buffer of {} bytes for {needed}", out.len()).into());
    }
    Ok(!out.is_empty())
}

fn base64_encode(_: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let alphabet = alphabet(arguments.scalar(2))?;
    let (data, out) = (arguments.bytes(0), arguments.out(1));
    let padded = matches!(arguments.scalar(2), 0 | 2);
    let needed = base64::encoded_len(data.len(), padded).ok_or("too many bytes")?;
    if room(out, needed)? {
        charge(arguments, data.len());
        alphabet
            .encode_slice(data, out)
            .map_err(|error| error.to_string())?;
    }
    Ok(count(needed))
}

fn base64_decode(_: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let alphabet = alphabet(arguments.scalar(1))?;
    let buffer = arguments.out(0);
    charge(arguments, buffer.len());
    let Ok(decoded) = alphabet.decode(&*buffer) else {
        return Ok(Answer::Value(-1));
    };
    buffer[..decoded.len()].copy_from_slice(&decoded);
    Ok(count(decoded.len()))
}

fn hex_encode(_: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let encode = match arguments.scalar(2) {
        0 => base16ct::lower::encode,
        1 => base16ct::upper::encode,
        other => return Err(format!("{other} is no case of letters").into()),
    };
    let (data, out) = (arguments.bytes(0), arguments.out(1));
    let needed = data.len() * 2;
    if room(out, needed)? {
        charge(arguments, data.len());
        encode(data, out).map_err(|error| error.to_string())?;
    }
    Ok(count(needed))
}

#[allow(clippy::unnecessary_wraps, reason = "the form of a helper")]
fn hex_decode(_: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let buffer = arguments.out(0);
    charge(arguments, buffer.len());
    let letters = buffer.to_vec();
    match base16ct::mixed::decode(&letters, buffer) {
        Ok(decoded) => Ok(count(decoded.len())),
        Err(_) => Ok(Answer::Value(-1)),
    }
}
