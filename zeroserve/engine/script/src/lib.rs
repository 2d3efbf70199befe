//! eBPF scripts: an object in, native code in a cage out, runs on pooled coroutines.
//!
//! Comes in: the bytes of an ELF object made by clang (`-target bpf -mcpu=v3`), a table of helpers, the host's
//! context of a request. Goes out: outcomes and effects that helpers have on the context. Never here: a
//! socket, a file, a clock, a thread, a signal.
//!
//! ```text
//! elf ─► program ─► verify ─► translate ─► compile ─► code     at load: Module::compile
//! runtime (arenas, stacks) ─► run ─► helper ─► outcome         per call: Run::new, Run::resume
//! ```
//!
//! `SANDBOX.md` beside this crate says why no load, store, jump, call or stack use leaves the cage.

mod arena;
mod code;
pub mod compile;
mod desk;
pub mod elf;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
#[cfg(test)]
mod fuzz_replay;
mod helper;
pub mod instruction;
pub mod layout;
mod line_info;
mod memory;
mod module;
pub mod program;
mod run;
mod runtime;
mod translate;
mod verify;
mod vm;

pub use error::{LoadError, LoadErrorKind, RunError};
pub use helper::{
    Answer, Arguments, Checked, Footprint, Function, Helper, HelperResult, HelperTable, Kind,
    Observer, Phases, Raw, Refusal, string_out,
};
pub use memory::Memory;
pub use module::{EntryId, Figures, Module};
pub use run::{Outcome, Resume, Run};
pub use runtime::Runtime;
