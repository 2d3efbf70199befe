//! Random programs, run natively and by an oracle: same result, same memory, same calls of helpers.
//!
//! `ZS_SCRIPT_PROGRAMS` sets how many (20,000), `ZS_SCRIPT_SEED` where to begin. A failure names its seed.

use zs_script::program::Program;
use zs_script::{Module, Outcome, Phases, Run, Runtime};

use super::host::{Host, table};
use super::random::{Random, Shape, program_of};
use super::{finish, number};

/// What an oracle tells of a program: how it ends, its calls of the helper, and the arena from its start.
pub(crate) struct Told {
    pub result: u64,
    pub trace: Vec<[u64; 5]>,
    pub memory: Vec<u8>,
}

/// Compares, each program `rounds` times: a second run must not see the first one's memory. `oracle` may be silent about
/// a program, but not about half of them.
pub(crate) fn compare(
    shape: Shape,
    rounds: usize,
    mut oracle: impl FnMut(u64, &Program) -> Option<Told>,
) {
    let (first, count) = (
        number("ZS_SCRIPT_SEED", 1),
        number("ZS_SCRIPT_PROGRAMS", 20_000),
    );
    let table = table();
    let runtime = Runtime::new();
    runtime.set_slice(500); // many yields
    let mut compared = 0u64;
    for seed in first..first + count {
        let program = program_of(&mut Random::new(seed), shape);
        let Some(wanted) = oracle(seed, &program) else {
            continue;
        };
        let module = Module::link("random", program, &table)
            .unwrap_or_else(|each| panic!("seed {seed}: {each}"));
        let (entry, _) = module.entries().next().unwrap();
        for round in 0..rounds {
            let mut run = Run::new(&runtime, &module, entry, &[], Phases::REQUEST).unwrap();
            let mut host = Host::default();
            let outcome = finish(&mut run, &mut host);
            let at = format!("seed {seed}, round {round}");
            assert_eq!(outcome, Outcome::Done(wanted.result), "{at}");
            assert_eq!(host.trace, wanted.trace, "{at}: calls of helpers");
            let same = run.memory()[..wanted.memory.len()] == wanted.memory[..];
            assert!(same, "{at}: memory");
        }
        compared += 1;
    }
    eprintln!("{compared} of {count} programs compared");
    assert!(compared * 10 >= count * 5, "too few programs end");
}
