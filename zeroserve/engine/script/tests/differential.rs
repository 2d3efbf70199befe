//! Random programs, run natively and by an interpreter of our own (`support::compare` says how).

mod support;

use zs_script::layout::ARENA_BYTES;

use support::compare::{Told, compare};
use support::interpreter::Interpreter;
use support::random::Shape;

const STEPS: u64 = 20_000;

#[test]
fn native_code_does_what_the_standard_says() {
    compare(Shape::ALL, 2, |_, program| {
        let mut oracle = Interpreter::new(program, STEPS);
        let result = oracle.call(0, [0; 5])?; // else it is endless
        let mut memory = oracle.memory;
        memory.truncate(ARENA_BYTES);
        Some(Told {
            result,
            trace: oracle.trace,
            memory,
        })
    });
}
