//! Any bytes as instructions of one function: the verifier refuses them, or they compile and run in their cage for two
//! slices.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zs_script::instruction::Instruction;
use zs_script::program::{Entry, Function as Code, Program};
use zs_script::{Answer, Function, Helper, HelperTable, LoadErrorKind, Module, Phases, Resume, Run, Runtime};

fuzz_target!(|bytes: &[u8]| {
    let code = bytes.as_chunks::<8>().0.iter().map(|&slot| Instruction::decode(slot)).collect();
    let section = "zeroserve.request".to_owned();
    let name = "f".to_owned();
    let program = Program {
        functions: vec![Code { name: name.clone(), section: section.clone(), code, ..Code::default() }],
        entries: vec![Entry { section, name, function: 0 }],
        helpers: vec!["sum".to_owned()],
        ..Program::default()
    };
    let calls_itself = program.functions[0].callees().next().is_some();
    if calls_itself {
        return; // the linker would have refused it
    }
    let mut table = HelperTable::<()>::new();
    table.entry_section("zeroserve.request");
    let function = Function::Raw(5, |(), _, registers| Ok(Answer::Value(registers[0].cast_signed())));
    table.add(Helper { name: "sum", phases: Phases::ALL, fuel: 1, function });
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
});
