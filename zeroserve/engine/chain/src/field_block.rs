//! Header fields that scripts edit: lines of text, as they lie in a request head, searched when somebody asks.

use zs_proto::field::{Fields, is_name, is_value, push_line};
use zs_script::Refusal;

/// Whole field lines, each `name: value` and CRLF. Every line is checked before it is put in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldBlock {
    lines: Vec<u8>,
}

/// A name or a value that can't stand in a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    Name,
    Value,
}

impl Invalid {
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Name => "not a header name",
            Self::Value => "not a header value: it has a line break or a control byte",
        }
    }
}

impl FieldBlock {
    /// Takes lines over that a parser has checked; what was here before is dropped, its memory kept.
    pub(crate) fn copy_from(&mut self, lines: &[u8]) {
        self.lines.clear();
        self.lines.extend_from_slice(lines);
    }

    /// The lines, each with its CRLF.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.lines
    }

    /// `(name, value)` pairs, in order.
    #[must_use]
    pub fn fields(&self) -> Fields<'_> {
        Fields::of_lines(&self.lines)
    }

    /// The last field of this name, ASCII case ignored.
    pub(crate) fn last(&self, name: &[u8]) -> Option<&[u8]> {
        let same = |(found, _): &(&[u8], &[u8])| found.eq_ignore_ascii_case(name);
        self.fields().filter(same).last().map(|(_, value)| value)
    }

    /// Adds a line at the end.
    ///
    /// # Errors
    /// What is wrong; nothing is changed.
    pub(crate) fn append(&mut self, name: &[u8], value: &[u8]) -> Result<(), Invalid> {
        check(name, value)?;
        push_line(&mut self.lines, name, value);
        Ok(())
    }

    /// One line of this name instead of all those there are; an empty value removes them.
    ///
    /// # Errors
    /// What is wrong; nothing is changed.
    pub(crate) fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), Invalid> {
        check(name, value)?;
        self.retain(|found| !found.eq_ignore_ascii_case(name));
        if !value.is_empty() {
            push_line(&mut self.lines, name, value);
        }
        Ok(())
    }

    /// Keeps the lines whose name this says yes to.
    pub(crate) fn retain(&mut self, keep: impl Fn(&[u8]) -> bool) {
        if self.fields().all(|(name, _)| keep(name)) {
            return;
        }
        let before = std::mem::take(&mut self.lines);
        for (name, value) in Fields::of_lines(&before) {
            if keep(name) {
                push_line(&mut self.lines, name, value);
            }
        }
    }

    /// Gives the values of this name to `change`, and takes those that it gives back.
    ///
    /// # Errors
    /// What `change` or a new value is refused for; nothing is changed.
    pub(crate) fn change(
        &mut self,
        name: &[u8],
        change: impl Fn(&[u8]) -> Result<Option<Vec<u8>>, Refusal>,
    ) -> Result<(), Refusal> {
        let mut after = Self::default();
        for (found, value) in self.fields() {
            let new = if found.eq_ignore_ascii_case(name) {
                change(value)?
            } else {
                None
            };
            let value = new.as_deref().unwrap_or(value);
            check(found, value)?;
            push_line(&mut after.lines, found, value);
        }
        *self = after;
        Ok(())
    }
}

/// Whether the two can stand in a head.
pub(crate) fn check(name: &[u8], value: &[u8]) -> Result<(), Invalid> {
    if !is_name(name) {
        Err(Invalid::Name)
    } else if !is_value(value) {
        Err(Invalid::Value)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_replaces_all_of_its_name() {
        let mut block = FieldBlock::default();
        block.copy_from(b"Host: a\r\nX: 1\r\nx: 2\r\n");
        assert_eq!(block.last(b"x"), Some(b"2".as_slice()));
        block.set(b"X", b"3").unwrap();
        assert_eq!(block.as_bytes(), b"Host: a\r\nX: 3\r\n");
        block.set(b"x", b"").unwrap();
        assert_eq!(block.as_bytes(), b"Host: a\r\n");
    }

    #[test]
    fn nothing_can_break_out_of_its_line() {
        let mut block = FieldBlock::default();
        assert_eq!(block.append(b"X", b"a\r\nY: b"), Err(Invalid::Value));
        assert_eq!(block.append(b"X: y", b"a"), Err(Invalid::Name));
        assert_eq!(block.set(b"", b"a"), Err(Invalid::Name));
        assert_eq!(block.as_bytes(), b"");
    }
}
