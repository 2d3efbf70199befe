//! Tars.

use super::write::{Tar, header, record, seal};
use proptest::prelude::*;
use zs_archive::error::{NameFault, TarError};
use zs_archive::tar::{EXTENDED_BYTES_MAX, Entry, PATH_BYTES_MAX, Walker};

/// Walks a tar, handing over exactly what is wanted.
fn list(tar: &[u8]) -> Result<Vec<Entry>, TarError> {
    let mut walker = Walker::new(tar.len() as u64);
    let mut entries = Vec::new();
    while let Some(want) = walker.poll_read() {
        let from = usize::try_from(want.offset).unwrap();
        entries.extend(walker.handle_bytes(&tar[from..from + want.len])?);
    }
    assert_eq!(
        walker.handle_bytes(b""),
        Ok(None),
        "nothing comes after the end"
    );
    Ok(entries)
}

/// Path and data of each entry.
fn contents(tar: &[u8]) -> Vec<(String, Vec<u8>)> {
    let data = |entry: &Entry| {
        let from = usize::try_from(entry.offset).unwrap();
        tar[from..from + usize::try_from(entry.size).unwrap()].to_vec()
    };
    list(tar)
        .unwrap()
        .iter()
        .map(|entry| (entry.path.clone(), data(entry)))
        .collect()
}

fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    wanted
        .iter()
        .map(|(path, data)| ((*path).into(), data.as_bytes().to_vec()))
        .collect()
}

#[test]
fn files_are_given_out_and_the_rest_is_stepped_over() {
    let tar = Tar::default()
        .member(b'5', "./", b"")
        .file("./a.html", b"<p>a")
        .member(b'5', "dir/", b"")
        .member(0, "dir/old", b"old")
        .member(0, "olddir/", b"")
        .member(b'7', "dir/contiguous", b"con")
        .raw(&header(b'1', b"hard", 99), b"") // a link's size counts nothing
        .member(b'2', "soft", b"")
        .member(b'3', "device", b"")
        .member(b'6', "pipe", b"")
        .member(b'K', "././@LongLink", b"target\0")
        .member(b'Z', "unknown", b"data of something unknown")
        .file("empty", b"")
        .file("whole", &[b'w'; 1024])
        .end();
    let whole = "w".repeat(1024);
    let wanted = [
        ("a.html", "<p>a"),
        ("dir/old", "old"),
        ("dir/contiguous", "con"),
        ("empty", ""),
        ("whole", whole.as_str()),
    ];
    assert_eq!(contents(&tar), pairs(&wanted));
    assert!(list(&tar).unwrap().iter().all(|entry| entry.mtime == 7));
}

#[test]
fn a_later_entry_of_the_same_name_is_given_out_too() {
    let tar = Tar::default().file("a", b"1").file("./a", b"2").end();
    assert_eq!(contents(&tar), pairs(&[("a", "1"), ("a", "2")]));
}

#[test]
fn names_come_in_their_one_spelling() {
    for name in ["a/b", "./a/b", "././a/b", "a//b", "a/./b", ".//a/b"] {
        assert_eq!(
            contents(&Tar::default().file(name, b"").end())[0].0,
            "a/b",
            "{name}"
        );
    }
}

#[test]
fn ustar_prefixes_are_put_before_the_name_and_gnus_are_not() {
    let mut block = header(b'0', b"name", 0);
    block[345..351].copy_from_slice(b"prefix");
    seal(&mut block);
    assert_eq!(
        contents(&Tar::default().raw(&block, b"").end())[0].0,
        "prefix/name"
    );
    block[257..265].copy_from_slice(b"ustar  \0");
    seal(&mut block);
    assert_eq!(
        contents(&Tar::default().raw(&block, b"").end())[0].0,
        "name"
    );
    // A name of 100 bytes has no NUL behind it.
    let full = "n".repeat(100);
    assert_eq!(
        contents(&Tar::default().file(&full, b"x").end()),
        pairs(&[(&full, "x")])
    );
}

#[test]
fn gnu_long_names_belong_to_the_next_member_only() {
    let long = format!("{}/\u{e9}", "d".repeat(300));
    let tar = Tar::default()
        .long_name(&long)
        .file("short", b"1")
        .file("next", b"2")
        .end();
    assert_eq!(contents(&tar), pairs(&[(&long, "1"), ("next", "2")]));
    // Also when that member is not a file.
    let tar = Tar::default()
        .long_name(&long)
        .member(b'5', "short/", b"")
        .file("next", b"2")
        .end();
    assert_eq!(contents(&tar), pairs(&[("next", "2")]));
}

