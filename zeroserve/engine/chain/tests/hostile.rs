//! Every helper with registers that mean harm: a refusal or a result, never a panic, and the next request is served.

mod support;

use serde_json::Value;
use zs_chain::{Pool, Verdict};
use zs_script::layout::{ARENA_BYTES, POINTER_TAG, pointer};

use support::{Ask, Told, pool, scripts};

/// Not in this server.
const ABSENT: [&str; 3] = ["zs_aws_", "zs_oidc_", "zs_reverse_proxy"];

struct Row {
    name: String,
    kinds: Vec<String>,
    in_requests: bool,
}

/// The helpers of the SDK's table.
fn rows() -> Vec<Row> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/helpers.toml");
    let document: Value = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let groups = document["group"].as_array().unwrap().iter();
    let helpers = groups.flat_map(|group| group["helper"].as_array().unwrap());
    let rows = helpers.map(|helper| {
        let text = |key: &str| helper[key].as_str().unwrap();
        Row {
            name: text("name").to_owned(),
            kinds: text("args").split_whitespace().map(str::to_owned).collect(),
            in_requests: text("phases").contains('R'),
        }
    });
    let present = |row: &Row| !ABSENT.iter().any(|absent| row.name.starts_with(absent));
    rows.filter(present).collect()
}

struct Server {
    pool: Pool,
    scripts: std::sync::Arc<zs_chain::Scripts>,
}

impl Server {
    fn new() -> Self {
        Self {
            pool: pool(),
            scripts: scripts("hostile"),
        }
    }

    /// Calls a helper; the reason when it refuses.
    fn call(&self, row: &Row, registers: [u64; 5]) -> Option<String> {
        use std::fmt::Write as _;
        let mut digits = String::new();
        for each in registers {
            write!(digits, "{each:016x}").unwrap();
        }
        let fields = format!("Registers: {digits}\r\nHelper: {}\r\n", row.name);
        let ask = Ask {
            fields: &fields,
            ..Ask::default()
        };
        if row.in_requests {
            let told = ask.run(&self.pool, &self.scripts, &format!("try_{}", row.name));
            return (told.verdict == Verdict::Failed).then_some(told.failure);
        }
        let told = ask.run(&self.pool, &self.scripts, "as_hook");
        let Told { lines, verdict, .. } = ask.hook(told, 200, "a: b\r\n");
        assert!(
            matches!(verdict, Verdict::Hooked | Verdict::Again),
            "{}: {verdict:?}",
            row.name
        );
        lines.into_iter().find(|line| line.contains("helper `"))
    }
}

/// Bytes that every script has: its stack.
fn inside() -> u64 {
    pointer(100 << 10)
}

fn outside() -> Vec<(u64, u64)> {
    let end = pointer(ARENA_BYTES);
    vec![
        (0, 1),
        (1, u64::MAX),
        (8, 8),
        (POINTER_TAG, 1),
        (pointer(4095), 1),
        (end, 1),
        (end - 1, 2),
        (inside(), ARENA_BYTES as u64),
        (inside(), u64::MAX),
        (inside(), 1 << 63),
        (u64::MAX, 1),
        (1 << 47, 16),
        (1 << 63, 16),
        (outside as *const () as u64, 16),
    ]
}

fn registers_of(kind: &str) -> usize {
    match kind {
        "bytes" | "text" | "out" | "inout" => 2,
        _ => 1,
    }
}

