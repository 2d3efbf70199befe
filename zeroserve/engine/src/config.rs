//! Parsed settings, as Python hands them over the C door. In: JSON. Out: typed values. Never here:
//! a configuration file, an environment variable, a socket.

use std::net::IpAddr;
use std::os::fd::RawFd;

use serde::Deserialize;

/// Everything the engine is started with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Event loops, each on its own thread.
    pub(crate) threads: usize,
    pub(crate) listeners: Vec<Listener>,
    /// Who may say, by the PROXY protocol, whom a connection is for.
    #[serde(default)]
    pub(crate) proxy_from: Vec<Network>,
    pub(crate) generation: GenerationSpec,
    #[serde(default = "default_index")]
    pub(crate) index: String,
    #[serde(default)]
    pub(crate) try_html: bool,
    /// Largest read from the tarball per step, in bytes.
    #[serde(default = "default_chunk_size")]
    pub(crate) chunk_size: usize,
    #[serde(default)]
    pub(crate) access_log: Option<AccessLog>,
    /// Secret path that answers with digest and generation.
    #[serde(default)]
    pub(crate) probe_path: Option<String>,
    /// The only hosts served; others get 421.
    #[serde(default)]
    pub(crate) hostnames: Option<Vec<String>>,
    /// Plain HTTP is sent to HTTPS on this port.
    #[serde(default)]
    pub(crate) redirect_https_port: Option<u16>,
    #[serde(default)]
    pub(crate) limits: Limits,
    #[serde(default)]
    pub(crate) scripts: ScriptLimits,
}

/// What one request's scripts may take, beside their own 512 KiB of memory.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ScriptLimits {
    /// Milliseconds that a script runs before the loop's other work has its turn.
    pub(crate) time_slice_ms: u64,
    /// KiB of JSON, metadata, responses and log lines.
    pub(crate) footprint_kb: usize,
    /// KiB of a request's body that a script may read.
    pub(crate) buffered_body_kb: usize,
    /// Keys of rate limits, for the whole process.
    pub(crate) rate_limit_buckets: usize,
}

impl Default for ScriptLimits {
    fn default() -> Self {
        Self {
            time_slice_ms: 2,
            footprint_kb: 256,
            buffered_body_kb: 256,
            rate_limit_buckets: 10_000,
        }
    }
}

impl ScriptLimits {
    pub(crate) const fn caps(&self) -> zs_chain::Caps {
        zs_chain::Caps {
            footprint: self.footprint_kb.saturating_mul(1024),
            buffered_body: self.buffered_body_kb.saturating_mul(1024),
            rate_limit_keys: self.rate_limit_buckets,
        }
    }
}

/// What a connection may take. Each default is what a careful operator would set. Times are at least a
/// second; a count of zero means that there is no such limit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// For a TLS handshake: a slower peer is stuck or hostile.
    pub(crate) handshake_seconds: u64,
    /// From a request's first byte to the end of its head, then 408 (slow loris).
    pub(crate) head_seconds: u64,
    /// For the rest of a request's body that nobody wants.
    pub(crate) body_seconds: u64,
    /// Between requests; nginx's `keepalive_timeout`.
    pub(crate) idle_seconds: u64,
    /// For one send of at most 128 KiB: slower readers than about 2 KB/s are cut.
    pub(crate) send_seconds: u64,
    /// Requests on one connection. None by default: our connections hold nothing that grows.
    pub(crate) requests_per_connection: u64,
    /// Open connections in all. None by default: descriptors are the limit.
    pub(crate) connections: usize,
    /// Open connections from one address. None by default: proxies and mobile networks share them.
    pub(crate) connections_per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_seconds: 10,
            head_seconds: 10,
            body_seconds: 30,
            idle_seconds: 75,
            send_seconds: 60,
            requests_per_connection: 0,
            connections: 0,
            connections_per_address: 0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A bound, listening socket for each event loop.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listener {
    pub(crate) scheme: Scheme,
    /// Every connection begins with a header of the PROXY protocol.
    #[serde(default)]
    pub(crate) proxy: bool,
    pub(crate) address: String,
    pub(crate) fds: Vec<RawFd>,
}

