//! A tarball, a generation and a loop's state, made for one test.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use super::MemoryLink;
use crate::config::{Door, GenerationSpec, Limits, Scheme, SiteSpec};
use crate::conn::{Peer, serve};
use crate::generation::Generation;
use crate::listen::Admission;
use crate::observe::Snapshot;
use crate::ring;
use crate::site::Naming;
use crate::worker::{Rules, Worker};

const BLOCK: usize = 512;
const PLAIN: Door = Door {
    scheme: Scheme::Http,
    proxy: false,
};

/// The state of a loop that serves `members`.
pub(crate) fn worker(members: &[(&str, &[u8])]) -> Rc<Worker> {
    let rules = Arc::new(Rules {
        naming: Naming::default(),
        probe_path: Some((*b"/.zeroserve/probe/0123456789abcdef").into()),
        chunk_size: 64 << 10,
        hostnames: None,
        redirect_https_port: None,
        limits: Limits::default(),
        time_slice: std::time::Duration::from_millis(2),
        admission: Admission::new(&Limits::default()),
        proxy_from: Vec::new(),
        own: Arc::default(),
        relaying: Mutex::default(),
    });
    let tar = tarball(members);
    let spec = GenerationSpec {
        id: 7,
        site: SiteSpec {
            fd: tar.as_raw_fd(),
            path: "test.tar".to_owned(),
        },
        release_digest: None,
        tls: None,
    };
    let (generation, _) = Generation::build(&spec, &rules.naming).expect("a good tarball");
    let services = zs_chain::Services::new(zs_chain::Caps::default(), "test");
    Worker::detached(rules, Arc::new(generation), Arc::new(services))
}

/// Everything the peer receives over plain HTTP when it sends `pieces`, and whether the connection was
/// closed properly. Dates are cut out, so that answers compare.
pub(crate) fn answer(
    members: &[(&str, &[u8])],
    pieces: impl IntoIterator<Item = Vec<u8>>,
    takes_at_once: usize,
) -> String {
    let runtime = ring::runtime().expect("io_uring");
    runtime.block_on(async {
        let worker = worker(members);
        let link = MemoryLink::new(pieces, takes_at_once);
        let (received, closed) = (Rc::clone(&link.received), Rc::clone(&link.closed));
        serve(worker, link, Peer::new(None), PLAIN).await;
        assert!(closed.get(), "the connection was left open");
        let text = String::from_utf8_lossy(&received.borrow()).into_owned();
        let mut dateless = String::with_capacity(text.len());
        for line in text.lines().filter(|line| !line.starts_with("Date: ")) {
            dateless.push_str(line);
            dateless.push('\n');
        }
        dateless
    })
}

/// The bytes that a peer receives who sends `pieces` and hangs up after `takes_in_all` bytes, and what
/// was counted.
pub(crate) fn cut(
    members: &[(&str, &[u8])],
    pieces: impl IntoIterator<Item = Vec<u8>>,
    takes_in_all: usize,
) -> (Vec<u8>, Snapshot) {
    let runtime = ring::runtime().expect("io_uring");
    runtime.block_on(async {
        let worker = worker(members);
        let mut link = MemoryLink::new(pieces, usize::MAX);
        link.takes_in_all = takes_in_all;
        let received = Rc::clone(&link.received);
        let counters = Arc::clone(&worker.counters);
        serve(worker, link, Peer::new(None), PLAIN).await;
        let mut counted = Snapshot::new(7, 1, 1);
        counted.add(&counters);
        (received.take(), counted)
    })
}

/// A file in memory that holds `bytes`.
pub(crate) fn file_of(bytes: &[u8]) -> File {
    let name = c"zs-test";
    // SAFETY: the name is a C string; the result is checked.
    let fd = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
    assert!(fd >= 0, "memfd_create failed");
    // SAFETY: just created, and owned by nobody else.
    let mut file = unsafe { <File as std::os::fd::FromRawFd>::from_raw_fd(fd) };
    file.write_all(bytes).expect("memory");
    file
}

/// A ustar of regular files.
pub(crate) fn tarball(members: &[(&str, &[u8])]) -> OwnedFd {
    let mut file = file_of(b"");
    for (name, content) in members {
        let mut header = [0_u8; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        header[136..148].copy_from_slice(b"00000000000\0");
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        file.write_all(&header).expect("memory");
        file.write_all(content).expect("memory");
        let padding = content.len().next_multiple_of(BLOCK) - content.len();
        file.write_all(&vec![0; padding]).expect("memory");
    }
    file.write_all(&[0; 2 * BLOCK]).expect("memory");
    file.into()
}
