//! The C door. Status out, values and error text through out-pointers, one free function for text.
//! Panics end here; nothing but JSON, descriptors and opaque handles crosses.

pub mod dry_run;
mod guard;

use std::ffi::{CString, c_char};
use std::time::Duration;

use guard::{Status, guard, input, json_out};

use crate::config::{GenerationSpec, Settings, SiteSpec};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::generation::{Generation, duplicate};
use crate::ring;
use crate::site::{Naming, file_digest};

/// The opaque handle.
pub struct ZsEngine(Engine);

/// Reports what this machine offers, as JSON.
///
/// # Safety
/// `out` and `error` are valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zs_probe(out: *mut *mut c_char, error: *mut *mut c_char) -> Status {
    guard(error, || json_out(out, &ring::probe()))
}

/// Builds a generation, validates it and drops it.
///
/// # Safety
/// `spec` is valid for `len` bytes; `out` and `error` are valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zs_generation_check(
    spec: *const u8,
    len: usize,
    out: *mut *mut c_char,
    error: *mut *mut c_char,
) -> Status {
    guard(error, || {
        // SAFETY: the caller's promise.
        let spec: GenerationSpec = unsafe { input(spec, len) }?;
        let (_, summary) = Generation::build(&spec, &Naming::default())?;
        json_out(out, &summary)
    })
}

/// Hashes a tarball whole; `site` is as in a generation's spec. Progress goes to stderr.
///
/// # Safety
/// `site` is valid for `len` bytes; `out` and `error` are valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zs_release_digest(
    site: *const u8,
    len: usize,
    out: *mut *mut c_char,
    error: *mut *mut c_char,
) -> Status {
    guard(error, || {
        // SAFETY: the caller's promise.
        let site: SiteSpec = unsafe { input(site, len) }?;
        let digest = file_digest(duplicate(site.fd)?, &site.path)?;
        json_out(out, &serde_json::json!({ "release_digest": digest }))
    })
}

/// Starts the event loops.
///
/// # Safety
/// `settings` is valid for `len` bytes; the out-pointers are valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zs_engine_start(
    settings: *const u8,
    len: usize,
    engine: *mut *mut ZsEngine,
    out: *mut *mut c_char,
    error: *mut *mut c_char,
) -> Status {
    guard(error, || {
        // SAFETY: the caller's promise.
        let settings: Settings = unsafe { input(settings, len) }?;
        let (started, summary) = Engine::start(&settings)?;
        json_out(out, &summary)?;
        // SAFETY: the caller's promise.
        unsafe { engine.write(Box::into_raw(Box::new(ZsEngine(started)))) };
        Ok(())
    })
}

/// Swaps to a new generation; returns after every loop has.
///
/// # Safety
/// `engine` came from `zs_engine_start` and is not stopped; `spec` is valid for `len` bytes; the
/// out-pointers are valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zs_engine_reload(
    engine: *const ZsEngine,
    spec: *const u8,
    len: usize,
    out: *mut *mut c_char,
    error: *mut *mut c_char,
) -> Status {
    guard(error, || {
        // SAFETY: the caller's promises.
        let (engine, spec): (&Engine, GenerationSpec) =
            unsafe { (engine_ref(engine)?, input(spec, len)?) };
        json_out(out, &engine.reload(&spec)?)
    })
}

/// Sends later access-log lines to another descriptor, which is duplicated.
///
/// # Safety
/// `engine` as above; `error` is valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zs_engine_log(
    engine: *const ZsEngine,
    fd: i32,
    error: *mut *mut c_char,
) -> Status {
    // SAFETY: the caller's promise.
    guard(error, || unsafe { engine_ref(engine) }?.reopen_log(fd))
}

/// Reports counters, as JSON.
///
/// # Safety
/// `engine` as above; the out-pointers are valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zs_engine_stats(
    engine: *const ZsEngine,
    out: *mut *mut c_char,
    error: *mut *mut c_char,
) -> Status {
    guard(error, || {
        // SAFETY: the caller's promise.
        let engine = unsafe { engine_ref(engine) }?;
        json_out(out, &engine.snapshot())
    })
}

/// Stops accepting and lets connections finish. Returns at once.
///
/// # Safety
/// `engine` as above; `error` is valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zs_engine_drain(
    engine: *const ZsEngine,
    error: *mut *mut c_char,
) -> Status {
    guard(error, || {
        // SAFETY: the caller's promise.
        unsafe { engine_ref(engine) }?.drain();
        Ok(())
    })
}

/// Waits until every loop has ended, at most `timeout_ms`; writes 1 to `finished` if so, else 0. Fails
/// when a loop has died.
///
/// # Safety
/// `engine` as above; the out-pointers are valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zs_engine_wait(
    engine: *const ZsEngine,
    timeout_ms: u32,
    finished: *mut i32,
    error: *mut *mut c_char,
) -> Status {
    guard(error, || {
        // SAFETY: the caller's promises.
        unsafe {
            let done = engine_ref(engine)?.wait(Duration::from_millis(timeout_ms.into()))?;
            finished.write(done.into());
        }
        Ok(())
    })
}

/// Ends every loop at once and frees the handle.
///
/// # Safety
/// `engine` as above, and not used again; `error` is valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zs_engine_stop(engine: *mut ZsEngine, error: *mut *mut c_char) -> Status {
    guard(error, || {
        if engine.is_null() {
            return Err(EngineError::Bug("null engine".to_owned()));
        }
        // SAFETY: the caller's promise: it came from `Box::into_raw` and is not used again.
        let engine = unsafe { Box::from_raw(engine) };
        engine.0.stop();
        let _ = engine.0.wait(Duration::from_secs(5)); // a dead loop has been reported
        Ok(())
    })
}

/// Frees text that came through an out-pointer; null is fine.
///
/// # Safety
/// `text` came from this library and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zs_text_free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { CString::from_raw(text) });
    }
}

/// # Safety
/// A non-null `engine` points to a live engine for as long as the reference is used.
unsafe fn engine_ref<'a>(engine: *const ZsEngine) -> Result<&'a Engine, EngineError> {
    // SAFETY: the caller's promise; null is checked.
    unsafe { engine.as_ref() }
        .map(|handle| &handle.0)
        .ok_or_else(|| EngineError::Bug("null engine".to_owned()))
}
