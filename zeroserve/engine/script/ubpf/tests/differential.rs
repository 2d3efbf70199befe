//! Random programs, run natively and by uBPF: same result, same memory, same calls of helpers. The test of the
//! same name in the script crate has an oracle of our own; here, nobody who wrote the one wrote the other.
//!
//! `ZS_SCRIPT_PROGRAMS` sets how many (20,000), `ZS_SCRIPT_SEED` where to begin. A failure names its seed.

#[path = "../../tests/support/mod.rs"]
mod support;

use zs_script::{Module, Outcome, Phases, Run, Runtime};

use support::host::{Host, mix, table};
use support::interpreter::Interpreter;
use support::number;
use support::random::{Random, Shape, program_of};
use zs_script_ubpf::{self as ubpf, Memory, SCRATCH};

const STEPS: u64 = 20_000;
const SHAPE: Shape = Shape {
    registers: SCRATCH,
    next_only: true,
};

#[test]
fn native_code_does_what_ubpf_does() {
    let (first, count) = (
        number("ZS_SCRIPT_SEED", 1),
        number("ZS_SCRIPT_PROGRAMS", 20_000),
    );
    let table = table();
    let runtime = Runtime::new();
    runtime.set_slice(500); // many yields
    let mut memory = Memory::map();
    let (mut compared, mut endless, mut refused) = (0u64, 0u64, 0u64);
    for seed in first..first + count {
        let program = program_of(&mut Random::new(seed), SHAPE);
        // Whether it ends: uBPF would complain on standard error.
        let mut own = Interpreter::new(&program, STEPS);
        if own.call(0, [0; 5]).is_none() {
            endless += 1;
            continue;
        }
        let wanted = match ubpf::run(&mut memory, &program, mix, STEPS) {
            Ok(told) => told,
            Err(why) => {
                // A jump to itself, even one that is never taken.
                assert!(why.contains("infinite loop"), "seed {seed}: {why}");
                refused += 1;
                continue;
            }
        };
        let module = Module::link("random", program, &table)
            .unwrap_or_else(|each| panic!("seed {seed}: {each}"));
        let (entry, _) = module.entries().next().unwrap();
        let mut run = Run::new(&runtime, &module, entry, &[], Phases::REQUEST).unwrap();
        let mut host = Host::default();
        let outcome = support::finish(&mut run, &mut host);
        assert_eq!(outcome, Outcome::Done(wanted.result), "seed {seed}");
        assert_eq!(host.trace, wanted.trace, "seed {seed}: calls of helpers");
        let arena = memory.arena();
        let same = run.memory()[..arena.len()] == *arena;
        assert!(same, "seed {seed}: memory");
        compared += 1;
    }
    eprintln!(
        "{compared} programs compared with uBPF; {endless} did not end in {STEPS} steps, uBPF refused {refused}"
    );
    assert!(compared * 10 >= count * 5, "too few programs end");
}
