//! Who answers: the probe, the site's files, or nobody. One look at the method and the path, one
//! lookup in the index.

use zs_proto::error::PeerError;
use zs_proto::message::{Method, RequestHead, TargetForm};
use zs_proto::path;

use crate::generation::LoopGeneration;
use crate::reply::{self, Opening, Reply};
use crate::site::Found;
use crate::worker::Worker;

/// # Errors
/// The peer's fault, when the path can't be read in one way only.
pub(super) fn dispatch(
    worker: &Worker,
    generation: &LoopGeneration,
    head: &RequestHead<'_>,
    opening: Opening,
) -> Result<Reply, PeerError> {
    let out = worker.buffers.take(0);
    match head.form {
        TargetForm::Asterisk => return Ok(reply::options(out, opening)),
        TargetForm::Authority => return Ok(reply::method_not_allowed(out, opening, head.method)),
        TargetForm::Origin | TargetForm::Absolute => {}
    }
    let rules = &worker.rules;
    if rules.probe_path.as_deref() == Some(head.path) && head.method.is_read() {
        return Ok(reply::probe(out, opening, head.method, &generation.probe));
    }
    let site = &generation.site;
    let mut scratch = worker.scratch.borrow_mut();
    let (cleaned, joined) = &mut *scratch;
    let path = path::clean(head.path, cleaned)?;
    match site.lookup(&path, rules, joined) {
        Found::Member(_) | Found::Folder if !head.method.is_read() => {
            Ok(reply::method_not_allowed(out, opening, head.method))
        }
        Found::Member(member) => Ok(reply::static_file(out, opening, head, site, member)),
        Found::Folder => {
            let mut location = Vec::with_capacity(head.path.len() + 64);
            path.write_url(&mut location);
            location.push(b'/');
            if let Some(query) = head.query {
                location.push(b'?');
                location.extend_from_slice(query);
            }
            Ok(reply::redirect(out, opening, head.method, &location))
        }
        Found::Missing if head.method == Method::Options => {
            Ok(reply::method_not_allowed(out, opening, head.method))
        }
        Found::Missing => Ok(reply::not_found(out, opening, head.method, site)),
    }
}
