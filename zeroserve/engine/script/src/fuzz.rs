//! The bodies of this crate's fuzz targets.
#![allow(clippy::expect_used, reason = "a fuzz body panics to be noticed")]

use crate::compile;
use crate::elf;
use crate::error::LoadErrorKind;
use crate::helper::{Answer, Function, Helper, HelperTable, Phases};
use crate::instruction::{Instruction, SLOT_BYTES};
use crate::module::Module;
use crate::program::{Entry, Function as Code, Program};
use crate::run::{Resume, Run};
use crate::runtime::Runtime;

const SECTION: &str = "zeroserve.request";

/// Any bytes as an object: refused or linked; and what is linked compiles or is refused.
///
/// # Panics
/// The compiler did not take what the verifier let through.
pub fn fuzz_elf(bytes: &[u8]) {
    let Ok(program) = elf::load("fuzz", bytes) else {
        return;
    };
    let registers = vec![5; program.helpers.len()];
    let isa = compile::host_isa().expect("this machine");
    if let Err((_, _, kind)) = compile::compile(&program, &registers, &*isa) {
        assert!(!matches!(kind, LoadErrorKind::Internal(_)), "{kind}");
    }
}

/// Any bytes as instructions of one function: the verifier refuses them, or they compile and run in their cage for two
/// slices.
///
/// # Panics
/// The compiler did not take what the verifier let through.
pub fn fuzz_code(bytes: &[u8]) {
    let slots = bytes.as_chunks::<SLOT_BYTES>().0.iter();
    let function = Code {
        name: "f".to_owned(),
        section: SECTION.to_owned(),
        code: slots.map(|&slot| Instruction::decode(slot)).collect(),
        ..Code::default()
    };
    if function.callees().next().is_some() {
        return; // it calls itself: the linker would have refused it
    }
    let entry = Entry {
        section: SECTION.to_owned(),
        name: function.name.clone(),
        function: 0,
    };
    let program = Program {
        functions: vec![function],
        entries: vec![entry],
        helpers: vec!["first".to_owned()],
        ..Program::default()
    };
    let mut table = HelperTable::<()>::new();
    table.entry_section(SECTION);
    table.add(Helper {
        name: "first",
        phases: Phases::ALL,
        fuel: 1,
        function: Function::Raw(5, |(), _, registers| {
            Ok(Answer::Value(registers[0].cast_signed()))
        }),
    });
    let module = match Module::link("fuzz", program, &table) {
        Ok(module) => module,
        Err(error) => {
            assert!(!matches!(error.kind, LoadErrorKind::Internal(_)), "{error}");
            return;
        }
    };
    let runtime = Runtime::new();
    runtime.set_slice(2000);
    let (entry, _) = module.entries().next().expect("one entry");
    let mut run = Run::new(&runtime, &module, entry, &[], Phases::REQUEST).expect("memory");
    let _ = run.resume(&mut (), Resume::Go);
    if run.is_paused() {
        let _ = run.resume(&mut (), Resume::Go);
    }
}
