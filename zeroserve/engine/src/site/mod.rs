//! A tarball as a read-only map from path to byte range. Opened, checked and indexed off the event
//! loops; looked up by them.

mod hosts;
mod index;
mod lookup;
mod mime;
mod open;
mod pattern;
mod rules;
mod scripts;
mod source;

use std::os::fd::OwnedFd;
use std::sync::Arc;

use hosts::Hosts;
pub(crate) use hosts::host_name;
pub(crate) use index::{Entry, Index};
pub(crate) use lookup::Found;
pub(crate) use rules::Redirected;
use rules::Rules;
pub(crate) use source::file_digest;

pub(crate) struct Site {
    pub(crate) file: Arc<OwnedFd>,
    pub(crate) index: Index,
    /// `sha256:…` over the members, whatever their order in the tar.
    pub(crate) digest: String,
    /// Size of the tarball.
    pub(crate) bytes: u64,
    /// Whether the tarball brought a member index, so that nothing had to be hashed.
    pub(crate) indexed: bool,
    hosts: Option<Hosts>,
    /// The one root at the top, or those that `hosts` names.
    roots: Vec<Root>,
}

/// A folder of the tarball that is a site of its own; the top of the tarball, most often.
#[derive(Default)]
pub(crate) struct Root {
    /// Empty, or a folder with its closing slash.
    prefix: Box<str>,
    pub(crate) rules: Rules,
    pub(crate) not_found_page: Option<u32>,
    /// What runs on its requests; `None` without any.
    pub(crate) scripts: Option<Arc<zs_chain::Scripts>>,
}

/// What paths mean, by the command line; the same for every generation.
#[derive(Debug, Clone)]
pub(crate) struct Naming {
    /// Directory document.
    pub(crate) index: Box<str>,
    /// Whether `/a` may mean `a.html`.
    pub(crate) try_html: bool,
    /// Whether scripts note what they do, for explanations.
    pub(crate) traced: bool,
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            index: "index.html".into(),
            try_html: false,
            traced: false,
        }
    }
}

impl Site {
    /// The number of the root that serves `host`; `None` when this tarball is not for it.
    pub(crate) fn root_number(&self, host: Option<&[u8]>) -> Option<usize> {
        match &self.hosts {
            None => Some(0),
            Some(hosts) => {
                let folder = hosts.root(host)?;
                self.roots
                    .iter()
                    .position(|root| root.prefix.strip_suffix('/') == Some(folder))
            }
        }
    }

    pub(crate) fn root_at(&self, number: usize) -> &Root {
        &self.roots[number]
    }

    /// A member by its path in a root, as scripts write it: nothing is resolved, internal ones can be had.
    pub(crate) fn member_of(&self, root: &Root, path: &str) -> Option<u32> {
        self.index
            .member(format!("{}{path}", root.prefix).as_bytes())
    }
}