#[test]
fn pax_values_stand_for_the_headers() {
    let long = "p".repeat(200);
    let tar = Tar::default()
        .pax(
            b'x',
            &[
                ("path", &long),
                ("mtime", "12.75"),
                ("size", "3"),
                ("comment", "a=b\nc"),
            ],
        )
        .raw(&header(b'0', b"short", 0), b"abc")
        .pax(b'x', &[("mtime", "-1.5")])
        .file("next", b"2")
        .file("last", b"")
        .end();
    assert_eq!(
        contents(&tar),
        pairs(&[(&long, "abc"), ("next", "2"), ("last", "")])
    );
    let times: Vec<i64> = list(&tar)
        .unwrap()
        .iter()
        .map(|entry| entry.mtime)
        .collect();
    assert_eq!(times, [12, -2, 7]);
}

#[test]
fn global_pax_values_hold_until_they_are_changed() {
    let tar = Tar::default()
        .pax(
            b'g',
            &[
                ("mtime", "5"),
                ("comment", "git archive writes one of these"),
            ],
        )
        .file("a", b"")
        .pax(b'x', &[("mtime", "6")])
        .file("b", b"")
        .file("c", b"")
        .pax(b'g', &[("mtime", "")])
        .file("d", b"")
        .end();
    let times: Vec<i64> = list(&tar)
        .unwrap()
        .iter()
        .map(|entry| entry.mtime)
        .collect();
    assert_eq!(times, [5, 6, 5, 7]);
}

#[test]
fn a_pax_path_counts_before_a_gnu_name() {
    let tar = Tar::default()
        .long_name("gnu")
        .pax(b'x', &[("path", "pax")])
        .file("h", b"")
        .end();
    assert_eq!(contents(&tar)[0].0, "pax");
}

#[test]
fn numbers_may_be_base_256() {
    let mut block = header(b'0', b"big", 0);
    block[124..136].fill(0);
    block[124] = 0x80;
    block[135] = 3;
    block[136..148].fill(0xff); // -1
    seal(&mut block);
    let tar = Tar::default().raw(&block, b"abc").end();
    assert_eq!(contents(&tar), pairs(&[("big", "abc")]));
    assert_eq!(list(&tar).unwrap()[0].mtime, -1);
}

#[test]
fn numbers_may_be_filled_with_spaces() {
    let mut block = header(b'0', b"a", 0);
    block[124..136].copy_from_slice(b"         3 \0");
    seal(&mut block);
    assert_eq!(
        contents(&Tar::default().raw(&block, b"abc").end()),
        pairs(&[("a", "abc")])
    );
}

#[test]
fn malformed_numbers_are_refused_by_name() {
    for (range, bytes, field) in [
        (124..136, b"0000000009\0\0".as_slice(), "size"),
        (124..136, b"00 00000000\0", "size"),
        (124..136, b"-0000000001\0", "size"),
        (124..136, &[0xff; 12], "size"),
        (124..136, &[0x81; 12], "size"),
        (
            124..136,
            &[0x80, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0],
            "size",
        ),
        (136..148, b"x0000000000\0", "modification time"),
    ] {
        let mut block = header(b'0', b"a", 0);
        block[range].copy_from_slice(bytes);
        seal(&mut block);
        let error = list(&Tar::default().raw(&block, b"").end()).unwrap_err();
        assert_eq!(
            error,
            TarError::BadNumber {
                field,
                member: "a".into(),
                offset: 0
            }
        );
    }
}

#[test]
fn checksums_may_be_of_signed_bytes_and_must_be_right() {
    let mut block = header(b'0', "\u{e9}".as_bytes(), 0);
    block[148..156].fill(b' ');
    let sum: i32 = block
        .iter()
        .map(|&byte| i32::from(byte.cast_signed()))
        .sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert_eq!(
        contents(&Tar::default().raw(&block, b"").end())[0].0,
        "\u{e9}"
    );
    block[0] ^= 1;
    assert_eq!(
        list(&Tar::default().raw(&block, b"").end()),
        Err(TarError::NotATar)
    );
    let second = Tar::default().file("a", b"1").raw(&block, b"").end();
    assert_eq!(list(&second), Err(TarError::BadHeader { offset: 1024 }));
}

