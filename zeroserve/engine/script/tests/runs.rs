//! Good scripts: results, helpers, waiting, slices, pools.

mod support;

use std::sync::Arc;

use zs_script::{Outcome, Phases, Resume, Run, Runtime};

use support::host::Host;
use support::{begin, call, finish, module};

#[test]
fn the_announced_programs_do_what_they_say() {
    let runtime = Runtime::new();
    let mut host = Host::default();
    let visitor = module("visitor");
    assert_eq!(
        finish(&mut begin(&runtime, &visitor, "entry", &[]), &mut host),
        Outcome::Done(0)
    );
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        host.meta,
        [
            pair("visitor", "192.0.2.7:5000"),
            pair("zs.response.header.x-served-by", "zeroserve-ebpf")
        ]
    );
    let health = module("health");
    assert_eq!(
        finish(&mut begin(&runtime, &health, "entry", &[]), &mut host),
        Outcome::Done(0)
    );
    assert_eq!(
        host.response,
        Some((200, b"{\"status\":\"ok\"}\n".to_vec()))
    );
    host.response = None;
    host.path = "/other".to_owned();
    finish(&mut begin(&runtime, &health, "entry", &[]), &mut host);
    assert_eq!(host.response, None);
}

#[test]
fn c_works() {
    let (runtime, module) = (Runtime::new(), module("language"));
    let weigh = |text: &str, seed: u64| {
        text.bytes().fold(seed, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        })
    };
    for _ in 0..3 {
        assert_eq!(call(&runtime, &module, "globals", &[]), Outcome::Done(41));
        assert_eq!(call(&runtime, &module, "texts", &[]), Outcome::Done(0));
        assert_eq!(
            call(&runtime, &module, "calls", &[]),
            Outcome::Done(weigh("two", 2) + 2 + weigh("abc", 1))
        );
        assert_eq!(
            call(&runtime, &module, "atomics", &[]),
            Outcome::Done(5 * 10000 + 24 * 100 + 1)
        );
        assert_eq!(call(&runtime, &module, "twice", &[21]), Outcome::Done(42));
    }
}

#[test]
fn a_helper_waits_and_the_host_answers() {
    let (runtime, module) = (Runtime::new(), module("loops"));
    let mut host = Host::default();
    let mut run = begin(&runtime, &module, "waits", &[2]);
    assert_eq!(run.resume(&mut host, Resume::Go), Outcome::Wait);
    assert_eq!(run.waits_for(), Some("zs_now_ms"));
    // Others run meanwhile.
    assert_eq!(call(&runtime, &module, "sums", &[1]), Outcome::Done(0));
    assert_eq!(run.resume(&mut host, Resume::Value(40)), Outcome::Done(42));

    let mut run = begin(&runtime, &module, "waits", &[2]);
    assert_eq!(run.resume(&mut host, Resume::Go), Outcome::Wait);
    assert_eq!(run.resume(&mut host, Resume::Again), Outcome::Wait);
    host.now = Some(5);
    assert_eq!(run.resume(&mut host, Resume::Again), Outcome::Done(7));

    host.now = None;
    let mut run = begin(&runtime, &module, "waits", &[2]);
    run.resume(&mut host, Resume::Go);
    let Outcome::Failed(error) =
        run.resume(&mut host, Resume::Fail("the clock stopped".to_owned()))
    else {
        panic!()
    };
    assert_eq!(error.helper, Some("zs_now_ms"));
    assert_eq!(error.reason, "the clock stopped");
}

#[test]
fn an_endless_loop_yields_and_can_be_dropped() {
    let (runtime, module) = (Runtime::new(), module("loops"));
    let mut host = Host::default();
    let mut run = begin(&runtime, &module, "spin", &[]);
    for slice in 1..=100u64 {
        assert_eq!(run.resume(&mut host, Resume::Go), Outcome::Yield);
        assert!(
            run.fuel_spent() >= slice * (32 << 10),
            "slice {slice}: {}",
            run.fuel_spent()
        );
    }
    drop(run);
    assert_eq!(runtime.idle(), 1);
}

#[test]
fn slices_change_nothing_but_time() {
    let module = module("loops");
    let results = [1, 100, 10_000, 10_000_000].map(|slice| {
        let runtime = Runtime::new();
        runtime.set_slice(slice);
        call(&runtime, &module, "hashes", &[20])
    });
    assert!(
        results.iter().all(|each| *each == results[0]),
        "{results:?}"
    );
}

#[test]
fn pools_are_reused_and_modules_freed() {
    let runtime = Runtime::new();
    let (first, second) = (module("language"), module("loops"));
    for _ in 0..10 {
        call(&runtime, &first, "globals", &[]);
        call(&runtime, &second, "sums", &[1]);
    }
    assert_eq!(runtime.idle(), 2, "one for each module");
    let waiting = begin(&runtime, &first, "globals", &[]);
    let weak = Arc::downgrade(&first);
    drop(first);
    assert!(weak.upgrade().is_some(), "a run keeps its module");
    drop(waiting);
    assert!(weak.upgrade().is_none(), "the last run frees it");
    runtime.shrink();
    assert_eq!(runtime.idle(), 0);
}

#[test]
fn a_helper_of_another_phase_is_refused() {
    let (runtime, module) = (Runtime::new(), module("visitor"));
    let (entry, _) = module.entries().next().unwrap();
    let mut run = Run::new(&runtime, &module, entry, &[], Phases::INIT).unwrap();
    let Outcome::Failed(error) = run.resume(&mut Host::default(), Resume::Go) else {
        panic!()
    };
    assert_eq!(
        error.to_string(),
        "script `visitor`, function `entry` (visitor.c:7), helper `zs_req_peer`: not allowed here, only on a request"
    );
}

#[test]
fn the_footprint_is_capped() {
    let (runtime, module) = (Runtime::new(), module("visitor"));
    let mut host = Host {
        footprint: zs_script::Footprint::new(30),
        ..Host::default()
    };
    let Outcome::Failed(error) = finish(&mut begin(&runtime, &module, "entry", &[]), &mut host)
    else {
        panic!()
    };
    assert_eq!(
        error.reason,
        "memory of the request: 44 bytes on top of 21, at most 30"
    );
    assert_eq!(error.line.as_deref(), Some("visitor.c:12"));
}

#[test]
fn a_helper_that_panics_leaves_the_pools_whole() {
    let (runtime, module) = (Runtime::new(), module("loops"));
    let mut run = begin(&runtime, &module, "waits", &[1]);
    let mut host = Host::default();
    run.resume(&mut host, Resume::Go);
    let wrong = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run.resume(&mut host, Resume::Go)
    }));
    assert!(wrong.is_err(), "an answer was due");
    drop(run);
    assert_eq!(runtime.idle(), 1);
}
