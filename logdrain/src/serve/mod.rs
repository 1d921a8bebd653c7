//! `logdrain serve`: a drain that never loses and never counts twice.
//!
//! ```text
//! intake -------> journal ----------> pipelines ------> sinks
//! tokio           one thread owns     one thread        rows with ids
//!                 the disk
//! connections,    group commits:      state = snapshot  at least once, and
//! credentials,    delivery, id and    + the journal     never two different
//! limits          position, then 204  behind it         rows under one id
//! ```
//!
//! **The journal is the truth.** A delivery is answered with 204 when it is on the disk with its id, in one transaction;
//! its retry is a duplicate from then on. The watermark moves by events of the journal, and so do the settings, so that
//! rows are a function of the journal: what is made again after a crash is the same row under the same id.
//!
//! **Nothing waits for what is behind it.** The writer offers each commit to the pipelines and goes on; when they are
//! busy (closing a minute, waiting for a disk that is full) they read the journal themselves, later. Intake waits for
//! the disk alone, and for no longer than a sender does.
//!
//! **Memory is bounded** by configuration: octets of bodies in flight, connections, drains, and what each drain's
//! pipeline may take. The bound is said at the start.

mod answers;
mod board;
mod clock;
mod config;
mod consumer;
mod counters;
mod doctor;
mod drain_name;
mod drains;
mod event;
mod intake;
mod journal;
mod lateness;
mod metrics;
mod notify;
mod opening;
mod operator;
mod page;
mod pipeline;
mod places;
mod private;
mod reload;
mod settings;
mod sinks;
mod snapshot;

pub(crate) use doctor::run as doctor;
pub(crate) use drains::run as drains;

use crate::args::ServeArgs;
use crate::failure::{Failure, Status};
use answers::Answers;
use board::Board;
use clock::Clocks;
use config::{Config, IntakeLimits};
use consumer::Consumer;
use counters::Counters;
use intake::{Intake, Way};
use journal::{Message, Progress, Timekeeper, Writer};
use opening::{Closed, Opened};
use reload::Running;
use sinks::{JsonLines, otlp};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Deliveries that wait for the next commit.
const QUEUE: usize = 4_096;
/// Commits that wait for the pipelines in memory; more of them wait on the disk.
const COMMITS_AHEAD: usize = 2;
/// Beyond the time of an answer, for connections that do not end.
const LAST_CALL: Duration = Duration::from_secs(1);
/// Between two tries to open the store.
const AGAIN: Duration = Duration::from_secs(1);

/// Open files besides connections: the store with its log and index, rows, snapshots, what the runtime needs.
const OWN_FILES: usize = 40;
/// With fewer it would say that it listens, and serve nobody.
const FEWEST_CONNECTIONS: usize = 8;

/// Why it is time to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    Asked,
    ThreadEnded,
}

