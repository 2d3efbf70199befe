//! Who answers: the probe, a redirect, the site's files, or nobody. One look at host, method and
//! path, one lookup in the index.

use zs_proto::error::PeerError;
use zs_proto::message::{Method, RequestHead, TargetForm};
use zs_proto::path::{self, CleanPath};

use super::Origin;
use crate::config::Scheme;
use crate::generation::LoopGeneration;
use crate::reply::{self, Body, Opening, Reply};
use crate::site::{Found, Redirected, Root, Site, host_name};
use crate::worker::{Rules, Worker};

/// A page whose placeholders are filled in is held in memory; a larger one goes out as it is.
pub(crate) const TEMPLATE_BYTES_MAX: u64 = 4 << 20;

/// A missing slash, or plain HTTP where HTTPS is wanted, is no reason to change the method.
const PERMANENT_REDIRECT: u16 = 308;

/// What is settled before a site's own scripts and files are asked.
pub(super) enum Admitted {
    Reply(Reply),
    /// The number of the root that the request is for.
    Root(usize),
}

/// # Errors
/// The peer's fault: a path that can't be read in one way only, a host that isn't served here.
pub(super) fn admit(
    worker: &Worker,
    generation: &LoopGeneration,
    head: &RequestHead<'_>,
    origin: &Origin,
    opening: Opening,
) -> Result<Admitted, PeerError> {
    let reply = |make: &dyn Fn(Vec<u8>) -> Reply| Ok(Admitted::Reply(make(worker.buffers.take(0))));
    match head.form {
        TargetForm::Asterisk => return reply(&|out| reply::options(out, opening)),
        TargetForm::Authority => {
            return reply(&|out| reply::method_not_allowed(out, opening, head.method));
        }
        TargetForm::Origin | TargetForm::Absolute => {}
    }
    let rules = &*worker.rules;
    if rules.probe_path.as_deref() == Some(head.path) && head.method.is_read() {
        return reply(&|out| reply::probe(out, opening, head.method, &generation.probe));
    }
    check_host(rules, head, origin)?;
    let site = &generation.site;
    let number = site.root_number(head.host).ok_or(PeerError::Misdirected)?;
    let root = site.root_at(number);
    let redirect = rules
        .redirect_https_port
        .filter(|_| origin.scheme == Scheme::Http);
    if redirect.is_none() && root.scripts.is_none() {
        return Ok(Admitted::Root(number)); // the path is read once, by whoever looks it up
    }
    let mut scratch = worker.scratch.borrow_mut();
    let path = path::clean(head.path, &mut scratch.0)?;
    let Some(port) = redirect else {
        return Ok(Admitted::Root(number));
    };
    let answer = Answer {
        out: worker.buffers.take(0),
        opening,
        head,
        site,
        root,
        templates: false,
    };
    Ok(Admitted::Reply(answer.over_https(&path, port)))
}

/// The site's answer: its rules, its files, its 404 page. `templates`: scripts have left values to fill in.
///
/// # Errors
/// A path that can't be read in one way only.
pub(super) fn resolve(
    worker: &Worker,
    generation: &LoopGeneration,
    root: usize,
    head: &RequestHead<'_>,
    opening: Opening,
    templates: bool,
) -> Result<Reply, PeerError> {
    let rules = &*worker.rules;
    let site = &generation.site;
    let root = site.root_at(root);
    let mut scratch = worker.scratch.borrow_mut();
    let (cleaned, joined) = &mut *scratch;
    let path = path::clean(head.path, cleaned)?;
    let answer = Answer {
        out: worker.buffers.take(0),
        opening,
        head,
        site,
        root,
        templates,
    };
    // The cleaned path is UTF-8: `clean` has seen to it.
    let text = std::str::from_utf8(path.path).map_err(|_| PeerError::BadPath)?;
    if !path.is_internal()
        && let Some(redirected) = root.rules.forced(text, head.query)
    {
        return Ok(answer.redirected(&redirected, rules, joined));
    }
    Ok(match site.lookup(root, &path, &rules.naming, joined) {
        Found::Member(_) | Found::Folder if !head.method.is_read() => answer.not_allowed(),
        Found::Member(member) => answer.file(member),
        Found::Folder => answer.with_slash(&path),
        Found::Missing => match root.rules.for_missing(text, head.query) {
            Some(redirected) if !path.is_internal() => {
                answer.redirected(&redirected, rules, joined)
            }
            _ if head.method == Method::Options => answer.not_allowed(),
            _ => answer.not_found(),
        },
    })
}

