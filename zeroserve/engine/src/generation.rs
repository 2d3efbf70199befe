//! A generation: site and TLS material of one load, immutable, swapped whole. Built and validated on
//! the caller's thread, shared by all loops, freed when the last request that uses it has ended.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use serde::Serialize;

use crate::config::GenerationSpec;
use crate::error::EngineError;
use crate::observe::Counters;
use crate::reply::BodyCache;
use crate::site::{Naming, Site};
use crate::tls;

pub(crate) struct Generation {
    pub(crate) id: u64,
    pub(crate) site: Site,
    pub(crate) tls: Option<tls::Context>,
    /// The probe path's body, made once.
    pub(crate) probe: Vec<u8>,
}

/// What the caller is told about a generation.
#[derive(Serialize)]
pub(crate) struct Summary {
    members: usize,
    bytes: u64,
    site_digest: String,
    indexed: bool,
    warnings: Vec<String>,
    /// With keys for Encrypted Client Hello.
    ech: Option<tls::EchSummary>,
}

impl Generation {
    /// # Errors
    /// `Refused`, naming the file that is bad.
    pub(crate) fn build(
        spec: &GenerationSpec,
        naming: &Naming,
    ) -> Result<(Self, Summary), EngineError> {
        let file = duplicate(spec.site.fd)?;
        let (tls, told) = spec.tls.as_ref().map(tls::build).transpose()?.unzip();
        let (site, mut warnings) = Site::open(file, &spec.site.path, naming)?;
        let ech = told.and_then(|told| {
            warnings.extend(told.warnings);
            told.ech
        });
        let summary = Summary {
            members: site.index.len(),
            bytes: site.bytes,
            site_digest: site.digest.clone(),
            indexed: site.indexed,
            warnings,
            ech,
        };
        let probe = serde_json::json!({
            "v": 1,
            "pid": std::process::id(),
            "generation": spec.id,
            "release_digest": spec.release_digest,
            "site_digest": site.digest,
        });
        let probe = format!("{probe}\n").into_bytes();
        Ok((
            Self {
                id: spec.id,
                site,
                tls,
                probe,
            },
            summary,
        ))
    }
}

/// One loop's hold on a generation, with what the loop itself remembers of it.
pub(crate) struct LoopGeneration {
    shared: Option<Arc<Generation>>,
    pub(crate) bodies: BodyCache,
    counters: Arc<Counters>,
    retired: Sender<Arc<Generation>>,
}

impl LoopGeneration {
    pub(crate) fn new(
        shared: Arc<Generation>,
        counters: Arc<Counters>,
        retired: Sender<Arc<Generation>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            shared: Some(shared),
            bodies: BodyCache::default(),
            counters,
            retired,
        })
    }
}

impl LoopGeneration {
    /// Keeps a body in memory for the next requests.
    pub(crate) fn keep_body(&self, member: u32, body: &Rc<[u8]>) {
        let grown = self.bodies.keep(member, body);
        let gauge = &self.counters.cache_bytes;
        if grown >= 0 {
            gauge.add(grown.unsigned_abs());
        } else {
            gauge.subtract(grown.unsigned_abs());
        }
    }
}

impl std::ops::Deref for LoopGeneration {
    type Target = Arc<Generation>;

    fn deref(&self) -> &Self::Target {
        self.shared.as_ref().expect("present until drop")
    }
}

impl Drop for LoopGeneration {
    fn drop(&mut self) {
        let bytes = self.bodies.bytes() as u64;
        self.counters.cache_bytes.subtract(bytes);
        // Unmapping a large index and closing files is work for another thread than the loop's.
        if let Some(shared) = self.shared.take() {
            let _ = self.retired.send(shared);
        }
    }
}

/// Our own descriptor for one of the caller's.
pub(crate) fn duplicate(fd: i32) -> Result<OwnedFd, EngineError> {
    if fd < 0 {
        return Err(EngineError::Refused(format!(
            "invalid file descriptor {fd}"
        )));
    }
    // SAFETY: borrowed only for the duplication; a closed descriptor makes it fail with EBADF.
    unsafe { BorrowedFd::borrow_raw(fd) }
        .try_clone_to_owned()
        .map_err(|error| {
            EngineError::Refused(format!("file descriptor {fd} can not be used: {error}"))
        })
}
