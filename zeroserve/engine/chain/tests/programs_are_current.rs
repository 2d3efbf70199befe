//! The committed objects are what the pinned compiler makes of the sources. `ZS_PYTHON` names a Python that has the package
//! `ziglang`; without it nothing is looked at.

mod support;

use std::process::Command;

#[test]
fn objects_are_rebuilt_byte_for_byte() {
    let Some(python) = std::env::var_os("ZS_PYTHON") else {
        eprintln!("ZS_PYTHON is not set: the objects were not rebuilt");
        return;
    };
    let into = std::env::temp_dir().join(format!("zs-chain-programs-{}", std::process::id()));
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
        let new = std::fs::read(into.join(&name)).unwrap();
        let old = std::fs::read(support::programs().join(&name)).unwrap();
        let name = name.display();
        assert!(
            new == old,
            "{name} is out of date: run tests/programs/rebuild"
        );
        count += 1;
    }
    assert!(count >= 4);
    std::fs::remove_dir_all(into).unwrap();
}
