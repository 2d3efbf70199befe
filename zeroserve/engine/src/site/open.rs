//! Opening a tarball: walk its headers, trust its member index only as far as they agree, hash what
//! has none. Runs on the caller's thread, never on an event loop: its reads are plain ones.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use boring::sha::Sha256;
use zs_archive::members::{INDEX_PATH, MemberIndex};
use zs_archive::tar::{EXTENDED_BYTES_MAX, Entry, Walker};

use super::hosts::{HOSTS_PATH, Hosts};
use super::index::{Builder, Index, Member};
use super::mime::Types;
use super::rules::{RULES_PATH, Rules};
use super::scripts;
use super::source::{Progress, Source, digest_text, refused};
use super::{Naming, Root, Site};
use crate::error::EngineError;

/// One read of headers. Small members lie many to a window; for large ones only a block is used.
const WINDOW_BYTES: usize = 256 << 10;
const _: () = assert!(WINDOW_BYTES as u64 >= EXTENDED_BYTES_MAX);
/// Read at a large stride: the next header is far away, so only a block is worth reading.
const BLOCK_BYTES: usize = 512;
/// Hosts and rules are read whole.
const DOCUMENT_BYTES_MAX: usize = 16 << 20;
/// Of the member index: what comes before its records, and a record.
const INDEX_HEADER_BYTES: usize = 64;
const INDEX_RECORD_BYTES: u64 = 72;

impl Site {
    /// The site, and what its owner should know though it can be served.
    ///
    /// # Errors
    /// `Refused`, naming `path` and, where there is one, the member.
    pub(crate) fn open(
        file: OwnedFd,
        path: &str,
        naming: &Naming,
    ) -> Result<(Self, Vec<String>), EngineError> {
        let file = File::from(file);
        let metadata = file.metadata().map_err(|e| refused(path, &e))?;
        if !metadata.is_file() {
            let what = if metadata.is_dir() {
                "a directory"
            } else {
                "not a regular file"
            };
            return Err(refused(path, &format!("is {what}; a tarball is wanted")));
        }
        let bytes = metadata.len();
        let source = Source { file: &file, path };
        let mut entries = Entries::new(&source, bytes);
        let mut warnings = Vec::new();
        let first = entries.next().transpose()?;
        let (mut index, digest, indexed) = match first {
            Some(first) if first.path == INDEX_PATH => {
                let (index, digest) = source.adopt(&first, entries)?;
                (index, digest, true)
            }
            first => {
                let entries: Result<Vec<_>, _> = first.into_iter().map(Ok).chain(entries).collect();
                let (index, digest) = source.hash_all(entries?, &mut warnings)?;
                (index, digest, false)
            }
        };
        let hosts = source.document(&index, HOSTS_PATH, Hosts::parse)?;
        let prefixes = hosts.as_ref().map_or_else(
            || vec![String::new()],
            |hosts| hosts.roots().map(|root| format!("{root}/")).collect(),
        );
        let found = scripts::find(&index);
        if let Some(why) = scripts::ignored(&found, &prefixes) {
            return Err(refused(path, &why));
        }
        let mut roots = Vec::with_capacity(prefixes.len());
        for prefix in prefixes {
            roots.push(source.root(&mut index, prefix, &found, naming)?);
        }
        let file = Arc::new(OwnedFd::from(file));
        Ok((
            Self {
                file,
                index,
                digest,
                bytes,
                indexed,
                hosts,
                roots,
            },
            warnings,
        ))
    }
}

