//! `.zeroserve/rules.json`: what the packer made of `_headers` and `_redirects`. Read once a load;
//! header rules become ready blocks of header lines, so a request pays nothing for them.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde::Deserialize;

use super::pattern::{Captures, Pattern};

pub(super) const RULES_PATH: &str = ".zeroserve/rules.json";
/// More than any hand-written file has; beyond it a script is the better tool.
const RULES_MAX: usize = 10_000;
/// A year is the longest that caches are asked to keep anything (RFC 8246 for `immutable`).
const IMMUTABLE: &str = "Cache-Control: public, max-age=31536000, immutable\r\n";
/// Ours to decide, on every answer.
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "transfer-encoding",
    "date",
    "server",
    "etag",
    "accept-ranges",
    "content-range",
    "content-encoding",
    "content-type",
    "location",
    "last-modified",
    "keep-alive",
    "upgrade",
    "trailer",
    "te",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    v: u32,
    #[serde(default)]
    headers: Vec<HeaderEntry>,
    #[serde(default)]
    redirects: Vec<RedirectEntry>,
    /// Members whose names hold a hash of their content: they may be kept for ever.
    #[serde(default)]
    immutable: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderEntry {
    path: String,
    set: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RedirectEntry {
    from: String,
    to: String,
    status: u16,
    #[serde(default)]
    force: bool,
    /// Query parameters that must be there; a value `:name` captures.
    #[serde(default)]
    query: Vec<(String, String)>,
}

#[derive(Default)]
pub(crate) struct Rules {
    headers: Vec<(Pattern, Vec<(String, String)>)>,
    redirects: Vec<Redirect>,
    any_forced: bool,
    immutable: HashSet<String>,
}

struct Redirect {
    from: Pattern,
    to: String,
    status: u16,
    force: bool,
    query: Vec<(String, String)>,
}

/// What a redirect rule leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Redirected {
    /// 200 and 404 are rewrites: the file at `location` is served with that status.
    pub(crate) status: u16,
    /// Percent-encoded for a `Location`; a plain path for a rewrite.
    pub(crate) location: Vec<u8>,
}

impl Rules {
    /// # Errors
    /// What is wrong, for the packer's user.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if document.v != 1 {
            return Err(format!("version {} is not known", document.v));
        }
        if document.headers.len() + document.redirects.len() > RULES_MAX {
            return Err(format!("more than {RULES_MAX} rules"));
        }
        let mut rules = Self {
            immutable: document.immutable.into_iter().collect(),
            ..Self::default()
        };
        for entry in document.headers {
            for (name, value) in &entry.set {
                check_field(name, value)?;
            }
            rules
                .headers
                .push((Pattern::parse(&entry.path)?, entry.set));
        }
        for entry in document.redirects {
            if !matches!(entry.status, 200 | 301 | 302 | 303 | 307 | 308 | 404) {
                return Err(format!(
                    "`{}`: status {} is not supported",
                    entry.from, entry.status
                ));
            }
            if entry.to.bytes().any(|byte| byte.is_ascii_control()) {
                return Err(format!("`{}`: a control byte in its target", entry.from));
            }
            rules.any_forced |= entry.force;
            rules.redirects.push(Redirect {
                from: Pattern::parse(&entry.from)?,
                to: entry.to,
                status: entry.status,
                force: entry.force,
                query: entry.query,
            });
        }
        Ok(rules)
    }

    /// The header lines for a member that answers at `paths` (its name first), each line with its
    /// CRLF. Rules apply in order, each at most once; a name said twice is sent twice.
    pub(super) fn header_block(&self, paths: &[&str]) -> String {
        let mut block = String::new();
        if paths
            .first()
            .is_some_and(|name| self.immutable.contains(*name))
        {
            block.push_str(IMMUTABLE);
        }
        for (pattern, fields) in &self.headers {
            if paths.iter().any(|path| pattern.captures(path).is_some()) {
                for (name, value) in fields {
                    let _ = write!(block, "{name}: {value}\r\n");
                }
            }
        }
        block
    }

    pub(super) fn has_headers(&self) -> bool {
        !self.headers.is_empty() || !self.immutable.is_empty()
    }

    /// The rule that wins over files, if any does.
    pub(crate) fn forced(&self, path: &str, query: Option<&[u8]>) -> Option<Redirected> {
        if !self.any_forced {
            return None;
        }
        self.first(path, query, |rule| rule.force)
    }

    /// The rule for a path that no file has.
    pub(crate) fn for_missing(&self, path: &str, query: Option<&[u8]>) -> Option<Redirected> {
        self.first(path, query, |_| true)
    }

    fn first(
        &self,
        path: &str,
        query: Option<&[u8]>,
        applies: impl Fn(&Redirect) -> bool,
    ) -> Option<Redirected> {
        self.redirects
            .iter()
            .filter(|rule| applies(rule))
            .find_map(|rule| rule.apply(path, query))
    }
}

impl Redirect {
    fn apply(&self, path: &str, query: Option<&[u8]>) -> Option<Redirected> {
        let mut captures = self.from.captures(path)?;
        let decoded = captures.len(); // those of the path; those of the query are as they came
        let query_text = std::str::from_utf8(query.unwrap_or_default()).unwrap_or_default();
        for (name, wanted) in &self.query {
            let value = query_text
                .split('&')
                .filter_map(|pair| pair.split_once('=').or(Some((pair, ""))))
                .find_map(|(key, value)| (key == name).then_some(value))?;
            match wanted.strip_prefix(':') {
                Some(capture) => captures.push((capture, value)),
                None if wanted == value => {}
                None => return None,
            }
        }
        let rewrite = matches!(self.status, 200 | 404);
        let mut location = substitute(&self.to, &captures, decoded);
        while location.starts_with(b"//") && !self.to.starts_with("//") {
            location.remove(0); // an empty capture must not make it the name of another host
        }
        if !rewrite && !query_text.is_empty() && !self.to.contains('?') && self.query.is_empty() {
            location.push(b'?');
            location.extend_from_slice(query_text.as_bytes());
        }
        Some(Redirected {
            status: self.status,
            location,
        })
    }
}

