//! One JSON document: nodes in one list, text in one string. A node is found by its number, so that reading a member of
//! a member costs no walk, and a parsed body is a few allocations, not one for each value.
//!
//! What a document holds is charged to the request before it is allocated, and given back when it goes.

use zs_script::{Footprint, Refusal};

/// Containers inside each other, the outermost one included.
pub(super) const DEPTH_MAX: usize = 128;
/// A node's price.
const NODE_BYTES: usize = 32;
/// A member's price, beside its key's bytes.
const MEMBER_BYTES: usize = 24;
/// Text that nobody uses, before it is thought about.
const WASTE_BYTES_MIN: usize = 1024;

/// A node's number.
pub(super) type Id = u32;
pub(super) const ROOT: Id = 0;

/// A piece of the document's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    bytes: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) key: Span,
    pub(super) value: Id,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Free, and the next free one.
    Vacant(Option<Id>),
    Null,
    Bool(bool),
    Integer(i64),
    /// Any other number, as it was written.
    Number(Span),
    String(Span),
    Array(Vec<Id>),
    /// Sorted by key, each once.
    Object(Vec<Member>),
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) parent: Id,
    pub(super) kind: Kind,
}

/// What a value takes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    /// To charge.
    pub(super) bytes: usize,
    /// Containers inside each other; 0 for what is none.
    pub(super) height: usize,
}

/// A document. Node 0 is the root.
#[derive(Debug, Default)]
pub(crate) struct Document {
    nodes: Vec<Node>,
    text: String,
    free: Option<Id>,
    /// Bytes of `text` that nobody points at.
    waste: usize,
    /// What the request was charged.
    charged: usize,
}

