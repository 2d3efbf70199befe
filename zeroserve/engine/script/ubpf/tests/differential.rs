//! Random programs, run natively and by uBPF (`support::compare` says how). The test of the same name in the script
//! crate has an oracle of our own; here, nobody who wrote the one wrote the other.

#[path = "../../tests/support/mod.rs"]
mod support;

use support::compare::{Told, compare};
use support::host::mix;
use support::interpreter::Interpreter;
use support::random::Shape;
use zs_script_ubpf::{self as ubpf, Memory, SCRATCH};

const STEPS: u64 = 20_000;
const SHAPE: Shape = Shape {
    registers: SCRATCH,
    next_only: true,
};

#[test]
fn native_code_does_what_ubpf_does() {
    let mut memory = Memory::map();
    compare(SHAPE, 1, |seed, program| {
        // Whether it ends: uBPF would complain on standard error.
        Interpreter::new(program, STEPS).call(0, [0; 5])?;
        match ubpf::run(&mut memory, program, mix, STEPS) {
            Ok(told) => Some(Told {
                result: told.result,
                trace: told.trace,
                memory: memory.arena().to_vec(),
            }),
            Err(why) => {
                // A jump to itself, even one that is never taken.
                assert!(why.contains("infinite loop"), "seed {seed}: {why}");
                None
            }
        }
    });
}
