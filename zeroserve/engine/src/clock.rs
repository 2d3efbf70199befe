//! Time for one event loop: whole seconds since boot for deadlines, the `Date` header made once a
//! second, precise time once a turn of the loop. Reads the kernel's clocks through the vDSO: a few
//! nanoseconds where a coarse one will do, no system call.

use std::cell::Cell;
use std::time::Duration;

/// Length of `Tue, 24 Nov 2026 06:01:09 GMT` (RFC 9110 section 5.6.7).
pub(crate) const DATE_LEN: usize = 29;

pub(crate) struct Clock {
    second: Cell<u64>,
    date: Cell<[u8; DATE_LEN]>,
    /// The time that scripts are told instead of the real one.
    pretended: Cell<Option<zs_chain::Now>>,
    turn: Cell<Option<Duration>>,
    /// What scripts are told in this turn.
    told: Cell<Option<zs_chain::Now>>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            second: Cell::new(u64::MAX),
            date: Cell::new([0; DATE_LEN]),
            pretended: Cell::new(None),
            turn: Cell::new(None),
            told: Cell::new(None),
        }
    }

    /// A turn of the loop begins: what completed before it is handled now.
    pub(crate) fn begin_turn(&self) {
        self.turn.set(None);
        self.told.set(None);
    }

    /// Monotonic time of this turn of the loop, to the nanosecond: read once a turn, since that costs
    /// 28 ns, for all requests that begin or end in it.
    pub(crate) fn turn(&self) -> Duration {
        self.turn.get().unwrap_or_else(|| {
            let now = read(libc::CLOCK_MONOTONIC);
            self.turn.set(Some(now));
            now
        })
    }

    /// The time as scripts are told it, the same for a turn of the loop: a script that yields sees it
    /// go on.
    pub(crate) fn now(&self) -> zs_chain::Now {
        if let Some(now) = self.pretended.get().or(self.told.get()) {
            return now;
        }
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let now = zs_chain::Now {
            unix_ms: milliseconds(read(libc::CLOCK_REALTIME)),
            monotonic_ms: milliseconds(self.turn()),
        };
        self.told.set(Some(now));
        now
    }

    /// Tells scripts another time from now on.
    pub(crate) fn pretend(&self, now: Option<zs_chain::Now>) {
        self.pretended.set(now);
    }

    /// The value of the `Date` header now.
    pub(crate) fn date(&self) -> [u8; DATE_LEN] {
        let now = unix_seconds();
        if now != self.second.get() {
            let mut text = [0; DATE_LEN];
            zs_proto::date::format_imf(now, &mut text);
            self.date.set(text);
            self.second.set(now);
        }
        self.date.get()
    }
}

/// Seconds since the Unix epoch.
pub(crate) fn unix_seconds() -> u64 {
    read(libc::CLOCK_REALTIME_COARSE).as_secs()
}

/// Seconds since boot, for deadlines; unaffected by wall-clock jumps.
pub(crate) fn monotonic_seconds() -> u64 {
    read(libc::CLOCK_MONOTONIC_COARSE).as_secs()
}

/// Precise monotonic time, for what is measured within a turn of the loop.
pub(crate) fn monotonic() -> Duration {
    read(libc::CLOCK_MONOTONIC)
}

/// Time that this thread has had of the processor.
pub(crate) fn processor_time() -> Duration {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// [`processor_time`] for notes of scripts.
pub(crate) fn processor_nanoseconds() -> u64 {
    u64::try_from(processor_time().as_nanos()).unwrap_or(u64::MAX)
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for a write; the clock ids above exist on every supported kernel.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}
