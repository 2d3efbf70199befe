//! Changes of path and query by rules, given as JSON.

use serde::Deserialize;
use zs_proto::path;
use zs_script::{Answer, Arguments, HelperResult, Kind, Refusal};

use super::mutation::{operation, put_target};
use crate::context::Context;
use crate::form;
use crate::replacement::{Operation, Replacement};
use crate::table::{R, Row, row};
use crate::uri;

pub(super) const ROWS: &[Row] = &[
    row("zs_req_rewrite_uri", R, 400, &[Kind::Text], rewrite_uri),
    row("zs_req_rewrite_query", R, 400, &[Kind::Text], rewrite_query),
];

/// In the order in which they are done.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct UriOperations {
    strip_path_prefix: String,
    strip_path_suffix: String,
    uri_substring: Vec<Substring>,
    path_regexp: Vec<PathExpression>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Substring {
    find: String,
    replace: String,
    /// 0: every place.
    #[serde(default)]
    limit: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathExpression {
    find: String,
    replace: String,
}

fn rewrite_uri(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let operations: UriOperations = operation(arguments)?;
    let before = &context.request;
    let mut target = path::normalize(before.path()).into_owned();
    if let Some(query) = before.query() {
        target.push(b'?');
        target.extend_from_slice(query);
    }
    arguments.charge(u32::try_from(target.len()).unwrap_or(u32::MAX));
    let target = operations.apply(target)?;
    put_target(context, &target)?;
    Ok(Answer::Value(0))
}

impl UriOperations {
    fn apply(&self, target: Vec<u8>) -> Result<Vec<u8>, Refusal> {
        let mut target = change_path(target, |path| {
            let prefix = self.strip_path_prefix.trim_start_matches('/').as_bytes();
            let path = path.strip_prefix(b"/").unwrap_or(path);
            let path = path.strip_prefix(prefix).unwrap_or(path);
            let suffix = self.strip_path_suffix.as_bytes();
            let path = path.strip_suffix(suffix).unwrap_or(path);
            Ok(Some([b"/", path].concat()))
        })?;
        for Substring {
            find,
            replace,
            limit,
        } in &self.uri_substring
        {
            let limit = (*limit > 0).then_some(*limit);
            let replacement = Replacement::text(find, replace, limit)?;
            target = replacement.apply(&target)?.unwrap_or(target);
        }
        for PathExpression { find, replace } in &self.path_regexp {
            let replacement = Replacement::expression(find, replace)?;
            target = change_path(target, |path| replacement.apply(path))?;
        }
        // What is left may begin anywhere, but is no other host.
        if !target.starts_with(b"/") {
            target.insert(0, b'/');
        }
        Ok(target)
    }
}

/// Changes what is before the `?`.
fn change_path(
    target: Vec<u8>,
    change: impl FnOnce(&[u8]) -> Result<Option<Vec<u8>>, Refusal>,
) -> Result<Vec<u8>, Refusal> {
    let (path, _) = uri::split(&target);
    match change(path)? {
        Some(mut new) => {
            new.extend_from_slice(&target[path.len()..]);
            Ok(new)
        }
        None => Ok(target),
    }
}

/// In the order in which they are done.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct QueryOperations {
    rename: Vec<Pair>,
    set: Vec<Pair>,
    add: Vec<Pair>,
    replace: Vec<Operation>,
    delete: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    key: String,
    val: String,
}

type Parameters = Vec<(Vec<u8>, Vec<u8>)>;

fn rewrite_query(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let operations: QueryOperations = operation(arguments)?;
    let query = context.request.query().unwrap_or_default();
    arguments.charge(u32::try_from(query.len()).unwrap_or(u32::MAX));
    let parameters = form::pairs(query).map(|(name, value)| (name.to_vec(), value.to_vec()));
    let mut parameters = parameters.collect();
    operations.apply(&mut parameters)?;
    let query = form::encode(&parameters);
    context.charge(query.len())?;
    let path = context.request.path().to_vec();
    let query = (!parameters.is_empty()).then_some(&query[..]);
    context.request.set_target(&path, query);
    Ok(Answer::Value(0))
}

impl QueryOperations {
    fn apply(&self, parameters: &mut Parameters) -> Result<(), Refusal> {
        for Pair { key, val } in &self.rename {
            for (name, _) in parameters.iter_mut() {
                if name == key.as_bytes() {
                    *name = val.as_bytes().to_vec();
                }
            }
        }
        for Pair { key, val } in &self.set {
            set(parameters, key.as_bytes(), val.as_bytes());
        }
        let added = self.add.iter();
        parameters.extend(
            added.map(|Pair { key, val }| (key.as_bytes().to_vec(), val.as_bytes().to_vec())),
        );
        for operation in &self.replace {
            let replacement = operation.replacement()?;
            for (name, value) in parameters.iter_mut() {
                let meant = operation.name == "*" || name == operation.name.as_bytes();
                if let Some(new) = meant
                    .then(|| replacement.apply(value))
                    .transpose()?
                    .flatten()
                {
                    *value = new;
                }
            }
        }
        let deleted = |name: &[u8]| self.delete.iter().any(|each| each.as_bytes() == name);
        parameters.retain(|(name, _)| !deleted(name));
        Ok(())
    }
}

