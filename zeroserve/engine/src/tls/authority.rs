//! Certificates for tests, made on the spot.

use boring::asn1::{Asn1Integer, Asn1Time};
use boring::bn::BigNum;
use boring::ec::{EcGroup, EcKey};
use boring::hash::MessageDigest;
use boring::nid::Nid;
use boring::pkey::{PKey, Private};
use boring::rsa::Rsa;
use boring::x509::extension::{BasicConstraints, SubjectAlternativeName};
use boring::x509::{X509, X509Name};

pub(super) const DAY: i64 = 86_400;

/// A certificate and its key.
pub(super) struct Issued {
    pub(super) certificate: X509,
    pub(super) key: PKey<Private>,
}

/// What a certificate is to be.
#[derive(Clone, Copy)]
pub(super) struct Wish<'w> {
    pub(super) names: &'w [&'w str],
    pub(super) rsa: bool,
    /// Seconds from now.
    pub(super) ends: i64,
    pub(super) issuer: Option<&'w Issued>,
    pub(super) authority: bool,
}

impl Wish<'_> {
    pub(super) const SERVER: Wish<'static> = Wish {
        names: &["a.test"],
        rsa: false,
        ends: 90 * DAY,
        issuer: None,
        authority: false,
    };
}

impl Issued {
    pub(super) fn make(wish: Wish<'_>) -> Self {
        let key = if wish.rsa {
            PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
        } else {
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
            PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
        };
        let mut name = X509Name::builder().unwrap();
        name.append_entry_by_text("CN", wish.names[0]).unwrap();
        let name = name.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        let serial = BigNum::from_u32(u32::from(wish.authority) + 1).unwrap();
        builder
            .set_serial_number(&Asn1Integer::from_bn(&serial).unwrap())
            .unwrap();
        builder.set_subject_name(&name).unwrap();
        let issuer = wish.issuer.map(|issuer| issuer.certificate.subject_name());
        builder.set_issuer_name(issuer.unwrap_or(&name)).unwrap();
        builder.set_pubkey(&key).unwrap();
        let end = super::context::now() + wish.ends;
        let begin = Asn1Time::from_unix(end - 365 * DAY).unwrap();
        builder.set_not_before(&begin).unwrap();
        builder
            .set_not_after(&Asn1Time::from_unix(end).unwrap())
            .unwrap();
        if wish.authority {
            let extension = BasicConstraints::new().critical().ca().build().unwrap();
            builder.append_extension(&extension).unwrap();
        } else {
            let mut alternatives = SubjectAlternativeName::new();
            for name in wish.names {
                alternatives.dns(name);
            }
            let extension = alternatives
                .build(&builder.x509v3_context(None, None))
                .unwrap();
            builder.append_extension(&extension).unwrap();
        }
        let signer = wish.issuer.map_or(&key, |issuer| &issuer.key);
        builder.sign(signer, MessageDigest::sha256()).unwrap();
        Self {
            certificate: builder.build(),
            key,
        }
    }

    pub(super) fn cert_pem(&self) -> String {
        String::from_utf8(self.certificate.to_pem().unwrap()).unwrap()
    }

    pub(super) fn key_pem(&self) -> String {
        String::from_utf8(self.key.private_key_to_pem_pkcs8().unwrap()).unwrap()
    }
}
