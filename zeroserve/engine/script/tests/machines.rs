//! The same programs for every machine that we serve on: they translate, and only calls are left to settle.

mod support;

use std::str::FromStr;

use support::random::{Random, Shape, program_of};
use target_lexicon::Triple;
use zs_script::{compile, elf};

#[test]
fn every_program_compiles_for_both_machines() {
    for machine in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"] {
        let isa = compile::isa_of(&Triple::from_str(machine).unwrap()).unwrap();
        for name in [
            "visitor", "health", "language", "loops", "hostile", "large", "depth_ok",
        ] {
            let program = elf::load(name, &support::object(name)).unwrap();
            let registers = vec![5; program.helpers.len()];
            let compiled = compile::compile(&program, &registers, &*isa);
            let compiled = compiled.unwrap_or_else(|each| panic!("{machine} {name}: {each:?}"));
            assert_eq!(compiled.starts.len(), program.functions.len());
        }
    }
}

/// The random programs of the differential test, too: every instruction for the machine that we are not on.
#[test]
fn random_programs_compile_for_both_machines() {
    let isa = compile::isa_of(&Triple::from_str("aarch64-unknown-linux-gnu").unwrap()).unwrap();
    for seed in 1..500 {
        let program = program_of(&mut Random::new(seed), Shape::ALL);
        let compiled = compile::compile(&program, &[5], &*isa);
        compiled.unwrap_or_else(|each| panic!("seed {seed}: {each:?}"));
    }
}
