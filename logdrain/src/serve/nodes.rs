//! A node: one of several servers that share a journal in a database.
//!
//! ```text
//! intake --> one thread a partition --> the database
//!            writes, whoever owns it         |
//! looking: renews, claims, lets go           |
//!            |                               v
//!            +--> one thread an owned partition: reads it, counts, writes rows, keeps snapshots where all find them
//! ```
//!
//! Nodes agree on nothing but the order of the events in each partition, and the database keeps that. Rows are a function of the
//! events: two owners at once, as when one was stopped and wakes up, make the same rows under the same ids.

mod claiming;
mod joining;
mod lines;
mod looking;
mod owner;
mod tools;

use self::joining::{Joined, NotJoined, OfPart};
use self::looking::Looking;
use self::tools::Tools;
use super::config::{Cluster, Config};
use super::front::{AGAIN, Ending, Front, QUEUE, Shared as Held, spawn};
use super::opening::Closed;
use logdrain_drain::alerts::outbox;
use logdrain_drain::archives::closing;
use logdrain_drain::clock::Clocks;
use logdrain_drain::directory::DirectoryError;
use logdrain_drain::ending::nodes::Owners;
use logdrain_drain::ending::{self, Holders};
use logdrain_drain::intake::{Intake, Queues};
use logdrain_drain::journal::{
    Address, Desk, Erase, Lease, Memory, Message, Owned, Publish, SharingWriter, Timekeeper, Told,
};
use logdrain_drain::logs;
#[cfg(unix)]
use logdrain_drain::operator::Door;
use logdrain_drain::outlets::{JsonLines, Shared, otlp};
use logdrain_drain::parts::{Part, Parts};
use logdrain_drain::people;
#[cfg(unix)]
use logdrain_drain::people::People;
use logdrain_drain::settings::Settings;
use logdrain_drain::sql::Db;
#[cfg(feature = "s3")]
use logdrain_drain::tiered::Tier;
use logdrain_drain::watching::States;
use logdrain_terms::failure::{Failure, Status};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The threads of a node.
pub(super) struct Node {
    writers: Vec<JoinHandle<()>>,
    looking: JoinHandle<Result<(), String>>,
    /// Writes down what the next life may need, where there is a spool.
    memory: Option<JoinHandle<()>>,
    /// Everything is written: what is owned is let go.
    end: Arc<AtomicBool>,
    /// By which the operator comes in.
    #[cfg(unix)]
    door: Option<Door>,
    /// Held until then.
    lock: Lease,
}

/// Where the tables of the directory are.
const DIRECTORY: &str = "logdrain";