/// Puts captured values into `to`. The first `decoded` of them are plain text, so all that a URL gives
/// a meaning to is percent-encoded; the others are parts of a URL.
fn substitute(to: &str, captures: &Captures<'_>, decoded: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(to.len() + 32);
    let mut rest = to;
    while let Some(at) = rest.find(':') {
        let (before, from_colon) = rest.split_at(at);
        out.extend_from_slice(before.as_bytes());
        let name_length = from_colon[1..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(from_colon.len() - 1);
        let name = &from_colon[1..=name_length];
        match captures.iter().position(|(known, _)| *known == name) {
            Some(place) => push_value(&mut out, captures[place].1, place < decoded),
            None => out.extend_from_slice(&from_colon.as_bytes()[..=name_length]),
        }
        rest = &from_colon[name_length + 1..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn push_value(out: &mut Vec<u8>, value: &str, decoded: bool) {
    // A captured value must not turn `/:splat` into `//evil.example`, which names another host.
    let value = value.trim_start_matches('/');
    for &byte in value.as_bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte);
        if plain || (byte == b'%' && !decoded) {
            out.push(byte);
        } else {
            out.push(b'%');
            out.extend(super::index::hex(byte).map(|digit| digit.to_ascii_uppercase()));
        }
    }
}

fn check_field(name: &str, value: &str) -> Result<(), String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("`{name}` is not a header name"));
    }
    if value
        .bytes()
        .any(|byte| byte.is_ascii_control() && byte != b'\t')
    {
        return Err(format!("`{name}`: a control byte in its value"));
    }
    if RESERVED
        .iter()
        .any(|reserved| reserved.eq_ignore_ascii_case(name))
    {
        return Err(format!("`{name}` is set by the server itself"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Rules {
        Rules::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn header_rules_apply_in_order_to_every_path_of_a_member() {
        let rules = rules(
            r#"{"v":1,"headers":[
                {"path":"/*","set":[["X-A","1"]]},
                {"path":"/docs","set":[["X-B","2"],["X-B","3"]]}]}"#,
        );
        assert_eq!(
            rules.header_block(&["docs", "docs/index.html"]),
            "X-A: 1\r\nX-B: 2\r\nX-B: 3\r\n"
        );
        assert_eq!(rules.header_block(&["other"]), "X-A: 1\r\n");
    }

    #[test]
    fn fingerprinted_members_may_be_kept_for_ever() {
        let rules = rules(r#"{"v":1,"immutable":["a.3f2a9c1b.js"]}"#);
        assert_eq!(rules.header_block(&["a.3f2a9c1b.js"]), IMMUTABLE);
        assert_eq!(rules.header_block(&["a.js"]), "");
    }

    #[test]
    fn redirects_carry_captures_and_queries() {
        let rules = rules(
            r#"{"v":1,"redirects":[
                {"from":"/news/:year/:slug","to":"/blog/:slug?y=:year","status":301},
                {"from":"/old/*","to":"/new/:splat","status":302},
                {"from":"/store","to":"/items/:id","status":301,"query":[["id",":id"]]},
                {"from":"/away/*","to":"https://example.org:8443/:splat","status":302},
                {"from":"/*","to":"/index.html","status":200}]}"#,
        );
        let location = |path: &str, query: Option<&str>| {
            let found = rules.for_missing(path, query.map(str::as_bytes)).unwrap();
            (found.status, String::from_utf8(found.location).unwrap())
        };
        assert_eq!(
            location("news/2026/x", None),
            (301, "/blog/x?y=2026".to_owned())
        );
        assert_eq!(
            location("old/a b", Some("q=1")),
            (302, "/new/a%20b?q=1".to_owned())
        );
        assert_eq!(
            location("store", Some("x=1&id=7")),
            (301, "/items/7".to_owned())
        );
        assert_eq!(
            location("away/x", None),
            (302, "https://example.org:8443/x".to_owned())
        );
        assert_eq!(location("app/route", None), (200, "/index.html".to_owned()));
        assert_eq!(rules.forced("old/a", None), None);
    }

    #[test]
    fn a_capture_can_not_name_another_host_or_split_the_head() {
        let rules = rules(r#"{"v":1,"redirects":[{"from":"/r/*","to":"/:splat","status":302}]}"#);
        let found = rules.for_missing("r//evil.example", None).unwrap();
        assert_eq!(found.location, b"/evil.example");
        let found = rules.for_missing("r/a\r\nb", None).unwrap();
        assert_eq!(found.location, b"/a%0D%0Ab");
        let found = rules.for_missing("r/100%0d", None).unwrap();
        assert_eq!(
            found.location, b"/100%250d",
            "what was decoded is encoded again"
        );
    }

    #[test]
    fn what_the_server_sets_itself_or_can_not_send_is_refused() {
        for text in [
            r#"{"v":1,"headers":[{"path":"/*","set":[["Content-Length","1"]]}]}"#,
            r#"{"v":1,"headers":[{"path":"/*","set":[["X Y","1"]]}]}"#,
            r#"{"v":1,"headers":[{"path":"/*","set":[["X","a\r\nb"]]}]}"#,
            r#"{"v":1,"redirects":[{"from":"/a","to":"/b","status":418}]}"#,
            r#"{"v":2}"#,
        ] {
            assert!(Rules::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
