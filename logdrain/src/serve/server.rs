//! The server: it starts, runs, and stops.
//!
//! The front (listeners, intake, the page) is up before the store is open, so that a disk that does not work is waited for
//! while deliveries are answered with 503. The back is two threads: one owns the journal, one the pipelines. The end goes
//! the other way round: no new requests, those at hand are answered, the threads write what they have.

use crate::args::ServeArgs;
use crate::failure::{Failure, Status};
use crate::serve::archives;
use crate::serve::clock::Clocks;
use crate::serve::config::{self, Config};
use crate::serve::counters::Counters;
use crate::serve::counting::{Board, Consumer};
use crate::serve::demo;
use crate::serve::directory::Directory;
use crate::serve::door::Outbound;
use crate::serve::ending;
use crate::serve::intake::port::{Port, Protocol};
use crate::serve::intake::{self, Intake, Way};
use crate::serve::journal::{
    self, Damaged, Doubts, Erase, JournalReader, Message, Progress, Publish, StoreError, Timekeeper, Writer,
};
use crate::serve::limits::{IntakeLimits, SLOW_THREADS};
use crate::serve::logs;
use crate::serve::minutes::{Keeping, Minutes};
use crate::serve::notify;
use crate::serve::noting;
use crate::serve::opening::{self, Closed, Lock, Opened};
#[cfg(unix)]
use crate::serve::operator::Door;
use crate::serve::outlets::{JsonLines, Stopped, otlp};
use crate::serve::people::{self, People};
use crate::serve::private;
use crate::serve::reload::Running;
use crate::serve::seal::KeyFile;
use crate::serve::web::addon::Addon;
use crate::serve::web::{self, Answers, Events, House, Site};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task;

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

/// What front and back both hold.
#[derive(Clone, Default)]
struct Shared {
    progress: Arc<Progress>,
    counters: Arc<Counters>,
    /// The journal has been read to its end.
    ready: Arc<AtomicBool>,
    board: Board,
    /// What there is to see of the lines.
    logs: logs::Board,
    /// Rows that cannot go out are waited for no more.
    stop: Arc<AtomicBool>,
    /// The rows' file is to be opened again.
    reopen: Arc<AtomicBool>,
}

pub(crate) fn run(args: &ServeArgs) -> Result<Status, Failure> {
    say_to_standard_error();
    private::make_private();
    let own;
    let args = if args.demo.is_some() {
        own = demo::arguments(args);
        &own
    } else {
        args
    };
    let text = Config::text(args)?;
    let config = Arc::new(checked(args, &text)?);
    let connections = connections(config.limits.connections)?;
    let shared = Shared::default();
    let archives = archives::Board::new(&config.store);
    let (ending, endings) = mpsc::channel();

    let listening = Listening::start(&config)?;
    let made = args.demo.map(|span| demo::fill(&config, span)).transpose()?;
    let rows = open_rows(&config, &shared)?;
    listening.say(&config);
    let front = Front::start(args, text, &config, connections, listening, (&shared, archives.clone()), &ending);
    // Before the store is open: a disk that does not work is waited for, and is no failure to start.
    notify::tell(notify::READY);
    let Some(opened) = open(&config, &archives, &endings)? else {
        front.close();
        return Ok(Status::Done);
    };
    // Whoever comes in is told from others; deliveries do not wait for that.
    if let Err(error) = front.directory.open() {
        tracing::error!("{error}");
    }
    front.runtime.spawn(people::hear(front.directory.clone(), shared.logs.clone()));
    let back = Back::start(args, &config, (opened, archives), rows, &front, &shared, &ending)?;
    tracing::info!("the store is open: deliveries are taken");
    if let Some(made) = made {
        let (intake, logs, stop) = (front.intake.clone(), shared.logs.clone(), shared.stop.clone());
        let base = front.base.clone().unwrap_or_default();
        spawn("demo", &ending, move || made.run(&intake, &logs, &base, &stop))?;
    }

    match endings.recv() {
        Ok(Ending::Asked) | Err(_) => tracing::info!("asked to stop: requests at hand are answered"),
        Ok(Ending::ThreadEnded) => tracing::error!("a thread has ended: stopping"),
    }
    notify::tell(notify::STOPPING);
    shared.stop.store(true, Ordering::Release);
    back.stop(front, &config.store)
}