/// Each range in turn leaves the memory, the others are sound.
#[test]
fn ranges_outside_of_memory_are_refused_for_every_argument() {
    let server = Server::new();
    let mut tried = 0;
    for row in rows() {
        let sound = |register: &mut usize, kind: &String, registers: &mut [u64; 5]| {
            let at = *register;
            if registers_of(kind) == 2 || kind.starts_with("out:") {
                registers[at] = inside() + 256 * at as u64;
            }
            if registers_of(kind) == 2 {
                registers[at + 1] = 8;
            }
            *register += registers_of(kind);
        };
        let (mut registers, mut register) = ([0; 5], 0);
        for kind in &row.kinds {
            sound(&mut register, kind, &mut registers);
        }
        let mut register = 0;
        for (number, kind) in row.kinds.iter().enumerate() {
            for (pointer, length) in outside() {
                let mut registers = registers;
                match registers_of(kind) {
                    2 => (registers[register], registers[register + 1]) = (pointer, length),
                    // Eight bytes that the kind says: some of these begin inside.
                    _ if kind.starts_with("out:") && length < 9 => registers[register] = pointer,
                    _ => continue,
                }
                let reason = server.call(&row, registers).unwrap_or_else(|| {
                    panic!(
                        "{}: argument {} at {pointer:#x}, {length} bytes",
                        row.name,
                        number + 1
                    )
                });
                let wanted = format!("argument {}: ", number + 1);
                assert!(
                    reason.contains(&wanted) && reason.contains("outside of the script's memory"),
                    "{reason}"
                );
                tried += 1;
            }
            register += registers_of(kind);
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn memory_that_is_written_overlaps_nothing() {
    let server = Server::new();
    for row in rows() {
        let written = |kind: &String| kind.starts_with("out") || kind == "inout";
        let ranges = row
            .kinds
            .iter()
            .filter(|kind| registers_of(kind) == 2 || written(kind));
        if ranges.count() < 2 || !row.kinds.iter().any(written) {
            continue;
        }
        let (mut registers, mut register) = ([0; 5], 0);
        for kind in &row.kinds {
            if registers_of(kind) == 2 {
                registers[register + 1] = 16;
            }
            if registers_of(kind) == 2 || written(kind) {
                registers[register] = inside() + register as u64;
            }
            register += registers_of(kind);
        }
        let reason = server.call(&row, registers);
        assert!(
            reason.is_some_and(|reason| reason.contains("overlaps")),
            "{}",
            row.name
        );
    }
}

#[test]
fn text_is_text_for_every_argument() {
    let server = Server::new();
    let not_text = inside() + 2048;
    let mut tried = 0;
    for row in rows() {
        let mut register = 0;
        for (number, kind) in row.kinds.iter().enumerate() {
            if kind == "text" {
                let mut registers = [0; 5];
                (registers[register], registers[register + 1]) = (not_text, 8);
                let reason = server.call(&row, registers);
                let wanted = format!("argument {}: not UTF-8", number + 1);
                assert!(
                    reason.is_some_and(|reason| reason.contains(&wanted)),
                    "{}",
                    row.name
                );
                tried += 1;
            }
            register += registers_of(kind);
        }
    }
    assert!(tried > 30, "{tried}");
}

/// Numbers of all sizes, ranges of memory that holds anything, in every combination that chance makes.
#[test]
fn nothing_that_registers_hold_is_a_panic() {
    let server = Server::new();
    let borders = [
        0,
        1,
        2,
        8,
        16,
        99,
        100,
        256,
        257,
        999,
        1000,
        65_535,
        65_536,
        1 << 31,
        1 << 40,
        1 << 63,
        u64::MAX,
        inside(),
        inside() + 8,
        inside() + 2048,
        pointer(4096),
        pointer(127 << 10),
        pointer(128 << 10),
        pointer(ARENA_BYTES) - 1,
    ];
    let mut state = 1u64;
    let mut next = || {
        // A linear congruential generator: the same calls on every run.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        borders[(state >> 33) as usize % borders.len()]
    };
    let (mut refused, mut done) = (0, 0);
    for row in rows() {
        for _ in 0..40 {
            let registers = [next(), next(), next(), next(), next()];
            match server.call(&row, registers) {
                Some(_) => refused += 1,
                None => done += 1,
            }
        }
    }
    assert!(
        refused > 100 && done > 100,
        "{refused} refused, {done} done"
    );
}
