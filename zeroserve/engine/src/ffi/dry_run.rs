//! The part of the door for requests without a server.

use std::ffi::c_char;

use super::guard::{Status, guard, input, json_out};
use zs_chain::trial::TrialRequest;

use crate::dry_run::{DryRun, Spec};
use crate::error::EngineError;

/// The opaque handle. For one thread: the one that opened it.
pub struct ZsDryRun(DryRun);

/// Opens a site to try requests on.
///
/// # Safety
/// `spec` is valid for `len` bytes; the out-pointers are valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zs_dry_run_open(
    spec: *const u8,
    len: usize,
    handle: *mut *mut ZsDryRun,
    error: *mut *mut c_char,
) -> Status {
    guard(error, || {
        // SAFETY: the caller's promise.
        let spec: Spec = unsafe { input(spec, len) }?;
        let opened = DryRun::open(&spec)?;
        // SAFETY: the caller's promise.
        unsafe { handle.write(Box::into_raw(Box::new(ZsDryRun(opened)))) };
        Ok(())
    })
}

/// Answers one request, with notes of what scripts did.
///
/// # Safety
/// `handle` came from `zs_dry_run_open` on this thread and is not closed; `request` is valid for `len` bytes; the out-pointers
/// are valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zs_dry_run_answer(
    handle: *const ZsDryRun,
    request: *const u8,
    len: usize,
    out: *mut *mut c_char,
    error: *mut *mut c_char,
) -> Status {
    guard(error, || {
        // SAFETY: the caller's promises; null is checked.
        let (handle, request): (Option<&ZsDryRun>, TrialRequest) =
            unsafe { (handle.as_ref(), input(request, len)?) };
        let handle = handle.ok_or_else(|| EngineError::Bug("null dry run".to_owned()))?;
        json_out(out, &handle.0.answer(&request)?)
    })
}

/// Answers one request many times; writes the nanoseconds of processor time that one took.
///
/// # Safety
/// As for `zs_dry_run_answer`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zs_dry_run_measure(
    handle: *const ZsDryRun,
    request: *const u8,
    len: usize,
    runs: u32,
    out: *mut *mut c_char,
    error: *mut *mut c_char,
) -> Status {
    guard(error, || {
        // SAFETY: the caller's promises; null is checked.
        let (handle, request): (Option<&ZsDryRun>, TrialRequest) =
            unsafe { (handle.as_ref(), input(request, len)?) };
        let handle = handle.ok_or_else(|| EngineError::Bug("null dry run".to_owned()))?;
        let nanoseconds = handle.0.measure(&request, runs)?;
        json_out(out, &serde_json::json!({ "nanoseconds": nanoseconds }))
    })
}

/// Frees the handle.
///
/// # Safety
/// `handle` came from `zs_dry_run_open` on this thread, and is not used again; null is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zs_dry_run_close(handle: *mut ZsDryRun) {
    if !handle.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(handle) });
    }
}
