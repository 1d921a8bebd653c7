//! Reads beside who writes. Who reads one event after the other gets some ahead, so that not each one is a way there and back.

use crate::journal::failure::StoreError;
use crate::journal::row::{Columns, signed, unsigned};
use crate::journal::seam::{Events, Step};
use crate::sql::{Address, Link};
use std::cell::RefCell;
use std::collections::VecDeque;
use tokio_postgres::Row;

/// Events that are read ahead, at most,
const AHEAD: i64 = 256;
/// and bytes of their bodies, as they are kept.
const AHEAD_BYTES: i64 = 1 << 20;

/// The columns that [`columns_of`] reads, behind the number.
macro_rules! columns {
    () => {
        "seq, kind, at, drain, count, crc, body, peer, layout, lines, base_id, raw"
    };
}

/// Reads the journal beside who writes it.
#[derive(Debug)]
pub(super) struct PostgresReader(RefCell<Reading>);

#[derive(Debug)]
struct Reading {
    link: Link,
    p: i32,
    /// Others count it, too, and let events go that they have in snapshots.
    is_shared: bool,
    /// What was read ahead, in the order of the numbers.
    ahead: Ahead,
    /// The number that was read last.
    last: u64,
}

impl PostgresReader {
    pub(super) fn new(address: &Address, p: i32) -> Result<Self, StoreError> {
        Ok(Self(RefCell::new(Reading {
            link: Link::new(address)?,
            p,
            is_shared: false,
            ahead: VecDeque::new(),
            last: 0,
        })))
    }

    /// Of a partition that others count, too.
    pub(super) fn shared(mut self) -> Self {
        self.0.get_mut().is_shared = true;
        self
    }

    fn number(&self, sql: &'static str, seq: u64) -> Result<Option<u64>, StoreError> {
        let Reading { link, p, .. } = &mut *self.0.borrow_mut();
        link.ask(async |open| {
            let find = open.statement(sql).await?;
            let row = open.client.query_opt(&find, &[&*p, &signed(seq)]).await?;
            row.map(|row| row.try_get::<_, i64>(0).map(unsigned)).transpose()
        })
        .map_err(Into::into)
    }
}

impl PostgresReader {
    /// The last event that went.
    fn low(&self) -> Result<u64, StoreError> {
        let Reading { link, p, .. } = &mut *self.0.borrow_mut();
        link.ask(async |open| {
            let find = open.statement("SELECT low FROM logdrain.part WHERE p = $1").await?;
            open.client.query_one(&find, &[&*p]).await?.try_get::<_, i64>(0).map(unsigned)
        })
        .map_err(Into::into)
    }
}

impl Events for PostgresReader {
    fn read(&self, seq: u64) -> Result<Step, StoreError> {
        let mut reading = self.0.borrow_mut();
        let is_next = seq == reading.last + 1;
        while reading.ahead.front().is_some_and(|(number, _)| *number < seq) {
            reading.ahead.pop_front();
        }
        if reading.ahead.front().is_none_or(|(number, _)| *number != seq) {
            // What comes in between is not there any more, or not there yet.
            let Reading { link, p, .. } = &mut *reading;
            let ahead = read_from(link, *p, seq, if is_next { AHEAD } else { 1 })?;
            reading.ahead = ahead;
        }
        reading.last = seq;
        let is_there = reading.ahead.front().is_some_and(|(number, _)| *number == seq);
        let found = if is_there { reading.ahead.pop_front() } else { None };
        match found {
            Some((_, columns)) => Ok(match columns.and_then(|columns| columns.entry(seq)) {
                Ok(entry) => Step::Event(entry),
                Err(why) => Step::Damaged { seq, why },
            }),
            None => Ok(Step::Missing),
        }
    }

    fn next_after(&self, seq: u64) -> Result<Option<u64>, StoreError> {
        let is_shared = self.0.borrow().is_shared;
        // What is below it went when a snapshot had it; 0 asks where a start may begin.
        if is_shared && seq > 0 && self.low()? >= seq {
            return Err(StoreError::TakenOver("a node that has gone further".to_owned()));
        }
        self.number("SELECT seq FROM logdrain.log WHERE p = $1 AND seq > $2 ORDER BY seq LIMIT 1", seq)
    }

