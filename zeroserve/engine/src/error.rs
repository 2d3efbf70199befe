//! Why the engine refuses something: whose fault it is decides the status that crosses the C door.

use std::fmt;

#[derive(Debug)]
pub(crate) enum EngineError {
    /// The caller's files or settings are bad; the text is for the user.
    Refused(String),
    /// This machine can't do it; the text names cause and remedy.
    Unsupported(String),
    /// We broke a promise.
    Bug(String),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(text) | Self::Unsupported(text) | Self::Bug(text) => f.write_str(text),
        }
    }
}
