//! The lines of a partition that this node owns: kept on a thread of its own, beside the one that counts, in the place that all
//! nodes share: in the folder of this epoch, or in a bucket, where the database knows which files there are.
//!
//! While that place cannot be used this thread waits, and the journal keeps what it waits with; counting goes on. A thread beside
//! it archives the hours that are over, in one place of the partition, where none writes who was its owner before.

use super::tools::Tools;
use crate::serve::copies::purge_alerts;
use crate::serve::front::{AGAIN, COMMITS_AHEAD};
use log_store::{AccountReport, EventId};
use logdrain_drain::alerts::outbox::{Outbox, Teller};
use logdrain_drain::alerts::standing::Of;
use logdrain_drain::archives::{self, Writer};
use logdrain_drain::event::Entry;
#[cfg(feature = "s3")]
use logdrain_drain::journal::find_lines;
use logdrain_drain::journal::{Events, Owned, Progress, reader_of};
use logdrain_drain::logs::{self, Copies, epochs};
use logdrain_drain::parts::Part;
use logdrain_drain::settings::Settings;
use logdrain_drain::settings::purge::Purge;
#[cfg(feature = "s3")]
use logdrain_drain::tiered::Files;
use logdrain_drain::watching::Owed;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between two looks at what the lines of other partitions take, and at what earlier owners left.
const LOOK: Duration = Duration::from_secs(5);
/// Where an owner says what his lines take, beside the folders of the epochs.
const BYTES: &str = "bytes";

/// The way to who keeps lines.
type Way = SyncSender<Arc<Vec<Entry>>>;

/// What keeps the lines of one partition.
pub(super) struct Lines {
    part: Part,
    epoch: i64,
    tools: Tools,
    owned: Owned,
    progress: Arc<Progress>,
    stop: Arc<AtomicBool>,
}

impl Lines {
    pub(super) fn new(
        (part, epoch): (Part, i64),
        tools: &Tools,
        owned: &Owned,
        (progress, stop): (&Arc<Progress>, &Arc<AtomicBool>),
    ) -> Self {
        let (tools, owned) = (tools.clone(), owned.clone());
        Self { part, epoch, tools, owned, progress: progress.clone(), stop: stop.clone() }
    }

    /// Starts to keep them; `settings` are those of the first event that the journal has. Answers its thread, and the way to it:
    /// it ends when nobody holds that. When it ends by itself, this node lets the partition go.
    pub(super) fn start(self, settings: Settings) -> io::Result<(JoinHandle<()>, Way)> {
        let (entries, to_keep) = mpsc::sync_channel(COMMITS_AHEAD);
        let name = format!("lines {}", self.part.number());
        let thread = thread::Builder::new().name(name).spawn(move || {
            let _end = End(self.owned.clone(), self.epoch);
            self.run(settings, to_keep);
        })?;
        Ok((thread, entries))
    }

    fn run(self, settings: Settings, entries: Receiver<Arc<Vec<Entry>>>) {
        let Some(Begun { place, shared, reader, owed }) = self.begin() else { return };
        let Self { part, epoch, tools, progress, stop, .. } = self;
        let (config, board) = (&tools.config, tools.logs.of(part).clone());
        let copies: Arc<dyn Copies> = Arc::new(Others {
            part,
            shared: shared.clone(),
            board: board.clone(),
            archives: tools.archives.of(part).clone(),
            outbox: tools.outbox.clone(),
            limit: config.keeping.limit,
            looked: Mutex::default(),
        });
        if let Shared::Folder(shared) = shared {
            let place = shared.join(format!("p{}", part.number()));
            // With many files it takes a while, for which nobody waits.
            let (owned, stop) = (self.owned.clone(), stop.clone());
            let is_over = move || stop.load(Ordering::Acquire) || owned.has_ended(epoch);
            let remove = move || remove_before(&place, epoch, &is_over);
            // Without a thread the next owner does it.
            let _ = thread::Builder::new().name(format!("removing {}", part.number())).spawn(remove);
        }
        let start = logs::Start { place, keeping: config.keeping.clone(), copies, owed, settings, reader, entries };
        let archiving = Archiving::start(part, &tools, &progress);
        logs::Consumer::new(start, progress, board.clone(), stop).run();
        drop(archiving);
        board.clear();
    }