impl Source<'_> {
    /// One site of the tarball: its rules become header lines of its members.
    fn root(
        &self,
        index: &mut Index,
        prefix: String,
        found: &[scripts::Found],
        naming: &Naming,
    ) -> Result<Root, EngineError> {
        let rules = self
            .document(index, &format!("{prefix}{RULES_PATH}"), Rules::parse)?
            .unwrap_or_default();
        if rules.has_headers() {
            index
                .attach_headers(&prefix, |name| {
                    rules.header_block(&answers_at(name, naming))
                })
                .map_err(|e| refused(self.path, &e))?;
        }
        let not_found_page = index.member(format!("{prefix}404.html").as_bytes());
        let mut objects = Vec::new();
        for (name, member) in scripts::objects(found, &prefix) {
            let bytes = self.whole(name, index.entry(member))?;
            objects.push((name.to_owned(), bytes));
        }
        let scripts =
            scripts::compile(objects, naming.traced).map_err(|e| refused(self.path, &e))?;
        Ok(Root {
            prefix: prefix.into(),
            rules,
            not_found_page,
            scripts,
        })
    }

    /// A member that tells us how to serve the others, if there is one.
    fn document<T>(
        &self,
        index: &Index,
        name: &str,
        parse: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<Option<T>, EngineError> {
        let Some(member) = index.member(name.as_bytes()) else {
            return Ok(None);
        };
        let bytes = self.whole(name, index.entry(member))?;
        parse(&bytes)
            .map(Some)
            .map_err(|e| refused(self.path, &format!("`{name}`: {e}")))
    }

    /// All bytes of a member that is not for visitors.
    fn whole(&self, name: &str, entry: &super::Entry) -> Result<Vec<u8>, EngineError> {
        let size = usize::try_from(entry.size).unwrap_or(usize::MAX);
        if size > DOCUMENT_BYTES_MAX {
            return Err(refused(
                self.path,
                &format!("`{name}` is larger than 16 MiB"),
            ));
        }
        let mut bytes = vec![0; size];
        self.read_exact(&mut bytes, entry.offset, name)?;
        Ok(bytes)
    }

    /// The index that the packer wrote, if the headers agree with every record.
    fn adopt(&self, first: &Entry, members: Entries<'_>) -> Result<(Index, String), EngineError> {
        let bytes = self.index_bytes(first)?;
        let records = MemberIndex::parse(&bytes)
            .map_err(|e| refused(self.path, &format!("`{INDEX_PATH}`: {e}")))?;
        let mut builder = Builder::with_capacity(records.len());
        let mut listed = records.iter();
        for member in members {
            let member = member?;
            let agreed = listed.next().filter(|record| {
                record.path == member.path
                    && (record.offset, record.size, record.mtime)
                        == (member.offset, member.size, member.mtime)
            });
            let Some(record) = agreed else {
                return Err(disagrees(self.path, &member.path));
            };
            let added = builder.add(&Member {
                name: record.path,
                offset: record.offset,
                size: record.size,
                mtime: record.mtime,
                sha256: *record.sha256,
                content_type: record.content_type,
                encodings: record.encodings,
                has_placeholder: record.has_placeholder,
            });
            self.check_added(added)?;
        }
        if let Some(record) = listed.next() {
            return Err(disagrees(self.path, record.path));
        }
        Ok((builder.finish(), digest_text(records.site_digest())))
    }

    /// The index member, if its size is the one that its own header tells: a sparse file could claim
    /// more than there is memory.
    fn index_bytes(&self, first: &Entry) -> Result<Vec<u8>, EngineError> {
        let refuse = |what: &str| refused(self.path, &format!("`{INDEX_PATH}`: {what}"));
        let mut header = [0; INDEX_HEADER_BYTES];
        if first.size < header.len() as u64 {
            return Err(refuse("is too short"));
        }
        self.read_exact(&mut header, first.offset, INDEX_PATH)?;
        let number = |at: usize| {
            let bytes = header[at..at + 4].try_into().unwrap_or_default();
            u64::from(u32::from_le_bytes(bytes))
        };
        let told = header.len() as u64 + number(8) * INDEX_RECORD_BYTES + number(12);
        if told != first.size {
            return Err(refuse("its size is not the one that it tells"));
        }
        let size = usize::try_from(first.size).map_err(|e| refused(self.path, &e))?;
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(size)
            .map_err(|e| refused(self.path, &e))?;
        bytes.resize(size, 0);
        self.read_exact(&mut bytes, first.offset, INDEX_PATH)?;
        Ok(bytes)
    }

    /// A foreign tarball: every member is read once for its tag.
    fn hash_all(
        &self,
        entries: Vec<Entry>,
        warnings: &mut Vec<String>,
    ) -> Result<(Index, String), EngineError> {
        let entries = self.last_of_each_name(entries, warnings);
        let types = Types::new();
        let mut site = Sha256::new();
        let mut builder = Builder::with_capacity(entries.len());
        let mut progress = Progress::new(self.path, entries.iter().map(|entry| entry.size).sum());
        for entry in &entries {
            let content_type = types.of(&entry.path);
            let mut wanted = content_type
                .starts_with("text/html")
                .then(Placeholder::default);
            let sha256 = self.hash(entry.offset, entry.size, &entry.path, |bytes| {
                progress.advance(bytes.len());
                if let Some(wanted) = &mut wanted {
                    wanted.look(bytes);
                }
            })?;
            site.update(entry.path.as_bytes());
            site.update(b"\0");
            site.update(&sha256);
            let added = builder.add(&Member {
                name: &entry.path,
                offset: entry.offset,
                size: entry.size,
                mtime: entry.mtime,
                sha256,
                content_type,
                encodings: 0, // only the packer knows that a file is a coded form of another
                has_placeholder: wanted.is_some_and(|wanted| wanted.found),
            });
            self.check_added(added)?;
        }
        Ok((builder.finish(), digest_text(&site.finish())))
    }

    /// Sorted by name, as the site digest wants it; of several with one name the last in the tar.
    fn last_of_each_name(&self, entries: Vec<Entry>, warnings: &mut Vec<String>) -> Vec<Entry> {
        let total = entries.len();
        let mut last: HashMap<String, Entry> = HashMap::with_capacity(total);
        for entry in entries {
            last.insert(entry.path.clone(), entry);
        }
        if last.len() < total {
            let count = total - last.len();
            warnings.push(format!(
                "`{}`: {count} members are hidden by later ones of the same name",
                self.path
            ));
        }
        let mut entries: Vec<_> = last.into_values().collect();
        entries.sort_unstable_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
        entries
    }

    fn check_added(&self, added: bool) -> Result<(), EngineError> {
        if added {
            return Ok(());
        }
        Err(refused(
            self.path,
            &"has more names or content types than the index can number",
        ))
    }
}