impl Node {
    /// Joins the others. While the database is away it goes by what it knew before; if it knew nothing that is to be gone by,
    /// it waits, and deliveries are answered with 503 meanwhile. `None` when the program was asked to stop.
    pub(super) fn start(
        config: &Arc<Config>,
        (cluster, address): (&Cluster, &Address),
        rows: JsonLines,
        front: &Front,
        held: &Held,
        (ending, endings): (&Sender<Ending>, &Receiver<Ending>),
    ) -> Result<Option<Self>, Failure> {
        let mut said = String::new();
        let url = held.homes.as_ref().map(|(_, url)| url.as_str());
        let Joined { members, ahead, parts: known_parts, lock, remembers } = loop {
            let why = match joining::join(config, cluster, address, url) {
                Ok(joined) => break joined,
                Err(NotJoined::Closed(Closed::ForGood(why))) => return Err(Failure::Config(why)),
                Err(NotJoined::Closed(Closed::ForNow(why))) => why,
                Err(NotJoined::Away(away)) => match joining::remember(config, cluster, address, url) {
                    Ok(joined) => {
                        tracing::error!(
                            "{away}; this node goes by what it knew before it was started, and deliveries wait in the spool"
                        );
                        break joined;
                    }
                    Err(why) => format!("{away}; {why}"),
                },
            };
            if why != said {
                tracing::error!("{why}; deliveries are answered with 503 until the journal can be opened");
                said = why;
            }
            if endings.recv_timeout(AGAIN).is_ok() {
                return Ok(None);
            }
        };
        held.progress.nodes.remembers.store(remembers, Ordering::Release);
        let node = outbox::Node { name: members.node().to_owned(), parts: cluster.parts, clock: ahead.clone() };
        front.outbox.join(database(address)?, node);
        let collector = config.otlp.clone().map(|endpoint| {
            let (outlet, waiting) = otlp::Otlp::new(held.counters.clone());
            front.runtime.spawn(otlp::send(endpoint, waiting, held.counters.clone()));
            outlet
        });
        let tools = Tools {
            config: config.clone(),
            cluster: cluster.clone(),
            journal: members.journal().into(),
            address: address.clone(),
            ahead: ahead.clone(),
            rows: Shared::new((rows, collector)),
            board: held.board.clone(),
            logs: held.logs.clone(),
            archives: held.archives.clone(),
            #[cfg(feature = "s3")]
            tier: tier(config, cluster, (address, members.journal()), held)?,
            closing: closing::Shared::new(database(address)?),
            intake: front.intake.clone(),
            directory: front.directory.clone(),
            counters: held.counters.clone(),
            outbox: front.outbox.clone(),
            states: States::new(database(address)?),
            minutes: front.minutes.clone(),
            owners: Owners::default(),
        };
        let holders = Holders {
            directory: front.directory.clone(),
            minutes: front.minutes.clone(),
            outbox: front.outbox.clone(),
            rows: config.out.clone(),
            intake: front.intake.clone(),
        };
        front.runtime.spawn(ending::nodes::erase(holders.clone(), config.store.clone()));
        front.runtime.spawn(ending::nodes::obey(holders, tools.owners.clone(), config.keeping.is_on()));
        let known = Known::new(cluster, config, front);
        let (mut queues, mut writers, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        let has_spool = known_parts.iter().any(|of| of.spool.is_some());
        let told = Told::all(&held.progress, known_parts.len(), has_spool);
        let end = Arc::new(AtomicBool::new(false));
        let kind = (cluster.parts, cluster.split);
        let of = (members.journal(), address);
        let memory = (config.spool_limit > 0)
            .then(|| Memory::new(&config.store, of, kind, ahead.clone(), held.progress.clone()));
        let places = cluster.drains(config.limits.drains);
        for ((part, OfPart { store, spool, past }), told) in cluster.parts.each().zip(known_parts).zip(told) {
            let (queue, messages) = mpsc::sync_channel(QUEUE);
            let stored = past.as_ref().map(|past| past.settings.clone()).or_else(|| store.settings().cloned());
            let mut now = stored.as_deref().unwrap_or(&config.settings).clone();
            now.configure(&config.settings);
            if stored.as_deref().is_none_or(|stored| *stored != now) {
                if stored.is_some() && part.number() == 0 {
                    tracing::warn!("the other nodes went by other settings, and go by those of this node from now on");
                }
                let _ = queue.try_send(Message::Settings(Box::new(config.settings.clone())));
            }
            known.tell(part, &Arc::new(now));
            let all = known.clone();
            let publish = Publish::to(move |settings| all.tell(part, settings));
            let owned = Owned::default();
            let desk = Desk {
                time: Timekeeper::new(Clocks::told(ahead.clone()), &config.settings, None, None, true),
                dir: config.store.clone(),
                queue: messages,
                pipelines: mpsc::sync_channel(0).0,
                logs: None,
                progress: Arc::default(),
                counters: held.counters.clone(),
                retention: config.retention,
                group_bytes: config.group_bytes(),
                erase: Erase::by(logs::erase),
                publish,
                owed: None,
            };
            let writer =
                SharingWriter::new(store, desk, owned.clone(), told.clone(), (spool, places), (past, memory.clone()))
                    .map_err(|error| Failure::Config(format!("no thread could be started: {error}")))?;
            writers.push(spawn(&format!("journal {}", part.number()), ending, move || writer.run())?);
            queues.push(queue);
            parts.push((part, owned, told));
        }
        let place = address.clone();
        let connect = move || Db::of_journal(&place, DIRECTORY);
        // Whoever comes in is told from others; deliveries do not wait for that.
        let open = || connect().map_err(DirectoryError::from).and_then(|db| front.directory.open_on(db));
        if let Err(why) = if remembers { Err(away()) } else { open() } {
            tracing::error!("nobody but the operator comes in yet: {why}");
        }
        front.runtime.spawn(people::follow(front.directory.clone(), connect));
        front.runtime.spawn(people::hear(front.directory.clone(), held.logs.clone()));
        let looking = Looking::new(members, tools, parts, held, (end.clone(), held.stop.clone()));
        let looking = spawn("nodes", ending, move || looking.run())?;
        let ending_of_memory = end.clone();
        let memory = memory.map(|memory| spawn("memory", ending, move || memory.run(&ending_of_memory))).transpose()?;
        if remembers {
            held.ready.store(true, Ordering::Release);
        }
        held.progress.storing.store(true, Ordering::Release);
        front.intake.open_parts(Queues { parts: cluster.parts, split: cluster.split, all: queues.into() });
        #[cfg(unix)]
        let people = People { directory: front.directory.clone(), base: front.base.clone() };
        Ok(Some(Self {
            writers,
            looking,
            memory,
            end,
            #[cfg(unix)]
            door: Door::open(&config.store, front.intake.clone(), people, front.runtime.handle()),
            lock,
        }))
    }

    /// Closes the front, lets the threads write what they have, lets go what is owned, and says how it went.
    pub(super) fn stop(self, front: Front) -> Result<Status, Failure> {
        #[cfg(unix)]
        drop(self.door);
        let (intake, directory) = (front.intake.clone(), front.directory.clone());
        front.close();
        directory.close();
        intake.close();
        let written = self.writers.into_iter().map(JoinHandle::join).collect::<Vec<_>>();
        self.end.store(true, Ordering::Release);
        let looked = self.looking.join();
        let remembered = self.memory.map_or(Ok(()), JoinHandle::join);
        drop(self.lock);
        if looked.is_err() || remembered.is_err() || written.iter().any(Result::is_err) {
            return Err(Failure::Config("a thread ended in a panic; what was acknowledged is stored".to_owned()));
        }
        if let Ok(Err(why)) = looked {
            return Err(Failure::Config(why));
        }
        tracing::info!("everything is stored; other nodes count on");
        Ok(Status::Done)
    }
}

/// The settings of all partitions, which are published as one.
#[derive(Clone)]
struct Known {
    parts: Parts,
    all: Arc<Mutex<Vec<Arc<Settings>>>>,
    intake: Arc<Intake>,
}

impl Known {
    fn new(cluster: &Cluster, config: &Config, front: &Front) -> Self {
        let nothing = Arc::new(config.settings.clone());
        let all = vec![nothing; usize::from(cluster.parts.count())];
        Self { parts: cluster.parts, all: Arc::new(Mutex::new(all)), intake: front.intake.clone() }
    }

