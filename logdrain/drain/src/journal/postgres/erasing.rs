//! Events that a purge looks at, and what it makes of them: written in one step when it has seen enough.

use super::reader::row_of;
use crate::event::{Entry, Event};
use crate::journal::failure::StoreError;
use crate::journal::purging::Rewrites;
use crate::journal::row::{encode, signed, unsigned};
use crate::sql::Link;
use tokio_postgres::{Error, GenericClient};

/// What is left to do of the purges of a partition.
pub(super) const SAY: &str =
    "INSERT INTO logdrain.said (p, key, value) VALUES ($1, $2, $3) ON CONFLICT (p, key) DO UPDATE SET value = $3";

/// Events as they are to be from now on, column by column.
#[derive(Default)]
pub(super) struct Replaced {
    seqs: Vec<i64>,
    crcs: Vec<i64>,
    raws: Vec<Option<i64>>,
    bodies: Vec<Option<Vec<u8>>>,
}

impl Replaced {
    pub(super) async fn write(&self, step: &impl GenericClient, p: i32) -> Result<(), Error> {
        let set = "UPDATE logdrain.log AS old SET crc = new.crc, raw = new.raw, body = new.body
            FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[]) AS new (seq, crc, raw, body)
            WHERE p = $1 AND old.seq = new.seq";
        let Self { seqs, crcs, raws, bodies } = self;
        step.execute(set, &[&p, seqs, crcs, raws, bodies]).await.map(drop)
    }
}

/// The events of a partition, as a purge looks at them.
pub(super) struct Look<'a> {
    link: &'a mut Link,
    p: i32,
    replaced: Replaced,
}

impl<'a> Look<'a> {
    pub(super) fn new(link: &'a mut Link, p: i32) -> Self {
        Self { link, p, replaced: Replaced::default() }
    }

    /// What is to be written.
    pub(super) fn replaced(self) -> Replaced {
        self.replaced
    }
}

impl Rewrites for Look<'_> {
    fn read(&mut self, seq: u64) -> Result<Option<Entry>, StoreError> {
        let columns = row_of(self.link, self.p, seq)?;
        Ok(columns.and_then(|columns| columns.ok()?.entry(seq).ok()))
    }

    fn next_to_look_at(&mut self, behind: u64, before: u64) -> Result<Option<u64>, StoreError> {
        let p = self.p;
        self.link.ask(async |open| {
            let sql = "SELECT seq FROM logdrain.log WHERE p = $1 AND seq > $2 AND seq < $3 AND kind IN (0, 5) ORDER BY seq LIMIT 1";
            let find = open.statement(sql).await?;
            let row = open.client.query_opt(&find, &[&p, &signed(behind), &signed(before)]).await?;
            row.map(|row| row.try_get::<_, i64>(0).map(unsigned)).transpose()
        })
        .map_err(Into::into)
    }

    fn replace(&mut self, seq: u64, event: &Event) -> Result<(), StoreError> {
        let row = encode(seq, event)?;
        let Replaced { seqs, crcs, raws, bodies } = &mut self.replaced;
        seqs.push(signed(seq));
        crcs.push(row.crc);
        raws.push(row.raw);
        bodies.push(row.body.map(|body| body.into_owned()));
        Ok(())
    }
}
