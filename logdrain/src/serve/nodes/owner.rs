//! The owner of a partition: counts it on a thread of its own, from the newest snapshot that any node left.

use super::lines::Lines;
use super::tools::{Rows, Tools};
use crate::serve::front::COMMITS_AHEAD;
use crate::serve::opening::{self, Kept};
use logdrain_drain::alerts::outbox::Teller;
use logdrain_drain::alerts::standing::Of;
use logdrain_drain::clock::Clocks;
use logdrain_drain::counting::{Board, Consumer, Settling};
use logdrain_drain::journal::{
    Doubts, Owned, Ownership, Progress, SharedPartition, Snapshots as _, Timekeeper, reader_of,
};
use logdrain_drain::logs;
use logdrain_drain::parts::Part;
use logdrain_drain::watching::{MinuteRules, Owed};
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Between two tries to begin,
const AGAIN: Duration = Duration::from_secs(1);
/// and after so many another node may try; after one where that was so before.
const TRIES: u32 = 10;

/// One that counts.
pub(super) struct Owner {
    pub(super) epoch: i64,
    pub(super) progress: Arc<Progress>,
    /// It has read the journal to its end.
    pub(super) ready: Arc<AtomicBool>,
    /// It ends with what it has.
    pub(super) is_leaving: bool,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), String>>,
}

impl Owner {
    /// Begins to count a partition that this node owns since an epoch. What could not be counted before is `doubtful`: it is
    /// tried once.
    pub(super) fn start(part: Part, epoch: i64, tools: &Tools, owned: &Owned, doubtful: bool) -> std::io::Result<Self> {
        let (progress, ready, stop) = (Arc::<Progress>::default(), Arc::<AtomicBool>::default(), Arc::default());
        let counting = Counting {
            part,
            epoch,
            tries: if doubtful { 1 } else { TRIES },
            tools: tools.clone(),
            owned: owned.clone(),
            progress: progress.clone(),
            ready: ready.clone(),
            stop: Arc::clone(&stop),
        };
        let thread = thread::Builder::new().name(format!("owner {}", part.number())).spawn(move || counting.run())?;
        Ok(Self { epoch, progress, ready, is_leaving: false, stop, thread })
    }

    /// Another node owns it now: what is left to count that one counts.
    pub(super) fn stop(&mut self, owned: &Owned) {
        self.stop.store(true, Ordering::Release);
        self.leave(owned);
    }

    /// Another node is to have it: this one counts what there is, and leaves a snapshot.
    pub(super) fn leave(&mut self, owned: &Owned) {
        self.is_leaving = true;
        owned.end(self.epoch);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// How it went.
    pub(super) fn join(self) -> Result<(), String> {
        self.thread.join().unwrap_or_else(|_| Err("it ended in a panic".to_owned()))
    }
}

/// What counts, and the threads that keep lines and minutes beside it.
type Begun = (Consumer<(Rows, Board)>, Option<JoinHandle<()>>, JoinHandle<()>);

/// What one thread has.
struct Counting {
    part: Part,
    epoch: i64,
    tries: u32,
    tools: Tools,
    owned: Owned,
    progress: Arc<Progress>,
    ready: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
}

impl Counting {
    fn run(self) -> Result<(), String> {
        let mut said = String::new();
        for _ in 0..self.tries {
            match self.begin() {
                Ok((consumer, lines, minutes)) => {
                    let kept = consumer.kept.clone();
                    self.tools.owners.begin(self.part, self.epoch, self.progress.clone());
                    let counted = consumer.run().map_err(|_| "its rows cannot go out".to_owned());
                    self.tools.owners.end(self.part, self.epoch);
                    self.owned.end(self.epoch);
                    let lines = lines.map_or(Ok(()), JoinHandle::join);
                    // What the database does not take of them now whoever counts next makes again.
                    self.stop.store(true, Ordering::Release);
                    let minutes = minutes.join();
                    kept.end();
                    let ended = lines.and(minutes).map_err(|_| "its lines or minutes ended in a panic".to_owned());
                    return counted.and(ended);
                }
                Err(why) if why != said => {
                    tracing::error!(partition = self.part.number(), %why, "cannot be counted now");
                    said = why;
                }
                Err(_) => {}
            }
            if self.stop.load(Ordering::Acquire) {
                return Ok(());
            }
            // Somebody else is to have it: nobody waits until it can be counted here.
            if self.owned.has_ended(self.epoch) {
                break;
            }
            thread::sleep(AGAIN);
        }
        Err(said)
    }

