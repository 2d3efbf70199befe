//! A member of the tarball as an answer: preconditions, ranges, the head (RFC 9110 sections 8, 13, 14).

use zs_proto::conditional::{Outcome, Validators, evaluate, if_range_matches};
use zs_proto::date::format_imf;
use zs_proto::h1::encode::HeadWriter;
use zs_proto::message::{Method, RequestHead};
use zs_proto::range::{self, ByteRange, RangeOutcome};

use super::text::plain;
use super::{Body, Opening, Reply};
use crate::clock::DATE_LEN;
use crate::site::{Entry, Site};

/// An entity tag with its quotes.
const ETAG_LEN: usize = 34;

pub(crate) fn static_file(
    out: Vec<u8>,
    opening: Opening,
    head: &RequestHead<'_>,
    site: &Site,
    member: u32,
) -> Reply {
    let entry = site.index.entry(member);
    let etag = quoted(entry);
    let modified = entry.last_modified();
    let validators = Validators {
        etag: &etag,
        last_modified: modified,
    };
    match evaluate(&head.conditions(), &validators, head.method) {
        Outcome::Proceed => {}
        Outcome::NotModified => return not_modified(out, opening, &etag, modified),
        Outcome::PreconditionFailed => return plain(out, opening, head.method, 412),
    }
    let file = File {
        site,
        member,
        entry,
        etag: &etag,
        modified,
    };
    match wanted_range(head, entry.size, &validators) {
        RangeOutcome::Single(range) => file.partial(out, opening, range),
        RangeOutcome::Unsatisfiable => file.unsatisfiable(out, opening),
        // Several ranges may be answered with everything (RFC 9110 section 14.2).
        RangeOutcome::Full | RangeOutcome::Multi(_) => file.whole(out, opening, head.method, 200),
    }
}

/// 404: the site's own page when it has one.
pub(crate) fn not_found(
    mut out: Vec<u8>,
    opening: Opening,
    method: Method<'_>,
    site: &Site,
) -> Reply {
    let Some(member) = site.not_found_page else {
        return plain(out, opening, method, 404);
    };
    let entry = site.index.entry(member);
    // No validators: the page stands for whatever is missing, not for itself.
    opening
        .head(&mut out, 404)
        .header("Content-Type", site.index.content_type(entry))
        .content_length(entry.size)
        .finish();
    member_reply(out, 404, method, member, 0, entry.size)
}

struct File<'a> {
    site: &'a Site,
    member: u32,
    entry: &'a Entry,
    etag: &'a [u8; ETAG_LEN],
    modified: Option<u64>,
}

impl File<'_> {
    fn whole(&self, mut out: Vec<u8>, opening: Opening, method: Method<'_>, status: u16) -> Reply {
        let head = opening
            .head(&mut out, status)
            .header("Content-Type", self.site.index.content_type(self.entry))
            .content_length(self.entry.size);
        validator_fields(head, self.etag, self.modified)
            .header("Accept-Ranges", b"bytes")
            .finish();
        member_reply(out, status, method, self.member, 0, self.entry.size)
    }

    fn partial(&self, mut out: Vec<u8>, opening: Opening, range: ByteRange) -> Reply {
        let head = opening
            .head(&mut out, 206)
            .header("Content-Type", self.site.index.content_type(self.entry))
            .content_length(range.len())
            .content_range(range, self.entry.size);
        validator_fields(head, self.etag, self.modified)
            .header("Accept-Ranges", b"bytes")
            .finish();
        member_reply(out, 206, Method::Get, self.member, range.start, range.len())
    }

    fn unsatisfiable(&self, mut out: Vec<u8>, opening: Opening) -> Reply {
        opening
            .head(&mut out, 416)
            .content_range_unsatisfied(self.entry.size)
            .content_length(0)
            .finish();
        Reply {
            status: 416,
            head: out,
            body: Body::Inline,
            body_bytes: 0,
        }
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

fn not_modified(
    mut out: Vec<u8>,
    opening: Opening,
    etag: &[u8; ETAG_LEN],
    modified: Option<u64>,
) -> Reply {
    validator_fields(opening.head(&mut out, 304), etag, modified).finish();
    Reply {
        status: 304,
        head: out,
        body: Body::Inline,
        body_bytes: 0,
    }
}

fn validator_fields<'v>(
    head: HeadWriter<'v>,
    etag: &[u8; ETAG_LEN],
    modified: Option<u64>,
) -> HeadWriter<'v> {
    let head = head.header("ETag", etag);
    match modified {
        None => head,
        Some(seconds) => {
            let mut date = [0; DATE_LEN];
            format_imf(seconds, &mut date);
            head.header("Last-Modified", &date)
        }
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
        return Reply {
            status,
            head,
            body: Body::Inline,
            body_bytes: 0,
        };
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
