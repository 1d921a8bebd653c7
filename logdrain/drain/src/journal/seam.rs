//! What the journal is to those who use it, whatever keeps it: a partition to the one thread that writes it, and its events to
//! those that read beside that thread.
//!
//! A partition is one run of numbers, from 1 and none of them used twice, in which deliveries, moves of the watermark and changes
//! of the settings stand in one order. What is appended in one step is there as a whole or not at all; when
//! [`append`](Partition::append) has answered it is durable, and [`Events`] finds it.
//!
//! Beside it are [`Segments`], bytes under names that decide them, and [`Snapshots`], which say what a start need not read again.

use super::Listed;
use super::endings::{Ending, Endings};
use super::failure::StoreError;
use super::purges::Erase;
use crate::clock::Last;
use crate::event::{DeliveryKey, Entry, Event, Record};
use crate::settings::Settings;
use crate::settings::change::Unfit;
use heroku_metrics::model::Timestamp;
use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

/// Something that is to be kept.
#[derive(Debug)]
pub struct Offer {
    pub key: Option<DeliveryKey>,
    pub event: Event,
}

impl Offer {
    /// A delivery once more, with the same bytes.
    pub(super) fn share(&self) -> Option<Self> {
        let Event::Delivery(record) = &self.event else { return None };
        let Record { drain, received, msg_count, peer, layout, run, body } = record;
        let (drain, body) = (drain.clone(), body.share());
        let (received, msg_count, peer, layout, run) = (*received, *msg_count, *peer, *layout, *run);
        Some(Self {
            key: self.key,
            event: Event::Delivery(Record { drain, received, msg_count, peer, layout, run, body }),
        })
    }
}

/// What may go: a few at a time, so that it delays no answer for long.
#[derive(Debug)]
pub struct Old {
    /// Events up to here,
    pub behind: u64,
    /// as far as they are older than this;
    pub before: Timestamp,
    /// and ids beyond the last ones of each drain.
    pub ids: bool,
    /// The most of each.
    pub rows: u64,
    /// How many went.
    pub given: usize,
}

/// What became of an offer.
#[derive(Debug)]
pub enum Kept {
    New(Entry),
    /// With the event that makes room for its drain.
    NewInstead {
        dropped: Entry,
        entry: Entry,
    },
    Duplicate,
    /// The watermark of a partition that nodes share is far behind it: it is to be offered again.
    Early,
    /// It is of a drain that there is no room for.
    TooManyDrains,
    /// There is no such drain to be dropped.
    Unknown,
    /// A change of the settings, with the number that it gave.
    Changed(Entry),
    /// A change that does not fit: nothing was written.
    Unfit(Unfit),
}

/// A step of reading.
#[derive(Debug)]
pub enum Step {
    Event(Entry),
    /// It is there, but not as it was written.
    Damaged {
        seq: u64,
        why: String,
    },
    Missing,
}

/// How much time there is to give room back that is not used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leisure {
    /// There is nothing to write just now.
    Moment,
    /// Nothing comes any more.
    End,
}

/// A partition, as the thread that writes has it. Nobody else writes to it meanwhile.
pub trait Partition: Debug + Send {
    /// The number of the last event.
    fn position(&self) -> u64;

    /// The settings that hold at its end.
    fn settings(&self) -> Option<&Arc<Settings>>;

    /// The last event whose rows are known to be out.
    ///
    /// # Errors
    /// When it cannot be read.
    fn emitted(&self) -> Result<u64, StoreError>;

    /// Accounts that are destroyed, and of which there may be something left beside the journal.
    fn endings(&self) -> Vec<Ending>;

    /// Goes on behind a position that the journal once had: no number is used twice.
    ///
    /// # Errors
    /// When it cannot be written.
    fn skip_to(&mut self, position: u64) -> Result<(), StoreError>;

    /// The drains that have a place, by their key, and then those that lost theirs and are refused.
    fn listed(&self) -> Vec<Listed>;

    /// Gives no id at or below this one any more.
    fn pass_id(&mut self, id: u64);

    /// Keeps all offers in one step, durable when this returns; or none of them. With them, how far rows are out; and what
    /// is old goes.
    ///
    /// # Errors
    /// When nothing was kept, or nobody can say whether it was: then [`recall`](Self::recall) comes first.
    fn append(&mut self, offers: Vec<Offer>, emitted: u64, old: &mut Old) -> Result<Vec<Kept>, StoreError>;

    /// Reads where it stands again, after a step that failed.
    ///
    /// # Errors
    /// When it cannot be read.
    fn recall(&mut self) -> Result<(), StoreError>;

    /// Gives back what is old, in a step of its own.
    ///
    /// # Errors
    /// When it cannot be written.
    fn give_back(&mut self, old: &mut Old) -> Result<(), StoreError>;

    /// Whether what is written is what a start would find.
    ///
    /// # Errors
    /// When it is not.
    fn check_place(&self) -> Result<(), StoreError>;

