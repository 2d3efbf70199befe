//! The member index.

use proptest::prelude::*;
use std::collections::BTreeMap;
use zs_archive::members::{IndexError, MemberIndex, Record, RecordFault};

/// What one member is written with.
#[derive(Clone, Debug)]
struct Member {
    path: String,
    offset: u64,
    size: u64,
    mtime: i64,
    sha256: [u8; 32],
    content_type: &'static str,
    encodings: u8,
    flags: u8,
}

fn member(path: &str) -> Member {
    Member {
        path: path.into(),
        offset: 512,
        size: 10,
        mtime: 0,
        sha256: [7; 32],
        content_type: "text/html; charset=utf-8",
        encodings: 0b101,
        flags: 1,
    }
}

/// Writes an index as it is laid down, in the order given.
fn write(members: &[Member]) -> Vec<u8> {
    let (mut strings, mut records) = (Vec::new(), Vec::new());
    let mut types: BTreeMap<&str, u32> = BTreeMap::new();
    let place = |strings: &Vec<u8>| u32::try_from(strings.len()).unwrap();
    for member in members {
        let path_offset = place(&strings);
        strings.extend_from_slice(member.path.as_bytes());
        let type_offset = *types.entry(member.content_type).or_insert_with(|| {
            let at = place(&strings);
            strings.extend_from_slice(member.content_type.as_bytes());
            at
        });
        records.extend_from_slice(&member.offset.to_le_bytes());
        records.extend_from_slice(&member.size.to_le_bytes());
        records.extend_from_slice(&member.mtime.to_le_bytes());
        records.extend_from_slice(&member.sha256);
        records.extend_from_slice(&path_offset.to_le_bytes());
        records.extend_from_slice(&type_offset.to_le_bytes());
        records.extend_from_slice(&u16::try_from(member.path.len()).unwrap().to_le_bytes());
        records.push(u8::try_from(member.content_type.len()).unwrap());
        records.extend_from_slice(&[member.encodings, member.flags, 0, 0, 0]);
    }
    let mut bytes = b"ZSMEMBR1".to_vec();
    bytes.extend_from_slice(&u32::try_from(members.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&place(&strings).to_le_bytes());
    bytes.extend_from_slice(&[9; 32]);
    bytes.extend_from_slice(&72_u32.to_le_bytes());
    bytes.extend_from_slice(&[0; 12]);
    [bytes, records, strings].concat()
}

fn fault(members: &[Member]) -> IndexError {
    MemberIndex::parse(&write(members)).unwrap_err()
}

#[test]
fn members_are_read_in_order_and_found_by_path() {
    let bytes = write(&[
        member(".zeroserve/x.o"),
        member("a/b"),
        member("a0"),
        member("\u{e9}"),
    ]);
    let index = MemberIndex::parse(&bytes).unwrap();
    assert_eq!(
        (index.len(), index.is_empty(), index.site_digest()),
        (4, false, &[9; 32])
    );
    let wanted = Record {
        path: "a/b",
        offset: 512,
        size: 10,
        mtime: 0,
        sha256: &[7; 32],
        content_type: "text/html; charset=utf-8",
        encodings: 0b101,
        has_placeholder: true,
    };
    assert_eq!(index.get(1), Some(wanted));
    assert_eq!(index.find("a/b"), Some(wanted));
    assert_eq!(index.find("\u{e9}").unwrap().path, "\u{e9}");
    assert_eq!(index.find("a"), None);
    assert_eq!(index.get(4), None);
    let paths: Vec<_> = index.iter().map(|record| record.path).collect();
    assert_eq!(paths, [".zeroserve/x.o", "a/b", "a0", "\u{e9}"]);
    assert!(MemberIndex::parse(&write(&[])).unwrap().is_empty());
}

/// An index whose second record was changed is refused for this reason.
fn check(wanted: RecordFault, change: impl FnOnce(&mut Member)) {
    let mut bad = member("a");
    change(&mut bad);
    let error = fault(&[member("!"), bad.clone()]);
    assert_eq!(
        error,
        IndexError::BadRecord {
            record: 1,
            fault: wanted
        },
        "{bad:?}"
    );
}

#[test]
fn records_with_bad_paths_are_refused() {
    let long = "a".repeat(4097);
    for path in ["", "/a", "a/", "a/../b", "./a", "a//b", "a\0", &long] {
        check(RecordFault::BadPath, |member| member.path = path.into());
    }
}

#[test]
fn records_that_break_a_rule_are_refused() {
    for content_type in ["", "a\r\nb: c", "\u{e9}"] {
        check(RecordFault::BadType, |member| {
            member.content_type = content_type;
        });
    }
    check(RecordFault::BadExtent, |member| member.offset = 513);
    check(RecordFault::BadExtent, |member| member.size = u64::MAX);
    check(RecordFault::Reserved, |member| member.encodings = 8);
    check(RecordFault::Reserved, |member| member.flags = 2);
    check(RecordFault::Reserved, |member| member.flags = 0x81);
}

#[test]
fn members_out_of_order_or_twice_are_refused() {
    for pair in [["b", "a"], ["a", "a"], ["a0", "a/b"]] {
        let error = fault(&pair.map(member));
        let wanted = IndexError::BadRecord {
            record: 1,
            fault: RecordFault::NotSorted,
        };
        assert_eq!(error, wanted);
        assert_eq!(
            error.to_string(),
            "record 1 of the member index is not in order"
        );
    }
}

#[test]
fn headers_that_break_a_rule_are_refused() {
    let bytes = write(&[member("a")]);
    let changed = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        MemberIndex::parse(&bytes).map(|_| ()).unwrap_err()
    };
    assert_eq!(changed(0), IndexError::NotAnIndex);
    assert_eq!(changed(7), IndexError::NotAnIndex);
    assert_eq!(changed(48), IndexError::NotAnIndex);
    assert_eq!(changed(52), IndexError::ReservedHeader);
    assert_eq!(changed(63), IndexError::ReservedHeader);
    assert!(matches!(changed(8), IndexError::WrongLength { .. }));
    assert!(matches!(changed(12), IndexError::WrongLength { .. }));
    for at in 64 + 69..64 + 72 {
        let reserved = IndexError::BadRecord {
            record: 0,
            fault: RecordFault::Reserved,
        };
        assert_eq!(changed(at), reserved);
    }
    let longer = [bytes.as_slice(), b"x"].concat();
    let expected = bytes.len() as u64;
    let wrong = IndexError::WrongLength {
        expected,
        found: expected + 1,
    };
    assert_eq!(MemberIndex::parse(&longer).unwrap_err(), wrong);
}

