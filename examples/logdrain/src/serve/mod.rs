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

mod board;
mod config;
mod consumer;
mod counters;
mod event;
mod intake;
mod journal;
mod metrics;
mod page;
mod pipeline;
mod settings;
mod sinks;
mod snapshot;

use crate::args::ServeArgs;
use crate::failure::{Failure, Status};
use board::Board;
use config::Config;
use consumer::Consumer;
use counters::Counters;
use intake::Intake;
use journal::{JournalReader, Message, Progress, Store, StoreError, WindowClock, Writer};
use pipeline::Pipelines;
use sinks::JsonLines;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

/// Deliveries that wait for the next commit.
const QUEUE: usize = 4_096;
/// Commits that wait for the pipelines in memory; more of them wait on the disk.
const COMMITS_AHEAD: usize = 2;
/// Beyond the time of an answer, for connections that do not end.
const LAST_CALL: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &ServeArgs) -> Result<Status, Failure> {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
        .with_target(false)
        .init();
    let config = Config::load(args)?;
    let max_memory = config.max_memory();
    let snapshots = config.store.join("snapshots");
    std::fs::create_dir_all(&snapshots).map_err(|error| Failure::open(&snapshots, error))?;
    let _lock = lock(&config.store)?;
    let in_store = |error: StoreError| Failure::Config(format!("{}: {error}", config.store.display()));
    let mut store = Store::open(&config.store, config.limits.drains).map_err(in_store)?;
    let reader = JournalReader::open(&config.store).map_err(in_store)?;
    let pipelines = recover(&snapshots, &mut store, &reader, &config).map_err(in_store)?;
    let known = store.settings().map_err(in_store)?;

    let progress = Arc::new(Progress::default());
    progress.head.store(store.position(), Ordering::Release);
    let emitted = store.emitted().map_err(in_store)?;
    progress.emitted.store(emitted, Ordering::Release);
    progress.storing.store(true, Ordering::Release);
    let counters = Arc::new(Counters::default());
    let (ready, stop, reopen) = (Arc::default(), Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (queue, messages) = mpsc::sync_channel(QUEUE);
    let (commits, entries) = mpsc::sync_channel(COMMITS_AHEAD);
    let rows = JsonLines::open(config.out.clone(), reopen.clone(), stop.clone())
        .map_err(|error| Failure::open(config.out.as_deref().unwrap_or(Path::new("-")), error))?;

    if known.as_ref() != Some(&config.settings) {
        drop(queue.try_send(Message::Settings(Box::new(config.settings.clone()))));
    }
    let writer = Writer {
        store,
        queue: messages,
        pipelines: commits,
        progress: progress.clone(),
        counters: counters.clone(),
        retention: config.retention,
        // Of the budget, commits that wait for the pipelines hold less than half.
        group_bytes: config.limits.bodies / 8,
        clock: WindowClock::new(&config.settings),
    };
    let board = Board::default();
    let consumer = Consumer {
        pipelines,
        rows: (rows, board.clone()),
        board: board.clone(),
        entries,
        reader,
        snapshots,
        progress: progress.clone(),
        counters: counters.clone(),
        ready: Arc::clone(&ready),
        stop: stop.clone(),
        emitted,
        is_owing: false,
    };
    let intake = Arc::new(Intake::new(config.limits, config.access, queue, progress, counters.clone(), ready));

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()
        .map_err(|error| Failure::Config(format!("no threads could be started: {error}")))?;
    let listener = runtime
        .block_on(TcpListener::bind(config.listen))
        .map_err(|error| Failure::Config(format!("{} cannot be listened on: {error}", config.listen)))?;
    // With port 0 the system chooses.
    let listen = listener.local_addr().unwrap_or(config.listen);

    let ended = Arc::new(Notify::new());
    let writer = spawn("journal", &ended, move || drop(writer.run()))?;
    let consumer = spawn("pipelines", &ended, move || consumer.run())?;
    tracing::info!(
        %listen, store = %config.store.display(), out = %config.out.as_deref().unwrap_or(Path::new("-")).display(),
        open = intake.access().is_open(), max_memory_mb = max_memory >> 20, "listening: POST /logs"
    );
    runtime.block_on(serve(listener, &intake, board, args, &reopen, &ended));
    stop.store(true, Ordering::Release);
    intake.close();
    runtime.shutdown_timeout(Duration::from_millis(100));
    let written = writer.join().is_ok();
    match (written, consumer.join()) {
        (true, Ok(Ok(()))) => {
            tracing::info!("everything is stored and counted");
            Ok(Status::Done)
        }
        (true, Ok(Err(_))) => Err(Failure::Config(
            "rows could not be written; what they are made of is stored, and the next start writes them".to_owned(),
        )),
        _ => Err(Failure::Config("a thread ended in a panic; what was acknowledged is stored".to_owned())),
    }
}

/// Serves until a signal says that it is enough, or a thread ends.
async fn serve(
    listener: TcpListener,
    intake: &Arc<Intake>,
    board: Board,
    args: &ServeArgs,
    reopen: &AtomicBool,
    ended: &Notify,
) {
    let (stop, stopped) = watch::channel(false);
    let router = intake::router(intake.clone(), board);
    let accepting = tokio::spawn(intake::accept(listener, router, intake.clone(), stopped));
    tokio::select! {
        () = signals(|| reload(args, intake, reopen)) => tracing::info!("asked to stop: requests at hand are answered"),
        () = ended.notified() => tracing::error!("a thread has ended: stopping"),
    }
    let _ = stop.send(true);
    let _ = tokio::time::timeout(intake.limits.answer_within + LAST_CALL, accepting).await;
}

/// Answers when the program is asked to end; calls `reload` whenever it is asked to read its configuration again.
#[cfg(unix)]
async fn signals(mut reload: impl FnMut()) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hang_up)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
    else {
        tracing::error!("signals cannot be caught");
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
            _ = hang_up.recv() => reload(),
        }
    }
}

