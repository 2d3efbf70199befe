//! Memory functions: compilers can't emit them for eBPF, so they are helpers.

use zs_script::{Answer, HelperResult, Memory, Refusal};

use crate::context::Context;
use crate::table::{ALL, Row, raw};

pub(super) const ROWS: &[Row] = &[
    raw("zs_memcpy", ALL, 8, 3, copy),
    raw("memcpy", ALL, 8, 3, copy),
    raw("zs_memset", ALL, 8, 3, set),
    raw("memset", ALL, 8, 3, set),
    raw("zs_memcmp", ALL, 8, 3, compare),
];

type Registers = [u64; 5];

fn outside(bytes: u64) -> Refusal {
    Refusal(format!(
        "{bytes} bytes at this pointer lie outside of the script's memory"
    ))
}

fn copy(
    _: &mut Context,
    memory: &mut Memory<'_>,
    [to, from, bytes, ..]: Registers,
) -> HelperResult {
    memory
        .copy_within(to, from, bytes)
        .ok_or_else(|| outside(bytes))?;
    Ok(Answer::Value(to.cast_signed()))
}

fn set(
    _: &mut Context,
    memory: &mut Memory<'_>,
    [to, value, bytes, ..]: Registers,
) -> HelperResult {
    let target = memory.bytes_mut(to, bytes).ok_or_else(|| outside(bytes))?;
    target.fill(value.to_le_bytes()[0]);
    Ok(Answer::Value(to.cast_signed()))
}

/// Looks at all bytes, wherever the first difference is: scripts compare secrets with it.
fn compare(_: &mut Context, memory: &mut Memory<'_>, [a, b, bytes, ..]: Registers) -> HelperResult {
    let (a, b) = (memory.bytes(a, bytes), memory.bytes(b, bytes));
    let (a, b) = a.zip(b).ok_or_else(|| outside(bytes))?;
    let mut difference = 0i64;
    for (a, b) in a.iter().zip(b).rev() {
        let each = i64::from(*a) - i64::from(*b);
        let differs = -i64::from(each != 0);
        difference = (difference & !differs) | (each & differs);
    }
    Ok(Answer::Value(difference))
}