    /// Puts together where it stands: the newest snapshot, and the journal behind that.
    fn begin(&self) -> Result<Begun, String> {
        let Self { part, tools, progress, stop, .. } = self;
        let Tools { config, cluster, address, .. } = tools;
        let text = |error: &dyn Display| error.to_string();
        let dir = config.store.join(format!("p{}", part.number()));
        std::fs::create_dir_all(&dir).map_err(|error| text(&error))?;
        cluster.snapshots.is_of(&tools.journal, false).map_err(|error| text(&error))?;
        let snapshots = cluster.snapshots.partition(part.number()).map_err(|error| text(&error))?;
        snapshots.remove_unfinished();
        let reader = reader_of(address, *part).map_err(|error| text(&error))?;
        let most = cluster.drains(config.limits.drains);
        let mut store = SharedPartition::new(address, (*part, cluster.split), most).map_err(|error| text(&error))?;
        // In this order: whoever counted before has left none of events that are not in the journal then.
        let kept = Kept::Elsewhere(snapshots.positions().map_err(|error| text(&error))?);
        store.look().map_err(|error| text(&error))?;
        let (end, emitted, settings) = (store.position(), store.emitted(), store.settings().cloned());
        let pipelines = opening::recover((&snapshots, &kept), (end, settings.as_deref()), &*reader, config);
        let pipelines = pipelines.map_err(|error| text(&error))?;
        let last = reader.last_time().map_err(|error| text(&error))?;
        let clocks = Clocks::told(tools.ahead.clone());
        let time =
            Timekeeper::new(clocks, settings.as_deref().unwrap_or(&config.settings), last, pipelines.time(), true);
        progress.head.fetch_max(end, Ordering::AcqRel);
        progress.emitted.store(emitted, Ordering::Release);
        let (commits, entries) = mpsc::sync_channel(COMMITS_AHEAD);
        let stands = (pipelines.position(), pipelines.settings());
        let teller = Teller { part: *part, epoch: self.epoch };
        let owed = Owed::of(tools.outbox.clone(), tools.states.clone(), teller, Of::Minutes)?;
        let rules = MinuteRules::open(&dir, owed, stands, end, logs::system);
        let board = tools.board.of(*part);
        tracing::info!(
            partition = part.number(),
            epoch = self.epoch,
            from = pipelines.position(),
            to = end,
            "this node counts the partition"
        );
        let (kept, minutes, keeper) =
            tools.minutes.own((*part, self.epoch), (pipelines.position(), end), stop.clone())?;
        // The way there is held by who writes alone: when he lets go of it, it ends.
        let (lines, logs) = if config.keeping.is_on() {
            let first = reader.next_after(0).map_err(|error| text(&error))?;
            let settings = opening::at_the_beginning(settings.as_deref(), first, config);
            let lines = Lines::new((*part, self.epoch), tools, &self.owned, (progress, stop));
            let (thread, logs) = lines.start(settings).map_err(|error| text(&error))?;
            (Some(thread), Some(logs))
        } else {
            (None, None)
        };
        let keeping = thread::Builder::new().name(format!("minutes {}", part.number()));
        let keeping = keeping.spawn(move || keeper.run()).map_err(|error| text(&error))?;
        let ownership = Ownership { epoch: self.epoch, time, progress: progress.clone(), pipelines: commits, logs };
        self.owned.begin(ownership);
        let consumer = Consumer {
            rules,
            pipelines,
            minutes,
            kept,
            rows: (tools.rows.clone(), board.clone()),
            board,
            entries,
            reader,
            snapshots: Box::new(snapshots),
            dir,
            snapshot_every: config.snapshot_every,
            progress: progress.clone(),
            counters: tools.counters.clone(),
            ready: self.ready.clone(),
            stop: stop.clone(),
            emitted,
            settling: Settling::default(),
            doubts: Doubts::default(),
            asked: None,
        };
        Ok((consumer, lines, keeping))
    }
}
