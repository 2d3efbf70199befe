//! A tarball's bytes on disk: read, and hashed where nobody has told the digest, with a word to the
//! operator when that takes long. Runs on the caller's thread, never on an event loop.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use boring::sha::Sha256;

use super::index::hex;
use crate::error::EngineError;

/// One step of hashing.
const STEP_BYTES: usize = 256 << 10;
/// How often a long hash says how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// The release digest: SHA-256 over all bytes of a tarball.
///
/// # Errors
/// `Refused`, naming `path`, when it can't be read to its end.
pub(crate) fn file_digest(file: OwnedFd, path: &str) -> Result<String, EngineError> {
    let file = File::from(file);
    let bytes = file.metadata().map_err(|e| refused(path, &e))?.len();
    let mut progress = Progress::new(path, bytes);
    let source = Source { file: &file, path };
    let sha256 = source.hash(0, bytes, path, |step| progress.advance(step.len()))?;
    Ok(digest_text(&sha256))
}

/// An open tarball, and the name that errors call it by.
pub(super) struct Source<'a> {
    pub(super) file: &'a File,
    pub(super) path: &'a str,
}

impl Source<'_> {
    /// SHA-256 of `size` bytes from `offset` on, which are called `name`; `look` sees them, in order.
    pub(super) fn hash(
        &self,
        offset: u64,
        size: u64,
        name: &str,
        mut look: impl FnMut(&[u8]),
    ) -> Result<[u8; 32], EngineError> {
        let mut sha256 = Sha256::new();
        let mut buffer = vec![0; STEP_BYTES.min(usize::try_from(size).unwrap_or(usize::MAX))];
        let mut done = 0;
        while done < size {
            let step = usize::try_from(size - done)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let got = self.read(&mut buffer[..step], offset + done)?;
            if got == 0 {
                return Err(refused(
                    self.path,
                    &format!("was cut short while `{name}` was read"),
                ));
            }
            sha256.update(&buffer[..got]);
            look(&buffer[..got]);
            done += got as u64;
        }
        Ok(sha256.finish())
    }

    /// As much of `buffer` as there is at `offset`; less only at the end of the file.
    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<usize, EngineError> {
        let mut got = 0;
        while got < buffer.len() {
            match self.file.read_at(&mut buffer[got..], offset + got as u64) {
                Ok(0) => break,
                Ok(count) => got += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(refused(self.path, &e)),
            }
        }
        Ok(got)
    }

    /// All of `buffer`, of the member `name`.
    pub(super) fn read_exact(
        &self,
        buffer: &mut [u8],
        offset: u64,
        name: &str,
    ) -> Result<(), EngineError> {
        self.file
            .read_exact_at(buffer, offset)
            .map_err(|e| refused(self.path, &format!("`{name}`: {e}")))
    }
}

/// Says how far hashing is, when it takes long enough for somebody to wonder.
pub(super) struct Progress<'a> {
    path: &'a str,
    total: u64,
    done: u64,
    next: Instant,
}

impl<'a> Progress<'a> {
    /// Of `total` bytes.
    pub(super) fn new(path: &'a str, total: u64) -> Self {
        Self {
            path,
            total,
            done: 0,
            next: Instant::now() + PROGRESS_INTERVAL,
        }
    }

    pub(super) fn advance(&mut self, bytes: usize) {
        self.done += bytes as u64;
        let now = Instant::now();
        if now >= self.next {
            self.next = now + PROGRESS_INTERVAL;
            eprintln!("{}", self.text());
        }
    }

    fn text(&self) -> String {
        format!(
            "hashing `{}`: {} of {} MiB",
            self.path,
            self.done >> 20,
            self.total >> 20
        )
    }
}

pub(super) fn digest_text(digest: &[u8; 32]) -> String {
    let mut text = String::from("sha256:");
    for byte in digest {
        text.extend(hex(*byte).map(char::from));
    }
    text
}

pub(super) fn refused(path: &str, why: &impl std::fmt::Display) -> EngineError {
    EngineError::Refused(format!("`{path}`: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::file_of;

    #[test]
    fn the_digest_is_that_of_all_bytes() {
        let file = file_of(&vec![b'a'; 1_000_000]);
        // The third vector of FIPS 180-2, appendix B: a million times `a`.
        assert_eq!(
            file_digest(file.into(), "a.tar").unwrap(),
            "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
    }

    #[test]
    fn what_is_cut_short_is_refused_by_name() {
        let file = file_of(b"short");
        let source = Source {
            file: &file,
            path: "a.tar",
        };
        let mut seen = 0;
        let refused = source.hash(0, 9, "index.html", |bytes| seen += bytes.len());
        let refused = refused.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`a.tar`: was cut short while `index.html` was read"
        );
        assert_eq!(seen, 5);
    }

    #[test]
    fn progress_tells_how_far_it_is() {
        let mut progress = Progress::new("a.tar", 9 << 20);
        progress.advance(5 << 20);
        assert_eq!(progress.text(), "hashing `a.tar`: 5 of 9 MiB");
    }
}
