//! Random programs, run natively and by the interpreter: same result, same memory, same calls of helpers.
//!
//! `ZS_SCRIPT_PROGRAMS` sets how many (20,000), `ZS_SCRIPT_SEED` where to begin. A failure names its seed.

mod support;

use zs_script::layout::ARENA_BYTES;
use zs_script::{Module, Outcome, Phases, Run, Runtime};

use support::host::{Host, table};
use support::interpreter::Interpreter;
use support::number;
use support::random::{Random, program};

const STEPS: u64 = 20_000;

#[test]
fn native_code_does_what_the_standard_says() {
    let (first, count) = (
        number("ZS_SCRIPT_SEED", 1),
        number("ZS_SCRIPT_PROGRAMS", 20_000),
    );
    let table = table();
    let runtime = Runtime::new();
    runtime.set_slice(500); // many yields
    let (mut compared, mut endless) = (0u64, 0u64);
    for seed in first..first + count {
        let program = program(&mut Random::new(seed));
        let mut oracle = Interpreter::new(&program, STEPS);
        let Some(wanted) = oracle.call(0, [0; 5]) else {
            endless += 1;
            continue;
        };
        let module = Module::link("random", program.clone(), &table)
            .unwrap_or_else(|each| panic!("seed {seed}: {each}"));
        let (entry, _) = module.entries().next().unwrap();
        // Twice: the second run must not see the first one's memory.
        for round in 0..2 {
            let mut run = Run::new(&runtime, &module, entry, &[], Phases::REQUEST).unwrap();
            let mut host = Host::default();
            let outcome = support::finish(&mut run, &mut host);
            assert_eq!(outcome, Outcome::Done(wanted), "seed {seed}, round {round}");
            assert_eq!(
                host.trace, oracle.trace,
                "seed {seed}, round {round}: calls of helpers"
            );
            let memory = run.memory();
            let same = memory[..ARENA_BYTES] == oracle.memory[..ARENA_BYTES];
            assert!(same, "seed {seed}, round {round}: memory");
        }
        compared += 1;
    }
    eprintln!("{compared} programs compared, {endless} did not end in {STEPS} steps");
    assert!(compared * 10 >= count * 5, "too few programs end");
}
