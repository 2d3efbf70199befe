//! The index: one record a member in one allocation, names in another, a hash table of numbers over
//! both. About 80 bytes a member beside its name, so a million members fit in 80 MB.

use std::collections::HashMap;
use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use zs_proto::accept_encoding::{Coding, StoredCodings};

/// Hex digits of an entity tag: half a SHA-256.
pub(crate) const ETAG_DIGITS: usize = 32;

/// One member.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Of the content, from the start of the tarball.
    pub(crate) offset: u64,
    pub(crate) size: u64,
    mtime: i64,
    /// From the content's SHA-256: same bytes, same tag, on every server and after every reload.
    pub(crate) etag: [u8; ETAG_DIGITS],
    name_start: u32,
    /// Row of the table of variants, or `NO_VARIANTS`.
    variants: u32,
    name_length: u16,
    content_type: u16,
    /// Number of the block of further header lines; 0 is the empty one.
    headers: u16,
    /// Bits of the member index: which coded forms the packer made.
    encodings: u8,
}

const NO_VARIANTS: u32 = u32::MAX;

/// Coded forms of one member: brotli, zstd, gzip, where there are such.
type Variants = [Option<u32>; 3];

/// Bit of `encodings` for a page with a placeholder.
const PLACEHOLDER: u8 = 0x80;

/// Bits of `encodings` and the endings of the members that hold those forms.
const CODED_FORMS: [(u8, &[u8]); 3] = [(1, b".br"), (2, b".zst"), (4, b".gz")];

impl Entry {
    /// The codings that a member can be sent in.
    pub(crate) fn codings(&self) -> StoredCodings {
        if self.variants == NO_VARIANTS {
            return StoredCodings::NONE;
        }
        StoredCodings::from_bits(self.encodings & !PLACEHOLDER)
    }

    /// Whether values of scripts can be filled in.
    pub(crate) fn has_placeholder(&self) -> bool {
        self.encodings & PLACEHOLDER != 0
    }

    /// Unix seconds; `None` when the tarball has no meaningful time, as packed ones don't.
    pub(crate) fn last_modified(&self) -> Option<u64> {
        u64::try_from(self.mtime)
            .ok()
            .filter(|&seconds| seconds > 0)
    }
}

pub(crate) struct Index {
    names: Box<[u8]>,
    entries: Box<[Entry]>,
    table: HashTable<u32>,
    types: Box<[Box<str>]>,
    variants: Vec<Variants>,
    header_blocks: Vec<Box<str>>,
}

impl Index {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn entry(&self, member: u32) -> &Entry {
        &self.entries[member as usize]
    }

    pub(crate) fn content_type(&self, entry: &Entry) -> &[u8] {
        self.types[usize::from(entry.content_type)].as_bytes()
    }

    pub(crate) fn member(&self, name: &[u8]) -> Option<u32> {
        self.table
            .find(hash(name), |&member| self.name(self.entry(member)) == name)
            .copied()
    }

    /// Further header lines for a member, each with its CRLF.
    pub(crate) fn header_block(&self, entry: &Entry) -> &[u8] {
        self.header_blocks[usize::from(entry.headers)].as_bytes()
    }

    /// The member that holds `entry` coded so.
    pub(crate) fn variant(&self, entry: &Entry, coding: Coding) -> Option<u32> {
        let row = self.variants.get(entry.variants as usize)?;
        match coding {
            Coding::Identity => None,
            Coding::Brotli => row[0],
            Coding::Zstd => row[1],
            Coding::Gzip => row[2],
        }
    }

