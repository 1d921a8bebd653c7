//! The spool: a file of the node in which deliveries wait while the database that has the journal is away.
//!
//! ```text
//! spool  seq                          in the order in which they came, without gaps
//!        kind ... raw                 as the journal's own file has a delivery, with a base that is none
//!        id                           what decides whether the journal has it already
//!        low                          the first one that waited when this one came
//! meta   journal, place               whose it is
//!        last                         the last number that was given
//! ```
//!
//! It is no journal: what is in it has no number there, no ids, and is not read by anybody before it is offered. It goes when
//! the journal has it. A checksum is over each row, the id with it. Every step is on the disk when it returns; there is no
//! write-ahead file, so that the limit is one of one file. When nothing is left the file is made new.

mod salvage;
mod shown;

pub use shown::Spooled;
pub(super) use shown::Stand;

use super::failure::StoreError;
use super::files::Files;
use super::head;
use super::row::{Columns, encode, signed, unsigned};
use super::salvage::with_suffix;
use super::seam::Offer;
use crate::event::{DeliveryKey, Entry, Event};
use crate::run::Run;
use heroku_metrics::model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `application_id` of the file: "LDSP".
const APPLICATION: i32 = 0x4c44_5350;
/// The layout that this program writes.
const LAYOUT: i32 = 1;
const TABLES: &str = "
    CREATE TABLE spool (
        seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at INTEGER NOT NULL, drain TEXT, msg_count INTEGER,
        crc INTEGER NOT NULL, body BLOB, peer BLOB, layout INTEGER, events INTEGER, base INTEGER, raw INTEGER,
        id BLOB NOT NULL UNIQUE, low INTEGER NOT NULL);
    CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY);
";
const FIND: &str = "SELECT kind, at, drain, msg_count, crc, body, peer, layout, events, base, raw, id, low, seq,
    coalesce(length(body), 0) FROM spool";
const INSERT: &str = "INSERT INTO spool
    (seq, kind, at, drain, msg_count, crc, body, peer, layout, events, base, raw, id, low)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
    ON CONFLICT (id) DO NOTHING";
/// A base that is none: the journal gives one when it takes the delivery.
const NO_BASE: u64 = 1;
/// How long somebody who looks at the file is waited for.
const BUSY: Duration = Duration::from_secs(2);
/// The least that a limit leaves.
const LEAST_PAGES: i64 = 64;
/// Bytes of deliveries, unpacked, that are offered in one step.
pub(super) const PIECE: usize = 4 << 20;
/// An empty file of so many bytes stays.
const SPARE: u64 = 1 << 20;

/// Whose deliveries wait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// Which journal.
    pub journal: String,
    /// Where it is, without a password.
    pub place: String,
}

/// Deliveries that wait for the database.
#[derive(Debug)]
pub struct Spool {
    file: PathBuf,
    owner: Owner,
    /// The most bytes of the file; with 0 nothing comes in, and what is there goes out.
    limit: u64,
    /// The most that an answer waits for the database.
    pub(super) patience: Duration,
    /// Drains that may have a place.
    max_drains: usize,
    open: Open,
    /// Some were refused, and a tenth of the room is not free yet.
    is_full: bool,
    /// Deliveries that were damaged.
    lost: u64,
    /// How often it was made new of what could be read.
    made: u64,
    nonce: [u8; 8],
    given: u64,
}

/// The file, and what is known of it.
#[derive(Debug)]
struct Open {
    db: Connection,
    files: Files,
    stands: Stands,
}

/// What waits.
#[derive(Clone, Copy, Debug, Default)]
struct Stands {
    /// The last number that was given.
    last: u64,
    deliveries: u64,
    /// Of their bodies, as they are kept.
    bytes: u64,
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
}

impl Stands {
    fn add(&mut self, seq: u64, at: Timestamp, bytes: usize) {
        self.last = seq;
        self.deliveries += 1;
        self.bytes += bytes as u64;
        self.oldest.get_or_insert(at);
        self.newest = Some(at);
    }
}

/// What became of a delivery that was to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pushed {
    /// It waits under this number, durably.
    In(u64),
    /// It waited already.
    Before,
    /// There is no room.
    NoRoom,
}

impl Spool {
    /// Where a folder has it.
    pub fn path(dir: &Path) -> PathBuf {
        dir.join("spool.db")
    }