fn say_to_standard_error() {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
        .with_target(false)
        .init();
}

/// The configuration, as far as a server may start with it.
fn checked(args: &ServeArgs, text: &str) -> Result<Config, Failure> {
    let mut config = Config::from_text(args, text)?;
    if args.demo.is_some() {
        demo::configure(&mut config)?;
    }
    config.may_start().map_err(Failure::Config)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

fn open_rows(config: &Config, shared: &Shared) -> Result<JsonLines, Failure> {
    let rows = JsonLines::open(config.out.clone(), shared.reopen.clone(), shared.stop.clone());
    rows.map_err(|error| Failure::create(out(config), &error))
}

/// The rows' file, as people name it.
fn out(config: &Config) -> &Path {
    config.out.as_deref().unwrap_or(Path::new("-"))
}

/// The addresses that are listened on, and the runtime that does it.
struct Listening {
    runtime: Runtime,
    http: TcpListener,
    syslog: Option<TcpListener>,
    /// With port 0 the system chooses.
    listen: SocketAddr,
    syslog_listen: Option<SocketAddr>,
    ports: Vec<(Arc<Port>, Socket)>,
}

/// What a plain syslog port listens with.
enum Socket {
    Stream(TcpListener),
    Datagrams(UdpSocket),
}

impl Listening {
    fn start(config: &Config) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads(SLOW_THREADS)
            .build()
            .map_err(|error| Failure::Config(format!("no threads could be started: {error}")))?;
        let bind = |address| {
            let bound = runtime.block_on(TcpListener::bind(address));
            bound.map_err(|error| Failure::Config(format!("{address} cannot be listened on: {error}")))
        };
        let http = bind(config.listen)?;
        let syslog = config.syslog.map(bind).transpose()?;
        let listen = http.local_addr().unwrap_or(config.listen);
        let syslog_listen = syslog.as_ref().and_then(|listener| listener.local_addr().ok());
        if let Some(listen) = syslog_listen {
            tracing::info!(syslog = %listen, "syslog drains are taken, too");
        }
        let ports = config.ports.iter().map(|port| Ok((port.clone(), bind_port(&runtime, port)?)));
        let ports = ports.collect::<Result<_, Failure>>()?;
        Ok(Self { runtime, http, syslog, listen, syslog_listen, ports })
    }

    fn say(&self, config: &Config) {
        let listen = self.listen;
        tracing::info!(
            %listen, store = %config.store.display(), out = %out(config).display(),
            open = config.access.is_open(), tls = config.tls.is_some(), max_memory_mb = config.max_memory() >> 20, "listening: POST /logs"
        );
        if config.keeping.is_on() {
            let (hours, gigabytes) =
                (config.keeping.retention.as_secs() / 3_600, config.keeping.limit as f64 / f64::from(1 << 30));
            tracing::info!(
                "lines are kept for {} or up to {gigabytes:.1} GB of files, whichever comes first (logs_retention, logs_limit)",
                if hours >= 48 { format!("{} days", hours / 24) } else { format!("{hours} hours") }
            );
        }
    }
}

fn bind_port(runtime: &Runtime, port: &Port) -> Result<Socket, Failure> {
    let address = port.settings.listen;
    let bound = match port.settings.protocol {
        Protocol::Udp => runtime.block_on(UdpSocket::bind(address)).map(Socket::Datagrams),
        Protocol::Tcp | Protocol::Tls => runtime.block_on(TcpListener::bind(address)).map(Socket::Stream),
    };
    let bound = bound.map_err(|error| Failure::Config(format!("{address} cannot be listened on: {error}")))?;
    let own = match &bound {
        Socket::Stream(listener) => listener.local_addr(),
        Socket::Datagrams(socket) => socket.local_addr(),
    };
    let (name, protocol) = (&port.settings.name, port.settings.protocol);
    tracing::info!(port = %name, at = %own.unwrap_or(address), ?protocol, "plain syslog is taken, too");
    Ok(bound)
}

