//! Arithmetic (RFC 9669 section 4.1). Nothing here can trap: divisors are made harmless first.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};

use super::Body;
use crate::instruction::{Instruction, alu, class};

impl Body<'_, '_, '_> {
    pub(super) fn compute(&mut self, each: Instruction) {
        let value = match each.operation() {
            alu::END => self.swap(each),
            alu::MOV if each.offset != 0 => self.extend(each),
            _ => self.arithmetic(each),
        };
        self.set(each.dst, value);
    }

    fn arithmetic(&mut self, each: Instruction) -> Value {
        let narrow = each.class() == class::ALU32;
        let kind = if narrow { types::I32 } else { types::I64 };
        let right = if each.takes_register() {
            self.operand(each.src, kind)
        } else {
            let bits = i64::from(each.imm);
            self.builder
                .ins()
                .iconst(kind, if narrow { bits & 0xffff_ffff } else { bits })
        };
        let value = if each.operation() == alu::MOV {
            right
        } else {
            let left = self.operand(each.dst, kind);
            let divisor = (!each.takes_register()).then_some(each.imm);
            match (each.operation(), each.offset) {
                (alu::DIV, 0) => self.divide(kind, left, right, divisor),
                (alu::MOD, 0) => self.remainder(left, right, divisor),
                (alu::DIV, _) => self.divide_signed(kind, left, right),
                (alu::MOD, _) => self.remainder_signed(left, right),
                (operation, _) => self.simple(operation, left, right),
            }
        };
        if narrow {
            self.builder.ins().uextend(types::I64, value)
        } else {
            value
        }
    }

    /// Shifts take the amount modulo the width, in eBPF as in Cranelift.
    fn simple(&mut self, operation: u8, left: Value, right: Value) -> Value {
        match operation {
            alu::ADD => self.builder.ins().iadd(left, right),
            alu::SUB => self.builder.ins().isub(left, right),
            alu::MUL => self.builder.ins().imul(left, right),
            alu::OR => self.builder.ins().bor(left, right),
            alu::AND => self.builder.ins().band(left, right),
            alu::XOR => self.builder.ins().bxor(left, right),
            alu::LSH => self.builder.ins().ishl(left, right),
            alu::RSH => self.builder.ins().ushr(left, right),
            alu::ARSH => self.builder.ins().sshr(left, right),
            _ => self.builder.ins().ineg(left),
        }
    }

    /// `x / 0` is 0.
    fn divide(&mut self, kind: Type, left: Value, right: Value, divisor: Option<i32>) -> Value {
        match divisor {
            Some(0) => self.builder.ins().iconst(kind, 0),
            Some(_) => self.builder.ins().udiv(left, right),
            None => {
                let (by_zero, safe) = self.without_zero(right);
                let quotient = self.builder.ins().udiv(left, safe);
                let zero = self.builder.ins().iconst(kind, 0);
                self.builder.ins().select(by_zero, zero, quotient)
            }
        }
    }

    /// `x % 0` is x.
    fn remainder(&mut self, left: Value, right: Value, divisor: Option<i32>) -> Value {
        match divisor {
            Some(0) => left,
            Some(_) => self.builder.ins().urem(left, right),
            None => {
                let (by_zero, safe) = self.without_zero(right);
                let rest = self.builder.ins().urem(left, safe);
                self.builder.ins().select(by_zero, left, rest)
            }
        }
    }

    /// The smallest number divided by -1 is itself; no machine trap either.
    fn divide_signed(&mut self, kind: Type, left: Value, right: Value) -> Value {
        let by_minus_one = self.builder.ins().icmp_imm_s(IntCC::Equal, right, -1);
        let (by_zero, safe) = self.without_zero(right);
        let one = self.builder.ins().iconst(kind, 1);
        let safe = self.builder.ins().select(by_minus_one, one, safe);
        let quotient = self.builder.ins().sdiv(left, safe);
        let negated = self.builder.ins().ineg(left);
        let quotient = self.builder.ins().select(by_minus_one, negated, quotient);
        let zero = self.builder.ins().iconst(kind, 0);
        self.builder.ins().select(by_zero, zero, quotient)
    }

    fn remainder_signed(&mut self, left: Value, right: Value) -> Value {
        let by_minus_one = self.builder.ins().icmp_imm_s(IntCC::Equal, right, -1);
        let (by_zero, safe) = self.without_zero(right);
        let kind = self.builder.func.dfg.value_type(left);
        let one = self.builder.ins().iconst(kind, 1);
        let safe = self.builder.ins().select(by_minus_one, one, safe);
        let rest = self.builder.ins().srem(left, safe);
        self.builder.ins().select(by_zero, left, rest)
    }

    /// Whether a divisor is zero, and the divisor with 1 in place of zero.
    fn without_zero(&mut self, divisor: Value) -> (Value, Value) {
        let kind = self.builder.func.dfg.value_type(divisor);
        let is_zero = self.builder.ins().icmp_imm_s(IntCC::Equal, divisor, 0);
        let one = self.builder.ins().iconst(kind, 1);
        (is_zero, self.builder.ins().select(is_zero, one, divisor))
    }

    /// `movsx`: the low bits of the source, with their sign.
    fn extend(&mut self, each: Instruction) -> Value {
        let bits = match each.offset {
            8 => types::I8,
            16 => types::I16,
            _ => types::I32,
        };
        let value = self.operand(each.src, bits);
        if each.class() == class::ALU64 {
            return self.builder.ins().sextend(types::I64, value);
        }
        let value = self.builder.ins().sextend(types::I32, value);
        self.builder.ins().uextend(types::I64, value)
    }

    /// Byte order: `le` cuts off, `be` and `bswap` turn around.
    fn swap(&mut self, each: Instruction) -> Value {
        let kind = match each.imm {
            16 => types::I16,
            32 => types::I32,
            _ => types::I64,
        };
        let turn = each.class() == class::ALU64 || each.takes_register();
        let mut value = self.operand(each.dst, kind);
        if turn {
            value = self.builder.ins().bswap(value);
        }
        if kind == types::I64 {
            value
        } else {
            self.builder.ins().uextend(types::I64, value)
        }
    }

    fn operand(&mut self, register: u8, kind: Type) -> Value {
        let value = self.get(register);
        if kind == types::I64 {
            value
        } else {
            self.builder.ins().ireduce(kind, value)
        }
    }
}
