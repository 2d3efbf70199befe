//! Helpers: what a script can ask of the server. One table says for each its name, what its registers
//! mean, in which phases it may be called, what it costs, and the function.
//!
//! `C` is the server's side of a request: whatever helpers need to see and change.

use std::collections::HashMap;
use std::marker::PhantomData;

use crate::error::{LoadError, LoadErrorKind};
use crate::memory::{self, Memory};
use crate::vm::ARGUMENTS;

/// What one argument of a helper is. Together they take at most five registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number: one register.
    Scalar,
    /// A JSON handle: one register. Whether it is alive is for the helper to say.
    Handle,
    /// Pointer and length of bytes that are read: two registers.
    Bytes,
    /// Pointer and length of UTF-8 text: two registers.
    Text,
    /// Pointer and length of a buffer that is written: two registers.
    Out,
    /// Pointer and length of bytes that are changed in place: two registers.
    InOut,
    /// Pointer to a buffer of this many bytes: one register.
    OutExactly(u32),
}

impl Kind {
    /// Registers that it takes.
    #[must_use]
    pub const fn registers(self) -> usize {
        match self {
            Self::Scalar | Self::Handle | Self::OutExactly(_) => 1,
            Self::Bytes | Self::Text | Self::Out | Self::InOut => 2,
        }
    }
}

/// A set of phases of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases(pub u8);

impl Phases {
    /// A request entry, and call targets below it.
    pub const REQUEST: Self = Self(1);
    /// A response hook, and call targets below it.
    pub const RESPONSE: Self = Self(2);
    /// Once, at load.
    pub const INIT: Self = Self(4);
    /// Before the handshake ends.
    pub const TLS: Self = Self(8);
    pub const ALL: Self = Self(15);

    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn allows(self, phase: Self) -> bool {
        self.0 & phase.0 != 0
    }

    /// For an author who called a helper elsewhere.
    pub(crate) fn refusal(self) -> String {
        let names = [
            (Self::REQUEST, "on a request"),
            (Self::RESPONSE, "in a response hook"),
            (Self::INIT, "at load"),
            (Self::TLS, "before the handshake ends"),
        ];
        let allowed = names.iter().filter(|(phase, _)| self.allows(*phase));
        let allowed: Vec<_> = allowed.map(|(_, name)| *name).collect();
        format!("not allowed here, only {}", allowed.join(" and "))
    }
}

/// What a helper answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The script goes on with this in r0.
    Value(i64),
    /// The script waits. The host answers later ([`crate::Run::resume`]).
    Suspend,
}

/// A reason to end the run: the request gets a 500 and the log this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl<T: Into<String>> From<T> for Refusal {
    fn from(reason: T) -> Self {
        Self(reason.into())
    }
}

pub type HelperResult = Result<Answer, Refusal>;

