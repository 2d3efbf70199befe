//! A small server for scripts: a table of helpers over plain values.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    unreachable_pub,
    clippy::unnecessary_wraps,
    clippy::type_complexity,
    clippy::too_many_lines,
    reason = "tables of helpers and of instructions"
)]

pub(crate) mod compare;
pub(crate) mod host;
pub(crate) mod interpreter;
pub(crate) mod random;

use std::path::PathBuf;
use std::sync::Arc;

use zs_script::{Module, Outcome, Phases, Resume, Run, Runtime};

use host::{Host, table};

pub(crate) fn object(name: &str) -> Vec<u8> {
    let path = programs().join(format!("{name}.o"));
    std::fs::read(&path).unwrap_or_else(|each| panic!("{}: {each}", path.display()))
}

pub(crate) fn programs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

pub(crate) fn module(name: &str) -> Arc<Module<Host>> {
    Module::compile(name, &object(name), &table()).unwrap_or_else(|each| panic!("{each}"))
}

/// A number from the environment.
pub(crate) fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(usual, |text| text.parse().expect("a number"))
}

/// A run of a function by its C name.
pub(crate) fn begin(
    runtime: &Runtime,
    module: &Arc<Module<Host>>,
    name: &str,
    input: &[u64],
) -> Run<Host> {
    let entry = module
        .entries()
        .find(|(_, entry)| entry.name == name || entry.section.ends_with(&format!(".{name}")));
    let (entry, _) = entry.unwrap_or_else(|| panic!("no entry {name}"));
    let input: Vec<u8> = input.iter().flat_map(|each| each.to_le_bytes()).collect();
    Run::new(runtime, module, entry, &input, Phases::REQUEST).unwrap()
}

/// Runs to the end, however many slices it takes.
pub(crate) fn finish(run: &mut Run<Host>, host: &mut Host) -> Outcome {
    loop {
        match run.resume(host, Resume::Go) {
            Outcome::Yield => {}
            other => return other,
        }
    }
}

/// Begin and finish.
pub(crate) fn call(
    runtime: &Runtime,
    module: &Arc<Module<Host>>,
    name: &str,
    input: &[u64],
) -> Outcome {
    finish(
        &mut begin(runtime, module, name, input),
        &mut Host::default(),
    )
}