    /// The most bytes that it takes of the memory beside the budget of bodies: what is offered again, unpacked and packed, when
    /// a body has so many bytes at most.
    pub fn memory(body: usize) -> usize {
        2 * PIECE.max(body)
    }

    /// Opens the spool of a folder, or makes it. What is damaged is set aside, and what can be read of it is taken over.
    ///
    /// # Errors
    /// When it is of another journal, or cannot be made.
    pub fn open(
        dir: &Path,
        owner: Owner,
        limit: u64,
        patience: Duration,
        max_drains: usize,
    ) -> Result<Self, StoreError> {
        let file = Self::path(dir);
        let mut nonce = [0; 8];
        getrandom::fill(&mut nonce)
            .map_err(|error| StoreError::Spool(format!("no random number is to be had: {error}")))?;
        let (open, lost) = look_at(&file, &owner, limit)?;
        let mut spool =
            Self { file, owner, limit, patience, max_drains, open, is_full: false, lost, made: 0, nonce, given: 0 };
        spool.look_at_room();
        Ok(spool)
    }

    pub fn len(&self) -> u64 {
        self.open.stands.deliveries
    }

    pub(super) const fn max_drains(&self) -> usize {
        self.max_drains
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn bytes(&self) -> u64 {
        self.open.stands.bytes
    }

    /// When the oldest one came that waits.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.open.stands.oldest
    }

    /// When the last one came that waits; nobody took deliveries only after that.
    pub fn newest(&self) -> Option<Timestamp> {
        self.open.stands.newest
    }

    /// Tells others how it stands.
    pub fn tell(&self, shown: &Spooled) {
        shown.tell(&self.stand(false));
    }

    pub(super) fn stand(&self, is_away: bool) -> Stand {
        let Stands { deliveries, bytes, oldest, .. } = self.open.stands;
        Stand { deliveries, bytes, oldest, is_full: self.is_full(), is_away, lost: 0 }
    }

    /// Whether it refuses what comes.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full || self.limit == 0
    }

    /// Which one of those it is that were made of what could be read of the one before: numbers are of one.
    pub(super) const fn made(&self) -> u64 {
        self.made
    }

    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    /// A key for a delivery without an id of its own: no other has it.
    pub(super) fn key(&mut self) -> DeliveryKey {
        self.given += 1;
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.nonce);
        key[8..].copy_from_slice(&self.given.to_be_bytes());
        DeliveryKey(key)
    }

    /// Keeps deliveries, all in one step; durable when this returns.
    pub(super) fn push(&mut self, offers: &mut [Offer]) -> Result<Vec<Pushed>, StoreError> {
        if offers.is_empty() || self.is_full() {
            return Ok(vec![Pushed::NoRoom; offers.len()]);
        }
        let pushed = self.open.push(offers);
        match pushed {
            Err(error) if error.is_full() => {
                self.is_full = true;
                Ok(vec![Pushed::NoRoom; offers.len()])
            }
            Err(error) => {
                self.renew(&error);
                Err(error)
            }
            pushed => pushed,
        }
    }

    /// The oldest ones, with their numbers: no more than so many, and than so many bytes as they are unpacked, but one.
    pub(super) fn oldest_ones(&mut self, most: usize, bytes: usize) -> Result<Vec<(u64, Offer)>, StoreError> {
        self.open.oldest_ones(most, bytes).inspect_err(|error| self.renew(error))
    }

    /// The journal has all up to this one.
    pub(super) fn remove(&mut self, upto: u64) -> Result<(), StoreError> {
        if let Err(error) = self.open.remove(upto) {
            self.renew(&error);
            return Err(error);
        }
        if self.is_empty() && fs::metadata(&self.file).is_ok_and(|file| file.len() > SPARE) {
            // Nothing of it is needed: room goes back at once.
            let made = fs::remove_file(&self.file).map_err(|error| in_file(&self.file, &error));
            match made.and_then(|()| Open::new(&self.file, &self.owner, self.limit, self.open.stands.last)) {
                Ok(open) => self.open = open,
                Err(error) => self.renew(&error),
            }
        }
        self.look_at_room();
        Ok(())
    }

    /// Opens the file once more after something was wrong with it.
    fn renew(&mut self, why: &StoreError) {
        // Who only looks at it has changed nothing.
        if why.is_busy() {
            return;
        }
        tracing::error!(error = %why, "the spool is looked at again");
        self.made += 1;
        match look_at(&self.file, &self.owner, self.limit) {
            Ok((open, lost)) => {
                let missing = self.len().saturating_sub(open.stands.deliveries);
                if missing > lost {
                    tracing::error!(deliveries = missing, "deliveries that waited are not there any more");
                }
                self.lost += lost.max(missing);
                self.open = open;
            }
            Err(error) => tracing::error!(%error, "the spool cannot be opened"),
        }
        self.look_at_room();
    }

    fn look_at_room(&mut self) {
        self.is_full = self.is_full && self.open.used(self.limit).is_none_or(|tenths| tenths >= 9);
    }
}