impl Listener {
    pub(crate) const fn door(&self) -> Door {
        Door {
            scheme: self.scheme,
            proxy: self.proxy,
        }
    }
}

/// What a listener expects of its connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door {
    pub(crate) scheme: Scheme,
    pub(crate) proxy: bool,
}

/// Addresses with the same first `prefix` bits.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    pub(crate) address: IpAddr,
    pub(crate) prefix: u8,
}

impl Network {
    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        let (mine, bits) = number(self.address);
        let (other, other_bits) = number(ip.to_canonical());
        let rest = u32::from(bits.saturating_sub(self.prefix));
        bits == other_bits && mine.checked_shr(rest) == other.checked_shr(rest)
    }
}

fn number(ip: IpAddr) -> (u128, u8) {
    match ip {
        IpAddr::V4(v4) => (u32::from(v4).into(), 32),
        IpAddr::V6(v6) => (v6.into(), 128),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Common,
    Combined,
    Json,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessLog {
    pub(crate) fd: RawFd,
    pub(crate) format: LogFormat,
}

/// What one generation is built from. Files are opened, and keys read, by the caller.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GenerationSpec {
    pub(crate) id: u64,
    pub(crate) site: SiteSpec,
    #[serde(default)]
    pub(crate) release_digest: Option<String>,
    #[serde(default)]
    pub(crate) tls: Option<TlsSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteSpec {
    pub(crate) fd: RawFd,
    pub(crate) path: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsSpec {
    pub(crate) certificates: CertificateSpec,
    #[serde(default)]
    pub(crate) ech: Option<EchSpec>,
}

/// Encrypted Client Hello, and what becomes of connections that are not for us.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EchSpec {
    /// The file or directory that the keys come from.
    pub(crate) path: String,
    /// In the order of their age, the newest last.
    pub(crate) files: Vec<PemFile>,
    /// `HOST:PORT` of whom the connections of others are for.
    #[serde(default)]
    pub(crate) relay: Option<String>,
    #[serde(default)]
    pub(crate) clear: ClearNames,
}

/// What becomes of a client that names one of our hosts in clear, though there are keys for ECH.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClearNames {
    /// Most clients have no ECH.
    #[default]
    Serve,
    /// As if nobody had that name.
    Refuse,
    /// As if it were another's.
    Relay,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum CertificateSpec {
    /// One chain and its key, for every name.
    Pair { cert: PemFile, key: PemFile },
    /// All files of a directory, in the order of their names.
    Directory { path: String, files: Vec<PemFile> },
}

/// PEM text, and the name to blame in errors.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PemFile {
    pub(crate) path: String,
    pub(crate) pem: String,
    /// Base64 of the OCSP response that lies beside it.
    #[serde(default)]
    pub(crate) ocsp: Option<String>,
}

// A key never reaches a log or an error text by way of `{:?}`.
impl std::fmt::Debug for PemFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PemFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn default_index() -> String {
    "index.html".to_owned()
}

const fn default_chunk_size() -> usize {
    64 << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_what_begins_as_it_does() {
        let network = |address: &str, prefix| Network {
            address: address.parse().unwrap(),
            prefix,
        };
        let holds = |network: Network, ip: &str| network.contains(ip.parse().unwrap());
        assert!(holds(network("10.0.0.0", 8), "10.255.0.1"));
        assert!(holds(network("10.0.0.0", 8), "::ffff:10.1.2.3"));
        assert!(!holds(network("10.0.0.0", 8), "11.0.0.1"));
        assert!(!holds(network("10.0.0.0", 8), "a00::1"));
        assert!(holds(network("192.0.2.1", 32), "192.0.2.1"));
        assert!(!holds(network("192.0.2.1", 32), "192.0.2.0"));
        assert!(holds(network("::", 0), "2001:db8::1"));
        assert!(holds(network("0.0.0.0", 0), "192.0.2.1"));
        assert!(!holds(network("2001:db8::", 33), "2001:db8:8000::"));
    }
}
