//! A decoded header block as the field lines that HTTP/1 has, and the request that they make.
//!
//! Field lines, slots and target rules are those of [`crate::h1`]: whatever answers a request sees
//! no difference between the versions.

use core::ops::Range;

use super::field_kind::FieldKind;
use super::hpack::FieldSink;
use super::priority::Priority;
use crate::error::PeerError;
use crate::field::Fields;
use crate::h1::slots::Slots;
use crate::h1::target;
use crate::limits::{
    HEADER_BLOCK_BYTES_MAX, HEADERS_MAX, METHOD_BYTES_MAX, REQUEST_LINE_BYTES_MAX,
};
use crate::message::{BodyFraming, Method, RequestHead, TargetForm, Version};
use crate::scan::{is_token, target_end};

/// What RFC 9113, section 6.5.2 counts for a field besides its name and value.
const FIELD_OVERHEAD: usize = 32;

/// Room that is kept between requests; more is given back when a connection rests.
const TEXT_BYTES_KEPT: usize = 2 << 10;

/// Why a head is not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// RFC 9113, section 8.1.1: the stream is reset.
    Malformed,
    /// Understood, and answered with a status code.
    Refused(PeerError),
}

impl From<PeerError> for Unfit {
    fn from(error: PeerError) -> Self {
        match error {
            // These two make a request malformed by name in RFC 9113.
            PeerError::BadContentLength | PeerError::BadFieldName => Self::Malformed,
            other => Self::Refused(other),
        }
    }
}

/// Where a field line lies in the text.
#[derive(Clone, Debug)]
struct Line {
    start: usize,
    name_len: usize,
    /// Without the CRLF.
    end: usize,
}

/// One header block, decoded. Kept by the connection and used again for each request.
#[derive(Debug, Default)]
pub(super) struct HeadBlock {
    /// Lines of pseudo-headers first, then those of fields.
    text: Vec<u8>,
    /// The field lines within `text`.
    lines: Vec<Line>,
    /// Where the first field line starts.
    fields_start: Option<usize>,
    method: Option<Range<usize>>,
    scheme: Option<Range<usize>>,
    authority: Option<Range<usize>>,
    path: Option<Range<usize>>,
    /// Sum of the sizes of all fields (RFC 9113, section 6.5.2).
    list_bytes: usize,
    /// Fields that count towards the cap.
    counted: usize,
    priority: Option<Priority>,
    malformed: bool,
    too_large: bool,
}