    /// Takes over the files, however long that cannot be done; `None` when the partition went to another node meanwhile.
    fn begin(&self) -> Option<Begun> {
        let mut said = String::new();
        loop {
            match self.try_to_begin() {
                Ok(begun) => return Some(begun),
                Err(why) if why != said => {
                    tracing::error!(
                        partition = self.part.number(), %why,
                        "lines cannot be kept now; they wait in the journal"
                    );
                    said = why;
                }
                Err(_) => {}
            }
            if self.stop.load(Ordering::Acquire) || self.owned.has_ended(self.epoch) {
                return None;
            }
            thread::sleep(AGAIN);
        }
    }

    fn try_to_begin(&self) -> Result<Begun, String> {
        let Tools { address, outbox, states, .. } = &self.tools;
        let (place, shared) = self.take_over().map_err(|error| error.to_string())?;
        let reader = reader_of(address, self.part).map_err(|error| error.to_string())?;
        let teller = Teller { part: self.part, epoch: self.epoch };
        let owed = Owed::of(outbox.clone(), states.clone(), teller, Of::Lines)?;
        Ok(Begun { place, shared, reader, owed })
    }

    /// Takes the files over, those of lines and archives.
    fn take_over(&self) -> io::Result<(logs::Place, Shared)> {
        let (snapshots, archives) = (&self.tools.cluster.snapshots, self.tools.archives.of(self.part));
        #[cfg(feature = "s3")]
        if let Some(tier) = &self.tools.tier {
            // A node that could not ask when it was started asks now.
            find_lines(&self.tools.address, snapshots).map_err(|error| io::Error::other(error.to_string()))?;
            let files = tier.files(self.part, self.epoch);
            // For what is being written.
            let own = self.tools.config.store.join(format!("p{}", self.part.number()));
            let place = logs::Place::in_bucket(&own, files.clone())?;
            archives.take_over_files(files.clone(), &own)?;
            return Ok((place, Shared::Bucket(files)));
        }
        let place = snapshots.folder(self.part.number()).ok_or_else(|| io::Error::other("lines need a folder"))?;
        snapshots.is_of(&self.tools.journal, false)?;
        let dir = epochs::take_over(&place, self.epoch)?;
        // Before any purge is done here: nobody else brings back what it takes out.
        archives.take_over(&place, self.epoch)?;
        let shared = place.parent().map(Path::to_owned).unwrap_or_default();
        Ok((logs::Place::folder(&dir), Shared::Folder(shared)))
    }
}

/// Removes what earlier owners left, as long as the partition is this one's: one of them that was stopped may write once more when
/// it wakes up, also of an account that was destroyed since.
fn remove_before(place: &Path, epoch: i64, is_over: &dyn Fn() -> bool) {
    let mut said = String::new();
    loop {
        if let Err(error) = epochs::remove_before(place, epoch) {
            let why = error.to_string();
            if why != said {
                tracing::warn!(place = %place.display(), %why, "what earlier owners left cannot be removed now");
                said = why;
            }
        }
        let looked = Instant::now();
        while looked.elapsed() < LOOK {
            if is_over() {
                return;
            }
            thread::sleep(AGAIN);
        }
    }
}

/// What it goes on with.
struct Begun {
    place: logs::Place,
    shared: Shared,
    reader: Box<dyn Events>,
    /// What rules on lines tell, and how they stood.
    owed: Owed,
}

/// What all partitions have their files in.
#[derive(Clone, Debug)]
enum Shared {
    Folder(PathBuf),
    #[cfg(feature = "s3")]
    Bucket(Files),
}

impl Shared {
    /// Says what one partition takes, where nobody knows it otherwise, and answers what the others take.
    fn others(&self, own: Part, bytes: u64) -> io::Result<u64> {
        let place = match self {
            Self::Folder(place) => place,
            #[cfg(feature = "s3")]
            Self::Bucket(files) => {
                let all = files.bytes_of_all()?.into_iter();
                return Ok(all.filter(|(number, _)| *number != own.number()).map(|(_, bytes)| bytes).sum());
            }
        };
        let of = |part: Part| place.join(format!("p{}", part.number())).join(BYTES);
        let unfinished = of(own).with_extension("unfinished");
        let written = fs::write(&unfinished, bytes.to_string());
        // Who is not heard takes a little more or less than his share until he is.
        let _ = written.and_then(|()| fs::rename(&unfinished, of(own)));
        let others = own.all().each().filter(|part| *part != own);
        let said = others.filter_map(|part| fs::read_to_string(of(part)).ok()?.trim().parse::<u64>().ok());
        Ok(said.fold(0, u64::saturating_add))
    }
}

