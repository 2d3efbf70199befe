//! One event loop: a thread, a ring, and what its connections share. Nothing here is seen by another
//! thread but the counters and the inbox of commands.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::mpsc::{Sender, SyncSender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender};
use futures_util::StreamExt as _;

use crate::clock::Clock;
use crate::config::{Door, Limits, LogFormat, Network};
use crate::conn::{Buffers, Lifetimes};
use crate::error::EngineError;
use crate::generation::{Generation, LoopGeneration};
use crate::listen::{self, Admission};
use crate::memory;
use crate::observe::{AccessLog, Counters, Diagnostics};
use crate::relay::Upstreams;
use crate::ring::{self, ListenSocket};
use crate::site::Naming;

/// How often deadlines are looked at; also their precision.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// After the last connection has closed, the log may still have lines to write.
const LOG_FLUSH_STEP: Duration = Duration::from_millis(5);
const LOG_FLUSH_STEPS: usize = 200;

/// What other threads ask of a loop.
pub(crate) enum Command {
    /// Serve this generation from the next request on; answer when that is so.
    Publish(Arc<Generation>, SyncSender<()>),
    ReopenLog(OwnedFd),
    Drain,
    Stop,
    /// What no command should ever do to a loop.
    #[cfg(test)]
    Panic,
}

/// What a loop is started with.
pub(crate) struct Setup {
    pub(crate) listeners: Vec<(Door, OwnedFd)>,
    pub(crate) log: Option<(OwnedFd, LogFormat)>,
    pub(crate) generation: Arc<Generation>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) services: Arc<zs_chain::Services>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) retired: Sender<Arc<Generation>>,
    pub(crate) commands: UnboundedReceiver<Command>,
    pub(crate) myself: UnboundedSender<Command>,
    /// Told once whether the loop runs.
    pub(crate) started: SyncSender<Result<(), EngineError>>,
}

/// What holds for every request of every generation.
pub(crate) struct Rules {
    pub(crate) naming: Naming,
    pub(crate) probe_path: Option<Box<[u8]>>,
    pub(crate) chunk_size: usize,
    pub(crate) hostnames: Option<Vec<String>>,
    pub(crate) redirect_https_port: Option<u16>,
    pub(crate) limits: Limits,
    /// Time that a script may run before others have their turn.
    pub(crate) time_slice: Duration,
    pub(crate) admission: Admission,
    pub(crate) proxy_from: Vec<Network>,
    /// Addresses of our own listeners.
    pub(crate) own: Arc<[SocketAddr]>,
    /// First flights that are being relayed, by their SHA-256, and how often each.
    pub(crate) relaying: Mutex<HashMap<[u8; 32], usize>>,
}

/// The state that the connections of one loop share.
pub(crate) struct Worker {
    pub(crate) rules: Arc<Rules>,
    pub(crate) clock: Clock,
    pub(crate) counters: Arc<Counters>,
    pub(crate) buffers: Buffers,
    pub(crate) lifetimes: Rc<Lifetimes>,
    pub(crate) log: Option<Rc<AccessLog>>,
    pub(crate) diagnostics: Rc<Diagnostics>,
    /// What this loop keeps for scripts.
    pub(crate) scripts: zs_chain::Pool,
    pub(crate) upstreams: Upstreams,
    /// Where a path is decoded and joined while it is looked up.
    pub(crate) scratch: RefCell<(Vec<u8>, Vec<u8>)>,
    generation: RefCell<Rc<LoopGeneration>>,
    retired: Sender<Arc<Generation>>,
    draining: Cell<bool>,
    sweeping: Cell<bool>,
    myself: UnboundedSender<Command>,
}

impl Worker {
    /// A loop's state without a loop: for requests that come from no socket.
    pub(crate) fn detached(
        rules: Arc<Rules>,
        generation: Arc<Generation>,
        services: Arc<zs_chain::Services>,
    ) -> Rc<Self> {
        let (retired, _) = std::sync::mpsc::channel();
        let (myself, _) = futures_channel::mpsc::unbounded();
        let diagnostics = Diagnostics::gathering();
        let counters = Arc::default();
        Rc::new(Self::new(
            rules,
            generation,
            services,
            counters,
            diagnostics,
            retired,
            myself,
        ))
    }

    /// A loop's state at its start, without an access log.
    fn new(
        rules: Arc<Rules>,
        generation: Arc<Generation>,
        services: Arc<zs_chain::Services>,
        counters: Arc<Counters>,
        diagnostics: Rc<Diagnostics>,
        retired: Sender<Arc<Generation>>,
        myself: UnboundedSender<Command>,
    ) -> Self {
        let generation = LoopGeneration::new(generation, Arc::clone(&counters), retired.clone());
        Self {
            scratch: RefCell::default(),
            upstreams: Upstreams::new(Arc::clone(&rules.own)),
            rules,
            clock: Clock::new(),
            buffers: Buffers::default(),
            lifetimes: Rc::default(),
            log: None,
            diagnostics,
            scripts: zs_chain::Pool::new(services),
            generation: RefCell::new(generation),
            counters,
            retired,
            draining: Cell::new(false),
            sweeping: Cell::new(false),
            myself,
        }
    }

