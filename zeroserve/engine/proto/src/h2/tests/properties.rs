//! What holds for any cut of the input, and for any sequence of operations.

use super::client::{Client, GET, POST, Told, block, data, frame, headers, reset, window_update};
use crate::h2::frame::{PREFACE, flag, kind};
use crate::h2::{Settings, fuzz};
use proptest::prelude::*;

/// A conversation with all sorts of frames, some of which cost their stream.
fn conversation() -> Vec<u8> {
    let whole = block(&[GET, &[("x", "y")]].concat());
    let (start, end) = whole.split_at(11);
    let with_length = [POST, &[("content-length", "5")]].concat();
    [
        PREFACE,
        &super::client::settings(&[(4, 70_000), (1, 128)]),
        &frame(kind::SETTINGS, flag::ACK, 0, &[]),
        &headers(1, GET, true),
        &frame(kind::HEADERS, flag::END_STREAM, 3, start),
        &frame(kind::CONTINUATION, flag::END_HEADERS, 3, end),
        &headers(5, &with_length, false),
        &data(5, b"abc", false),
        &frame(
            kind::DATA,
            flag::PADDED | flag::END_STREAM,
            5,
            b"\x02de\0\0",
        ),
        &headers(7, POST, false),
        &window_update(0, 1000),
        &data(7, b"xyz", false),
        &headers(7, &[("x-sum", "1")], true),
        &headers(9, &[("bad", "request")], true),
        &frame(kind::PING, 0, 0, b"12345678"),
        &headers(11, POST, false),
        &reset(11),
        &headers(13, GET, true),
        &window_update(13, 0),
        &frame(0xcc, 0, 0, b"grease"),
        &frame(kind::GOAWAY, 0, 0, &[0; 8]),
        &data(21, b"", true),
    ]
    .concat()
}

fn told_in_cuts(bytes: &[u8], cuts: &[usize]) -> (Vec<Told>, Vec<super::client::Seen>) {
    let mut client = Client::silent(&Settings::default());
    let mut told = Vec::new();
    let mut from = 0;
    for &cut in cuts.iter().chain([&bytes.len()]) {
        told.extend(client.send(&bytes[from..cut]));
        from = cut;
    }
    (told, client.seen())
}

#[test]
fn any_single_cut_and_single_bytes_tell_the_same() {
    let bytes = conversation();
    let whole = told_in_cuts(&bytes, &[]);
    assert_eq!(whole.0.len(), 15, "{:?}", whole.0);
    for cut in 0..=bytes.len() {
        assert_eq!(told_in_cuts(&bytes, &[cut]), whole, "cut at {cut}");
    }
    let every: Vec<usize> = (0..bytes.len()).collect();
    assert_eq!(told_in_cuts(&bytes, &every), whole);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Windows, turns, resets and drains in any order: the fuzz body checks that nothing is ever
    /// sent past a window, and that all of a body arrives in order.
    #[test]
    fn any_operations_keep_to_the_windows(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzz::fuzz_h2_operations(&bytes);
    }

    #[test]
    fn any_cuts_of_damaged_bytes_tell_the_same(
        place in 24_usize..600,
        byte: u8,
        cuts in proptest::collection::vec(0_usize..600, 0..6),
    ) {
        let mut bytes = conversation();
        let place = place % bytes.len();
        bytes[place] = byte;
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % bytes.len()).collect();
        cuts.sort_unstable();
        prop_assert_eq!(told_in_cuts(&bytes, &cuts), told_in_cuts(&bytes, &[]));
    }
}
