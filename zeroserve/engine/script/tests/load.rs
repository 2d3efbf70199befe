//! Objects that clang made are taken; all else is refused with its name, section and reason.

mod support;

use zs_script::{LoadErrorKind, Module, elf};

use support::host::table;
use support::object;

fn refusal(name: &str) -> String {
    Module::compile(name, &object(name), &table())
        .err()
        .expect("refused")
        .to_string()
}

#[test]
fn reasons_name_what_is_wrong() {
    for (name, text) in [
        (
            "recursion",
            "script `recursion`, section `.text`: `down` calls itself, directly or through others",
        ),
        (
            "depth",
            "script `depth`, section `.text`: functions that call each other: 9, at most 8",
        ),
        (
            "unknown",
            "script `unknown`: unknown helper `zs_of_another_server`: this version has none of that name",
        ),
        (
            "section",
            "script `section`, section `xdp`: no entry section of this server",
        ),
    ] {
        assert_eq!(refusal(name), text);
    }
}

#[test]
fn eight_functions_deep_is_allowed() {
    support::module("depth_ok");
}

#[test]
fn entries_are_listed_by_section() {
    let module = support::module("language");
    let names: Vec<_> = module
        .entries()
        .map(|(_, entry)| (entry.section.as_str(), entry.name.as_str()))
        .collect();
    assert!(
        names.contains(&("zeroserve.request", "globals")),
        "{names:?}"
    );
    assert!(
        names.contains(&("zeroserve.call.twice", "zs_call_entry_twice")),
        "{names:?}"
    );
    assert_eq!(module.entries_in("zeroserve.request").count(), 4);
}

#[test]
fn what_is_no_object_is_refused() {
    for bytes in [&b""[..], b"\x7fELF", &[0; 64], include_bytes!("load.rs")] {
        let error = elf::load("x", bytes).unwrap_err();
        assert!(
            matches!(error.kind, LoadErrorKind::NotAnObject(_)),
            "{error}"
        );
    }
    let mut other = object("visitor");
    other[18] = 62; // x86-64
    assert!(matches!(
        elf::load("x", &other).unwrap_err().kind,
        LoadErrorKind::NotAnObject(_)
    ));
    let mut big = object("visitor");
    big[5] = 2; // big endian
    assert!(matches!(
        elf::load("x", &big).unwrap_err().kind,
        LoadErrorKind::NotAnObject(_)
    ));
}

/// Cut anywhere, or with any byte changed: refused or taken, never a panic; and what is taken compiles or is
/// refused by the verifier.
#[test]
fn damaged_objects_do_no_harm() {
    let table = table();
    for name in ["visitor", "language", "loops"] {
        let whole = object(name);
        for end in (0..whole.len()).step_by(7) {
            drop(elf::load(name, &whole[..end]));
        }
        let mut taken = 0;
        for at in (0..whole.len()).step_by(5) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            if at % 2 == 0 {
                damaged[(at * 31) % whole.len()] = 0xff;
            }
            if elf::load(name, &damaged).is_ok() {
                taken += 1;
                if taken % 8 == 0 {
                    drop(Module::compile(name, &damaged, &table));
                }
            }
        }
        assert!(taken > 0, "{name}: the damage was never small");
    }
}

#[test]
fn line_information_survives() {
    let program = elf::load("health", &object("health")).unwrap();
    let function = &program.functions[0];
    let lines: Vec<_> = (0..function.code.len())
        .filter_map(|slot| function.line_of(slot))
        .collect();
    assert!(
        lines.iter().any(|line| line.ends_with("health.c:11")),
        "{lines:?}"
    );
}
