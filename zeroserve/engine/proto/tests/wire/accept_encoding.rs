//! `Accept-Encoding`.

use proptest::prelude::*;
use zs_proto::accept_encoding::{Coding, StoredCodings, negotiate};
use zs_proto::field::FieldLines;
use zs_proto::h1::parse::parse_head;

const ALL: u8 = 0b111;

fn chosen(value: &str, stored: u8) -> Coding {
    negotiate(
        Some(FieldLines::single(value.as_bytes())),
        StoredCodings::from_bits(stored),
    )
}

#[test]
fn the_best_stored_form_is_chosen() {
    let cases = [
        ("gzip, deflate, br, zstd", ALL, Coding::Brotli),
        ("gzip, deflate, br, zstd", 0b110, Coding::Zstd),
        ("gzip, deflate, br, zstd", 0b100, Coding::Gzip),
        ("gzip, deflate, br, zstd", 0, Coding::Identity),
        ("gzip", 0b011, Coding::Identity),
        ("GZIP", ALL, Coding::Gzip),
        ("x-gzip", ALL, Coding::Gzip),
        ("br;q=0.5, gzip", ALL, Coding::Gzip),
        ("br;q=0.5,gzip;q=0.5", ALL, Coding::Brotli),
        ("br;q=0, *", ALL, Coding::Zstd),
        ("*;q=0", ALL, Coding::Identity),
        ("*", 0b100, Coding::Gzip),
        ("identity", ALL, Coding::Identity),
        ("identity, gzip", ALL, Coding::Gzip),
        ("identity, gzip;q=0.9", ALL, Coding::Identity),
        ("identity;q=0", 0b001, Coding::Identity),
        ("br ; q=0.001 , identity;q=0", ALL, Coding::Brotli),
        ("br;q=0.000", ALL, Coding::Identity),
        ("br;Q=1.", ALL, Coding::Brotli),
        ("br;q=1.001", ALL, Coding::Identity),
        ("br;q=2", ALL, Coding::Identity),
        ("br;q=0.1234", ALL, Coding::Identity),
        ("br;q=", ALL, Coding::Identity),
        ("br;level=5", ALL, Coding::Identity),
        ("brotli, gzipped", ALL, Coding::Identity),
        (",, br", ALL, Coding::Brotli),
        ("", ALL, Coding::Identity),
    ];
    for (value, stored, coding) in cases {
        assert_eq!(chosen(value, stored), coding, "{value:?} of {stored:03b}");
    }
}

#[test]
fn without_the_field_the_file_goes_out_as_it_is() {
    assert_eq!(
        negotiate(None, StoredCodings::from_bits(ALL)),
        Coding::Identity
    );
    assert!(StoredCodings::from_bits(0b1000).is_none());
    assert_eq!(StoredCodings::default(), StoredCodings::NONE);
}

#[test]
fn several_lines_are_one_list() {
    let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: zstd;q=0.5\r\nAccept-Encoding: gzip\r\n\r\n";
    let (head, _) = parse_head(bytes).unwrap().unwrap();
    assert_eq!(
        negotiate(head.accept_encoding, StoredCodings::from_bits(ALL)),
        Coding::Gzip
    );
}

#[test]
fn codings_are_named_as_in_the_registry() {
    let names = [Coding::Identity, Coding::Brotli, Coding::Zstd, Coding::Gzip].map(Coding::name);
    assert_eq!(names, ["identity", "br", "zstd", "gzip"]);
}

proptest! {
    /// Weights as numbers: the first mention of a coding counts, the highest weight wins, the order
    /// of preference breaks ties, and identity loses unless it is named.
    #[test]
    fn choices_agree_with_the_weights(
        wishes in proptest::collection::vec((0_usize..5, 0_u16..=10), 0..6),
        stored in 0_u8..8,
    ) {
        let names = ["br", "zstd", "gzip", "identity", "*"];
        let codings = [Coding::Brotli, Coding::Zstd, Coding::Gzip, Coding::Identity];
        let parts: Vec<String> = wishes
            .iter()
            .map(|&(name, tenths)| format!("{};q={}.{}", names[name], tenths / 10, tenths % 10))
            .collect();
        let weight = |name: usize| wishes.iter().find(|wish| wish.0 == name).map(|wish| wish.1);
        let mut best = (weight(3).unwrap_or(0), 3);
        for place in (0..3_usize).rev() {
            let own = weight(place).or(weight(4)).unwrap_or(0);
            if stored >> place & 1 == 1 && own > 0 && own >= best.0 {
                best = (own, place);
            }
        }
        prop_assert_eq!(chosen(&parts.join(", "), stored), codings[best.1]);
    }
}
