//! The partition as the thread that writes uses it.

use super::PARTITION;
use super::batch::{Batch, Ids, Rows, overfull};
use super::beside::{know, read_all};
use super::erasing::{Look, SAY};
use super::guess::Guess;
use super::lease::{self, lease};
use super::rare::Rare;
use super::schema;
use crate::event::Event;
use crate::journal::Listed;
use crate::journal::endings::{Ending, Endings};
use crate::journal::failure::StoreError;
use crate::journal::ledger::Ledger;
use crate::journal::purges::{Erase, Purges};
use crate::journal::purging;
use crate::journal::row::{signed, unsigned};
use crate::journal::seam::{Kept, Leisure, Offer, Old, Partition};
use crate::parts::Part;
use crate::settings::Settings;
use crate::sql::{Address, Elsewhere, Link};
use heroku_metrics::model::Timestamp;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

const APPEND: &str = "SELECT logdrain.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
    $18, $19, $20, $21, $22, $23, $24, $25, $26), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
const HOLD: &str = "SELECT logdrain.hold($1, $2, $3)";

/// The one node that writes.
#[derive(Debug)]
pub(super) struct Postgres {
    link: Link,
    ledger: Ledger,
    /// By what it is known.
    node: String,
    /// Rises each time the partition is taken.
    epoch: i64,
    emitted: u64,
    next_drain: i64,
    /// How many ids of each drain came since its old ones were looked for; of one that is not here nobody knows.
    fresh: HashMap<i64, u32>,
    guess: Guess,
}

/// What became of a step.
enum Written {
    /// How much that was old went with it, and what the clock of the database said.
    Done(i64, i64),
    /// One of its ids was there: nothing was written.
    Known,
}

impl Postgres {
    pub(super) fn open(address: &Address, dir: &Path, max_drains: usize) -> Result<Self, StoreError> {
        let mut link = Link::new(address)?;
        let journal = schema::prepare(&mut link, address)?;
        if let Some(parts) = schema::parts(&mut link)? {
            return Err(StoreError::Elsewhere(Elsewhere::for_good(format!(
                "{address}: holds a journal of {} partitions that nodes share: say so with [cluster], or name another database",
                parts.count()
            ))));
        }
        let node = lease::node(dir, address, &journal)?;
        let epoch = lease::claim(&mut link, address, &node, &lease::name(dir))?;
        link.is_of(&node);
        let ledger = Ledger::new(Part::WHOLE, max_drains);
        let mut postgres = Self {
            link,
            ledger,
            node,
            epoch,
            emitted: 0,
            next_drain: 1,
            fresh: HashMap::new(),
            guess: Guess::default(),
        };
        postgres.recall()?;
        Ok(postgres)
    }

    /// Begins a step: asks which of the ids that are offered were taken before, and what time it is there.
    fn begin(&mut self, offers: &[Offer]) -> Result<Batch, StoreError> {
        if !offers.iter().any(|offer| matches!(offer.event, Event::Delivery(_))) {
            return Ok(Batch::new(HashMap::new(), None, self.next_drain));
        }
        let keys: Vec<&[u8]> = offers.iter().filter_map(|offer| offer.key.as_ref().map(|key| &key.0[..])).collect();
        let (known, now) = self.link.ask(async |open| {
            let sql = "SELECT NULL::bytea, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
                UNION ALL SELECT id, drain FROM logdrain.ids WHERE p = $1 AND id = ANY($2)";
            let find = open.statement(sql).await?;
            let rows = open.client.query(&find, &[&PARTITION, &keys]).await?;
            let (mut known, mut now) = (HashMap::with_capacity(rows.len()), None);
            for row in rows {
                match row.try_get::<_, Option<&[u8]>>(0)? {
                    None => now = Some(row.try_get(1)?),
                    Some(id) => {
                        if let Ok(id) = id.try_into() {
                            known.insert(id, row.try_get(1)?);
                        }
                    }
                }
            }
            Ok((known, now))
        })?;
        if let Some(now) = now {
            self.guess.tell(now);
        }
        Ok(Batch::new(known, now, self.next_drain))
    }

