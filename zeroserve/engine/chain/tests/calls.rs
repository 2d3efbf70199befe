//! Calls between scripts, the order of the chain, handles, by programs that were compiled from C.

mod support;

use zs_chain::Verdict;

use support::{Ask, pool, scripts};

#[test]
fn calls_answer_with_a_copy_or_no() {
    let told = Ask::default().run(&pool(), &scripts("calls"), "call");
    assert_eq!(told.verdict, Verdict::Pass, "{}", told.failure);
    // Handle 1 is the argument. The failing call's unfinished line and its reason come before its result.
    let wanted = [
        "2",
        "3",
        "-1",
        "-1",
        "-1",
        "-1",
        "unfinished",
        "script `calls.o`, function `zs_call_entry_failing`, helper `zs_meta_set`: an empty key",
        "-1",
        "4",
        "0",
        "8 was here",
    ];
    let shown: Vec<_> = told.lines.iter().map(|line| without_place(line)).collect();
    assert_eq!(shown, wanted);
}

/// Lines of C move when the program is edited.
fn without_place(line: &str) -> String {
    match (line.find(" ("), line.find("), ")) {
        (Some(start), Some(end)) => format!("{}{}", &line[..start], &line[end + 1..]),
        _ => line.to_owned(),
    }
}

#[test]
fn eight_calls_deep_and_the_ninth_is_refused() {
    let told = Ask::default().run(&pool(), &scripts("calls"), "deep");
    assert_eq!(told.verdict, Verdict::Pass, "{}", told.failure);
    // Eight frames have run; the innermost's call was refused, which each of them passes on.
    let dots = told
        .lines
        .iter()
        .filter(|line| line.starts_with('.'))
        .count();
    assert_eq!(dots, 8, "{:?}", told.lines);
    assert_eq!(told.lines.last().unwrap(), "-1");
}

#[test]
fn handles_are_of_one_run_and_so_many() {
    let ask = Ask::default();
    let told = ask.run(&pool(), &scripts("calls"), "foreign_handle");
    assert_eq!(
        (told.verdict, &*told.failure),
        (Verdict::Failed, "zs_call: 1 is no JSON handle of this run")
    );
    let told = ask.run(&pool(), &scripts("calls"), "exhausted");
    assert_eq!((told.verdict, told.lines.len()), (Verdict::Failed, 32));
    assert_eq!(
        told.failure,
        "zs_connection_info: all 32 JSON handles are in use"
    );
}

/// Names decide the order: `calls` runs before `response`, which runs before `sub/response`.
#[test]
fn the_chain_stops_at_the_first_answer() {
    let objects = ["response", "calls"].map(|name| {
        let path = support::programs().join(name).with_extension("o");
        (format!("{name}.o"), std::fs::read(path).unwrap())
    });
    let mut objects = objects.to_vec();
    objects.push(("sub/response.o".to_owned(), objects[0].1.clone()));
    let scripts = zs_chain::Scripts::compile(objects, false).unwrap();
    let names: Vec<_> = scripts.names().collect();
    assert_eq!(names, ["calls.o", "response.o", "sub/response.o"]);
    let pool = pool();
    // Twice, as both have it; once, as the first one answers.
    let told = Ask::default().run(&pool, &scripts, "metadata");
    assert_eq!(told.lines, ["0", "5 value", "0", "0", "5 value", "0"]);
    let told = Ask::default().run(&pool, &scripts, "respond");
    assert_eq!((told.verdict, told.lines.len()), (Verdict::Respond, 4));
    let told = Ask::default().run(&pool, &scripts, "bad_status");
    assert_eq!(
        (told.verdict, told.execution.script()),
        (Verdict::Failed, "response.o")
    );
}
