//! Content types of foreign tarballs, by extension. The table is shared with the packer: one file,
//! two readers.

use std::collections::HashMap;

const TABLE: &str = include_str!("../../../pack/mime.tsv");
const UNKNOWN: &str = "application/octet-stream";

pub(super) struct Types(HashMap<&'static str, &'static str>);

impl Types {
    pub(super) fn new() -> Self {
        Self(
            TABLE
                .lines()
                .filter(|line| !line.starts_with('#'))
                .filter_map(|line| line.split_once('\t'))
                .collect(),
        )
    }

    pub(super) fn of(&self, name: &str) -> &'static str {
        let file = name.rsplit('/').next().unwrap_or(name);
        file.rsplit_once('.')
            .and_then(|(_, extension)| self.0.get(extension.to_ascii_lowercase().as_str()))
            .copied()
            .unwrap_or(UNKNOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_the_last_extension_whatever_its_case() {
        let types = Types::new();
        assert_eq!(types.of("a/INDEX.HTML"), "text/html; charset=utf-8");
        assert_eq!(types.of("a.html/x.wasm"), "application/wasm");
        assert_eq!(types.of("a.html/none"), UNKNOWN);
    }
}
