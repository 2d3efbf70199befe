//! What a JSON API costs, from the request's head to the response's bytes: `cargo run --release --example json_api`.

use std::time::Instant;

#[path = "../tests/support/mod.rs"]
mod support;

use support::{Ask, pool, scripts};
use zs_chain::Body;

const ROUNDS: u32 = 20_000;

#[expect(clippy::print_stdout, reason = "an example")]
fn main() {
    let (pool, scripts) = (pool(), scripts("api"));
    let padding = "x".repeat(140);
    let body = format!(r#"{{"name":"somebody","count":41,"active":true,"text":"{padding}"}}"#);
    let bytes = body.len();
    let ask = Ask {
        line: "POST / HTTP/1.1",
        body: Body::Bytes(body.into_bytes()),
        ..Ask::default()
    };
    let mut least = f64::INFINITY;
    for _ in 0..50 {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            drop(ask.run(&pool, &scripts, ""));
        }
        least = least.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS));
    }
    println!("{bytes} bytes of body: {least:.0} ns");
}
