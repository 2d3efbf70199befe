//! The light verifier. It proves what the translator takes for granted: every opcode is known, every
//! register exists, `r10` is never written, every jump lands on an instruction of its own function, no
//! path runs off the end. What addresses a program uses is not its business: the cage sees to that.
//!
//! Taken: eBPF v3 with all its atomics, and v4 (signed division, sign-extending moves and loads, `bswap`,
//! long jumps). Refused: the legacy packet loads, calls through a register, map references.

use crate::error::LoadErrorKind;
use crate::instruction::{FRAME_POINTER, Instruction, alu, atomic, class, jump, mode};
use crate::program::Function;

type Verdict<T> = Result<T, (usize, LoadErrorKind)>;

/// Checks one function.
///
/// # Errors
/// The slot at fault and the reason.
pub(crate) fn verify(function: &Function, functions: usize, helpers: usize) -> Verdict<()> {
    let code = &function.code;
    let starts = instruction_starts(code)?;
    let mut last = 0;
    for (slot, each) in code.iter().enumerate().filter(|(slot, _)| starts[*slot]) {
        check(*each, functions, helpers).map_err(|why| bad(slot, why))?;
        if let Some(distance) = each.jump_distance() {
            let target = slot as i64 + 1 + distance;
            let lands = usize::try_from(target).ok().and_then(|at| starts.get(at));
            match lands {
                Some(true) => {}
                Some(false) => return Err(bad(slot, "jump into the middle of an instruction")),
                None => return Err(bad(slot, "jump out of the function")),
            }
        }
        last = slot;
    }
    match code.get(last) {
        Some(each) if each.ends_block() => Ok(()),
        _ => Err(bad(last, "the function runs off its end")),
    }
}

fn bad(slot: usize, why: impl Into<String>) -> (usize, LoadErrorKind) {
    (slot, LoadErrorKind::BadInstruction(why.into()))
}

/// Which slots begin an instruction: all but the second halves of wide loads.
fn instruction_starts(code: &[Instruction]) -> Verdict<Vec<bool>> {
    let mut starts = vec![true; code.len()];
    let mut slot = 0;
    while slot < code.len() {
        if code[slot].is_wide() {
            let rest = code
                .get(slot + 1)
                .ok_or_else(|| bad(slot, "half of a wide load"))?;
            if (rest.opcode, rest.dst, rest.src, rest.offset) != (0, 0, 0, 0) {
                return Err(bad(slot, "second half of a wide load is something else"));
            }
            starts[slot + 1] = false;
            slot += 1;
        }
        slot += 1;
    }
    Ok(starts)
}

fn check(each: Instruction, functions: usize, helpers: usize) -> Result<(), String> {
    if each.dst > FRAME_POINTER || each.src > FRAME_POINTER {
        return Err("no such register".to_owned());
    }
    let known = match each.class() {
        class::LOAD => each.is_wide() && each.src == 0 && each.offset == 0,
        class::LOAD_MEMORY => loads(each),
        class::STORE => each.mode() == mode::MEMORY && each.src == 0,
        class::STORE_REGISTER => stores(each),
        class::ALU32 | class::ALU64 => computes(each),
        _ => return jumps(each, functions, helpers),
    };
    if !known {
        return Err(format!("unknown instruction {:#04x}", each.opcode));
    }
    let writes = matches!(
        each.class(),
        class::LOAD | class::LOAD_MEMORY | class::ALU32 | class::ALU64
    );
    let fetches = each.class() == class::STORE_REGISTER && each.mode() == mode::ATOMIC;
    if writes && each.dst == FRAME_POINTER || fetches && each.src == FRAME_POINTER {
        return Err("write to the frame pointer".to_owned());
    }
    Ok(())
}

fn loads(each: Instruction) -> bool {
    match each.mode() {
        mode::MEMORY => each.imm == 0,
        mode::SIGNED => each.imm == 0 && each.width() < 8,
        _ => false,
    }
}

fn stores(each: Instruction) -> bool {
    match each.mode() {
        mode::MEMORY => each.imm == 0,
        mode::ATOMIC => {
            let known = matches!(
                each.imm & !atomic::FETCH,
                atomic::ADD | atomic::OR | atomic::AND | atomic::XOR
            );
            let exchange = matches!(each.imm, atomic::EXCHANGE | atomic::COMPARE_EXCHANGE);
            each.width() >= 4 && (known || exchange)
        }
        _ => false,
    }
}

fn computes(each: Instruction) -> bool {
    let wide = each.class() == class::ALU64;
    let unused_is_zero = if each.takes_register() {
        each.imm == 0
    } else {
        each.src == 0
    };
    match each.operation() {
        alu::END => {
            let order = each.src == 0 && each.offset == 0 && matches!(each.imm, 16 | 32 | 64);
            order && !(wide && each.takes_register())
        }
        alu::NEG => !each.takes_register() && each.src == 0 && each.offset == 0 && each.imm == 0,
        alu::DIV | alu::MOD => unused_is_zero && matches!(each.offset, 0 | 1),
        alu::MOV => {
            let extends = matches!(each.offset, 8 | 16) || wide && each.offset == 32;
            unused_is_zero && (each.offset == 0 || each.takes_register() && extends)
        }
        alu::ADD
        | alu::SUB
        | alu::MUL
        | alu::OR
        | alu::AND
        | alu::LSH
        | alu::RSH
        | alu::XOR
        | alu::ARSH => unused_is_zero && each.offset == 0,
        _ => false,
    }
}

fn jumps(each: Instruction, functions: usize, helpers: usize) -> Result<(), String> {
    let unknown = || Err(format!("unknown instruction {:#04x}", each.opcode));
    let long = each.class() == class::JUMP32;
    match each.operation() {
        jump::CALL | jump::EXIT if long => unknown(),
        jump::CALL => {
            if each.takes_register() {
                return Err("call through a register".to_owned());
            }
            let limit = if each.src == 1 { functions } else { helpers };
            let target = usize::try_from(each.imm).ok().filter(|&each| each < limit);
            let plain = each.src <= 1 && each.dst == 0 && each.offset == 0;
            if target.is_none() || !plain {
                Err("call of nothing".to_owned())
            } else {
                Ok(())
            }
        }
        jump::EXIT | jump::ALWAYS if each.takes_register() => unknown(),
        jump::EXIT => {
            let plain = (each.dst, each.src, each.offset, each.imm) == (0, 0, 0, 0);
            if plain { Ok(()) } else { unknown() }
        }
        jump::ALWAYS => {
            let unused = if long {
                each.offset == 0
            } else {
                each.imm == 0
            };
            if unused && (each.dst, each.src) == (0, 0) {
                Ok(())
            } else {
                unknown()
            }
        }
        0xe0 | 0xf0 => unknown(),
        _ if each.takes_register() && each.imm != 0 => unknown(),
        _ if !each.takes_register() && each.src != 0 => unknown(),
        _ => Ok(()),
    }
}