/// What others speak to: tasks of the runtime.
struct Front {
    runtime: Runtime,
    intake: Arc<Intake>,
    directory: Arc<Directory>,
    minutes: Minutes,
    /// What links begin with: as configured, or this machine's own address.
    base: Option<String>,
    /// Tells the listeners to end.
    close: watch::Sender<bool>,
    listeners: Vec<task::JoinHandle<()>>,
    answer_within: Duration,
}

impl Front {
    fn start(
        args: &ServeArgs,
        text: String,
        config: &Arc<Config>,
        connections: usize,
        listening: Listening,
        (shared, archives): (&Shared, archives::Board),
        ending: &Sender<Ending>,
    ) -> Self {
        let Listening { runtime, http, syslog, listen, syslog_listen, ports } = listening;
        let intake = Arc::new(Intake::new(
            IntakeLimits { connections, ..config.limits },
            config.access.clone(),
            config.tls.clone(),
            config.settings.clone(),
            shared.progress.clone(),
            shared.counters.clone(),
            shared.ready.clone(),
        ));
        let settings = intake.clone();
        let minutes = Minutes::new(&config.store, Keeping::by(move || settings.settings()));
        let house = House {
            minutes: minutes.clone(),
            store: config.store.clone(),
            journal_limit: config.journal_limit,
            max_memory: config.max_memory(),
            logs: shared.logs.clone(),
            logs_limit: config.keeping.limit,
            archives: archives.clone(),
            began: Instant::now(),
        };
        let (close, closing) = watch::channel(false);
        let answers = Answers::new(shared.board.clone(), house, config.metrics);
        // Lines are not kept yet.
        let lines = shared.logs.clone();
        let directory = Directory::new(&config.store);
        let key = Arc::new(KeyFile::new(config.key_file.clone()));
        let outbound = Outbound::new(config.outbound.clone());
        let uploads = archives::Uploads::new(archives.clone(), directory.clone(), key.clone(), outbound);
        runtime.spawn(uploads.clone().run());
        let site = Site::new(
            intake.clone(),
            directory.clone(),
            (shared.board.clone(), shared.logs.clone(), archives.clone(), minutes.clone()),
            uploads,
            config.url.clone(),
            config.open_reading,
            config.v1,
        );
        if let Some(listen) = syslog_listen {
            site.listens(listen.port(), "syslog drains");
        }
        let events = Events::new(closing.clone(), site.searches.clone(), move || lines.reader());
        let addon = config.addon.clone().map(|addon| Addon::new(addon, key));
        if let Some(addon) = addon.clone() {
            runtime.spawn(addon.look_after(site.clone()));
        }
        let router = web::router(&site, addon, answers, events);
        let accept = |listener, way| runtime.spawn(intake::accept(listener, way, intake.clone(), closing.clone()));
        let mut listeners = vec![accept(http, Way::Http(router))];
        listeners.extend(syslog.map(|listener| accept(listener, Way::Syslog)));
        for (port, socket) in ports {
            let bound = match &socket {
                Socket::Stream(listener) => listener.local_addr(),
                Socket::Datagrams(socket) => socket.local_addr(),
            };
            if let Ok(bound) = bound {
                site.listens(bound.port(), "plain syslog");
            }
            listeners.push(match socket {
                Socket::Stream(listener) => accept(listener, Way::Port(port)),
                Socket::Datagrams(socket) => {
                    runtime.spawn(intake::port::receive(socket, port, intake.clone(), closing.clone()))
                }
            });
        }
        let running = Running {
            args: args.clone(),
            config: config.clone(),
            bound: [Some(listen), syslog_listen].into_iter().flatten().collect(),
            text: Mutex::new(text),
            intake: intake.clone(),
            reopen: shared.reopen.clone(),
        };
        runtime.spawn(signals(running, ending.clone()));
        let telling = intake.clone();
        runtime.spawn(async move { telling.tell().await });
        runtime.spawn(notify::stay_alive());
        runtime.spawn(noting::note(shared.logs.clone(), directory.clone(), shared.progress.clone()));
        let own = || {
            let scheme = if config.tls.is_some() { "https" } else { "http" };
            listen.ip().is_loopback().then(|| format!("{scheme}://{listen}"))
        };
        let base = config.url.clone().or_else(own);
        Self { runtime, intake, directory, minutes, base, close, listeners, answer_within: config.limits.answer_within }
    }