/// What archives the hours of a partition, until it is dropped.
struct Archiving {
    board: archives::Board,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Archiving {
    fn start(part: Part, tools: &Tools, progress: &Arc<Progress>) -> Self {
        let (board, stop) = (tools.archives.of(part).clone(), Arc::<AtomicBool>::default());
        let sources = archives::Others {
            intake: tools.intake.clone(),
            directory: tools.directory.clone(),
            logs: tools.logs.of(part).clone(),
            archives: tools.config.archives,
        };
        let writer = Writer {
            board: board.clone(),
            logs: tools.logs.of(part).clone(),
            progress: progress.clone(),
            stop: stop.clone(),
            sources: Box::new(sources),
            closing: Box::new(tools.closing.of(part)),
        };
        let name = format!("archives {}", part.number());
        let thread = thread::Builder::new().name(name).spawn(move || writer.run());
        let thread = thread.map_err(|error| tracing::error!(%part, %error, "no thread could be started for archives"));
        Self { board, stop, thread: thread.ok() }
    }
}

impl Drop for Archiving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes archives has panicked");
        }
        self.board.clear();
    }
}

/// Whose lines are not kept any more, he does not own the partition.
struct End(Owned, i64);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end(self.1);
    }
}

/// The archives of a partition, and what the others take, as far as this one has to leave room for that: each may have its share
/// of `logs_limit`, for lines and archives, and what the others do not need of theirs.
#[derive(Debug)]
struct Others {
    part: Part,
    shared: Shared,
    board: logs::Board,
    archives: archives::Board,
    outbox: Arc<Outbox>,
    limit: u64,
    /// What the others took, when it was looked at last.
    looked: Mutex<Option<(Instant, u64)>>,
}

impl Copies for Others {
    fn waits_from(&self, account: &str) -> Option<EventId> {
        self.archives.waits_from(account)
    }

    fn bytes(&self) -> u64 {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let known = looked.filter(|(at, _)| at.elapsed() < LOOK);
        let look = || {
            let own = self.board.shown().bytes + self.archives.bytes();
            // As long as that cannot be known it is what it was.
            let others = self.shared.others(self.part, own).ok();
            (Instant::now(), others.or(looked.map(|(_, bytes)| bytes)).unwrap_or(0))
        };
        let (at, bytes) = known.unwrap_or_else(look);
        *looked = Some((at, bytes));
        let share = self.limit / u64::from(self.part.all().count());
        bytes.min(self.limit - share) + self.archives.bytes()
    }

    fn make_room(&self, bytes: u64, lines: &[AccountReport], share: &dyn Fn(&str) -> u64) {
        Copies::make_room(&self.archives, bytes, lines, share);
    }

    fn purge(&self, account: &str, purge: &Purge) -> io::Result<u64> {
        purge_alerts(&self.outbox, account, purge)?;
        Copies::purge(&self.archives, account, purge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use logdrain_drain::logs::Shown;
    use logdrain_drain::parts::Parts;

    #[test]
    fn a_partition_has_its_share_of_the_room_and_what_others_leave() {
        let place = std::env::temp_dir().join(format!("logdrain-lines-room-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        let of = |part: Part, bytes: u64| {
            fs::create_dir_all(place.join(format!("p{}", part.number()))).unwrap();
            let board = logs::Board::default();
            board.show(Shown { bytes, ..Shown::default() });
            let outbox = Outbox::new(&place);
            let archives = archives::Board::default();
            Others {
                part,
                shared: Shared::Folder(place.clone()),
                board,
                archives,
                outbox,
                limit: 1_000,
                looked: Mutex::default(),
            }
        };
        let parts: Vec<Part> = Parts::new(4).unwrap().each().collect();
        let one = of(parts[0], 100);
        assert_eq!(one.bytes(), 0, "nobody else takes anything");
        let two = of(parts[1], 900);
        assert_eq!(two.bytes(), 100);
        // 900 are too many, and the first one has its 250 nevertheless.
        assert_eq!(of(parts[0], 100).bytes(), 750);
        assert_eq!(of(parts[2], 300).bytes(), 750);
        assert_eq!(one.bytes(), 0, "it looks again after a while");
        fs::remove_dir_all(&place).unwrap();
    }
}