/// 421 for hosts that the operator has not listed, and for a `Host` other than the name that the TLS
/// connection was opened for.
fn check_host(rules: &Rules, head: &RequestHead<'_>, origin: &Origin) -> Result<(), PeerError> {
    let opened_for = origin.server_name();
    if rules.hostnames.is_none() && opened_for.is_none() {
        return Ok(());
    }
    let name = host_name(head.host.unwrap_or_default());
    let listed = rules.hostnames.as_ref().is_none_or(|names| {
        names
            .iter()
            .any(|known| known.as_bytes().eq_ignore_ascii_case(name))
    });
    let same = opened_for.is_none_or(|sni| sni.as_bytes().eq_ignore_ascii_case(name));
    if listed && same {
        Ok(())
    } else {
        Err(PeerError::Misdirected)
    }
}

struct Answer<'a> {
    out: Vec<u8>,
    opening: Opening,
    head: &'a RequestHead<'a>,
    site: &'a Site,
    root: &'a Root,
    /// Whether pages with placeholders are to be filled in.
    templates: bool,
}

impl Answer<'_> {
    /// A page with placeholders, to be filled in before it can have a head.
    fn template(&self, member: u32, status: u16) -> Option<Reply> {
        let entry = self.site.index.entry(member);
        let wanted = self.templates && entry.has_placeholder() && entry.size <= TEMPLATE_BYTES_MAX;
        wanted.then(|| Reply {
            status,
            head: Vec::new(),
            body: Body::Template { member },
            body_bytes: 0,
        })
    }

    fn not_allowed(self) -> Reply {
        reply::method_not_allowed(self.out, self.opening, self.head.method)
    }

    fn file(self, member: u32) -> Reply {
        if let Some(reply) = self.template(member, 200) {
            return reply;
        }
        reply::static_file(self.out, self.opening, self.head, self.site, member)
    }

    fn not_found(self) -> Reply {
        let page = self.root.not_found_page;
        if let Some(reply) = page.and_then(|member| self.template(member, 404)) {
            return reply;
        }
        reply::not_found(
            self.out,
            self.opening,
            self.head.method,
            self.site,
            self.root,
        )
    }

    fn with_slash(self, path: &CleanPath<'_>) -> Reply {
        let mut location = Vec::with_capacity(self.head.target.len() + 64);
        path.write_url(&mut location);
        location.push(b'/');
        self.push_query(&mut location);
        self.redirect(PERMANENT_REDIRECT, &location)
    }

    fn over_https(self, path: &CleanPath<'_>, port: u16) -> Reply {
        let mut location = b"https://".to_vec();
        location.extend_from_slice(host_name(self.head.host.unwrap_or(b"localhost")));
        if port != 443 {
            location.extend_from_slice(format!(":{port}").as_bytes());
        }
        path.write_url(&mut location);
        self.push_query(&mut location);
        self.redirect(PERMANENT_REDIRECT, &location)
    }

    /// A rule of the site's author: another URL, or another file under this one.
    fn redirected(self, found: &Redirected, rules: &Rules, joined: &mut Vec<u8>) -> Reply {
        if !matches!(found.status, 200 | 404) {
            return self.redirect(found.status, &found.location);
        }
        if !self.head.method.is_read() {
            return self.not_allowed();
        }
        match self
            .site
            .rewritten(self.root, &found.location, &rules.naming, joined)
        {
            Some(member) if found.status == 200 => self.file(member),
            Some(member) => match self.template(member, 404) {
                Some(reply) => reply,
                None => reply::page(
                    self.out,
                    self.opening,
                    self.head.method,
                    self.site,
                    member,
                    404,
                ),
            },
            None => self.not_found(),
        }
    }

    fn push_query(&self, location: &mut Vec<u8>) {
        if let Some(query) = self.head.query {
            location.push(b'?');
            location.extend_from_slice(query);
        }
    }

    fn redirect(self, status: u16, location: &[u8]) -> Reply {
        reply::redirect(self.out, self.opening, self.head.method, status, location)
    }
}
