//! The first oracle: eBPF by the book (RFC 9669), one instruction at a time, over an arena of its own.
//! Written from the standard, sharing nothing with the translator but the layout of the arena.

use zs_script::instruction::Instruction;
use zs_script::layout::{ARENA_BYTES, IMAGE_START, POINTER_TAG, frame_top};
use zs_script::program::Program;

pub(crate) struct Interpreter<'a> {
    program: &'a Program,
    pub memory: Vec<u8>,
    /// Steps that are left; a program that uses them up is not compared.
    pub steps: u64,
    pub trace: Vec<[u64; 5]>,
}

impl<'a> Interpreter<'a> {
    pub(crate) fn new(program: &'a Program, steps: u64) -> Self {
        let mut memory = vec![0; ARENA_BYTES + 8]; // the widest access at the last byte
        memory[IMAGE_START..][..program.image.len()].copy_from_slice(&program.image);
        Self {
            program,
            memory,
            steps,
            trace: Vec::new(),
        }
    }

    /// r0 of a function; `None`: out of steps.
    pub(crate) fn call(&mut self, function: usize, arguments: [u64; 5]) -> Option<u64> {
        let code = &self.program.functions[function].code;
        let mut r = [0u64; 11];
        r[1..=5].copy_from_slice(&arguments);
        r[10] = POINTER_TAG + frame_top(self.program.functions[function].depth) as u64;
        let mut pc = 0;
        loop {
            self.steps = self.steps.checked_sub(1)?;
            let i = code[pc];
            pc += 1;
            match i.opcode & 7 {
                0 => {
                    r[i.dst as usize] =
                        u64::from(i.imm as u32) | u64::from(code[pc].imm as u32) << 32;
                    pc += 1;
                }
                1..=3 => self.memory_access(i, &mut r),
                4 | 7 => r[i.dst as usize] = compute(i, r[i.dst as usize], r[i.src as usize]),
                _ if i.opcode == 0x95 => return Some(r[0]),
                _ if i.opcode == 0x85 && i.src == 1 => {
                    r[0] = self.call(i.imm as usize, [r[1], r[2], r[3], r[4], r[5]])?;
                }
                _ if i.opcode == 0x85 => {
                    let registers = [r[1], r[2], r[3], r[4], r[5]];
                    self.trace.push(registers);
                    r[0] = super::host::mix(registers);
                }
                _ => pc = jump(i, &r, pc),
            }
        }
    }

    fn memory_access(&mut self, i: Instruction, r: &mut [u64; 11]) {
        let width = [4, 2, 1, 8][(i.opcode >> 3 & 3) as usize];
        let base = if i.opcode & 7 == 1 {
            r[i.src as usize]
        } else {
            r[i.dst as usize]
        };
        let at = base.wrapping_add(i.offset as i64 as u64) as usize % ARENA_BYTES;
        let old = (0..width).fold(0, |sum, byte| {
            sum | u64::from(self.memory[at + byte]) << (8 * byte)
        });
        let keep = if width == 8 {
            u64::MAX
        } else {
            (1 << (8 * width)) - 1
        };
        let source = r[i.src as usize];
        let new = match (i.opcode & 7, i.opcode & 0xe0) {
            (1, 0x80) => {
                let up = 64 - 8 * width as u32;
                r[i.dst as usize] = ((old << up) as i64 >> up) as u64;
                return;
            }
            (1, _) => {
                r[i.dst as usize] = old;
                return;
            }
            (2, _) => i.imm as i64 as u64,
            (_, 0x60) => source,
            _ => match i.imm {
                0x00 | 0x01 => old.wrapping_add(source),
                0x40 | 0x41 => old | source,
                0x50 | 0x51 => old & source,
                0xa0 | 0xa1 => old ^ source,
                0xe1 => source,
                _ => {
                    if old == r[0] & keep {
                        source
                    } else {
                        old
                    }
                }
            },
        };
        for byte in 0..width {
            self.memory[at + byte] = (new >> (8 * byte)) as u8;
        }
        if i.opcode & 7 == 3 && i.opcode & 0xe0 == 0xc0 && i.imm & 1 == 1 {
            r[if i.imm == 0xf1 { 0 } else { i.src as usize }] = old;
        }
    }
}

