//! What becomes of a connection, by its first flight alone: served, relayed, or tried. Pure.

use zs_proto::tls::client_hello::{ClientHello, EchKind};

use super::info::host_name;
use crate::config::ClearNames;

/// What to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    Serve,
    /// Only decryption can tell whether its hello is for us; relayed when it is not.
    Try,
    Relay,
}

/// Where other people's connections go, and which those are.
#[derive(Debug)]
pub(super) struct Policy {
    /// In lower case, that of the newest key last.
    public_names: Vec<Box<str>>,
    /// As `HOST:PORT`; else each public name's own port 443.
    upstream: Option<Box<str>>,
    /// Hosts of ours that a client names in clear.
    clear: ClearNames,
    /// Whether anything is relayed.
    relays: bool,
}

impl Policy {
    /// Relays when it is told where to, and for a public name that no certificate covers: someone else
    /// answers for that one.
    pub(super) fn new(
        public_names: Vec<Box<str>>,
        upstream: Option<&str>,
        clear: ClearNames,
        covers: impl Fn(&str) -> bool,
    ) -> Self {
        let foreign = public_names.iter().any(|name| !covers(name));
        Self {
            relays: upstream.is_some() || foreign,
            upstream: upstream.map(Into::into),
            public_names,
            clear,
        }
    }

    pub(super) const fn relays(&self) -> bool {
        self.relays
    }

    fn is_public(&self, name: &str) -> bool {
        self.public_names.iter().any(|public| **public == *name)
    }

    /// Whether a host of ours may be named in clear.
    pub(super) fn refuses_clear(&self, name: &str) -> bool {
        self.clear == ClearNames::Refuse && !self.is_public(name)
    }

    /// Whether a connection whose ECH can't be decrypted is ours all the same, by its clear name.
    pub(super) fn serves_clear(&self, name: Option<&str>, covers: impl Fn(&str) -> bool) -> bool {
        name.is_some_and(|name| {
            covers(name) && (self.is_public(name) || self.clear != ClearNames::Relay)
        })
    }

    /// `hello` is the first message, header included, `None` when there is none.
    pub(super) fn course(&self, hello: Option<&[u8]>, covers: impl Fn(&str) -> bool) -> Course {
        if !self.relays {
            return Course::Serve;
        }
        // Whatever is not understood here is not understood there either, in the way that the one
        // who answers there has.
        let Some(hello) = hello.and_then(ClientHello::parse) else {
            return Course::Relay;
        };
        if !hello.offers_tls13() {
            return Course::Relay;
        }
        match hello.ech() {
            EchKind::Outer => return Course::Try,
            // Inner hellos come out of outer ones, never off the wire (RFC 9849 section 7).
            EchKind::Inner | EchKind::Malformed => return Course::Relay,
            EchKind::Absent => {}
        }
        let name = hello.server_name().and_then(host_name);
        if self.serves_clear(name.as_deref(), covers) {
            Course::Serve
        } else {
            Course::Relay
        }
    }

