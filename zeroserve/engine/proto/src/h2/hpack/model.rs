//! A second decoder, written for nothing but to be plainly right: lists of strings, one bit at a
//! time. Tests and fuzz bodies hold the real one and the encoder against it.

use std::collections::BTreeMap;

use super::huffman::code_of;
use super::static_table;

/// A name and a value, as they were sent.
pub(in crate::h2) type Field = (Vec<u8>, Vec<u8>);

/// Symbols by their code and its length.
type Codes = BTreeMap<(u32, u32), usize>;

#[derive(Debug)]
pub(in crate::h2) struct ModelDecoder {
    codes: Codes,
    /// The newest first.
    dynamic: Vec<Field>,
    size_max: usize,
    size_limit: usize,
}

impl ModelDecoder {
    pub(in crate::h2) fn new(size_limit: usize) -> Self {
        let code = |symbol| Some((code_of(symbol)?, symbol));
        Self {
            codes: (0..=256).filter_map(code).collect(),
            dynamic: Vec::new(),
            size_max: size_limit,
            size_limit,
        }
    }

    /// The fields of a block; `None` when it breaks RFC 7541.
    pub(in crate::h2) fn decode(&mut self, block: &[u8]) -> Option<Vec<Field>> {
        let mut bits = Bits {
            bytes: block,
            at: 0,
        };
        let mut fields = Vec::new();
        while bits.at < block.len() * 8 {
            // How many zeros stand in front tells the representations apart.
            let zeros = bits.zeros(4)?;
            if zeros == 0 {
                let index = bits.integer(7)?;
                fields.push(self.entry(index)?);
            } else if zeros == 1 {
                let field = self.literal(&mut bits, 6)?;
                self.dynamic.insert(0, field.clone());
                self.evict();
                fields.push(field);
            } else if zeros == 2 {
                let size = bits.integer(5)?;
                if size > self.size_limit || !fields.is_empty() {
                    return None;
                }
                self.size_max = size;
                self.evict();
            } else {
                fields.push(self.literal(&mut bits, 4)?);
            }
        }
        Some(fields)
    }

    pub(in crate::h2) fn size(&self) -> usize {
        self.dynamic
            .iter()
            .map(|(name, value)| name.len() + value.len() + 32)
            .sum()
    }

    fn literal(&self, bits: &mut Bits<'_>, prefix: u32) -> Option<Field> {
        let name = match bits.integer(prefix)? {
            0 => bits.string(&self.codes)?,
            index => self.entry(index)?.0,
        };
        Some((name, bits.string(&self.codes)?))
    }

    fn entry(&self, index: usize) -> Option<Field> {
        if let Some(entry) = static_table::entry(index) {
            let (name, value) = entry.line.split_at_checked(entry.name_len)?;
            let value = value.strip_prefix(b": ")?.strip_suffix(b"\r\n")?;
            return Some((name.to_vec(), value.to_vec()));
        }
        self.dynamic.get(index.checked_sub(62)?).cloned()
    }

    fn evict(&mut self) {
        while self.size() > self.size_max {
            self.dynamic.pop();
        }
    }
}

struct Bits<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Option<usize> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | usize::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// Takes zeros and the one behind them, at most `count` bits.
    fn zeros(&mut self, count: u32) -> Option<u32> {
        for zeros in 0..count {
            if self.take(1)? == 1 {
                return Some(zeros);
            }
        }
        Some(count)
    }

    fn integer(&mut self, prefix: u32) -> Option<usize> {
        let mut value = self.take(prefix)?;
        if value < (1 << prefix) - 1 {
            return Some(value);
        }
        for place in 0..5 {
            let octet = self.take(8)?;
            value += (octet % 128) << (7 * place);
            if octet < 128 {
                return (value <= 1 << 24).then_some(value);
            }
        }
        None
    }

    fn string(&mut self, codes: &Codes) -> Option<Vec<u8>> {
        let by_huffman = self.take(1)? == 1;
        let length = self.integer(7)?;
        let end = self.at + length * 8;
        if end > self.bytes.len() * 8 {
            return None;
        }
        let mut text = Vec::new();
        let (mut code, mut length) = (0, 0);
        while self.at < end {
            if !by_huffman {
                text.push(u8::try_from(self.take(8)?).ok()?);
                continue;
            }
            code = code << 1 | u32::try_from(self.take(1)?).ok()?;
            length += 1;
            if let Some(&symbol) = codes.get(&(code, length)) {
                text.push(u8::try_from(symbol).ok()?);
                (code, length) = (0, 0);
            }
        }
        (length < 8 && code == (1 << length) - 1).then_some(text)
    }
}
