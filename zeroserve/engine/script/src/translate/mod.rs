//! The translator: one verified eBPF function in, one function of Cranelift IR out. Everything that keeps a
//! script in its cage is in this folder; `SANDBOX.md` is the argument.

mod alu;
mod branch;
mod memory;
pub(crate) mod plan;

use std::collections::HashMap;

use cranelift_codegen::ir::{
    AbiParam, Block, FuncRef, Function as IrFunction, InstBuilder, MemFlagsData, SigRef, Signature,
    UserFuncName, Value, types::I64,
};
use cranelift_codegen::ir::{ExtFuncData, ExternalName, UserExternalName};
use cranelift_codegen::isa::{CallConv, TargetIsa};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};

use crate::instruction::{FRAME_POINTER, Instruction, class, jump};
use crate::layout::{GRANULES, frame_top, pointer};
use crate::program::Program;
use crate::translate::plan::{Place, Plan};
use crate::vm::{self, ARGUMENTS};

/// Registers that a program can write.
const WRITABLE: usize = FRAME_POINTER as usize;

/// What a function's code needs to know of its program.
pub(crate) struct Scope<'a> {
    pub program: &'a Program,
    /// Registers that each helper of the program reads.
    pub helper_registers: &'a [usize],
    /// Granules that the program stores to at addresses known now.
    pub touched: &'a mut [bool; GRANULES],
}

/// The native form of every function: (the machine, r1 … r5) → r0.
#[must_use]
pub(crate) fn signature(convention: CallConv) -> Signature {
    let mut signature = Signature::new(convention);
    signature.params.extend([AbiParam::new(I64); 1 + ARGUMENTS]);
    signature.returns.push(AbiParam::new(I64));
    signature
}

/// Translates one function, which the verifier has passed.
pub(crate) fn translate(
    index: usize,
    scope: &mut Scope<'_>,
    isa: &dyn TargetIsa,
    context: &mut FunctionBuilderContext,
) -> IrFunction {
    let convention = isa.default_call_conv();
    let name = UserFuncName::user(0, u32::try_from(index).unwrap_or(u32::MAX));
    let mut ir = IrFunction::with_name_signature(name, signature(convention));
    let mut builder = FunctionBuilder::new(&mut ir, context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let params = builder.block_params(entry).to_vec();
    let registers = [0; WRITABLE].map(|_: i32| builder.declare_var(I64));
    let zero = builder.ins().iconst(I64, 0);
    for (register, variable) in registers.iter().enumerate() {
        let value = if (1..=ARGUMENTS).contains(&register) {
            params[register]
        } else {
            zero
        };
        builder.def_var(*variable, value);
    }
    let base = builder
        .ins()
        .load(I64, constant_memory(), params[0], vm::BASE);
    let code = &scope.program.functions[index].code;
    let plan = Plan::of(code);
    let fuel = plan.has_loops().then(|| {
        let fuel = builder.declare_var(I64);
        let value = builder.ins().load(I64, host_memory(), params[0], vm::FUEL);
        builder.def_var(fuel, value);
        fuel
    });
    let mut callback = Signature::new(convention);
    callback.params.push(AbiParam::new(I64));
    callback.returns.push(AbiParam::new(I64));
    let callback = builder.import_signature(callback);
    let machine = params[0];
    let mut body = Body {
        builder,
        scope,
        index,
        plan,
        registers,
        fuel,
        machine,
        base,
        callback,
        convention,
        blocks: HashMap::new(),
        waiting: Vec::new(),
        callees: HashMap::new(),
    };
    let first = body.block((0, 0));
    body.builder.ins().jump(first, []);
    while let Some(place) = body.waiting.pop() {
        body.write_block(place);
    }
    body.builder.seal_all_blocks();
    body.builder.finalize(isa.frontend_config());
    ir
}

/// Host memory: always there, aligned.
fn host_memory() -> MemFlagsData {
    MemFlagsData::trusted()
}

/// Host memory that does not change while generated code runs.
fn constant_memory() -> MemFlagsData {
    MemFlagsData::trusted().with_readonly().with_can_move()
}

/// A function while it is written.
struct Body<'a, 'b, 'c> {
    builder: FunctionBuilder<'a>,
    scope: &'b mut Scope<'c>,
    index: usize,
    plan: Plan,
    registers: [Variable; WRITABLE],
    /// The fuel in a register, in functions with loops. Others leave it in the machine.
    fuel: Option<Variable>,
    machine: Value,
    base: Value,
    callback: SigRef,
    convention: CallConv,
    blocks: HashMap<Place, Block>,
    /// Blocks that are jumped to and not written yet. What nothing reaches is never written.
    waiting: Vec<Place>,
    callees: HashMap<usize, FuncRef>,
}

