//! Jumps, returns and the fuel.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types::I32, types::I64};

use super::{Body, host_memory};
use crate::instruction::{Instruction, class, jump};
use crate::translate::plan::Place;
use crate::vm;

impl Body<'_, '_, '_> {
    /// Writes a jump or a return. `false`: it is neither.
    pub(super) fn ends_here(&mut self, place: Place, each: Instruction) -> bool {
        let slot = place.1;
        if each.opcode == class::JUMP | jump::EXIT {
            self.put_fuel();
            let result = self.get(0);
            self.builder.ins().return_(&[result]);
            return true;
        }
        let Some(distance) = each.jump_distance() else {
            return false;
        };
        // The verifier has seen that the target lies in the function.
        let target = usize::try_from(slot as i64 + 1 + distance).unwrap_or_default();
        let target = self.plan.step(place, target);
        let taken = self.block(target);
        if each.operation() == jump::ALWAYS {
            self.builder.ins().jump(taken, []);
            return true;
        }
        let behind = self.plan.step(place, slot + 1);
        let behind = self.block(behind);
        let condition = self.condition(each);
        self.builder.ins().brif(condition, taken, [], behind, []);
        true
    }

    fn condition(&mut self, each: Instruction) -> Value {
        let narrow = each.class() == class::JUMP32;
        let kind = if narrow { I32 } else { I64 };
        let mut left = self.get(each.dst);
        if narrow {
            left = self.builder.ins().ireduce(I32, left);
        }
        let right = if each.takes_register() {
            let right = self.get(each.src);
            if narrow {
                self.builder.ins().ireduce(I32, right)
            } else {
                right
            }
        } else {
            let bits = i64::from(each.imm);
            self.builder
                .ins()
                .iconst(kind, if narrow { bits & 0xffff_ffff } else { bits })
        };
        let compare = match each.operation() {
            jump::EQ => IntCC::Equal,
            jump::NE => IntCC::NotEqual,
            jump::GT => IntCC::UnsignedGreaterThan,
            jump::GE => IntCC::UnsignedGreaterThanOrEqual,
            jump::LT => IntCC::UnsignedLessThan,
            jump::LE => IntCC::UnsignedLessThanOrEqual,
            jump::SGT => IntCC::SignedGreaterThan,
            jump::SGE => IntCC::SignedGreaterThanOrEqual,
            jump::SLT => IntCC::SignedLessThan,
            jump::SLE => IntCC::SignedLessThanOrEqual,
            _ => return self.builder.ins().band(left, right), // jset: any common bit
        };
        self.builder.ins().icmp(compare, left, right)
    }

    /// Pays for a round; asks the host when the fuel is gone. The rest of the block follows.
    pub(super) fn charge(&mut self, price: u32) {
        let Some(fuel) = self.fuel else { return };
        let left = self.builder.use_var(fuel);
        let left = self.builder.ins().iadd_imm_s(left, -i64::from(price));
        self.builder.def_var(fuel, left);
        let empty = self
            .builder
            .ins()
            .icmp_imm_s(IntCC::SignedLessThan, left, 0);
        let (ask, go_on) = (self.builder.create_block(), self.builder.create_block());
        self.builder.set_cold_block(ask);
        self.builder.ins().brif(empty, ask, [], go_on, []);
        self.builder.switch_to_block(ask);
        self.put_fuel();
        let door =
            self.builder
                .ins()
                .load(I64, super::constant_memory(), self.machine, vm::OUT_OF_FUEL);
        self.builder
            .ins()
            .call_indirect(self.callback, door, &[self.machine]);
        self.take_fuel();
        self.builder.ins().jump(go_on, []);
        self.builder.switch_to_block(go_on);
    }

    /// Before anybody else looks at the fuel.
    pub(super) fn put_fuel(&mut self) {
        if let Some(fuel) = self.fuel {
            let left = self.builder.use_var(fuel);
            self.builder
                .ins()
                .store(host_memory(), left, self.machine, vm::FUEL);
        }
    }

    /// After anybody else may have used some.
    pub(super) fn take_fuel(&mut self) {
        if let Some(fuel) = self.fuel {
            let left = self
                .builder
                .ins()
                .load(I64, host_memory(), self.machine, vm::FUEL);
            self.builder.def_var(fuel, left);
        }
    }
}