/// Opens what is there; what is damaged is set aside and made new of what can be read. Answers how many deliveries were lost.
fn look_at(file: &Path, owner: &Owner, limit: u64) -> Result<(Open, u64), StoreError> {
    let wrong = match Open::new(file, owner, limit, 0) {
        Ok(open) => return Ok((open, 0)),
        Err(error) if error.is_damage() => error,
        Err(error) => return Err(error),
    };
    tracing::error!(error = %wrong, "the spool cannot be used as it is");
    let aside = salvage::set_aside(file)?;
    let mut open = Open::new(file, owner, limit, 0)?;
    let found = salvage::take_over(&aside, &mut open)?;
    tracing::error!(
        aside = %aside.display(), deliveries = found.found, lost = found.lost,
        "the spool was damaged: what could be read waits on, and the old one is kept aside"
    );
    Ok((open, found.lost))
}

impl Open {
    /// Opens the file, and reads all of it, so that damage shows before anything is answered from it.
    fn new(file: &Path, owner: &Owner, limit: u64, last: u64) -> Result<Self, StoreError> {
        // With a step that was broken off, SQLite puts the head right first.
        if fs::metadata(with_suffix(file, "-journal")).is_ok_and(|beside| beside.len() > 0) {
            tracing::info!("the last step of the spool was broken off, and is taken back");
        } else {
            head::check(file)?;
        }
        let db = Connection::open(file)?;
        db.busy_timeout(BUSY)?;
        let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let layout: i32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let is_new = (application, layout) == (0, 0);
        if !is_new && application != APPLICATION {
            return Err(StoreError::Broken(format!("{}: says that it is of something else", file.display())));
        }
        if layout > LAYOUT {
            return Err(StoreError::Newer { file: file.to_owned(), schema: layout });
        }
        // A file that is written over is shorter than one that is made and removed each time.
        db.pragma_update_and_check(None, "journal_mode", "truncate", |_| Ok(()))?;
        db.pragma_update(None, "synchronous", "extra")?;
        // What was offered may be purged by then, and is on no page any more.
        db.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
        let page = db.pragma_query_value::<i64, _>(None, "page_size", |row| row.get(0))?.max(1);
        let pages = (i64::try_from(limit).unwrap_or(i64::MAX) / page).max(LEAST_PAGES);
        db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        if is_new {
            let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            if tables != 0 {
                return Err(StoreError::Broken(format!("{}: does not say what it is", file.display())));
            }
            let step = db.unchecked_transaction()?;
            step.execute_batch(TABLES)?;
            step.pragma_update(None, "application_id", APPLICATION)?;
            step.pragma_update(None, "user_version", LAYOUT)?;
            step.commit()?;
        }
        let mut open = Self { db, files: Files::of(file), stands: Stands { last, ..Stands::default() } };
        open.read_all(file)?;
        open.claim(file, owner, is_new)?;
        Ok(open)
    }

    fn file(&self) -> PathBuf {
        PathBuf::from(self.db.path().unwrap_or_default())
    }

