//! Sessions against the library's own client, in memory: which certificate it gets, and what its
//! tickets open.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use boring::pkey::{Id, PKey};
use boring::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslRef, SslSession, SslSessionCacheMode,
    SslStream,
};
use boring::x509::X509;
use zs_proto::tls::flight::{Flight, first_message};

use super::authority::{DAY, Issued, Wish};
use super::{ConnectionInfo, Context, Ingested, Session, build};
use crate::config::{CertificateSpec, ClearNames, EchSpec, PemFile, TlsSpec};

pub(super) fn file(path: &str, pem: String) -> PemFile {
    PemFile {
        path: path.to_owned(),
        pem,
        ocsp: None,
    }
}

fn directory(files: Vec<PemFile>) -> TlsSpec {
    TlsSpec {
        certificates: CertificateSpec::Directory {
            path: "certs".to_owned(),
            files,
        },
        ech: None,
    }
}

/// One file for each, with certificate and key, in this order.
fn server(issued: &[&Issued]) -> Context {
    let files = issued
        .iter()
        .enumerate()
        .map(|(number, one)| file(&format!("{number}.pem"), one.cert_pem() + &one.key_pem()))
        .collect();
    build(&directory(files)).unwrap().0
}

fn refusal(files: Vec<PemFile>) -> String {
    match build(&directory(files)) {
        Ok(_) => panic!("taken"),
        Err(error) => error.to_string(),
    }
}

/// The client's end of the wire.
#[derive(Clone, Default)]
struct Wire {
    to_client: Rc<RefCell<Vec<u8>>>,
    to_server: Rc<RefCell<Vec<u8>>>,
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut waiting = self.to_client.borrow_mut();
        if waiting.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = waiting.len().min(into.len());
        into[..count].copy_from_slice(&waiting[..count]);
        waiting.drain(..count);
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to_server.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a client asks for.
#[derive(Default)]
pub(super) struct Ask<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) algorithms: Option<&'a str>,
    pub(super) groups: Option<&'a str>,
    pub(super) ech: Option<&'a [u8]>,
    pub(super) session: Option<&'a SslSession>,
}

/// What came of it.
pub(super) struct Met {
    pub(super) certificate: Option<X509>,
    pub(super) chain: Vec<X509>,
    pub(super) resumed: bool,
    pub(super) ticket: Option<SslSession>,
    pub(super) group: Option<&'static str>,
    /// There was a `HelloRetryRequest`.
    pub(super) asked_again: bool,
    pub(super) info: ConnectionInfo,
}

/// One handshake; the error is the reason that the client names.
pub(super) fn meet(context: &Context, ask: &Ask<'_>) -> Result<Met, String> {
    let ticket = Rc::new(RefCell::new(None));
    let client = client(ask, &ticket);
    let wire = Wire::default();
    let mut client = SslStream::new(client, wire.clone()).unwrap();
    let mut server: Option<Session<Vec<u8>>> = None;
    let mut info = None;
    let mut plaintext = Vec::new();
    for _ in 0..8 {
        let mut byte = [0];
        let shaken = client.connect();
        let failed = match shaken {
            Ok(()) => client.ssl_read(&mut byte).err(),
            Err(error) => Some(error),
        };
        let failed = failed.filter(|error| error.io_error().is_none());
        if let Some(error) = failed
            && let Some(stack) = error.ssl_error()
        {
            return Err(super::reason(stack));
        }
        let sent = std::mem::take(&mut *wire.to_server.borrow_mut());
        if sent.is_empty() {
            break;
        }
        let outcome = if let Some(server) = &mut server {
            Session::ingest(server, sent, &mut plaintext)
        } else {
            let Flight::Hello(hello) = first_message(&sent) else {
                panic!("no hello");
            };
            let opened = Session::open_ours(context, &sent, Some(&hello)).unwrap();
            let (fresh, outcome) = opened.expect("ours");
            server = Some(fresh);
            outcome
        };
        let server = server.as_mut().unwrap();
        if outcome == Ingested::Established {
            info = Some(server.take_info());
            assert!(server.seal(b"x"), "tickets leave with the first answer");
        }
        wire.to_client.borrow_mut().append(server.output());
    }
    let ssl: &SslRef = client.ssl();
    let ticket = ticket.borrow_mut().take();
    Ok(Met {
        certificate: ssl.peer_certificate(),
        chain: ssl
            .peer_cert_chain()
            .map(|chain| chain.iter().map(ToOwned::to_owned).collect())
            .unwrap_or_default(),
        resumed: ssl.session_reused(),
        ticket,
        group: ssl.curve_name(),
        asked_again: ssl.used_hello_retry_request(),
        info: info.expect("established"),
    })
}