impl Document {
    /// Empties it for another use. The caller has given the charge back.
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.text.clear();
        self.free = None;
        self.waste = 0;
        self.charged = 0;
    }

    /// Gives back what it was charged, and what it held.
    pub(crate) fn release(&mut self, footprint: &mut Footprint) {
        footprint.give_back(self.charged);
        self.clear();
    }

    /// What it keeps allocated, in bytes.
    pub(super) fn capacity(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.text.capacity()
    }

    pub(super) fn kind(&self, id: Id) -> &Kind {
        &self.nodes[id as usize].kind
    }

    pub(super) fn parent(&self, id: Id) -> Id {
        self.nodes[id as usize].parent
    }

    pub(super) fn text(&self, span: Span) -> &str {
        &self.text[span.start as usize..(span.start + span.bytes) as usize]
    }

    /// An estimate of what it is as JSON text.
    pub(super) fn written_bytes(&self) -> usize {
        self.text.len() + self.nodes.len() * 8
    }

    fn find(&self, members: &[Member], key: &str) -> Result<usize, usize> {
        members.binary_search_by(|each| self.text(each.key).cmp(key))
    }

    /// An object's member.
    pub(super) fn member(&self, id: Id, key: &str) -> Option<Id> {
        let Kind::Object(members) = self.kind(id) else {
            return None;
        };
        let index = self.find(members, key).ok()?;
        Some(members[index].value)
    }

    /// An array's element.
    pub(super) fn element(&self, id: Id, index: u64) -> Option<Id> {
        let Kind::Array(elements) = self.kind(id) else {
            return None;
        };
        elements.get(usize::try_from(index).ok()?).copied()
    }

    /// Containers around a node.
    pub(super) fn depth(&self, id: Id) -> usize {
        let (mut id, mut depth) = (id, 0);
        while id != ROOT {
            id = self.parent(id);
            depth += 1;
        }
        depth
    }

    /// What a value takes, all that is below it included. Recursion: no deeper than [`DEPTH_MAX`].
    pub(super) fn size(&self, id: Id) -> Size {
        let mut size = Size::default();
        match self.kind(id) {
            Kind::Number(span) | Kind::String(span) => size.bytes = span.bytes as usize,
            Kind::Array(elements) => {
                for &each in elements {
                    size.add(self.size(each));
                }
                size.height += 1;
            }
            Kind::Object(members) => {
                for each in members {
                    size.bytes += MEMBER_BYTES + each.key.bytes as usize;
                    size.add(self.size(each.value));
                }
                size.height += 1;
            }
            Kind::Vacant(_) | Kind::Null | Kind::Bool(_) | Kind::Integer(_) => {}
        }
        size.bytes += NODE_BYTES;
        size
    }

    pub(super) fn charge(
        &mut self,
        bytes: usize,
        footprint: &mut Footprint,
    ) -> Result<(), Refusal> {
        footprint.take(bytes)?;
        self.charged += bytes;
        Ok(())
    }

    fn give_back(&mut self, bytes: usize, footprint: &mut Footprint) {
        footprint.give_back(bytes);
        self.charged -= bytes;
    }

    /// A new node, charged for.
    pub(super) fn add(
        &mut self,
        parent: Id,
        kind: Kind,
        footprint: &mut Footprint,
    ) -> Result<Id, Refusal> {
        self.charge(NODE_BYTES, footprint)?;
        self.put(parent, kind)
    }

    /// New text, charged for.
    pub(super) fn add_text(
        &mut self,
        text: &str,
        footprint: &mut Footprint,
    ) -> Result<Span, Refusal> {
        self.charge(text.len(), footprint)?;
        self.put_text(text)
    }

    /// The price of a member, for those that are added one by one.
    pub(super) fn charge_member(&mut self, footprint: &mut Footprint) -> Result<(), Refusal> {
        self.charge(MEMBER_BYTES, footprint)
    }

    fn put(&mut self, parent: Id, kind: Kind) -> Result<Id, Refusal> {
        let node = Node { parent, kind };
        if let Some(id) = self.free {
            let slot = &mut self.nodes[id as usize];
            if let Kind::Vacant(next) = slot.kind {
                self.free = next;
            }
            *slot = node;
            return Ok(id);
        }
        let id = Id::try_from(self.nodes.len()).map_err(|_| too_large())?;
        self.nodes.push(node);
        Ok(id)
    }

    fn put_text(&mut self, text: &str) -> Result<Span, Refusal> {
        let start = u32::try_from(self.text.len()).map_err(|_| too_large())?;
        let bytes = u32::try_from(text.len()).map_err(|_| too_large())?;
        start.checked_add(bytes).ok_or_else(too_large)?;
        self.text.push_str(text);
        Ok(Span { start, bytes })
    }

    /// Sets what a node is.
    pub(super) fn fill(&mut self, id: Id, kind: Kind) {
        self.nodes[id as usize].kind = kind;
    }

    /// Sorts an object's members as they came from a parser; the last one of a name stays.
    pub(super) fn sort(&mut self, members: &mut Vec<Member>, footprint: &mut Footprint) {
        let in_order = members.is_sorted_by(|a, b| self.text(a.key) < self.text(b.key));
        if in_order {
            return;
        }
        members.sort_by(|a, b| self.text(a.key).cmp(self.text(b.key)));
        let mut kept = 0;
        for index in 0..members.len() {
            let member = members[index];
            let next = members.get(index + 1);
            if next.is_some_and(|next| self.text(next.key) == self.text(member.key)) {
                self.drop_member(member, footprint);
            } else {
                members[kept] = member;
                kept += 1;
            }
        }
        members.truncate(kept);
    }

    fn drop_member(&mut self, member: Member, footprint: &mut Footprint) {
        let bytes = self.size(member.value).bytes;
        self.give_back(bytes + MEMBER_BYTES + member.key.bytes as usize, footprint);
        self.waste += member.key.bytes as usize;
        self.vacate(member.value);
    }

    /// Frees all nodes below this one, which becomes null.
    fn empty(&mut self, id: Id) {
        match std::mem::replace(&mut self.nodes[id as usize].kind, Kind::Null) {
            Kind::Number(span) | Kind::String(span) => self.waste += span.bytes as usize,
            Kind::Array(elements) => elements.into_iter().for_each(|each| self.vacate(each)),
            Kind::Object(members) => {
                for each in members {
                    self.waste += each.key.bytes as usize;
                    self.vacate(each.value);
                }
            }
            Kind::Vacant(_) | Kind::Null | Kind::Bool(_) | Kind::Integer(_) => {}
        }
    }

    fn vacate(&mut self, id: Id) {
        self.empty(id);
        self.nodes[id as usize].kind = Kind::Vacant(self.free);
        self.free = Some(id);
    }

    /// Replaces a node by one without anything below it, and no text.
    pub(super) fn set_scalar(&mut self, id: Id, kind: Kind, footprint: &mut Footprint) {
        let before = self.size(id).bytes;
        self.give_back(before - NODE_BYTES, footprint);
        self.empty(id);
        self.fill(id, kind);
        self.tidy();
    }

    pub(super) fn set_string(
        &mut self,
        id: Id,
        text: &str,
        footprint: &mut Footprint,
    ) -> Result<(), Refusal> {
        self.recharge(id, NODE_BYTES + text.len(), footprint)?;
        self.empty(id);
        self.tidy();
        let span = self.put_text(text)?;
        self.fill(id, Kind::String(span));
        Ok(())
    }

    /// Charges for what a node becomes, and gives back what it was.
    fn recharge(&mut self, id: Id, bytes: usize, footprint: &mut Footprint) -> Result<(), Refusal> {
        let before = self.size(id).bytes;
        self.charge(bytes.saturating_sub(before), footprint)?;
        self.give_back(before.saturating_sub(bytes), footprint);
        Ok(())
    }

    /// Replaces a node by a copy of another document's.
    pub(super) fn set(
        &mut self,
        id: Id,
        from: &Self,
        source: Id,
        size: Size,
        footprint: &mut Footprint,
    ) -> Result<(), Refusal> {
        self.check_depth(id, size)?;
        self.recharge(id, size.bytes, footprint)?;
        self.empty(id);
        self.tidy();
        self.copy(from, source, id)
    }

    /// Sets a new member of an object to a copy of another document's node.
    pub(super) fn set_new_member(
        &mut self,
        object: Id,
        key: &str,
        (from, source, size): (&Self, Id, Size),
        footprint: &mut Footprint,
    ) -> Result<(), Refusal> {
        self.check_depth(object, size.below())?;
        self.charge(size.bytes + MEMBER_BYTES + key.len(), footprint)?;
        let value = self.put(object, Kind::Null)?;
        self.copy(from, source, value)?;
        let key_span = self.put_text(key)?;
        let Kind::Object(members) = self.kind(object) else {
            unreachable!("the caller saw an object");
        };
        let (Ok(index) | Err(index)) = self.find(members, key);
        let member = Member {
            key: key_span,
            value,
        };
        if let Kind::Object(members) = &mut self.nodes[object as usize].kind {
            members.insert(index, member);
        }
        Ok(())
    }

    /// Appends a copy of another document's node to an array. The new length.
    pub(super) fn push(
        &mut self,
        array: Id,
        (from, source, size): (&Self, Id, Size),
        footprint: &mut Footprint,
    ) -> Result<usize, Refusal> {
        self.check_depth(array, size.below())?;
        self.charge(size.bytes, footprint)?;
        let value = self.put(array, Kind::Null)?;
        self.copy(from, source, value)?;
        let Kind::Array(elements) = &mut self.nodes[array as usize].kind else {
            unreachable!("the caller saw an array");
        };
        elements.push(value);
        Ok(elements.len())
    }

    /// Removes a member; false when there is none.
    pub(super) fn remove(&mut self, object: Id, key: &str, footprint: &mut Footprint) -> bool {
        let Kind::Object(members) = self.kind(object) else {
            return false;
        };
        let Ok(index) = self.find(members, key) else {
            return false;
        };
        let member = members[index];
        self.drop_member(member, footprint);
        if let Kind::Object(members) = &mut self.nodes[object as usize].kind {
            members.remove(index);
        }
        self.tidy();
        true
    }

    /// A copy of a value as a document of its own, charged for.
    pub(super) fn copy_of(
        from: &Self,
        source: Id,
        mut into: Self,
        footprint: &mut Footprint,
    ) -> Result<Self, Refusal> {
        into.charge(from.size(source).bytes, footprint)?;
        into.put(ROOT, Kind::Null)?;
        into.copy(from, source, ROOT)?;
        Ok(into)
    }

    /// Copies a value of another document to a node that is null. The caller has charged for it.
    fn copy(&mut self, from: &Self, source: Id, to: Id) -> Result<(), Refusal> {
        let kind = match from.kind(source) {
            Kind::Vacant(_) | Kind::Null => Kind::Null,
            Kind::Bool(value) => Kind::Bool(*value),
            Kind::Integer(value) => Kind::Integer(*value),
            Kind::Number(span) => Kind::Number(self.put_text(from.text(*span))?),
            Kind::String(span) => Kind::String(self.put_text(from.text(*span))?),
            Kind::Array(elements) => {
                let mut copies = Vec::with_capacity(elements.len());
                for &each in elements {
                    let id = self.put(to, Kind::Null)?;
                    self.copy(from, each, id)?;
                    copies.push(id);
                }
                Kind::Array(copies)
            }
            Kind::Object(members) => {
                let mut copies = Vec::with_capacity(members.len());
                for each in members {
                    let key = self.put_text(from.text(each.key))?;
                    let value = self.put(to, Kind::Null)?;
                    self.copy(from, each.value, value)?;
                    copies.push(Member { key, value });
                }
                Kind::Object(copies)
            }
        };
        self.fill(to, kind);
        Ok(())
    }

    fn check_depth(&self, id: Id, size: Size) -> Result<(), Refusal> {
        if self.depth(id) + size.height > DEPTH_MAX {
            return Err(format!("JSON more than {DEPTH_MAX} levels deep").into());
        }
        Ok(())
    }

    /// Drops text that nobody uses, when it is the larger part: what a document takes stays in proportion to its charge.
    fn tidy(&mut self) {
        if self.waste < WASTE_BYTES_MIN || self.waste < self.text.len() / 2 {
            return;
        }
        let old = std::mem::take(&mut self.text);
        let mut text = String::with_capacity(old.len() - self.waste);
        let mut start = 0;
        let mut keep = |span: &mut Span| {
            text.push_str(&old[span.start as usize..(span.start + span.bytes) as usize]);
            span.start = start;
            start += span.bytes;
        };
        for node in &mut self.nodes {
            match &mut node.kind {
                Kind::Number(span) | Kind::String(span) => keep(span),
                Kind::Object(members) => members.iter_mut().for_each(|each| keep(&mut each.key)),
                _ => {}
            }
        }
        self.text = text;
        self.waste = 0;
    }
}

impl Size {
    fn add(&mut self, below: Self) {
        self.bytes += below.bytes;
        self.height = self.height.max(below.height);
    }

    /// One level further down.
    fn below(self) -> Self {
        Self {
            height: self.height + 1,
            ..self
        }
    }
}

fn too_large() -> Refusal {
    "a JSON document of more than 4 GiB".into()
}