    fn next_time_after(&self, seq: u64) -> Result<Option<u64>, StoreError> {
        self.number(
            "SELECT seq FROM logdrain.log WHERE p = $1 AND seq > $2 AND kind IN (1, 3) ORDER BY seq LIMIT 1",
            seq,
        )
    }

    fn last_time_before(&self, seq: u64) -> Result<Option<u64>, StoreError> {
        self.number(
            "SELECT seq FROM logdrain.log WHERE p = $1 AND seq < $2 AND kind IN (1, 3) ORDER BY seq DESC LIMIT 1",
            seq,
        )
    }
}

/// Rows by their number, each read or with what is wrong with it.
type Ahead = VecDeque<(u64, Result<Columns, String>)>;

/// Rows from a number on, as many as fit. A large one comes alone, and has the time that it takes over a narrow way.
fn read_from(link: &mut Link, p: i32, seq: u64, most: i64) -> Result<Ahead, StoreError> {
    let ahead: Ahead = link.ask(async |open| {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM (SELECT *, sum(coalesce(octet_length(body), 0)) OVER (ORDER BY seq) AS bytes FROM (
                SELECT * FROM logdrain.log WHERE p = $1 AND seq >= $2 ORDER BY seq LIMIT $3) AS next) AS these
            WHERE bytes <= $4 ORDER BY seq"
        );
        let find = open.statement(sql).await?;
        let rows = open.client.query(&find, &[&p, &signed(seq), &most, &AHEAD_BYTES]).await?;
        rows.iter().map(|row| Ok((unsigned(row.try_get(0)?), columns_of(row)))).collect()
    })?;
    if ahead.front().is_some_and(|(first, _)| *first == seq) {
        return Ok(ahead);
    }
    // It is a large one, or is not there.
    Ok(row_of(link, p, seq)?.map_or(ahead, |large| Ahead::from([(seq, large)])))
}

/// One row, also for who writes, in the time that it takes over a narrow way.
pub(super) fn row_of(link: &mut Link, p: i32, seq: u64) -> Result<Option<Result<Columns, String>>, StoreError> {
    let bytes = link.ask(async |open| {
        let sql = "SELECT coalesce(octet_length(body), 0)::bigint FROM logdrain.log WHERE p = $1 AND seq = $2";
        let find = open.statement(sql).await?;
        let row = open.client.query_opt(&find, &[&p, &signed(seq)]).await?;
        row.map(|row| row.try_get::<_, i64>(0)).transpose()
    })?;
    let Some(bytes) = bytes else { return Ok(None) };
    let patience = Link::patience(usize::try_from(bytes).unwrap_or(0));
    link.ask_within(patience, async |open| {
        let sql = concat!("SELECT ", columns!(), " FROM logdrain.log WHERE p = $1 AND seq = $2");
        let find = open.statement(sql).await?;
        let row = open.client.query_opt(&find, &[&p, &signed(seq)]).await?;
        Ok(row.map(|row| columns_of(&row)))
    })
    .map_err(Into::into)
}

fn columns_of(row: &Row) -> Result<Columns, String> {
    let text = |error: tokio_postgres::Error| error.to_string();
    Ok(Columns {
        kind: row.try_get(1).map_err(text)?,
        at: row.try_get(2).map_err(text)?,
        drain: row.try_get(3).map_err(text)?,
        count: row.try_get(4).map_err(text)?,
        crc: row.try_get(5).map_err(text)?,
        body: row.try_get::<_, Option<Vec<u8>>>(6).map_err(text)?.unwrap_or_default(),
        peer: row.try_get(7).map_err(text)?,
        layout: row.try_get(8).map_err(text)?,
        events: row.try_get(9).map_err(text)?,
        base: row.try_get(10).map_err(text)?,
        raw: row.try_get(11).map_err(text)?,
    })
}