impl Body<'_, '_, '_> {
    fn block(&mut self, place: Place) -> Block {
        if let Some(&block) = self.blocks.get(&place) {
            return block;
        }
        let block = self.builder.create_block();
        self.blocks.insert(place, block);
        self.waiting.push(place);
        block
    }

    /// Writes a block up to its jump, or to where the next one begins.
    fn write_block(&mut self, place: Place) {
        let block = self.blocks[&place];
        self.builder.switch_to_block(block);
        if let Some(price) = self.plan.price_of(place) {
            self.charge(price);
        }
        let (copy, mut slot) = place;
        loop {
            let each = self.scope.program.functions[self.index].code[slot];
            let next = slot + if each.is_wide() { 2 } else { 1 };
            if self.ends_here((copy, slot), each) {
                return;
            }
            self.write(each, slot);
            slot = next;
            if self.plan.leaders[slot] {
                let target = self.plan.step((copy, slot - 1), slot);
                let target = self.block(target);
                self.builder.ins().jump(target, []);
                return;
            }
        }
    }

    fn write(&mut self, each: Instruction, slot: usize) {
        match each.class() {
            class::LOAD => {
                let code = &self.scope.program.functions[self.index].code;
                let low = u64::from(each.imm.cast_unsigned());
                let high = u64::from(code[slot + 1].imm.cast_unsigned());
                let value = self
                    .builder
                    .ins()
                    .iconst(I64, (high << 32 | low).cast_signed());
                self.set(each.dst, value);
            }
            class::LOAD_MEMORY => self.load(each),
            class::STORE | class::STORE_REGISTER => self.store(each),
            class::ALU32 | class::ALU64 => self.compute(each),
            _ => self.call(each, slot),
        }
    }

    fn get(&mut self, register: u8) -> Value {
        if register == FRAME_POINTER {
            let top = pointer(frame_top(self.scope.program.functions[self.index].depth));
            return self.builder.ins().iconst(I64, top.cast_signed());
        }
        self.builder.use_var(self.registers[usize::from(register)])
    }

    fn set(&mut self, register: u8, value: Value) {
        // The verifier refuses writes to the frame pointer, so the index is good.
        self.builder
            .def_var(self.registers[usize::from(register)], value);
    }

    fn call(&mut self, each: Instruction, slot: usize) {
        debug_assert_eq!(each.opcode, class::JUMP | jump::CALL);
        let number = usize::try_from(each.imm).unwrap_or_default();
        let machine = self.machine;
        let call = if each.src == 1 {
            let mut arguments = [machine; 1 + ARGUMENTS];
            for (register, argument) in (1u8..).zip(&mut arguments[1..]) {
                *argument = self.get(register);
            }
            self.put_fuel();
            let callee = self.callee(number);
            self.builder.ins().call(callee, &arguments)
        } else {
            for (register, offset) in (1u8..)
                .zip((0..).step_by(8))
                .take(self.scope.helper_registers[number])
            {
                let value = self.get(register);
                self.builder
                    .ins()
                    .store(host_memory(), value, machine, vm::ARGUMENT + offset);
            }
            let site = vm::site(self.index, slot, number).cast_signed();
            let site = self.builder.ins().iconst(I64, site);
            self.builder
                .ins()
                .store(host_memory(), site, machine, vm::SITE);
            self.put_fuel();
            let door = self
                .builder
                .ins()
                .load(I64, constant_memory(), machine, vm::CALL_HELPER);
            self.builder
                .ins()
                .call_indirect(self.callback, door, &[machine])
        };
        self.take_fuel();
        let result = self.builder.inst_results(call)[0];
        self.set(0, result);
    }

    fn callee(&mut self, number: usize) -> FuncRef {
        if let Some(&known) = self.callees.get(&number) {
            return known;
        }
        let signature = self.builder.import_signature(signature(self.convention));
        let name = UserExternalName::new(0, u32::try_from(number).unwrap_or(u32::MAX));
        let name = ExternalName::user(self.builder.func.declare_imported_user_function(name));
        let data = ExtFuncData {
            name,
            signature,
            colocated: true,
            patchable: false,
        };
        let callee = self.builder.import_function(data);
        self.callees.insert(number, callee);
        callee
    }
}
