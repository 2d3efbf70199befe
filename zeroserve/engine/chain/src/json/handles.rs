//! A run's handles. A handle stands for a path into a document, so what is written through one shows in the others. It
//! is kept as the node's number while the node is there, and written out as a path only when the node goes: the same path may
//! lead somewhere again.

use serde_json::Value;
use zs_script::{Footprint, Refusal};

use super::document::{Document, Id, Kind, ROOT, Size};
use super::parse::{Failure, parse};
use super::write::write;

/// Live handles of one run.
const HANDLES_MAX: usize = 32;
/// Emptied documents that are kept for their memory.
const SPARE_MAX: usize = 4;
/// Of one that is kept, in bytes.
const SPARE_BYTES_MAX: usize = 16 << 10;

/// One run's documents. Handles count from 1 and never come again.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    handles: Vec<Handle>,
    slots: Vec<Slot>,
    spare: Vec<Document>,
    last: i64,
}

#[derive(Debug)]
struct Handle {
    number: i64,
    slot: usize,
    place: Place,
}

#[derive(Debug)]
struct Slot {
    document: Document,
    handles: usize,
}

#[derive(Clone, Debug)]
enum Place {
    Node(Id),
    /// The node that was there is gone. Bytes: what the path was charged.
    Path(Vec<Step>, usize),
}

#[derive(Clone, Debug)]
enum Step {
    Key(Box<str>),
    Index(usize),
}

/// What replaces a node, beside strings and copies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    Integer(i64),
}

/// A live node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    slot: usize,
    id: Id,
}

impl Documents {
    /// Parses a text. `None`: it is no JSON.
    ///
    /// # Errors
    /// The table is full, or the request's memory is used up.
    pub(crate) fn parse(
        &mut self,
        bytes: &[u8],
        footprint: &mut Footprint,
    ) -> Result<Option<i64>, Refusal> {
        self.check_room()?;
        let mut document = self.spare.pop().unwrap_or_default();
        match parse(bytes, &mut document, footprint) {
            Ok(()) => self.adopt(document, footprint).map(Some),
            Err(failure) => {
                document.release(footprint);
                self.keep(document);
                match failure {
                    Failure::Syntax => Ok(None),
                    Failure::Memory(refusal) => Err(refusal),
                }
            }
        }
    }

    /// A new document of the server's own making.
    pub(crate) fn insert(
        &mut self,
        value: &Value,
        footprint: &mut Footprint,
    ) -> Result<i64, Refusal> {
        let handle = self.parse(value.to_string().as_bytes(), footprint)?;
        handle.ok_or_else(|| "a value too deep for a document".into())
    }

    /// `{}`.
    pub(crate) fn new_object(&mut self, footprint: &mut Footprint) -> Result<i64, Refusal> {
        self.new_document(Kind::Object(Vec::new()), footprint)
    }

    /// `[]`.
    pub(crate) fn new_array(&mut self, footprint: &mut Footprint) -> Result<i64, Refusal> {
        self.new_document(Kind::Array(Vec::new()), footprint)
    }

    fn new_document(&mut self, kind: Kind, footprint: &mut Footprint) -> Result<i64, Refusal> {
        self.check_room()?;
        let mut document = self.spare.pop().unwrap_or_default();
        document.add(ROOT, kind, footprint)?;
        self.adopt(document, footprint)
    }

    /// A document that has been charged for becomes this run's.
    ///
    /// # Errors
    /// The table is full; the charge is given back then.
    pub(crate) fn adopt(
        &mut self,
        mut document: Document,
        footprint: &mut Footprint,
    ) -> Result<i64, Refusal> {
        if let Err(refusal) = self.check_room() {
            document.release(footprint);
            return Err(refusal);
        }
        let new = Slot {
            document,
            handles: 0,
        };
        let free = self.slots.iter().position(|slot| slot.handles == 0);
        let slot = free.unwrap_or(self.slots.len());
        match self.slots.get_mut(slot) {
            Some(old) => *old = new,
            None => self.slots.push(new),
        }
        self.handle(At { slot, id: ROOT })
    }

