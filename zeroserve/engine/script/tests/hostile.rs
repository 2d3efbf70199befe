//! Programs that mean harm: they hit themselves, or are stopped.

mod support;

use zs_script::layout::{ARENA_BYTES, INPUT_START, POINTER_TAG, pointer};
use zs_script::{Outcome, Resume, Runtime};

use support::host::Host;
use support::{begin, call, finish, module};

/// Addresses around every border, and far away.
fn addresses() -> Vec<u64> {
    let borders = [
        0,
        pointer(0),
        pointer(INPUT_START),
        pointer(64 << 10),
        pointer(128 << 10),
        pointer(ARENA_BYTES),
        1 << 31,
        1 << 32,
        1 << 47,
        1 << 63,
        u64::MAX,
        support::programs as *const () as u64, // of this process
        &raw const borders_of_this_stack as u64,
    ];
    borders
        .iter()
        .flat_map(|each| (-9i64..=9).map(|by| each.wrapping_add_signed(by)))
        .collect()
}

#[expect(non_upper_case_globals, reason = "an address to aim at")]
static borders_of_this_stack: u64 = 0;

#[test]
fn wild_reads_see_only_the_scripts_memory() {
    let (runtime, module) = (Runtime::new(), module("hostile"));
    for address in addresses() {
        for (name, width) in [("read8", 1), ("read16", 2), ("read32", 4), ("read64", 8)] {
            let mut run = begin(&runtime, &module, name, &[address]);
            let Outcome::Done(seen) = run.resume(&mut Host::default(), Resume::Go) else {
                panic!("{name}")
            };
            let mut memory = run.memory().to_vec();
            memory.extend([0; 8]); // the pad behind the arena
            let at = (address % ARENA_BYTES as u64) as usize;
            let mut wanted = [0; 8];
            wanted[..width].copy_from_slice(&memory[at..at + width]);
            assert_eq!(seen, u64::from_le_bytes(wanted), "{name} {address:#x}");
        }
    }
}

#[test]
fn wild_writes_hit_only_the_scripts_memory_and_are_undone() {
    let (runtime, module) = (Runtime::new(), module("hostile"));
    let clean = begin(&runtime, &module, "flood", &[]).memory().to_vec();
    for address in addresses() {
        for name in ["write8", "write16", "write32", "write64", "add32", "add64"] {
            let outcome = call(&runtime, &module, name, &[address]);
            assert!(matches!(outcome, Outcome::Done(_)), "{name} {address:#x}");
            assert_eq!(runtime.idle(), 1);
            let after = begin(&runtime, &module, "flood", &[]);
            assert!(
                after.memory() == clean,
                "{name} {address:#x} left something behind"
            );
        }
    }
}

#[test]
fn a_flooded_memory_is_clean_again() {
    let (runtime, module) = (Runtime::new(), module("hostile"));
    let clean = begin(&runtime, &module, "flood", &[]).memory().to_vec();
    let mut run = begin(&runtime, &module, "flood", &[]);
    assert_eq!(finish(&mut run, &mut Host::default()), Outcome::Done(1));
    let flood = 0xdead_beef_dead_beefu64.to_le_bytes();
    assert!(run.memory().as_chunks().0.iter().all(|each| *each == flood));
    drop(run);
    assert!(begin(&runtime, &module, "flood", &[]).memory() == clean);
    for _ in 0..3 {
        assert_eq!(
            call(&runtime, &module, "leftovers", &[]),
            Outcome::Done(0),
            "bytes of another run"
        );
    }
}

#[test]
fn an_arena_changes_hands_without_a_trace() {
    let runtime = Runtime::new();
    let modules: Vec<_> = (0..40).map(|_| module("language")).collect();
    for module in &modules {
        assert_eq!(call(&runtime, module, "globals", &[]), Outcome::Done(41));
    }
    assert!(runtime.idle() <= 40);
    assert_eq!(
        call(&runtime, &module("hostile"), "leftovers", &[]),
        Outcome::Done(0)
    );
}

/// Pointers and lengths that helpers must refuse: each ends the run, with the helper's name.
#[test]
fn helpers_refuse_what_is_not_the_scripts() {
    let (runtime, module) = (Runtime::new(), module("hostile"));
    let end = pointer(ARENA_BYTES);
    let bad = [
        (0, 1),
        (8, 1),
        (pointer(0), 1),
        (pointer(4095), 1),
        (end, 1),
        (end - 1, 2),
        (pointer(8192), u64::MAX),
        (pointer(8192), ARENA_BYTES as u64),
        (pointer(8192), 1 << 63),
        (u64::MAX, 1),
        (pointer(8192) | 1 << 40, 1),
        (8192, 4),
        (POINTER_TAG.wrapping_neg(), 4),
    ];
    for (at, length) in bad {
        for name in ["pass_in", "pass_out"] {
            let outcome = call(&runtime, &module, name, &[at, length]);
            let Outcome::Failed(error) = outcome else {
                panic!("{name} {at:#x} {length:#x}: {outcome:?}")
            };
            assert!(
                error.reason.contains("outside of the script's memory"),
                "{error}"
            );
            assert!(error.helper.is_some());
        }
        for input in [[at, pointer(8192), length], [pointer(8192), at, length]] {
            assert!(
                matches!(
                    call(&runtime, &module, "pass_both", &input),
                    Outcome::Failed(_)
                ),
                "{input:x?}"
            );
        }
    }
    for (at, length) in [
        (0, 0),
        (end - 8, 8),
        (end, 0),
        (u64::MAX, 0),
        (pointer(4096), 64),
    ] {
        for name in ["pass_in", "pass_out"] {
            assert!(
                matches!(
                    call(&runtime, &module, name, &[at, length]),
                    Outcome::Done(_)
                ),
                "{at:#x} {length}"
            );
        }
    }
}

#[test]
fn memory_that_a_helper_writes_overlaps_nothing() {
    let outcome = call(
        &Runtime::new(),
        &module("hostile"),
        "overlap",
        &[0, 0, 0, 0],
    );
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        error.reason,
        "argument 2: its memory overlaps another one's"
    );
}

#[test]
fn division_by_zero_is_defined() {
    let (runtime, module) = (Runtime::new(), module("hostile"));
    assert_eq!(
        call(&runtime, &module, "divide", &[17, 5]),
        Outcome::Done(5)
    );
    // x / 0 is 0 and x % 0 is x, whatever C thinks of it.
    assert_eq!(
        call(&runtime, &module, "divide", &[17, 0]),
        Outcome::Done(17)
    );
}

#[test]
fn a_hundred_endless_loops_take_turns() {
    let (runtime, spinning) = (Runtime::new(), module("loops"));
    let mut runs: Vec<_> = (0..100)
        .map(|_| begin(&runtime, &spinning, "spin", &[]))
        .collect();
    let mut host = Host::default();
    for _ in 0..20 {
        for run in &mut runs {
            assert_eq!(run.resume(&mut host, Resume::Go), Outcome::Yield);
        }
        assert_eq!(
            call(&runtime, &spinning, "sums", &[1]),
            Outcome::Done(0),
            "others still run"
        );
    }
    drop(runs);
    assert!(runtime.idle() <= 64, "the pool is bounded");
}