    /// Writes a step; `None` if one of its ids was there and the batch did not know it: nothing was written then.
    fn write(
        &mut self,
        mut batch: Batch,
        offers: Vec<Offer>,
        emitted: u64,
        old: &mut Old,
    ) -> Result<Option<Vec<Kept>>, StoreError> {
        let (kept, next) = self.ledger.take(offers, &mut batch)?;
        let overfull = overfull(&mut self.fresh, &batch.ids, old.ids);
        let stands = self.ledger.stands_after(&next, emitted);
        let purges = next.purges.as_ref().map(Purges::text).transpose()?;
        let (epoch, head, lease) = (self.epoch, signed(self.ledger.position), lease());
        let (new_head, emitted, last_id) = (signed(stands.position), signed(stands.emitted), signed(stands.last_id));
        let (behind, before, most) = (signed(old.behind), old.before.unix_micros(), signed(old.rows));
        let patience = Link::patience(batch.bytes());
        let done = self.link.ask_within(patience, async |open| {
            let append = open.statement(APPEND).await?;
            let Rows { seqs, kinds, ats, drains, counts, crcs, bases, lines, peers, layouts, raws, bodies } =
                &batch.rows;
            let Ids { keys, drains: id_drains, seqs: id_seqs } = &batch.ids;
            #[rustfmt::skip]
            let values: [&(dyn ToSql + Sync); 26] = [
                &PARTITION, &epoch, &lease, &head, &new_head, &emitted, &last_id,
                seqs, kinds, ats, drains, counts, crcs, bases, lines, peers, layouts, raws, bodies,
                keys, id_drains, id_seqs, &behind, &before, &most, &overfull,
            ];
            // One way there and back, as long as there are but deliveries and ticks.
            if batch.is_plain() && purges.is_none() && next.text.is_none() {
                return match open.client.query_one(&append, &values).await {
                    Ok(row) => Ok(Written::Done(row.try_get(0)?, row.try_get(1)?)),
                    Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(Written::Known),
                    Err(error) => Err(error),
                };
            }
            let rare = Rare::of(PARTITION, &batch, next.text.as_deref(), purges.as_deref());
            let (hold, writes) = (open.statement(HOLD).await?, rare.statements(open).await?);
            let held: [&(dyn ToSql + Sync); 3] = [&PARTITION, &epoch, &lease];
            let step = open.client.transaction().await?;
            // As long as it is on its way, the database takes us for idle.
            let idle = format!("SET LOCAL idle_in_transaction_session_timeout = {}", patience.as_millis());
            // One behind the other, and not one way there and back each. The partition is held before anything else, so that
            // two nodes wait for each other and not crosswise.
            let ((), _, (), given) = tokio::try_join!(
                biased;
                step.batch_execute(&idle),
                step.execute(&hold, &held),
                rare.write(&step, &writes),
                step.query_one(&append, &values),
            )?;
            let done = Written::Done(given.try_get(0)?, given.try_get(1)?);
            step.commit().await?;
            Ok(done)
        })?;
        let Written::Done(given, now) = done else { return Ok(None) };
        self.guess.tell(now);
        old.given += usize::try_from(given).unwrap_or(0);
        self.emitted = unsigned(emitted);
        self.next_drain = batch.next_drain;
        self.ledger.passed(next);
        Ok(Some(kept))
    }
}

impl Partition for Postgres {
    fn position(&self) -> u64 {
        self.ledger.position
    }

    fn settings(&self) -> Option<&Arc<Settings>> {
        self.ledger.settings.as_ref()
    }

    fn emitted(&self) -> Result<u64, StoreError> {
        Ok(self.emitted)
    }

    fn endings(&self) -> Vec<Ending> {
        self.ledger.purges.endings().collect()
    }

    fn skip_to(&mut self, position: u64) -> Result<(), StoreError> {
        let epoch = self.epoch;
        self.link.ask(async |open| {
            let step = open.client.transaction().await?;
            step.execute(HOLD, &[&PARTITION, &epoch, &lease()]).await?;
            let set = "UPDATE logdrain.part SET head = $2 WHERE p = $1";
            step.execute(set, &[&PARTITION, &signed(position)]).await?;
            step.commit().await
        })?;
        self.ledger.position = position;
        Ok(())
    }

    fn listed(&self) -> Vec<Listed> {
        self.ledger.listed()
    }

    fn pass_id(&mut self, id: u64) {
        self.ledger.runs.pass(id);
    }

