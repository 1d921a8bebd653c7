//! The server: it starts, runs, and stops.
//!
//! The front (listeners, intake, the page) is up before the store is open, so that a disk that does not work is waited for
//! while deliveries are answered with 503. The back is two threads: one owns the journal, one the pipelines. The end goes
//! the other way round: no new requests, those at hand are answered, the threads write what they have.

use crate::args::ServeArgs;
use crate::serve::config::Config;
use crate::serve::copies::AllCopies;
use crate::serve::demo;
use crate::serve::listening::{Listening, Socket, connections};
use crate::serve::notify;
use crate::serve::opening::{self, Closed, Opened};
use crate::serve::private;
use crate::serve::reload::Running;
use logdrain_drain::alerts::channel::sending::Sender as Alerts;
use logdrain_drain::alerts::channel::{Links, Mailer};
use logdrain_drain::alerts::outbox::Outbox;
use logdrain_drain::archives;
use logdrain_drain::clock::Clocks;
use logdrain_drain::counters::Counters;
use logdrain_drain::counting::{Board, Consumer, Settling};
use logdrain_drain::directory::Directory;
use logdrain_drain::door::Outbound;
use logdrain_drain::ending;
use logdrain_drain::intake::{self, Intake, Way};
use logdrain_drain::journal::{
    self, Desk, Doubts, Erase, Halt, Lease, Message, Progress, Publish, StoreError, Timekeeper, Writer,
};
use logdrain_drain::limits::IntakeLimits;
use logdrain_drain::logs;
use logdrain_drain::minutes::{Keeping, Minutes};
use logdrain_drain::noting;
#[cfg(unix)]
use logdrain_drain::operator::Door;
use logdrain_drain::outlets::{JsonLines, Stopped, otlp};
use logdrain_drain::people::{self, People};
use logdrain_drain::plan_notices;
use logdrain_drain::seal::KeyFile;
use logdrain_drain::watching::{MinuteRules, Owed};
use logdrain_terms::failure::{Failure, Status};
use logdrain_web::addon::Addon;
use logdrain_web::{Answers, Events, House, Site};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
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
    let in_store = |error| Failure::Config(format!("{}: {error}", config.store.display()));
    front.outbox.open().map_err(in_store)?;
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

