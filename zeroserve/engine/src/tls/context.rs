//! The server's context: what every session of a generation shares.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use boring::error::ErrorStack;
use boring::sha::Sha256;
use boring::ssl::{
    AlpnError, NameType, SniError, Ssl, SslAlert, SslContext, SslContextBuilder, SslEchKeys,
    SslMethod, SslRef, SslSessionCacheMode, SslVersion, select_next_proto,
};
use foreign_types::ForeignTypeRef as _;
use zs_proto::tls::client_hello::ClientHello;

use super::bug;
use super::choice::Choice;
use super::credential::Credential;
use super::ech::{self, EchSummary};
use super::info::{self, host_name};
use super::material::{self, Material};
use super::policy::{Course, Policy};
use super::ticket;
use crate::config::{CertificateSpec, TlsSpec};
use crate::error::EngineError;

/// Protocols offered by ALPN, most wanted first, in wire form (RFC 7301 section 3.1).
const ALPN: &[u8] = b"\x02h2\x08http/1.1";

/// Key exchange; the client's order decides. The first one is safe against computers that do not exist
/// yet, for traffic that is recorded today; clients that have it prefer it.
const GROUPS: &str = "X25519MLKEM768:X25519:P-256:P-384";

pub(crate) struct Context {
    context: SslContext,
    certificates: Arc<Certificates>,
}

/// What a start or a reload says about TLS.
pub(crate) struct Told {
    pub(crate) warnings: Vec<String>,
    pub(crate) ech: Option<EchSummary>,
}

impl Context {
    /// A new, still silent session.
    pub(super) fn session(&self) -> Result<Ssl, ErrorStack> {
        Ssl::new(&self.context)
    }

    /// Whether there are keys for ECH.
    pub(super) fn has_ech(&self) -> bool {
        self.certificates.policy.is_some()
    }

    /// Whether connections of others are relayed, so that a first flight must be whole before it is
    /// answered.
    pub(crate) fn relays(&self) -> bool {
        self.certificates
            .policy
            .as_ref()
            .is_some_and(Policy::relays)
    }

    /// What becomes of a connection that begins with `hello` (its header included), if it begins with
    /// one.
    pub(super) fn course(&self, hello: Option<&[u8]>) -> Course {
        match &self.certificates.policy {
            Some(policy) => policy.course(hello, |name| self.certificates.choice.covers(name)),
            None => Course::Serve,
        }
    }

    /// Whether a connection that ECH did not make ours is, by the name in clear.
    pub(super) fn serves_clear(&self, name: Option<&str>) -> bool {
        let covers = |name: &str| self.certificates.choice.covers(name);
        match &self.certificates.policy {
            Some(policy) => policy.serves_clear(name, covers),
            None => true,
        }
    }

    /// Where a connection of others goes, as `HOST:PORT`.
    pub(crate) fn upstream(&self, hello: Option<&[u8]>) -> Option<Box<str>> {
        let hello = hello.and_then(ClientHello::parse);
        let name = hello.and_then(|hello| hello.server_name().and_then(host_name));
        self.certificates.policy.as_ref()?.upstream(name.as_deref())
    }
}

/// Validates `spec` and makes a context of it; what the operator should know comes along.
///
/// # Errors
/// `Refused`, naming the file: not PEM, no certificate, a key that doesn't belong to it.
pub(crate) fn build(spec: &TlsSpec) -> Result<(Context, Told), EngineError> {
    let Material { pairs, warnings } = material::read(&spec.certificates, now())?;
    let relay = spec.ech.as_ref().and_then(|ech| ech.relay.as_deref());
    // With a relay, other names are other people's.
    let every_name = matches!(spec.certificates, CertificateSpec::Pair { .. }) && relay.is_none();
    let mut certificates = Certificates::new(pairs, every_name).map_err(|e| bug(&e))?;
    let mut told = Told {
        warnings,
        ech: None,
    };
    let mut keys = None;
    if let Some(spec) = &spec.ech {
        let read = ech::read(spec)?;
        certificates.policy = Some(Policy::new(read.public_names, relay, spec.clear, |name| {
            certificates.choice.covers(name)
        }));
        told.ech = Some(read.summary);
        keys = Some(read.library);
    }
    let certificates = Arc::new(certificates);
    let context = make(&certificates, keys.as_ref()).map_err(|e| bug(&e))?;
    Ok((
        Context {
            context,
            certificates,
        },
        told,
    ))
}

