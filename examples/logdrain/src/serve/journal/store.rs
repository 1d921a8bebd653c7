//! The journal on disk: one SQLite file.
//!
//! ```text
//! journal  seq, kind, at, drain, msg_count, body, crc    every event, deliveries with their octets
//! ids      id -> drain, seq                              what was taken already, the last of each drain
//! drains   drain -> key, since                           whose pipelines there are
//! meta     position, emitted, settings                   where the journal stands; in each transaction
//! ```
//!
//! A transaction holds the deliveries of a group commit, their ids and the position: all of it is there or nothing.

use crate::serve::event::{Body, DeliveryKey, Entry, Event, Record};
use crate::serve::places::{Places, Verdict};
use crate::serve::settings::Settings;
use heroku_metrics::model::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// `application_id` of our files: "LDRN".
const APPLICATION: i32 = 0x4c44_524e;
/// The layout that this program writes. [`MIGRATIONS`] leads to it from every older one.
pub(crate) const SCHEMA: i32 = MIGRATIONS.len() as i32;

/// What makes each schema from the one before it; the first makes it from nothing.
const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE journal (
        seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at INTEGER NOT NULL, drain TEXT, msg_count INTEGER,
        crc INTEGER NOT NULL, body BLOB);
    CREATE TABLE ids (id BLOB PRIMARY KEY, drain INTEGER NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX ids_of_drain ON ids (drain, seq);
    CREATE TABLE drains (drain INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, since INTEGER NOT NULL);
    CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) WITHOUT ROWID;
    INSERT INTO meta VALUES ('position', 0), ('emitted', 0);
",
    "
    -- No other tables: doubts of the clock are events, meta holds a checksum of itself, and settings and snapshots hold
    -- more than a program of the schema before would understand.
",
];

/// The ids that are kept of each drain. A retry comes before any newer batch of its sender.
const IDS_KEPT: u32 = 4_096;

const DELIVERY: i64 = 0;
const TICK: i64 = 1;
const SETTINGS: i64 = 2;
/// `at` is the believed time, `msg_count` that of the wall clock.
const DOUBT: i64 = 3;
const DROPPED: i64 = 4;

/// The connection that writes.
#[derive(Debug)]
pub(crate) struct Store {
    db: Connection,
    drains: HashMap<Arc<str>, i64>,
    places: Places,
    position: u64,
}

/// Something that is to be kept.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) key: Option<DeliveryKey>,
    pub(crate) event: Event,
}

/// What may go: a few at a time, so that it delays no answer for long.
#[derive(Debug)]
pub(crate) struct Old {
    /// Events up to here,
    pub(crate) behind: u64,
    /// as far as they are older than this;
    pub(crate) before: Timestamp,
    /// and ids beyond the last ones of each drain.
    pub(crate) ids: bool,
    /// The most of each.
    pub(crate) rows: u64,
    /// How many went.
    pub(crate) given: usize,
}

/// What became of an offer.
#[derive(Debug)]
pub(crate) enum Kept {
    New(Entry),
    /// With the event that makes room for its drain.
    NewInstead {
        dropped: Entry,
        entry: Entry,
    },
    Duplicate,
    /// It is of a drain that there is no room for.
    TooManyDrains,
    /// There is no such drain to be dropped.
    Unknown,
}

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("journal.db")
}