/// A helper that gets its arguments checked and taken apart.
pub type Checked<C> = fn(&mut C, &mut Arguments<'_>) -> HelperResult;
/// A helper that looks at the memory itself: for pointers without a length beside them.
pub type Raw<C> = fn(&mut C, &mut Memory<'_>, [u64; ARGUMENTS]) -> HelperResult;

/// Looks on after each call of a helper, with the registers that it got and its answer.
pub type Observer<C> = fn(&mut C, &Memory<'_>, &Helper<C>, &[u64; ARGUMENTS], &HelperResult);

pub enum Function<C> {
    Checked(&'static [Kind], Checked<C>),
    /// The number of registers it reads.
    Raw(usize, Raw<C>),
}

impl<C> Clone for Function<C> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<C> Copy for Function<C> {}

/// One row of the table.
pub struct Helper<C> {
    pub name: &'static str,
    pub phases: Phases,
    /// Fuel for a call, beside one for every 16 bytes of its ranges. One is about an instruction's worth.
    pub fuel: u32,
    pub function: Function<C>,
}

impl<C> Clone for Helper<C> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<C> Copy for Helper<C> {}

impl<C> Helper<C> {
    /// Registers that it reads.
    #[must_use]
    pub fn registers(&self) -> usize {
        match self.function {
            Function::Checked(kinds, _) => kinds.iter().map(|kind| kind.registers()).sum(),
            Function::Raw(registers, _) => registers,
        }
    }
}

/// All helpers and entry sections of a server.
pub struct HelperTable<C> {
    helpers: HashMap<&'static str, Helper<C>>,
    sections: Vec<&'static str>,
    pub(crate) observer: Option<Observer<C>>,
}

impl<C> Default for HelperTable<C> {
    fn default() -> Self {
        Self {
            helpers: HashMap::new(),
            sections: Vec::new(),
            observer: None,
        }
    }
}

impl<C> HelperTable<C> {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a helper.
    ///
    /// # Panics
    /// Its name is taken, or it wants more than five registers: our mistake.
    pub fn add(&mut self, helper: Helper<C>) -> &mut Self {
        assert!(
            helper.registers() <= ARGUMENTS,
            "`{}` wants too many registers",
            helper.name
        );
        let before = self.helpers.insert(helper.name, helper);
        assert!(before.is_none(), "two helpers `{}`", helper.name);
        self
    }

    /// Adds an entry section: its full name, or with a last dot the beginning of a family of names.
    pub fn entry_section(&mut self, name: &'static str) -> &mut Self {
        self.sections.push(name);
        self
    }

    /// Has every call of a helper looked on, in modules that are compiled from now on.
    pub fn observe(&mut self, observer: Observer<C>) -> &mut Self {
        self.observer = Some(observer);
        self
    }

    /// The rows, sorted by name: what the header and the manual are checked against.
    #[must_use]
    pub fn rows(&self) -> Vec<&Helper<C>> {
        let mut rows: Vec<_> = self.helpers.values().collect();
        rows.sort_by_key(|row| row.name);
        rows
    }

    pub(crate) fn resolve(
        &self,
        script: &str,
        names: &[String],
    ) -> Result<Vec<Helper<C>>, LoadError> {
        let find = |name: &String| {
            self.helpers.get(name.as_str()).copied().ok_or_else(|| {
                let kind = LoadErrorKind::UnknownHelper(name.clone());
                LoadError {
                    script: script.to_owned(),
                    section: None,
                    place: None,
                    kind,
                }
            })
        };
        names.iter().map(find).collect()
    }

    pub(crate) fn knows_section(&self, section: &str) -> bool {
        self.sections.iter().any(|known| {
            section == *known
                || known.ends_with('.') && section.len() > known.len() && section.starts_with(known)
        })
    }
}

/// The checked arguments of one call, by their number. Asking for another kind than the table declares is our
/// mistake and panics.
pub struct Arguments<'a> {
    kinds: &'static [Kind],
    /// Numbers, and first bytes of ranges.
    words: [u64; ARGUMENTS],
    lengths: [usize; ARGUMENTS],
    /// One bit for each buffer that was handed out.
    taken: u8,
    pub(crate) fuel: i64,
    memory: PhantomData<&'a mut [u8]>,
}

impl<'a> Arguments<'a> {
    /// A number.
    ///
    /// # Panics
    /// The table declares something else.
    #[must_use]
    pub fn scalar(&self, number: usize) -> u64 {
        assert!(
            matches!(self.kinds[number], Kind::Scalar | Kind::Handle),
            "argument {number} is no number"
        );
        self.words[number]
    }

    /// Bytes that are read.
    ///
    /// # Panics
    /// The table declares something else.
    #[must_use]
    pub fn bytes(&self, number: usize) -> &'a [u8] {
        assert!(
            matches!(self.kinds[number], Kind::Bytes | Kind::Text),
            "argument {number} is not read"
        );
        // SAFETY: `check` saw it to lie in the arena, and nothing that is written to overlap it.
        unsafe { std::slice::from_raw_parts(self.words[number] as *const u8, self.lengths[number]) }
    }

    /// Text that is read.
    ///
    /// # Panics
    /// The table declares something else.
    #[must_use]
    pub fn text(&self, number: usize) -> &'a str {
        assert!(
            matches!(self.kinds[number], Kind::Text),
            "argument {number} is no text"
        );
        // SAFETY: `check` saw it to be UTF-8; nobody writes it.
        unsafe { std::str::from_utf8_unchecked(self.bytes(number)) }
    }

    /// A buffer that is written, once: it is handed out for good.
    ///
    /// # Panics
    /// The table declares something else, or it was handed out before.
    #[must_use]
    pub fn out(&mut self, number: usize) -> &'a mut [u8] {
        assert!(
            is_written(self.kinds[number]),
            "argument {number} is no buffer"
        );
        assert!(
            self.taken >> number & 1 == 0,
            "argument {number} was taken before"
        );
        self.taken |= 1 << number;
        // SAFETY: `check` saw it to lie in the arena and to overlap no other argument; it is handed out once.
        unsafe {
            std::slice::from_raw_parts_mut(self.words[number] as *mut u8, self.lengths[number])
        }
    }

    /// Charges for work that the lengths of the arguments don't show.
    pub fn charge(&mut self, fuel: u32) {
        self.fuel += i64::from(fuel);
    }

    /// Nothing yet: see [`Self::fill`].
    pub(crate) const fn new() -> Self {
        let (words, lengths) = ([0; ARGUMENTS], [0; ARGUMENTS]);
        Self {
            kinds: &[],
            words,
            lengths,
            taken: 0,
            fuel: 0,
            memory: PhantomData,
        }
    }

    /// Checks the registers of a call. Written ranges may not overlap any other. Fills in place: moving this
    /// value costs more than the checks.
    pub(crate) fn fill(
        &mut self,
        kinds: &'static [Kind],
        registers: &[u64; ARGUMENTS],
        memory: &'a mut Memory<'_>,
    ) -> Result<(), Refusal> {
        self.kinds = kinds;
        let mut ranges = [(0, 0, false); ARGUMENTS];
        let mut register = 0;
        for (number, kind) in kinds.iter().enumerate() {
            let first = registers[register];
            let length = match kind {
                Kind::Scalar | Kind::Handle => {
                    self.words[number] = first;
                    register += 1;
                    continue;
                }
                Kind::OutExactly(bytes) => u64::from(*bytes),
                _ => registers[register + 1],
            };
            register += kind.registers();
            let range =
                memory::range(first, length).ok_or_else(|| outside(number, first, length))?;
            let written = is_written(*kind);
            let (start, end) = (range.start, range.end);
            let touches = |other: &(usize, usize, bool)| {
                (written || other.2) && start < other.1 && other.0 < end
            };
            if ranges[..number].iter().any(touches) {
                return Err(Refusal(format!(
                    "argument {}: its memory overlaps another one's",
                    number + 1
                )));
            }
            ranges[number] = (start, end, written);
            self.fuel += (range.len() >> 4) as i64;
            self.lengths[number] = range.len();
            if written {
                memory.mark(&range);
            }
            self.words[number] = memory.address(&range) as u64;
            if *kind == Kind::Text && std::str::from_utf8(self.bytes(number)).is_err() {
                return Err(Refusal(format!("argument {}: not UTF-8", number + 1)));
            }
        }
        Ok(())
    }
}

