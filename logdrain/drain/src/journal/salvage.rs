//! A damaged journal is set aside, and what can still be read of it goes into a new one.
//!
//! The file is read page by page, past its own tables of contents: every event that lies on a page that can be read is
//! taken over, and is known to be right by its checksum.

use super::accounts::Accounts;
use super::carve::{Found, Pages, Value, sizes};
use super::failure::StoreError;
use super::meta::{LAST_NUMBER, Meta};
use super::row::{Columns, unsigned};
use super::seam::Partition as _;
use super::store::{self, Store};
use crate::event::{DeliveryKey, Event};
use crate::parts::Part;
use crate::settings::Settings;
use heroku_metrics::model::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Left by a server that met damage, for the next start.
pub fn marker(dir: &Path) -> PathBuf {
    dir.join("damaged")
}

/// What became of a damaged journal.
#[derive(Debug)]
pub struct Salvaged {
    pub aside: PathBuf,
    pub events: u64,
    /// Numbers that could not be read, first and last of each stretch, behind what a snapshot holds.
    pub lost: Vec<(u64, u64)>,
    /// How many those are.
    pub missing: u64,
    /// Whether it is known where the journal ended; otherwise there may have been more.
    pub is_end_known: bool,
}

/// Stretches that are named one by one.
const NAMED: usize = 10;
/// What SQLite keeps beside a file.
const BESIDE: [&str; 3] = ["", "-wal", "-shm"];

/// Makes a new journal of what can be read, and moves the old one out of the way. Nothing is deleted. Events up to
/// `snapshot` are not missed, and `known` are the settings there.
pub fn salvage(dir: &Path, max_drains: usize, snapshot: u64, known: Option<&Settings>) -> Result<Salvaged, Failed> {
    salvage_part(Part::WHOLE, dir, max_drains, snapshot, known)
}

/// The same of the journal of a partition.
pub fn salvage_part(
    part: Part,
    dir: &Path,
    max_drains: usize,
    snapshot: u64,
    known: Option<&Settings>,
) -> Result<Salvaged, Failed> {
    let fresh = dir.join("salvage");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    fs::create_dir(&fresh)?;
    let mut store = Store::open_part(part, &fresh, max_drains, None)?;
    let old = store::path(dir);
    let wal = with_suffix(&old, "-wal");
    let mut taken = Taken::default();
    // A wrong page size finds little, and nothing that is not right: each event has a checksum.
    let (likely, others) = sizes(&old);
    for sizes in [likely, others] {
        if taken.events.is_empty() {
            for size in sizes {
                if let Ok(mut pages) = Pages::open(&old, &wal, size) {
                    pages.each(|found| taken.take(found, &mut store))?;
                }
            }
        }
    }
    let mut salvaged = taken.finish(&mut store, snapshot, known)?;
    store.settle()?;
    drop(store);
    salvaged.aside = aside(dir, "journal");
    for suffix in BESIDE {
        let from = with_suffix(&old, suffix);
        if from.exists() {
            fs::rename(from, with_suffix(&salvaged.aside, suffix))?;
        }
    }
    fs::rename(store::path(&fresh), &old)?;
    fs::remove_dir_all(&fresh)?;
    let marker = marker(dir);
    if marker.exists() {
        fs::remove_file(marker)?;
    }
    Ok(salvaged)
}

/// What was found so far.
#[derive(Default)]
struct Taken {
    /// The events, and whether those of a delivery have ids. A page that is used no more may hold a delivery as it was
    /// before it had some.
    events: BTreeMap<u64, bool>,
    meta: Meta,
    /// Of each delivery, whose it was.
    drains: BTreeMap<i64, String>,
    ids: HashMap<DeliveryKey, (i64, u64)>,
    /// What the configuration said and what was changed, by its number,
    said: BTreeMap<u64, Event>,
    /// and what accounts had said in the end.
    accounts: Accounts,
    /// Of each drain, its last delivery, and when it lost its place.
    heard: HashMap<Arc<str>, u64>,
    dropped: HashMap<Arc<str>, (u64, Timestamp)>,
}

