//! Request paths: the table of the manual, and a model that works on whole strings.

use proptest::prelude::*;
use zs_proto::error::PeerError;
use zs_proto::path::clean;

/// Path and trailing slash, or the fault.
fn cleaned(raw: &[u8]) -> Result<(Vec<u8>, bool), PeerError> {
    let mut scratch = b"left over from before".to_vec();
    clean(raw, &mut scratch).map(|path| (path.path.to_vec(), path.trailing_slash))
}

#[test]
fn paths_are_cleaned() {
    let cases: [(&str, &str, bool); 28] = [
        ("/", "", true),
        ("//", "", true),
        ("/a", "a", false),
        ("/a/", "a", true),
        ("/a/b.html", "a/b.html", false),
        ("//a///b//", "a/b", true),
        ("/./a/./b/.", "a/b", true),
        ("/a/..", "", true),
        ("/a/../b", "b", false),
        ("/a/b/../..", "", true),
        ("/a/b/../", "a", true),
        ("/a//../b", "b", false),
        ("/%2e/a", "a", false),
        ("/a/%2e%2E/b", "b", false),
        ("/a/.%2e/b", "b", false),
        ("/...", "...", false),
        ("/.a/..b", ".a/..b", false),
        ("/.well-known/x", ".well-known/x", false),
        ("/a%20b", "a b", false),
        ("/%41", "A", false),
        ("/%C3%A9", "\u{e9}", false),
        ("/\u{e9}", "\u{e9}", false),
        ("/a%5Cb", "a\\b", false),
        ("/a+b", "a+b", false),
        ("/a;b=c", "a;b=c", false),
        ("/%252e", "%2e", false),
        ("/%252F", "%2F", false),
        ("/a%0ab", "a\nb", false),
    ];
    for (raw, path, trailing_slash) in cases {
        assert_eq!(
            cleaned(raw.as_bytes()),
            Ok((path.into(), trailing_slash)),
            "{raw}"
        );
    }
}

#[test]
fn bad_paths_are_refused() {
    let cases: [&[u8]; 19] = [
        b"",
        b"a",
        b"*",
        b"/..",
        b"/../a",
        b"/a/../..",
        b"/a/../../b",
        b"/%2e%2e",
        b"//..",
        b"/a%2Fb",
        b"/a%2fb",
        b"/a%00",
        b"/a\0",
        b"/%",
        b"/%4",
        b"/%zz",
        b"/%+1",
        b"/%ff",
        b"/a/\xc3/b",
    ];
    for raw in cases {
        assert_eq!(
            cleaned(raw),
            Err(PeerError::BadPath),
            "{}",
            raw.escape_ascii()
        );
    }
    // Each segment may be fine for itself and the whole still not UTF-8, and the other way round.
    assert_eq!(cleaned(b"/%c3/%a9"), Err(PeerError::BadPath));
}

#[test]
fn a_clean_path_is_borrowed() {
    let raw = b"/docs/page.html";
    let mut scratch = Vec::new();
    let path = clean(raw, &mut scratch).unwrap();
    assert_eq!(path.path.as_ptr_range(), raw[1..].as_ptr_range());
    assert_eq!(scratch.capacity(), 0, "nothing was allocated");
}

#[test]
fn the_internal_folder_is_known_in_any_disguise() {
    let internal = |raw: &str| {
        clean(raw.as_bytes(), &mut Vec::new())
            .unwrap()
            .is_internal()
    };
    for raw in [
        "/.zeroserve",
        "/.zeroserve/",
        "/.zeroserve/members.bin",
        "//.zeroserve/x",
        "/%2ezeroserve/x",
        "/.z%65roserve/x",
        "/a/../.zeroserve/x",
        "/./.zeroserve",
    ] {
        assert!(internal(raw), "{raw}");
    }
    for raw in [
        "/",
        "/.zeroserve2",
        "/.zeroserve.html",
        "/a/.zeroserve/x",
        "/zeroserve",
        "/.ZEROSERVE",
    ] {
        assert!(!internal(raw), "{raw}");
    }
}

#[test]
fn a_url_is_written_for_a_redirect() {
    let cases = [
        ("/docs/", "/docs/"),
        ("//evil.example/%2e%2e/x", "/x"),
        ("//evil.example", "/evil.example"),
        ("/a%20b/%C3%A9?", "/a%20b/%C3%A9%3F"),
        ("/a%0d%0ab", "/a%0D%0Ab"),
        ("/%25", "/%25"),
        ("/", "/"),
    ];
    for (raw, url) in cases {
        let mut out = Vec::new();
        clean(raw.as_bytes(), &mut Vec::new())
            .unwrap()
            .write_url(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), url, "{raw}");
    }
}

/// The rules of the manual, word by word, on lists of decoded segments.
fn model(raw: &[u8]) -> Option<(Vec<u8>, bool)> {
    let mut resolved: Vec<Vec<u8>> = Vec::new();
    let mut folder = true;
    for segment in raw.strip_prefix(b"/")?.split(|&byte| byte == b'/') {
        let mut decoded = Vec::new();
        let mut at = 0;
        while at < segment.len() {
            if segment[at] == b'%' {
                let digits = std::str::from_utf8(segment.get(at + 1..at + 3)?).ok()?;
                if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return None;
                }
                decoded.push(u8::from_str_radix(digits, 16).ok()?);
                at += 3;
            } else {
                decoded.push(segment[at]);
                at += 1;
            }
        }
        if decoded.contains(&0) || decoded.contains(&b'/') {
            return None;
        }
        folder = matches!(decoded.as_slice(), b"" | b"." | b"..");
        match decoded.as_slice() {
            b"" | b"." => {}
            b".." => drop(resolved.pop()?),
            _ => resolved.push(decoded),
        }
    }
    let path = resolved.join(&b'/');
    std::str::from_utf8(&path).ok()?;
    Some((path, folder))
}

proptest! {
    #[test]
    fn cleaning_agrees_with_the_model(pieces in proptest::collection::vec(
        prop_oneof![
            Just("/"), Just("/"), Just("."), Just(".."), Just("a"), Just("b.c"), Just("%2e"), Just("%2E"),
            Just("%2f"), Just("%00"), Just("%"), Just("%4"), Just("%41"), Just("%c3"), Just("%a9"), Just("\u{e9}"),
            Just(".zeroserve"), Just("%7"), Just("~"),
        ], 0..12)) {
        let raw = format!("/{}", pieces.concat()).into_bytes();
        prop_assert_eq!(cleaned(&raw).ok(), model(&raw));
    }

    #[test]
    fn any_bytes_agree_with_the_model(raw in proptest::collection::vec(any::<u8>(), 0..24)) {
        prop_assert_eq!(cleaned(&raw).ok(), model(&raw));
    }
}