    fn read_all(&mut self, file: &Path) -> Result<(), StoreError> {
        let count = |pragma| self.db.pragma_query_value::<u64, _>(None, pragma, |row| row.get(0).map(unsigned));
        let said = count("page_count")? * count("page_size")?;
        if fs::metadata(file).is_ok_and(|meta| meta.len() < said) {
            return Err(StoreError::CutOff(file.to_owned()));
        }
        let broken = |why: String| StoreError::Broken(format!("{}: {why}", file.display()));
        let mut stands = self.stands;
        let mut all = self.db.prepare(&format!("{FIND} ORDER BY seq"))?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let (seq, offer, bytes) = offer_of(row).map_err(broken)?;
            let Event::Delivery(record) = &offer.event else { return Err(broken("holds no delivery".to_owned())) };
            if stands.deliveries > 0 && seq != stands.last + 1 {
                return Err(broken(format!("delivery {} is missing", stands.last + 1)));
            }
            stands.add(seq, record.received, bytes);
        }
        drop(rows);
        drop(all);
        let last = self.db.query_row("SELECT value FROM meta WHERE key = 'last'", [], |row| row.get(0).map(unsigned));
        let last = last.optional()?.unwrap_or(0);
        if stands.deliveries > 0 && last > stands.last {
            return Err(broken(format!("delivery {last} is missing")));
        }
        stands.last = stands.last.max(last);
        self.stands = stands;
        Ok(())
    }

    /// Sees whose it is, and says so when it is nobody's yet.
    fn claim(&self, file: &Path, owner: &Owner, is_new: bool) -> Result<(), StoreError> {
        let said = |key: &str| -> Result<Option<String>, StoreError> {
            let sql = "SELECT value FROM meta WHERE key = ?1";
            Ok(self.db.query_row(sql, [key], |row| row.get(0)).optional()?)
        };
        let (journal, place) = (said("journal")?, said("place")?);
        if journal.as_ref() == Some(&owner.journal) && place.as_ref() == Some(&owner.place) {
            return Ok(());
        }
        let is_others = journal.as_ref().is_some_and(|journal| *journal != owner.journal);
        if is_others && self.stands.deliveries > 0 {
            return Err(StoreError::OtherSpool {
                file: file.to_owned(),
                deliveries: self.stands.deliveries,
                place: place.unwrap_or_default(),
            });
        }
        let step = self.db.unchecked_transaction()?;
        let mut set = step.prepare("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?;
        set.execute(["journal", &owner.journal])?;
        set.execute(["place", &owner.place])?;
        drop(set);
        step.commit()?;
        if is_new && let Some(folder) = file.parent() {
            let of_folder = fs::File::open(folder).and_then(|folder| folder.sync_all());
            of_folder.map_err(|error| in_file(file, &error))?;
        }
        Ok(())
    }

    fn push(&mut self, offers: &mut [Offer]) -> Result<Vec<Pushed>, StoreError> {
        self.files.check()?;
        let mut stands = self.stands;
        let mut pushed = Vec::with_capacity(offers.len());
        let step = self.db.unchecked_transaction()?;
        let low = if stands.deliveries == 0 { stands.last + 1 } else { stands.last + 1 - stands.deliveries };
        for offer in offers {
            let (Event::Delivery(record), Some(key)) = (&mut offer.event, offer.key) else {
                pushed.push(Pushed::NoRoom);
                continue;
            };
            let (at, seq) = (record.received, stands.last + 1);
            record.run = Run { base: NO_BASE, ..record.run };
            match insert(&step, seq, key, low, &offer.event)? {
                None => pushed.push(Pushed::Before),
                Some(bytes) => {
                    stands.add(seq, at, bytes);
                    pushed.push(Pushed::In(seq));
                }
            }
        }
        step.prepare_cached("INSERT OR REPLACE INTO meta VALUES ('last', ?1)")?.execute([signed(stands.last)])?;
        step.commit()?;
        // What went into a file that nobody will find is not kept.
        self.files.check()?;
        self.stands = stands;
        Ok(pushed)
    }

    fn oldest_ones(&self, most: usize, bytes: usize) -> Result<Vec<(u64, Offer)>, StoreError> {
        let mut found = Vec::new();
        let mut sum = 0;
        let mut oldest = self.db.prepare_cached(&format!("{FIND} ORDER BY seq LIMIT ?1"))?;
        let mut rows = oldest.query([signed(most as u64)])?;
        while let Some(row) = rows.next()? {
            let raw: i64 = row.get::<_, Option<i64>>(10)?.unwrap_or(0);
            let stored: i64 = row.get(14)?;
            // Before it is unpacked.
            sum += usize::try_from(raw.max(stored)).unwrap_or(usize::MAX);
            if !found.is_empty() && sum > bytes {
                break;
            }
            let (seq, mut offer, len) = offer_of(row).map_err(StoreError::Broken)?;
            if let Event::Delivery(record) = &mut offer.event
                && len < record.body.bytes().len()
            {
                record.body.pack(None);
            }
            found.push((seq, offer));
        }
        Ok(found)
    }

    fn remove(&mut self, upto: u64) -> Result<(), StoreError> {
        let mut stands = self.stands;
        let gone = |column: &str| -> Result<u64, StoreError> {
            let sql = format!("SELECT {column} FROM spool WHERE seq <= ?1");
            Ok(self.db.query_row(&sql, [signed(upto)], |row| row.get(0).map(unsigned))?)
        };
        stands.bytes = stands.bytes.saturating_sub(gone("coalesce(sum(length(body)), 0)")?);
        let removed = self.db.prepare_cached("DELETE FROM spool WHERE seq <= ?1")?.execute([signed(upto)])?;
        stands.deliveries = stands.deliveries.saturating_sub(removed as u64);
        let oldest = self.db.query_row("SELECT at FROM spool ORDER BY seq LIMIT 1", [], |row| row.get(0)).optional()?;
        stands.oldest = oldest.map(Timestamp::from_unix_micros);
        if stands.oldest.is_none() {
            stands = Stands { last: stands.last, ..Stands::default() };
        }
        self.stands = stands;
        Ok(())
    }

    /// How many tenths of the room are taken.
    fn used(&self, limit: u64) -> Option<u64> {
        let count = |pragma| self.db.pragma_query_value::<u64, _>(None, pragma, |row| row.get(0).map(unsigned)).ok();
        let taken = count("page_count")?.saturating_sub(count("freelist_count")?) * count("page_size")?;
        (taken * 10).checked_div(limit)
    }
}

