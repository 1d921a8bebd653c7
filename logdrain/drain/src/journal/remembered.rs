//! What a node knew when it heard of the others last: in its folder, so that one that starts while the database is away takes
//! deliveries into its spool.
//!
//! ```text
//! known/node     which journal it is, where, its partitions, and what time it was by which clocks
//! known/p0 ..    of each partition the settings, and which drains have a place
//! ```
//!
//! A file begins with a line that says its layout and its checksum; it is made beside its place, brought to the disk and renamed.
//! It says which file it is, by the number that the file system gave it: a copy of it has another one, as what was put back from
//! a backup has, and is not gone by.
//!
//! **What time it is** follows from clocks that only go forward, so that it is never ahead of the right one. While the machine
//! has not been started again, its steady clock carries on what the database said last, as it does in a node that has run
//! all the time. Where it has, the time is the last that was noted, and what has passed since the start of the machine: that is behind by
//! what it was off. Its own clock says how long that was, and nothing else; where that is longer than [`OFF`], or less than
//! nothing, nobody knows what time it is. A time that is behind holds minutes back until what waits is in, and none is late
//! because of it; one that is ahead would let them pass.

mod file;

use super::Listed;
use super::postgres::known_as;
use crate::clock::{Ahead, boot, steady, wall};
use crate::journal::Progress;
use crate::parts::{Part, Parts, Split};
use crate::settings::Settings;
use crate::sql::Address;
use file::Place;
use heroku_metrics::model::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a machine may have been off between two starts: its time is behind by so much.
const OFF: Duration = Duration::from_secs(900);
/// Two clocks that are set right in small steps differ by no more.
const STEP: i64 = 5_000_000;
/// Between two looks whether something is to be written,
const LOOK: Duration = Duration::from_millis(200);
/// two times that the time is noted,
const NOTED: Duration = Duration::from_secs(10);
/// and two tries when the disk does not take it.
const AGAIN: Duration = Duration::from_secs(10);

/// What is known of a partition.
#[derive(Clone, Debug)]
pub struct Past {
    pub settings: Arc<Settings>,
    pub listed: Vec<Listed>,
}

/// What a node remembers.
#[derive(Debug)]
pub struct Remembered {
    pub journal: String,
    /// The clock of the database: not ahead of it, as far as that went right.
    pub ahead: Ahead,
    /// Of each partition, in their order.
    pub parts: Vec<Past>,
}

/// The file of the node.
#[derive(Debug, Serialize, Deserialize)]
struct OfNode {
    journal: String,
    /// Where that was, without a password.
    place: String,
    partitions: u16,
    by_account: bool,
    clocks: Clocks,
}

/// What clocks said at one moment, in microseconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Clocks {
    /// Since which start of the machine the steady one runs.
    boot: Option<String>,
    /// What the database's was ahead of the steady one, and of the machine's own.
    ahead_of_steady: i64,
    ahead_of_wall: i64,
    /// What the database's said.
    time: i64,
}

/// What the clocks of the machine say now.
#[derive(Clone, Debug)]
struct Machine {
    boot: Option<String>,
    steady: i64,
    wall: i64,
}

/// The file of a partition.
#[derive(Debug, Serialize, Deserialize)]
struct OfPart {
    journal: String,
    settings: Arc<Settings>,
    drains: Vec<Drain>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Drain {
    key: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heard: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused_until: Option<i64>,
}

impl Machine {
    fn now() -> Self {
        Self { boot: boot(), steady: steady(), wall: wall() }
    }
}

impl Clocks {
    fn note(ahead: &Ahead) -> Self {
        let Machine { boot, steady, wall } = Machine::now();
        let time = ahead.now();
        Self { boot, ahead_of_steady: time.saturating_sub(steady), ahead_of_wall: time.saturating_sub(wall), time }
    }

    /// Whether they went on together from there to here.
    const fn is_near(&self, now: &Self) -> bool {
        let steady = now.ahead_of_steady.saturating_sub(self.ahead_of_steady);
        let wall = now.ahead_of_wall.saturating_sub(self.ahead_of_wall);
        steady.saturating_abs() < 1_000_000 && wall.saturating_abs() < 1_000_000
    }

