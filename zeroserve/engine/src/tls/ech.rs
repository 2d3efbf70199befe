//! Keys of Encrypted Client Hello (RFC 9849). In: PEM files. Out: what the library decrypts with, and the
//! names that those keys stand behind.

use boring::base64;
use boring::error::ErrorStack;
use boring::hpke::HpkeKey;
use boring::ssl::SslEchKeys;
use serde::Serialize;
use zs_proto::tls::ech_config::EchConfig;
use zs_proto::tls::pem;

use super::bug;
use crate::config::EchSpec;
use crate::error::EngineError;

/// Bytes of an X25519 scalar.
const PRIVATE_KEY_BYTES: usize = 32;

pub(super) struct Keys {
    pub(super) library: SslEchKeys,
    /// In lower case, that of the newest key last.
    pub(super) public_names: Vec<Box<str>>,
    pub(super) summary: EchSummary,
}

/// What the operator is told.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct EchSummary {
    /// Base64 of the `ECHConfigList` that belongs into DNS: the newest config alone.
    config_list: String,
    /// Every config that is decrypted, in hex, so that it is noticed when one goes.
    configs: Vec<String>,
    public_names: Vec<Box<str>>,
}

struct Pair {
    key: Vec<u8>,
    config: Vec<u8>,
}

/// Reads all keys; the last one is the newest, and the only one that clients are told to use.
///
/// # Errors
/// `Refused`, naming the file.
pub(super) fn read(spec: &EchSpec) -> Result<Keys, EngineError> {
    let mut pairs = Vec::new();
    let mut ids = [false; 256];
    let mut public_names: Vec<Box<str>> = Vec::new();
    for file in &spec.files {
        let before = pairs.len();
        read_file(&file.path, &file.pem, &mut pairs)?;
        for pair in &pairs[before..] {
            let config = EchConfig::parse(&pair.config)
                .ok_or_else(|| refused(&file.path, "holds an ECH config that can not be read"))?;
            if std::mem::replace(&mut ids[usize::from(config.id)], true) {
                let what = format!("duplicate ECH config_id 0x{:02x}", config.id);
                return Err(EngineError::Refused(format!("{what} in `{}`", file.path)));
            }
            let name = config.public_name.to_ascii_lowercase().into_boxed_str();
            public_names.retain(|known| *known != name);
            public_names.push(name);
        }
    }
    let Some((newest, older)) = pairs.split_last() else {
        return Err(EngineError::Refused(format!(
            "no ECH key found in `{}`",
            spec.path
        )));
    };
    let summary = EchSummary {
        config_list: config_list(&newest.config),
        configs: pairs.iter().map(|pair| hex(&pair.config)).collect(),
        public_names: public_names.clone(),
    };
    Ok(Keys {
        library: keys(newest, older).map_err(|error| {
            let what = "holds an ECH key that does not belong to its config";
            match error.errors() {
                [] => bug(&error),
                _ => refused(&spec.path, what),
            }
        })?,
        public_names,
        summary,
    })
}

/// The newest first: it is what most clients have used.
fn keys(newest: &Pair, older: &[Pair]) -> Result<SslEchKeys, ErrorStack> {
    let mut builder = SslEchKeys::builder()?;
    builder.add_key(true, &newest.config, hpke(newest)?)?;
    for pair in older.iter().rev() {
        builder.add_key(false, &pair.config, hpke(pair)?)?;
    }
    Ok(builder.build())
}

/// The function's name is wrong: it makes a key for X25519.
fn hpke(pair: &Pair) -> Result<HpkeKey, ErrorStack> {
    HpkeKey::dhkem_p256_sha256(&pair.key)
}

fn read_file(path: &str, text: &str, pairs: &mut Vec<Pair>) -> Result<(), EngineError> {
    let mut key: Option<Vec<u8>> = None;
    for block in pem::blocks(text) {
        let decoded = || {
            let body: String = block.body.split_whitespace().collect();
            base64::decode_block(&body)
                .map_err(|_| refused(&format!("{path}:{}", block.line), "is not base64"))
        };
        match block.label {
            "ECH PRIVATE KEY" => {
                let bytes = decoded()?;
                if bytes.len() != PRIVATE_KEY_BYTES || key.is_some() {
                    let place = format!("{path}:{}", block.line);
                    return Err(refused(
                        &place,
                        "is not an ECH key with its config behind it",
                    ));
                }
                key = Some(bytes);
            }
            "ECH CONFIG" => {
                let key = key.take().ok_or_else(|| {
                    refused(path, "holds an ECH config without its key before it")
                })?;
                let config = decoded()?;
                pairs.push(Pair { key, config });
            }
            _ => {}
        }
    }
    match key {
        Some(_) => Err(refused(
            path,
            "holds an ECH key without its config behind it",
        )),
        None => Ok(()),
    }
}

/// Clients take a list, with a length of two bytes before it.
fn config_list(config: &[u8]) -> String {
    let length = u16::try_from(config.len())
        .unwrap_or(u16::MAX)
        .to_be_bytes();
    base64::encode_block(&[&length, config].concat())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn refused(place: &str, what: &str) -> EngineError {
    EngineError::Refused(format!("`{place}` {what}"))
}
