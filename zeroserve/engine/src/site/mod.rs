//! A tarball as a read-only map from path to byte range. Opened, checked and indexed off the event
//! loops; looked up by them.

mod index;
mod lookup;
mod mime;
mod open;

use std::os::fd::OwnedFd;
use std::sync::Arc;

pub(crate) use index::{Entry, Index};
pub(crate) use lookup::Found;

pub(crate) struct Site {
    pub(crate) file: Arc<OwnedFd>,
    pub(crate) index: Index,
    /// `sha256:…` over the members, whatever their order in the tar.
    pub(crate) digest: String,
    /// Size of the tarball.
    pub(crate) bytes: u64,
    /// Whether the tarball brought a member index, so that nothing had to be hashed.
    pub(crate) indexed: bool,
    pub(crate) not_found_page: Option<u32>,
}