impl Store {
    /// Opens the journal of a folder, makes it when there is none, and brings an older one up to date.
    /// With a limit, its file grows no larger than so many octets.
    pub(crate) fn open(dir: &Path, max_drains: usize, limit: Option<usize>) -> Result<Self, StoreError> {
        let file = path(dir);
        let mut db = Connection::open(&file)?;
        db.busy_timeout(Duration::from_secs(2))?;
        let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let schema: i32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if (application, schema) == (0, 0) {
            let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            if tables != 0 {
                return Err(StoreError::NotOurs(file));
            }
            // Large pages: a body of 100 kB is a chain of few.
            db.pragma_update(None, "page_size", 16_384)?;
        } else if application != APPLICATION {
            return Err(StoreError::NotOurs(file));
        }
        if schema > SCHEMA {
            return Err(StoreError::Newer { file, schema });
        }
        let mode: String = db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        if mode != "wal" {
            return Err(StoreError::NoWal(mode));
        }
        // Every commit is on the disk before it is answered.
        db.pragma_update(None, "synchronous", "full")?;
        db.pragma_update(None, "wal_autocheckpoint", 1_000)?;
        db.pragma_update(None, "journal_size_limit", 64 << 20)?;
        if schema < SCHEMA {
            let step = db.transaction()?;
            for migration in &MIGRATIONS[usize::try_from(schema).unwrap_or(0)..] {
                step.execute_batch(migration)?;
            }
            step.pragma_update(None, "application_id", APPLICATION)?;
            step.pragma_update(None, "user_version", SCHEMA)?;
            step.commit()?;
        }
        if let Some(limit) = limit {
            let page: i64 = db.pragma_query_value(None, "page_size", |row| row.get(0))?;
            let pages = i64::try_from(limit).unwrap_or(i64::MAX) / page.max(1);
            let _: i64 = db.pragma_update_and_check(None, "max_page_count", pages.max(16), |row| row.get(0))?;
        }
        let mut store = Self { db, drains: HashMap::new(), places: Places::new(max_drains), position: 0 };
        // What the log holds goes into the file, which is then as long as its head says, unless it was cut off.
        store.settle()?;
        let count = |pragma| store.db.pragma_query_value::<u64, _>(None, pragma, |row| row.get(0).map(unsigned));
        let said = count("page_count")? * count("page_size")?;
        if fs::metadata(&file).is_ok_and(|meta| meta.len() < said) {
            return Err(StoreError::CutOff(file));
        }
        store.recall()?;
        Ok(store)
    }