#[test]
fn things_that_are_no_tar_are_told_apart() {
    let cases: [(&[u8], &str); 9] = [
        (b"", "the file is empty"),
        (b"x", "not a tar archive"),
        (&[b'x'; 2000], "not a tar archive"),
        (&[0; 1024], "the archive has no files in it"),
        (&[0; 10], "not a tar archive"),
        (
            b"\x1f\x8b\x08",
            "the archive is compressed (gzip); only plain tar is served",
        ),
        (
            b"\x28\xb5\x2f\xfd",
            "the archive is compressed (zstd); only plain tar is served",
        ),
        (
            b"\xfd7zXZ\0",
            "the archive is compressed (xz); only plain tar is served",
        ),
        (
            b"BZh9",
            "the archive is compressed (bzip2); only plain tar is served",
        ),
    ];
    for (bytes, text) in cases {
        assert_eq!(list(bytes).unwrap_err().to_string(), text);
    }
    let only_folders = Tar::default().member(b'5', "a/", b"").end();
    assert_eq!(list(&only_folders), Err(TarError::NoMembers));
}

#[test]
fn every_cut_of_an_archive_is_refused() {
    let tar = Tar::default()
        .file("a", &[b'a'; 700])
        .pax(b'x', &[("path", "long")])
        .file("b", b"b")
        .long_name("c")
        .file("c", b"c")
        .0;
    for cut in 0..tar.len() {
        assert!(list(&tar[..cut]).is_err(), "cut at {cut}");
    }
    let no_end = TarError::NoEnd {
        length: tar.len() as u64,
    };
    assert_eq!(list(&tar), Err(no_end));
    let error = list(&tar[..1000]).unwrap_err();
    let text = "archive is truncated: member `a` ends at byte 1212, the file at 1000";
    assert_eq!(error.to_string(), text);
    // One closing block is enough, and what is behind it does not count.
    let mut one_block = tar;
    one_block.resize(one_block.len() + 512, 0);
    assert_eq!(list(&one_block).unwrap().len(), 3);
    one_block.extend_from_slice(b"something else");
    assert_eq!(list(&one_block).unwrap().len(), 3);
}

#[test]
fn a_read_that_comes_short_counts_as_truncated() {
    let tar = Tar::default().file("a", b"a").end();
    let mut walker = Walker::new(tar.len() as u64);
    assert!(walker.handle_bytes(&tar[..512]).unwrap().is_some());
    assert_eq!(
        walker.handle_bytes(&[0; 100]),
        Err(TarError::NoEnd { length: 2048 })
    );
    assert_eq!(walker.poll_read(), None, "an error ends the walk");
}

#[test]
fn names_that_cannot_be_served_are_refused() {
    let cases: [(&[u8], NameFault, &str); 7] = [
        (
            b"../a",
            NameFault::Parent,
            "member `../a` at byte 0 has a `..` in its path",
        ),
        (
            b"a/../b",
            NameFault::Parent,
            "member `a/../b` at byte 0 has a `..` in its path",
        ),
        (
            b"a/..",
            NameFault::Parent,
            "member `a/..` at byte 0 has a `..` in its path",
        ),
        (
            b"/etc/x",
            NameFault::Absolute,
            "member `/etc/x` at byte 0 has an absolute path",
        ),
        (
            b"a\xff",
            NameFault::NotUtf8,
            "member `a\u{fffd}` at byte 0 has a name that is not utf-8",
        ),
        (
            b"./.",
            NameFault::Empty,
            "member `./.` at byte 0 has an empty name",
        ),
        (
            b"",
            NameFault::Empty,
            "member `` at byte 0 has an empty name",
        ),
    ];
    for (name, wanted, text) in cases {
        let error = list(&Tar::default().raw(&header(b'0', name, 0), b"").end()).unwrap_err();
        assert!(
            matches!(error, TarError::BadName { fault, .. } if fault == wanted),
            "{error:?}"
        );
        assert_eq!(error.to_string(), text);
    }
    // Of what is stepped over, the name does not matter.
    let link = Tar::default()
        .member(b'2', "../link", b"")
        .file("a", b"")
        .end();
    assert_eq!(list(&link).unwrap().len(), 1);
}

