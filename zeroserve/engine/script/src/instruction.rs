//! One eBPF instruction slot (RFC 9669 section 3) and the numbers in it.

/// Bytes of one slot. `lddw` takes two.
pub const SLOT_BYTES: usize = 8;

/// The frame pointer: readable, never written.
pub const FRAME_POINTER: u8 = 10;

/// A decoded slot. After linking, a `call` has `src` 0 and the number of a helper in `imm`, or
/// `src` 1 and the number of a function of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    pub opcode: u8,
    pub dst: u8,
    pub src: u8,
    pub offset: i16,
    pub imm: i32,
}

impl Instruction {
    /// Takes a slot apart (little endian).
    #[must_use]
    pub fn decode(slot: [u8; SLOT_BYTES]) -> Self {
        Self {
            opcode: slot[0],
            dst: slot[1] & 0x0f,
            src: slot[1] >> 4,
            offset: i16::from_le_bytes([slot[2], slot[3]]),
            imm: i32::from_le_bytes([slot[4], slot[5], slot[6], slot[7]]),
        }
    }

    /// The bits that say what kind of instruction this is.
    #[must_use]
    pub const fn class(self) -> u8 {
        self.opcode & 0x07
    }

    /// The operation of an arithmetic or jump instruction.
    #[must_use]
    pub const fn operation(self) -> u8 {
        self.opcode & 0xf0
    }

    /// Whether the second operand is a register.
    #[must_use]
    pub const fn takes_register(self) -> bool {
        self.opcode & SOURCE_REGISTER != 0
    }

    /// The addressing mode of a load or store.
    #[must_use]
    pub const fn mode(self) -> u8 {
        self.opcode & 0xe0
    }

    /// Bytes that a load or store moves: 1, 2, 4 or 8.
    #[must_use]
    pub const fn width(self) -> u32 {
        match self.opcode & 0x18 {
            0x00 => 4,
            0x08 => 2,
            0x10 => 1,
            _ => 8,
        }
    }

    /// Whether this is the first slot of a 64-bit immediate load.
    #[must_use]
    pub const fn is_wide(self) -> bool {
        self.opcode == LOAD_WIDE
    }

    /// Where a jump goes, in slots from the slot behind it. `None`: not a jump.
    #[must_use]
    pub const fn jump_distance(self) -> Option<i64> {
        match (self.class(), self.operation()) {
            (class::JUMP | class::JUMP32, jump::CALL | jump::EXIT) => None,
            (class::JUMP32, jump::ALWAYS) => Some(self.imm as i64),
            (class::JUMP | class::JUMP32, _) => Some(self.offset as i64),
            _ => None,
        }
    }

    /// Whether execution never goes on behind this instruction.
    #[must_use]
    pub const fn ends_block(self) -> bool {
        matches!(self.class(), class::JUMP | class::JUMP32)
            && (self.operation() == jump::ALWAYS
                || self.class() == class::JUMP && self.operation() == jump::EXIT)
    }

    /// Whether this is a call of a helper or a function.
    #[must_use]
    pub const fn is_call(self) -> bool {
        self.opcode == class::JUMP | jump::CALL
    }
}

pub const SOURCE_REGISTER: u8 = 0x08;
pub const LOAD_WIDE: u8 = 0x18;

/// Instruction classes: the low three bits of an opcode.
pub mod class {
    pub const LOAD: u8 = 0x00;
    pub const LOAD_MEMORY: u8 = 0x01;
    pub const STORE: u8 = 0x02;
    pub const STORE_REGISTER: u8 = 0x03;
    pub const ALU32: u8 = 0x04;
    pub const JUMP: u8 = 0x05;
    pub const JUMP32: u8 = 0x06;
    pub const ALU64: u8 = 0x07;
}

/// Addressing modes of loads and stores.
pub mod mode {
    pub const MEMORY: u8 = 0x60;
    pub const SIGNED: u8 = 0x80;
    pub const ATOMIC: u8 = 0xc0;
}

/// Operations of the arithmetic classes.
pub mod alu {
    pub const ADD: u8 = 0x00;
    pub const SUB: u8 = 0x10;
    pub const MUL: u8 = 0x20;
    pub const DIV: u8 = 0x30;
    pub const OR: u8 = 0x40;
    pub const AND: u8 = 0x50;
    pub const LSH: u8 = 0x60;
    pub const RSH: u8 = 0x70;
    pub const NEG: u8 = 0x80;
    pub const MOD: u8 = 0x90;
    pub const XOR: u8 = 0xa0;
    pub const MOV: u8 = 0xb0;
    pub const ARSH: u8 = 0xc0;
    pub const END: u8 = 0xd0;
}

/// Operations of the jump classes.
pub mod jump {
    pub const ALWAYS: u8 = 0x00;
    pub const EQ: u8 = 0x10;
    pub const GT: u8 = 0x20;
    pub const GE: u8 = 0x30;
    pub const SET: u8 = 0x40;
    pub const NE: u8 = 0x50;
    pub const SGT: u8 = 0x60;
    pub const SGE: u8 = 0x70;
    pub const CALL: u8 = 0x80;
    pub const EXIT: u8 = 0x90;
    pub const LT: u8 = 0xa0;
    pub const LE: u8 = 0xb0;
    pub const SLT: u8 = 0xc0;
    pub const SLE: u8 = 0xd0;
}

/// Atomic operations, in `imm`.
pub mod atomic {
    pub const ADD: i32 = 0x00;
    pub const OR: i32 = 0x40;
    pub const AND: i32 = 0x50;
    pub const XOR: i32 = 0xa0;
    pub const FETCH: i32 = 0x01;
    pub const EXCHANGE: i32 = 0xe1;
    pub const COMPARE_EXCHANGE: i32 = 0xf1;
}