/// What others speak to: tasks of the runtime.
struct Front {
    runtime: Runtime,
    intake: Arc<Intake>,
    directory: Arc<Directory>,
    minutes: Minutes,
    /// Alerts on their way.
    outbox: Arc<Outbox>,
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
        let minutes = Minutes::new(&config.store, Keeping::by(move || settings.settings()), config.minutes_limit);
        let outbox = Outbox::new(&config.store);
        let house = House {
            minutes: minutes.clone(),
            store: config.store.clone(),
            journal_limit: config.journal_limit,
            max_memory: config.max_memory(),
            logs: shared.logs.clone(),
            logs_limit: config.keeping.limit,
            archives: archives.clone(),
            outbox: outbox.clone(),
            began: Instant::now(),
        };
        let (close, closing) = watch::channel(false);
        let answers = Answers::new(shared.board.clone(), house, config.metrics);
        // Lines are not kept yet.
        let lines = shared.logs.clone();
        let directory = Directory::new(&config.store);
        let key = Arc::new(KeyFile::new(config.key_file.clone()));
        let outbound = Outbound::new(config.outbound.clone());
        let own = || {
            let scheme = if config.tls.is_some() { "https" } else { "http" };
            listen.ip().is_loopback().then(|| format!("{scheme}://{listen}"))
        };
        let base = config.url.clone().or_else(own);
        let mailer = config.smtp.clone().and_then(|smtp| Mailer::new(smtp).ok());
        let links = Links(base.clone().unwrap_or_default());
        let alerts = Alerts::new(outbox.clone(), directory.clone(), key.clone(), outbound.clone(), mailer, links);
        runtime.spawn(alerts.clone().run());
        let uploads = archives::Uploads::new(archives.clone(), directory.clone(), key.clone(), outbound);
        runtime.spawn(uploads.clone().run());
        let looks = plan_notices::Looks {
            sender: alerts.clone(),
            directory: directory.clone(),
            logs: shared.logs.clone(),
            counting: shared.board.clone(),
            progress: shared.progress.clone(),
        };
        let settings = intake.clone();
        runtime.spawn(plan_notices::look(looks, move || settings.settings()));
        let site = Site::new(
            intake.clone(),
            directory.clone(),
            (shared.board.clone(), shared.logs.clone(), archives.clone(), minutes.clone()),
            (uploads, alerts),
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
        let router = logdrain_web::router(&site, addon, answers, events);
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
        Self {
            runtime,
            intake,
            directory,
            minutes,
            outbox,
            base,
            close,
            listeners,
            answer_within: config.limits.answer_within,
        }
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
    writer: JoinHandle<Result<(), Halt>>,
    keeper: Option<JoinHandle<()>>,
    archives: Option<JoinHandle<()>>,
    consumer: JoinHandle<Result<(), Stopped>>,
    minutes: JoinHandle<()>,
    /// By which the operator comes in.
    #[cfg(unix)]
    door: Option<Door>,
    /// Held until everything is written.
    lock: Lease,
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
        let Opened { store, spool, readers: [reader, reader_of_lines], pipelines, last, snapshots, lock } = opened;
        let Shared { progress, counters, ready, board, stop, logs: shown, .. } = shared.clone();
        progress.head.store(store.position(), Ordering::Release);
        let in_store = |error: StoreError| Failure::Config(format!("{}: {error}", config.store.display()));
        let emitted = store.emitted().map_err(in_store)?;
        let store_head = store.position();
        store.endings().into_iter().for_each(|ending| progress.endings.begin(ending));
        progress.storing.store(true, Ordering::Release);
        progress.taken_id.fetch_max(archives.taken_id(), Ordering::AcqRel);
        spool.iter().for_each(|spool| spool.tell(&progress.spooled));

        let (queue, messages) = mpsc::sync_channel(QUEUE);
        let (commits, entries) = mpsc::sync_channel(COMMITS_AHEAD);
        let stored = store.settings().cloned();
        let first = reader.next_after(0).map_err(in_store)?;
        let (lines, keeper) = if config.keeping.is_on() {
            let settings = opening::at_the_beginning(&*store, first, config);
            let (lines, entries) = mpsc::sync_channel(COMMITS_AHEAD);
            let keeping = config.keeping.clone();
            let copies = Arc::new(AllCopies { archives: archives.clone(), outbox: front.outbox.clone() });
            let (dir, owed) = (config.store.clone(), Owed::new(front.outbox.clone()));
            let start = logs::Start { dir, keeping, copies, owed, settings, reader: reader_of_lines, entries };
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
        let desk = Desk {
            time: Timekeeper::new(clocks, &config.settings, last, pipelines.time(), args.believe_clock),
            dir: config.store.clone(),
            queue: messages,
            pipelines: commits,
            logs: lines,
            progress: progress.clone(),
            counters: counters.clone(),
            retention: config.retention,
            group_bytes: config.group_bytes(),
            erase: Erase::by(logs::erase),
            publish: Publish::to(move |settings| intake.follow(settings)),
            owed: None,
        };
        let writer = Writer { store, spool, desk };
        // Rows of what a snapshot covers were kept before it was taken.
        let kept = front.minutes.clone();
        let (gather, minutes) = kept.start((pipelines.position(), store_head), stop.clone());
        progress.emitted.store(emitted.min(gather.position()), Ordering::Release);
        let holders = ending::Holders {
            directory: front.directory.clone(),
            minutes: front.minutes.clone(),
            outbox: front.outbox.clone(),
            rows: config.out.clone(),
            intake: front.intake.clone(),
        };
        front.runtime.spawn(ending::obey(holders, progress.clone(), config.keeping.is_on()));
        let stands = (pipelines.position(), pipelines.settings());
        let owed = Owed::new(front.outbox.clone());
        let rules = MinuteRules::open(&config.store, owed, stands, store_head, logs::system);
        let consumer = Consumer {
            rules,
            pipelines,
            minutes: gather,
            kept,
            rows: (rows, (board.clone(), collector)),
            board,
            entries,
            reader,
            snapshots: Box::new(snapshots),
            dir: config.store.clone(),
            snapshot_every: config.snapshot_every,
            progress,
            counters,
            ready,
            stop,
            emitted,
            settling: Settling::default(),
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
            (Ok(Err(Halt::TakenOver)), _) => Err(Failure::Config(
                "another logdrain writes this journal now; what was acknowledged here is stored there".to_owned(),
            )),
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
