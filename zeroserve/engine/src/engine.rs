//! The engine: N loops on N threads, told the same things at the same time. In: settings and
//! generations. Out: statistics. Its methods may be called from any thread.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use futures_channel::mpsc::{UnboundedSender, unbounded};
use zs_chain::Services;

use crate::config::{GenerationSpec, Listener, Settings};
use crate::error::EngineError;
use crate::generation::{Generation, Summary, duplicate};
use crate::listen::Admission;
use crate::memory;
use crate::observe::{Counters, Snapshot};
use crate::site::Naming;
use crate::worker::{self, Command, Rules, Setup};

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Stack of a loop's thread. Tasks live on the heap; `BoringSSL`'s handshakes need the most.
const LOOP_STACK_BYTES: usize = 1 << 20;

/// Largest step of a body: what a large buffer of a connection holds.
const CHUNK_BYTES_MAX: usize = 128 << 10;

pub(crate) struct Engine {
    loops: Vec<Loop>,
    /// Makes reloads follow one another; held while one hashes, so nothing else may wait for it.
    reloading: Mutex<()>,
    generation: AtomicU64,
    running: Arc<Running>,
    naming: Naming,
}

struct Loop {
    commands: UnboundedSender<Command>,
    counters: Arc<Counters>,
}

/// How many loops run, and how many have ended by a panic.
#[derive(Default)]
struct Running {
    count: Mutex<Count>,
    changed: Condvar,
}

#[derive(Default)]
struct Count {
    running: usize,
    died: usize,
}

impl Engine {
    /// # Errors
    /// `Refused` for a bad site, certificate or descriptor; `Unsupported` where there is no `io_uring`.
    pub(crate) fn start(settings: &Settings) -> Result<(Self, Summary), EngineError> {
        if settings.threads == 0 {
            return Err(EngineError::Refused(
                "threads must be greater than zero".to_owned(),
            ));
        }
        memory::settle();
        let rules = Arc::new(rules_of(settings));
        let (generation, summary) = Generation::build(&settings.generation, &rules.naming)?;
        let id = generation.id;
        let generation = Arc::new(generation);
        let retired = spawn_reaper()?;
        // Not part of a generation: a reload must not forget who has used up a limit.
        let services = Arc::new(Services::new(settings.scripts.caps(), VERSION));
        let (started, starts) = mpsc::sync_channel(settings.threads);
        let running = Arc::new(Running::default());
        let naming = rules.naming.clone();
        let mut engine = Self {
            loops: Vec::new(),
            reloading: Mutex::new(()),
            generation: AtomicU64::new(id),
            running,
            naming,
        };
        for number in 0..settings.threads {
            let shared = Shared {
                services: Arc::clone(&services),
                generation: Arc::clone(&generation),
                rules: Arc::clone(&rules),
                retired: retired.clone(),
                started: started.clone(),
            };
            let begun = engine.start_loop(number, settings, shared);
            if let Err(error) = begun.and_then(|()| wait_start(&starts)) {
                engine.tell(|| Command::Stop);
                return Err(error);
            }
        }
        Ok((engine, summary))
    }

    fn start_loop(
        &mut self,
        number: usize,
        settings: &Settings,
        shared: Shared,
    ) -> Result<(), EngineError> {
        let mut listeners = Vec::new();
        for listener in &settings.listeners {
            let fd = listener.fds.get(number).ok_or_else(|| {
                EngineError::Refused(format!(
                    "`{}` has no socket for loop {number}",
                    listener.address
                ))
            })?;
            listeners.push((listener.door(), duplicate(*fd)?));
        }
        let log = settings
            .access_log
            .as_ref()
            .map(|log| duplicate(log.fd).map(|file| (file, log.format)))
            .transpose()?;
        let counters = Arc::new(Counters::default());
        let (commands, inbox) = unbounded();
        let setup = Setup {
            listeners,
            log,
            generation: shared.generation,
            rules: shared.rules,
            services: shared.services,
            counters: Arc::clone(&counters),
            retired: shared.retired,
            commands: inbox,
            myself: commands.clone(),
            started: shared.started,
        };
        let running = Arc::clone(&self.running);
        lock(&running.count).running += 1;
        let spawned = thread::Builder::new()
            .name(format!("zs-loop-{number}"))
            .stack_size(LOOP_STACK_BYTES)
            .spawn(move || {
                let _leaving = Leaving(running);
                worker::run(setup);
            });
        if let Err(error) = spawned {
            lock(&self.running.count).running -= 1;
            return Err(EngineError::Unsupported(format!(
                "no thread for an event loop: {error}"
            )));
        }
        self.loops.push(Loop { commands, counters });
        Ok(())
    }

    /// Builds a generation on the calling thread, then has every loop swap to it. Returns when all
    /// have.
    ///
    /// # Errors
    /// `Refused`, naming the bad file; the old generation goes on serving then.
    pub(crate) fn reload(&self, spec: &GenerationSpec) -> Result<Summary, EngineError> {
        let _one_at_a_time = lock(&self.reloading);
        let (generation, summary) = Generation::build(spec, &self.naming)?;
        let id = generation.id;
        let generation = Arc::new(generation);
        let (done, swapped) = mpsc::sync_channel(self.loops.len());
        let mut told = 0;
        for event_loop in &self.loops {
            let command = Command::Publish(Arc::clone(&generation), done.clone());
            told += usize::from(event_loop.commands.unbounded_send(command).is_ok());
        }
        drop(done);
        for _ in 0..told {
            // A loop that ends meanwhile drops its sender.
            if swapped.recv().is_err() {
                break;
            }
        }
        self.generation.store(id, Ordering::Relaxed);
        Ok(summary)
    }