    /// Reads what is known of the journal's state from the disk: at the start, and after a transaction that failed, of
    /// which nobody can say whether it is there.
    pub(crate) fn recall(&mut self) -> Result<(), StoreError> {
        self.position = meta(&self.db, "position")?;
        self.drains.clear();
        if let Some(settings) = self.settings()? {
            self.places.follow(&settings);
        }
        self.places.set_ended(self.ended()?);
        let mut rows = self.db.prepare("SELECT key, drain FROM drains")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            self.drains.insert(row.get::<_, String>(0)?.into(), row.get(1)?);
        }
        Ok(())
    }

    /// The number of the last event.
    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    /// The last event whose rows are known to be out.
    pub(crate) fn emitted(&self) -> Result<u64, StoreError> {
        meta(&self.db, "emitted")
    }

    /// The drains that have a place, with when they were heard since the start.
    pub(crate) fn drains(&self) -> impl Iterator<Item = (&Arc<str>, Option<Timestamp>)> {
        self.drains.keys().map(|drain| (drain, self.places.heard(drain)))
    }

    /// Drains that lost their place and are refused, and until when.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (&Arc<str>, Timestamp)> {
        self.places.ended().iter().map(|(drain, until)| (drain, *until))
    }

    /// When the last delivery of a drain came that is kept.
    pub(crate) fn last_delivery(&self, drain: &str) -> Result<Option<Timestamp>, StoreError> {
        let last: Option<i64> =
            self.db
                .query_row("SELECT max(at) FROM journal WHERE drain = ?1 AND kind = 0", [drain], |row| row.get(0))?;
        Ok(last.map(Timestamp::from_unix_micros))
    }

    fn ended(&self) -> Result<BTreeMap<Arc<str>, Timestamp>, StoreError> {
        let text: Option<String> =
            self.db.query_row("SELECT value FROM meta WHERE key = 'ended'", [], |row| row.get(0)).optional()?;
        let ended: BTreeMap<String, i64> = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let ended = ended.into_iter();
        Ok(ended.map(|(drain, until)| (drain.into(), Timestamp::from_unix_micros(until))).collect())
    }

    /// The settings that hold at the end of the journal.
    pub(crate) fn settings(&self) -> Result<Option<Settings>, StoreError> {
        let text: Option<String> =
            self.db.query_row("SELECT value FROM meta WHERE key = 'settings'", [], |row| row.get(0)).optional()?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Keeps all offers in one transaction, durable when this returns; or none of them. With them, how far rows are out;
    /// and what is old goes.
    pub(crate) fn append(&mut self, offers: Vec<Offer>, emitted: u64, old: &mut Old) -> Result<Vec<Kept>, StoreError> {
        let mut kept = Vec::with_capacity(offers.len());
        let mut position = self.position;
        let step = self.db.transaction()?;
        for offer in offers {
            let mut seq = position + 1;
            let mut instead = None;
            match &offer.event {
                Event::Tick(time) => self.places.tick(*time),
                Event::Doubt { .. } => self.places.doubt(),
                Event::Settings(settings) => self.places.follow(settings),
                Event::Dropped { drain, time } => {
                    if self.drains.remove(drain).is_none() {
                        kept.push(Kept::Unknown);
                        continue;
                    }
                    self.places.end(drain, *time);
                    drop_drain(&step, drain, &self.places)?;
                }
                _ => {}
            }
            if let Event::Delivery(record) = &offer.event {
                let drain = match self.drains.get(&record.drain).copied() {
                    Some(drain) => drain,
                    None => {
                        // What fails from here on is read again from the disk before the next transaction.
                        match self.places.for_new(&record.drain, record.received, self.drains.keys()) {
                            Verdict::Free => {}
                            Verdict::InsteadOf(other) => {
                                self.drains.remove(&other);
                                self.places.end(&other, record.received);
                                let event = Event::Dropped { drain: other.clone(), time: record.received };
                                insert(&step, seq, &event)?;
                                drop_drain(&step, &other, &self.places)?;
                                instead = Some(Entry { seq, event });
                                position = seq;
                                seq += 1;
                            }
                            Verdict::Full => {
                                kept.push(Kept::TooManyDrains);
                                continue;
                            }
                        }
                        let drain = add_drain(&step, &record.drain, record.received)?;
                        self.drains.insert(record.drain.clone(), drain);
                        drain
                    }
                };
                self.places.hear(&record.drain, record.received);
                if let Some(key) = offer.key
                    && !enter_id(&step, key, drain, seq)?
                {
                    kept.push(Kept::Duplicate);
                    continue;
                }
            }
            insert(&step, seq, &offer.event)?;
            position = seq;
            let entry = Entry { seq, event: offer.event };
            kept.push(match instead {
                Some(dropped) => Kept::NewInstead { dropped, entry },
                None => Kept::New(entry),
            });
        }
        let mut set = step.prepare_cached("UPDATE meta SET value = ?2 WHERE key = ?1")?;
        set.execute(params!["position", signed(position)])?;
        set.execute(params!["emitted", signed(emitted)])?;
        drop(set);
        give_back(&step, self.drains.values(), old)?;
        step.commit()?;
        self.position = position;
        Ok(kept)
    }

    /// Enters an event of another journal under its own number. Nothing is durable before
    /// [`finish_taking_over`](Self::finish_taking_over).
    pub(crate) fn take_over(&mut self, entry: &Entry) -> Result<(), StoreError> {
        if self.db.is_autocommit() {
            self.db.execute_batch("BEGIN")?;
        }
        match &entry.event {
            Event::Delivery(record) => drop(self.drain_of(&record.drain, record.received)?),
            Event::Settings(settings) => self.places.follow(settings),
            Event::Tick(time) => self.places.tick(*time),
            Event::Doubt { .. } => self.places.doubt(),
            Event::Dropped { drain, time } => {
                self.drains.remove(drain);
                self.places.end(drain, *time);
                drop_drain(&self.db, drain, &self.places)?;
            }
        }
        insert(&self.db, entry.seq, &entry.event)?;
        self.position = self.position.max(entry.seq);
        if entry.seq.is_multiple_of(1_000) {
            self.db.execute_batch("COMMIT")?;
        }
        Ok(())
    }

    /// Enters the id of a delivery that another journal had taken.
    pub(crate) fn take_over_id(&mut self, key: DeliveryKey, drain: &str, seq: u64) -> Result<(), StoreError> {
        let drain = self.drain_of(&drain.into(), Timestamp::from_unix_micros(0))?;
        enter_id(&self.db, key, drain, seq).map(|_| ())
    }

    pub(crate) fn finish_taking_over(&mut self) -> Result<(), StoreError> {
        self.db.execute("UPDATE meta SET value = ?1 WHERE key = 'position'", [signed(self.position)])?;
        if !self.db.is_autocommit() {
            self.db.execute_batch("COMMIT")?;
        }
        Ok(())
    }

    fn drain_of(&mut self, key: &Arc<str>, since: Timestamp) -> Result<i64, StoreError> {
        if let Some(drain) = self.drains.get(key) {
            return Ok(*drain);
        }
        let drain = add_drain(&self.db, key, since)?;
        self.drains.insert(key.clone(), drain);
        Ok(drain)
    }

    /// Goes on behind a position that the journal once had: no number is used twice.
    pub(crate) fn skip_to(&mut self, position: u64) -> Result<(), StoreError> {
        self.db.execute("UPDATE meta SET value = ?1 WHERE key = 'position'", [signed(position)])?;
        self.position = position;
        Ok(())
    }

    /// Gives back what is old, in a transaction of its own.
    pub(crate) fn give_back(&mut self, old: &mut Old) -> Result<(), StoreError> {
        let step = self.db.transaction()?;
        give_back(&step, self.drains.values(), old)?;
        Ok(step.commit()?)
    }

    /// Brings everything into the main file: at the end, and nothing is lost when it fails.
    pub(crate) fn settle(&self) -> Result<(), StoreError> {
        self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

fn give_back<'a>(step: &Connection, drains: impl Iterator<Item = &'a i64>, old: &mut Old) -> Result<(), StoreError> {
    let mut last = None;
    let mut oldest = step.prepare_cached("SELECT seq, at FROM journal ORDER BY seq LIMIT ?1")?;
    let mut oldest = oldest.query([signed(old.rows)])?;
    while let Some(row) = oldest.next()? {
        let (seq, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        if seq > signed(old.behind) || at > old.before.unix_micros() {
            break;
        }
        last = Some(seq);
    }
    if let Some(last) = last {
        old.given += step.prepare_cached("DELETE FROM journal WHERE seq <= ?1")?.execute([last])?;
    }
    if old.ids {
        let mut forget = step.prepare_cached(
            "DELETE FROM ids WHERE id IN (SELECT id FROM ids WHERE drain = ?1 AND seq <=
                (SELECT seq FROM ids WHERE drain = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2) LIMIT ?3)",
        )?;
        for drain in drains {
            old.given += forget.execute(params![drain, IDS_KEPT, signed(old.rows)])?;
        }
    }
    Ok(())
}

fn meta(db: &Connection, key: &str) -> Result<u64, StoreError> {
    let value: i64 = db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))?;
    Ok(unsigned(value))
}