    /// Does some of what purges left to do, as far as everybody has what is up to `behind`. Says whether there is more to do
    /// at once. An account that is destroyed is done with when it has no `endings` any more.
    ///
    /// # Errors
    /// When it cannot be written.
    fn purge_some(&mut self, behind: u64, erase: &Erase, endings: &Endings) -> Result<bool, StoreError>;

    /// Removes what was set aside in the store's folder before a purge of more than a day ago.
    ///
    /// # Errors
    /// When it cannot be noted that this was done.
    fn purge_aside(&mut self, dir: &Path, now: Timestamp) -> Result<(), StoreError>;

    /// Gives room that is not used back to the system, when it is much.
    ///
    /// # Errors
    /// When it cannot be written; nothing is lost then.
    fn shrink(&self, leisure: Leisure) -> Result<(), StoreError>;

    /// Brings everything where the next start finds it at once. Nothing is lost when it fails.
    ///
    /// # Errors
    /// When it cannot be written.
    fn settle(&mut self) -> Result<(), StoreError>;
}

/// The events of a partition, as those have them that read beside the thread that writes.
pub trait Events: Debug + Send {
    /// What stands under a number. Numbers are looked up one by one, so that damage costs one event.
    ///
    /// # Errors
    /// When nothing can be read now.
    fn read(&self, seq: u64) -> Result<Step, StoreError>;

    /// The number of the first event behind this one that is kept.
    ///
    /// # Errors
    /// When nothing can be read now.
    fn next_after(&self, seq: u64) -> Result<Option<u64>, StoreError>;

    /// The number of the next event that tells a time: a tick or a doubt.
    ///
    /// # Errors
    /// When nothing can be read now.
    fn next_time_after(&self, seq: u64) -> Result<Option<u64>, StoreError>;

    /// The number of the last one before this number.
    ///
    /// # Errors
    /// When nothing can be read now.
    fn last_time_before(&self, seq: u64) -> Result<Option<u64>, StoreError>;

    /// The last word on the time that can be read.
    ///
    /// # Errors
    /// When nothing can be read now.
    fn last_time(&self) -> Result<Option<Last>, StoreError> {
        let mut before = u64::MAX;
        loop {
            let Some(seq) = self.last_time_before(before)? else { return Ok(None) };
            match self.read(seq)? {
                Step::Event(Entry { event: Event::Tick(time), .. }) => return Ok(Some(Last::Tick(time.unix_micros()))),
                Step::Event(Entry { event: Event::Doubt { believed, wall }, .. }) => {
                    return Ok(Some(Last::Doubt { believed: believed.unix_micros(), wall: wall.unix_micros() }));
                }
                _ => before = seq,
            }
        }
    }
}

/// Writes what is to be kept, in large pieces.
pub type Writing<'a> = &'a mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// What is kept by name. A name decides its content: who puts it once more, after a crash or beside another, puts the same
/// bytes, and what was there is no other than what is there then.
pub trait Segments: Debug + Send + Sync {
    /// Keeps what is written, whole or not at all, and durable when this returns.
    ///
    /// # Errors
    /// When it is not kept.
    fn put(&self, name: &str, write: Writing<'_>) -> io::Result<()>;

    /// How many bytes there are, and the bytes.
    ///
    /// # Errors
    /// When there is no such name, or it cannot be read now.
    fn get(&self, name: &str) -> io::Result<(u64, Box<dyn Read + '_>)>;

    /// All names, in no order.
    ///
    /// # Errors
    /// When they cannot be listed now.
    fn names(&self) -> io::Result<Vec<String>>;

    /// # Errors
    /// When it is there still.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Takes something damaged out of the way, to where people may look at it.
    ///
    /// # Errors
    /// When it is there still.
    fn set_aside(&self, name: &str) -> io::Result<()>;

    /// Where people find it.
    fn place(&self, name: &str) -> String;

    /// Removes what others began to write and have not put. Whoever asks for this is the only one who writes from now on.
    fn remove_unfinished(&self) {}
}

/// What was made of the events up to a position, each under that position; the two newest are kept, so that one may be damaged.
pub trait Snapshots: Debug + Send {
    /// The positions, newest first.
    ///
    /// # Errors
    /// When they cannot be listed now.
    fn positions(&self) -> io::Result<Vec<u64>>;

    /// How many bytes there are of the one at a position, and the bytes.
    ///
    /// # Errors
    /// When there is none, or it cannot be read now.
    fn get(&self, position: u64) -> io::Result<(u64, Box<dyn Read + '_>)>;

    /// Keeps one more and lets the oldest go. Answers the position behind which events are needed.
    ///
    /// # Errors
    /// When it is not kept, or the oldest is there still.
    fn put(&self, position: u64, write: Writing<'_>) -> io::Result<u64>;

    /// Takes a damaged one out of the way, so that it does not count as one that is kept.
    ///
    /// # Errors
    /// When it is there still.
    fn set_aside(&self, position: u64) -> io::Result<()>;

    /// Where people find it.
    fn place(&self, position: u64) -> String;
}