fn client(ask: &Ask<'_>, ticket: &Rc<RefCell<Option<SslSession>>>) -> Ssl {
    let mut builder: SslContextBuilder = SslContext::builder(SslMethod::tls()).unwrap();
    builder.set_session_cache_mode(SslSessionCacheMode::CLIENT);
    if let Some(list) = ask.algorithms {
        builder.set_sigalgs_list(list).unwrap();
    }
    if let Some(list) = ask.groups {
        builder.set_curves_list(list).unwrap();
    }
    let slot = Slot(Rc::clone(ticket));
    builder.set_new_session_callback(move |_, session| slot.put(session));
    let mut ssl = Ssl::new(&builder.build()).unwrap();
    if let Some(name) = ask.name {
        ssl.set_hostname(name).unwrap();
    }
    if let Some(configs) = ask.ech {
        ssl.set_ech_config_list(configs).unwrap();
    }
    if let Some(session) = ask.session {
        // SAFETY: the session came from a context of the same settings.
        unsafe { ssl.set_session(session).unwrap() };
    }
    ssl
}

/// Where the client's ticket goes. The library asks for `Send`; everything here is on one thread.
struct Slot(Rc<RefCell<Option<SslSession>>>);

// SAFETY: tests use a client on the thread that made it, and on no other.
unsafe impl Send for Slot {}
// SAFETY: as above.
unsafe impl Sync for Slot {}

impl Slot {
    fn put(&self, session: SslSession) {
        *self.0.borrow_mut() = Some(session);
    }
}

fn ask(name: &str) -> Ask<'_> {
    Ask {
        name: Some(name),
        ..Ask::default()
    }
}

fn gets(context: &Context, ask: &Ask<'_>, issued: &Issued) -> bool {
    let got = meet(context, ask).unwrap().certificate.unwrap();
    got.to_der().unwrap() == issued.certificate.to_der().unwrap()
}

#[test]
fn each_name_gets_its_certificate() {
    let a = Issued::make(Wish::SERVER);
    let b = Issued::make(Wish {
        names: &["b.test", "*.b.test"],
        ..Wish::SERVER
    });
    let context = server(&[&a, &b]);
    assert!(gets(&context, &ask("a.test"), &a));
    assert!(gets(&context, &ask("B.Test."), &b));
    assert!(gets(&context, &ask("www.b.test"), &b));
    assert!(gets(&context, &Ask::default(), &a), "no name: the first");
    let info = meet(&context, &ask("WWW.b.test")).unwrap().info;
    assert_eq!(info.sni_inner.as_deref(), Some("www.b.test"));
    assert!(info.ja4.unwrap().starts_with("t13d"));
}

#[test]
fn a_name_that_nobody_has_gets_the_alert_for_it() {
    let context = server(&[&Issued::make(Wish::SERVER)]);
    let reason = meet(&context, &ask("other.test")).err().unwrap();
    assert_eq!(reason, "tlsv1 alert unrecognized name");
}

#[test]
fn the_client_says_which_kind_of_key_it_can_verify() {
    let rsa = Issued::make(Wish {
        rsa: true,
        ..Wish::SERVER
    });
    let ecdsa = Issued::make(Wish::SERVER);
    let context = server(&[&rsa, &ecdsa]);
    let with = |algorithms| Ask {
        algorithms: Some(algorithms),
        ..ask("a.test")
    };
    assert!(gets(&context, &ask("a.test"), &ecdsa), "the cheaper one");
    let only_rsa = with("rsa_pss_rsae_sha256");
    assert!(gets(&context, &only_rsa, &rsa));
    assert!(gets(&context, &with("ecdsa_secp256r1_sha256"), &ecdsa));
}

#[test]
fn a_ticket_opens_its_name_only() {
    let both = Issued::make(Wish {
        names: &["a.test", "b.test"],
        ..Wish::SERVER
    });
    let context = server(&[&both]);
    let first = meet(&context, &ask("a.test")).unwrap();
    assert!(!first.resumed);
    let ticket = first.ticket.unwrap();
    let again = |context: &Context, name| {
        let ask = Ask {
            session: Some(&ticket),
            ..ask(name)
        };
        meet(context, &ask).unwrap().resumed
    };
    assert!(again(&context, "a.test"));
    assert!(
        !again(&context, "b.test"),
        "the same certificate, another name"
    );
    let reloaded = server(&[&both]);
    assert!(again(&reloaded, "a.test"), "a reload keeps tickets");
    let renewed = Issued::make(Wish {
        names: &["a.test", "b.test"],
        ..Wish::SERVER
    });
    assert!(
        !again(&server(&[&renewed]), "a.test"),
        "another certificate"
    );
}