    /// Every member's name and number.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, u32)> {
        let text = |entry| std::str::from_utf8(self.name(entry)).unwrap_or_default();
        self.entries.iter().map(text).zip(0_u32..)
    }

    /// Gives every member below `prefix` the header lines that `block` makes for the rest of its name.
    ///
    /// # Errors
    /// More different blocks than can be numbered.
    pub(super) fn attach_headers(
        &mut self,
        prefix: &str,
        block: impl Fn(&str) -> String,
    ) -> Result<(), String> {
        let mut numbers: HashMap<String, u16> = HashMap::from([(String::new(), 0)]);
        for member in 0..self.entries.len() {
            let name = std::str::from_utf8(self.name(&self.entries[member])).unwrap_or_default();
            let Some(name) = name.strip_prefix(prefix) else {
                continue;
            };
            let lines = block(name);
            let number = if let Some(&number) = numbers.get(&lines) {
                number
            } else {
                let number = u16::try_from(self.header_blocks.len())
                    .map_err(|_| "more than 65,535 different sets of headers".to_owned())?;
                self.header_blocks.push(lines.clone().into());
                numbers.insert(lines, number);
                number
            };
            self.entries[member].headers = number;
        }
        Ok(())
    }

    /// Finds the coded forms that the packer made.
    fn link_variants(&mut self) {
        let mut name = Vec::new();
        for member in 0..self.entries.len() {
            let entry = &self.entries[member];
            if entry.encodings & !PLACEHOLDER == 0 {
                continue;
            }
            let mut row = Variants::default();
            for (slot, (bit, ending)) in row.iter_mut().zip(CODED_FORMS) {
                if entry.encodings & bit != 0 {
                    name.clear();
                    name.extend_from_slice(self.name(entry));
                    name.extend_from_slice(ending);
                    *slot = self.member(&name);
                }
            }
            let bits = row
                .iter()
                .zip(CODED_FORMS)
                .filter(|(slot, _)| slot.is_some());
            let encodings = bits.fold(entry.encodings & PLACEHOLDER, |bits, (_, (bit, _))| {
                bits | bit
            });
            let number = u32::try_from(self.variants.len()).unwrap_or(NO_VARIANTS);
            self.variants.push(row);
            let entry = &mut self.entries[member];
            (entry.variants, entry.encodings) = (number, encodings);
        }
    }

    fn name(&self, entry: &Entry) -> &[u8] {
        let start = entry.name_start as usize;
        &self.names[start..start + usize::from(entry.name_length)]
    }
}

fn hash(name: &[u8]) -> u64 {
    // Names come from the operator's tarball and lookups never insert: no key is needed against
    // crafted collisions.
    FixedState::default().hash_one(name)
}

/// What a member is added as.
pub(crate) struct Member<'a> {
    pub(crate) name: &'a str,
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) mtime: i64,
    pub(crate) sha256: [u8; 32],
    pub(crate) content_type: &'a str,
    pub(crate) encodings: u8,
    pub(crate) has_placeholder: bool,
}

/// Gathers members; the last of a name wins.
#[derive(Default)]
pub(crate) struct Builder {
    names: Vec<u8>,
    entries: Vec<Entry>,
    types: Vec<Box<str>>,
    type_numbers: HashMap<Box<str>, u16>,
}

impl Builder {
    pub(crate) fn with_capacity(members: usize) -> Self {
        Self {
            entries: Vec::with_capacity(members),
            ..Self::default()
        }
    }

    /// False when the tarball is beyond what the index can number: 4 GiB of names, 65,536 content
    /// types, names above 64 KiB.
    pub(crate) fn add(&mut self, member: &Member<'_>) -> bool {
        let (Ok(name_start), Ok(name_length)) = (
            u32::try_from(self.names.len()),
            u16::try_from(member.name.len()),
        ) else {
            return false;
        };
        let content_type = if let Some(&number) = self.type_numbers.get(member.content_type) {
            number
        } else {
            let Ok(number) = u16::try_from(self.types.len()) else {
                return false;
            };
            self.types.push(member.content_type.into());
            self.type_numbers.insert(member.content_type.into(), number);
            number
        };
        self.names.extend_from_slice(member.name.as_bytes());
        self.entries.push(Entry {
            offset: member.offset,
            size: member.size,
            mtime: member.mtime,
            etag: hex_half(&member.sha256),
            name_start,
            variants: NO_VARIANTS,
            name_length,
            content_type,
            headers: 0,
            encodings: (member.encodings & !PLACEHOLDER)
                | if member.has_placeholder {
                    PLACEHOLDER
                } else {
                    0
                },
        });
        true
    }

