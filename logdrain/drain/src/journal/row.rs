//! An event as a row of the journal's table, with a checksum over all of it.

use super::failure::StoreError;
use crate::event::{Body, Entry, Event, Layout, Record};
use crate::packing;
use crate::plain::Plain;
use crate::run::{LAST_ID, Run};
use heroku_metrics::model::Timestamp;
use rusqlite::{Connection, params};
use std::borrow::Cow;
use std::net::IpAddr;

const DELIVERY: i64 = 0;
const TICK: i64 = 1;
const SETTINGS: i64 = 2;
/// `at` is the believed time, `msg_count` that of the wall clock.
const DOUBT: i64 = 3;
const DROPPED: i64 = 4;
const CHANGE: i64 = 5;
/// `at` is when it ended, `msg_count` when it began.
const NOT_TAKEN: i64 = 6;

/// [`Layout::Counted`]
const COUNTED: i64 = 0;
/// [`Layout::Measured`]; the numbers of [`Plain`] are others.
const MEASURED: i64 = 2;

/// The schema from which on deliveries have ids.
const WITH_IDS: i32 = 3;

/// What reads the columns of a row in a file of this schema.
pub(super) const fn find(schema: i32) -> &'static str {
    if schema < WITH_IDS {
        "SELECT kind, at, drain, msg_count, crc, body, NULL, NULL, NULL, NULL, NULL FROM journal WHERE seq = ?1"
    } else {
        "SELECT kind, at, drain, msg_count, crc, body, peer, layout, events, base, raw FROM journal WHERE seq = ?1"
    }
}

/// An event as the values of its columns.
#[derive(Debug)]
pub(super) struct Encoded<'a> {
    pub(super) kind: i64,
    pub(super) at: i64,
    pub(super) drain: Option<&'a str>,
    pub(super) count: Option<i64>,
    pub(super) crc: i64,
    pub(super) body: Option<Cow<'a, [u8]>>,
    peer: Option<Peer>,
    pub(super) layout: Option<i64>,
    pub(super) events: Option<i64>,
    pub(super) base: Option<i64>,
    pub(super) raw: Option<i64>,
}

impl Encoded<'_> {
    pub(super) fn peer(&self) -> Option<&[u8]> {
        self.peer.as_ref().map(Peer::bytes)
    }
}

/// Makes a row of an event, under a number that no other has.
pub(super) fn encode(seq: u64, event: &Event) -> Result<Encoded<'_>, StoreError> {
    let text = |error: serde_json::Error| StoreError::Settings(error.to_string());
    let mut body = None;
    let peer;
    let mut own = None;
    let mut row = Row::default();
    match event {
        Event::Delivery(record) => {
            let (stored, is_packed) = record.body.stored();
            body = Some(Cow::Borrowed(stored));
            own = record.peer.map(Peer::of);
            peer = own;
            row = Row {
                kind: DELIVERY,
                at: record.received.unix_micros(),
                drain: Some(&record.drain),
                count: record.msg_count.and_then(|count| i64::try_from(count).ok()),
                // One without ids has what older programs wrote, and gets the rest when it gets those.
                beside: record.run.is_given().then_some(Beside {
                    peer: peer.as_ref().map(Peer::bytes),
                    layout: match record.layout {
                        Layout::Counted => COUNTED,
                        Layout::Plain(plain) => plain.code(),
                        Layout::Measured => MEASURED,
                    },
                    events: signed(record.run.events),
                    base: signed(record.run.base),
                    raw: None,
                }),
                ..row
            };
            match &mut row.beside {
                Some(beside) if is_packed => beside.raw = Some(record.body.bytes().len() as i64),
                Some(_) => {}
                None => body = Some(Cow::Borrowed(record.body.bytes())),
            }
        }
        Event::Tick(time) => row = Row { kind: TICK, at: time.unix_micros(), ..row },
        Event::Doubt { believed, wall } => {
            row = Row { kind: DOUBT, at: believed.unix_micros(), count: Some(wall.unix_micros()), ..row };
        }
        Event::NotTaken { from, until } => {
            row = Row { kind: NOT_TAKEN, at: until.unix_micros(), count: Some(from.unix_micros()), ..row };
        }
        Event::Dropped { drain, time } => {
            row = Row { kind: DROPPED, at: time.unix_micros(), drain: Some(drain), ..row };
        }
        Event::Settings(settings) => {
            body = Some(Cow::Owned(serde_json::to_vec(settings).map_err(text)?));
            row = Row { kind: SETTINGS, ..row };
        }
        Event::Change { change, id } => {
            body = Some(Cow::Owned(serde_json::to_vec(change).map_err(text)?));
            row = Row { kind: CHANGE, count: id.map(i64::from), ..row };
        }
    }
    row.seq = seq;
    let crc = row.crc(body.as_deref().unwrap_or_default());
    let Row { kind, at, count, beside, .. } = row;
    let drain = match event {
        Event::Delivery(record) => Some(&*record.drain),
        Event::Dropped { drain, .. } => Some(&**drain),
        _ => None,
    };
    let [layout, events, base] = [beside.map(|b| b.layout), beside.map(|b| b.events), beside.map(|b| b.base)];
    let raw = beside.and_then(|b| b.raw);
    let peer = own.filter(|_| beside.is_some());
    Ok(Encoded { kind, at, drain, count, crc, body, peer, layout, events, base, raw })
}

