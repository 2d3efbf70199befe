//! pax extended headers (POSIX.1-2017, `pax`, "pax Extended Header"): the few keys we use.

/// Values that stand for the header's own. `None` means not given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) mtime: Option<i64>,
    /// One of GNU's sparse formats, which hide in ordinary files.
    pub(crate) sparse: bool,
}

impl Overrides {
    /// Takes the records of one header over what is known already; `None` when one is malformed.
    pub(crate) fn apply(&mut self, records: &[u8]) -> Option<()> {
        let mut rest = records;
        while !rest.is_empty() {
            let (key, value, tail) = record(rest)?;
            self.set(key, value)?;
            rest = tail;
        }
        Some(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        // An empty value takes back what an earlier header gave.
        let given = !value.is_empty();
        match key {
            b"path" => self.path = given.then(|| value.to_vec()),
            b"size" => self.size = if given { Some(decimal(value)?) } else { None },
            b"mtime" => self.mtime = if given { Some(seconds(value)?) } else { None },
            _ if key.starts_with(b"GNU.sparse.") => self.sparse = true,
            _ => {}
        }
        Some(())
    }

    /// These values where given, else those of `defaults`.
    pub(crate) fn or(self, defaults: &Self) -> Self {
        Self {
            path: self.path.or_else(|| defaults.path.clone()),
            size: self.size.or(defaults.size),
            mtime: self.mtime.or(defaults.mtime),
            sparse: self.sparse || defaults.sparse,
        }
    }
}

/// `length SP key=value LF`, where the length counts itself and the line feed.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|&byte| byte == b' ')?;
    let length = usize::try_from(decimal(bytes.get(..space)?)?).ok()?;
    let (line, rest) = bytes.split_at_checked(length)?;
    let line = line.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = line.iter().position(|&byte| byte == b'=')?;
    Some((line.get(..equals)?, line.get(equals + 1..)?, rest))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| match digit {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// Seconds with an optional sign and fraction, rounded down.
fn seconds(text: &[u8]) -> Option<i64> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let point = text
        .iter()
        .position(|&byte| byte == b'.')
        .unwrap_or(text.len());
    let (whole, fraction) = text.split_at_checked(point)?;
    let fraction = fraction.get(1..).unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let whole = i64::try_from(decimal(whole)?).ok()?;
    let more = fraction.iter().any(|&digit| digit != b'0');
    Some(if negative {
        -whole - i64::from(more)
    } else {
        whole
    })
}
