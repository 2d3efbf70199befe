//! PEM files become pairs of a chain and its key. In: their texts. Out: pairs, and what the operator
//! should know; or an error that names the file.

use boring::asn1::{Asn1Time, Asn1TimeRef};
use boring::base64;
use boring::error::ErrorStack;
use boring::nid::Nid;
use boring::pkey::{Id, PKey, PKeyRef, Private};
use boring::x509::{X509, X509Ref};
use std::collections::{HashMap, HashSet};
use zs_proto::tls::pem::{self, Block};

use super::choice::Candidate;
use super::{bug, reason};
use crate::config::{CertificateSpec, PemFile};
use crate::error::EngineError;

const RSA_BITS_MIN: u32 = 2048;
/// Longer chains do not exist, and a circle of cross-signed issuers ends here.
const CHAIN_LENGTH_MAX: usize = 8;

/// A certificate that can be served.
pub(super) struct Pair {
    /// The server's own certificate first.
    pub(super) chain: Vec<X509>,
    pub(super) key: PKey<Private>,
    /// DER of an OCSP response, to be sent along (RFC 8446 section 4.4.2.1).
    pub(super) staple: Option<Vec<u8>>,
    pub(super) candidate: Candidate,
}

pub(super) struct Material {
    pub(super) pairs: Vec<Pair>,
    pub(super) warnings: Vec<String>,
}

/// Reads what the operator gave. `now` in seconds since 1970.
///
/// # Errors
/// `Refused`, naming the file.
pub(super) fn read(spec: &CertificateSpec, now: i64) -> Result<Material, EngineError> {
    match spec {
        CertificateSpec::Pair { cert, key } => Ok(Material {
            pairs: vec![read_pair(cert, key)?],
            warnings: Vec::new(),
        }),
        CertificateSpec::Directory { path, files } => Directory::read(files)?.pairs(path, now),
    }
}

fn read_pair(cert: &PemFile, key: &PemFile) -> Result<Pair, EngineError> {
    let (cert_path, key_path) = (&cert.path, &key.path);
    let chain = X509::stack_from_pem(cert.pem.as_bytes())
        .map_err(|e| refused(cert_path, "is not a PEM certificate chain", &e))?;
    let Some(leaf) = chain.first() else {
        return Err(EngineError::Refused(format!(
            "`{cert_path}` holds no PEM certificate"
        )));
    };
    let key = PKey::private_key_from_pem(key.pem.as_bytes())
        .map_err(|e| refused(key_path, "is not a PEM private key", &e))?;
    judge_key(&key, key_path)?;
    if !leaf.public_key().map_err(|e| bug(&e))?.public_eq(&key) {
        return Err(EngineError::Refused(format!(
            "`{key_path}` is not the key of the certificate in `{cert_path}`"
        )));
    }
    Ok(Pair {
        staple: staple(cert)?,
        candidate: candidate(leaf, &key).map_err(|e| bug(&e))?,
        chain,
        key,
    })
}

/// All that the files of a directory hold.
struct Directory<'f> {
    files: &'f [PemFile],
    /// With the number of its file.
    certificates: Vec<(X509, usize)>,
    /// By the DER of its public half.
    keys: HashMap<Vec<u8>, Key>,
}

struct Key {
    private: PKey<Private>,
    file: usize,
    used: bool,
}

impl<'f> Directory<'f> {
    fn read(files: &'f [PemFile]) -> Result<Self, EngineError> {
        let mut this = Self {
            files,
            certificates: Vec::new(),
            keys: HashMap::new(),
        };
        for (number, file) in files.iter().enumerate() {
            for block in pem::blocks(&file.pem) {
                match block.label {
                    "CERTIFICATE" | "X509 CERTIFICATE" => this.certificate(number, block)?,
                    label if label.ends_with("PRIVATE KEY") && label != "ECH PRIVATE KEY" => {
                        this.key(number, block)?;
                    }
                    _ => {}
                }
            }
        }
        Ok(this)
    }

    fn certificate(&mut self, number: usize, block: Block<'_>) -> Result<(), EngineError> {
        let certificate = X509::from_pem(block.text.as_bytes()).map_err(|error| {
            let place = format!("{}:{}", self.files[number].path, block.line);
            refused(&place, "is not a certificate", &error)
        })?;
        self.certificates.push((certificate, number));
        Ok(())
    }

    fn key(&mut self, number: usize, block: Block<'_>) -> Result<(), EngineError> {
        let place = format!("{}:{}", self.files[number].path, block.line);
        if block.label.starts_with("ENCRYPTED") || block.body.contains("ENCRYPTED") {
            return Err(EngineError::Refused(format!(
                "`{place}`: the private key is encrypted with a password: decrypt it, as with \
                 `openssl pkey -in FILE -out FILE`"
            )));
        }
        let key = PKey::private_key_from_pem(block.text.as_bytes())
            .map_err(|error| refused(&place, "is not a private key", &error))?;
        judge_key(&key, &place)?;
        let public = key.public_key_to_der().map_err(|e| bug(&e))?;
        self.keys.entry(public).or_insert(Key {
            private: key,
            file: number,
            used: false,
        });
        Ok(())
    }

