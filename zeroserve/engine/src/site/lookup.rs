//! Which member a cleaned path names.

use zs_proto::path::CleanPath;

use super::{Naming, Root, Site};

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Member(u32),
    /// A folder with an index document, asked for without its slash: relative links would break.
    Folder,
    Missing,
}

impl Site {
    /// Order: the name itself; the folder's index document; with `--try-html` the name and `.html`.
    /// `.zeroserve/` is never found. `joined` is scratch space.
    pub(crate) fn lookup(
        &self,
        root: &Root,
        path: &CleanPath<'_>,
        naming: &Naming,
        joined: &mut Vec<u8>,
    ) -> Found {
        if path.is_internal() {
            return Found::Missing;
        }
        if path.trailing_slash {
            let document = self.index_document(root, path, naming, joined);
            return document.map_or(Found::Missing, Found::Member);
        }
        if let Some(member) = self.member(root, path.path, &[], joined) {
            return Found::Member(member);
        }
        if self.index_document(root, path, naming, joined).is_some() {
            return Found::Folder;
        }
        if naming.try_html
            && !path.path.ends_with(b".html")
            && let Some(member) = self.member(root, path.path, &[b".html"], joined)
        {
            return Found::Member(member);
        }
        Found::Missing
    }

    /// The member that a rewrite names: `path` as written by the site's author.
    pub(crate) fn rewritten(
        &self,
        root: &Root,
        path: &[u8],
        naming: &Naming,
        joined: &mut Vec<u8>,
    ) -> Option<u32> {
        let mut cleaned = Vec::new();
        let clean = zs_proto::path::clean(path, &mut cleaned).ok()?;
        match self.lookup(root, &clean, naming, joined) {
            Found::Member(member) => Some(member),
            Found::Folder => self.index_document(root, &clean, naming, joined),
            Found::Missing => None,
        }
    }

    fn index_document(
        &self,
        root: &Root,
        path: &CleanPath<'_>,
        naming: &Naming,
        joined: &mut Vec<u8>,
    ) -> Option<u32> {
        let index = naming.index.as_bytes();
        if path.path.is_empty() {
            self.member(root, index, &[], joined)
        } else {
            self.member(root, path.path, &[b"/", index], joined)
        }
    }

    fn member(
        &self,
        root: &Root,
        path: &[u8],
        endings: &[&[u8]],
        joined: &mut Vec<u8>,
    ) -> Option<u32> {
        if root.prefix.is_empty() && endings.is_empty() {
            return self.index.member(path);
        }
        joined.clear();
        joined.extend_from_slice(root.prefix.as_bytes());
        joined.extend_from_slice(path);
        for ending in endings {
            joined.extend_from_slice(ending);
        }
        self.index.member(joined)
    }
}
