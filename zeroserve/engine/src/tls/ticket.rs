//! Keys that seal session tickets (RFC 8446 section 4.6.1): one for the process, so that a ticket opens
//! on every loop and after every reload; a new one each hour, with which forward secrecy begins anew.
//!
//! A ticket is the key's name, a nonce, and the session sealed by AES-256-GCM.

use std::ffi::c_int;
use std::sync::{PoisonError, RwLock};

use boring::error::ErrorStack;
use boring::rand::rand_bytes;
use boring::ssl::SslContextBuilder;
use boring::symm::{Cipher, decrypt_aead, encrypt_aead};
use boring_sys::{SSL, SSL_TICKET_AEAD_METHOD, ssl_ticket_aead_result_t};

use crate::clock::monotonic_seconds;

/// For how long a key seals. It opens for as long again.
const KEY_SECONDS: u64 = 3600;
/// What clients are told: every ticket opens for at least that long.
const TICKET_SECONDS: u32 = 3600;

const NAME_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const OVERHEAD: usize = NAME_BYTES + NONCE_BYTES + TAG_BYTES;

/// Keys of this process.
static KEYS: TicketKeys = TicketKeys::new();

struct Key {
    name: [u8; NAME_BYTES],
    secret: [u8; 32],
    /// Second of the monotonic clock.
    made: u64,
}

impl Key {
    fn make(now: u64) -> Result<Self, ErrorStack> {
        let mut key = Self {
            name: [0; NAME_BYTES],
            secret: [0; 32],
            made: now,
        };
        rand_bytes(&mut key.name)?;
        rand_bytes(&mut key.secret)?;
        Ok(key)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the array is valid for its length.
        unsafe { boring_sys::OPENSSL_cleanse(self.secret.as_mut_ptr().cast(), self.secret.len()) };
    }
}

struct TicketKeys {
    /// The one that seals, then the one before it.
    keys: RwLock<[Option<Key>; 2]>,
}

impl TicketKeys {
    const fn new() -> Self {
        Self {
            keys: RwLock::new([None, None]),
        }
    }

    fn seal(&self, session: &[u8], now: u64) -> Result<Vec<u8>, ErrorStack> {
        loop {
            {
                let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
                if let Some(key) = &keys[0]
                    && now < key.made + KEY_SECONDS
                {
                    return sealed(key, session);
                }
            }
            self.rotate(now)?;
        }
    }

    fn rotate(&self, now: u64) -> Result<(), ErrorStack> {
        let fresh = Key::make(now)?;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        // Another loop may have been faster.
        if keys[0]
            .as_ref()
            .is_none_or(|key| now >= key.made + KEY_SECONDS)
        {
            keys[1] = keys[0].replace(fresh);
        }
        Ok(())
    }

    /// The session in a ticket; `None` when no key of ours opens it.
    fn open(&self, ticket: &[u8], now: u64) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_at_checked(NAME_BYTES)?;
        let (nonce, rest) = rest.split_at_checked(NONCE_BYTES)?;
        let (session, tag) = rest.split_at_checked(rest.len().checked_sub(TAG_BYTES)?)?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys
            .iter()
            .flatten()
            .find(|key| key.name == name && now < key.made + 2 * KEY_SECONDS)?;
        decrypt_aead(
            Cipher::aes_256_gcm(),
            &key.secret,
            Some(nonce),
            name,
            session,
            tag,
        )
        .ok()
    }
}

fn sealed(key: &Key, session: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut nonce = [0; NONCE_BYTES];
    rand_bytes(&mut nonce)?;
    let mut tag = [0; TAG_BYTES];
    let cipher = Cipher::aes_256_gcm();
    let inner = encrypt_aead(
        cipher,
        &key.secret,
        Some(&nonce),
        &key.name,
        session,
        &mut tag,
    )?;
    Ok([&key.name[..], &nonce, &inner, &tag].concat())
}

