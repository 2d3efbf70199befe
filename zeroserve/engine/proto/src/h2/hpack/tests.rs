//! Appendix C of RFC 7541, and the two decoders and the encoder against each other.

use super::model::{Field, ModelDecoder};
use super::vectors::{self, Example};
use super::{BadBlock, Decoder, Encoder, FieldSink};
use crate::h2::field_kind::FieldKind;
use crate::limits::{H2_DECODER_TABLE_BYTES_MAX, H2_ENCODER_TABLE_BYTES_MAX};
use proptest::prelude::*;

/// Keeps every line, fit or not.
#[derive(Default)]
struct Lines {
    text: Vec<u8>,
    fields: Vec<Field>,
}

impl FieldSink for Lines {
    fn add_line(&mut self, line: &[u8], name_len: usize, kind: FieldKind) {
        let start = self.text.len();
        self.text.extend_from_slice(line);
        self.end_line(start, name_len, kind);
    }

    fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    fn end_line(&mut self, start: usize, name_len: usize, kind: FieldKind) {
        let (name, value) = self.text[start..].split_at(name_len);
        let value = value.strip_prefix(b": ").unwrap();
        let value = value.strip_suffix(b"\r\n").unwrap();
        assert_eq!(kind, FieldKind::of(name, value));
        self.fields.push((name.to_vec(), value.to_vec()));
    }
}

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<Field>, BadBlock> {
    let mut lines = Lines::default();
    decoder.decode(block, &mut lines)?;
    Ok(lines.fields)
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex
        .chars()
        .map(|digit| digit.to_digit(16).unwrap())
        .collect();
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// Table size updates to 256, the size of the examples C.5 and C.6.
const SMALL_TABLE: &[u8] = &[0x3f, 0xe1, 0x01];

fn run(examples: &[Example], before: &[u8], alone: bool) {
    let mut decoder = Decoder::new();
    let mut model = ModelDecoder::new(H2_DECODER_TABLE_BYTES_MAX);
    assert_eq!(decode(&mut decoder, before), Ok(vec![]));
    model.decode(before).unwrap();
    for example in examples {
        if alone {
            decoder = Decoder::new();
            model = ModelDecoder::new(H2_DECODER_TABLE_BYTES_MAX);
        }
        let block = bytes(example.block);
        let fields = decode(&mut decoder, &block).unwrap();
        let text = |(name, value): &Field| {
            let line = [name, b": ".as_slice(), value].concat();
            String::from_utf8(line).unwrap()
        };
        assert_eq!(fields.iter().map(text).collect::<Vec<_>>(), example.lines);
        assert_eq!(
            decoder.table_size(),
            example.table_size,
            "{}",
            example.block
        );
        assert_eq!(model.decode(&block), Some(fields));
        assert_eq!(model.size(), example.table_size);
    }
}

#[test]
fn the_examples_of_rfc_7541_appendix_c() {
    run(vectors::REPRESENTATIONS, b"", true);
    run(vectors::REQUESTS, b"", false);
    run(vectors::REQUESTS_CODED, b"", false);
    run(vectors::RESPONSES, SMALL_TABLE, false);
    run(vectors::RESPONSES_CODED, SMALL_TABLE, false);
}

#[test]
fn blocks_that_break_the_rules_are_refused() {
    for (what, hex) in [
        ("index zero", "80"),
        ("an index above both tables", "be"),
        ("a name above both tables", "7f00"),
        ("a cut index", "ff"),
        ("a cut length", "407f"),
        ("a string longer than the block", "400361"),
        ("a literal without value", "400161"),
        ("a size above ours", "3fe21f"),
        ("a size update behind a field", "8220"),
        ("wrong padding", "0082000182ff00"),
    ] {
        let found = decode(&mut Decoder::new(), &bytes(hex));
        assert_eq!(found, Err(BadBlock), "{what}");
        let model = ModelDecoder::new(H2_DECODER_TABLE_BYTES_MAX).decode(&bytes(hex));
        assert_eq!(model, None, "{what}");
    }
}

fn encode(encoder: &mut Encoder, status: u16, lines: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.start(&mut out);
    Encoder::status(status, &mut out);
    for line in lines {
        encoder.line(line.as_bytes(), &mut out);
    }
    out
}

#[test]
fn a_line_sent_again_is_one_octet_and_secrets_are_never_indexed() {
    let mut encoder = Encoder::new();
    let lines = ["Server: zeroserve", "Content-Type: text/html", "X-Own: 1"];
    let first = encode(&mut encoder, 200, &lines);
    assert_eq!(
        &first[..4],
        [0x3f, 0xe1, 0x0f, 0x88],
        "the table's size, then the status"
    );
    assert_eq!(encode(&mut encoder, 200, &lines), [0x88, 0xc0, 0xbf, 0xbe]);
    let secret = encode(&mut encoder, 404, &["Set-Cookie: a=b"]);
    assert_eq!(secret, b"\x8d\x1f\x28\x03a=b");
    let seldom = encode(&mut encoder, 404, &["ETag: \"1\""]);
    assert_eq!(seldom, b"\x8d\x0f\x13\x03\"1\"");
    assert_eq!(encode(&mut encoder, 421, &[]), b"\x08\x03421");
}

#[test]
fn what_speaks_of_the_connection_is_left_out() {
    let mut encoder = Encoder::new();
    encode(&mut encoder, 200, &[]);
    let lines = [
        "Connection: close",
        "keep-alive: 5",
        "Transfer-Encoding: chunked",
        "Upgrade: h2c",
        "Proxy-Connection: x",
        ": x",
        "no colon",
    ];
    assert_eq!(encode(&mut encoder, 200, &lines), [0x88]);
}

#[test]
fn a_smaller_table_is_announced_and_kept_to() {
    let mut encoder = Encoder::new();
    let mut model = ModelDecoder::new(4096);
    let line = ["Server: zeroserve"];
    model.decode(&encode(&mut encoder, 200, &line)).unwrap();
    encoder.set_peer_size(0);
    encoder.set_peer_size(100);
    let block = encode(&mut encoder, 200, &line);
    assert_eq!(&block[..4], [0x20, 0x3f, 0x45, 0x88], "empty, then 100");
    assert_eq!(model.decode(&block).unwrap().len(), 2);
    assert!(model.size() <= 100);
    encoder.set_peer_size(1 << 20);
    let block = encode(&mut encoder, 200, &line);
    assert!(
        block.starts_with(&[0x3f, 0xe1, 0x0f]),
        "never more than ours"
    );
    assert_eq!(model.decode(&block).unwrap().len(), 2);
}

/// Heads whose lines come from a small stock, so that they repeat, collide and evict.
fn heads() -> impl Strategy<Value = Vec<Vec<(String, String)>>> {
    let name = prop_oneof![
        Just("Server".to_owned()),
        Just("ETag".to_owned()),
        Just("Content-Type".to_owned()),
        Just("Set-Cookie".to_owned()),
        "[A-Za-z-]{1,12}".prop_filter("dropped", |name| {
            !["upgrade", "connection"].contains(&name.to_ascii_lowercase().as_str())
        }),
        Just("x".repeat(150)),
    ];
    let value = prop_oneof![
        "[a-d]?",
        "[ -~]{0,40}",
        Just("long".repeat(225)),
        "\u{e9}{0,9}"
    ];
    let line = (
        name,
        value.prop_map(|value: String| value.trim().to_owned()),
    );
    proptest::collection::vec(proptest::collection::vec(line, 0..8), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn encoded_heads_are_decoded_by_both_decoders(
        heads in heads(),
        sizes in proptest::collection::vec(0_usize..5000, 0..20),
    ) {
        let mut encoder = Encoder::new();
        let mut decoder = Decoder::new();
        let mut model = ModelDecoder::new(H2_DECODER_TABLE_BYTES_MAX);
        for (number, head) in heads.iter().enumerate() {
            if let Some(&size) = sizes.get(number) {
                encoder.set_peer_size(size);
            }
            let lines: Vec<String> = head.iter().map(|(n, v)| format!("{n}: {v}")).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let block = encode(&mut encoder, 200, &lines);
            let mut wanted: Vec<Field> = vec![(b":status".to_vec(), b"200".to_vec())];
            wanted.extend(head.iter().map(|(name, value)| {
                (name.to_ascii_lowercase().into_bytes(), value.clone().into_bytes())
            }));
            prop_assert_eq!(decode(&mut decoder, &block), Ok(wanted.clone()));
            prop_assert_eq!(model.decode(&block), Some(wanted));
            prop_assert_eq!(model.size(), decoder.table_size());
            prop_assert!(model.size() <= H2_ENCODER_TABLE_BYTES_MAX);
        }
    }

    #[test]
    fn any_bytes_are_read_alike_by_both_decoders(
        blocks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..6),
    ) {
        super::fuzz_blocks(&blocks);
    }
}
