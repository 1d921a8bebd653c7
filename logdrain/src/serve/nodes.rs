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
mod lines;
mod looking;
mod owner;
mod tools;

use self::looking::Looking;
use self::tools::Tools;
use super::config::{Cluster, Config};
use super::front::{AGAIN, Ending, Front, QUEUE, Shared as Held, spawn};
use super::opening::{self, Closed};
use logdrain_drain::alerts::outbox;
use logdrain_drain::archives::closing;
use logdrain_drain::clock::{Ahead, Clocks};
use logdrain_drain::directory::DirectoryError;
use logdrain_drain::ending::nodes::Owners;
use logdrain_drain::ending::{self, Holders};
use logdrain_drain::intake::{Intake, Queues};
use logdrain_drain::journal::{
    self, Address, Desk, Erase, Lease, Members, Message, Owned, Publish, SharedPartition, SharingWriter, Spool,
    StoreError, Timekeeper, Told, View, Waiting,
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
use logdrain_drain::watching::States;
use logdrain_terms::failure::{Failure, Status};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The threads of a node.
pub(super) struct Node {
    writers: Vec<JoinHandle<()>>,
    looking: JoinHandle<Result<(), String>>,
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

/// What a node has when the others know of it.
struct Joined {
    members: Members,
    view: View,
    /// Each with its spool, if there is one.
    stores: Vec<(SharedPartition, Option<Spool>)>,
    lock: Lease,
}

impl Node {
    /// Joins the others, and waits for the database while it is away: deliveries are answered with 503 meanwhile. `None` when
    /// the program was asked to stop.
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
        let Joined { members, view, stores, lock } = loop {
            match join(config, cluster, address, url) {
                Ok(joined) => break joined,
                Err(Closed::ForGood(why)) => return Err(Failure::Config(why)),
                Err(Closed::ForNow(why)) if why != said => {
                    tracing::error!("{why}; deliveries are answered with 503 until the journal can be opened");
                    said = why;
                }
                Err(Closed::ForNow(_)) => {}
            }
            if endings.recv_timeout(AGAIN).is_ok() {
                return Ok(None);
            }
        };
        let ahead = Ahead::default();
        ahead.tell(view.now);
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
        let has_spool = stores.iter().any(|(_, spool)| spool.is_some());
        let told = Told::all(&held.progress, stores.len(), has_spool);
        let places = cluster.drains(config.limits.drains);
        for ((part, (store, spool)), told) in cluster.parts.each().zip(stores).zip(told) {
            let (queue, messages) = mpsc::sync_channel(QUEUE);
            let mut now = store.settings().map_or_else(|| config.settings.clone(), |stored| (**stored).clone());
            now.configure(&config.settings);
            if store.settings().is_none_or(|stored| **stored != now) {
                if store.settings().is_some() && part.number() == 0 {
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
            let writer = SharingWriter::new(store, desk, owned.clone(), told.clone(), (spool, places))
                .map_err(|error| Failure::Config(format!("no thread could be started: {error}")))?;
            writers.push(spawn(&format!("journal {}", part.number()), ending, move || writer.run())?);
            queues.push(queue);
            parts.push((part, owned, told));
        }
        let place = address.clone();
        let connect = move || Db::of_journal(&place, DIRECTORY);
        // Whoever comes in is told from others; deliveries do not wait for that.
        let db = connect().map_err(DirectoryError::from);
        if let Err(why) = db.and_then(|db| front.directory.open_on(db)) {
            tracing::error!("nobody but the operator comes in yet: {why}");
        }
        front.runtime.spawn(people::follow(front.directory.clone(), connect));
        front.runtime.spawn(people::hear(front.directory.clone(), held.logs.clone()));
        let end = Arc::new(AtomicBool::new(false));
        let looking = Looking::new(members, tools, parts, held, (end.clone(), held.stop.clone()));
        let looking = spawn("nodes", ending, move || looking.run())?;
        held.progress.storing.store(true, Ordering::Release);
        front.intake.open_parts(Queues { parts: cluster.parts, split: cluster.split, all: queues.into() });
        #[cfg(unix)]
        let people = People { directory: front.directory.clone(), base: front.base.clone() };
        Ok(Some(Self {
            writers,
            looking,
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
        drop(self.lock);
        if looked.is_err() || written.iter().any(Result::is_err) {
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

/// A connection of its own, for what nodes keep together beside the journal.
fn database(address: &Address) -> Result<Db, Failure> {
    Db::of_journal(address, "logdrain").map_err(|error| Failure::Config(error.to_string()))
}

/// Comes to the others, and reads where each partition stands.
fn join(config: &Config, cluster: &Cluster, address: &Address, url: Option<&str>) -> Result<Joined, Closed> {
    let dir = &config.store;
    std::fs::create_dir_all(dir).map_err(|error| opening::unmade(dir, &error))?;
    let lock = opening::hold(dir)?;
    let away = |error: StoreError| opening::closed(dir, &error);
    let mut members = Members::join(address, dir, (cluster.parts, cluster.split), cluster.lease, url).map_err(away)?;
    let most = cluster.drains(config.limits.drains);
    let mut stores = Vec::new();
    for part in cluster.parts.each() {
        let mut store = SharedPartition::new(address, (part, cluster.split), most).map_err(away)?;
        store.look().map_err(away)?;
        stores.push((store, spool(config, cluster, address, part).map_err(away)?));
    }
    // What waits here holds its minutes back from the first moment on.
    let spools = || stores.iter().map(|(_, spool)| spool.as_ref());
    let safe = spools().map(|spool| Some(spool?.oldest()?.unix_micros())).collect();
    let waiting = Waiting { safe, spooled: spools().flatten().map(Spool::len).sum() };
    let view = members.renew(&[], &waiting).map_err(away)?;
    let unfit = |error: io::Error| {
        let text = format!("[cluster], snapshots: {error}");
        if error.kind() == io::ErrorKind::InvalidData { Closed::ForGood(text) } else { Closed::ForNow(text) }
    };
    let is_new = view.parts.iter().all(|of| of.epoch == 0);
    cluster.snapshots.is_of(members.journal(), is_new).map_err(unfit)?;
    cluster.snapshots.partition(0).map_err(unfit)?;
    tracing::info!(
        node = members.node(),
        nodes = view.live(),
        partitions = stores.len(),
        "one of the nodes of a journal"
    );
    Ok(Joined { members, view, stores, lock })
}

/// The spool of a partition: each has its share of the room. One that is not wanted any more is emptied.
fn spool(config: &Config, cluster: &Cluster, address: &Address, part: Part) -> Result<Option<Spool>, StoreError> {
    let (limit, dir) = (config.spool_limit, config.store.join(format!("p{}", part.number())));
    if limit == 0 && !Spool::path(&dir).exists() {
        return Ok(None);
    }
    let made = std::fs::create_dir_all(&dir).and_then(|()| std::fs::File::open(&config.store)?.sync_all());
    made.map_err(|error| StoreError::Spool(format!("{}: {error}", dir.display())))?;
    // An answer may wait for the database for half of the time that it has.
    let patience = config.limits.answer_within / 2;
    let (share, most) = (limit / u64::from(cluster.parts.count()), cluster.drains(config.limits.drains));
    Spool::open(&dir, journal::owner(&config.store, address)?, share, patience, most).map(Some)
}