#[cfg(not(unix))]
async fn signals(_: impl FnMut()) {
    let _ = tokio::signal::ctrl_c().await;
}

/// SIGHUP: credentials, apps and plans are read again, and the output is opened anew. Anything wrong changes nothing.
fn reload(args: &ServeArgs, intake: &Intake, reopen: &AtomicBool) {
    reopen.store(true, Ordering::Release);
    match Config::load(args) {
        Ok(config) => {
            intake.set_access(config.access);
            let sent = intake.queue().map(|queue| queue.try_send(Message::Settings(Box::new(config.settings))));
            if !matches!(sent, Some(Ok(()))) {
                tracing::error!("the queue is full: apps and plans are as before; send SIGHUP again");
            }
            tracing::info!("the configuration was read again; addresses and limits hold from the next start on");
        }
        Err(error) => tracing::error!(%error, "the configuration was not read again"),
    }
}

/// The pipelines as they were, as far as the snapshots and the journal tell.
fn recover(
    snapshots: &Path,
    store: &mut Store,
    reader: &JournalReader,
    config: &Config,
) -> Result<Pipelines, StoreError> {
    let first = reader.first()?;
    let mut found = snapshot::list(snapshots).unwrap_or_default().into_iter();
    let usable = found.find_map(|(_, path)| match snapshot::read(&path) {
        Ok(pipelines) => Some(pipelines),
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "a snapshot is damaged; an older one or the journal stands in");
            None
        }
    });
    let mut pipelines = match usable {
        Some(pipelines) => pipelines,
        None => {
            let settings = store.settings()?.unwrap_or_else(|| config.settings.clone());
            Pipelines::new(settings)
        }
    };
    if pipelines.position() > store.position() {
        tracing::error!(
            snapshot = pipelines.position(),
            journal = store.position(),
            "the journal has lost its end: deliveries behind the snapshot may be missing"
        );
        store.skip_to(pipelines.position())?;
    }
    // What is not kept any more was in a snapshot.
    let from = first.unwrap_or(store.position() + 1);
    if from > pipelines.position() + 1 {
        tracing::error!(
            from = pipelines.position() + 1,
            to = from - 1,
            "no snapshot holds these events, and the journal has given them back: their minutes will be incomplete"
        );
        pipelines.pass_over(from - 1);
    }
    Ok(pipelines)
}

/// One program for one store: the lock ends with the process, however that ends.
fn lock(dir: &Path) -> Result<rusqlite::Connection, Failure> {
    let path = dir.join("lock");
    let take = || {
        let lock = rusqlite::Connection::open(&path)?;
        lock.busy_timeout(Duration::from_secs(2))?;
        lock.execute_batch("PRAGMA journal_mode = memory; BEGIN EXCLUSIVE")?;
        Ok(lock)
    };
    take().map_err(|error: rusqlite::Error| {
        let why = match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy) => "another logdrain serves this store".to_owned(),
            _ => StoreError::from(error).to_string(),
        };
        Failure::Config(format!("{}: {why}", path.display()))
    })
}

fn spawn<T: Send + 'static>(
    name: &str,
    ended: &Arc<Notify>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<thread::JoinHandle<T>, Failure> {
    /// Tells of the end, also when it is a panic.
    struct End(Arc<Notify>);
    impl Drop for End {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let end = End(ended.clone());
    let work = move || {
        let _end = end;
        work()
    };
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map_err(|error| Failure::Config(format!("no thread could be started: {error}")))
}
