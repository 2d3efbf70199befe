//! Cryptography.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zs_script::{Answer, Arguments, HelperResult, Kind};

use super::count;
use crate::context::Context;
use crate::table::{ALL, Row, row};

use Kind::{Bytes, Out, OutExactly};

pub(super) const ROWS: &[Row] = &[
    row("zs_getrandom", ALL, 300, &[Out], random),
    row("zs_sha256", ALL, 300, &[Bytes, Out], sha256),
    row(
        "zs_hmac_sha256",
        ALL,
        600,
        &[Bytes, Bytes, OutExactly(32)],
        hmac_sha256,
    ),
    row("zs_constant_time_eq", ALL, 20, &[Bytes, Bytes], equal),
];

const DIGEST_BYTES: usize = 32;

/// Hashing takes more than the one unit for 16 bytes that the table charges: about a nanosecond a byte without the processor's
/// own instructions.
fn charge(arguments: &mut Arguments<'_>, bytes: usize) {
    arguments.charge(u32::try_from(bytes).unwrap_or(u32::MAX));
}

/// The system's, each time: a generator of our own would have to be seeded anew after a fork.
fn random(_: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let out = arguments.out(0);
    charge(arguments, out.len());
    getrandom::fill(out).map_err(|error| format!("no random bytes: {error}"))?;
    Ok(count(out.len()))
}

fn sha256(_: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let (data, out) = (arguments.bytes(0), arguments.out(1));
    if out.len() != DIGEST_BYTES {
        let reason = format!("a buffer of {} bytes, not {DIGEST_BYTES}", out.len());
        return Err(reason.into());
    }
    charge(arguments, data.len());
    out.copy_from_slice(&Sha256::digest(data));
    Ok(count(DIGEST_BYTES))
}

fn hmac_sha256(_: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let (key, message) = (arguments.bytes(0), arguments.bytes(1));
    charge(arguments, key.len() + message.len());
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| "no key for HMAC")?;
    hmac.update(message);
    arguments
        .out(2)
        .copy_from_slice(&hmac.finalize().into_bytes());
    Ok(count(DIGEST_BYTES))
}

/// Lengths are no secret.
#[allow(clippy::unnecessary_wraps, reason = "the form of a helper")]
fn equal(_: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let equal = arguments.bytes(0).ct_eq(arguments.bytes(1));
    Ok(Answer::Value(i64::from(equal.unwrap_u8())))
}