    fn check_room(&self) -> Result<(), Refusal> {
        if self.handles.len() >= HANDLES_MAX {
            return Err(format!("all {HANDLES_MAX} JSON handles are in use").into());
        }
        Ok(())
    }

    /// A new handle for a node.
    pub(crate) fn handle(&mut self, at: At) -> Result<i64, Refusal> {
        self.check_room()?;
        self.last += 1;
        self.slots[at.slot].handles += 1;
        self.handles.push(Handle {
            number: self.last,
            slot: at.slot,
            place: Place::Node(at.id),
        });
        Ok(self.last)
    }

    fn index(&self, number: i64) -> Result<usize, Refusal> {
        // The newest are used most.
        let found = self.handles.iter().rposition(|each| each.number == number);
        found.ok_or_else(|| format!("{number} is no JSON handle of this run").into())
    }

    /// The node that a handle stands for now.
    ///
    /// # Errors
    /// No such handle, or nothing is there any more.
    pub(crate) fn find(&mut self, number: i64, footprint: &mut Footprint) -> Result<At, Refusal> {
        let index = self.index(number)?;
        let Handle { slot, place, .. } = &mut self.handles[index];
        let slot = *slot;
        let id = match place {
            Place::Node(id) => *id,
            Place::Path(steps, bytes) => {
                let document = &self.slots[slot].document;
                let id = steps.iter().try_fold(ROOT, |id, step| match step {
                    Step::Key(key) => document.member(id, key),
                    Step::Index(index) => document.element(id, *index as u64),
                });
                let Some(id) = id else {
                    let reason = format!("what JSON handle {number} stood for is gone");
                    return Err(reason.into());
                };
                footprint.give_back(*bytes);
                *place = Place::Node(id);
                id
            }
        };
        Ok(At { slot, id })
    }

    fn kind(&self, at: At) -> &Kind {
        self.slots[at.slot].document.kind(at.id)
    }

    pub(crate) fn member(&self, at: At, key: &str) -> Option<At> {
        let id = self.slots[at.slot].document.member(at.id, key)?;
        Some(At { id, ..at })
    }

    pub(crate) fn element(&self, at: At, index: u64) -> Option<At> {
        let id = self.slots[at.slot].document.element(at.id, index)?;
        Some(At { id, ..at })
    }

    /// `ZS_JSON_NULL` and so on.
    pub(crate) fn type_of(&self, at: At) -> i64 {
        match self.kind(at) {
            Kind::Vacant(_) | Kind::Null => 0,
            Kind::Bool(_) => 1,
            Kind::Integer(_) | Kind::Number(_) => 2,
            Kind::String(_) => 3,
            Kind::Array(_) => 4,
            Kind::Object(_) => 5,
        }
    }

    pub(crate) fn string(&self, at: At) -> Option<&str> {
        match self.kind(at) {
            Kind::String(span) => Some(self.slots[at.slot].document.text(*span)),
            _ => None,
        }
    }

