//! Which member a cleaned path names.

use zs_proto::path::CleanPath;

use super::Site;
use crate::worker::Rules;

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
        path: &CleanPath<'_>,
        rules: &Rules,
        joined: &mut Vec<u8>,
    ) -> Found {
        if path.is_internal() {
            return Found::Missing;
        }
        if path.trailing_slash {
            return self
                .index_document(path, rules, joined)
                .map_or(Found::Missing, Found::Member);
        }
        if let Some(member) = self.index.member(path.path) {
            return Found::Member(member);
        }
        if self.index_document(path, rules, joined).is_some() {
            return Found::Folder;
        }
        if rules.try_html && !path.path.ends_with(b".html") {
            join(joined, path.path, b".html");
            if let Some(member) = self.index.member(joined) {
                return Found::Member(member);
            }
        }
        Found::Missing
    }

    fn index_document(
        &self,
        path: &CleanPath<'_>,
        rules: &Rules,
        joined: &mut Vec<u8>,
    ) -> Option<u32> {
        if path.path.is_empty() {
            return self.index.member(&rules.index);
        }
        join(joined, path.path, b"/");
        joined.extend_from_slice(&rules.index);
        self.index.member(joined)
    }
}

fn join(joined: &mut Vec<u8>, path: &[u8], suffix: &[u8]) {
    joined.clear();
    joined.extend_from_slice(path);
    joined.extend_from_slice(suffix);
}
