//! Random valid programs. Every bit comes from one seed.

use zs_script::instruction::Instruction;
use zs_script::layout::{IMAGE_START, pointer};
use zs_script::program::{Entry, Function, Program};

/// xorshift64*: small, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 33) % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// Numbers at which arithmetic goes wrong, and others.
    pub(crate) fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => self.pick(&[
                0,
                1,
                2,
                u64::MAX,
                1 << 63,
                i64::MAX as u64,
                1 << 31,
                u64::from(u32::MAX),
                0xffff_ffff_8000_0000,
            ]),
            1 => pointer(self.below(512 << 10) as usize),
            2 => self.below(256),
            _ => self.next(),
        }
    }
}

/// Words of a frame that begin with a register's value: those that most loads are of.
const FILLED: u8 = 26;

/// What a program may have.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Registers that it uses, beside the frame pointer.
    pub registers: u8,
    /// Functions call the next one only: a frame's place is the same whether it is fixed for each function or counted at
    /// each call.
    pub next_only: bool,
}

impl Shape {
    /// All that the standard has.
    pub(crate) const ALL: Self = Self {
        registers: 10,
        next_only: false,
    };
}

/// Functions that call only later ones, over an image of random bytes. Loops are common and may not end.
pub(crate) fn program_of(random: &mut Random, shape: Shape) -> Program {
    let count = 1 + random.below(3) as usize;
    let image: Vec<u8> = (0..random.below(3000))
        .map(|_| random.next() as u8)
        .collect();
    let image_bytes = image.len() + random.below(64) as usize;
    let functions = (0..count).map(|index| Function {
        name: format!("f{index}"),
        section: "zeroserve.request".to_owned(),
        code: code(random, shape, index, count),
        ..Function::default()
    });
    let mut program = Program {
        functions: functions.collect(),
        entries: vec![Entry {
            section: "zeroserve.request".to_owned(),
            name: "f0".to_owned(),
            function: 0,
        }],
        image,
        image_bytes,
        helpers: vec!["test_mix".to_owned()],
    };
    program.set_depths().unwrap();
    program
}

fn code(random: &mut Random, shape: Shape, index: usize, count: usize) -> Vec<Instruction> {
    let length = 4 + random.below(40) as usize;
    let mut code = Vec::new();
    for register in 0..shape.registers {
        if random.below(2) == 0 {
            wide(&mut code, register, random.number());
        }
    }
    // Else most of what is loaded would be zero, of which no extension is wrong.
    for place in 1..=FILLED {
        code.push(Instruction {
            opcode: 0x7b,
            dst: 10,
            src: random.below(u64::from(shape.registers)) as u8,
            offset: -8 * i16::from(place),
            imm: 0,
        });
    }
    while code.len() < length + usize::from(FILLED) {
        one(random, shape, &mut code, index, count);
    }
    code.push(Instruction {
        opcode: 0x95,
        ..Instruction::default()
    });
    aim(random, &mut code);
    code
}

fn wide(code: &mut Vec<Instruction>, dst: u8, value: u64) {
    code.push(Instruction {
        opcode: 0x18,
        dst,
        imm: value as i32,
        ..Instruction::default()
    });
    code.push(Instruction {
        imm: (value >> 32) as i32,
        ..Instruction::default()
    });
}

fn one(random: &mut Random, shape: Shape, code: &mut Vec<Instruction>, index: usize, count: usize) {
    let dst = random.below(u64::from(shape.registers)) as u8;
    let src = match random.below(11) as u8 {
        src if src < shape.registers => src,
        _ => 10,
    };
    let imm = random.number() as i32;
    let register = random.below(2) as u8 * 8;
    let offset = random.number() as i16;
    let base = if random.below(2) == 0 { 10 } else { dst };
    let near = if base == 10 {
        -8 - random.below(200) as i16
    } else {
        offset
    };
    let plain = Instruction {
        dst,
        ..Instruction::default()
    };
    let operand = if register != 0 {
        Instruction { src, ..plain }
    } else {
        Instruction { imm, ..plain }
    };
    code.push(match random.below(16) {
        0..=4 => {
            let opcode = random.pick(&[
                0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90, 0xa0, 0xb0, 0xc0u8,
            ]);
            let signed = matches!(opcode, 0x30 | 0x90) && random.below(2) == 0;
            Instruction {
                opcode: opcode | register | random.pick(&[4, 7]),
                offset: i16::from(signed),
                ..operand
            }
        }
        5 => match random.below(4) {
            0 => Instruction {
                opcode: random.pick(&[0x84, 0x87]),
                ..plain
            },
            1 => Instruction {
                opcode: random.pick(&[0xd4, 0xdc, 0xd7]),
                imm: random.pick(&[16, 32, 64]),
                ..plain
            },
            2 => Instruction {
                opcode: 0xbf,
                src,
                offset: random.pick(&[8, 16, 32]),
                ..plain
            },
            _ => Instruction {
                opcode: 0xbc,
                src,
                offset: random.pick(&[8, 16]),
                ..plain
            },
        },
        6 | 7 => {
            let opcode = random.pick(&[0x61, 0x69, 0x71, 0x79, 0x81, 0x89, 0x91u8]);
            Instruction {
                opcode,
                src: base,
                offset: near,
                ..plain
            }
        }
        8 | 9 => {
            let opcode = random.pick(&[0x63, 0x6b, 0x73, 0x7bu8]);
            Instruction {
                opcode,
                dst: base,
                src,
                offset: near,
                imm: 0,
            }
        }
        10 => {
            let opcode = random.pick(&[0x62, 0x6a, 0x72, 0x7au8]);
            Instruction {
                opcode,
                dst: base,
                src: 0,
                offset: near,
                imm,
            }
        }
        11 => {
            let imm = random.pick(&[0, 1, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1]);
            Instruction {
                opcode: random.pick(&[0xc3, 0xdb]),
                dst: base,
                src: src % 10,
                offset: near,
                imm,
            }
        }
        12 => return wide(code, dst, random.number()),
        13 if index + 1 < count => {
            let others = if shape.next_only {
                1
            } else {
                count - index - 1
            };
            let target = index + 1 + random.below(others as u64) as usize;
            Instruction {
                opcode: 0x85,
                src: 1,
                imm: target as i32,
                ..Instruction::default()
            }
        }
        13 => Instruction {
            opcode: 0x85,
            ..Instruction::default()
        },
        14 if random.below(4) == 0 => Instruction {
            opcode: random.pick(&[0x05, 0x06]),
            ..Instruction::default()
        },
        _ => {
            let operation = random.pick(&[
                0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0u8,
            ]);
            Instruction {
                opcode: operation | register | random.pick(&[5, 6]),
                ..operand
            }
        }
    });
}

/// Gives every jump a target that begins an instruction.
fn aim(random: &mut Random, code: &mut [Instruction]) {
    let mut starts = Vec::new();
    let mut slot = 0;
    while slot < code.len() {
        starts.push(slot);
        slot += if code[slot].opcode == 0x18 { 2 } else { 1 };
    }
    for &slot in &starts {
        if code[slot].jump_distance().is_none() {
            continue;
        }
        // Forwards three times of four, so that many programs end.
        let target = loop {
            let target = random.pick(&starts);
            if target > slot || random.below(4) == 0 {
                break target;
            }
        };
        let distance = target as i64 - slot as i64 - 1;
        if code[slot].opcode == 0x06 {
            code[slot].imm = distance as i32;
        } else {
            code[slot].offset = distance as i16;
        }
    }
}

const _: () = assert!(IMAGE_START > 0);