/// Has `builder`'s sessions give and take tickets sealed by the keys of this process.
pub(super) fn install(builder: &mut SslContextBuilder) {
    // SAFETY: the method lives for ever, and its functions keep to what the library asks of them.
    unsafe {
        let context = builder.as_ptr();
        boring_sys::SSL_CTX_set_ticket_aead_method(context, &raw const METHOD);
        boring_sys::SSL_CTX_set_session_psk_dhe_timeout(context, TICKET_SECONDS);
    }
}

static METHOD: SSL_TICKET_AEAD_METHOD = SSL_TICKET_AEAD_METHOD {
    max_overhead: Some(max_overhead),
    seal: Some(seal),
    open: Some(open),
};

extern "C" fn max_overhead(_: *mut SSL) -> usize {
    OVERHEAD
}

/// No ticket is sent when sealing fails: the connection itself is as good.
unsafe extern "C" fn seal(
    _: *mut SSL,
    out: *mut u8,
    out_len: *mut usize,
    max_out_len: usize,
    input: *const u8,
    input_len: usize,
) -> c_int {
    // SAFETY: the library gives valid pointers and lengths; input and output may be the same place,
    // which is why the ticket is made elsewhere first.
    unsafe {
        let session = std::slice::from_raw_parts(input, input_len);
        let ticket = KEYS
            .seal(session, monotonic_seconds())
            .ok()
            .filter(|ticket| ticket.len() <= max_out_len)
            .unwrap_or_default();
        std::ptr::copy_nonoverlapping(ticket.as_ptr(), out, ticket.len());
        out_len.write(ticket.len());
    }
    1
}

unsafe extern "C" fn open(
    _: *mut SSL,
    out: *mut u8,
    out_len: *mut usize,
    max_out_len: usize,
    input: *const u8,
    input_len: usize,
) -> ssl_ticket_aead_result_t {
    // SAFETY: as in `seal`.
    unsafe {
        let ticket = std::slice::from_raw_parts(input, input_len);
        match KEYS.open(ticket, monotonic_seconds()) {
            Some(session) if session.len() <= max_out_len => {
                std::ptr::copy_nonoverlapping(session.as_ptr(), out, session.len());
                out_len.write(session.len());
                ssl_ticket_aead_result_t::ssl_ticket_aead_success
            }
            _ => ssl_ticket_aead_result_t::ssl_ticket_aead_ignore_ticket,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_for_an_hour_at_least_and_two_at_most() {
        let keys = TicketKeys::new();
        let early = keys.seal(b"session", 1000).unwrap();
        let late = keys.seal(b"session", 1000 + KEY_SECONDS - 1).unwrap();
        assert_eq!(
            early[..NAME_BYTES],
            late[..NAME_BYTES],
            "one key for the hour"
        );
        assert_ne!(early, late, "a nonce for each");
        let next = keys.seal(b"other", 1000 + KEY_SECONDS).unwrap();
        assert_ne!(early[..NAME_BYTES], next[..NAME_BYTES]);
        let end = 1000 + 2 * KEY_SECONDS;
        for ticket in [&early, &late] {
            assert_eq!(keys.open(ticket, end - 1).as_deref(), Some(&b"session"[..]));
            assert_eq!(keys.open(ticket, end), None);
        }
        assert_eq!(keys.open(&next, end).as_deref(), Some(&b"other"[..]));
    }

    #[test]
    fn the_key_before_the_last_is_forgotten() {
        let keys = TicketKeys::new();
        let first = keys.seal(b"session", 0).unwrap();
        keys.seal(b"session", KEY_SECONDS).unwrap();
        keys.seal(b"session", 2 * KEY_SECONDS).unwrap();
        assert_eq!(keys.open(&first, 0), None);
    }

    #[test]
    fn a_ticket_changed_or_cut_anywhere_does_not_open() {
        let keys = TicketKeys::new();
        let ticket = keys.seal(b"session", 0).unwrap();
        for at in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[at] ^= 1;
            assert_eq!(keys.open(&changed, 0), None, "byte {at}");
            assert_eq!(keys.open(&ticket[..at], 0), None, "cut at {at}");
        }
    }
}
