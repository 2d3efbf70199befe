//! A certificate chain with its key and its OCSP staple, as a session takes it. A session may be given
//! several: `BoringSSL` takes the first that the client can verify.

use boring::error::ErrorStack;
use boring::pkey::{PKey, Private};
use boring::ssl::SslRef;
use boring::x509::X509;
use foreign_types::ForeignTypeRef as _;

pub(super) struct Credential(*mut boring_sys::SSL_CREDENTIAL);

// SAFETY: after `new` a credential is only read, and its reference count is atomic.
unsafe impl Send for Credential {}
// SAFETY: as above.
unsafe impl Sync for Credential {}

/// Bytes that `BoringSSL` counts references of.
struct Buffer(*mut boring_sys::CRYPTO_BUFFER);

impl Buffer {
    fn new(bytes: &[u8]) -> Result<Self, ErrorStack> {
        // SAFETY: `bytes` is valid for its length, and copied.
        let buffer = unsafe {
            boring_sys::CRYPTO_BUFFER_new(bytes.as_ptr(), bytes.len(), std::ptr::null_mut())
        };
        if buffer.is_null() {
            return Err(ErrorStack::get());
        }
        Ok(Self(buffer))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: made by `new`, and owned.
        unsafe { boring_sys::CRYPTO_BUFFER_free(self.0) };
    }
}

impl Credential {
    /// `chain` begins with the certificate that `key` belongs to.
    pub(super) fn new(
        chain: &[X509],
        key: &PKey<Private>,
        staple: Option<&[u8]>,
    ) -> Result<Self, ErrorStack> {
        // SAFETY: makes a new object, or null.
        let raw = unsafe { boring_sys::SSL_CREDENTIAL_new_x509() };
        if raw.is_null() {
            return Err(ErrorStack::get());
        }
        let credential = Self(raw);
        let buffers = chain
            .iter()
            .map(|one| Buffer::new(&one.to_der()?))
            .collect::<Result<Vec<_>, _>>()?;
        let pointers: Vec<_> = buffers.iter().map(|buffer| buffer.0).collect();
        let staple = staple.map(Buffer::new).transpose()?;
        // SAFETY: all pointers are valid; the credential takes references of its own.
        unsafe {
            done(boring_sys::SSL_CREDENTIAL_set1_cert_chain(
                credential.0,
                pointers.as_ptr(),
                pointers.len(),
            ))?;
            done(boring_sys::SSL_CREDENTIAL_set1_private_key(
                credential.0,
                key.as_ptr(),
            ))?;
            if let Some(staple) = &staple {
                done(boring_sys::SSL_CREDENTIAL_set1_ocsp_response(
                    credential.0,
                    staple.0,
                ))?;
            }
        }
        Ok(credential)
    }

    /// Offers it to `session`, behind those that were offered before.
    pub(super) fn offer(&self, session: &mut SslRef) -> Result<(), ErrorStack> {
        // SAFETY: both are valid; the session takes a reference of its own.
        done(unsafe { boring_sys::SSL_add1_credential(session.as_ptr(), self.0) })
    }
}

impl Drop for Credential {
    fn drop(&mut self) {
        // SAFETY: made by `new`; gives our reference back.
        unsafe { boring_sys::SSL_CREDENTIAL_free(self.0) };
    }
}

fn done(result: std::ffi::c_int) -> Result<(), ErrorStack> {
    if result == 1 {
        Ok(())
    } else {
        Err(ErrorStack::get())
    }
}
