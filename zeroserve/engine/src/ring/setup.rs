//! Builds the runtime of one event loop, and says in plain words why it can't.

use std::io;
use std::num::NonZero;

use compio::driver::ProactorBuilder;
use compio::runtime::{Runtime, RuntimeBuilder};
use serde::Serialize;

use crate::error::EngineError;

/// Entries of the submission queue. A batch larger than this costs one more system call.
const SUBMISSION_ENTRIES: u32 = 1024;
/// Completions that may wait at once; the kernel keeps an overflow list beyond.
const COMPLETION_ENTRIES: u32 = 4096;
/// Receive buffers of one loop. They belong to the kernel until bytes arrive, so an idle connection
/// owns none. 128 x 4 KiB hold one full batch of 128 ready connections.
const RECV_BUFFERS: NonZero<u16> = NonZero::new(128).unwrap();
/// Size of one: a request head of a browser fits; a 16 KiB TLS record takes a few.
const RECV_BUFFER_BYTES: usize = 4 << 10;
/// Tasks run between two looks at the ring: one enter serves a whole batch of connections.
const TASKS_PER_TURN: usize = 256;
/// Oldest kernel with everything we rely on (`DEFER_TASKRUN` 6.1, buffer rings 5.19).
const KERNEL_MIN: (u32, u32) = (6, 1);

/// Runtime of the calling thread.
///
/// # Errors
/// `Unsupported`, naming cause and remedy, where the kernel refuses a ring.
pub(crate) fn runtime() -> Result<Runtime, EngineError> {
    let mut ring = ProactorBuilder::new();
    ring.capacity(SUBMISSION_ENTRIES)
        .cqsize(COMPLETION_ENTRIES)
        // Flags measured in docs/architecture.md: together they save a third of the CPU a request.
        .single_issuer(true)
        .coop_taskrun(true)
        .defer_taskrun(true)
        .buffer_pool_size(RECV_BUFFERS)
        .buffer_pool_buffer_len(RECV_BUFFER_BYTES)
        .thread_pool_limit(1);
    RuntimeBuilder::new()
        .with_proactor(ring)
        .event_interval(TASKS_PER_TURN)
        .build()
        .map_err(|error| refused(&error))
}

fn refused(error: &io::Error) -> EngineError {
    let problem = diagnose(error);
    EngineError::Unsupported(format!("{}; {}", problem.what, problem.remedy))
}

#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    what: String,
    remedy: String,
}

/// What this machine offers, for `zeroserve doctor`.
#[derive(Debug, Serialize)]
pub(crate) struct Probe {
    supported: bool,
    kernel: String,
    problems: Vec<Problem>,
}

/// Builds and drops a ring with our flags.
pub(crate) fn probe() -> Probe {
    let kernel = kernel_release();
    let mut problems = Vec::new();
    if let Some(version) = parse_version(&kernel)
        && version < KERNEL_MIN
    {
        problems.push(Problem {
            what: format!("kernel {kernel} is older than 6.1"),
            remedy: "run a kernel of 6.1 or newer (Debian 12 and later have one)".to_owned(),
        });
    }
    // A ring with SINGLE_ISSUER belongs to its thread, so the probe gets a thread of its own.
    let built = std::thread::spawn(|| match runtime() {
        Ok(runtime) => runtime.buffer_pool().map(drop),
        Err(_) => Err(io::Error::last_os_error()),
    })
    .join();
    if let Ok(Err(error)) = built {
        problems.push(diagnose(&error));
    }
    Probe {
        supported: problems.is_empty(),
        kernel,
        problems,
    }
}

fn diagnose(error: &io::Error) -> Problem {
    let disabled =
        std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    let (what, remedy) = match (error.raw_os_error(), disabled.trim()) {
        (_, "2") => (
            "io_uring is switched off for everybody (`kernel.io_uring_disabled` is 2)",
            "run `sysctl kernel.io_uring_disabled=0`",
        ),
        (Some(libc::EPERM), "1") => (
            "io_uring is switched off for this user (`kernel.io_uring_disabled` is 1)",
            "run `sysctl kernel.io_uring_disabled=0`, or join the group of `kernel.io_uring_group`",
        ),
        (Some(libc::EPERM | libc::EACCES), _) => (
            "a seccomp profile forbids io_uring, as container engines do by default",
            "allow io_uring_setup, io_uring_enter and io_uring_register in the container's seccomp profile",
        ),
        (Some(libc::ENOSYS), _) => (
            "this kernel has no io_uring, or a seccomp profile hides it",
            "run a kernel of 6.1 or newer with CONFIG_IO_URING, and allow io_uring in the container's seccomp profile",
        ),
        (Some(libc::ENOMEM), _) => (
            "no memory may be locked for io_uring",
            "raise the limit of locked memory (`ulimit -l`, or `LimitMEMLOCK=` in the unit)",
        ),
        (Some(libc::EMFILE | libc::ENFILE), _) => (
            "no file descriptor is left for io_uring",
            "raise the limit of open files (`ulimit -n`, or `LimitNOFILE=` in the unit)",
        ),
        (Some(libc::EINVAL), _) => (
            "this kernel lacks io_uring flags that the server needs (DEFER_TASKRUN)",
            "run a kernel of 6.1 or newer",
        ),
        _ => {
            return Problem {
                what: format!("io_uring could not be set up: {error}"),
                remedy: "run `zeroserve doctor`".to_owned(),
            };
        }
    };
    Problem {
        what: what.to_owned(),
        remedy: remedy.to_owned(),
    }
}

fn kernel_release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

fn parse_version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_releases_are_read_as_distributions_write_them() {
        assert_eq!(parse_version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(parse_version("5.15.0"), Some((5, 15)));
        assert_eq!(parse_version(""), None);
    }

    #[test]
    fn a_refusal_names_cause_and_remedy() {
        let problem = diagnose(&io::Error::from_raw_os_error(libc::EINVAL));
        assert!(problem.what.contains("DEFER_TASKRUN"));
        assert!(problem.remedy.contains("6.1"));
    }
}
