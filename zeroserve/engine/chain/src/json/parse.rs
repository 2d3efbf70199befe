//! JSON text (RFC 8259) to nodes. A library would make a tree of its own first; here each node is charged to the request
//! before it is made, and numbers other than integers stay as they are written. A fuzz target compares the verdicts with a library's.

use zs_script::{Footprint, Refusal};

use super::document::{DEPTH_MAX, Document, Id, Kind, Member, ROOT, Span};

pub(super) enum Failure {
    /// No JSON, or too deep.
    Syntax,
    /// The request's memory is used up.
    Memory(Refusal),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Memory(refusal)
    }
}

/// Parses a text into an empty document. When it fails, the document is charged for what it has.
pub(super) fn parse(
    bytes: &[u8],
    document: &mut Document,
    footprint: &mut Footprint,
) -> Result<(), Failure> {
    let mut parser = Parser {
        text: std::str::from_utf8(bytes).map_err(|_| Failure::Syntax)?,
        at: 0,
        document,
        footprint,
        unescaped: String::new(),
    };
    parser.value(ROOT, 0)?;
    parser.skip_space();
    if parser.at < bytes.len() {
        return Err(Failure::Syntax);
    }
    Ok(())
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    document: &'a mut Document,
    footprint: &'a mut Footprint,
    /// A string with escapes, while it is read.
    unescaped: String,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// The next byte after white space, not taken.
    fn next(&mut self) -> Result<u8, Failure> {
        self.skip_space();
        self.peek().ok_or(Failure::Syntax)
    }

    fn word(&mut self, word: &str) -> Result<(), Failure> {
        let found = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += word.len();
        if found { Ok(()) } else { Err(Failure::Syntax) }
    }

    /// Reads a value, `depth` containers around it.
    fn value(&mut self, parent: Id, depth: usize) -> Result<Id, Failure> {
        let kind = match self.next()? {
            b'{' | b'[' if depth == DEPTH_MAX => return Err(Failure::Syntax),
            b'{' => return self.object(parent, depth),
            b'[' => return self.array(parent, depth),
            b'"' => Kind::String(self.string()?),
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.word("true").map(|()| Kind::Bool(true))?,
            b'f' => self.word("false").map(|()| Kind::Bool(false))?,
            b'n' => self.word("null").map(|()| Kind::Null)?,
            _ => return Err(Failure::Syntax),
        };
        Ok(self.document.add(parent, kind, self.footprint)?)
    }

    fn array(&mut self, parent: Id, depth: usize) -> Result<Id, Failure> {
        self.at += 1;
        let id = self.document.add(parent, Kind::Null, self.footprint)?;
        let mut elements = Vec::new();
        if self.next()? == b']' {
            self.at += 1;
        } else {
            loop {
                elements.push(self.value(id, depth + 1)?);
                match self.next()? {
                    b',' => self.at += 1,
                    b']' => break self.at += 1,
                    _ => return Err(Failure::Syntax),
                }
            }
        }
        self.document.fill(id, Kind::Array(elements));
        Ok(id)
    }

    fn object(&mut self, parent: Id, depth: usize) -> Result<Id, Failure> {
        self.at += 1;
        let id = self.document.add(parent, Kind::Null, self.footprint)?;
        let mut members = Vec::new();
        if self.next()? == b'}' {
            self.at += 1;
        } else {
            loop {
                if self.next()? != b'"' {
                    return Err(Failure::Syntax);
                }
                self.document.charge_member(self.footprint)?;
                let key = self.string()?;
                if self.next()? != b':' {
                    return Err(Failure::Syntax);
                }
                self.at += 1;
                let value = self.value(id, depth + 1)?;
                members.push(Member { key, value });
                match self.next()? {
                    b',' => self.at += 1,
                    b'}' => break self.at += 1,
                    _ => return Err(Failure::Syntax),
                }
            }
        }
        self.document.sort(&mut members, self.footprint);
        self.document.fill(id, Kind::Object(members));
        Ok(id)
    }

    fn number(&mut self) -> Result<Kind, Failure> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let first = self.at;
        self.digits()?;
        if self.at > first + 1 && self.text.as_bytes()[first] == b'0' {
            return Err(Failure::Syntax);
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            whole = false;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            whole = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        // `-0` would lose its sign.
        if whole
            && text != "-0"
            && let Ok(value) = text.parse()
        {
            return Ok(Kind::Integer(value));
        }
        Ok(Kind::Number(self.document.add_text(text, self.footprint)?))
    }

    fn digits(&mut self) -> Result<(), Failure> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start {
            return Err(Failure::Syntax);
        }
        Ok(())
    }

    /// Reads a string; the next byte is its quote.
    fn string(&mut self) -> Result<Span, Failure> {
        self.at += 1;
        let start = self.at;
        self.plain();
        let text = self.text;
        if self.peek() == Some(b'"') {
            self.at += 1;
            let text = &text[start..self.at - 1];
            return Ok(self.document.add_text(text, self.footprint)?);
        }
        self.unescaped.clear();
        let mut start = start;
        loop {
            self.unescaped.push_str(&text[start..self.at]);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                _ => return Err(Failure::Syntax), // a control character, or the end
            }
            start = self.at;
            self.plain();
        }
        self.at += 1;
        Ok(self.document.add_text(&self.unescaped, self.footprint)?)
    }

    /// Goes over what stands for itself.
    fn plain(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        self.at += rest.iter().position(special).unwrap_or(rest.len());
    }

    fn escape(&mut self) -> Result<(), Failure> {
        self.at += 1;
        let letter = self.peek().ok_or(Failure::Syntax)?;
        self.at += 1;
        let character = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            _ => return Err(Failure::Syntax),
        };
        self.unescaped.push(character);
        Ok(())
    }

    /// The four digits after `\u`, or two such escapes for a character beyond the first 65,536. Half a pair is no text.
    fn unicode(&mut self) -> Result<char, Failure> {
        let first = self.hex()?;
        let mut code = first;
        if (0xd800..0xdc00).contains(&first) {
            self.word("\\u")?;
            let second = self.hex()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(Failure::Syntax);
            }
            code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        }
        char::from_u32(code).ok_or(Failure::Syntax)
    }

    fn hex(&mut self) -> Result<u32, Failure> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let mut code = 0;
        for &digit in digits.ok_or(Failure::Syntax)? {
            code = code << 4 | char::from(digit).to_digit(16).ok_or(Failure::Syntax)?;
        }
        self.at += 4;
        Ok(code)
    }
}
