//! Loads and stores: the cage. Every address is `base + (address & ARENA_MASK)`, whatever the script made it of.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Type, Value, types};

use super::{Body, host_memory};
use crate::instruction::{FRAME_POINTER, Instruction, atomic, class, mode};
use crate::layout::{ARENA_MASK, GRANULE_BYTES, GRANULE_SHIFT, GRANULES, frame_top, pointer};
use crate::vm;

/// The arena never faults (the pad takes the last access's overhang); a script's pointers need no alignment.
fn arena_memory() -> MemFlagsData {
    MemFlagsData::new()
        .with_notrap()
        .with_endianness(Endianness::Little)
}

/// A caged address: what to access, at which constant distance.
#[derive(Clone, Copy)]
struct Caged {
    address: Value,
    distance: i32,
}

impl Body<'_, '_, '_> {
    pub(super) fn load(&mut self, each: Instruction) {
        let Caged { address, distance } = self.cage(each.src, each.offset, None);
        let kind = integer(each.width());
        let value = self
            .builder
            .ins()
            .load(kind, arena_memory(), address, distance);
        let value = match (each.width(), each.mode()) {
            (8, _) => value,
            (_, mode::SIGNED) => self.builder.ins().sextend(types::I64, value),
            _ => self.builder.ins().uextend(types::I64, value),
        };
        self.set(each.dst, value);
    }

    pub(super) fn store(&mut self, each: Instruction) {
        let width = each.width();
        let Caged { address, distance } = self.cage(each.dst, each.offset, Some(width));
        let kind = integer(width);
        if each.mode() == mode::ATOMIC {
            return self.atomic(each, kind, Caged { address, distance });
        }
        let value = if each.class() == class::STORE {
            let bits = i64::from(each.imm);
            let keep = if width == 8 {
                -1
            } else {
                (1i64 << (width * 8)) - 1
            };
            self.builder.ins().iconst(kind, bits & keep)
        } else {
            self.narrow(each.src, kind)
        };
        self.builder
            .ins()
            .store(arena_memory(), value, address, distance);
    }

    /// The arena belongs to one run, and a run to one thread: load, change and store are atomic enough.
    fn atomic(&mut self, each: Instruction, kind: Type, at: Caged) {
        let old = self
            .builder
            .ins()
            .load(kind, arena_memory(), at.address, at.distance);
        let operand = self.narrow(each.src, kind);
        let new = match each.imm {
            atomic::EXCHANGE => operand,
            atomic::COMPARE_EXCHANGE => {
                let wanted = self.narrow(0, kind);
                let same = self.builder.ins().icmp(IntCC::Equal, old, wanted);
                self.builder.ins().select(same, operand, old)
            }
            other => match other & !atomic::FETCH {
                atomic::ADD => self.builder.ins().iadd(old, operand),
                atomic::OR => self.builder.ins().bor(old, operand),
                atomic::AND => self.builder.ins().band(old, operand),
                _ => self.builder.ins().bxor(old, operand),
            },
        };
        self.builder
            .ins()
            .store(arena_memory(), new, at.address, at.distance);
        if each.imm & atomic::FETCH != 0 {
            let old = if kind == types::I64 {
                old
            } else {
                self.builder.ins().uextend(types::I64, old)
            };
            let result = if each.imm == atomic::COMPARE_EXCHANGE {
                0
            } else {
                each.src
            };
            self.set(result, old);
        }
    }

    fn narrow(&mut self, register: u8, kind: Type) -> Value {
        let value = self.get(register);
        if kind == types::I64 {
            value
        } else {
            self.builder.ins().ireduce(kind, value)
        }
    }

    /// The only place that makes an address. `written`: the width of a store, which leaves its mark so that the
    /// granule is restored after the run.
    fn cage(&mut self, register: u8, offset: i16, written: Option<u32>) -> Caged {
        if register == FRAME_POINTER {
            let top = pointer(frame_top(self.scope.program.functions[self.index].depth));
            let inside = top.wrapping_add_signed(i64::from(offset)) & ARENA_MASK;
            if let Some(width) = written {
                let first = usize::try_from(inside).unwrap_or_default();
                for byte in [first, first + width as usize - 1] {
                    self.scope.touched[(byte / GRANULE_BYTES).min(GRANULES - 1)] = true;
                }
            }
            let distance = i32::try_from(inside).unwrap_or_default();
            return Caged {
                address: self.base,
                distance,
            };
        }
        let address = self.get(register);
        let address = match offset {
            0 => address,
            _ => self.builder.ins().iadd_imm_s(address, i64::from(offset)),
        };
        let inside = self
            .builder
            .ins()
            .band_imm_u(address, ARENA_MASK.cast_signed());
        if written.is_some() {
            let granule = self
                .builder
                .ins()
                .ushr_imm_u(inside, i64::from(GRANULE_SHIFT));
            let mark = self.builder.ins().iadd(self.machine, granule);
            let one = self.builder.ins().iconst(types::I8, 1);
            self.builder
                .ins()
                .store(host_memory(), one, mark, vm::DIRTY);
        }
        Caged {
            address: self.builder.ins().iadd(self.base, inside),
            distance: 0,
        }
    }
}

fn integer(width: u32) -> Type {
    match width {
        1 => types::I8,
        2 => types::I16,
        4 => types::I32,
        _ => types::I64,
    }
}