/// Every member, in the order of the tar, read through a window.
struct Entries<'a> {
    source: &'a Source<'a>,
    walker: Walker,
    window: Vec<u8>,
    start: u64,
    length: usize,
}

impl<'a> Entries<'a> {
    fn new(source: &'a Source<'a>, bytes: u64) -> Self {
        let window = vec![0; WINDOW_BYTES];
        Self {
            source,
            walker: Walker::new(bytes),
            window,
            start: 0,
            length: 0,
        }
    }

    /// Where in the window the wanted bytes start, after reading them if they aren't there; `None` at
    /// the end of the walk.
    fn place_wanted(&mut self) -> Result<Option<usize>, EngineError> {
        let Some(want) = self.walker.poll_read() else {
            return Ok(None);
        };
        let inside = want
            .offset
            .checked_sub(self.start)
            .and_then(|at| usize::try_from(at).ok());
        if let Some(at) = inside
            && at + want.len <= self.length
        {
            return Ok(Some(at));
        }
        // Near the last window: members are small, so read on. Far: just what is wanted.
        let near = want.offset <= self.start + 2 * WINDOW_BYTES as u64;
        let size = if near {
            WINDOW_BYTES
        } else {
            want.len.max(BLOCK_BYTES)
        };
        self.start = want.offset;
        self.length = self.source.read(&mut self.window[..size], self.start)?;
        Ok(Some(0))
    }

    fn advance(&mut self) -> Result<Option<Entry>, EngineError> {
        while let Some(at) = self.place_wanted()? {
            let bytes = self.window.get(at..self.length).unwrap_or_default();
            let entry = self
                .walker
                .handle_bytes(bytes)
                .map_err(|e| refused(self.source.path, &e))?;
            if entry.is_some() {
                return Ok(entry);
            }
        }
        Ok(None)
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// Looks for a template's placeholder in bytes that come piece by piece.
#[derive(Default)]
struct Placeholder {
    /// Last bytes of the piece before: a tag may lie across.
    before: Vec<u8>,
    found: bool,
}

impl Placeholder {
    const TAG: &[u8] = b"<zs-meta";

    fn look(&mut self, bytes: &[u8]) {
        let kept = Self::TAG.len() - 1;
        self.before
            .extend_from_slice(&bytes[..bytes.len().min(kept)]);
        let finds = |text: &[u8]| {
            text.windows(Self::TAG.len())
                .any(|window| window == Self::TAG)
        };
        self.found = self.found || finds(&self.before) || finds(bytes);
        self.before.clear();
        self.before
            .extend_from_slice(&bytes[bytes.len().saturating_sub(kept)..]);
    }
}

/// The paths that name a member: its own, and those that end without the directory document or
/// without `.html`.
fn answers_at<'a>(name: &'a str, naming: &Naming) -> Vec<&'a str> {
    let mut paths = vec![name];
    if let Some(folder) = name.strip_suffix(&*naming.index)
        && (folder.is_empty() || folder.ends_with('/'))
    {
        paths.push(folder.trim_end_matches('/'));
    }
    if naming.try_html {
        paths.extend(name.strip_suffix(".html"));
    }
    paths
}

fn disagrees(path: &str, member: &str) -> EngineError {
    EngineError::Refused(format!(
        "`{path}`: the member index `{INDEX_PATH}` and the tar headers disagree about `{member}`"
    ))
}