    fn pairs(mut self, directory: &str, now: i64) -> Result<Material, EngineError> {
        let refuse = |text: String| Err(EngineError::Refused(text));
        if self.certificates.is_empty() {
            return refuse(format!("no TLS certificate PEMs found in `{directory}`"));
        }
        if self.keys.is_empty() {
            return refuse(format!("no TLS private key PEMs found in `{directory}`"));
        }
        let mut warnings = Vec::new();
        let mut pairs = Vec::new();
        let mut known: HashSet<Vec<u8>> = HashSet::new();
        for (leaf, number) in &self.certificates {
            let file = &self.files[*number];
            let print = leaf.to_der().map_err(|e| bug(&e))?;
            if !known.insert(print) {
                continue; // as in `cert.pem` and `fullchain.pem`
            }
            let public = leaf.public_key().and_then(|key| key.public_key_to_der());
            let key = public.ok().and_then(|public| self.keys.get_mut(&public));
            let Some(key) = key else {
                if !names(leaf).is_empty() {
                    warnings.push(format!(
                        "`{}`: no private key belongs to the certificate for {}, it is not used",
                        file.path,
                        shown(leaf)
                    ));
                }
                continue;
            };
            key.used = true;
            let candidate = candidate(leaf, &key.private).map_err(|e| bug(&e))?;
            if candidate.names.is_empty() {
                warnings.push(format!(
                    "`{}`: the certificate names no host, it serves clients that name none",
                    file.path
                ));
            }
            if candidate.not_after < now {
                warnings.push(format!(
                    "`{}`: the certificate for {} has expired",
                    file.path,
                    shown(leaf)
                ));
            }
            pairs.push(Pair {
                chain: chain(leaf, *number, &self.certificates),
                key: key.private.clone(),
                staple: staple(file)?,
                candidate,
            });
        }
        if pairs.is_empty() {
            return refuse(format!(
                "no TLS certificate in `{directory}` matched any private key"
            ));
        }
        if pairs.iter().all(|pair| pair.candidate.not_after < now) {
            return refuse(format!("all TLS certificates are expired in `{directory}`"));
        }
        let mut unused: Vec<_> = self.keys.values().filter(|key| !key.used).collect();
        unused.sort_by_key(|key| key.file);
        for key in unused {
            warnings.push(format!(
                "`{}`: the private key belongs to no certificate",
                self.files[key.file].path
            ));
        }
        Ok(Material { pairs, warnings })
    }
}

/// A certificate and its issuers, as far as they are there, the one in the same file first. The root is
/// left out: clients have it, or do not trust it.
fn chain(leaf: &X509, number: usize, all: &[(X509, usize)]) -> Vec<X509> {
    let mut chain = vec![leaf.clone()];
    while chain.len() < CHAIN_LENGTH_MAX {
        let current = chain.last().unwrap_or(leaf);
        let issuers = || all.iter().filter(|(one, _)| issued(one, current));
        let issuer = issuers().find(|(_, file)| *file == number);
        let Some((issuer, _)) = issuer.or_else(|| issuers().next()) else {
            break;
        };
        if issued(issuer, issuer) {
            break;
        }
        let issuer = issuer.clone();
        chain.push(issuer);
    }
    chain
}

fn issued(issuer: &X509Ref, subject: &X509Ref) -> bool {
    issuer.issued(subject).is_ok()
        && issuer
            .public_key()
            .and_then(|key| subject.verify(&key))
            .unwrap_or(false)
}

fn candidate(leaf: &X509Ref, key: &PKeyRef<Private>) -> Result<Candidate, ErrorStack> {
    Ok(Candidate {
        names: names(leaf),
        not_before: seconds(leaf.not_before())?,
        not_after: seconds(leaf.not_after())?,
        ecdsa: key.id() == Id::EC,
    })
}

/// DNS names of a certificate. Its common name is none: nobody compares it any more (RFC 9525).
fn names(certificate: &X509Ref) -> Vec<Box<str>> {
    let alternatives = certificate.subject_alt_names();
    alternatives
        .iter()
        .flatten()
        .filter_map(|name| name.dnsname())
        .map(|name| name.trim_end_matches('.').to_ascii_lowercase().into())
        .collect()
}

fn shown(certificate: &X509Ref) -> String {
    names(certificate)
        .first()
        .map_or_else(|| "no host".to_owned(), |name| format!("`{name}`"))
}

/// Seconds since 1970.
fn seconds(time: &Asn1TimeRef) -> Result<i64, ErrorStack> {
    let passed = Asn1Time::from_unix(0)?.diff(time)?;
    Ok(i64::from(passed.days) * 86_400 + i64::from(passed.secs))
}

fn judge_key(key: &PKeyRef<Private>, place: &str) -> Result<(), EngineError> {
    let good = match key.id() {
        Id::RSA => key.bits() >= RSA_BITS_MIN,
        Id::EC => {
            let curve = key.ec_key().ok().and_then(|key| key.group().curve_name());
            matches!(curve, Some(Nid::X9_62_PRIME256V1 | Nid::SECP384R1))
        }
        _ => false,
    };
    if good {
        return Ok(());
    }
    Err(EngineError::Refused(format!(
        "`{place}`: the private key is of a kind that can not serve here: use ECDSA P-256 or P-384, \
         or RSA of at least {RSA_BITS_MIN} bits"
    )))
}

/// The OCSP response beside a file. It is not judged here but for its first byte: what a client makes
/// of it, it says.
fn staple(file: &PemFile) -> Result<Option<Vec<u8>>, EngineError> {
    const SEQUENCE: u8 = 0x30;
    let Some(text) = &file.ocsp else {
        return Ok(None);
    };
    let der = base64::decode_block(text).unwrap_or_default();
    if der.first() != Some(&SEQUENCE) {
        return Err(EngineError::Refused(format!(
            "the OCSP response beside `{}` is not DER",
            file.path
        )));
    }
    Ok(Some(der))
}

fn refused(place: &str, what: &str, error: &ErrorStack) -> EngineError {
    EngineError::Refused(format!("`{place}` {what}: {}", reason(error)))
}
