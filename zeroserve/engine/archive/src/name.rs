//! Member names: what may be served, in the one spelling that a cleaned request path has.

use crate::error::NameFault;
use crate::tar::PATH_BYTES_MAX;

/// Checks a name and gives it without `.` and empty segments, as requests are looked up.
///
/// `./a//b` and `a/b` are the same file to whoever unpacks; kept apart, the first would be a file
/// that no request can reach.
pub(crate) fn normalize(name: &[u8]) -> Result<String, NameFault> {
    if name.starts_with(b"/") {
        return Err(NameFault::Absolute);
    }
    if name.len() > PATH_BYTES_MAX {
        return Err(NameFault::TooLong);
    }
    if name.contains(&0) {
        return Err(NameFault::Nul);
    }
    let text = core::str::from_utf8(name).map_err(|_| NameFault::NotUtf8)?;
    let mut path = String::with_capacity(text.len());
    for segment in text.split('/') {
        match segment {
            "" | "." => {}
            ".." => return Err(NameFault::Parent),
            _ => {
                if !path.is_empty() {
                    path.push('/');
                }
                path.push_str(segment);
            }
        }
    }
    if path.is_empty() {
        Err(NameFault::Empty)
    } else {
        Ok(path)
    }
}

/// Whether a path already is what [`normalize`] makes of it.
pub(crate) fn is_normal(path: &str) -> bool {
    path.len() <= PATH_BYTES_MAX
        && !path.contains('\0')
        && path
            .split('/')
            .all(|segment| !matches!(segment, "" | "." | ".."))
}