    /// What a request that starts now is answered from, whole.
    pub(crate) fn generation(&self) -> Rc<LoopGeneration> {
        Rc::clone(&self.generation.borrow())
    }

    pub(crate) fn draining(&self) -> bool {
        self.draining.get()
    }

    pub(crate) fn connection_closed(&self) {
        if self.draining.get() && self.lifetimes.open() == 0 {
            let _ = self.myself.unbounded_send(Command::Stop);
        }
    }

    fn publish(&self, shared: Arc<Generation>) {
        let counters = Arc::clone(&self.counters);
        let next = LoopGeneration::new(shared, counters, self.retired.clone());
        self.generation.replace(next);
    }

    fn trim(&self) {
        if self.buffers.trim() {
            memory::give_back();
        }
    }

    /// Starts the sweep of deadlines if it isn't under way; it ends with the last connection, so an
    /// idle server never wakes.
    pub(crate) fn ensure_sweep(self: &Rc<Self>) {
        if self.sweeping.replace(true) {
            return;
        }
        let worker = Rc::clone(self);
        compio::runtime::spawn(async move {
            while worker.lifetimes.open() > 0 {
                ring::sleep(SWEEP_INTERVAL).await;
                worker.counters.timeouts.add(worker.lifetimes.sweep());
                worker.trim();
            }
            // Once more: what was used in the last second goes in the next.
            ring::sleep(SWEEP_INTERVAL).await;
            worker.trim();
            worker.sweeping.set(false);
            if worker.lifetimes.open() > 0 {
                worker.ensure_sweep(); // one came while we slept
            }
        })
        .detach();
    }
}

/// Runs a loop on the calling thread until it is stopped or drained.
pub(crate) fn run(setup: Setup) {
    let runtime = match ring::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = setup.started.send(Err(error));
            return;
        }
    };
    runtime.block_on(serve(setup));
}

/// The next command. The runtime polls its main task first in every turn, so this is also where a turn
/// begins.
async fn next_command(commands: &mut UnboundedReceiver<Command>, clock: &Clock) -> Option<Command> {
    std::future::poll_fn(|context| {
        clock.begin_turn();
        commands.poll_next_unpin(context)
    })
    .await
}

async fn serve(setup: Setup) {
    let Setup {
        listeners,
        log,
        generation,
        rules,
        services,
        counters,
        retired,
        mut commands,
        myself,
        started,
    } = setup;
    let diagnostics = Diagnostics::new();
    let log =
        log.map(|(file, format)| Rc::new(AccessLog::new(file, format, Arc::clone(&counters))));
    let worker = Worker::new(
        rules,
        generation,
        services,
        counters,
        diagnostics,
        retired,
        myself,
    );
    let worker = Rc::new(Worker { log, ..worker });
    let mut accepting: Vec<_> = listeners
        .into_iter()
        .map(|(door, fd)| (door, ListenSocket::new(fd)))
        .flat_map(|(door, socket)| listen::accept(&worker, door, &socket))
        .collect();
    let _ = started.send(Ok(()));
    while let Some(command) = next_command(&mut commands, &worker.clock).await {
        match command {
            Command::Publish(shared, done) => {
                worker.publish(shared);
                let _ = done.send(());
            }
            Command::ReopenLog(file) => {
                if let Some(log) = &worker.log {
                    log.reopen(file);
                }
            }
            Command::Drain => {
                worker.draining.set(true);
                accepting.clear(); // dropping an accept task cancels it; the socket closes
                worker.lifetimes.end_idle();
                worker.connection_closed();
            }
            Command::Stop => break,
            #[cfg(test)]
            Command::Panic => panic!("a loop was told to"),
        }
    }
    if let Some(log) = &worker.log {
        for _ in 0..LOG_FLUSH_STEPS {
            if log.is_idle() {
                break;
            }
            ring::sleep(LOG_FLUSH_STEP).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_bytes_are_those_of_all_generations_in_use() {
        let worker = crate::sim::worker(&[("a.txt", b"a"), ("b.txt", b"b")]);
        let gauge = || worker.counters.cache_bytes.value();
        let old = worker.generation();
        old.keep_body(0, &Rc::from(vec![0; 1000]));
        worker.publish(Arc::clone(&old));
        // A request that began on the old generation.
        old.keep_body(1, &Rc::from(vec![0; 500]));
        worker.generation().keep_body(0, &Rc::from(vec![0; 200]));
        assert_eq!(gauge(), 1700);
        drop(old);
        assert_eq!(gauge(), 200);
    }
}
