//! `.zeroserve/hosts.json`: several sites in one tarball, each below a root of its own.

use std::collections::HashMap;

pub(super) const HOSTS_PATH: &str = ".zeroserve/hosts.json";

/// Host names in lower case, without port, to roots without outer slashes. `*` is for all others.
pub(super) struct Hosts(HashMap<Box<str>, Box<str>>);

impl Hosts {
    /// # Errors
    /// What is wrong, for the packer's user.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let named: HashMap<String, String> =
            serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if named.is_empty() {
            return Err("it names no host".to_owned());
        }
        let mut hosts: HashMap<Box<str>, Box<str>> = HashMap::with_capacity(named.len());
        for (name, root) in named {
            let clean = root.trim_matches('/');
            if clean.is_empty() || clean.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return Err(format!("`{name}`: `{root}` is not a folder of the tarball"));
            }
            if clean.split('/').any(|part| part == ".zeroserve") {
                return Err(format!("`{name}`: `{root}` is inside `.zeroserve`"));
            }
            hosts.insert(name.to_ascii_lowercase().into_boxed_str(), clean.into());
        }
        // A root inside another would be served by both, and its private folder by the outer one.
        for inner in hosts.values() {
            let above = |outer: &&str| {
                inner
                    .strip_prefix(*outer)
                    .is_some_and(|rest| rest.starts_with('/'))
            };
            if let Some(outer) = hosts.values().map(|root| &**root).find(above) {
                return Err(format!("`{inner}` is inside `{outer}`, another root"));
            }
        }
        Ok(Self(hosts))
    }

    /// The root for `host` (with or without port); `None` when the tarball doesn't serve it.
    pub(super) fn root(&self, host: Option<&[u8]>) -> Option<&str> {
        let name = std::str::from_utf8(host_name(host.unwrap_or_default())).unwrap_or_default();
        self.0
            .get(name.to_ascii_lowercase().as_str())
            .or_else(|| self.0.get("*"))
            .map(|root| &**root)
    }

    pub(super) fn roots(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|root| &**root)
    }
}

/// A `Host` without its port and its trailing dot; an IPv6 literal keeps its brackets.
pub(crate) fn host_name(host: &[u8]) -> &[u8] {
    let end = match host.iter().rposition(|&byte| byte == b':') {
        Some(colon) if host[colon..].iter().skip(1).all(u8::is_ascii_digit) => colon,
        _ => host.len(),
    };
    let name = &host[..end];
    name.strip_suffix(b".").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_dots_and_case_do_not_matter() {
        let hosts = Hosts::parse(br#"{"A.example":"sites/a","*":"sites/rest/"}"#).unwrap();
        for host in ["a.example", "A.EXAMPLE:8443", "a.example."] {
            assert_eq!(hosts.root(Some(host.as_bytes())), Some("sites/a"), "{host}");
        }
        assert_eq!(hosts.root(Some(b"b.example")), Some("sites/rest"));
        assert_eq!(hosts.root(None), Some("sites/rest"));
        assert_eq!(host_name(b"[::1]:443"), b"[::1]");
        assert_eq!(host_name(b"[::1]"), b"[::1]");
    }

    #[test]
    fn roots_outside_the_tarball_are_refused() {
        for text in [
            r#"{"a":"../x"}"#,
            r#"{"a":"/"}"#,
            r#"{"a":"x//y"}"#,
            "{}",
            r#"{"a":"x","b":"x/y"}"#,
            "[]",
        ] {
            assert!(Hosts::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