    pub(crate) fn finish(self) -> Index {
        let mut index = Index {
            names: self.names.into_boxed_slice(),
            entries: self.entries.into_boxed_slice(),
            table: HashTable::new(),
            types: self.types.into_boxed_slice(),
            variants: Vec::new(),
            header_blocks: vec![Box::default()],
        };
        let mut table = HashTable::with_capacity(index.len());
        for member in 0..u32::try_from(index.len()).unwrap_or(u32::MAX) {
            let name = index.name(index.entry(member));
            let number = hash(name);
            match table.find_mut(number, |&other| index.name(index.entry(other)) == name) {
                Some(earlier) => *earlier = member,
                None => {
                    table.insert_unique(number, member, |&other| {
                        hash(index.name(index.entry(other)))
                    });
                }
            }
        }
        index.table = table;
        index.link_variants();
        index
    }
}

fn hex_half(sha256: &[u8; 32]) -> [u8; ETAG_DIGITS] {
    let mut digits = [0; ETAG_DIGITS];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(sha256) {
        pair.copy_from_slice(&hex(*byte));
    }
    digits
}

pub(super) fn hex(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [
        DIGITS[usize::from(byte >> 4)],
        DIGITS[usize::from(byte & 15)],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, offset: u64) -> Member<'_> {
        Member {
            name,
            offset,
            size: 1,
            mtime: 0,
            sha256: [0xab; 32],
            content_type: "text/css",
            encodings: 0,
            has_placeholder: false,
        }
    }

    #[test]
    fn members_are_found_by_name_and_the_last_of_a_name_wins() {
        let mut builder = Builder::with_capacity(3);
        for (name, offset) in [("a/b.css", 512), ("c", 1024), ("a/b.css", 2048)] {
            assert!(builder.add(&member(name, offset)));
        }
        let index = builder.finish();
        let found = index.entry(index.member(b"a/b.css").unwrap());
        assert_eq!(found.offset, 2048);
        assert_eq!(&found.etag, b"abababababababababababababababab");
        assert_eq!(index.content_type(found), b"text/css");
        assert!(index.member(b"a/b").is_none());
    }

    #[test]
    fn coded_forms_are_linked_where_the_packer_made_them() {
        let mut builder = Builder::with_capacity(3);
        builder.add(&Member {
            encodings: 0b101,
            ..member("a.js", 0)
        });
        builder.add(&member("a.js.br", 512));
        builder.add(&member("b.js.br", 512));
        builder.add(&member("b.js", 1024));
        let index = builder.finish();
        let (a, b) = (
            index.member(b"a.js").unwrap(),
            index.member(b"b.js").unwrap(),
        );
        let (a, b) = (index.entry(a), index.entry(b));
        assert_eq!(index.variant(a, Coding::Brotli), index.member(b"a.js.br"));
        assert_eq!(
            index.variant(a, Coding::Gzip),
            None,
            "it said gzip, and there is none"
        );
        assert_eq!(a.codings(), StoredCodings::from_bits(1));
        assert!(
            b.codings().is_none(),
            "a file of that name is not a form of this one"
        );
    }

    #[test]
    fn header_blocks_are_shared() {
        let mut builder = Builder::with_capacity(2);
        builder.add(&member("a.js", 0));
        builder.add(&member("b.js", 0));
        let mut index = builder.finish();
        index.attach_headers("", |_| "X: 1\r\n".to_owned()).unwrap();
        assert_eq!(index.header_block(index.entry(0)), b"X: 1\r\n");
        assert_eq!(index.header_blocks.len(), 2);
    }

    #[test]
    fn a_record_stays_small() {
        // A million members must cost at most 120 bytes each beside their names; the table takes 5.
        assert!(size_of::<Entry>() <= 72);
    }
}