pub(crate) fn run(args: &ServeArgs) -> Result<Status, Failure> {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
        .with_target(false)
        .init();
    private::make_private();
    let text = Config::text(args)?;
    let config = Config::from_text(args, &text)?;
    config.may_start().map_err(Failure::Config)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let connections = connections(config.limits.connections)?;
    let config = Arc::new(config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()
        .map_err(|error| Failure::Config(format!("no threads could be started: {error}")))?;
    let bind = |address| {
        let bound = runtime.block_on(TcpListener::bind(address));
        bound.map_err(|error| Failure::Config(format!("{address} cannot be listened on: {error}")))
    };
    let listener = bind(config.listen)?;
    let syslog = config.syslog.map(bind).transpose()?;
    // With port 0 the system chooses.
    let listen = listener.local_addr().unwrap_or(config.listen);
    if let Some(listen) = syslog.as_ref().and_then(|listener| listener.local_addr().ok()) {
        tracing::info!(syslog = %listen, "syslog drains are taken, too");
    }
    let syslog_bound = syslog.as_ref().and_then(|listener| listener.local_addr().ok());
    let bound: Vec<_> = [Some(listen), syslog_bound].into_iter().flatten().collect();

    let reopen = Arc::new(AtomicBool::new(false));
    let stop = Arc::new(AtomicBool::new(false));
    let rows = JsonLines::open(config.out.clone(), reopen.clone(), stop.clone())
        .map_err(|error| Failure::create(config.out.as_deref().unwrap_or(Path::new("-")), &error))?;
    tracing::info!(
        %listen, store = %config.store.display(), out = %config.out.as_deref().unwrap_or(Path::new("-")).display(),
        open = config.access.is_open(), tls = config.tls.is_some(), max_memory_mb = config.max_memory() >> 20, "listening: POST /logs"
    );
    let progress = Arc::new(Progress::default());
    let counters = Arc::new(Counters::default());
    let ready = Arc::default();
    let board = Board::default();
    let Config { access, tls, settings, limits, retention, .. } = &*config;
    let intake = Arc::new(Intake::new(
        IntakeLimits { connections, ..*limits },
        access.clone(),
        tls.clone(),
        settings.clone(),
        progress.clone(),
        counters.clone(),
        Arc::clone(&ready),
    ));

    let house = page::House {
        store: config.store.clone(),
        store_limit: config.store_limit,
        max_memory: config.max_memory(),
        began: Instant::now(),
    };
    let handle = runtime.handle().clone();
    let (ending, endings) = mpsc::channel();
    let (close, closing) = watch::channel(false);
    let http = Way::Http(intake::router(intake.clone(), Answers::new(board.clone(), house, config.metrics)));
    let accepting = runtime.spawn(intake::accept(listener, http, intake.clone(), closing.clone()));
    let gathering =
        syslog.map(|listener| runtime.spawn(intake::accept(listener, Way::Syslog, intake.clone(), closing)));
    let running = Running {
        args: args.clone(),
        config: config.clone(),
        bound,
        text: Mutex::new(text),
        intake: intake.clone(),
        reopen,
    };
    runtime.spawn(signals(running, ending.clone()));
    let telling = intake.clone();
    runtime.spawn(async move { telling.tell().await });
    runtime.spawn(notify::stay_alive());
    // Before the store is open: a disk that does not work is waited for, and is no failure to start.
    notify::tell(notify::READY);
    let close = move || {
        let _ = close.send(true);
        let both = async {
            let _ = accepting.await;
            if let Some(gathering) = gathering {
                let _ = gathering.await;
            }
        };
        let _ = runtime.block_on(async { tokio::time::timeout(limits.answer_within + LAST_CALL, both).await });
        runtime.shutdown_timeout(Duration::from_millis(100));
    };

    let Some(Opened { store, reader, pipelines, last, snapshots, lock }) = open(&config, &endings)? else {
        close();
        return Ok(Status::Done);
    };
    let in_store = |error: journal::StoreError| Failure::Config(format!("{}: {error}", config.store.display()));
    progress.head.store(store.position(), Ordering::Release);
    let emitted = store.emitted().map_err(in_store)?;
    progress.emitted.store(emitted, Ordering::Release);
    progress.storing.store(true, Ordering::Release);
    let (queue, messages) = mpsc::sync_channel(QUEUE);
    let (commits, entries) = mpsc::sync_channel(COMMITS_AHEAD);
    let stored = store.settings();
    let now = intake.settings_after(stored.as_ref());
    if stored.as_ref() != Some(&now) {
        let _ = queue.try_send(Message::Settings(Box::new(now)));
    }
    let collector = config.otlp.clone().map(|endpoint| {
        let (sink, waiting) = otlp::Otlp::new(counters.clone());
        handle.spawn(otlp::send(endpoint, waiting, counters.clone()));
        sink
    });
    let time = Timekeeper::new(Clocks::of_the_machine(), settings, last, pipelines.time(), args.believe_clock);
    let writer = Writer {
        store,
        dir: config.store.clone(),
        queue: messages,
        pipelines: commits,
        progress: progress.clone(),
        counters: counters.clone(),
        retention: *retention,
        // Of the budget, commits that wait for the pipelines hold less than half.
        group_bytes: limits.bodies / 8,
        time,
        owed: None,
    };
    let consumer = Consumer {
        pipelines,
        rows: (rows, (board.clone(), collector)),
        board,
        entries,
        reader,
        snapshots,
        snapshot_every: config.snapshot_every,
        progress,
        counters,
        ready,
        stop: stop.clone(),
        emitted,
        is_owing: false,
        doubts: journal::Doubts::default(),
        asked: None,
    };
    let writer = spawn("journal", &ending, move || writer.run())?;
    let consumer = spawn("pipelines", &ending, move || consumer.run())?;
    intake.open(queue);
    #[cfg(unix)]
    let door = operator::Door::open(&config.store, intake.clone(), &handle);
    tracing::info!("the store is open: deliveries are taken");

    match endings.recv() {
        Ok(Ending::Asked) | Err(_) => tracing::info!("asked to stop: requests at hand are answered"),
        Ok(Ending::ThreadEnded) => tracing::error!("a thread has ended: stopping"),
    }
    notify::tell(notify::STOPPING);
    stop.store(true, Ordering::Release);
    #[cfg(unix)]
    drop(door);
    close();
    intake.close();
    let outcome = match (writer.join(), consumer.join()) {
        (Ok(Ok(())), Ok(Ok(()))) => {
            tracing::info!("everything is stored and counted");
            Ok(Status::Done)
        }
        (Ok(Ok(())), Ok(Err(_))) if !journal::marker(&config.store).exists() => Err(Failure::Config(
            "rows could not be written; what they are made of is stored, and the next start writes them".to_owned(),
        )),
        (Ok(Err(_)), _) | (_, Ok(Err(_))) => Err(Failure::Config(
            "the journal is damaged; the next start sets it aside and takes over what can be read".to_owned(),
        )),
        _ => Err(Failure::Config("a thread ended in a panic; what was acknowledged is stored".to_owned())),
    };
    drop(lock);
    outcome
}

/// Where a server with these arguments listens for deliveries, and whether that is encrypted.
pub(crate) fn listens_on(args: &ServeArgs) -> Result<(SocketAddr, bool), Failure> {
    let config = Config::from_text(args, &Config::text(args)?)?;
    Ok((config.listen, config.tls.is_some()))
}

/// Opens the store, and tries again while the disk does not let it; deliveries are answered with 503 meanwhile. `None`
/// when the program was asked to stop.
fn open(config: &Config, endings: &Receiver<Ending>) -> Result<Option<Opened>, Failure> {
    let mut said = String::new();
    loop {
        match opening::open(config) {
            Ok(opened) => return Ok(Some(opened)),
            Err(Closed::ForGood(why)) => return Err(Failure::Config(why)),
            Err(Closed::ForNow(why)) => {
                if why != said {
                    tracing::error!("{why}; deliveries are answered with 503 until the store can be opened");
                    said = why;
                }
            }
        }
        if endings.recv_timeout(AGAIN).is_ok() {
            return Ok(None);
        }
    }
}

/// Tells when the program is asked to end, and reads the configuration again whenever it is asked to.
#[cfg(unix)]
async fn signals(running: Running, ending: Sender<Ending>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hang_up)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
    else {
        tracing::error!("signals cannot be caught: kill -9 is what stops this, and it is safe");
        return;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => running.reload(),
        }
    }
    let _ = ending.send(Ending::Asked);
}

