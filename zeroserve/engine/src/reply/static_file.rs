//! A member of the tarball as an answer: which coded form, preconditions, ranges, the head (RFC 9110
//! sections 8, 12.5.3, 13 and 14).

use std::io::Write as _;

use zs_proto::accept_encoding::{Coding, negotiate};
use zs_proto::conditional::{Outcome, Validators, evaluate, if_range_matches};
use zs_proto::date::format_imf;
use zs_proto::h1::encode::HeadWriter;
use zs_proto::message::{Method, RequestHead};
use zs_proto::range::{self, ByteRange, RangeList, RangeOutcome};

use super::plan::Part;
use super::text::plain;
use super::{Body, Opening, Reply};
use crate::clock::DATE_LEN;
use crate::site::{Entry, Root, Site};

/// An entity tag with its quotes.
const ETAG_LEN: usize = 34;

/// Answers a read of `member` with `status`, which only a site's own rules make other than 200.
pub(crate) fn static_file(
    out: Vec<u8>,
    opening: Opening,
    head: &RequestHead<'_>,
    site: &Site,
    member: u32,
) -> Reply {
    let file = File::negotiated(site, member, head);
    let validators = Validators {
        etag: &file.etag,
        last_modified: file.modified,
    };
    match evaluate(&head.conditions(), &validators, head.method) {
        Outcome::Proceed => {}
        Outcome::NotModified => return file.not_modified(out, opening),
        Outcome::PreconditionFailed => return plain(out, opening, head.method, 412),
    }
    match wanted_range(head, file.stored.size, &validators) {
        RangeOutcome::Full => file.whole(out, opening, head.method),
        RangeOutcome::Single(range) => file.partial(out, opening, range),
        RangeOutcome::Multi(ranges) => file.multipart(out, opening, &ranges),
        RangeOutcome::Unsatisfiable => file.unsatisfiable(out, opening),
    }
}

/// 404: the site's own page when it has one.
pub(crate) fn not_found(
    out: Vec<u8>,
    opening: Opening,
    method: Method<'_>,
    site: &Site,
    root: &Root,
) -> Reply {
    match root.not_found_page {
        Some(member) => page(out, opening, method, site, member, 404),
        None => plain(out, opening, method, 404),
    }
}

/// A member as the page of a status: without validators, since it stands for something else.
pub(crate) fn page(
    mut out: Vec<u8>,
    opening: Opening,
    method: Method<'_>,
    site: &Site,
    member: u32,
    status: u16,
) -> Reply {
    let entry = site.index.entry(member);
    opening
        .head(&mut out, status)
        .header("Content-Type", site.index.content_type(entry))
        .content_length(entry.size)
        .block(site.index.header_block(entry))
        .finish();
    member_reply(out, status, method, member, 0, entry.size)
}

struct File<'a> {
    site: &'a Site,
    /// What the path names: its type and further headers hold for every coded form.
    named: &'a Entry,
    /// What is sent: the same, or a coded form of it.
    stored: &'a Entry,
    member: u32,
    coding: Coding,
    etag: [u8; ETAG_LEN],
    modified: Option<u64>,
}

impl<'a> File<'a> {
    fn negotiated(site: &'a Site, member: u32, head: &RequestHead<'_>) -> Self {
        let named = site.index.entry(member);
        let codings = named.codings();
        let mut file = File {
            site,
            named,
            stored: named,
            member,
            coding: Coding::Identity,
            etag: quoted(named),
            modified: named.last_modified(),
        };
        if !codings.is_none() {
            let coding = negotiate(head.accept_encoding, codings);
            if let Some(variant) = site.index.variant(named, coding) {
                file.stored = site.index.entry(variant);
                file.member = variant;
                file.coding = coding;
                file.etag = quoted(file.stored);
            }
        }
        file
    }

    fn whole(&self, mut out: Vec<u8>, opening: Opening, method: Method<'_>) -> Reply {
        let head = opening
            .head(&mut out, 200)
            .header("Content-Type", self.site.index.content_type(self.named))
            .content_length(self.stored.size);
        self.fields(head).header("Accept-Ranges", b"bytes").finish();
        member_reply(out, 200, method, self.member, 0, self.stored.size)
    }

