//! The scripts of a root: objects below its `.zeroserve/scripts/`, compiled when the site is opened.

use std::sync::Arc;

use zs_chain::{SCRIPTS_FOLDER, Scripts};

use super::index::Index;

/// Objects of one root, by name and member.
pub(super) fn objects(index: &Index, prefix: &str) -> Vec<(String, u32)> {
    let folder = format!("{prefix}{SCRIPTS_FOLDER}");
    let inside = index.below(&folder);
    inside
        .filter(|(name, _)| is(name, "o"))
        .map(|(name, member)| (name.to_owned(), member))
        .collect()
}

/// Whether a name has this ending, with the case that the packer writes.
fn is(name: &str, ending: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, found)| found == ending)
}

/// Scripts that would be ignored: what is no object, or lies below no root. One of them may be what keeps a page from the
/// public.
pub(super) fn ignored(index: &Index, prefixes: &[String]) -> Option<String> {
    let name = index.name_matching(|name| {
        let folder = name
            .find(SCRIPTS_FOLDER)
            .filter(|&at| at == 0 || name.as_bytes()[at - 1] == b'/');
        let Some(at) = folder else { return false };
        let object = is(name, "o");
        let known = prefixes.iter().any(|prefix| *prefix == name[..at]);
        is(name, "c") || (object && !known)
    })?;
    let why = if is(name, "c") {
        "is source: pack the site, so that it is compiled"
    } else {
        "lies below no root of `.zeroserve/hosts.json`, so it would never run"
    };
    Some(format!("`{name}` {why}"))
}

/// # Errors
/// The first object that is refused, and why.
pub(super) fn compile(
    objects: Vec<(String, Vec<u8>)>,
    traced: bool,
) -> Result<Option<Arc<Scripts>>, String> {
    if objects.is_empty() {
        return Ok(None);
    }
    let scripts = Scripts::compile(objects, traced).map_err(|error| error.to_string())?;
    Ok(Some(scripts))
}
