//! The journal on disk: one SQLite file.
//!
//! ```text
//! journal  seq, kind, at, drain, msg_count, body, crc    every event, deliveries with their bytes,
//!          peer, layout, events, base, raw               who sent them, and the ids of their events
//! ids      id -> drain, seq                              what was taken already, the last of each drain
//! drains   drain -> key, since                           whose pipelines there are
//! meta     position, emitted, last_id, settings          where the journal stands; in each transaction
//! accounts name -> value                                 what accounts have said, beside the settings in meta
//! ```
//!
//! A transaction holds the deliveries of a group commit, their ids and the position: all of it is there or nothing.

mod purging;

use super::accounts::Accounts;
use super::failure::StoreError;
use super::files::Files;
use super::head;
use super::meta::{self, Meta, Stands};
use super::places::{Places, Verdict};
use super::purges::{Pending, Purges};
use super::renewal;
use super::row::{Columns, find, insert, signed, unsigned};
use super::schema::{APPLICATION, MIGRATIONS, SCHEMA};
use crate::serve::event::{DeliveryKey, Entry, Event};
use crate::serve::run::Runs;
use crate::serve::settings::Settings;
use crate::serve::settings::change::{Change, Misfit, Unfit};
use heroku_metrics::model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The ids that are kept of each drain. A retry comes before any newer batch of its sender.
const IDS_KEPT: u32 = 4_096;

/// How long another connection is waited for.
const BUSY: Duration = Duration::from_secs(2);
/// The length of the write-ahead file that is kept after it was folded in.
const WAL_USUAL: i64 = 64 << 20;
/// Of a limit, one part in so many is for the write-ahead file.
const WAL_SHARE: u64 = 4;
/// Without a limit, what is longer than this is told.
const WAL_TOLD: u64 = 512 << 20;
/// Pages that are kept for what comes next.
const SPARE_PAGES: u64 = 64;

/// The connection that writes.
#[derive(Debug)]
pub(crate) struct Store {
    db: Connection,
    drains: HashMap<Arc<str>, i64>,
    places: Places,
    position: u64,
    /// Gives the events of deliveries their ids.
    runs: Runs,
    /// The settings at the end of the journal,
    settings: Option<Arc<Settings>>,
    /// as they stand in `meta`,
    text: Option<String>,
    /// and beside it.
    accounts: Accounts,
    /// What purges left to do.
    purges: Purges,
    files: Files,
    /// The most bytes of the write-ahead file.
    wal_limit: Option<u64>,
    /// When it was last tried to make that file short.
    folded: Option<Instant>,
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
    /// A change of the settings, with the number that it gave.
    Changed(Entry),
    /// A change that does not fit: nothing was written.
    Unfit(Unfit),
}

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("journal.db")
}