#[cfg(not(unix))]
async fn signals(_: Running, ending: Sender<Ending>) {
    let _ = tokio::signal::ctrl_c().await;
    let _ = ending.send(Ending::Asked);
}

/// How many connections there may be: as configured, as far as the system has open files for them.
fn connections(wanted: usize) -> Result<usize, Failure> {
    let files = (wanted + OWN_FILES) as u64;
    let Some(allowed) = config::open_files(files).filter(|allowed| *allowed < files) else { return Ok(wanted) };
    let possible = usize::try_from(allowed).unwrap_or(0).saturating_sub(OWN_FILES);
    if possible < FEWEST_CONNECTIONS {
        return Err(Failure::Config(format!(
            "the system allows {allowed} open files (ulimit -n), and {} is the least with which anybody could be \
             served: raise it",
            OWN_FILES + FEWEST_CONNECTIONS
        )));
    }
    tracing::warn!(
        "the system allows {allowed} open files (ulimit -n, LimitNOFILE), which is too few for max_connections = \
         {wanted}: there will be {possible} connections at most"
    );
    Ok(possible)
}

fn spawn<T: Send + 'static>(
    name: &str,
    ending: &Sender<Ending>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<thread::JoinHandle<T>, Failure> {
    /// Tells of the end, also when it is a panic.
    struct End(Sender<Ending>);
    impl Drop for End {
        fn drop(&mut self) {
            let _ = self.0.send(Ending::ThreadEnded);
        }
    }
    let end = End(ending.clone());
    let work = move || {
        let _end = end;
        work()
    };
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map_err(|error| Failure::Config(format!("no thread could be started: {error}")))
}