    /// What time it is.
    ///
    /// # Errors
    /// Why that is not known.
    fn now(&self, machine: &Machine) -> Result<i64, String> {
        if self.boot.is_some() && self.boot == machine.boot {
            let now = machine.steady.saturating_add(self.ahead_of_steady);
            if now < self.time {
                return Err("the machine's steady clock is behind what it was".to_owned());
            }
            return Ok(now);
        }
        let now = self.time.saturating_add(machine.steady.max(0));
        let off = machine.wall.saturating_add(self.ahead_of_wall).saturating_sub(now);
        let most = i64::try_from(OFF.as_micros()).unwrap_or(i64::MAX);
        if off < -STEP {
            return Err("the machine was started again, and its clock is behind what it was".to_owned());
        }
        if off > most {
            let minutes = OFF.as_secs() / 60;
            return Err(format!(
                "the machine was off for more than {minutes} minutes, or its clock is wrong: what time it is there nobody knows"
            ));
        }
        Ok(now)
    }
}

/// What this folder's node knew when it heard of the others last, if it is of the journal that is there now.
///
/// # Errors
/// In words, why that is not to be gone by.
pub fn recall(dir: &Path, address: &Address, (parts, split): (Parts, Split)) -> Result<Remembered, String> {
    recall_at(dir, &address.to_string(), (parts, split), &Machine::now())
}

fn recall_at(dir: &Path, place: &str, (parts, split): (Parts, Split), machine: &Machine) -> Result<Remembered, String> {
    let files = Place::of(dir);
    let node: OfNode = files.read("node")?;
    let (journal, _) = known_as(dir).map_err(|error| error.to_string())?;
    if node.journal != journal {
        return Err("what the node remembers is of another journal than its folder".to_owned());
    }
    if node.place != place {
        return Err(format!(
            "what the node remembers is of the journal at {}: whether that at {place} is the same nobody can tell now",
            node.place
        ));
    }
    if (node.partitions, node.by_account) != (parts.count(), split == Split::ByAccount) {
        return Err("what the node remembers is of a journal with other partitions".to_owned());
    }
    let ahead = Ahead::default();
    ahead.tell(node.clocks.now(machine)?);
    let mut all = Vec::new();
    for part in parts.each() {
        let OfPart { journal: of, settings, drains } = files.read(&name(part))?;
        if of != journal {
            return Err(format!("what the node remembers of partition {} is of another journal", part.number()));
        }
        let time = |micros: i64| Timestamp::from_unix_micros(micros);
        let drains = drains.into_iter().map(|Drain { key, heard, refused_until }| Listed {
            drain: key,
            heard: heard.map(time),
            refused_until: refused_until.map(time),
        });
        all.push(Past { settings, listed: drains.collect() });
    }
    Ok(Remembered { journal, ahead, parts: all })
}

fn name(part: Part) -> String {
    format!("p{}", part.number())
}

/// Writes down what the next life may need, on a thread of its own: whoever tells does not wait for the disk.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    files: Place,
    journal: String,
    place: String,
    parts: Parts,
    split: Split,
    /// The clock of the database.
    ahead: Ahead,
    progress: Arc<Progress>,
    /// What is known of partitions, and not written down yet.
    news: Mutex<BTreeMap<u8, Past>>,
}

impl Memory {
    pub fn new(
        dir: &Path,
        (journal, address): (&str, &Address),
        (parts, split): (Parts, Split),
        ahead: Ahead,
        progress: Arc<Progress>,
    ) -> Self {
        let (journal, place) = (journal.to_owned(), address.to_string());
        let files = Place::of(dir);
        Self(Arc::new(Kept { files, journal, place, parts, split, ahead, progress, news: Mutex::default() }))
    }

    /// This is known of a partition now.
    pub(super) fn tell(&self, part: Part, known: Past) {
        self.0.news().insert(part.number(), known);
    }

    /// Writes until the end.
    pub fn run(&self, end: &AtomicBool) {
        let (mut noted, mut failed) = (None::<(Instant, Clocks)>, None::<Instant>);
        let mut is_said = false;
        loop {
            let is_over = end.load(Ordering::Acquire);
            // As long as nobody else is heard of, what was noted before is what is known.
            let may_write = !self.0.progress.nodes.remembers.load(Ordering::Acquire)
                && failed.is_none_or(|failed| failed.elapsed() >= AGAIN);
            if may_write {
                match self.0.write(&mut noted, is_over) {
                    Ok(()) => (failed, is_said) = (None, false),
                    Err(why) => {
                        failed = Some(Instant::now());
                        if !std::mem::replace(&mut is_said, true) {
                            tracing::warn!(
                                "{why}: what a start without the database would need is not written down now"
                            );
                        }
                    }
                }
            }
            if is_over {
                return;
            }
            thread::sleep(LOOK);
        }
    }
}

impl Kept {
    fn write(&self, noted: &mut Option<(Instant, Clocks)>, is_over: bool) -> Result<(), String> {
        let news = std::mem::take(&mut *self.news());
        for part in self.parts.each() {
            let Some(past) = news.get(&part.number()) else { continue };
            if let Err(why) = self.write_part(part, past) {
                let mut later = self.news();
                for (number, past) in news {
                    later.entry(number).or_insert(past);
                }
                return Err(why);
            }
        }
        let now = Clocks::note(&self.ahead);
        let is_due = |(at, before): &(Instant, Clocks)| at.elapsed() >= NOTED || !before.is_near(&now);
        if is_over || noted.as_ref().is_none_or(is_due) {
            self.files.write(
                "node",
                &OfNode {
                    journal: self.journal.clone(),
                    place: self.place.clone(),
                    partitions: self.parts.count(),
                    by_account: self.split == Split::ByAccount,
                    clocks: now.clone(),
                },
            )?;
            *noted = Some((Instant::now(), now));
        }
        Ok(())
    }

    fn write_part(&self, part: Part, past: &Past) -> Result<(), String> {
        let drains = past.listed.iter().map(|one| Drain {
            key: one.drain.clone(),
            heard: one.heard.map(Timestamp::unix_micros),
            refused_until: one.refused_until.map(Timestamp::unix_micros),
        });
        let (journal, settings) = (self.journal.clone(), past.settings.clone());
        self.files.write(&name(part), &OfPart { journal, settings, drains: drains.collect() })
    }

    fn news(&self) -> MutexGuard<'_, BTreeMap<u8, Past>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
