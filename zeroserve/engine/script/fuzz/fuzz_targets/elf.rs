//! Any bytes as an object: refused or linked, never a panic; and what is linked compiles or is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zs_script::{LoadErrorKind, compile, elf};

fuzz_target!(|bytes: &[u8]| {
    let Ok(program) = elf::load("fuzz", bytes) else { return };
    let registers = vec![5; program.helpers.len()];
    let isa = compile::host_isa().expect("this machine");
    if let Err((_, _, kind)) = compile::compile(&program, &registers, &*isa) {
        assert!(!matches!(kind, LoadErrorKind::Internal(_)), "{kind}");
    }
});
