//! `Range` (RFC 9110, section 14): which bytes of a representation are asked for.

use crate::limits::RANGES_MAX;
use crate::scan::trim;

/// Some bytes of a representation, both ends included, as in `Content-Range`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteRange {
    /// Offset of the first byte.
    pub start: u64,
    /// Offset of the last byte; never below `start`, always below the size.
    pub end_inclusive: u64,
}

impl ByteRange {
    /// Number of bytes; never zero.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub const fn len(self) -> u64 {
        self.end_inclusive - self.start + 1
    }

    const fn overlaps(self, other: Self) -> bool {
        self.start <= other.end_inclusive && other.start <= self.end_inclusive
    }
}

/// Two to [`RANGES_MAX`] ranges, in the order they were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RangeList {
    ranges: [ByteRange; RANGES_MAX],
    count: usize,
}

impl RangeList {
    /// The ranges.
    #[must_use]
    pub fn as_slice(&self) -> &[ByteRange] {
        self.ranges.get(..self.count).unwrap_or_default()
    }

    fn push(&mut self, range: ByteRange) {
        if let Some(slot) = self.ranges.get_mut(self.count) {
            *slot = range;
            self.count += 1;
        }
    }
}

/// What to send.
#[allow(
    clippy::large_enum_variant,
    reason = "lives on the stack for one decision; a box would allocate"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeOutcome {
    /// The field is malformed, has another unit, or asks for too much: 200 with everything.
    Full,
    /// 206 with `Content-Range`.
    Single(ByteRange),
    /// 206 with `multipart/byteranges`.
    Multi(RangeList),
    /// 416 with `Content-Range: bytes */size`.
    Unsatisfiable,
}

/// One `range-spec`.
enum Wanted {
    /// Offsets; the last one may lie far behind the end.
    Bytes { first: u64, last: u64 },
    /// The last bytes.
    Suffix(u64),
}

/// Reads the value of a `Range` field for a representation of `size` bytes.
///
/// Ends are clamped to the size, and ranges that start behind it are dropped. To keep one request
/// from costing many times the representation (RFC 9110, section 14.2), the answer is
/// [`RangeOutcome::Full`] for more than [`RANGES_MAX`] ranges, for ranges that add up to more than
/// the size, and for more than two overlaps. An empty representation has no byte to send: a suffix
/// of it is everything, any other range is unsatisfiable.
#[must_use]
pub fn parse(value: &[u8], size: u64) -> RangeOutcome {
    collect(value, size).unwrap_or(RangeOutcome::Full)
}

/// `None` when the whole representation has to be sent.
fn collect(value: &[u8], size: u64) -> Option<RangeOutcome> {
    let (unit, set) = value.split_at_checked(b"bytes=".len())?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let mut list = RangeList::default();
    let mut asked = 0;
    let mut total: u64 = 0;
    // RFC 9110, section 5.6.1.2: empty list elements are skipped.
    for spec in set
        .split(|&byte| byte == b',')
        .map(trim)
        .filter(|spec| !spec.is_empty())
    {
        asked += 1;
        if asked > RANGES_MAX {
            return None;
        }
        match read_spec(spec)? {
            Wanted::Suffix(_) if size == 0 => return None,
            Wanted::Suffix(0) => {}
            Wanted::Bytes { first, .. } if first >= size => {}
            wanted => {
                let range = clamp(&wanted, size);
                total = total.checked_add(range.len())?; // above `u64` is above any size
                list.push(range);
            }
        }
    }
    match list.as_slice() {
        [] if asked == 0 => None,
        [] => Some(RangeOutcome::Unsatisfiable),
        [range] => Some(RangeOutcome::Single(*range)),
        ranges if total > size || overlaps(ranges) > 2 => None,
        _ => Some(RangeOutcome::Multi(list)),
    }
}

fn clamp(wanted: &Wanted, size: u64) -> ByteRange {
    let end = size - 1;
    match *wanted {
        Wanted::Bytes { first, last } => ByteRange {
            start: first,
            end_inclusive: last.min(end),
        },
        Wanted::Suffix(count) => ByteRange {
            start: size.saturating_sub(count),
            end_inclusive: end,
        },
    }
}

fn overlaps(ranges: &[ByteRange]) -> usize {
    let mut rest = ranges;
    let mut count = 0;
    while let [first, tail @ ..] = rest {
        count += tail.iter().filter(|other| first.overlaps(**other)).count();
        rest = tail;
    }
    count
}

/// `first-[last]` or `-count`; `None` when malformed, and then the whole field is.
fn read_spec(spec: &[u8]) -> Option<Wanted> {
    let dash = spec.iter().position(|&byte| byte == b'-')?;
    let (first, last) = (spec.get(..dash)?, spec.get(dash + 1..)?);
    if first.is_empty() {
        return Some(Wanted::Suffix(read_number(last)?));
    }
    let first = read_number(first)?;
    let last = if last.is_empty() {
        u64::MAX
    } else {
        read_number(last)?
    };
    (first <= last).then_some(Wanted::Bytes { first, last })
}

/// Digits only. A number above `u64` is behind the end of anything: it saturates.
fn read_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().try_fold(0_u64, |sum, digit| {
        sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    });
    Some(number.unwrap_or(u64::MAX))
}

/// Fuzz body: eight bytes of size, then the field. What comes out lies within the representation
/// and never adds up to more than it.
///
/// # Panics
/// When that does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_range(bytes: &[u8]) {
    let Some((size, value)) = bytes.split_first_chunk() else {
        return;
    };
    let size = u64::from_le_bytes(*size);
    let ranges = match parse(value, size) {
        RangeOutcome::Full | RangeOutcome::Unsatisfiable => return,
        RangeOutcome::Single(range) => vec![range],
        RangeOutcome::Multi(list) => {
            assert!((2..=RANGES_MAX).contains(&list.as_slice().len()));
            list.as_slice().to_vec()
        }
    };
    let inside =
        |range: &ByteRange| range.start <= range.end_inclusive && range.end_inclusive < size;
    assert!(ranges.iter().all(inside));
    let total: u128 = ranges.iter().map(|range| u128::from(range.len())).sum();
    assert!(total <= u128::from(size));
}
