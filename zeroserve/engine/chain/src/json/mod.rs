//! JSON documents that a run holds by handles: [`Documents`]; one of them, without handles: [`Document`].

mod document;
mod handles;
mod parse;
mod write;

#[cfg(any(test, feature = "fuzzing"))]
pub use handles::model::{fuzz_json, fuzz_json_operations};

pub(crate) use document::Document;
pub(crate) use handles::{At, Documents, Scalar};