impl Store {
    /// Opens the journal of a folder, makes it when there is none, and brings an older one up to date.
    /// With a limit, its file grows no larger than so many bytes.
    pub(crate) fn open(dir: &Path, max_drains: usize, limit: Option<usize>) -> Result<Self, StoreError> {
        let file = path(dir);
        head::check(&file)?;
        let mut db = Connection::open(&file)?;
        db.busy_timeout(BUSY)?;
        let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let schema: i32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if (application, schema) == (0, 0) {
            let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            if tables != 0 {
                return Err(StoreError::NotOurs(file));
            }
            // Large pages: a body of 100 kB is a chain of few.
            db.pragma_update(None, "page_size", super::carve::OURS as i64)?;
            // Pages that are given back can be given to the system.
            db.pragma_update(None, "auto_vacuum", 2)?;
        } else if application != APPLICATION {
            return Err(StoreError::NotOurs(file));
        } else if schema < 1 {
            return Err(StoreError::Broken(format!("it is said to be of schema {schema}")));
        }
        if schema > SCHEMA {
            return Err(StoreError::Newer { file, schema });
        }
        let mode: String = db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        if mode != "wal" {
            return Err(StoreError::NoWal(mode));
        }
        // What is given back of a page is written over, as far as that page is written anyway.
        let _: i64 = db.pragma_update_and_check(None, "secure_delete", "fast", |row| row.get(0))?;
        // Every commit is on the disk before it is answered.
        db.pragma_update(None, "synchronous", "full")?;
        db.pragma_update(None, "wal_autocheckpoint", 1_000)?;
        let wal_limit = limit.map_or(WAL_USUAL, |limit| WAL_USUAL.min(limit as i64 / WAL_SHARE as i64));
        db.pragma_update(None, "journal_size_limit", wal_limit)?;
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
            // Main file and write-ahead file together stay within the limit.
            let main = limit - limit / WAL_SHARE as usize;
            let pages = i64::try_from(main).unwrap_or(i64::MAX) / page.max(1);
            let often = (wal_limit / 2 / page.max(1)).clamp(16, 1_000);
            db.pragma_update(None, "wal_autocheckpoint", often)?;
            let _: i64 = db.pragma_update_and_check(None, "max_page_count", pages.max(16), |row| row.get(0))?;
        }
        let mut store = Self {
            db,
            drains: HashMap::new(),
            places: Places::new(max_drains),
            position: 0,
            runs: Runs::default(),
            settings: None,
            text: None,
            accounts: Accounts::default(),
            purges: Purges::default(),
            files: Files::of(&file),
            wal_limit: limit.map(|limit| limit as u64 / WAL_SHARE),
            folded: None,
        };
        // What the log holds goes into the file, which is then as long as its head says, unless it was cut off.
        store.settle()?;
        store.files = Files::of(&file);
        let count = |pragma| store.db.pragma_query_value::<u64, _>(None, pragma, |row| row.get(0).map(unsigned));
        let said = count("page_count")? * count("page_size")?;
        if fs::metadata(&file).is_ok_and(|meta| meta.len() < said) {
            return Err(StoreError::CutOff(file));
        }
        store.recall()?;
        store.renew()?;
        Ok(store)
    }

    /// Reads what is known of the journal's state from the disk: at the start, and after a transaction that failed, of
    /// which nobody can say whether it is there.
    pub(crate) fn recall(&mut self) -> Result<(), StoreError> {
        let meta = Meta::read(&self.db)?;
        let faults = meta.faults(&self.db)?;
        self.position = meta.position.unwrap_or(0);
        let given = self.runs;
        self.runs = given.passed(meta.last_id.unwrap_or(0));
        self.accounts = Accounts::read(&self.db)?;
        if meta.is_sound() && meta.accounts.unwrap_or(0) != self.accounts.sum() {
            return Err(StoreError::Broken("the settings of an account are missing".to_owned()));
        }
        self.know(meta.settings);
        self.purges = Purges::read(&self.db)?;
        self.drains.clear();
        self.places.set_ended(self.ended()?);
        let mut known = self.db.prepare("SELECT key, drain FROM drains")?;
        let mut rows = known.query([])?;
        while let Some(row) = rows.next()? {
            self.drains.insert(row.get::<_, String>(0)?.into(), row.get(1)?);
        }
        drop(rows);
        drop(known);
        if !faults.is_empty() {
            self.put_right(&faults, given)?;
        }
        Ok(())
    }

    /// Where the journal stands follows from what it holds, and rows that come twice have the same id.
    fn put_right(&mut self, faults: &[String], given: Runs) -> Result<(), StoreError> {
        let last = meta::last_number(&self.db)?;
        if last > meta::LAST_NUMBER || (last > self.position && !self.is_sound(last)?) {
            return Err(StoreError::Broken(format!(
                "event {last} is not what it was, and its number may not be either"
            )));
        }
        self.position = last.max(meta::last_of_ids(&self.db)?.min(meta::LAST_NUMBER));
        // Damaged text is no settings; the configuration's are entered anew then.
        if self.settings.is_none() {
            self.text = None;
        }
        // What the record says may be made up, and what deliveries say has a checksum each.
        self.runs = given.passed(self.last_id()?);
        Meta::write(&self.db, &Stands { emitted: 0, ..self.stands() })?;
        tracing::error!(
            faults = %faults.join("; "), position = self.position,
            "the journal's record of where it stands was damaged, and follows from its events now; rows may come twice"
        );
        Ok(())
    }

    fn is_sound(&self, seq: u64) -> Result<bool, StoreError> {
        let sound = |row: &rusqlite::Row<'_>| Ok(Columns::of(row).and_then(|columns| columns.entry(seq)).is_ok());
        Ok(self.db.query_row(find(SCHEMA), [signed(seq)], sound)?)
    }

    /// Gives no id at or below this one any more.
    pub(crate) fn pass_id(&mut self, id: u64) {
        self.runs.pass(id);
    }

    /// The last id that a sound delivery has.
    fn last_id(&self) -> Result<u64, StoreError> {
        // With more of them damaged there is little left to go behind.
        let sql = "SELECT seq FROM journal WHERE base > 0 ORDER BY base DESC LIMIT 64";
        let mut highest = self.db.prepare(sql)?;
        let highest: Vec<i64> = highest.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for seq in highest.into_iter().map(unsigned) {
            let read = |row: &rusqlite::Row<'_>| Ok(Columns::of(row).and_then(|columns| columns.entry(seq)));
            if let Ok(Entry { event: Event::Delivery(record), .. }) =
                self.db.query_row(find(SCHEMA), [signed(seq)], read)?
            {
                return Ok(record.run.last());
            }
        }
        Ok(0)
    }

    fn stands(&self) -> Stands<'_> {
        Stands {
            position: self.position,
            emitted: 0,
            last_id: self.runs.last(),
            settings: self.text.as_deref(),
            accounts: self.accounts.sum(),
        }
    }

    /// Settings as they stand in `meta`, with what accounts have said.
    fn know(&mut self, text: Option<String>) {
        let read = text.as_deref().and_then(|text| serde_json::from_str::<Settings>(text).ok());
        self.settings = read.map(|read| Arc::new(Settings { accounts: self.accounts.all.clone(), ..read }));
        self.text = text;
        if let Some(settings) = &self.settings {
            self.places.follow(settings);
        }
    }

    /// Brings deliveries of an older program up to date: their events get ids, once, in the order of the journal.
    fn renew(&mut self) -> Result<(), StoreError> {
        let (position, emitted) = (self.position, self.emitted()?);
        let standing =
            renewal::Standing { position, emitted, settings: self.text.as_deref(), accounts: self.accounts.sum() };
        renewal::run(&mut self.db, &mut self.runs, &standing)
    }

    /// The number of the last event.
    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    /// The last event whose rows are known to be out.
    pub(crate) fn emitted(&self) -> Result<u64, StoreError> {
        Ok(Meta::read(&self.db)?.emitted.unwrap_or(0))
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
    pub(crate) const fn settings(&self) -> Option<&Arc<Settings>> {
        self.settings.as_ref()
    }

    /// Keeps all offers in one transaction, durable when this returns; or none of them. With them, how far rows are out;
    /// and what is old goes.
    pub(crate) fn append(&mut self, offers: Vec<Offer>, emitted: u64, old: &mut Old) -> Result<Vec<Kept>, StoreError> {
        self.files.check()?;
        self.fold()?;
        let mut kept = Vec::with_capacity(offers.len());
        let mut position = self.position;
        let mut runs = self.runs;
        let mut settings = self.settings.clone();
        let mut purges = None;
        let step = self.db.transaction()?;
        for mut offer in offers {
            let mut seq = position + 1;
            let mut instead = None;
            match &mut offer.event {
                Event::Tick(time) => self.places.tick(*time),
                Event::Doubt { .. } => self.places.doubt(),
                Event::Settings(new) => {
                    let next = match settings.take() {
                        Some(mut before) => {
                            Arc::make_mut(&mut before).configure(new);
                            before
                        }
                        None => Arc::new(Settings::clone(new)),
                    };
                    self.places.follow(&next);
                    settings = Some(next);
                }
                Event::Change { change, id } => {
                    let Some(known) = &mut settings else {
                        kept.push(Kept::Unfit(Unfit::new(Misfit::NotFound, "there are no settings yet")));
                        continue;
                    };
                    // What comes later stays.
                    match &mut **change {
                        Change::Purge { purge, .. } => (purge.upto, purge.is_done) = (runs.last(), false),
                        Change::Destroy { upto, .. } => *upto = runs.last(),
                        _ => {}
                    }
                    let before = known.clone();
                    match changed(known, change, &self.places) {
                        Ok(given) => *id = given,
                        Err(unfit) => {
                            kept.push(Kept::Unfit(unfit));
                            continue;
                        }
                    }
                    if change.is_of_drains() || matches!(**change, Change::Destroy { .. }) {
                        self.places.follow(known);
                    }
                    let mut to_do = |at, account| {
                        let pending = Pending { seq, done: 0, at, account };
                        purges.get_or_insert_with(|| self.purges.clone()).add(pending);
                    };
                    match &**change {
                        Change::Purge { at, .. } => to_do(*at, None),
                        Change::Destroy { account, at, .. } => {
                            to_do(*at, Some(account.clone()));
                            let is_of = |drain: &&Arc<str>| before.is_of(drain, account) == Some(true);
                            let gone: Vec<_> = self.drains.keys().filter(is_of).cloned().collect();
                            for drain in gone {
                                // What fails from here on is read again from the disk before the next transaction.
                                self.drains.remove(&drain);
                                self.places.end(&drain, Timestamp::from_unix_micros(*at));
                                drop_drain(&step, &drain, &self.places)?;
                            }
                        }
                        _ => {}
                    }
                }
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
            if let Event::Delivery(record) = &offer.event
                && record.layout.is_counted()
            {
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
            if let Event::Delivery(record) = &mut offer.event {
                record.run = runs.give(record.received, record.run.events);
            }
            insert(&step, seq, &offer.event)?;
            if let Event::Delivery(record) = &mut offer.event {
                record.body.is_stored();
            }
            position = seq;
            let entry = Entry { seq, event: offer.event };
            kept.push(match (instead, &entry.event) {
                (Some(dropped), _) => Kept::NewInstead { dropped, entry },
                (None, Event::Change { .. }) => Kept::Changed(entry),
                (None, _) => Kept::New(entry),
            });
        }
        let (mut text, mut accounts) = (None, None);
        if let Some(next) =
            settings.as_ref().filter(|next| self.settings.as_ref().is_none_or(|old| !Arc::ptr_eq(old, next)))
        {
            text = Some(text_of(next)?);
            accounts = self.accounts.change(&step, &next.accounts)?;
        }
        let (emitted, last_id) = (emitted.min(position), runs.last());
        let (settings_text, sum) =
            (text.as_deref().or(self.text.as_deref()), accounts.as_ref().unwrap_or(&self.accounts).sum());
        Meta::write(&step, &Stands { position, emitted, last_id, settings: settings_text, accounts: sum })?;
        if let Some(purges) = &purges {
            purges.write(&step)?;
        }
        give_back(&step, self.drains.values(), old)?;
        step.commit()?;
        // What went into a file that nobody will find is not kept.
        self.files.check()?;
        self.position = position;
        self.runs = runs;
        self.settings = settings;
        if let Some(purges) = purges {
            self.purges = purges;
        }
        self.text = text.or_else(|| self.text.take());
        if let Some(accounts) = accounts {
            self.accounts = accounts;
        }
        Ok(kept)
    }

    /// Enters an event of another journal under its own number. Nothing is durable before
    /// [`finish_taking_over`](Self::finish_taking_over).
    pub(crate) fn take_over(&mut self, mut entry: Entry) -> Result<(), StoreError> {
        if self.db.is_autocommit() {
            self.db.execute_batch("BEGIN")?;
        }
        // Events come in any order here: what follows from others than deliveries comes when all are there.
        if let Event::Delivery(record) = &mut entry.event {
            if record.layout.is_counted() {
                self.drain_of(&record.drain, record.received)?;
            }
            self.runs.pass(record.run.last());
            record.body.pack(None);
        }
        // The same one may have been found before, without its ids.
        self.db.prepare_cached("DELETE FROM journal WHERE seq = ?1")?.execute([signed(entry.seq)])?;
        insert(&self.db, entry.seq, &entry.event)?;
        self.position = self.position.max(entry.seq);
        if entry.seq.is_multiple_of(1_000) {
            self.db.execute_batch("COMMIT")?;
        }
        Ok(())
    }

    /// Enters the id of a delivery that another journal had taken.
    pub(crate) fn take_over_id(&mut self, key: DeliveryKey, drain: &str, seq: u64) -> Result<(), StoreError> {
        if self.db.is_autocommit() {
            self.db.execute_batch("BEGIN")?;
        }
        self.position = self.position.max(seq);
        let drain = self.drain_of(&drain.into(), Timestamp::from_unix_micros(0))?;
        enter_id(&self.db, key, drain, seq).map(|_| ())
    }

    /// A drain had lost its place in the other journal, and sent nothing since.
    pub(crate) fn take_over_drop(&mut self, drain: &str, time: Timestamp) -> Result<(), StoreError> {
        self.drains.remove(drain);
        self.places.end(&drain.into(), time);
        drop_drain(&self.db, drain, &self.places)
    }

    /// With where the other journal stood, as far as that is known: no number is used twice.
    pub(crate) fn finish_taking_over(
        &mut self,
        position: u64,
        emitted: u64,
        last_id: u64,
        settings: Option<&Settings>,
    ) -> Result<(), StoreError> {
        self.position = self.position.max(position);
        self.runs.pass(last_id);
        if let Some(settings) = settings {
            if let Some(accounts) = self.accounts.change(&self.db, &settings.accounts)? {
                self.accounts = accounts;
            }
            self.know(Some(text_of(settings)?));
        }
        Meta::write(&self.db, &Stands { emitted: emitted.min(self.position), ..self.stands() })?;
        renewal::mark(&self.db)?;
        if !self.db.is_autocommit() {
            self.db.execute_batch("COMMIT")?;
        }
        self.renew()
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
        Meta::write(&self.db, &Stands { position, emitted: self.emitted()?, ..self.stands() })?;
        self.position = position;
        Ok(())
    }

    /// Gives back what is old, in a transaction of its own.
    pub(crate) fn give_back(&mut self, old: &mut Old) -> Result<(), StoreError> {
        let step = self.db.transaction()?;
        give_back(&step, self.drains.values(), old)?;
        Ok(step.commit()?)
    }

    /// Whether the files are where a start would look for them.
    pub(crate) fn check_place(&self) -> Result<(), StoreError> {
        self.files.check()
    }

    /// Keeps the write-ahead file short. A reader that stays keeps it from being folded in.
    fn fold(&mut self) -> Result<(), StoreError> {
        let limit = self.wal_limit.unwrap_or(WAL_TOLD);
        if self.files.wal() <= limit {
            return Ok(());
        }
        if self.folded.is_none_or(|tried| tried.elapsed() > Duration::from_millis(500)) {
            self.folded = Some(Instant::now());
            self.db.busy_timeout(Duration::ZERO)?;
            let folded = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
            self.db.busy_timeout(BUSY)?;
            if folded.is_ok_and(|busy| busy == 0) {
                return Ok(());
            }
            tracing::warn!(
                bytes = self.files.wal(),
                "the write-ahead file grows: somebody's long look at the store keeps it from being folded in"
            );
        }
        if self.wal_limit.is_some() && self.files.wal() > limit { Err(StoreError::LimitReached) } else { Ok(()) }
    }

    /// Gives pages that are not used back to the system, some at a time, when they are many.
    pub(crate) fn shrink(&self, pages: u32) -> Result<(), StoreError> {
        let count = |pragma| self.db.pragma_query_value::<u64, _>(None, pragma, |row| row.get(0).map(unsigned));
        let (free, all) = (count("freelist_count")?, count("page_count")?);
        if free > SPARE_PAGES && free > all / 4 {
            let mut step = self.db.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
            let mut rows = step.query([])?;
            while rows.next()?.is_some() {}
            drop(rows);
            // The file becomes shorter when the write-ahead file is folded in.
            self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        Ok(())
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

/// What of settings stands in `meta`.
fn text_of(settings: &Settings) -> Result<String, StoreError> {
    let settings = Settings { accounts: BTreeMap::new(), ..settings.clone() };
    serde_json::to_string(&settings).map_err(|error| StoreError::Settings(error.to_string()))
}

/// Makes a change, as far as there is room for what it brings.
fn changed(settings: &mut Arc<Settings>, change: &Change, places: &Places) -> Result<Option<u32>, Unfit> {
    match change {
        Change::App { drain, app, .. } if settings.apps.get(drain) == Some(app) => {
            return Err(Unfit::new(Misfit::Taken, "it is called so already"));
        }
        Change::App { drain, instead, .. } => {
            let goes = instead.as_ref().is_some_and(|other| settings.apps.contains_key(other));
            if !goes && !settings.apps.contains_key(drain) && !places.room_for_app(settings, drain) {
                return Err(Unfit::new(Misfit::TooMany, "there is no room for the name of one more app"));
            }
        }
        Change::AddDrain { drain, .. } => places.room_for(settings, drain.read.places())?,
        _ => {}
    }
    Arc::make_mut(settings).apply(change)
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

#[cfg(test)]
mod tests;
