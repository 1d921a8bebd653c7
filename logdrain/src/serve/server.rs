//! The server: it starts, runs, and stops.
//!
//! The front (listeners, intake, the page) is up before the store is open, so that a disk that does not work is waited for
//! while deliveries are answered with 503. The back is two threads: one owns the journal, one the pipelines. The end goes
//! the other way round: no new requests, those at hand are answered, the threads write what they have.

use crate::args::ServeArgs;
use crate::serve::config::Config;
use crate::serve::copies::AllCopies;
use crate::serve::demo;
use crate::serve::front::{AGAIN, COMMITS_AHEAD, Ending, Front, QUEUE, Shared, spawn};
use crate::serve::listening::{Listening, connections};
#[cfg(feature = "postgres")]
use crate::serve::nodes::Node;
use crate::serve::notify;
use crate::serve::opening::{self, Closed, Opened};
use crate::serve::private;
use logdrain_drain::archives;
use logdrain_drain::clock::Clocks;
use logdrain_drain::counting::{Consumer, Settling};
use logdrain_drain::ending;
use logdrain_drain::homes::Homes;
use logdrain_drain::journal::{
    self, Desk, Doubts, Erase, Halt, Lease, Message, Publish, StoreError, Timekeeper, Writer,
};
use logdrain_drain::logs;
#[cfg(unix)]
use logdrain_drain::operator::Door;
use logdrain_drain::outlets::{JsonLines, Stopped, otlp};
use logdrain_drain::parts::Part;
use logdrain_drain::people::{self, People};
use logdrain_drain::watching::{MinuteRules, Owed};
use logdrain_terms::failure::{Failure, Status};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

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
    let connections = connections(config.limits.connections, config.passed())?;
    let mut shared = Shared::new(&config);
    if let Some(cluster) = &config.cluster {
        shared.progress.nodes.parts.store(cluster.parts.count().into(), Ordering::Relaxed);
        shared.progress.nodes.keeps_lines.store(config.keeping.is_on(), Ordering::Relaxed);
    }
    let (ending, endings) = mpsc::channel();

    let listening = Listening::start(&config)?;
    if let Some(cluster) = &config.cluster {
        shared.homes = cluster.url_at(listening.listen).map(|url| (Homes::new(cluster.parts), url));
    }
    let made = args.demo.map(|span| demo::fill(&config, span)).transpose()?;
    let rows = open_rows(&config, &shared)?;
    listening.say(&config);
    let front = Front::start(args, text, &config, connections, listening, &shared, &ending);
    // Before the store is open: a disk that does not work is waited for, and is no failure to start.
    notify::tell(notify::READY);
    #[cfg(feature = "postgres")]
    if let (Some(cluster), Some(address)) = (&config.cluster, &config.journal) {
        let started = Node::start(&config, (cluster, address), rows, &front, &shared, (&ending, &endings))?;
        let Some(node) = started else {
            front.close();
            return Ok(Status::Done);
        };
        if shared.progress.nodes.remembers.load(Ordering::Acquire) {
            tracing::info!("the spool is open: deliveries are taken");
        } else {
            tracing::info!("the journal is open: deliveries are taken");
        }
        wait_for_the_end(&endings, &shared);
        return node.stop(front);
    }
    let Some(opened) = open(&config, shared.archives.of(Part::WHOLE), &endings)? else {
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
    let back = Back::start(args, &config, opened, rows, &front, &shared, &ending)?;
    tracing::info!("the store is open: deliveries are taken");
    if let Some(made) = made {
        let logs = shared.logs.of(Part::WHOLE).clone();
        let (intake, stop) = (front.intake.clone(), shared.stop.clone());
        let base = front.base.clone().unwrap_or_default();
        spawn("demo", &ending, move || made.run(&intake, &logs, &base, &stop))?;
    }

    wait_for_the_end(&endings, &shared);
    back.stop(front, &config.store)
}

fn wait_for_the_end(endings: &Receiver<Ending>, shared: &Shared) {
    match endings.recv() {
        Ok(Ending::Asked) | Err(_) => tracing::info!("asked to stop: requests at hand are answered"),
        Ok(Ending::ThreadEnded) => tracing::error!("a thread has ended: stopping"),
    }
    notify::tell(notify::STOPPING);
    shared.stop.store(true, Ordering::Release);
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
        opened: Opened,
        rows: JsonLines,
        front: &Front,
        shared: &Shared,
        ending: &Sender<Ending>,
    ) -> Result<Self, Failure> {
        let Opened { store, spool, readers: [reader, reader_of_lines], pipelines, last, snapshots, lock } = opened;
        let Shared { progress, counters, ready, board, stop, logs, .. } = shared.clone();
        let (shown, archives) = (logs.of(Part::WHOLE).clone(), shared.archives.of(Part::WHOLE).clone());
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
            let settings = opening::at_the_beginning(stored.as_deref(), first, config);
            let (lines, entries) = mpsc::sync_channel(COMMITS_AHEAD);
            let keeping = config.keeping.clone();
            let copies = Arc::new(AllCopies { archives: archives.clone(), outbox: front.outbox.clone() });
            let (place, owed) = (logs::Place::folder(&config.store), Owed::new(front.outbox.clone()));
            let start = logs::Start { place, keeping, copies, owed, settings, reader: reader_of_lines, entries };
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
                closing: Box::new(archives::closing::Own::new(progress.clone())),
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