    fn append(&mut self, mut offers: Vec<Offer>, emitted: u64, old: &mut Old) -> Result<Vec<Kept>, StoreError> {
        if let Some((batch, again)) = self.guess.of(&offers, &self.ledger, self.next_drain) {
            match self.write(batch, offers, emitted, old) {
                Ok(Some(kept)) => return Ok(kept),
                Ok(None) => self.guess.was_wrong(),
                Err(error) => {
                    self.guess.forget();
                    return Err(error);
                }
            }
            offers = again;
        }
        let batch = self.begin(&offers)?;
        let broken =
            || StoreError::elsewhere("an id is known to the database, and was not when it was asked".to_owned());
        self.write(batch, offers, emitted, old)?.ok_or_else(broken)
    }

    fn recall(&mut self) -> Result<(), StoreError> {
        let (known, known_id) = (signed(self.ledger.position), signed(self.ledger.runs.last()));
        let stands = lease::renew(&mut self.link, &self.node, self.epoch)?;
        let lease::Stands { mut head, emitted, last_id, .. } = stands;
        self.epoch = stands.epoch;
        if head < known {
            tracing::error!(
                from = head + 1,
                to = known,
                "the database has lost the end of the journal: deliveries that were acknowledged may be missing"
            );
            self.skip_to(unsigned(known))?;
            head = known;
        }
        let all = self.link.ask(async |open| read_all(open, PARTITION).await)?;
        let ledger = &mut self.ledger;
        ledger.position = unsigned(head);
        ledger.runs.pass(unsigned(last_id.max(known_id)));
        self.emitted = unsigned(emitted);
        self.next_drain = self.next_drain.max(know(ledger, all)?);
        self.fresh.clear();
        self.guess.forget();
        Ok(())
    }

    fn give_back(&mut self, old: &mut Old) -> Result<(), StoreError> {
        let overfull = overfull(&mut self.fresh, &Ids::default(), old.ids);
        let (epoch, behind, before, most) =
            (self.epoch, signed(old.behind), old.before.unix_micros(), signed(old.rows));
        let given = self.link.ask(async |open| {
            let sql = "SELECT CASE WHEN logdrain.hold($1, $2, $3) >= 0 THEN logdrain.give_back($1, $4, $5, $6, $7) END";
            let give = open.statement(sql).await?;
            let row = open
                .client
                .query_one(&give, &[&PARTITION, &epoch, &lease(), &behind, &before, &most, &overfull])
                .await?;
            row.try_get::<_, Option<i64>>(0)
        })?;
        old.given += given.and_then(|given| usize::try_from(given).ok()).unwrap_or(0);
        Ok(())
    }

    fn check_place(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn purge_some(&mut self, behind: u64, erase: &Erase, endings: &Endings) -> Result<bool, StoreError> {
        let purges = &self.ledger.purges;
        let Some(due) = purging::due(purges, behind, endings) else { return Ok(false) };
        let mut look = Look::new(&mut self.link, PARTITION);
        let next = purging::some(purges, due, self.ledger.settings.as_deref(), &mut look, erase, endings)?;
        let (text, epoch, replaced) = (next.text()?, self.epoch, look.replaced());
        self.link.ask(async |open| {
            let step = open.client.transaction().await?;
            step.execute(HOLD, &[&PARTITION, &epoch, &lease()]).await?;
            replaced.write(&step, PARTITION).await?;
            step.execute(SAY, &[&PARTITION, &"purges", &text]).await?;
            step.commit().await
        })?;
        self.ledger.purges = next;
        Ok(true)
    }

    fn purge_aside(&mut self, dir: &Path, now: Timestamp) -> Result<(), StoreError> {
        let Some(next) = purging::remove_aside(&self.ledger.purges, dir, now) else { return Ok(()) };
        let (text, epoch) = (next.text()?, self.epoch);
        self.link.ask(async |open| {
            let step = open.client.transaction().await?;
            step.execute(HOLD, &[&PARTITION, &epoch, &lease()]).await?;
            step.execute(SAY, &[&PARTITION, &"purges", &text]).await?;
            step.commit().await
        })?;
        self.ledger.purges = next;
        Ok(())
    }

    /// The database gives room back by itself.
    fn shrink(&self, _: Leisure) -> Result<(), StoreError> {
        Ok(())
    }

    /// All of it is there already. Another node need not wait for the lease to end.
    fn settle(&mut self) -> Result<(), StoreError> {
        let epoch = self.epoch;
        self.link.ask(async |open| {
            let end = "UPDATE logdrain.part SET until = clock_timestamp() WHERE p = $1 AND epoch = $2";
            open.client.execute(end, &[&PARTITION, &epoch]).await
        })?;
        Ok(())
    }
}