#[test]
fn long_and_odd_names_are_refused_in_one_short_line() {
    let named = |name: &str| {
        list(
            &Tar::default()
                .pax(b'x', &[("path", name)])
                .file("a", b"")
                .end(),
        )
    };
    assert!(named(&"n".repeat(PATH_BYTES_MAX)).is_ok());
    let error = named(&"n".repeat(PATH_BYTES_MAX + 1)).unwrap_err();
    assert!(matches!(
        error,
        TarError::BadName {
            fault: NameFault::TooLong,
            ..
        }
    ));
    assert!(error.to_string().len() < 400);
    let error = named("a\nb\0").unwrap_err();
    assert!(matches!(
        error,
        TarError::BadName {
            fault: NameFault::Nul,
            ..
        }
    ));
    assert!(
        error
            .to_string()
            .starts_with("member `a\\nb\\0` at byte 1024 has"),
        "{error}"
    );
}

#[test]
fn sparse_files_are_refused() {
    let gnu = Tar::default().member(b'S', "s", b"").end();
    let text = "member `s` at byte 0 is sparse; pack it without `--sparse`";
    assert_eq!(list(&gnu).unwrap_err().to_string(), text);
    let pax = Tar::default()
        .pax(b'x', &[("GNU.sparse.major", "1")])
        .file("s", b"x")
        .end();
    assert_eq!(
        list(&pax),
        Err(TarError::Sparse {
            member: "s".into(),
            offset: 1024
        })
    );
}

#[test]
fn broken_and_oversized_extended_headers_are_refused() {
    let size = EXTENDED_BYTES_MAX + 1;
    for flag in [b'x', b'g', b'L'] {
        let tar = Tar::default().raw(&header(flag, b"h", size), b"").end();
        assert_eq!(
            list(&tar),
            Err(TarError::ExtendedHeaderTooLarge { size, offset: 0 })
        );
    }
    for text in [
        "x",
        "5",
        "5 a=b\n",
        "7 a=b\n",
        "6 a=b",
        " a=b\n",
        "6 abb\n",
        "99999999999999999999999 a=b\n",
        &record("size", "x"),
        &record("size", "-1"),
        &record("mtime", "1.x"),
        &record("mtime", "-"),
    ] {
        let tar = Tar::default()
            .member(b'x', "h", text.as_bytes())
            .file("a", b"")
            .end();
        assert_eq!(
            list(&tar),
            Err(TarError::BadExtendedHeader { offset: 0 }),
            "{text:?}"
        );
    }
    let empty = Tar::default()
        .member(b'x', "h", b"")
        .long_name("")
        .file("a", b"")
        .end();
    assert!(matches!(
        list(&empty),
        Err(TarError::BadName {
            fault: NameFault::Empty,
            ..
        })
    ));
}

#[test]
fn huge_sizes_do_not_wrap() {
    for size in [u64::MAX, i64::MAX.cast_unsigned(), 1 << 62] {
        let tar = Tar::default()
            .pax(b'x', &[("size", &size.to_string())])
            .file("a", b"")
            .end();
        assert!(
            matches!(list(&tar), Err(TarError::Truncated { .. })),
            "{size}"
        );
    }
    let step = Tar::default()
        .pax(b'x', &[("size", &u64::MAX.to_string())])
        .member(b'Z', "z", b"");
    assert!(matches!(list(&step.end()), Err(TarError::Truncated { .. })));
}

proptest! {
    /// Whatever the writer put in comes out, in each of the ways a name can be stored, and from a
    /// window of any size.
    #[test]
    fn archives_survive_a_round_trip(
        files in proptest::collection::vec(
            ("[a-z\u{e9}]{1,9}(/[a-z. ]{0,8}[a-z]){0,3}", proptest::collection::vec(any::<u8>(), 0..1200), 0_u8..3),
            1..8,
        ),
        more in 0_usize..2000,
    ) {
        let mut tar = Tar::default();
        for (name, data, way) in &files {
            tar = match way {
                0 => tar.file(name, data),
                1 => tar.long_name(name).file("short", data),
                _ => tar.pax(b'x', &[("path", name)]).file("short", data),
            };
        }
        let tar = tar.end();
        let wanted: Vec<_> = files.iter().map(|(name, data, _)| (name.clone(), data.clone())).collect();
        prop_assert_eq!(contents(&tar), wanted);

        let mut walker = Walker::new(tar.len() as u64);
        let mut entries = Vec::new();
        while let Some(want) = walker.poll_read() {
            let from = usize::try_from(want.offset).unwrap();
            let to = tar.len().min(from + want.len + more);
            entries.extend(walker.handle_bytes(&tar[from..to]).unwrap());
        }
        prop_assert_eq!(entries, list(&tar).unwrap());
    }
}
