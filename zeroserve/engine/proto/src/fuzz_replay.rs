//! Every fuzz body of this crate, over its corpus and inputs made from it.
#![allow(
    clippy::disallowed_methods,
    reason = "a test reads its corpus from files"
)]

include!("../../fuzz/replay.rs");

/// A few milliseconds in a debug build.
const MADE_INPUTS: u32 = 3000;

#[test]
fn h1_head() {
    replay("h1_head", crate::h1::parse::fuzz_head);
}

#[test]
fn chunk() {
    replay("chunk", crate::h1::chunk::fuzz_chunk);
}

#[test]
fn body() {
    replay("body", crate::body::fuzz_body);
}

#[test]
fn path() {
    replay("path", crate::path::fuzz_path);
}

#[test]
fn range() {
    replay("range", crate::range::fuzz_range);
}

#[test]
fn conditional() {
    replay("conditional", crate::conditional::fuzz_conditional);
}

#[test]
fn http_date() {
    replay("http_date", crate::date::fuzz_date);
}

#[test]
fn accept_encoding() {
    replay(
        "accept_encoding",
        crate::accept_encoding::fuzz_accept_encoding,
    );
}

#[test]
fn client_hello() {
    replay("client_hello", crate::tls::client_hello::fuzz_client_hello);
}

#[test]
fn flight() {
    replay("flight", crate::tls::flight::fuzz_flight);
}

#[test]
fn proxy() {
    replay("proxy", crate::proxy::fuzz_proxy);
}

#[test]
fn h2_frames() {
    replay("h2_frames", crate::h2::fuzz::fuzz_h2_frames);
}

#[test]
fn hpack() {
    replay("hpack", crate::h2::fuzz::fuzz_hpack);
}

#[test]
fn h2_operations() {
    replay("h2_operations", crate::h2::fuzz::fuzz_h2_operations);
}
