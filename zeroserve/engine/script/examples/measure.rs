//! What scripts cost: `cargo run --release --example measure`. Medians of nine.

use zs_script::{Module, Phases, Resume, Run, Runtime};

#[path = "../tests/support/mod.rs"]
mod support;

use support::host::{Host, table};

const ROUNDS: u32 = 1_000_000;

fn median(mut measure: impl FnMut() -> f64) -> f64 {
    let mut each: Vec<f64> = (0..9).map(|_| measure()).collect();
    each.sort_by(f64::total_cmp);
    each[4]
}

/// Processor time of this thread: other programs of the machine don't count.
fn processor_seconds() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is writable.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn resident_kib() -> i64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages
        .split(' ')
        .nth(1)
        .and_then(|field| field.parse::<i64>().ok())
        .unwrap_or(0)
        * 4
}

/// A host whose helpers do next to nothing: the runtime's own cost is left.
fn runs(
    runtime: &Runtime,
    module: &std::sync::Arc<Module<Host>>,
    name: &str,
    input: &[u8],
    rounds: u32,
) -> f64 {
    let (entry, _) = module
        .entries()
        .find(|(_, each)| each.section.ends_with(name) || each.name == name)
        .unwrap();
    let mut host = Host {
        now: Some(1),
        ..Host::default()
    };
    median(|| {
        let start = processor_seconds();
        for _ in 0..rounds {
            let mut run = Run::new(runtime, module, entry, input, Phases::REQUEST).unwrap();
            while run.resume(&mut host, Resume::Go) == zs_script::Outcome::Yield {}
            host.meta.clear();
            host.footprint = zs_script::Footprint::new(1 << 20);
        }
        (processor_seconds() - start) * 1e9 / f64::from(rounds)
    })
}

#[expect(clippy::print_stdout, reason = "an example")]
fn main() {
    let before = resident_kib();
    let (runtime, table) = (Runtime::new(), table());
    let loops = Module::compile("loops", &support::object("loops"), &table).unwrap();
    let compiled = resident_kib();
    println!("resident: {before} KiB, after the first compile {compiled} KiB");

    let empty = runs(&runtime, &loops, "zs_call_entry_nothing", &[0; 8], ROUNDS);
    let small = runs(&runtime, &loops, "three_helpers", &[], ROUNDS);
    let plain = runs(
        &runtime,
        &loops,
        "zs_call_entry_three_times",
        &[0; 8],
        ROUNDS,
    );
    println!("three calls without arguments {plain:.0} ns");
    println!("empty script {empty:.0} ns, script with three helper calls {small:.0} ns");
    for name in ["bytes", "sums", "hashes"] {
        let each = runs(
            &runtime,
            &loops,
            &format!(".{name}"),
            &1000u64.to_le_bytes(),
            20,
        ) / 1024e3;
        let fuel = if cfg!(feature = "measure-without-fuel") {
            "without"
        } else {
            "with"
        };
        println!("{name}: {each:.3} ns a byte {fuel} fuel");
    }
    for name in ["visitor", "health", "language", "large"] {
        let object = support::object(name);
        let milliseconds = median(|| {
            let start = processor_seconds();
            drop(Module::compile(name, &object, &table).unwrap());
            (processor_seconds() - start) * 1e3
        });
        let figures = Module::compile(name, &object, &table).unwrap().figures();
        println!("compile {name}: {milliseconds:.2} ms, {figures:?}");
    }
    println!("resident at the end: {} KiB", resident_kib());
}
