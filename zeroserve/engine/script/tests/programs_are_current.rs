//! The committed objects are what the pinned compiler makes of the sources, and the header's table is whole.
//!
//! `ZS_PYTHON` names a Python that has the package `ziglang`; without it only the header is looked at.

mod support;

use std::process::Command;

#[test]
fn objects_are_rebuilt_byte_for_byte() {
    let Some(python) = std::env::var_os("ZS_PYTHON") else {
        eprintln!("ZS_PYTHON is not set: the objects were not rebuilt");
        return;
    };
    let into = std::env::temp_dir().join(format!("zs-script-programs-{}", std::process::id()));
    std::fs::create_dir_all(&into).unwrap();
    let status = Command::new(support::programs().join("rebuild"))
        .arg(python)
        .arg(&into)
        .status()
        .unwrap();
    assert!(status.success());
    let mut count = 0;
    for each in std::fs::read_dir(&into).unwrap() {
        let name = each.unwrap().file_name();
        let (new, old) = (
            std::fs::read(into.join(&name)).unwrap(),
            std::fs::read(support::programs().join(&name)).unwrap(),
        );
        assert!(
            new == old,
            "{} is out of date: run tests/programs/rebuild",
            name.display()
        );
        count += 1;
    }
    assert!(count >= 11);
    std::fs::remove_dir_all(into).unwrap();
}

/// Each row of the table is declared in the header with its parameters, and takes as many registers as it has.
#[test]
fn the_header_declares_what_the_table_says() {
    let sdk = support::programs().join("../../../../sdk");
    let header = std::fs::read_to_string(sdk.join("zeroserve.h")).unwrap();
    let table = std::fs::read_to_string(sdk.join("helpers.toml")).unwrap();
    let mut names = 0;
    for row in table.split("[[group.helper]]").skip(1) {
        let field = |key: &str| {
            let line = row
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{key} = ")));
            line.map(|value| value.trim_matches('"').to_owned())
        };
        let (name, c, args) = (
            field("name").unwrap(),
            field("c").unwrap(),
            field("args").unwrap(),
        );
        assert!(
            header.contains(&format!("{name}({c});")),
            "{name} is not declared: write the header anew"
        );
        let parameters = if c == "void" { 0 } else { c.split(',').count() };
        let registers: usize = args.split_whitespace().map(registers).sum();
        assert_eq!(
            parameters, registers,
            "{name}: parameters against registers"
        );
        assert!(registers <= 5, "{name}: too many");
        names += 1;
    }
    assert_eq!(
        names,
        header.matches("\nextern ").count(),
        "the header declares something else"
    );
    assert!(names >= 60);
}

fn registers(kind: &str) -> usize {
    match kind.split_once(':') {
        Some(("raw", count)) => count.parse().unwrap(),
        Some(("out", _)) => 1,
        _ if matches!(kind, "scalar" | "handle") => 1,
        _ if matches!(kind, "bytes" | "text" | "out" | "inout") => 2,
        _ => panic!("unknown kind {kind}"),
    }
}