    fn partial(&self, mut out: Vec<u8>, opening: Opening, range: ByteRange) -> Reply {
        let head = opening
            .head(&mut out, 206)
            .header("Content-Type", self.site.index.content_type(self.named))
            .content_length(range.len())
            .content_range(range, self.stored.size);
        self.fields(head).header("Accept-Ranges", b"bytes").finish();
        member_reply(out, 206, Method::Get, self.member, range.start, range.len())
    }

    /// `multipart/byteranges` (RFC 9110 section 14.6). The boundary is made of the entity tag: the
    /// same for the same bytes, and not something that a body holds by chance.
    fn multipart(&self, mut out: Vec<u8>, opening: Opening, ranges: &RangeList) -> Reply {
        let boundary = std::str::from_utf8(&self.stored.etag).unwrap_or_default();
        let content_type = self.site.index.content_type(self.named);
        let content_type = std::str::from_utf8(content_type).unwrap_or_default();
        let size = self.stored.size;
        let mut length = 0;
        let mut parts = Vec::with_capacity(ranges.as_slice().len());
        for (number, range) in ranges.as_slice().iter().enumerate() {
            let line_end = if number == 0 { "" } else { "\r\n" };
            let (first, last) = (range.start, range.end_inclusive);
            let head = format!(
                "{line_end}--{boundary}\r\nContent-Type: {content_type}\r\n\
                 Content-Range: bytes {first}-{last}/{size}\r\n\r\n"
            );
            length += head.len() as u64 + range.len();
            let head = head.into_bytes().into_boxed_slice();
            parts.push(Part {
                head,
                start: range.start,
                length: range.len(),
            });
        }
        let closing = format!("\r\n--{boundary}--\r\n").into_bytes();
        length += closing.len() as u64;
        let mut outer_type = Vec::with_capacity(80);
        let _ = write!(outer_type, "multipart/byteranges; boundary={boundary}");
        let head = opening
            .head(&mut out, 206)
            .header("Content-Type", &outer_type)
            .content_length(length);
        self.fields(head).header("Accept-Ranges", b"bytes").finish();
        Reply {
            status: 206,
            head: out,
            body: Body::Parts {
                member: self.member,
                parts: parts.into(),
                closing: closing.into(),
            },
            body_bytes: length,
        }
    }

    fn unsatisfiable(&self, mut out: Vec<u8>, opening: Opening) -> Reply {
        opening
            .head(&mut out, 416)
            .content_range_unsatisfied(self.stored.size)
            .content_length(0)
            .finish();
        Reply::bare(416, out)
    }

    fn not_modified(&self, mut out: Vec<u8>, opening: Opening) -> Reply {
        self.fields(opening.head(&mut out, 304)).finish();
        Reply::bare(304, out)
    }

    /// Validators, coding and the site's own lines: what 200, 206 and 304 have in common.
    fn fields<'v>(&self, head: HeadWriter<'v>) -> HeadWriter<'v> {
        let mut head = head.header("ETag", &self.etag);
        if let Some(seconds) = self.modified {
            let mut date = [0; DATE_LEN];
            format_imf(seconds, &mut date);
            head = head.header("Last-Modified", &date);
        }
        if !self.named.codings().is_none() {
            head = head.header("Vary", b"Accept-Encoding");
        }
        if self.coding != Coding::Identity {
            head = head.header("Content-Encoding", self.coding.name().as_bytes());
        }
        head.block(self.site.index.header_block(self.named))
    }
}

fn wanted_range(head: &RequestHead<'_>, size: u64, validators: &Validators<'_>) -> RangeOutcome {
    match (head.method, head.range) {
        (Method::Get, Some(value))
            if head
                .if_range
                .is_none_or(|validator| if_range_matches(validator, validators)) =>
        {
            range::parse(value, size)
        }
        _ => RangeOutcome::Full,
    }
}

fn member_reply(
    head: Vec<u8>,
    status: u16,
    method: Method<'_>,
    member: u32,
    start: u64,
    length: u64,
) -> Reply {
    if method == Method::Head || length == 0 {
        return Reply::bare(status, head);
    }
    Reply {
        status,
        head,
        body: Body::Member {
            member,
            start,
            length,
        },
        body_bytes: length,
    }
}

fn quoted(entry: &Entry) -> [u8; ETAG_LEN] {
    let mut etag = [b'"'; ETAG_LEN];
    etag[1..ETAG_LEN - 1].copy_from_slice(&entry.etag);
    etag
}