/// The first of this name gets the value, the others go; at the end when there is none.
fn set(parameters: &mut Parameters, key: &[u8], value: &[u8]) {
    let mut found = false;
    parameters.retain_mut(|(name, old)| {
        if name != key {
            return true;
        }
        if found {
            return false;
        }
        found = true;
        *old = value.to_vec();
        true
    });
    if !found {
        parameters.push((key.to_vec(), value.to_vec()));
    }
}

/// A target, a line break, and any text as operations on it: refused, or what comes out is bounded, begins at the root
/// and has a query that is read as it was written.
///
/// # Panics
/// When that does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_rewrite(bytes: &[u8]) {
    const BYTES_MAX: usize = 80 << 10;
    let at = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let rest = bytes.get(at + 1..).unwrap_or_default();
    let (Some((path, query)), Ok(text)) = (uri::target(&bytes[..at]), std::str::from_utf8(rest))
    else {
        return;
    };
    let mut target = path;
    if let Some(query) = query {
        target.push(b'?');
        target.extend_from_slice(query);
    }
    if let Ok(operations) = serde_json::from_str::<UriOperations>(text)
        && let Ok(after) = operations.apply(target)
    {
        assert!(after.starts_with(b"/") && after.len() <= BYTES_MAX + bytes.len());
    }
    if let Ok(operations) = serde_json::from_str::<QueryOperations>(text) {
        let pairs = form::pairs(query.unwrap_or_default());
        let pairs = pairs.map(|(name, value)| (name.into_owned(), value.into_owned()));
        let mut parameters: Parameters = pairs.collect();
        if operations.apply(&mut parameters).is_ok() {
            let written = form::encode(&parameters);
            assert!(written.iter().all(u8::is_ascii_graphic));
            assert_eq!(form::pairs(&written).count(), parameters.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(before: &str, operations: &str) -> String {
        let operations: UriOperations = serde_json::from_str(operations).unwrap();
        let after = operations.apply(before.as_bytes().to_vec()).unwrap();
        String::from_utf8(after).unwrap()
    }

    #[test]
    fn paths_are_rewritten_in_order() {
        for (before, operations, after) in [
            ("/api/x?y", r#"{"strip_path_prefix": "/api"}"#, "//x?y"),
            ("/api/x", r#"{"strip_path_prefix": "api/"}"#, "/x"),
            ("/other/x", r#"{"strip_path_prefix": "/api"}"#, "/other/x"),
            (
                "/x.html?a.html",
                r#"{"strip_path_suffix": ".html"}"#,
                "/x?a.html",
            ),
            (
                "/a/b/c?a",
                r#"{"uri_substring": [{"find": "a", "replace": "z"}]}"#,
                "/z/b/c?z",
            ),
            (
                "/a/b/a",
                r#"{"uri_substring": [{"find": "a", "replace": "z", "limit": 1}]}"#,
                "/z/b/a",
            ),
            (
                "/v2/x?v3",
                r#"{"path_regexp": [{"find": "v(\\d)", "replace": "$1"}]}"#,
                "/2/x?v3",
            ),
            (
                "/a",
                r#"{"path_regexp": [{"find": "^/a", "replace": "http://evil"}]}"#,
                "/http://evil",
            ),
            ("/", "{}", "/"),
        ] {
            assert_eq!(uri(before, operations), after, "{before} {operations}");
        }
    }

    #[test]
    fn queries_are_rewritten_in_order() {
        for (before, operations, after) in [
            (
                "a=1&b=2&a=3",
                r#"{"rename": [{"key": "a", "val": "c"}]}"#,
                "c=1&b=2&c=3",
            ),
            (
                "a=1&b=2&a=3",
                r#"{"set": [{"key": "a", "val": "x y"}, {"key": "n", "val": ""}]}"#,
                "a=x+y&b=2&n=",
            ),
            ("a=1", r#"{"add": [{"key": "a", "val": "&"}]}"#, "a=1&a=%26"),
            (
                "a=11&b=1",
                r#"{"replace": [{"key": "a", "search": "1", "replace": "2"}]}"#,
                "a=22&b=1",
            ),
            (
                "a=1&b=1",
                r#"{"replace": [{"key": "*", "search_regexp": "^1$", "replace": "<$0>"}]}"#,
                "a=%3C1%3E&b=%3C1%3E",
            ),
            ("a=1&b=2", r#"{"delete": ["a", "b"]}"#, ""),
            ("a=%C3%A9&c", "{}", "a=%C3%A9&c="),
        ] {
            let operations_: QueryOperations = serde_json::from_str(operations).unwrap();
            let pairs = form::pairs(before.as_bytes());
            let mut parameters = pairs
                .map(|(name, value)| (name.to_vec(), value.to_vec()))
                .collect();
            operations_.apply(&mut parameters).unwrap();
            let after_ = String::from_utf8(form::encode(&parameters)).unwrap();
            assert_eq!(after_, after, "{before} {operations}");
        }
    }
}
