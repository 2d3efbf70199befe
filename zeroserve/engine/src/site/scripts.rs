//! The scripts of a site: objects below the `.zeroserve/scripts/` of each root, compiled when the site is opened.

use std::sync::Arc;

use zs_chain::{SCRIPTS_FOLDER, Scripts};

use super::index::Index;

/// A script of the tarball, of whatever root.
pub(super) struct Found {
    name: String,
    /// Bytes of `name` before the scripts' folder: what the root's prefix must be.
    prefix_len: usize,
    member: u32,
}

/// All scripts, sources too. Looks once at every name of the tarball, of which there may be millions.
pub(super) fn find(index: &Index) -> Vec<Found> {
    let below_a_folder = format!("/{SCRIPTS_FOLDER}");
    let found = |(name, member): (&str, u32)| {
        let prefix_len = if name.starts_with(SCRIPTS_FOLDER) {
            0
        } else {
            name.find(&below_a_folder)? + 1
        };
        (is(name, "o") || is(name, "c")).then(|| Found {
            name: name.to_owned(),
            prefix_len,
            member,
        })
    };
    index.names().filter_map(found).collect()
}

/// Whether a name has this ending, with the case that the packer writes.
fn is(name: &str, ending: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, found)| found == ending)
}

impl Found {
    fn is_of(&self, prefix: &str) -> bool {
        self.name[..self.prefix_len] == *prefix
    }

    /// Name below the scripts' folder, and member.
    fn object(&self) -> (&str, u32) {
        let name = &self.name[self.prefix_len + SCRIPTS_FOLDER.len()..];
        (name, self.member)
    }
}

/// Objects of one root, by name and member.
pub(super) fn objects<'a>(
    found: &'a [Found],
    prefix: &'a str,
) -> impl Iterator<Item = (&'a str, u32)> {
    found
        .iter()
        .filter(move |each| each.is_of(prefix))
        .map(Found::object)
}

/// Scripts that would be ignored: what is no object, or lies below no root. One of them may be what keeps a page from the
/// public.
pub(super) fn ignored(found: &[Found], prefixes: &[String]) -> Option<String> {
    let known = |each: &Found| prefixes.iter().any(|prefix| each.is_of(prefix));
    let first = found
        .iter()
        .find(|each| is(&each.name, "c") || !known(each))?;
    let why = if is(&first.name, "c") {
        "is source: pack the site, so that it is compiled"
    } else {
        "lies below no root of `.zeroserve/hosts.json`, so it would never run"
    };
    Some(format!("`{}` {why}", first.name))
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