/// Enters a delivery under its number; answers how long its body is, or `None` when one of this id waits already.
fn insert(db: &Connection, seq: u64, key: DeliveryKey, low: u64, event: &Event) -> Result<Option<usize>, StoreError> {
    let row = encode(seq, event)?;
    let (body, peer) = (row.body.as_deref(), row.peer());
    let crc = row.crc ^ sum_of(&key.0, low);
    let bytes = body.map_or(0, <[u8]>::len);
    let entered = db.prepare_cached(INSERT)?.execute(params![
        signed(seq),
        row.kind,
        row.at,
        row.drain,
        row.count,
        crc,
        body,
        peer,
        row.layout,
        row.events,
        row.base,
        row.raw,
        key.0,
        signed(low)
    ])?;
    Ok((entered == 1).then_some(bytes))
}

/// What the checksum of a row has of what the journal's rows do not have.
fn sum_of(id: &[u8], low: u64) -> i64 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(id);
    crc.update(&low.to_le_bytes());
    i64::from(crc.finalize())
}

/// A row as it was read: its number, what it offers, and how long its body is as it is kept.
fn offer_of(row: &rusqlite::Row<'_>) -> Result<(u64, Offer, usize), String> {
    let text = |error: rusqlite::Error| error.to_string();
    let seq = unsigned(row.get(13).map_err(text)?);
    let (id, low): (Vec<u8>, i64) = (row.get(11).map_err(text)?, row.get(12).map_err(text)?);
    let (offer, bytes) =
        offer(Columns::of(row)?, seq, &id, unsigned(low)).map_err(|why| format!("delivery {seq}: {why}"))?;
    Ok((seq, offer, bytes))
}

/// What a row offers, if all of it is as it was written.
fn offer(mut columns: Columns, seq: u64, id: &[u8], low: u64) -> Result<(Offer, usize), String> {
    let key = DeliveryKey(id.try_into().map_err(|_| "its id is none".to_owned())?);
    columns.crc ^= sum_of(id, low);
    let bytes = columns.body.len();
    let Entry { event, .. } = columns.entry(seq)?;
    match event {
        Event::Delivery(mut record) => {
            record.run = Run::of(record.run.events);
            Ok((Offer { key: Some(key), event: Event::Delivery(record) }, bytes))
        }
        _ => Err("it is no delivery".to_owned()),
    }
}

fn in_file(file: &Path, error: &io::Error) -> StoreError {
    StoreError::Spool(format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests;
