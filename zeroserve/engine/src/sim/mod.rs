//! A world in memory for tests: a peer whose bytes come in pieces of any size and who takes answers in
//! pieces of any size, and a loop's shared state over a small tarball. No port, no wait, no thread.

mod link;
mod world;

pub(crate) use link::MemoryLink;
pub(crate) use world::{answer, cut, file_of, tarball, worker};
