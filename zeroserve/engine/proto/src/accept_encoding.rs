//! `Accept-Encoding` (RFC 9110, section 12.5.3): which stored form of a file to send.

use crate::field::FieldLines;
use crate::limits::LIST_MEMBERS_MAX;
use crate::scan::trim;

/// A content coding that a file may be stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// As it is; no `Content-Encoding`.
    Identity,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// The name in `Content-Encoding`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }
}

/// The codings that a file is stored in beside identity: the bits of the member index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredCodings(u8);

impl StoredCodings {
    /// Only as it is.
    pub const NONE: Self = Self(0);
    const BROTLI: u8 = 1;
    const ZSTD: u8 = 2;
    const GZIP: u8 = 4;

    /// From the bits of the member index: 1 brotli, 2 zstd, 4 gzip; others are dropped.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & (Self::BROTLI | Self::ZSTD | Self::GZIP))
    }

    /// Whether there is no coded form, and so nothing to negotiate and no `Vary` to send.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// What one coding got: a quality in thousandths, or nothing said.
type Quality = Option<u16>;

#[derive(Default)]
struct Wishes {
    brotli: Quality,
    zstd: Quality,
    gzip: Quality,
    identity: Quality,
    any: Quality,
}

/// The stored form that the client likes best; on a tie the one that is usually smaller (brotli,
/// zstd, gzip, identity).
///
/// No field means identity: RFC 9110 would allow any coding, but such clients rarely decode one.
/// When nothing stored is acceptable the answer is identity too, as section 12.5.3 advises.
#[must_use]
pub fn negotiate(field: Option<FieldLines<'_>>, stored: StoredCodings) -> Coding {
    let Some(field) = field else {
        return Coding::Identity;
    };
    if stored.is_none() {
        return Coding::Identity;
    }
    let wishes = read(field);
    let mut best = Coding::Identity;
    // Identity that is not named stays acceptable, and loses to every coding that is welcome.
    let mut best_quality = wishes.identity.unwrap_or(0);
    let candidates = [
        (Coding::Gzip, StoredCodings::GZIP, wishes.gzip),
        (Coding::Zstd, StoredCodings::ZSTD, wishes.zstd),
        (Coding::Brotli, StoredCodings::BROTLI, wishes.brotli),
    ];
    for (coding, bit, wish) in candidates {
        let quality = wish.or(wishes.any).unwrap_or(0);
        if stored.0 & bit != 0 && quality > 0 && quality >= best_quality {
            (best, best_quality) = (coding, quality);
        }
    }
    best
}

fn read(field: FieldLines<'_>) -> Wishes {
    let mut wishes = Wishes::default();
    let members = field
        .lines()
        .flat_map(|line| line.split(|&byte| byte == b','));
    for member in members.take(LIST_MEMBERS_MAX) {
        let mut parts = member.splitn(2, |&byte| byte == b';');
        let coding = trim(parts.next().unwrap_or_default());
        // A member with a malformed weight is as good as not sent.
        let Some(quality) = parts.next().map_or(Some(1000), read_weight) else {
            continue;
        };
        let is = |name: &[u8]| coding.eq_ignore_ascii_case(name);
        let slot = if is(b"gzip") || is(b"x-gzip") {
            &mut wishes.gzip // RFC 9110, section 8.4.1.3: x-gzip is the same
        } else if is(b"br") {
            &mut wishes.brotli
        } else if is(b"zstd") {
            &mut wishes.zstd
        } else if is(b"identity") {
            &mut wishes.identity
        } else if coding == b"*" {
            &mut wishes.any
        } else {
            continue;
        };
        slot.get_or_insert(quality);
    }
    wishes
}

/// `q=0.123` in thousandths (RFC 9110, section 12.4.2): at most three decimals, at most one.
fn read_weight(parameter: &[u8]) -> Option<u16> {
    let [b'q' | b'Q', b'=', value @ ..] = trim(parameter) else {
        return None;
    };
    let (whole, decimals) = match value {
        [whole] | [whole, b'.'] => (whole, [].as_slice()),
        [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let mut thousandths = match whole {
        b'0' => 0,
        b'1' => 1000,
        _ => return None,
    };
    let mut place = 100;
    for digit in decimals {
        if !digit.is_ascii_digit() {
            return None;
        }
        thousandths += u16::from(digit - b'0') * place;
        place /= 10;
    }
    (thousandths <= 1000).then_some(thousandths)
}

/// Fuzz body: one byte of stored codings, then the field. Only what is stored is chosen, and taking
/// the chosen form away never makes a better one appear.
///
/// # Panics
/// When that does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_accept_encoding(bytes: &[u8]) {
    let Some((&bits, value)) = bytes.split_first() else {
        return;
    };
    let field = Some(FieldLines::single(value));
    let stored = StoredCodings::from_bits(bits);
    let bit = |coding: Coding| match coding {
        Coding::Identity => 0,
        Coding::Brotli => StoredCodings::BROTLI,
        Coding::Zstd => StoredCodings::ZSTD,
        Coding::Gzip => StoredCodings::GZIP,
    };
    let chosen = negotiate(field, stored);
    assert_eq!(bit(chosen) & !stored.0, 0);
    assert_eq!(
        negotiate(field, StoredCodings(bit(chosen))),
        chosen,
        "chosen alone, too"
    );
    assert_eq!(negotiate(None, stored), Coding::Identity);
}