    /// # Errors
    /// `Refused` for a descriptor that can't be used.
    pub(crate) fn reopen_log(&self, fd: i32) -> Result<(), EngineError> {
        for event_loop in &self.loops {
            let _ = event_loop
                .commands
                .unbounded_send(Command::ReopenLog(duplicate(fd)?));
        }
        Ok(())
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let running = lock(&self.running.count).running;
        let generation = self.generation.load(Ordering::Relaxed);
        let mut sum = Snapshot::new(generation, self.loops.len(), running);
        for event_loop in &self.loops {
            sum.add(&event_loop.counters);
        }
        sum
    }

    /// Stops accepting, ends idle connections, lets the others finish. Returns at once.
    pub(crate) fn drain(&self) {
        self.tell(|| Command::Drain);
    }

    /// True when every loop has ended within `timeout`.
    ///
    /// # Errors
    /// `Bug` when a loop has died: its share of the connections is not served any more.
    pub(crate) fn wait(&self, timeout: Duration) -> Result<bool, EngineError> {
        let deadline = Instant::now() + timeout;
        let mut count = lock(&self.running.count);
        loop {
            if count.died > 0 {
                let (died, all) = (count.died, self.loops.len());
                return Err(EngineError::Bug(format!(
                    "{died} of {all} event loops died; what each said is above"
                )));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if count.running == 0 || left.is_zero() {
                return Ok(count.running == 0);
            }
            (count, _) = self
                .running
                .changed
                .wait_timeout(count, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends every loop now, whatever its connections do.
    pub(crate) fn stop(&self) {
        self.tell(|| Command::Stop);
    }

    fn tell(&self, command: impl Fn() -> Command) {
        for event_loop in &self.loops {
            let _ = event_loop.commands.unbounded_send(command());
        }
    }
}

fn rules_of(settings: &Settings) -> Rules {
    Rules {
        naming: Naming {
            index: settings.index.as_str().into(),
            try_html: settings.try_html,
            traced: false,
        },
        probe_path: settings
            .probe_path
            .as_ref()
            .map(|path| path.as_bytes().into()),
        chunk_size: settings.chunk_size.clamp(1 << 10, CHUNK_BYTES_MAX),
        hostnames: settings.hostnames.clone(),
        redirect_https_port: settings.redirect_https_port,
        limits: settings.limits.clone(),
        time_slice: Duration::from_millis(settings.scripts.time_slice_ms.max(1)),
        admission: Admission::new(&settings.limits),
        proxy_from: settings.proxy_from.clone(),
        own: own_addresses(&settings.listeners),
        relaying: Mutex::default(),
    }
}

/// Those that a connection of ours could lead to; a unix socket is none.
fn own_addresses(listeners: &[Listener]) -> Arc<[SocketAddr]> {
    let addresses = listeners.iter().map(|listener| listener.address.parse());
    addresses.filter_map(Result::ok).collect()
}

/// What the loops of one engine share.
struct Shared {
    services: Arc<Services>,
    generation: Arc<Generation>,
    rules: Arc<Rules>,
    retired: Sender<Arc<Generation>>,
    started: SyncSender<Result<(), EngineError>>,
}

/// Counts a loop out, also when it panics.
struct Leaving(Arc<Running>);

impl Drop for Leaving {
    fn drop(&mut self) {
        let mut count = lock(&self.0.count);
        count.running -= 1;
        count.died += usize::from(thread::panicking());
        drop(count);
        self.0.changed.notify_all();
    }
}

fn wait_start(starts: &Receiver<Result<(), EngineError>>) -> Result<(), EngineError> {
    starts.recv().unwrap_or_else(|_| {
        Err(EngineError::Bug(
            "an event loop ended at its start".to_owned(),
        ))
    })
}

/// A thread that frees retired generations; it ends with the last loop.
fn spawn_reaper() -> Result<Sender<Arc<Generation>>, EngineError> {
    let (retired, inbox) = mpsc::channel::<Arc<Generation>>();
    thread::Builder::new()
        .name("zs-reaper".to_owned())
        .stack_size(64 << 10)
        .spawn(move || inbox.into_iter().for_each(drop))
        .map_err(|error| {
            EngineError::Unsupported(format!("no thread to free generations: {error}"))
        })?;
    Ok(retired)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The values behind our locks are valid at every instant, so a panic elsewhere doesn't spoil them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use super::*;

    fn engine(threads: usize) -> Engine {
        let tar = crate::sim::tarball(&[("index.html", b"hello")]);
        let settings = serde_json::json!({
            "threads": threads,
            "listeners": [],
            "generation": {"id": 1, "site": {"fd": tar.as_raw_fd(), "path": "test.tar"}},
        });
        let settings: Settings = serde_json::from_value(settings).unwrap();
        Engine::start(&settings).unwrap().0
    }

    #[test]
    fn a_loop_that_dies_is_missed() {
        let engine = engine(2);
        assert_eq!(engine.snapshot().threads_running, 2);
        assert!(!engine.wait(Duration::ZERO).unwrap());
        let told = engine.loops[1].commands.unbounded_send(Command::Panic);
        told.unwrap();
        let error = engine.wait(Duration::from_mins(1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "1 of 2 event loops died; what each said is above"
        );
        assert_eq!(engine.snapshot().threads_running, 1);
        engine.stop();
    }

    #[test]
    fn loops_that_are_stopped_have_not_died() {
        let engine = engine(1);
        engine.stop();
        assert!(engine.wait(Duration::from_mins(1)).unwrap());
    }
}