fn add_drain(step: &Connection, key: &str, since: Timestamp) -> Result<i64, StoreError> {
    step.prepare_cached("INSERT INTO drains (key, since) VALUES (?1, ?2)")?
        .execute(params![key, since.unix_micros()])?;
    Ok(step.last_insert_rowid())
}

/// Forgets a drain with its ids; whoever lost a place is written with it.
fn drop_drain(step: &Connection, key: &str, places: &Places) -> Result<(), StoreError> {
    step.execute("DELETE FROM ids WHERE drain IN (SELECT drain FROM drains WHERE key = ?1)", [key])?;
    step.execute("DELETE FROM drains WHERE key = ?1", [key])?;
    let ended: BTreeMap<&str, i64> =
        places.ended().iter().map(|(drain, until)| (&**drain, until.unix_micros())).collect();
    let text = serde_json::to_string(&ended).map_err(|error| StoreError::Settings(error.to_string()))?;
    step.execute("INSERT OR REPLACE INTO meta VALUES ('ended', ?1)", [&text])?;
    Ok(())
}

/// `false` when it is there already.
fn enter_id(step: &Connection, key: DeliveryKey, drain: i64, seq: u64) -> Result<bool, StoreError> {
    let mut insert = step.prepare_cached("INSERT OR IGNORE INTO ids VALUES (?1, ?2, ?3)")?;
    Ok(insert.execute(params![key.0, drain, signed(seq)])? == 1)
}

fn insert(step: &Connection, seq: u64, event: &Event) -> Result<(), StoreError> {
    let mut insert = step.prepare_cached("INSERT INTO journal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    match event {
        Event::Delivery(record) => {
            let count = record.msg_count.and_then(|count| i64::try_from(count).ok());
            let row = Row { seq, kind: DELIVERY, at: record.received.unix_micros(), drain: Some(&record.drain), count };
            let body = record.body.bytes();
            insert.execute(params![signed(seq), row.kind, row.at, row.drain, row.count, row.crc(body), body])?;
        }
        Event::Tick(time) => {
            let row = Row { seq, kind: TICK, at: time.unix_micros(), drain: None, count: None };
            let none = None::<&[u8]>;
            insert.execute(params![signed(seq), row.kind, row.at, row.drain, row.count, row.crc(&[]), none])?;
        }
        Event::Doubt { believed, wall } => {
            let count = Some(wall.unix_micros());
            let row = Row { seq, kind: DOUBT, at: believed.unix_micros(), drain: None, count };
            let none = None::<&[u8]>;
            insert.execute(params![signed(seq), row.kind, row.at, row.drain, row.count, row.crc(&[]), none])?;
        }
        Event::Dropped { drain, time } => {
            let row = Row { seq, kind: DROPPED, at: time.unix_micros(), drain: Some(drain), count: None };
            let none = None::<&[u8]>;
            insert.execute(params![signed(seq), row.kind, row.at, row.drain, row.count, row.crc(&[]), none])?;
        }
        Event::Settings(settings) => {
            let text = serde_json::to_string(settings).map_err(|error| StoreError::Settings(error.to_string()))?;
            let row = Row { seq, kind: SETTINGS, at: 0, drain: None, count: None };
            let crc = row.crc(text.as_bytes());
            insert.execute(params![signed(seq), row.kind, row.at, row.drain, row.count, crc, text.as_bytes()])?;
            step.execute("INSERT OR REPLACE INTO meta VALUES ('settings', ?1)", [&text])?;
        }
    }
    Ok(())
}

