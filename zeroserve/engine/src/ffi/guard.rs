//! What every function of the door does the same way: catch panics, turn errors into status and
//! text, read JSON in, write JSON out.

use std::any::Any;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::EngineError;

/// Status codes of the door.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Ok = 0,
    Refused = 1,
    Unsupported = 2,
    Bug = 70,
}

/// Runs `body`; on failure writes the error's text to `error`.
pub(super) fn guard(
    error: *mut *mut c_char,
    body: impl FnOnce() -> Result<(), EngineError>,
) -> Status {
    let result = catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|panic| Err(EngineError::Bug(panic_text(panic.as_ref()))));
    let Err(failure) = result else {
        return Status::Ok;
    };
    if !error.is_null() {
        // SAFETY: every function of the door asks that `error` is valid for a write.
        unsafe { error.write(c_text(&failure.to_string())) };
    }
    match failure {
        EngineError::Refused(_) => Status::Refused,
        EngineError::Unsupported(_) => Status::Unsupported,
        EngineError::Bug(_) => Status::Bug,
    }
}

/// # Safety
/// `bytes` is valid for `len` bytes.
pub(super) unsafe fn input<T: DeserializeOwned>(
    bytes: *const u8,
    len: usize,
) -> Result<T, EngineError> {
    if bytes.is_null() {
        return Err(EngineError::Bug("null settings".to_owned()));
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { std::slice::from_raw_parts(bytes, len) };
    // The caller is our own control plane: a mismatch is a bug of ours, not of the user.
    serde_json::from_slice(bytes)
        .map_err(|error| EngineError::Bug(format!("settings do not parse: {error}")))
}

pub(super) fn json_out<T: Serialize>(out: *mut *mut c_char, value: &T) -> Result<(), EngineError> {
    let text = serde_json::to_string(value)
        .map_err(|error| EngineError::Bug(format!("an answer does not serialise: {error}")))?;
    if !out.is_null() {
        // SAFETY: every function of the door asks that `out` is valid for a write.
        unsafe { out.write(c_text(&text)) };
    }
    Ok(())
}

fn c_text(text: &str) -> *mut c_char {
    // A NUL inside could only come from a file name; it would cut the text short, so it is shown.
    CString::new(text.replace('\0', "\\0"))
        .unwrap_or_default()
        .into_raw()
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let what = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown panic");
    format!("the engine panicked: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(body: impl FnOnce() -> Result<(), EngineError>) -> (Status, Option<String>) {
        let mut error = std::ptr::null_mut();
        let status = guard(&raw mut error, body);
        // SAFETY: written by `c_text` above, or still null.
        let text = (!error.is_null()).then(|| unsafe { CString::from_raw(error) });
        (status, text.map(|text| text.into_string().unwrap()))
    }

    #[test]
    fn each_kind_of_failure_has_its_status_and_text() {
        assert_eq!(run(|| Ok(())), (Status::Ok, None));
        let refused = run(|| Err(EngineError::Refused("bad `a.tar`".to_owned())));
        assert_eq!(refused, (Status::Refused, Some("bad `a.tar`".to_owned())));
    }

    #[test]
    fn a_panic_ends_at_the_door() {
        let (status, text) = run(|| panic!("oops"));
        assert_eq!(status, Status::Bug);
        assert_eq!(text.unwrap(), "the engine panicked: oops");
    }
}