    pub(crate) fn integer(&self, at: At) -> Option<i64> {
        match self.kind(at) {
            Kind::Integer(value) => Some(*value),
            // A whole number all the same: `-0`.
            Kind::Number(span) => self.slots[at.slot].document.text(*span).parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn boolean(&self, at: At) -> Option<bool> {
        match self.kind(at) {
            Kind::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Members, elements or bytes.
    pub(crate) fn len(&self, at: At) -> Option<usize> {
        match self.kind(at) {
            Kind::String(_) => self.string(at).map(str::len),
            Kind::Array(elements) => Some(elements.len()),
            Kind::Object(members) => Some(members.len()),
            _ => None,
        }
    }

    /// What a value takes: to charge fuel for.
    pub(crate) fn bytes(&self, at: At) -> usize {
        self.slots[at.slot].document.size(at.id).bytes
    }

    /// A copy without a handle, charged for.
    pub(crate) fn copy(&mut self, at: At, footprint: &mut Footprint) -> Result<Document, Refusal> {
        let into = self.spare.pop().unwrap_or_default();
        Document::copy_of(&self.slots[at.slot].document, at.id, into, footprint)
    }

    /// A value as a document of its own, for a run that ends: whole documents move, others are copied.
    pub(crate) fn take(&mut self, at: At, footprint: &mut Footprint) -> Result<Document, Refusal> {
        if at.id == ROOT {
            return Ok(std::mem::take(&mut self.slots[at.slot].document));
        }
        self.copy(at, footprint)
    }

    /// A value as JSON text.
    ///
    /// # Errors
    /// It is longer than `limit` bytes.
    pub(crate) fn write(&self, at: At, limit: usize) -> Result<Vec<u8>, Refusal> {
        let document = &self.slots[at.slot].document;
        let mut out = Vec::with_capacity(document.written_bytes().min(limit));
        write(document, at.id, &mut out, limit)?;
        Ok(out)
    }

    pub(crate) fn set_scalar(
        &mut self,
        at: At,
        scalar: Scalar,
        footprint: &mut Footprint,
    ) -> Result<(), Refusal> {
        self.unseat(at, footprint)?;
        let kind = match scalar {
            Scalar::Null => Kind::Null,
            Scalar::Bool(value) => Kind::Bool(value),
            Scalar::Integer(value) => Kind::Integer(value),
        };
        let document = &mut self.slots[at.slot].document;
        document.set_scalar(at.id, kind, footprint);
        Ok(())
    }

    pub(crate) fn set_string(
        &mut self,
        at: At,
        text: &str,
        footprint: &mut Footprint,
    ) -> Result<(), Refusal> {
        self.unseat(at, footprint)?;
        let document = &mut self.slots[at.slot].document;
        document.set_string(at.id, text, footprint)
    }

    /// Sets a member to a copy of a value. False: it is no object.
    pub(crate) fn set_member(
        &mut self,
        at: At,
        key: &str,
        value: At,
        footprint: &mut Footprint,
    ) -> Result<bool, Refusal> {
        if !matches!(self.kind(at), Kind::Object(_)) {
            return Ok(false);
        }
        if let Some(member) = self.member(at, key) {
            return self.replace(member, value, footprint).map(|()| true);
        }
        self.with_source(at, value, footprint, |document, source, footprint| {
            document.set_new_member(at.id, key, source, footprint)
        })?;
        Ok(true)
    }

    /// Replaces a node by a copy of a value.
    pub(crate) fn replace(
        &mut self,
        at: At,
        value: At,
        footprint: &mut Footprint,
    ) -> Result<(), Refusal> {
        self.unseat(at, footprint)?;
        self.with_source(at, value, footprint, |document, source, footprint| {
            let (from, id, size) = source;
            document.set(at.id, from, id, size, footprint)
        })
    }

    /// Appends a copy of a value. The new length; `None`: it is no array.
    pub(crate) fn push(
        &mut self,
        at: At,
        value: At,
        footprint: &mut Footprint,
    ) -> Result<Option<usize>, Refusal> {
        if !matches!(self.kind(at), Kind::Array(_)) {
            return Ok(None);
        }
        self.with_source(at, value, footprint, |document, source, footprint| {
            document.push(at.id, source, footprint)
        })
        .map(Some)
    }

    /// Has a document changed by another one's value, or by a copy of its own.
    fn with_source<T>(
        &mut self,
        at: At,
        value: At,
        footprint: &mut Footprint,
        change: impl FnOnce(&mut Document, (&Document, Id, Size), &mut Footprint) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let size = self.slots[value.slot].document.size(value.id);
        if at.slot == value.slot {
            let mut copy = self.copy(value, footprint)?;
            let target = &mut self.slots[at.slot].document;
            let result = change(target, (&copy, ROOT, size), footprint);
            copy.release(footprint);
            self.keep(copy);
            return result;
        }
        let both = self.slots.get_disjoint_mut([at.slot, value.slot]);
        let Ok([target, source]) = both else {
            unreachable!("two slots of live handles");
        };
        let source = (&source.document, value.id, size);
        change(&mut target.document, source, footprint)
    }

    /// Removes a member; false when there is none.
    pub(crate) fn remove(
        &mut self,
        at: At,
        key: &str,
        footprint: &mut Footprint,
    ) -> Result<bool, Refusal> {
        let Some(member) = self.member(at, key) else {
            return Ok(false);
        };
        self.unseat(member, footprint)?;
        self.unseat_exactly(member, footprint)?;
        let document = &mut self.slots[at.slot].document;
        Ok(document.remove(at.id, key, footprint))
    }

    /// Writes out the paths of handles below a node that is about to lose what is there.
    fn unseat(&mut self, at: At, footprint: &mut Footprint) -> Result<(), Refusal> {
        if !matches!(self.kind(at), Kind::Array(_) | Kind::Object(_)) {
            return Ok(());
        }
        self.unseat_where(at, footprint, |document, id| {
            let mut id = id;
            while id != ROOT {
                id = document.parent(id);
                if id == at.id {
                    return true;
                }
            }
            false
        })
    }

    fn unseat_exactly(&mut self, at: At, footprint: &mut Footprint) -> Result<(), Refusal> {
        self.unseat_where(at, footprint, |_, id| id == at.id)
    }

    fn unseat_where(
        &mut self,
        at: At,
        footprint: &mut Footprint,
        goes: impl Fn(&Document, Id) -> bool,
    ) -> Result<(), Refusal> {
        let document = &self.slots[at.slot].document;
        for handle in &mut self.handles {
            let Place::Node(id) = handle.place else {
                continue;
            };
            if handle.slot != at.slot || !goes(document, id) {
                continue;
            }
            let bytes = path_bytes(document, id);
            footprint.take(bytes)?;
            handle.place = Place::Path(path(document, id), bytes);
        }
        Ok(())
    }

    /// Moves a handle to its document's root.
    pub(crate) fn reset(&mut self, number: i64, footprint: &mut Footprint) -> Result<(), Refusal> {
        let index = self.index(number)?;
        let place = &mut self.handles[index].place;
        if let Place::Path(_, bytes) = place {
            footprint.give_back(*bytes);
        }
        *place = Place::Node(ROOT);
        Ok(())
    }

    /// Gives a handle back, and with the last one of a document the document.
    pub(crate) fn free(&mut self, number: i64, footprint: &mut Footprint) -> Result<(), Refusal> {
        let index = self.index(number)?;
        let handle = self.handles.remove(index);
        if let Place::Path(_, bytes) = handle.place {
            footprint.give_back(bytes);
        }
        let slot = &mut self.slots[handle.slot];
        slot.handles -= 1;
        if slot.handles == 0 {
            let mut document = std::mem::take(&mut slot.document);
            document.release(footprint);
            self.keep(document);
        }
        Ok(())
    }

    /// The run is over: gives back all that was charged, and keeps some memory for the next one.
    pub(crate) fn clear(&mut self, footprint: &mut Footprint) {
        for handle in self.handles.drain(..) {
            if let Place::Path(_, bytes) = handle.place {
                footprint.give_back(bytes);
            }
        }
        while let Some(mut slot) = self.slots.pop() {
            slot.document.release(footprint);
            self.keep(slot.document);
        }
        self.last = 0;
    }

    fn keep(&mut self, document: Document) {
        if self.spare.len() < SPARE_MAX && document.capacity() <= SPARE_BYTES_MAX {
            self.spare.push(document);
        }
    }
}

/// Where a node is, from the root.
fn path(document: &Document, id: Id) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut id = id;
    while id != ROOT {
        let parent = document.parent(id);
        match document.kind(parent) {
            Kind::Array(elements) => {
                let index = elements.iter().position(|&each| each == id);
                steps.extend(index.map(Step::Index));
            }
            Kind::Object(members) => {
                let member = members.iter().find(|each| each.value == id);
                steps.extend(member.map(|each| Step::Key(document.text(each.key).into())));
            }
            _ => unreachable!("a parent is a container"),
        }
        id = parent;
    }
    steps.reverse();
    steps
}

/// What a path takes.
fn path_bytes(document: &Document, id: Id) -> usize {
    let (mut id, mut bytes) = (id, 0);
    while id != ROOT {
        let parent = document.parent(id);
        bytes += size_of::<Step>();
        if let Kind::Object(members) = document.kind(parent) {
            let member = members.iter().find(|each| each.value == id);
            bytes += member.map_or(0, |each| document.text(each.key).len());
        }
        id = parent;
    }
    bytes
}

#[cfg(any(test, feature = "fuzzing"))]
#[path = "model.rs"]
pub(super) mod model;
