//! Helpers for documents, sums and encodings, called by compiled programs.

mod support;

use support::{Ask, Told, pool, scripts};
use zs_chain::{Body, Verdict};

fn run(program: &str, line: &str, body: &[u8]) -> Told {
    let ask = Ask {
        line,
        body: Body::Bytes(body.to_vec()),
        ..Ask::default()
    };
    ask.run(&pool(), &scripts(program), "")
}

fn answer(program: &str, body: &[u8]) -> (u16, String) {
    let mut told = run(program, "POST / HTTP/1.1", body);
    assert_eq!(told.verdict, Verdict::Respond, "{}", told.failure);
    let response = told.execution.take_response().unwrap();
    (response.status, String::from_utf8(response.body).unwrap())
}

#[test]
fn an_api_reads_a_body_and_answers() {
    let body = br#"{"active":true,"count":41,"name":"\u00fc"}"#;
    let expected = r#"{"active":true,"count":42,"name":"ü","next":null}"#;
    assert_eq!(answer("api", body), (200, expected.to_owned()));
    assert_eq!(answer("api", b"{").0, 400);
    assert_eq!(answer("api", b"[]").0, 422);
}

/// The sums are those of FIPS 180-2 (appendix B.1) and RFC 4231 (section 4.3).
#[test]
fn what_is_written_through_one_handle_shows_in_the_others() {
    let expected = concat!(
        r#"{"a":{"b":["ü","changed",2.5,{"b":[1,"changed",2.5]}]},"#,
        r#""hmac":"5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843","#,
        r#""sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","#,
        r#""t":true,"u":"5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843"}"#,
    );
    assert_eq!(answer("documents", b""), (200, expected.to_owned()));
}

#[test]
fn misuse_ends_the_run_and_says_why() {
    let cases = [
        ('a', "zs_json_len", "99 is no JSON handle"),
        ('b', "zs_json_len", "1 is no JSON handle"),
        ('c', "zs_json_read_i64", "a buffer of 4 bytes, not 8"),
        ('d', "zs_json_read_bool", "a buffer of 8 bytes, not 1"),
        ('e', "zs_json_new_object", "all 32 JSON handles"),
        ('f', "zs_json_array_push", "memory of the request"),
        ('g', "zs_json_type", "2 stood for is gone"),
        ('h', "zs_json_clone", "0 is no JSON handle"),
        ('i', "zs_json_array_push", "more than 128 levels"),
        ('j', "zs_json_set_string", "not UTF-8"),
        ('k', "zs_json_get", "outside of the script's memory"),
        ('l', "zs_sha256", "overlaps"),
        ('m', "zs_sha256", "a buffer of 4 bytes, not 32"),
        ('n', "zs_base64_encode", "a buffer of 4 bytes for 8"),
        ('o', "zs_base64_decode_in_place", "4 is no alphabet"),
        ('p', "zs_hex_encode", "a buffer of 4 bytes for 8"),
        ('q', "zs_hex_encode", "2 is no case"),
    ];
    for (case, helper, reason) in cases {
        let told = run("documents", &format!("GET /?{case} HTTP/1.1"), b"");
        assert_eq!(told.verdict, Verdict::Failed, "{case}");
        let begins = told.failure.starts_with(&format!("{helper}: "));
        let says = told.failure.contains(reason);
        assert!(begins && says, "{case}: {}", told.failure);
    }
}