    /// Takes no more connections, answers what is at hand, and ends.
    fn close(self) {
        let _ = self.close.send(true);
        let all = async {
            for listener in self.listeners {
                let _ = listener.await;
            }
        };
        let _ = self.runtime.block_on(async { tokio::time::timeout(self.answer_within + LAST_CALL, all).await });
        self.runtime.shutdown_timeout(Duration::from_millis(100));
    }
}

/// Opens the store, and tries again while the disk does not let it; deliveries are answered with 503 meanwhile. `None`
/// when the program was asked to stop.
fn open(config: &Config, archives: &archives::Board, endings: &Receiver<Ending>) -> Result<Option<Opened>, Failure> {
    let mut said = String::new();
    loop {
        let looked = || archives.look().map_err(|error| Closed::ForNow(format!("archives cannot be listed: {error}")));
        match opening::open(config).and_then(|opened| looked().map(|()| opened)) {
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

/// What stores, counts and keeps lines: three threads of their own.
struct Back {
    writer: JoinHandle<Result<(), Damaged>>,
    keeper: Option<JoinHandle<()>>,
    archives: Option<JoinHandle<()>>,
    consumer: JoinHandle<Result<(), Stopped>>,
    minutes: JoinHandle<()>,
    /// By which the operator comes in.
    #[cfg(unix)]
    door: Option<Door>,
    /// Held until everything is written.
    lock: Lock,
}

impl Back {
    /// Starts the threads on the store that was opened, and lets deliveries through to them.
    fn start(
        args: &ServeArgs,
        config: &Config,
        (opened, archives): (Opened, archives::Board),
        rows: JsonLines,
        front: &Front,
        shared: &Shared,
        ending: &Sender<Ending>,
    ) -> Result<Self, Failure> {
        let Opened { store, reader, pipelines, last, snapshots, lock } = opened;
        let Shared { progress, counters, ready, board, stop, logs: shown, .. } = shared.clone();
        progress.head.store(store.position(), Ordering::Release);
        let in_store = |error: StoreError| Failure::Config(format!("{}: {error}", config.store.display()));
        let emitted = store.emitted().map_err(in_store)?;
        let store_head = store.position();
        store.endings().into_iter().for_each(|ending| progress.endings.begin(ending));
        progress.storing.store(true, Ordering::Release);
        progress.taken_id.fetch_max(archives.taken_id(), Ordering::AcqRel);

        let (queue, messages) = mpsc::sync_channel(QUEUE);
        let (commits, entries) = mpsc::sync_channel(COMMITS_AHEAD);
        let stored = store.settings().cloned();
        let first = reader.next_after(0).map_err(in_store)?;
        let (lines, keeper) = if config.keeping.is_on() {
            let settings = opening::at_the_beginning(&store, first, config);
            let (lines, entries) = mpsc::sync_channel(COMMITS_AHEAD);
            let reader = JournalReader::open(&config.store).map_err(in_store)?;
            let keeping = config.keeping.clone();
            let copies = Arc::new(archives.clone());
            let start = logs::Start { dir: config.store.clone(), keeping, copies, settings, reader, entries };
            let copier = archives::Writer {
                board: archives,
                logs: shown.clone(),
                progress: progress.clone(),
                stop: stop.clone(),
                sources: Box::new(archives::Others {
                    intake: front.intake.clone(),
                    directory: front.directory.clone(),
                    logs: shown.clone(),
                    archives: config.archives,
                }),
            };
            (Some(lines), Some((logs::Consumer::new(start, progress.clone(), shown, stop.clone()), copier)))
        } else {
            tracing::info!("lines are not kept: logs_limit is 0");
            (None, None)
        };
        let mut now = stored.as_deref().cloned().unwrap_or_else(|| config.settings.clone());
        now.configure(&config.settings);
        if stored.as_deref() != Some(&now) {
            let _ = queue.try_send(Message::Settings(Box::new(config.settings.clone())));
        }
        front.intake.follow(&Arc::new(now));
        let intake = front.intake.clone();
        let collector = config.otlp.clone().map(|endpoint| {
            let (outlet, waiting) = otlp::Otlp::new(counters.clone());
            front.runtime.spawn(otlp::send(endpoint, waiting, counters.clone()));
            outlet
        });
        let clocks = Clocks::of_the_machine();
        let writer = Writer {
            time: Timekeeper::new(clocks, &config.settings, last, pipelines.time(), args.believe_clock),
            store,
            dir: config.store.clone(),
            queue: messages,
            pipelines: commits,
            logs: lines,
            progress: progress.clone(),
            counters: counters.clone(),
            retention: config.retention,
            // Of the budget, commits that wait for the two who read them hold less than half.
            group_bytes: config.limits.bodies / 16,
            erase: Erase::by(logs::erase),
            publish: Publish::to(move |settings| intake.follow(settings)),
            owed: None,
        };
        // Rows of what a snapshot covers were kept before it was taken.
        let kept = front.minutes.clone();
        let (gather, minutes) = kept.start((pipelines.position(), store_head), stop.clone());
        progress.emitted.store(emitted.min(gather.position()), Ordering::Release);
        let holders = (front.directory.clone(), front.minutes.clone());
        front.runtime.spawn(ending::obey(holders, progress.clone(), config.keeping.is_on()));
        let consumer = Consumer {
            pipelines,
            minutes: gather,
            kept,
            rows: (rows, (board.clone(), collector)),
            board,
            entries,
            reader,
            snapshots,
            snapshot_every: config.snapshot_every,
            progress,
            counters,
            ready,
            stop,
            emitted,
            is_owing: false,
            doubts: Doubts::default(),
            asked: None,
        };
        let writer = spawn("journal", ending, move || writer.run())?;
        let minutes = spawn("minutes", ending, move || minutes.run())?;
        let consumer = spawn("pipelines", ending, move || consumer.run())?;
        let (keeper, archives) = match keeper {
            Some((keeper, archives)) => {
                let keeper = spawn("lines", ending, move || keeper.run())?;
                (Some(keeper), Some(spawn("archives", ending, move || archives.run())?))
            }
            None => (None, None),
        };
        front.intake.open(queue);
        #[cfg(unix)]
        let people = People { directory: front.directory.clone(), base: front.base.clone() };
        #[cfg(unix)]
        let door = Door::open(&config.store, front.intake.clone(), people, front.runtime.handle());
        Ok(Self {
            writer,
            consumer,
            minutes,
            keeper,
            archives,
            #[cfg(unix)]
            door,
            lock,
        })
    }

    /// Closes the front, lets the threads write what they have, and says how it went.
    fn stop(self, front: Front, store: &Path) -> Result<Status, Failure> {
        #[cfg(unix)]
        drop(self.door);
        let intake = front.intake.clone();
        let directory = front.directory.clone();
        front.close();
        directory.close();
        intake.close();
        let (written, counted) = (self.writer.join(), self.consumer.join());
        let lines = self.keeper.map_or(Ok(()), JoinHandle::join);
        let lines = lines.and(self.minutes.join());
        let lines = lines.and(self.archives.map_or(Ok(()), JoinHandle::join));
        let outcome = match (written, counted) {
            _ if lines.is_err() => {
                Err(Failure::Config("a thread ended in a panic; what was acknowledged is stored".to_owned()))
            }
            (Ok(Ok(())), Ok(Ok(()))) => {
                tracing::info!("everything is stored and counted");
                Ok(Status::Done)
            }
            (Ok(Ok(())), Ok(Err(_))) if !journal::marker(store).exists() => Err(Failure::Config(
                "rows could not be written; what they are made of is stored, and the next start writes them".to_owned(),
            )),
            (Ok(Err(_)), _) | (_, Ok(Err(_))) => Err(Failure::Config(
                "the journal is damaged; the next start sets it aside and takes over what can be read".to_owned(),
            )),
            _ => Err(Failure::Config("a thread ended in a panic; what was acknowledged is stored".to_owned())),
        };
        drop(self.lock);
        outcome
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
