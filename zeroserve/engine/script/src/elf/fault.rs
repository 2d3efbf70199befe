//! Where the loader is, so that a refusal can say it.

use crate::error::{LoadError, LoadErrorKind};

/// Where we are, for the error.
pub(super) struct Fault<'a> {
    pub(super) script: &'a str,
    pub(super) section: Option<String>,
    pub(super) place: Option<(String, usize)>,
}

impl Fault<'_> {
    pub(super) fn make(&self, kind: LoadErrorKind) -> LoadError {
        let (section, place) = (self.section.clone(), self.place.clone());
        LoadError {
            script: self.script.to_owned(),
            section,
            place,
            kind,
        }
    }

    pub(super) fn malformed(&self, why: impl Into<String>) -> LoadError {
        self.make(LoadErrorKind::Malformed(why.into()))
    }

    pub(super) fn not_an_object(&self, why: impl Into<String>) -> LoadError {
        self.make(LoadErrorKind::NotAnObject(why.into()))
    }

    pub(super) fn too_much(&self, what: &'static str, found: usize, limit: usize) -> LoadError {
        self.make(LoadErrorKind::TooMuch { what, found, limit })
    }

    pub(super) fn enter(&mut self, section: &str) {
        self.section = Some(section.to_owned());
        self.place = None;
    }
}
