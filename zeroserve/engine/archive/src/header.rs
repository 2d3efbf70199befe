//! One 512-byte tar header: POSIX ustar, GNU and the old format of Unix version 7.

/// Size of a header, and the unit that data is padded to.
pub(crate) const BLOCK_BYTES: u64 = 512;

/// A header block whose checksum is right.
pub(crate) struct Header<'b> {
    block: &'b [u8; 512],
}

/// What follows a header, as its type flag says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file to serve.
    File,
    /// pax: values for the next member.
    Extended,
    /// pax: values for all members after it.
    Global,
    /// GNU: the next member's name.
    LongName,
    /// GNU sparse.
    Sparse,
    /// Directory, link, device: no data, whatever the size says.
    NoData,
    /// Anything else: its data is stepped over.
    Other,
}

impl<'b> Header<'b> {
    /// `None` when the checksum is wrong, and so this is no header.
    pub(crate) fn parse(block: &'b [u8; 512]) -> Option<Self> {
        let header = Self { block };
        let stored = octal(header.field(148, 8))?;
        // The checksum is made with its own field as spaces. Some old writers summed signed bytes.
        let counted = |index: usize, byte: u8| {
            if (148..156).contains(&index) {
                b' '
            } else {
                byte
            }
        };
        let bytes = || {
            block
                .iter()
                .enumerate()
                .map(|(index, &byte)| counted(index, byte))
        };
        let unsigned: u64 = bytes().map(u64::from).sum();
        let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
        let matches = stored == unsigned || i64::try_from(stored) == Ok(signed);
        matches.then_some(header)
    }

    fn field(&self, offset: usize, length: usize) -> &'b [u8] {
        self.block.get(offset..offset + length).unwrap_or_default()
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.field(156, 1) {
            // Before POSIX a directory was a file whose name ends in a slash. It has no data, but
            // if a writer gave it some, the next header is behind that.
            [b'0' | 0 | b'7'] if self.name().ends_with(b"/") => Kind::Other,
            [b'0' | 0 | b'7'] => Kind::File,
            [b'x' | b'X'] => Kind::Extended,
            [b'g'] => Kind::Global,
            [b'L'] => Kind::LongName,
            [b'S'] => Kind::Sparse,
            [b'1'..=b'6'] => Kind::NoData,
            _ => Kind::Other,
        }
    }

    /// The name; with the ustar prefix before it, which GNU's format uses for other things.
    pub(crate) fn name(&self) -> Vec<u8> {
        let name = until_nul(self.field(0, 100));
        let prefix = if self.field(257, 6) == b"ustar\0" {
            until_nul(self.field(345, 155))
        } else {
            &[]
        };
        if prefix.is_empty() {
            name.to_vec()
        } else {
            [prefix, b"/", name].concat()
        }
    }

    /// Bytes of data; `None` when malformed or negative.
    pub(crate) fn size(&self) -> Option<u64> {
        u64::try_from(number(self.field(124, 12))?).ok()
    }

    /// Unix seconds; may be negative. `None` when malformed.
    pub(crate) fn mtime(&self) -> Option<i64> {
        number(self.field(136, 12))
    }
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Octal digits, or GNU's base 256 when the first bit is set (two's complement behind that bit).
fn number(field: &[u8]) -> Option<i64> {
    let (&first, rest) = field.split_first()?;
    if first & 0x80 == 0 {
        return i64::try_from(octal(field)?).ok();
    }
    // 0x80 starts a positive number, 0xFF a negative one; other bits do not fit 64 bits.
    let start: i64 = match first {
        0x80 => 0,
        0xff => -1,
        _ => return None,
    };
    rest.iter().try_fold(start, |sum, &byte| {
        sum.checked_mul(256)?.checked_add(i64::from(byte))
    })
}

/// Octal digits between spaces and NULs; an empty field is 0, as old writers left it.
fn octal(field: &[u8]) -> Option<u64> {
    let is_filler = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field
        .iter()
        .position(|byte| *byte != b' ')
        .unwrap_or(field.len());
    let digits = field.get(start..)?;
    let end = digits
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(digits.len());
    let (digits, filler) = digits.split_at_checked(end)?;
    if !filler.iter().all(is_filler) {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| match digit {
        b'0'..=b'7' => sum.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}