#[test]
fn the_key_exchange_is_safe_against_what_is_to_come() {
    let context = server(&[&Issued::make(Wish::SERVER)]);
    let group = |groups| {
        let ask = Ask {
            groups: Some(groups),
            ..ask("a.test")
        };
        meet(&context, &ask).unwrap().group
    };
    assert_eq!(group("X25519MLKEM768:X25519"), Some("X25519MLKEM768"));
    assert_eq!(group("P-256"), Some("P-256"));
}

#[test]
fn a_chain_is_put_together_from_all_files() {
    let root = Issued::make(Wish {
        names: &["root"],
        authority: true,
        ..Wish::SERVER
    });
    let between = Issued::make(Wish {
        names: &["an issuer"],
        authority: true,
        issuer: Some(&root),
        ..Wish::SERVER
    });
    let leaf = Issued::make(Wish {
        issuer: Some(&between),
        ..Wish::SERVER
    });
    let files = vec![
        file("cert.pem", leaf.cert_pem()),
        file("chain.pem", between.cert_pem() + &root.cert_pem()),
        file("fullchain.pem", leaf.cert_pem() + &between.cert_pem()),
        file("key.pem", leaf.key_pem()),
    ];
    let (context, told) = build(&directory(files)).unwrap();
    assert_eq!(told.warnings, Vec::<String>::new());
    let chain = meet(&context, &ask("a.test")).unwrap().chain;
    let subjects: Vec<_> = chain.iter().map(|one| one.to_der().unwrap()).collect();
    let expected = [&leaf, &between].map(|one| one.certificate.to_der().unwrap());
    assert_eq!(subjects, expected);
}

#[test]
fn what_can_not_be_served_is_refused_with_its_place() {
    let good = Issued::make(Wish::SERVER);
    let other = Issued::make(Wish::SERVER);
    let old = Issued::make(Wish {
        ends: -DAY,
        ..Wish::SERVER
    });
    let pem = |one: &Issued| one.cert_pem() + &one.key_pem();
    let cases = [
        (
            vec![file("k", good.key_pem())],
            "no TLS certificate PEMs found in `certs`",
        ),
        (
            vec![file("c", good.cert_pem())],
            "no TLS private key PEMs found in `certs`",
        ),
        (
            vec![file("c", good.cert_pem()), file("k", other.key_pem())],
            "no TLS certificate in `certs` matched any private key",
        ),
        (
            vec![file("old", pem(&old))],
            "all TLS certificates are expired in `certs`",
        ),
        (
            vec![file(
                "bad",
                "x\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
            )],
            "`bad:2` is not a certificate: ",
        ),
        (
            vec![file(
                "locked",
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
                    .to_owned(),
            )],
            "`locked:1`: the private key is encrypted",
        ),
    ];
    for (files, expected) in cases {
        let text = refusal(files);
        assert!(text.starts_with(expected), "{text}");
    }
}

#[test]
fn what_is_left_over_is_said_and_does_no_harm() {
    let good = Issued::make(Wish::SERVER);
    let keyless = Issued::make(Wish {
        names: &["b.test"],
        ..Wish::SERVER
    });
    let old = Issued::make(Wish {
        ends: -DAY,
        ..Wish::SERVER
    });
    let files = vec![
        file("1", old.cert_pem() + &old.key_pem()),
        file("2", good.cert_pem() + &good.key_pem()),
        file("3", keyless.cert_pem()),
        file("4", Issued::make(Wish::SERVER).key_pem()),
    ];
    let (context, told) = build(&directory(files)).unwrap();
    assert_eq!(
        told.warnings,
        [
            "`1`: the certificate for `a.test` has expired",
            "`3`: no private key belongs to the certificate for `b.test`, it is not used",
            "`4`: the private key belongs to no certificate",
        ]
    );
    assert!(
        gets(&context, &ask("a.test"), &good),
        "the expired one is last"
    );
    assert!(gets(&context, &Ask::default(), &good));
}

