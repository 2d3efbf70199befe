//! The map that all scripts of a request share. Its entries become response headers and template values.

/// What a key begins with that becomes a response header.
const RESPONSE_HEADER: &str = "zs.response.header.";

/// Few entries, looked at in order: a list beats a map.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metadata {
    /// The first `count` are entries; those behind them are memory for more.
    entries: Vec<(String, String)>,
    count: usize,
}

/// Larger texts of a former request are not kept.
const KEPT_BYTES_MAX: usize = 256;
/// Nor are more of them.
const KEPT_MAX: usize = 16;

impl Metadata {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let found = self.iter().find(|(known, _)| *known == key)?;
        Some(found.1)
    }

    pub(crate) fn set(&mut self, key: &str, value: &str) {
        let (entries, spare) = self.entries.split_at_mut(self.count);
        if let Some((_, old)) = entries.iter_mut().find(|(known, _)| known == key) {
            old.clear();
            old.push_str(value);
            return;
        }
        match spare.first_mut() {
            Some((known, old)) => {
                known.clear();
                known.push_str(key);
                old.clear();
                old.push_str(value);
            }
            None => self.entries.push((key.to_owned(), value.to_owned())),
        }
        self.count += 1;
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.entries.truncate(KEPT_MAX);
        let small = |text: &String| text.capacity() <= KEPT_BYTES_MAX;
        self.entries
            .retain(|(key, value)| small(key) && small(value));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let entries = &self.entries[..self.count];
        entries.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Names and values of response headers. Names are as written, values unchecked.
    pub(crate) fn response_headers(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(RESPONSE_HEADER)?, value)))
    }
}
