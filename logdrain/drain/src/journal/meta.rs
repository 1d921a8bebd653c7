//! Where the journal stands: numbers that everything else hangs on, and so a checksum over them.

use super::failure::StoreError;
use super::row::{signed, unsigned};
use crate::parts::Part;
use crate::run::LAST_ID;
use rusqlite::types::Value;
use rusqlite::{Connection, params};

/// Beyond this a number is damage: nobody writes so many events.
pub const LAST_NUMBER: u64 = 1 << 62;

/// Where the journal stands, to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stands<'a> {
    /// Which partition it is.
    pub(super) part: Part,
    pub(super) position: u64,
    pub(super) emitted: u64,
    pub(super) last_id: u64,
    /// Without those of accounts,
    pub(super) settings: Option<&'a str>,
    /// which have a checksum.
    pub(super) accounts: u64,
}

/// What table `meta` says; `None` is what cannot be read.
#[derive(Debug, Default)]
pub(super) struct Meta {
    pub(super) position: Option<u64>,
    pub(super) emitted: Option<u64>,
    pub(super) settings: Option<String>,
    /// The last id of an event that was given. Stores of the second schema and before gave none.
    pub(super) last_id: Option<u64>,
    /// The checksum over the rows of accounts. Stores of the third schema and before had none.
    pub(super) accounts: Option<u64>,
    /// Which partition it is, if it is not the only one.
    part: Option<u64>,
    /// Stores of the first schema have none before their first commit.
    crc: Option<i64>,
}

impl Meta {
    pub(super) fn read(db: &Connection) -> Result<Self, StoreError> {
        let mut meta = Self::default();
        let mut rows = db.prepare_cached("SELECT key, value FROM meta")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            // A flipped bit may have changed the type of any value, and the key.
            let (Value::Text(key), value) = (row.get(0)?, row.get(1)?) else { continue };
            meta.enter(&key, value);
        }
        Ok(meta)
    }

    pub(super) fn enter(&mut self, key: &str, value: Value) {
        let number = |value| match value {
            Value::Integer(number) => u64::try_from(number).ok(),
            _ => None,
        };
        match (key, value) {
            ("position", value) => self.position = number(value),
            ("emitted", value) => self.emitted = number(value),
            ("settings", Value::Text(text)) => self.settings = Some(text),
            ("last_id", value) => self.last_id = number(value),
            ("accounts", value) => self.accounts = number(value),
            ("part", value) => self.part = number(value),
            ("crc", Value::Integer(crc)) => self.crc = Some(crc),
            _ => {}
        }
    }

    /// Enters where the journal stands.
    pub(super) fn write(step: &Connection, stands: &Stands<'_>) -> Result<(), StoreError> {
        let mut set = step.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?;
        set.execute(params!["position", signed(stands.position)])?;
        set.execute(params!["emitted", signed(stands.emitted)])?;
        set.execute(params!["last_id", signed(stands.last_id)])?;
        if let Some(text) = stands.settings {
            set.execute(params!["settings", text])?;
        }
        set.execute(params!["accounts", signed(stands.accounts)])?;
        let part = stands.part.code();
        if let Some(part) = part {
            set.execute(params!["part", signed(part)])?;
        }
        let others = [Some(stands.last_id), Some(stands.accounts), part];
        set.execute(params!["crc", crc(stands.position, stands.emitted, stands.settings, others)])?;
        Ok(())
    }

    /// Whether the checksum is there and right.
    pub(super) fn is_sound(&self) -> bool {
        match (self.position, self.emitted, self.crc) {
            (Some(position), Some(emitted), Some(found)) => {
                let others = [self.last_id, self.accounts, self.part];
                found == crc(position, emitted, self.settings.as_deref(), others)
            }
            _ => false,
        }
    }

    /// Which partition it is; `None` as long as it is none yet, or when it cannot be read.
    pub(super) fn part(&self) -> Option<Part> {
        if self.is_sound() || self.part.is_some() || self.position != Some(0) { Part::of_code(self.part) } else { None }
    }

    /// What cannot be right, each as a sentence.
    pub(super) fn faults(&self, db: &Connection) -> Result<Vec<String>, StoreError> {
        let mut faults = Vec::new();
        let (Some(position), Some(emitted)) = (self.position, self.emitted) else {
            return Ok(vec!["where the journal stands cannot be read".to_owned()]);
        };
        if self.crc.is_some() && !self.is_sound() {
            faults.push("the checksum over where the journal stands does not match".to_owned());
        }
        if position > LAST_NUMBER {
            faults.push(format!("the journal is said to end at event {position}, which makes no sense"));
        }
        if self.last_id.is_some_and(|id| id > LAST_ID) {
            faults.push("the last id of an event makes no sense".to_owned());
        }
        if emitted > position {
            faults.push(format!("rows are said to be out up to event {emitted}, the journal to end at {position}"));
        }
        let last = last_number(db)?;
        if last > position {
            faults.push(format!("the journal is said to end at event {position}, and holds event {last}"));
        }
        Ok(faults)
    }
}

/// The last event that is there.
pub(super) fn last_number(db: &Connection) -> Result<u64, StoreError> {
    let last: Option<i64> = db.prepare_cached("SELECT max(seq) FROM journal")?.query_row([], |row| row.get(0))?;
    Ok(last.map_or(0, unsigned))
}

/// The last event that an id is of, also when the event itself is kept no more.
pub(super) fn last_of_ids(db: &Connection) -> Result<u64, StoreError> {
    let last: Option<i64> =
        db.query_row("SELECT max((SELECT max(seq) FROM ids WHERE drain = drains.drain)) FROM drains", [], |row| {
            row.get(0)
        })?;
    Ok(last.map_or(0, unsigned))
}

fn crc(position: u64, emitted: u64, settings: Option<&str>, others: [Option<u64>; 3]) -> i64 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&position.to_le_bytes());
    crc.update(&emitted.to_le_bytes());
    crc.update(settings.unwrap_or_default().as_bytes());
    for number in others.into_iter().flatten() {
        crc.update(&number.to_le_bytes());
    }
    i64::from(crc.finalize())
}
