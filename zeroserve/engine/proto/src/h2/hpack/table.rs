//! A dynamic table (RFC 7541, section 2.3.2), kept as lines one behind the other.

use std::collections::VecDeque;

/// What RFC 7541, section 4.1 counts for an entry besides its name and value.
pub(super) const ENTRY_OVERHEAD: usize = 32;

/// One line, newest first by index; `T` is what its owner wants to remember of it.
#[derive(Debug)]
struct Entry<T> {
    /// Where its bytes start in the store.
    start: usize,
    line_len: usize,
    name_len: usize,
    /// Its size as the protocol counts it.
    size: usize,
    note: T,
}

/// Lines with their protocol sizes, the oldest thrown out when the sum is above the cap.
#[derive(Debug)]
pub(super) struct LineTable<T> {
    entries: VecDeque<Entry<T>>,
    /// The lines; those of entries that are gone lie before the oldest one's start.
    bytes: Vec<u8>,
    size: usize,
    size_max: usize,
    /// How many lines were ever put in, so that a place can be remembered while others come in.
    inserted: u64,
}

impl<T: Copy> LineTable<T> {
    pub(super) const fn new(size_max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: Vec::new(),
            size: 0,
            size_max,
            inserted: 0,
        }
    }

    pub(super) const fn size_max(&self) -> usize {
        self.size_max
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    pub(super) const fn inserted(&self) -> u64 {
        self.inserted
    }

    pub(super) fn set_size_max(&mut self, size_max: usize) {
        self.size_max = size_max;
        self.evict_to(size_max);
    }

    /// The line at `place`, counted from the newest, the length of its name, and its note.
    #[inline]
    pub(super) fn line(&self, place: usize) -> Option<(&[u8], usize, T)> {
        let entry = self.entries.get(place)?;
        let line = self.bytes.get(entry.start..entry.start + entry.line_len)?;
        Some((line, entry.name_len, entry.note))
    }

    /// The first place whose note and line `wanted` takes.
    pub(super) fn find(&self, wanted: impl Fn(T, &[u8]) -> bool) -> Option<usize> {
        (0..self.entries.len()).find(|&place| {
            self.line(place)
                .is_some_and(|(line, _, note)| wanted(note, line))
        })
    }

    /// Puts a line in front. One larger than the whole table empties it (section 4.4).
    pub(super) fn insert(&mut self, line: &[u8], name_len: usize, size: usize, note: T) {
        if size > self.size_max {
            self.evict_to(0);
            return;
        }
        self.evict_to(self.size_max - size);
        // A line is never longer than its size, so live ones take at most `size_max`; moving them
        // only when as much again is dead keeps the cost of moving below that of copying in.
        if self.bytes.len() + line.len() > 2 * self.size_max {
            self.close_gap();
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(line);
        self.size += size;
        self.inserted += 1;
        self.entries.push_front(Entry {
            start,
            line_len: line.len(),
            name_len,
            size,
            note,
        });
    }

    fn evict_to(&mut self, size: usize) {
        while self.size > size {
            match self.entries.pop_back() {
                Some(entry) => self.size -= entry.size,
                None => self.size = 0,
            }
        }
        if self.entries.is_empty() {
            self.bytes.clear();
        }
    }

    fn close_gap(&mut self) {
        let dead = self
            .entries
            .back()
            .map_or(self.bytes.len(), |oldest| oldest.start);
        self.bytes.drain(..dead);
        for entry in &mut self.entries {
            entry.start -= dead;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_list_of_strings(steps in proptest::collection::vec((0_usize..90, any::<bool>()), 0..200)) {
            let mut table = LineTable::new(256);
            let mut model: Vec<Vec<u8>> = Vec::new();
            let mut cap = 256;
            for (number, (length, resize)) in steps.into_iter().enumerate() {
                if resize && length % 7 == 0 {
                    cap = length * 3;
                    table.set_size_max(cap);
                } else {
                    let line: Vec<u8> = (0..length).map(|at| (number * 31 + at).to_le_bytes()[0]).collect();
                    table.insert(&line, 0, length + ENTRY_OVERHEAD, number);
                    model.insert(0, line);
                }
                while model.iter().map(|line| line.len() + ENTRY_OVERHEAD).sum::<usize>() > cap {
                    model.pop();
                }
                for (place, line) in model.iter().enumerate() {
                    prop_assert_eq!(table.line(place).map(|found| found.0), Some(&line[..]));
                }
                prop_assert!(table.line(model.len()).is_none());
                prop_assert!(table.bytes.len() <= 512 + 90);
            }
        }
    }
}
