//! What can go wrong: an object that is refused at load, a run that ends early. Each names its script.

use std::fmt;
use std::sync::Arc;

/// An object that was refused. Its text is for the person who built the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The script's name: its path below the scripts' folder.
    pub script: String,
    /// The ELF section at fault, where there is one.
    pub section: Option<String>,
    /// The function at fault and the slot in it.
    pub place: Option<(String, usize)>,
    pub kind: LoadErrorKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadErrorKind {
    /// Not an ELF object of ours: wrong machine, byte order, kind, or cut off.
    NotAnObject(String),
    /// The ELF is an eBPF object with a part that we don't take.
    Malformed(String),
    /// A symbol that is no helper of this server.
    UnknownHelper(String),
    /// Code in a section that the server never runs.
    UnknownSection,
    /// An instruction that is wrong or not supported.
    BadInstruction(String),
    /// A call graph with a cycle. Names the function.
    Recursion(String),
    /// More of something than we take.
    TooMuch {
        what: &'static str,
        found: usize,
        limit: usize,
    },
    /// Our own fault: the compiler refused what the verifier let through, or memory ran out.
    Internal(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "script `{}`", self.script)?;
        if let Some(section) = &self.section {
            write!(f, ", section `{section}`")?;
        }
        if let Some((function, slot)) = &self.place {
            write!(f, ", function `{function}`, instruction {slot}")?;
        }
        write!(f, ": {}", self.kind)
    }
}

impl fmt::Display for LoadErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject(why) => write!(f, "not an eBPF object: {why}"),
            Self::Malformed(why) | Self::BadInstruction(why) => f.write_str(why),
            Self::UnknownHelper(name) => {
                write!(
                    f,
                    "unknown helper `{name}`: this version has none of that name"
                )
            }
            Self::UnknownSection => f.write_str("no entry section of this server"),
            Self::Recursion(name) => write!(f, "`{name}` calls itself, directly or through others"),
            Self::TooMuch { what, found, limit } => write!(f, "{what}: {found}, at most {limit}"),
            Self::Internal(why) => write!(f, "internal error: {why}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// A run that ended early. Only its own request suffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunError {
    pub script: Arc<str>,
    /// The function that was running, as named in C.
    pub function: String,
    /// The helper that refused.
    pub helper: Option<&'static str>,
    /// `file:line` of the call, when the object has line information.
    pub line: Option<String>,
    pub reason: String,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "script `{}`, function `{}`", self.script, self.function)?;
        if let Some(line) = &self.line {
            write!(f, " ({line})")?;
        }
        if let Some(helper) = self.helper {
            write!(f, ", helper `{helper}`")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for RunError {}