impl Taken {
    fn take(&mut self, found: Found, store: &mut Store) -> Result<(), StoreError> {
        match found {
            Found::Row(number, values) => self.row(unsigned(number), values, store),
            Found::Entry(values) => {
                self.entry(values);
                Ok(())
            }
        }
    }

    fn row(&mut self, seq: u64, values: Vec<Value>, store: &mut Store) -> Result<(), StoreError> {
        match columns_of_all(values) {
            Ok(values) => {
                let Some(columns) = columns(values) else { return Ok(()) };
                let is_whole = !columns.is_old();
                let Ok(entry) = columns.entry(seq) else { return Ok(()) };
                if seq == 0 || seq > LAST_NUMBER || self.events.get(&seq).is_some_and(|found| *found || !is_whole) {
                    return Ok(());
                }
                match &entry.event {
                    Event::Settings(settings) => drop(self.said.insert(seq, Event::Settings(settings.clone()))),
                    Event::Change { change, id } => {
                        self.said.insert(seq, Event::Change { change: change.clone(), id: *id });
                    }
                    Event::Delivery(record) if record.layout.has_place() => {
                        let last = self.heard.entry(record.drain.clone()).or_default();
                        *last = seq.max(*last);
                    }
                    Event::Dropped { drain, time } => {
                        let last = self.dropped.entry(drain.clone()).or_insert((seq, *time));
                        *last = (seq, *time).max(*last);
                    }
                    _ => {}
                }
                store.take_over(entry)?;
                self.events.insert(seq, is_whole);
            }
            Err(values) => {
                if let [Value::Null, Value::Text(key), Value::Integer(_)] = &values[..]
                    && let Ok(key) = String::from_utf8(key.clone())
                {
                    self.drains.insert(i64::try_from(seq).unwrap_or(0), key);
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, values: Vec<Value>) {
        let mut id = |id: &[u8], drain: i64, seq: i64| {
            if let (Ok(id), true) = (<[u8; 16]>::try_from(id), (1..=LAST_NUMBER as i64).contains(&seq)) {
                self.ids.insert(DeliveryKey(id), (drain, unsigned(seq)));
            }
        };
        match &values[..] {
            [Value::Blob(key), Value::Integer(drain), Value::Integer(seq)] => id(key, *drain, *seq),
            [Value::Integer(drain), Value::Integer(seq), Value::Blob(key)] => id(key, *drain, *seq),
            [Value::Text(name), Value::Text(value), Value::Integer(crc)] => {
                if let (Ok(name), Ok(value)) = (String::from_utf8(name.clone()), std::str::from_utf8(value)) {
                    // A page that is used no more may hold it as it was before: the checksum over all of them tells.
                    self.accounts.take(name, value, *crc);
                }
            }
            [Value::Text(key), value] => {
                let value = match value {
                    Value::Integer(number) => rusqlite::types::Value::Integer(*number),
                    Value::Text(text) => rusqlite::types::Value::Text(String::from_utf8_lossy(text).into_owned()),
                    _ => return,
                };
                self.meta.enter(&String::from_utf8_lossy(key), value);
            }
            _ => {}
        }
    }

    /// The settings at the end: as they were written last, when all of that is there; else as they follow from those of a
    /// snapshot, or of nothing, and the events behind it.
    fn settings(&self, snapshot: u64, known: Option<&Settings>) -> Option<Settings> {
        let text = self.meta.settings.as_deref().filter(|_| self.meta.is_sound());
        let read = text.and_then(|text| serde_json::from_str::<Settings>(text).ok());
        let are_whole = self.meta.accounts.unwrap_or(0) == self.accounts.sum();
        if let Some(read) = read.filter(|_| are_whole) {
            return Some(Settings { accounts: self.accounts.all.clone(), ..read });
        }
        let mut settings = known.cloned();
        let from = if settings.is_some() { snapshot } else { 0 };
        for (_, event) in self.said.range(from + 1..) {
            match (event, &mut settings) {
                (Event::Settings(said), Some(settings)) => settings.configure(said),
                (Event::Settings(said), None) => settings = Some(Settings::clone(said)),
                // What it was about may be lost.
                (Event::Change { change, id }, Some(settings)) => drop(settings.replay(change, *id)),
                _ => {}
            }
        }
        settings
    }

    fn finish(self, store: &mut Store, snapshot: u64, known: Option<&Settings>) -> Result<Salvaged, StoreError> {
        let settings = self.settings(snapshot, known);
        for (key, (drain, seq)) in &self.ids {
            // Whose id it is does not matter to the id itself: that holds its drain.
            let drain = self.drains.get(drain).map_or("", String::as_str);
            if !drain.is_empty() {
                store.take_over_id(*key, drain, *seq)?;
            }
        }
        let is_sound = self.meta.is_sound();
        let (position, emitted) = match (is_sound, self.meta.position, self.meta.emitted) {
            (true, Some(position), Some(emitted)) => (position, emitted),
            _ => (0, 0),
        };
        let last_id = self.meta.last_id.filter(|_| is_sound).unwrap_or(0);
        store.finish_taking_over(position, emitted, last_id, settings.as_ref())?;
        for (drain, (seq, time)) in &self.dropped {
            if self.heard.get(drain).is_none_or(|heard| heard < seq) {
                store.take_over_drop(drain, *time)?;
            }
        }
        let mut lost: Vec<(u64, u64)> = Vec::new();
        let mut last = snapshot;
        if snapshot == 0 {
            last = self.events.keys().next().map_or(0, |first| first - 1);
        }
        for seq in self.events.range(last + 1..).map(|(seq, _)| *seq).chain([store.position() + 1]) {
            if seq > last + 1 {
                lost.push((last + 1, seq - 1));
            }
            last = seq;
        }
        let missing = lost.iter().map(|(first, last)| last - first + 1).sum();
        lost.truncate(NAMED);
        Ok(Salvaged { aside: PathBuf::new(), events: self.events.len() as u64, lost, missing, is_end_known: is_sound })
    }
}

/// The columns of the journal's table in a file of the newest schema,
pub(super) const COLUMNS: usize = 12;
/// and of the first ones.
const FIRST_COLUMNS: usize = 7;

/// The values of a row of the journal, those that an older row does not have as nothing; or back again.
fn columns_of_all(mut values: Vec<Value>) -> Result<[Value; COLUMNS], Vec<Value>> {
    if values.len() == FIRST_COLUMNS {
        values.resize(COLUMNS, Value::Null);
    }
    values.try_into()
}

pub(super) fn columns(values: [Value; COLUMNS]) -> Option<Columns> {
    let [
        Value::Null,
        Value::Integer(kind),
        Value::Integer(at),
        drain,
        count,
        Value::Integer(crc),
        body,
        peer,
        rest @ ..,
    ] = values
    else {
        return None;
    };
    let drain = match drain {
        Value::Null => None,
        Value::Text(text) => Some(String::from_utf8(text).ok()?),
        _ => return None,
    };
    let number = |value: Value| match value {
        Value::Null => Some(None),
        Value::Integer(number) => Some(Some(number)),
        _ => None,
    };
    let blob = |value: Value| match value {
        Value::Null => Some(None),
        Value::Blob(bytes) => Some(Some(bytes)),
        _ => None,
    };
    let [layout, events, base, raw] = rest;
    Some(Columns {
        kind,
        at,
        drain,
        count: number(count)?,
        crc,
        body: blob(body)?.unwrap_or_default(),
        peer: blob(peer)?,
        layout: number(layout)?,
        events: number(events)?,
        base: number(base)?,
        raw: number(raw)?,
    })
}

/// A name that nothing has.
pub(super) fn aside(dir: &Path, what: &str) -> PathBuf {
    let mut seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    loop {
        let path = dir.join(format!("{what}.damaged-{seconds}.db"));
        if !BESIDE.iter().any(|suffix| with_suffix(&path, suffix).exists()) {
            return path;
        }
        seconds += 1;
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Why nothing could be salvaged.
#[derive(Debug)]
pub enum Failed {
    Store(StoreError),
    Files(io::Error),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Files(error)
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Files(error) => error.fmt(f),
        }
    }
}