/// What stands beside a body, for the checksum over all of it.
#[derive(Clone, Copy)]
struct Row<'a> {
    seq: u64,
    kind: i64,
    at: i64,
    drain: Option<&'a str>,
    count: Option<i64>,
}

impl Row<'_> {
    fn crc(self, body: &[u8]) -> i64 {
        let mut crc = crc32fast::Hasher::new();
        for number in [signed(self.seq), self.kind, self.at, self.count.unwrap_or(-1)] {
            crc.update(&number.to_le_bytes());
        }
        let drain = self.drain.unwrap_or_default().as_bytes();
        crc.update(&(drain.len() as u64).to_le_bytes());
        crc.update(drain);
        crc.update(body);
        i64::from(crc.finalize())
    }
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Reads the journal beside the connection that writes it.
#[derive(Debug)]
pub(crate) struct JournalReader {
    pub(super) db: Connection,
}

/// A step of reading.
#[derive(Debug)]
pub(crate) enum Step {
    Event(Entry),
    /// This event is there, but not as it was written, or it is missing.
    Damaged {
        seq: u64,
        why: String,
    },
}

impl JournalReader {
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path(dir), flags)?;
        db.busy_timeout(Duration::from_secs(2))?;
        Ok(Self { db })
    }

    /// The number of the first event behind this one that is kept.
    pub(crate) fn next_after(&self, seq: u64) -> Result<Option<u64>, StoreError> {
        let mut next = self.db.prepare_cached("SELECT seq FROM journal WHERE seq > ?1 ORDER BY seq LIMIT 1")?;
        let next: Option<i64> = next.query_row([signed(seq)], |row| row.get(0)).optional()?;
        Ok(next.map(unsigned))
    }

    /// The last event that was written, and the last whose rows are out.
    pub(crate) fn positions(&self) -> Result<(u64, u64), StoreError> {
        Ok((meta(&self.db, "position")?, meta(&self.db, "emitted")?))
    }

    /// The ids that are known, with drain and event, as far as they can be read.
    pub(crate) fn ids(
        &self,
        mut take: impl FnMut(DeliveryKey, &str, u64) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Ok(mut all) = self.db.prepare("SELECT id, key, seq FROM ids JOIN drains USING (drain)") else {
            return Ok(());
        };
        let Ok(mut rows) = all.query([]) else { return Ok(()) };
        while let Ok(Some(row)) = rows.next() {
            if let (Ok(id), Ok(drain), Ok(seq)) = (row.get(0), row.get::<_, String>(1), row.get(2)) {
                take(DeliveryKey(id), &drain, unsigned(seq))?;
            }
        }
        Ok(())
    }

    /// What SQLite's own check finds wrong; nothing when all is well.
    pub(crate) fn check(&self) -> Result<Vec<String>, StoreError> {
        let mut check = self.db.prepare("PRAGMA integrity_check(20)")?;
        let found = check.query_map([], |row| row.get::<_, String>(0))?;
        let found: Vec<String> = found.collect::<Result<_, _>>()?;
        Ok(found.into_iter().filter(|line| line != "ok").collect())
    }

    /// The layout of the file.
    pub(crate) fn schema(&self) -> Result<i32, StoreError> {
        Ok(self.db.pragma_query_value(None, "user_version", |row| row.get(0))?)
    }

    /// What stands under a number. Numbers are looked up one by one, so that damage costs one event.
    pub(crate) fn read(&self, seq: u64) -> Result<Step, StoreError> {
        match self.look_up(seq) {
            Ok(Some(Ok(entry))) => Ok(Step::Event(entry)),
            Ok(Some(Err(why))) => Ok(Step::Damaged { seq, why }),
            Ok(None) => Ok(Step::Damaged { seq, why: "it is missing".to_owned() }),
            Err(StoreError::Sqlite(error)) if is_damage(&error) => Ok(Step::Damaged { seq, why: error.to_string() }),
            Err(error) => Err(error),
        }
    }

    fn look_up(&self, seq: u64) -> Result<Option<Result<Entry, String>>, StoreError> {
        let mut find =
            self.db.prepare_cached("SELECT kind, at, drain, msg_count, crc, body FROM journal WHERE seq = ?1")?;
        let mut rows = find.query([signed(seq)])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(entry(seq, row)))
    }
}