impl HeadBlock {
    /// Ready for the next block.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.lines.clear();
        self.fields_start = None;
        self.method = None;
        self.scheme = None;
        self.authority = None;
        self.path = None;
        self.list_bytes = 0;
        self.counted = 0;
        self.priority = None;
        self.malformed = false;
        self.too_large = false;
    }

    /// Gives back what a request of usual size does not need.
    pub(super) fn rest(&mut self) {
        self.clear();
        self.text.shrink_to(TEXT_BYTES_KEPT);
    }

    #[cfg(test)]
    pub(super) const fn text_capacity(&self) -> usize {
        self.text.capacity()
    }

    pub(super) const fn priority(&self) -> Option<Priority> {
        self.priority
    }

    pub(super) const fn is_too_large(&self) -> bool {
        self.too_large
    }

    /// Whether this can be a trailer section: fields only (RFC 9113, section 8.1).
    pub(super) const fn is_trailers(&self) -> bool {
        !self.malformed
            && !self.too_large
            && self.method.is_none()
            && self.scheme.is_none()
            && self.authority.is_none()
            && self.path.is_none()
    }

    pub(super) fn fields(&self) -> Fields<'_> {
        Fields::checked(self.block())
    }

    fn block(&self) -> &[u8] {
        let start = self.fields_start.unwrap_or(self.text.len());
        self.text.get(start..).unwrap_or_default()
    }

    /// Puts the authority among the fields as `host`, unless such a line is there already, so that
    /// whoever reads the fields finds the host in the place where HTTP/1 has it.
    pub(super) fn complete(&mut self) {
        let Some(authority) = self.authority.clone() else {
            return;
        };
        if self.malformed || self.too_large {
            return;
        }
        let named_host = |line: &Line| self.name(line) == b"host";
        if self.lines.iter().any(named_host) {
            return;
        }
        let start = self.text.len();
        self.text.extend_from_slice(b"host: ");
        self.text.extend_from_within(authority);
        let end = self.text.len();
        self.text.extend_from_slice(b"\r\n");
        self.fields_start.get_or_insert(start);
        self.lines.push(Line {
            start,
            name_len: 4,
            end,
        });
    }

    fn name(&self, line: &Line) -> &[u8] {
        self.text
            .get(line.start..line.start + line.name_len)
            .unwrap_or_default()
    }

    /// The value, without the `: ` before it.
    fn value(&self, line: &Line) -> &[u8] {
        self.text
            .get(line.start + line.name_len + 2..line.end)
            .unwrap_or_default()
    }

    fn pseudo(&self, place: Option<&Range<usize>>) -> Option<&[u8]> {
        self.text.get(place?.clone())
    }

    /// The request that the block makes; [`HeadBlock::complete`] must have been called.
    pub(super) fn request(&self, end_stream: bool) -> Result<RequestHead<'_>, Unfit> {
        if self.malformed {
            return Err(Unfit::Malformed);
        }
        if self.too_large {
            return Err(Unfit::Refused(PeerError::FieldsTooLarge));
        }
        let method = self.method()?;
        let authority = self.pseudo(self.authority.as_ref());
        let (target, parts) = self.target(method, authority)?;
        let mut slots = Slots::default();
        for line in &self.lines {
            slots.store(self.name(line), self.value(line))?;
        }
        match (slots.host, authority) {
            (None, _) => return Err(Unfit::Refused(PeerError::MissingHost)),
            // RFC 9113, section 8.3.1: two names for one request are refused.
            (Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority) => {
                return Err(Unfit::Refused(PeerError::BadHost));
            }
            _ => {}
        }
        let body = match (slots.body(Version::Http11)?, end_stream) {
            (BodyFraming::Length(1..), true) => return Err(Unfit::Malformed),
            (BodyFraming::None, false) => BodyFraming::Chunked,
            (framing, _) => framing,
        };
        let block = self.block();
        Ok(RequestHead {
            method,
            target,
            form: parts.form,
            path: parts.path,
            query: parts.query,
            version: Version::Http11,
            host: slots.host,
            range: slots.range,
            if_range: slots.if_range,
            if_match: slots.if_match.lines(b"if-match", block),
            if_none_match: slots.if_none_match.lines(b"if-none-match", block),
            if_modified_since: slots.if_modified_since,
            if_unmodified_since: slots.if_unmodified_since,
            accept_encoding: slots.accept_encoding.lines(b"accept-encoding", block),
            user_agent: slots.user_agent,
            referer: slots.referer,
            expect_continue: slots.expects_continue(Version::Http11, body),
            upgrade: None,
            keep_alive: true,
            body,
            block,
        })
    }

    fn method(&self) -> Result<Method<'_>, Unfit> {
        let method = self.pseudo(self.method.as_ref()).ok_or(Unfit::Malformed)?;
        if method.is_empty() || !method.iter().all(|&byte| is_token(byte)) {
            return Err(Unfit::Malformed);
        }
        if method.len() > METHOD_BYTES_MAX {
            return Err(Unfit::Refused(PeerError::BadMethod));
        }
        Ok(Method::from_token(method))
    }

    /// RFC 9113, sections 8.3.1 and 8.5.
    fn target<'b>(
        &'b self,
        method: Method<'b>,
        authority: Option<&'b [u8]>,
    ) -> Result<(&'b [u8], target::Target<'b>), Unfit> {
        if method == Method::Connect {
            if self.path.is_some() || self.scheme.is_some() {
                return Err(Unfit::Malformed);
            }
            let authority = authority.ok_or(Unfit::Malformed)?;
            return Ok((authority, target::split(method, authority)?));
        }
        let scheme = self.pseudo(self.scheme.as_ref()).ok_or(Unfit::Malformed)?;
        let path = self.pseudo(self.path.as_ref()).ok_or(Unfit::Malformed)?;
        if scheme.is_empty() || !(path.starts_with(b"/") || path == b"*") {
            return Err(Unfit::Malformed);
        }
        if path.len() > REQUEST_LINE_BYTES_MAX {
            return Err(Unfit::Refused(PeerError::TargetTooLong));
        }
        if target_end(path).is_some() {
            return Err(Unfit::Refused(PeerError::BadTarget));
        }
        let parts = target::split(method, path)?;
        debug_assert!(matches!(
            parts.form,
            TargetForm::Origin | TargetForm::Asterisk
        ));
        Ok((path, parts))
    }

    /// The line in `text` from `start` on is of this kind.
    #[inline]
    fn sort(&mut self, start: usize, name_len: usize, kind: FieldKind) {
        let end = self.text.len() - 2;
        self.list_bytes += end - start - 2 + FIELD_OVERHEAD;
        if self.list_bytes > HEADER_BLOCK_BYTES_MAX {
            self.too_large = true;
        }
        if self.too_large || self.malformed || kind == FieldKind::Malformed {
            self.malformed |= kind == FieldKind::Malformed;
            self.text.truncate(start);
            return;
        }
        let value = start + name_len + 2..end;
        let slot = match kind {
            FieldKind::Method => &mut self.method,
            FieldKind::Scheme => &mut self.scheme,
            FieldKind::Authority => &mut self.authority,
            FieldKind::Path => &mut self.path,
            FieldKind::Priority => {
                self.priority = self.text.get(value).map(Priority::parse);
                return self.add_field(start, name_len, end, 1);
            }
            FieldKind::Cookie => return self.add_field(start, name_len, end, 0),
            FieldKind::Regular | FieldKind::Host | FieldKind::Malformed => {
                return self.add_field(start, name_len, end, 1);
            }
        };
        // Pseudo-headers come once, and before all fields (RFC 9113, section 8.3).
        let repeated = slot.replace(value).is_some();
        self.malformed |= repeated || self.fields_start.is_some();
    }

    #[inline]
    fn add_field(&mut self, start: usize, name_len: usize, end: usize, counted: usize) {
        self.counted += counted;
        if self.counted > HEADERS_MAX {
            self.too_large = true;
            self.text.truncate(start);
            return;
        }
        self.fields_start.get_or_insert(start);
        self.lines.push(Line {
            start,
            name_len,
            end,
        });
    }
}

impl FieldSink for HeadBlock {
    #[inline]
    fn add_line(&mut self, line: &[u8], name_len: usize, kind: FieldKind) {
        if self.too_large {
            return; // a short index can stand for a long line: stop copying
        }
        let start = self.text.len();
        self.text.extend_from_slice(line);
        self.sort(start, name_len, kind);
    }

    fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    #[inline]
    fn end_line(&mut self, start: usize, name_len: usize, kind: FieldKind) {
        self.sort(start, name_len, kind);
    }
}