    /// Where a connection for `name` is relayed to, as `HOST:PORT`. Never a name that only the client
    /// has given.
    pub(super) fn upstream(&self, name: Option<&str>) -> Option<Box<str>> {
        if let Some(upstream) = &self.upstream {
            return Some(upstream.clone());
        }
        let public = name
            .filter(|name| self.is_public(name))
            .or(self.public_names.last().map(|newest| &**newest))?;
        Some(format!("{public}:443").into_boxed_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(name: &str) -> bool {
        name == "secret.test"
    }

    fn policy(upstream: Option<&str>, clear: ClearNames) -> Policy {
        let names = vec!["old.test".into(), "public.test".into()];
        Policy::new(names, upstream, clear, ours)
    }

    /// A hello with these extensions.
    fn hello(extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut list = Vec::new();
        for (number, content) in extensions {
            list.extend(number.to_be_bytes());
            list.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
            list.extend(content);
        }
        let mut body = vec![3, 3];
        body.extend([0; 32]);
        body.extend([0, 0, 2, 0x13, 1, 1, 0]);
        body.extend(u16::try_from(list.len()).unwrap().to_be_bytes());
        body.extend(list);
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[1], &length[1..], &body].concat()
    }

    fn name(name: &str) -> (u16, Vec<u8>) {
        let length = u8::try_from(name.len()).unwrap();
        let mut content = vec![0, length + 3, 0, 0, length];
        content.extend(name.bytes());
        (0, content)
    }

    fn versions(version: u8) -> (u16, Vec<u8>) {
        (43, vec![2, 3, version])
    }

    fn ech(content: &[u8]) -> (u16, Vec<u8>) {
        (0xfe0d, content.to_vec())
    }

    const OUTER: &[u8] = &[0, 0, 1, 0, 1, 7, 0, 0, 0, 0];

    fn course(extensions: &[(u16, Vec<u8>)]) -> Course {
        policy(None, ClearNames::Serve).course(Some(&hello(extensions)), ours)
    }

    #[test]
    fn each_kind_of_hello_goes_its_way() {
        let tls13 = versions(4);
        assert_eq!(course(&[tls13.clone(), name("secret.test")]), Course::Serve);
        assert_eq!(
            course(&[tls13.clone(), name("SECRET.test.")]),
            Course::Serve
        );
        for other in ["public.test", "other.test"] {
            assert_eq!(
                course(&[tls13.clone(), name(other)]),
                Course::Relay,
                "{other}"
            );
        }
        assert_eq!(course(&[versions(4)]), Course::Relay, "no name");
        assert_eq!(course(&[versions(3), name("secret.test")]), Course::Relay);
        assert_eq!(
            course(&[name("secret.test")]),
            Course::Relay,
            "an old client"
        );
        let with = |content| [tls13.clone(), name("public.test"), ech(content)];
        assert_eq!(course(&with(OUTER)), Course::Try);
        assert_eq!(
            course(&with(&[1])),
            Course::Relay,
            "an inner hello in clear"
        );
        assert_eq!(course(&with(&[])), Course::Relay);
        assert_eq!(course(&with(&[2])), Course::Relay);
        let nothing = policy(None, ClearNames::Serve).course(None, ours);
        assert_eq!(nothing, Course::Relay);
    }

    #[test]
    fn the_policy_for_clear_names_is_kept() {
        let hello = hello(&[versions(4), name("secret.test")]);
        for (clear, expected) in [
            (ClearNames::Serve, Course::Serve),
            (ClearNames::Refuse, Course::Serve),
            (ClearNames::Relay, Course::Relay),
        ] {
            let policy = policy(None, clear);
            assert_eq!(policy.course(Some(&hello), ours), expected);
            let refused = clear == ClearNames::Refuse;
            assert_eq!(policy.refuses_clear("secret.test"), refused);
        }
    }

    #[test]
    fn nothing_is_relayed_where_every_public_name_has_a_certificate() {
        let names = vec!["secret.test".into()];
        let policy = Policy::new(names, None, ClearNames::Serve, ours);
        assert!(!policy.relays());
        assert_eq!(policy.course(None, ours), Course::Serve);
    }

    #[test]
    fn a_client_never_chooses_where_it_is_relayed_to() {
        let open = policy(None, ClearNames::Serve);
        assert_eq!(
            open.upstream(Some("old.test")).as_deref(),
            Some("old.test:443")
        );
        for other in [Some("evil.test"), Some("secret.test"), None] {
            assert_eq!(open.upstream(other).as_deref(), Some("public.test:443"));
        }
        let fixed = policy(Some("127.0.0.1:4443"), ClearNames::Serve);
        assert_eq!(
            fixed.upstream(Some("old.test")).as_deref(),
            Some("127.0.0.1:4443")
        );
    }
}
