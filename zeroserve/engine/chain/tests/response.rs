//! A script's own answer, logs, metadata, limits, the store, and hooks, by programs that were compiled from C.

mod support;

use zs_chain::{Now, Verdict};

use support::{Ask, Told, pool, scripts};

fn run(case: &str) -> Told {
    Ask::default().run(&pool(), &scripts("response"), case)
}

#[test]
fn the_last_answer_counts() {
    let mut told = run("respond");
    assert_eq!(told.verdict, Verdict::Respond, "{}", told.failure);
    assert_eq!(told.lines, ["0", "1", "0", "0"]);
    let added = [("Set-Cookie", "a=1"), ("set-cookie", "b=2")];
    let added = added.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(told.execution.context().added_headers(), added);
    let response = told.execution.take_response().unwrap();
    assert_eq!(
        (response.status, &response.body[..], response.json),
        (201, &b"two"[..], false)
    );
}

#[test]
fn an_answer_is_taken_back() {
    let told = run("cleared");
    assert_eq!(
        (told.verdict, told.lines),
        (Verdict::Pass, vec!["0".to_owned(); 2])
    );
    assert_eq!(run("aborted").verdict, Verdict::Abort);
}

#[test]
fn a_status_that_is_none_becomes_500() {
    assert_eq!(
        run("odd_status").execution.take_response().unwrap().status,
        500
    );
}

#[test]
fn misuse_is_refused_by_name_and_reason() {
    for (case, refusal) in [
        ("bad_status", "zs_respond: a status over 65535"),
        ("bad_added_name", "zs_res_add_header: not a header name"),
        (
            "bad_added_value",
            "zs_res_add_header: not a header value: it has a line break or a control byte",
        ),
        ("empty_key", "zs_meta_set: an empty key"),
        ("not_text", "zs_meta_set: argument 2: not UTF-8"),
        (
            "early_status",
            "zs_res_status: not allowed here, only in a response hook",
        ),
    ] {
        let told = run(case);
        assert_eq!(
            (told.verdict, &*told.failure),
            (Verdict::Failed, refusal),
            "{case}"
        );
        assert!(told.execution.context().added_headers().is_empty());
    }
}

#[test]
fn every_line_is_logged_and_the_tail_too() {
    assert_eq!(run("log").lines, ["one", "two", "", "three?? end"]);
}

#[test]
fn metadata_outlives_its_script() {
    let told = run("metadata");
    assert_eq!(told.lines, ["0", "5 value", "0"]);
    assert_eq!(told.execution.context().metadata("key"), Some("value"));
}

#[test]
fn limits_and_values_are_those_of_the_process() {
    let (pool, scripts) = (pool(), scripts("response"));
    let at = |monotonic_ms: u64, case: &str| {
        let now = Now {
            unix_ms: 0,
            monotonic_ms,
        };
        let ask = Ask {
            now,
            ..Ask::default()
        };
        ask.run(&pool, &scripts, case).lines.join(" ")
    };
    assert_eq!(at(5000, "limit"), "0 1 -1");
    assert_eq!(at(5999, "limit"), "1 1 -1");
    assert_eq!(at(6000, "limit"), "0 1 -1");
    let first = "-1 0 5 value 5 -1 1 0 8 8 -2 -1 -1";
    assert_eq!(at(6000, "store"), first);
    // The number is there; after a minute it is not.
    assert_eq!(at(65_999, "store"), first.replace("8 8 -2", "8 8 -4"));
    assert_eq!(at(66_000, "store"), first);
}

const HEAD: &str = "x-old: v1\r\nx-old: v2\r\n";

#[test]
fn hooks_see_what_those_before_them_left() {
    let ask = Ask::default();
    let mut told = run("hooked");
    assert_eq!(
        (told.verdict, told.lines.len()),
        (Verdict::Respond, 6),
        "{}",
        told.failure
    );
    assert!(told.execution.take_response().is_some());
    let told = ask.hook(told, 200, HEAD);
    assert_eq!(told.verdict, Verdict::Hooked);
    let failure = "script `response.o`, function `zs_call_entry_fail`";
    let (failed, lines): (Vec<_>, Vec<_>) = told
        .lines
        .iter()
        .partition(|line| line.starts_with(failure));
    assert!(
        failed.len() == 1 && failed[0].ends_with("a status outside of 100 to 999"),
        "{failed:?}"
    );
    let wanted = [
        // The first look, the change, two that are not there, the second look.
        "200",
        "2 v2",
        "0",
        "0",
        "0",
        "0",
        "0",
        "no call target `change` for a hook",
        "no call target `nothing` for a hook",
        "299",
        "2 w2",
        "1 1",
        "9 by change",
    ];
    assert_eq!(lines, wanted);
    let (status, fields) = told.execution.hooked_head().unwrap();
    assert_eq!(
        (status, fields.as_bytes()),
        (299, &b"x-old: w1\r\nx-old: w2\r\nx-new: 1\r\n"[..])
    );
    assert_eq!(told.execution.context().metadata("left"), Some("by change"));
}

#[test]
fn hooks_are_forgotten() {
    let told = run("hooks_cleared");
    assert_eq!(told.lines, ["0"]);
    assert!(!told.execution.has_hooks());
}

#[test]
fn a_request_goes_round_eight_times_and_then_out() {
    let ask = Ask::default();
    let mut told = run("again");
    for _ in 0..8 {
        assert_eq!(told.verdict, Verdict::Pass);
        told = ask.hook(told, 200, HEAD);
        assert_eq!(told.verdict, Verdict::Again);
        assert!(told.execution.hooked_head().is_none());
        told = ask.go_on(told);
    }
    told = ask.hook(told, 200, HEAD);
    assert_eq!(told.verdict, Verdict::Hooked);
    assert_eq!(
        told.lines,
        ["`zs_res_continue_request` more than 8 times: not again"]
    );
    assert_eq!(
        told.execution.hooked_head().unwrap().1.as_bytes(),
        HEAD.as_bytes()
    );
}

#[test]
fn an_answer_in_a_hook_has_no_effect() {
    let mut told = Ask::default().hook(run("responding_hook"), 200, HEAD);
    assert_eq!(told.verdict, Verdict::Hooked);
    assert_eq!(told.lines, ["0", "0", "0", "0"]);
    assert!(told.execution.take_response().is_none());
    // What else the hook does counts.
    let (status, fields) = told.execution.hooked_head().unwrap();
    assert_eq!((status, fields.as_bytes()), (203, HEAD.as_bytes()));
}

#[test]
fn hooks_that_go_too_far_end_alone() {
    let ask = Ask::default();
    for (case, reason) in [
        ("oddly_responding_hook", "a status over 65535"),
        ("endless_hooks", "at most 262144"),
    ] {
        let told = ask.hook(run(case), 200, HEAD);
        assert_eq!(told.verdict, Verdict::Hooked);
        assert!(
            told.lines.last().unwrap().contains(reason),
            "{case}: {:?}",
            told.lines
        );
        let (status, fields) = told.execution.hooked_head().unwrap();
        assert_eq!((status, fields.as_bytes()), (200, HEAD.as_bytes()));
    }
}