/// Values are read as what they should be: a flipped octet may have changed the type of any.
fn entry(seq: u64, row: &rusqlite::Row<'_>) -> Result<Entry, String> {
    let text = |error: rusqlite::Error| error.to_string();
    let drain: Option<String> = row.get(2).map_err(text)?;
    let body: Option<Vec<u8>> = row.get(5).map_err(text)?;
    let body = body.unwrap_or_default();
    let meta = Row {
        seq,
        kind: row.get(0).map_err(text)?,
        at: row.get(1).map_err(text)?,
        drain: drain.as_deref(),
        count: row.get(3).map_err(text)?,
    };
    if row.get::<_, i64>(4).map_err(text)? != meta.crc(&body) {
        return Err("its checksum does not match".to_owned());
    }
    let at = Timestamp::from_unix_micros(meta.at);
    let event = match meta.kind {
        DELIVERY => Event::Delivery(Record {
            drain: meta.drain.unwrap_or_default().into(),
            received: at,
            msg_count: meta.count.map(unsigned),
            body: Body::new(body, None),
        }),
        TICK => Event::Tick(at),
        DOUBT => Event::Doubt { believed: at, wall: Timestamp::from_unix_micros(meta.count.unwrap_or(meta.at)) },
        DROPPED => Event::Dropped { drain: meta.drain.unwrap_or_default().into(), time: at },
        SETTINGS => Event::Settings(serde_json::from_slice(&body).map_err(|error| error.to_string())?),
        other => return Err(format!("it is of kind {other}, which this version does not know")),
    };
    Ok(Entry { seq, event })
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// Why the journal cannot be written or read.
#[derive(Debug)]
pub(crate) enum StoreError {
    Sqlite(rusqlite::Error),
    NotOurs(PathBuf),
    Newer { file: PathBuf, schema: i32 },
    NoWal(String),
    Settings(String),
    CutOff(PathBuf),
}

impl StoreError {
    /// Whether the file itself is broken.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Sqlite(error) => is_damage(error),
            Self::CutOff(_) => true,
            _ => false,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }

    /// Whether trying again cannot help.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(self, Self::NotOurs(_) | Self::Newer { .. } | Self::NoWal(_))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use rusqlite::ErrorCode as Code;
        match self {
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(Code::DiskFull) => f.write_str("the disk is full: make room, or lower the retention"),
                Some(Code::ReadOnly) => {
                    f.write_str("the store cannot be written: its disk or its files are read-only, or of another user")
                }
                Some(Code::SystemIoFailure) => {
                    write!(f, "the disk reports an error ({error}): look at the system's log")
                }
                Some(Code::CannotOpen) => write!(f, "the store cannot be opened ({error}): look at its folder"),
                Some(Code::DatabaseCorrupt | Code::NotADatabase) => {
                    write!(f, "the store is damaged ({error}): `logdrain doctor` says where")
                }
                _ => write!(f, "{error}"),
            },
            Self::NotOurs(file) => write!(f, "{}: is a database of something else", file.display()),
            Self::Newer { file, schema } => write!(
                f,
                "{}: was written by a later version (schema {schema}, this one knows {SCHEMA}); use that one",
                file.display()
            ),
            Self::NoWal(mode) => {
                write!(f, "the store cannot keep a write-ahead log here (it offers {mode}): use a local disk")
            }
            Self::CutOff(file) => write!(f, "{}: is cut off: it is shorter than it says", file.display()),
            Self::Settings(why) => write!(f, "the settings cannot be written: {why}"),
        }
    }
}