fn compute(i: Instruction, dst: u64, src: u64) -> u64 {
    let wide = i.opcode & 7 == 7;
    if i.opcode & 0xf0 == 0xd0 {
        let value = if wide || i.opcode & 8 != 0 {
            dst.swap_bytes() >> (64 - i.imm)
        } else {
            dst
        };
        return if i.imm == 64 {
            value
        } else {
            value & ((1 << i.imm) - 1)
        };
    }
    let b = if i.opcode & 8 != 0 {
        src
    } else {
        i.imm as i64 as u64
    };
    if wide {
        compute64(i, dst, b)
    } else {
        u64::from(compute32(i, dst as u32, b as u32))
    }
}

fn compute64(i: Instruction, a: u64, b: u64) -> u64 {
    let signed = i.offset == 1;
    match i.opcode & 0xf0 {
        0x00 => a.wrapping_add(b),
        0x10 => a.wrapping_sub(b),
        0x20 => a.wrapping_mul(b),
        0x30 if b == 0 => 0,
        0x30 if signed => (a as i64).wrapping_div(b as i64) as u64,
        0x30 => a / b,
        0x40 => a | b,
        0x50 => a & b,
        0x60 => a << (b & 63),
        0x70 => a >> (b & 63),
        0x80 => (a as i64).wrapping_neg() as u64,
        0x90 if b == 0 => a,
        0x90 if signed => (a as i64).wrapping_rem(b as i64) as u64,
        0x90 => a % b,
        0xa0 => a ^ b,
        0xb0 => match i.offset {
            8 => b as i8 as i64 as u64,
            16 => b as i16 as i64 as u64,
            32 => b as i32 as i64 as u64,
            _ => b,
        },
        _ => (a as i64 >> (b & 63)) as u64,
    }
}

fn compute32(i: Instruction, a: u32, b: u32) -> u32 {
    let signed = i.offset == 1;
    match i.opcode & 0xf0 {
        0x00 => a.wrapping_add(b),
        0x10 => a.wrapping_sub(b),
        0x20 => a.wrapping_mul(b),
        0x30 if b == 0 => 0,
        0x30 if signed => (a as i32).wrapping_div(b as i32) as u32,
        0x30 => a / b,
        0x40 => a | b,
        0x50 => a & b,
        0x60 => a << (b & 31),
        0x70 => a >> (b & 31),
        0x80 => (a as i32).wrapping_neg() as u32,
        0x90 if b == 0 => a,
        0x90 if signed => (a as i32).wrapping_rem(b as i32) as u32,
        0x90 => a % b,
        0xa0 => a ^ b,
        0xb0 => match i.offset {
            8 => b as i8 as i32 as u32,
            16 => b as i16 as i32 as u32,
            _ => b,
        },
        _ => (a as i32 >> (b & 31)) as u32,
    }
}

fn jump(i: Instruction, r: &[u64; 11], next: usize) -> usize {
    let wide = i.opcode & 7 == 5;
    let a = r[i.dst as usize];
    let b = if i.opcode & 8 != 0 {
        r[i.src as usize]
    } else {
        i.imm as i64 as u64
    };
    let (a, b) = if wide {
        (a, b)
    } else {
        (u64::from(a as u32), u64::from(b as u32))
    };
    let (sa, sb) = if wide {
        (a as i64, b as i64)
    } else {
        (i64::from(a as i32), i64::from(b as i32))
    };
    let taken = match i.opcode & 0xf0 {
        0x00 => true,
        0x10 => a == b,
        0x20 => a > b,
        0x30 => a >= b,
        0x40 => a & b != 0,
        0x50 => a != b,
        0x60 => sa > sb,
        0x70 => sa >= sb,
        0xa0 => a < b,
        0xb0 => a <= b,
        0xc0 => sa < sb,
        _ => sa <= sb,
    };
    let distance = if i.opcode == 0x06 {
        i64::from(i.imm)
    } else {
        i64::from(i.offset)
    };
    if taken {
        (next as i64 + distance) as usize
    } else {
        next
    }
}