const fn is_written(kind: Kind) -> bool {
    matches!(kind, Kind::Out | Kind::InOut | Kind::OutExactly(_))
}

fn outside(number: usize, pointer: u64, length: u64) -> Refusal {
    Refusal(format!(
        "argument {}: {length} bytes at {pointer:#x} lie outside of the script's memory",
        number + 1
    ))
}

/// The rule for text that is handed out: cut to fit, ended by a NUL. An empty buffer asks for the length; a
/// result of at least the buffer's size means that the text was cut, and is never more than the buffer.
#[must_use]
pub fn string_out(out: &mut [u8], text: &[u8]) -> i64 {
    let Some(room) = out.len().checked_sub(1) else {
        return text.len() as i64;
    };
    let kept = text.len().min(room);
    out[..kept].copy_from_slice(&text[..kept]);
    out[kept] = 0;
    if kept < text.len() {
        out.len() as i64
    } else {
        kept as i64
    }
}

/// What a request's scripts hold outside of their own memory, all scripts and calls together.
#[derive(Clone, Copy, Debug)]
pub struct Footprint {
    used: usize,
    limit: usize,
}

impl Footprint {
    /// The usual cap of one request.
    pub const BYTES_MAX: usize = 256 << 10;

    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { used: 0, limit }
    }

    /// Takes bytes, before they are allocated.
    ///
    /// # Errors
    /// They are more than what is left; nothing is taken then.
    pub fn take(&mut self, bytes: usize) -> Result<(), Refusal> {
        match self.used.checked_add(bytes) {
            Some(used) if used <= self.limit => {
                self.used = used;
                Ok(())
            }
            _ => Err(Refusal(format!(
                "memory of the request: {bytes} bytes on top of {}, at most {}",
                self.used, self.limit
            ))),
        }
    }

    /// Gives bytes back.
    pub const fn give_back(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }

    /// Bytes that can still be taken.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.limit - self.used
    }

    #[must_use]
    pub const fn used(&self) -> usize {
        self.used
    }
}
