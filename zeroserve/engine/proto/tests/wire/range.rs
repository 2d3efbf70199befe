//! `Range`.

use proptest::prelude::*;
use zs_proto::limits::RANGES_MAX;
use zs_proto::range::{ByteRange, RangeOutcome, parse};

fn single(start: u64, end_inclusive: u64) -> RangeOutcome {
    RangeOutcome::Single(ByteRange {
        start,
        end_inclusive,
    })
}

/// The ranges of a multi-range answer as pairs.
fn multi(value: &str, size: u64) -> Vec<(u64, u64)> {
    match parse(value.as_bytes(), size) {
        RangeOutcome::Multi(list) => list
            .as_slice()
            .iter()
            .map(|range| (range.start, range.end_inclusive))
            .collect(),
        other => panic!("{value}: {other:?}"),
    }
}

#[test]
fn one_range_is_answered() {
    let cases = [
        ("bytes=0-0", single(0, 0)),
        ("bytes=0-99", single(0, 99)),
        ("bytes=0-100", single(0, 99)),
        ("bytes=90-18446744073709551616", single(90, 99)),
        ("bytes=90-", single(90, 99)),
        ("bytes=99-", single(99, 99)),
        ("bytes=-1", single(99, 99)),
        ("bytes=-100", single(0, 99)),
        ("bytes=-1000", single(0, 99)),
        ("BYTES=007-08", single(7, 8)),
        ("bytes= 1-2 ", single(1, 2)),
        ("bytes=,1-2,,", single(1, 2)),
        ("bytes=100-,5-6", single(5, 6)),
        ("bytes=5-6,-0", single(5, 6)),
    ];
    for (value, outcome) in cases {
        assert_eq!(parse(value.as_bytes(), 100), outcome, "{value}");
    }
    assert_eq!(parse(b"bytes=0-", u64::MAX), single(0, u64::MAX - 1));
}

#[test]
fn what_is_behind_the_end_is_unsatisfiable() {
    for value in [
        "bytes=100-",
        "bytes=100-200",
        "bytes=-0",
        "bytes=100-,200-300",
        "bytes=99999999999999999999-",
    ] {
        assert_eq!(
            parse(value.as_bytes(), 100),
            RangeOutcome::Unsatisfiable,
            "{value}"
        );
    }
    assert_eq!(parse(b"bytes=0-", 0), RangeOutcome::Unsatisfiable);
    assert_eq!(parse(b"bytes=-5", 0), RangeOutcome::Full);
}

#[test]
fn malformed_fields_are_ignored() {
    for value in [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=1",
        "bytes=2-1",
        "bytes=1-2-3",
        "bytes=+1-2",
        "bytes=0x1-2",
        "bytes 1-2",
        "bytes =1-2",
        "lines=1-2",
        "bytes=1 -2",
        "bytes=1- 2",
        "bytes=1-2,x",
        "bytes=1-2;3-4",
        "bytes=--1",
        "bytes=1-2,bytes=3-4",
    ] {
        assert_eq!(parse(value.as_bytes(), 100), RangeOutcome::Full, "{value}");
    }
}

#[test]
fn several_ranges_are_answered_in_order() {
    assert_eq!(multi("bytes=0-9,20-29", 100), [(0, 9), (20, 29)]);
    assert_eq!(multi("bytes=-10 , 0-9", 100), [(90, 99), (0, 9)]);
    assert_eq!(multi("bytes=0-9,200-,20-", 50), [(0, 9), (20, 49)]);
    let most: Vec<String> = (0..RANGES_MAX).map(|at| format!("{at}-{at}")).collect();
    assert_eq!(
        multi(&format!("bytes={}", most.join(",")), 100).len(),
        RANGES_MAX
    );
}

#[test]
fn costly_ranges_get_the_whole() {
    let many: Vec<String> = (0..=RANGES_MAX).map(|at| format!("{at}-{at}")).collect();
    let many = format!("bytes={}", many.join(","));
    for value in [
        "bytes=0-,0-",
        "bytes=0-60,30-90",
        "bytes=0-5,0-5,0-5",
        many.as_str(),
    ] {
        assert_eq!(parse(value.as_bytes(), 100), RangeOutcome::Full, "{value}");
    }
    // Sums above what a `u64` holds, found by fuzzing.
    assert_eq!(parse(b"bytes=0-,1-", u64::MAX), RangeOutcome::Full);
    // Two that overlap are still fine (RFC 9110, 14.2 speaks of more than two).
    assert_eq!(multi("bytes=0-9,5-14", 100), [(0, 9), (5, 14)]);
}

/// Bytes picked one by one, as the definition says: `None` for a malformed range.
fn picked(spec: &str, size: u64) -> Option<Vec<u64>> {
    let (first, last) = spec.split_once('-')?;
    if first.is_empty() {
        let count: u64 = last.parse().ok()?;
        return Some((0..size).filter(|at| at + count >= size).collect());
    }
    let first: u64 = first.parse().ok()?;
    let last: u64 = if last.is_empty() {
        u64::MAX
    } else {
        last.parse().ok()?
    };
    (first <= last).then(|| (0..size).filter(|at| (first..=last).contains(at)).collect())
}

fn spec() -> impl Strategy<Value = String> {
    let bound = || {
        prop_oneof![
            Just(String::new()),
            (0_u64..30).prop_map(|at| at.to_string())
        ]
    };
    (bound(), bound()).prop_map(|(first, last)| format!("{first}-{last}"))
}

proptest! {
    #[test]
    fn ranges_agree_with_picking_bytes(specs in proptest::collection::vec(spec(), 1..5), size in 1_u64..25) {
        let outcome = parse(format!("bytes={}", specs.join(",")).as_bytes(), size);
        let bytes = |range: &ByteRange| (range.start..=range.end_inclusive).collect::<Vec<_>>();
        let wanted: Option<Vec<Vec<u64>>> = specs.iter().map(|spec| picked(spec, size)).collect();
        let Some(wanted) = wanted else {
            prop_assert_eq!(outcome, RangeOutcome::Full, "malformed");
            return Ok(());
        };
        let wanted: Vec<Vec<u64>> = wanted.into_iter().filter(|bytes| !bytes.is_empty()).collect();
        let total: usize = wanted.iter().map(Vec::len).sum();
        match outcome {
            RangeOutcome::Unsatisfiable => prop_assert!(wanted.is_empty()),
            RangeOutcome::Single(range) => prop_assert_eq!(vec![bytes(&range)], wanted),
            RangeOutcome::Multi(list) => {
                prop_assert_eq!(list.as_slice().iter().map(bytes).collect::<Vec<_>>(), wanted);
            }
            RangeOutcome::Full => {
                let meets = |a: &[u64], b: &[u64]| a.iter().any(|at| b.contains(at));
                let overlaps = (0..wanted.len())
                    .flat_map(|b| (0..b).map(move |a| (a, b)))
                    .filter(|&(a, b)| meets(&wanted[a], &wanted[b]))
                    .count();
                prop_assert!(wanted.len() > 1 && (total as u64 > size || overlaps > 2));
            }
        }
    }
}
