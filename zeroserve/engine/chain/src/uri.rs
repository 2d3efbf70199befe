//! URIs that scripts write, as request targets.

use zs_proto::path;

/// Path and query of a URI. Relative ones begin at the root; scheme, host and fragment are dropped; the path is
/// normalized. `None`: nothing is left, or a byte that no target has.
pub(crate) fn target(uri: &[u8]) -> Option<(Vec<u8>, Option<&[u8]>)> {
    let end = memchr::memchr(b'#', uri).unwrap_or(uri.len());
    let rest = without_authority(&uri[..end]);
    if uri[..end].is_empty() || !rest.iter().all(|&byte| byte > b' ' && byte != 0x7f) {
        return None;
    }
    let (path, query) = split(rest);
    Some((path::normalize(path).into_owned(), query))
}

/// What is before and what is behind the first `?`.
pub(crate) fn split(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'?', target) {
        Some(at) => (&target[..at], Some(&target[at + 1..])),
        None => (target, None),
    }
}

fn without_authority(uri: &[u8]) -> &[u8] {
    let Some(colon) = memchr::memchr(b':', uri) else {
        return uri;
    };
    let (scheme, rest) = uri.split_at(colon);
    // RFC 3986, section 3.1.
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    match rest.strip_prefix(b"://") {
        Some(rest) if is_scheme => {
            let end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
            &rest[end..]
        }
        _ => uri,
    }
}

/// Any bytes as a URI of a script: refused, or a target below the root that stays the same when it is taken again.
///
/// # Panics
/// When that does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_uri(bytes: &[u8]) {
    let Some((path, query)) = target(bytes) else {
        return;
    };
    let clean = |part: &[u8]| part.iter().all(|&byte| byte > b' ' && byte != 0x7f);
    assert!(path.starts_with(b"/") && !path.starts_with(b"//"));
    assert!(clean(&path) && !path.contains(&b'?') && !path.contains(&b'#'));
    assert!(query.is_none_or(|query| clean(query) && !query.contains(&b'#')));
    let mut written = path.clone();
    if let Some(query) = query {
        written.push(b'?');
        written.extend_from_slice(query);
    }
    assert_eq!(target(&written), Some((path, query)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_paths_below_the_root() {
        for (uri, path, query) in [
            ("/a/b?c=d", "/a/b", Some("c=d")),
            ("x?y", "/x", Some("y")),
            ("?y", "/", Some("y")),
            ("/a?", "/a", Some("")),
            ("/a?b?c", "/a", Some("b?c")),
            ("https://example.org:1/x?y#z", "/x", Some("y")),
            ("http://example.org", "/", None),
            ("http://example.org?q", "/", Some("q")),
            ("//evil.example/x", "/evil.example/x", None),
            ("/a/./b/../c//d/", "/a/c/d/", None),
            ("../../x", "/x", None),
            ("a:b", "/a:b", None),
            ("/x:y://z", "/x:y:/z", None),
            ("/%2e%2E/é", "/%2e%2E/é", None),
        ] {
            let found = target(uri.as_bytes());
            let wanted = (path.as_bytes().to_vec(), query.map(str::as_bytes));
            assert_eq!(found, Some(wanted), "{uri}");
        }
        for uri in ["", "#x", "/a b", "/a\r\nX: y", "/\0", "/\x7f"] {
            assert_eq!(target(uri.as_bytes()), None, "{uri:?}");
        }
    }
}