#[test]
fn every_cut_is_refused() {
    let bytes = write(&[member("a"), member("b")]);
    for cut in 0..bytes.len() {
        assert!(MemberIndex::parse(&bytes[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn strings_lie_within_the_blob_and_are_utf8() {
    let bytes = write(&[member("abc")]);
    let with = |at: usize, value: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        MemberIndex::parse(&bytes).map(|_| ()).unwrap_err()
    };
    let bounds = IndexError::BadRecord {
        record: 0,
        fault: RecordFault::StringBounds,
    };
    assert_eq!(with(64 + 56, &u32::MAX.to_le_bytes()), bounds);
    assert_eq!(with(64 + 60, &100_u32.to_le_bytes()), bounds);
    assert_eq!(with(64 + 64, &u16::MAX.to_le_bytes()), bounds);
    let not_utf8 = IndexError::BadRecord {
        record: 0,
        fault: RecordFault::NotUtf8,
    };
    assert_eq!(with(64 + 72, b"\xff"), not_utf8);
}

proptest! {
    #[test]
    fn indexes_survive_a_round_trip(files in proptest::collection::btree_map(
        "[a-z\u{e9}]{1,6}(/[a-z.]{0,5}[a-z]){0,2}",
        (0_u64..1 << 40, any::<u32>(), any::<i64>(), any::<[u8; 32]>(), 0_u8..8, 0_u8..2, any::<bool>()),
        0..20,
    )) {
        let members: Vec<Member> = files
            .iter()
            .map(|(path, &(block, size, mtime, sha256, encodings, flags, html))| Member {
                path: path.clone(),
                offset: block * 512,
                size: size.into(),
                mtime,
                sha256,
                content_type: if html { "text/html; charset=utf-8" } else { "image/png" },
                encodings,
                flags,
            })
            .collect();
        let bytes = write(&members);
        let index = MemberIndex::parse(&bytes).unwrap();
        prop_assert_eq!(index.len(), members.len());
        for (record, member) in index.iter().zip(&members) {
            prop_assert_eq!(record, Record {
                path: &member.path,
                offset: member.offset,
                size: member.size,
                mtime: member.mtime,
                sha256: &member.sha256,
                content_type: member.content_type,
                encodings: member.encodings,
                has_placeholder: member.flags == 1,
            });
            prop_assert_eq!(index.find(&member.path), Some(record));
        }
    }
}
