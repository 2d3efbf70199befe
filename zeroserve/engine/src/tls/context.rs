//! From PEM text to a server context. In: certificate chain and key. Out: a context every session of
//! the generation shares, or an error that names the file.

use boring::error::ErrorStack;
use boring::pkey::{PKey, Private};
use boring::ssl::{
    AlpnError, Ssl, SslContext, SslContextBuilder, SslMethod, SslSessionCacheMode, SslVersion,
    select_next_proto,
};
use boring::x509::X509;

use crate::config::TlsSpec;
use crate::error::EngineError;

/// Protocols offered by ALPN, most wanted first, in wire form (RFC 7301 section 3.1).
const ALPN: &[u8] = b"\x02h2\x08http/1.1";

pub(crate) struct Context(SslContext);

impl Context {
    /// A new, still silent session.
    pub(super) fn session(&self) -> Result<Ssl, ErrorStack> {
        Ssl::new(&self.0)
    }
}

/// Validates `spec` and makes a context of it.
///
/// # Errors
/// `Refused`, naming the file: not PEM, no certificate, a key that doesn't belong to it.
pub(crate) fn build(spec: &TlsSpec) -> Result<Context, EngineError> {
    let (cert_path, key_path) = (&spec.cert_path, &spec.key_path);
    let chain = X509::stack_from_pem(spec.cert_pem.as_bytes())
        .map_err(|e| refused(cert_path, "is not a PEM certificate chain", &e))?;
    let Some((leaf, rest)) = chain.split_first() else {
        return Err(EngineError::Refused(format!(
            "`{cert_path}` holds no PEM certificate"
        )));
    };
    let key: PKey<Private> = PKey::private_key_from_pem(spec.key_pem.as_bytes())
        .map_err(|e| refused(key_path, "is not a PEM private key", &e))?;
    let mut builder = SslContextBuilder::new(SslMethod::tls()).map_err(|e| bug(&e))?;
    builder
        .set_min_proto_version(Some(SslVersion::TLS1_3))
        .map_err(|e| bug(&e))?;
    builder
        .set_max_proto_version(Some(SslVersion::TLS1_3))
        .map_err(|e| bug(&e))?;
    builder
        .set_certificate(leaf)
        .map_err(|e| refused(cert_path, "holds a certificate that can not be used", &e))?;
    for certificate in rest {
        builder
            .add_extra_chain_cert(certificate.clone())
            .map_err(|e| bug(&e))?;
    }
    builder
        .set_private_key(&key)
        .and_then(|()| builder.check_private_key())
        .map_err(|_| {
            EngineError::Refused(format!(
                "`{key_path}` is not the key of the certificate in `{cert_path}`"
            ))
        })?;
    // Tickets carry all state; a cache of sessions would only hold memory.
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder
        .set_session_id_context(b"zeroserve")
        .map_err(|e| bug(&e))?;
    builder.set_alpn_select_callback(|_, offered| {
        // Without a protocol in common the handshake goes on without ALPN: HTTP/1.1 is what we speak.
        select_next_proto(ALPN, offered).ok_or(AlpnError::NOACK)
    });
    Ok(Context(builder.build()))
}

fn refused(path: &str, what: &str, error: &ErrorStack) -> EngineError {
    let reason = error
        .errors()
        .first()
        .and_then(|e| e.reason())
        .unwrap_or("unknown reason");
    EngineError::Refused(format!(
        "`{path}` {what}: {}",
        reason.to_lowercase().replace('_', " ")
    ))
}

fn bug(error: &ErrorStack) -> EngineError {
    EngineError::Bug(format!("BoringSSL refused its own settings: {error}"))
}