/// A key for `public.test`: its file, and the list that clients take.
fn ech_key(id: u8) -> (String, Vec<u8>) {
    let secret = PKey::generate(Id::X25519).unwrap();
    let (mut private, mut public) = ([0; 32], [0; 32]);
    secret.raw_private_key(&mut private).unwrap();
    secret.raw_public_key(&mut public).unwrap();
    let name = b"public.test";
    let mut contents = vec![id, 0, 0x20, 0, 32];
    contents.extend(public);
    contents.extend([0, 4, 0, 1, 0, 1, 0, 11]);
    contents.extend(name);
    contents.extend([0, 0]);
    let length = u8::try_from(contents.len()).unwrap();
    let config = [&[0xfe, 0x0d, 0, length][..], &contents].concat();
    let block = |label: &str, bytes: &[u8]| {
        let body = boring::base64::encode_block(bytes);
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    };
    let pem = block("ECH PRIVATE KEY", &private) + &block("ECH CONFIG", &config);
    (pem, [&[0, length + 4][..], &config].concat())
}

fn with_ech(keys: &[&str], clear: ClearNames, relay: Option<&str>) -> Context {
    let names = [&["hidden.test"][..], &["public.test"]];
    let files = names.map(|names| {
        let issued = Issued::make(Wish {
            names,
            ..Wish::SERVER
        });
        file(names[0], issued.cert_pem() + &issued.key_pem())
    });
    let mut spec = directory(files.into());
    spec.ech = Some(EchSpec {
        path: "keys".to_owned(),
        files: keys
            .iter()
            .map(|&key| file("key", key.to_owned()))
            .collect(),
        relay: relay.map(str::to_owned),
        clear,
    });
    build(&spec).unwrap().0
}

#[test]
fn a_hidden_name_is_served_and_both_hellos_are_known() {
    let (key, list) = ech_key(7);
    let context = with_ech(&[&key], ClearNames::Refuse, None);
    let hidden = Ask {
        ech: Some(&list),
        ..ask("hidden.test")
    };
    let info = meet(&context, &hidden).unwrap().info;
    assert_eq!(info.ech, Some(true));
    assert_eq!(info.sni_inner.as_deref(), Some("hidden.test"));
    assert_eq!(info.sni_outer.as_deref(), Some("public.test"));
    assert!(info.ja4_inner.is_some());
    let again = Ask {
        groups: Some("P-521:P-256"), // the first is one that the server does not have
        ech: Some(&list),
        ..ask("hidden.test")
    };
    let met = meet(&context, &again).unwrap();
    assert!(met.asked_again && met.info.ech == Some(true));
    assert_eq!(met.info.sni_inner.as_deref(), Some("hidden.test"));
    assert_ne!(info.ja4, info.ja4_inner);
    let clear = meet(&context, &ask("public.test")).unwrap().info;
    assert_eq!(
        (clear.ech, clear.sni_outer, clear.ja4_inner),
        (Some(false), None, None)
    );
    let refused = meet(&context, &ask("hidden.test")).err().unwrap();
    assert_eq!(refused, "tlsv1 alert unrecognized name");
}

#[test]
fn whose_connection_it_is_is_known_before_anything_is_sent() {
    let (key, list) = ech_key(7);
    let (_, stale) = ech_key(7);
    let context = with_ech(&[&key], ClearNames::Relay, Some("other.test:443"));
    let first_flight = |ask: &Ask<'_>| {
        let wire = Wire::default();
        let client = client(ask, &Rc::default());
        let _ = SslStream::new(client, wire.clone()).unwrap().connect();
        wire.to_server.take()
    };
    let ours = |flight: &[u8]| {
        let hello = match first_message(flight) {
            Flight::Hello(hello) => Some(hello),
            _ => None,
        };
        Session::<Vec<u8>>::open_ours(&context, flight, hello.as_deref())
            .unwrap()
            .is_some()
    };
    let with = |list| Ask {
        ech: Some(list),
        ..ask("hidden.test")
    };
    let decrypted = first_flight(&with(&list));
    assert!(ours(&decrypted));
    assert!(
        ours(&first_flight(&with(&stale))),
        "its public name has a certificate"
    );
    assert!(ours(&first_flight(&ask("public.test"))));
    assert!(!ours(&first_flight(&ask("hidden.test"))), "in clear");
    assert!(!ours(&first_flight(&ask("other.test"))));
    assert!(!ours(b"GET / HTTP/1.1\r\n"));
    for at in 43..decrypted.len() {
        let mut broken = decrypted.clone();
        broken[at] ^= 0x20;
        let _ = ours(&broken); // whatever it is, it ends in one of the two
    }
}