    /// These hold in a partition from now on.
    fn tell(&self, part: Part, settings: &Arc<Settings>) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get_mut(usize::from(part.number())) {
            *own = settings.clone();
        }
        // As long as it is held, nobody publishes what is older.
        if let Some(joined) = Settings::joined(self.parts, &all) {
            self.intake.follow(&Arc::new(joined));
        }
    }
}

fn away() -> DirectoryError {
    DirectoryError::Closed("the database was away when this node was started".to_owned())
}

/// A connection of its own, for what nodes keep together beside the journal.
fn database(address: &Address) -> Result<Db, Failure> {
    Db::of_journal(address, "logdrain").map_err(|error| Failure::Config(error.to_string()))
}

/// The bucket that lines and archives lie in, where there is no folder that all share, with what this node has of it.
#[cfg(feature = "s3")]
fn tier(
    config: &Config,
    cluster: &Cluster,
    (address, journal): (&Address, &str),
    held: &Held,
) -> Result<Option<Tier>, Failure> {
    if !config.keeping.is_on() || cluster.snapshots.folder(0).is_some() {
        return Ok(None);
    }
    // Hours that were being written when it ended.
    let swept = held.archives.sweep(|part| config.store.join(format!("p{}", part.number())));
    swept.unwrap_or_else(|error| tracing::warn!(%error, "what is left of unfinished archives cannot be removed"));
    let cache = config.store.join("cache");
    let tier = Tier::new(address, &cluster.snapshots, journal, &cache, cluster.cache);
    tier.map(Some).map_err(|error| Failure::Config(format!("{}: {error}", cache.display())))
}