fn make(
    certificates: &Arc<Certificates>,
    ech: Option<&SslEchKeys>,
) -> Result<SslContext, ErrorStack> {
    let mut builder = SslContextBuilder::new(SslMethod::tls())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_3))?;
    builder.set_max_proto_version(Some(SslVersion::TLS1_3))?;
    // Tickets carry all state; a cache of sessions would only hold memory.
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    ticket::install(&mut builder);
    builder.set_curves_list(GROUPS)?;
    if let Some(keys) = ech {
        builder.set_ech_keys(keys)?;
        builder.set_select_certificate_callback(|hello| {
            info::note_inner(hello);
            Ok(())
        });
    }
    let certificates = Arc::clone(certificates);
    builder.set_servername_callback(move |session, alert| {
        certificates.offer(session).map_err(|refusal| {
            *alert = refusal;
            SniError::ALERT_FATAL
        })
    });
    builder.set_alpn_select_callback(|_, offered| {
        // Without a protocol in common the handshake goes on without ALPN: HTTP/1.1 is what we speak.
        select_next_proto(ALPN, offered).ok_or(AlpnError::NOACK)
    });
    Ok(builder.build())
}

/// All that can be shown to clients.
struct Certificates {
    choice: Choice,
    credentials: Vec<Credential>,
    /// SHA-256 of each certificate.
    prints: Vec<[u8; 32]>,
    /// With keys for ECH.
    policy: Option<Policy>,
}

impl Certificates {
    fn new(pairs: Vec<material::Pair>, every_name: bool) -> Result<Self, ErrorStack> {
        let mut candidates = Vec::new();
        let mut credentials = Vec::new();
        let mut prints = Vec::new();
        for pair in pairs {
            let der = pair.chain.first().map(|leaf| leaf.to_der()).transpose()?;
            prints.push(boring::sha::sha256(&der.unwrap_or_default()));
            credentials.push(Credential::new(
                &pair.chain,
                &pair.key,
                pair.staple.as_deref(),
            )?);
            candidates.push(pair.candidate);
        }
        Ok(Self {
            choice: Choice::new(candidates, every_name),
            credentials,
            prints,
            policy: None,
        })
    }

    /// Gives the session what answers for the name in its hello; the alert when nothing does. The
    /// library asks once a handshake, before it looks at tickets and signature algorithms.
    fn offer(&self, session: &mut SslRef) -> Result<(), SslAlert> {
        let name = session
            .servername_raw(NameType::HOST_NAME)
            .and_then(host_name);
        // An address is no name (RFC 6066 section 3): clients that send one mean none.
        let name = name
            .as_deref()
            .filter(|name| self.choice.covers(name) || name.parse::<IpAddr>().is_err());
        if let (Some(name), Some(policy), false) = (name, &self.policy, session.ech_accepted())
            && policy.refuses_clear(name)
        {
            return Err(SslAlert::UNRECOGNIZED_NAME);
        }
        let places = self.choice.choose(name, now());
        if places.is_empty() {
            return Err(SslAlert::UNRECOGNIZED_NAME);
        }
        // A ticket opens only the name that it was given for, under the certificates that it was given
        // under.
        let mut partition = Sha256::new();
        partition.update(name.unwrap_or_default().as_bytes());
        for place in places {
            partition.update(&self.prints[place]);
            self.credentials[place]
                .offer(session)
                .map_err(|_| SslAlert::INTERNAL_ERROR)?;
        }
        let partition = partition.finish();
        // SAFETY: the session is valid, and the bytes are copied.
        let done = unsafe {
            boring_sys::SSL_set_session_id_context(
                session.as_ptr(),
                partition.as_ptr(),
                partition.len(),
            )
        };
        if done == 1 {
            Ok(())
        } else {
            Err(SslAlert::INTERNAL_ERROR)
        }
    }
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    let passed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(passed.as_secs()).unwrap_or(i64::MAX)
}
