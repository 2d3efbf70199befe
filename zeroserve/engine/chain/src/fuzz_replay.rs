//! Every fuzz body of this crate, over its corpus and inputs made from it.

include!("../../fuzz/replay.rs");

/// A few milliseconds in a debug build.
const MADE_INPUTS: u32 = 3000;

#[test]
fn template() {
    replay("template", crate::template::fuzz_template);
}

#[test]
fn json() {
    replay("json", crate::fuzz_json);
}

#[test]
fn json_operations() {
    replay("json_operations", crate::fuzz_json_operations);
}

#[test]
fn query() {
    replay("query", crate::fuzz_query);
}

#[test]
fn uri() {
    replay("uri", crate::fuzz_uri);
}

#[test]
fn address() {
    replay("address", crate::fuzz_address);
}

#[test]
fn cookie() {
    replay("cookie", crate::fuzz_cookie);
}

#[test]
fn rewrite() {
    replay("rewrite", crate::fuzz_rewrite);
}

#[test]
fn request_edits() {
    replay("request_edits", crate::fuzz_request_edits);
}

#[test]
fn trial_request() {
    replay("trial_request", crate::fuzz_trial_request);
}

#[test]
fn helper_calls() {
    replay("helper_calls", crate::fuzz_helper_calls);
}
