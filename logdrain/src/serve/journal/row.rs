//! An event as a row of the journal's table, with a checksum over all of it.

use super::failure::StoreError;
use crate::serve::event::{Body, Entry, Event, Record};
use heroku_metrics::model::Timestamp;
use rusqlite::{Connection, params};

const DELIVERY: i64 = 0;
const TICK: i64 = 1;
const SETTINGS: i64 = 2;
/// `at` is the believed time, `msg_count` that of the wall clock.
const DOUBT: i64 = 3;
const DROPPED: i64 = 4;

pub(super) fn insert(step: &Connection, seq: u64, event: &Event) -> Result<(), StoreError> {
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

/// The columns of a row behind its number, as they were read.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) kind: i64,
    pub(super) at: i64,
    pub(super) drain: Option<String>,
    pub(super) count: Option<i64>,
    pub(super) crc: i64,
    pub(super) body: Vec<u8>,
}

impl Columns {
    /// Values are read as what they should be: a flipped bit may have changed the type of any.
    pub(super) fn of(row: &rusqlite::Row<'_>) -> Result<Self, String> {
        let text = |error: rusqlite::Error| error.to_string();
        Ok(Self {
            kind: row.get(0).map_err(text)?,
            at: row.get(1).map_err(text)?,
            drain: row.get(2).map_err(text)?,
            count: row.get(3).map_err(text)?,
            crc: row.get(4).map_err(text)?,
            body: row.get::<_, Option<Vec<u8>>>(5).map_err(text)?.unwrap_or_default(),
        })
    }

    /// The event, when all of it is as it was written.
    pub(super) fn entry(self, seq: u64) -> Result<Entry, String> {
        let Self { kind, at, drain, count, crc, body } = self;
        if crc != (Row { seq, kind, at, drain: drain.as_deref(), count }).crc(&body) {
            return Err("its checksum does not match".to_owned());
        }
        let time = Timestamp::from_unix_micros(at);
        let event = match kind {
            DELIVERY => Event::Delivery(Record {
                drain: drain.unwrap_or_default().into(),
                received: time,
                msg_count: count.map(unsigned),
                body: Body::new(body, None),
            }),
            TICK => Event::Tick(time),
            DOUBT => Event::Doubt { believed: time, wall: Timestamp::from_unix_micros(count.unwrap_or(at)) },
            DROPPED => Event::Dropped { drain: drain.unwrap_or_default().into(), time },
            SETTINGS => Event::Settings(serde_json::from_slice(&body).map_err(|error| error.to_string())?),
            other => return Err(format!("it is of kind {other}, which this version does not know")),
        };
        Ok(Entry { seq, event })
    }
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
