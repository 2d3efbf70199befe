//! The map that all scripts of a request share. Its entries become response headers and template values.

/// What a key begins with that becomes a response header.
const RESPONSE_HEADER: &str = "zs.response.header.";

/// Few entries, looked at in order: a list beats a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    entries: Vec<(String, String)>,
}

impl Metadata {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let found = self.entries.iter().find(|(known, _)| known == key)?;
        Some(&found.1)
    }

    pub(crate) fn set(&mut self, key: &str, value: &str) {
        match self.entries.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => {
                old.clear();
                old.push_str(value);
            }
            None => self.entries.push((key.to_owned(), value.to_owned())),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Names and values of response headers. Names are as written, values unchecked.
    pub(crate) fn response_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(RESPONSE_HEADER)?, value)))
    }
}