/// Enters an event under a number that no other has.
pub(super) fn insert(step: &Connection, seq: u64, event: &Event) -> Result<(), StoreError> {
    let mut insert = step.prepare_cached(
        "INSERT INTO journal (seq, kind, at, drain, msg_count, crc, body, peer, layout, events, base, raw)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    let row = encode(seq, event)?;
    let (body, peer) = (row.body.as_deref(), row.peer());
    let Encoded { kind, at, drain, count, crc, layout, events, base, raw, .. } = row;
    insert.execute(params![signed(seq), kind, at, drain, count, crc, body, peer, layout, events, base, raw])?;
    Ok(())
}

/// An address as it is kept: 4 bytes or 16.
#[derive(Clone, Copy, Debug)]
enum Peer {
    V4([u8; 4]),
    V6([u8; 16]),
}

impl Peer {
    const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => Self::V6(address.octets()),
        }
    }

    const fn bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }

    fn read(bytes: &[u8]) -> Result<IpAddr, String> {
        if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
            return Ok(bytes.into());
        }
        <[u8; 16]>::try_from(bytes).map(IpAddr::from).map_err(|_| "its address is none".to_owned())
    }
}

/// What stands beside a body, for the checksum over all of it.
#[derive(Clone, Copy, Default)]
struct Row<'a> {
    seq: u64,
    kind: i64,
    at: i64,
    drain: Option<&'a str>,
    count: Option<i64>,
    beside: Option<Beside<'a>>,
}

/// What deliveries have since their events have ids.
#[derive(Clone, Copy, Default)]
struct Beside<'a> {
    peer: Option<&'a [u8]>,
    layout: i64,
    events: i64,
    base: i64,
    /// How long the body is when it is unpacked.
    raw: Option<i64>,
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
        if let Some(Beside { peer, layout, events, base, raw }) = self.beside {
            for number in [layout, events, base, raw.unwrap_or(-1)] {
                crc.update(&number.to_le_bytes());
            }
            let peer = peer.unwrap_or_default();
            crc.update(&(peer.len() as u64).to_le_bytes());
            crc.update(peer);
        }
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
    pub(super) peer: Option<Vec<u8>>,
    pub(super) layout: Option<i64>,
    pub(super) events: Option<i64>,
    pub(super) base: Option<i64>,
    pub(super) raw: Option<i64>,
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
            peer: row.get(6).map_err(text)?,
            layout: row.get(7).map_err(text)?,
            events: row.get(8).map_err(text)?,
            base: row.get(9).map_err(text)?,
            raw: row.get(10).map_err(text)?,
        })
    }

    /// Whether it is a delivery whose events have no ids yet, as older programs wrote them.
    pub(super) const fn is_old(&self) -> bool {
        self.kind == DELIVERY && self.base.is_none()
    }

    /// The event, when all of it is as it was written.
    pub(super) fn entry(self, seq: u64) -> Result<Entry, String> {
        let Self { kind, at, drain, count, crc, body, peer, layout, events, base, raw } = self;
        let beside = match (layout, events, base) {
            (Some(layout), Some(events), Some(base)) => {
                Some(Beside { peer: peer.as_deref(), layout, events, base, raw })
            }
            (None, None, None) if peer.is_none() && raw.is_none() => None,
            _ => return Err("a part of it is missing".to_owned()),
        };
        if crc != (Row { seq, kind, at, drain: drain.as_deref(), count, beside }).crc(&body) {
            return Err("its checksum does not match".to_owned());
        }
        let time = Timestamp::from_unix_micros(at);
        let event = match kind {
            DELIVERY => Event::Delivery(delivery(drain.unwrap_or_default(), time, count, beside, body)?),
            TICK => Event::Tick(time),
            DOUBT => Event::Doubt { believed: time, wall: Timestamp::from_unix_micros(count.unwrap_or(at)) },
            NOT_TAKEN => Event::NotTaken { from: Timestamp::from_unix_micros(count.unwrap_or(at)), until: time },
            DROPPED => Event::Dropped { drain: drain.unwrap_or_default().into(), time },
            SETTINGS => Event::Settings(serde_json::from_slice(&body).map_err(|error| error.to_string())?),
            CHANGE => Event::Change {
                change: serde_json::from_slice(&body).map_err(|error| error.to_string())?,
                id: count.and_then(|count| u32::try_from(count).ok()),
            },
            other => return Err(format!("it is of kind {other}, which this version does not know")),
        };
        Ok(Entry { seq, event })
    }
}

fn delivery(
    drain: String,
    received: Timestamp,
    count: Option<i64>,
    beside: Option<Beside<'_>>,
    body: Vec<u8>,
) -> Result<Record, String> {
    let (drain, msg_count) = (drain.into(), count.map(unsigned));
    let Some(Beside { peer, layout, events, base, raw }) = beside else {
        return Ok(Record { msg_count, ..Record::new(drain, received, Body::new(body, None)) });
    };
    let bytes = match raw {
        Some(len) => packing::unpack(&body, unsigned(len))?,
        None => body,
    };
    let layout = match layout {
        COUNTED => Layout::Counted,
        MEASURED => Layout::Measured,
        other => Layout::Plain(
            Plain::of_code(other)
                .ok_or_else(|| format!("it is laid out in a way ({other}) that this version does not know"))?,
        ),
    };
    let run = Run { base: unsigned(base), events: unsigned(events) };
    if !run.is_given() || run.base > LAST_ID {
        return Err("its ids make no sense".to_owned());
    }
    let peer = peer.map(Peer::read).transpose()?;
    Ok(Record { drain, received, msg_count, peer, layout, run, body: Body::new(bytes, None) })
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
