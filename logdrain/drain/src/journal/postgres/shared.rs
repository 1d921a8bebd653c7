//! A partition that several nodes write to.
//!
//! Any node appends to it, whoever counts it. A step locks the partition's row, reads where it stands, and writes behind that:
//! numbers have no gap and stand in the order of the commits, and who was stopped in the middle holds the others up for a
//! second and no longer. What a node knows of a partition beside its end (who has a place, what the settings are) it reads
//! again when another one has changed it.
//!
//! Only the node that owns the partition moves its watermark, and only as long as it is the owner, by the clock of the
//! database and never beyond it, nor beyond what living nodes have for it in their [spools](super::holds).
//!
//! What is far ahead of the watermark is not taken yet: whoever counts would take it for a fault of a clock.

use super::batch::{Batch, Ids, Rows, overfull};
use super::beside::{know, read_all};
use super::erasing::{Look, SAY};
use super::holds::{Holds, Report};
use super::rare::Rare;
use crate::event::{Entry, Event};
use crate::journal::Listed;
use crate::journal::endings::Endings;
use crate::journal::failure::StoreError;
use crate::journal::ledger::{Ledger, Next};
use crate::journal::places::Verdict;
use crate::journal::purges::{Erase, Purges};
use crate::journal::purging;
use crate::journal::row::{signed, unsigned};
use crate::journal::seam::{Kept, Offer, Old};
use crate::journal::window_clock::WindowClock;
use crate::parts::{Part, Split};
use crate::settings::Settings;
use crate::sql::{Address, Link, Open};
use heroku_metrics::model::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

/// How long the database lets a node be that has locked a partition and says nothing.
const SILENCE: Duration = Duration::from_secs(1);
/// When drains were heard is read so often at most.
const HEARD_EVERY: Duration = Duration::from_secs(10);
/// How far ahead of the watermark a delivery is taken: ticks are a minute apart at most, and whoever counts refuses lines that are
/// five minutes ahead. What is older waits until the watermark has come nearer, so that few windows are open at a time.
const LEAP: i64 = 120_000_000;
/// The tick that ends a doubt is of the moment of the sign before it, and may be so much earlier.
const NEAR: i64 = 5_000_000;
/// No version of a partition: all of it is read before the next step.
const UNKNOWN: i64 = -1;

const LOCK: &str = "SELECT head, last_id, version, ticked, doubted, emitted,
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
        (SELECT epoch FROM logdrain.leases WHERE leases.p = part.p)
    FROM logdrain.part WHERE p = $1 FOR UPDATE";
const KNOWN: &str = "SELECT id, drain FROM logdrain.ids WHERE p = $1 AND id = ANY($2)";
/// As `safe` is read, nobody else holds the partition: what was in the journal when it was written is in it.
const REPORTS: &str = "SELECT node, (extract(epoch FROM greatest(since, '2000-01-01')) * 1000000)::bigint, safe[$1 + 1]
    FROM logdrain.nodes WHERE until > clock_timestamp() AND until < clock_timestamp() + interval '61 seconds'";
const DOUBT: &str = "UPDATE logdrain.part SET doubted = greatest(doubted, $2) WHERE p = $1";
/// Measured deliveries and those of ports have no place, and are not asked for.
const HEARD: &str = "SELECT drain, max(at) FROM logdrain.log WHERE p = $1 AND kind = 0 GROUP BY drain";
const APPEND: &str = "SELECT logdrain.append_shared($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
    $17, $18, $19, $20, $21, $22, $23, $24, $25)";

/// What the owner of a partition may do besides.
#[derive(Debug)]
pub struct Owning {
    /// At which epoch it is the owner.
    pub epoch: i64,
    /// The last event whose rows are out.
    pub emitted: u64,
    /// What is old, and may go.
    pub old: Old,
    /// When a tick is due.
    pub(in crate::journal) windows: WindowClock,
    /// The oldest delivery that this node has for the partition and the journal does not have.
    pub oldest: Option<Timestamp>,
}

/// What became of events of the owner.
#[derive(Debug, Default)]
pub struct Moved {
    /// What was written.
    pub entries: Vec<Entry>,
    /// How much that was old went.
    pub given: usize,
    /// A tick waits for what nodes have in their spools.
    pub is_held: bool,
}

/// A partition as one of the nodes has it that write to it.
#[derive(Debug)]
pub struct SharedPartition {
    link: Link,
    p: i32,
    ledger: Ledger,
    /// Of what is known beside the end.
    version: i64,
    emitted: u64,
    next_drain: i64,
    /// How many ids of each drain came since its old ones were looked for; of one that is not here nobody knows.
    fresh: HashMap<i64, u32>,
    /// When it was read when drains were heard.
    heard: Option<Instant>,
    /// Which nodes hold its watermark back.
    holds: Holds,
    /// Another node may have changed which drains have a place.
    is_changed: bool,
}

impl SharedPartition {
    /// # Errors
    /// When no connection can be made at all. Where the database is away the first step says so.
    pub fn new(address: &Address, (part, split): (Part, Split), max_drains: usize) -> Result<Self, StoreError> {
        let accounts_of = (split == Split::ByAccount).then_some(part);
        let ledger = Ledger::new(part, max_drains);
        let ledger = Ledger { places: ledger.places.of_accounts(accounts_of), ..ledger };
        Ok(Self {
            link: Link::new(address)?,
            p: i32::from(part.number()),
            ledger,
            version: UNKNOWN,
            emitted: 0,
            next_drain: 1,
            fresh: HashMap::new(),
            heard: None,
            holds: Holds::default(),
            is_changed: false,
        })
    }

    /// Which partition it is.
    pub(in crate::journal) const fn part(&self) -> Part {
        self.ledger.part
    }

    /// The number of the last event that this node knows of.
    pub const fn position(&self) -> u64 {
        self.ledger.position
    }

    /// How often what stands beside the events was written when it was read last.
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// The last event whose rows are known to be out.
    pub const fn emitted(&self) -> u64 {
        self.emitted
    }

    pub const fn settings(&self) -> Option<&Arc<Settings>> {
        self.ledger.settings.as_ref()
    }

    /// Reads what there is, as far as it is not known.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn look(&mut self) -> Result<(), StoreError> {
        self.append(Vec::new()).map(drop)
    }

    /// Keeps all offers in one step, durable when this returns; or none of them. Who owns the partition does not matter.
    ///
    /// # Errors
    /// When nothing was kept, or nobody can say whether it was.
    pub fn append(&mut self, offers: Vec<Offer>) -> Result<Vec<Kept>, StoreError> {
        Ok(self.step(offers, None)?.unwrap_or_default())
    }

    /// Keeps events of the owner. Ticks that are not of this time, or not ahead of the last one, are left out; one that would
    /// pass a delivery of a living node comes as near to that as is due, or waits with all that came with it.
    ///
    /// # Errors
    /// As [`append`](Self::append), and [`StoreError::TakenOver`] when it is not the owner any more.
    pub fn own(&mut self, events: Vec<Event>, mut owning: Owning) -> Result<Moved, StoreError> {
        let offers = events.into_iter().map(|event| Offer { key: None, event }).collect();
        let Some(kept) = self.step(offers, Some(&mut owning))? else {
            return Ok(Moved { is_held: true, ..Moved::default() });
        };
        let new = kept.into_iter().filter_map(|kept| if let Kept::New(entry) = kept { Some(entry) } else { None });
        Ok(Moved { entries: new.collect(), given: owning.old.given, is_held: false })
    }

    /// The partition whose accounts have their places here, where they are in one as a whole.
    pub(in crate::journal) const fn accounts_of(&self) -> Option<Part> {
        self.ledger.places.accounts_of
    }

    /// The drains that have a place, and those that lost theirs.
    pub(in crate::journal) fn listed(&self) -> Vec<Listed> {
        self.ledger.listed()
    }

    /// The same, if they may be others than when this was asked last.
    pub(in crate::journal) fn changed(&mut self) -> Option<Vec<Listed>> {
        std::mem::take(&mut self.is_changed).then(|| self.listed())
    }

    /// Does some of what purges left to do, as far as everybody has what is up to `behind`. Says whether there is more to do at
    /// once. Whichever node destroyed an account, that is among `endings` from here on; it is done with when it has ended there.
    ///
    /// # Errors
    /// When it was not done, and [`StoreError::TakenOver`] when this node is not the owner any more.
    pub fn purge_some(
        &mut self,
        epoch: i64,
        behind: u64,
        erase: &Erase,
        endings: &Endings,
    ) -> Result<bool, StoreError> {
        let purges = &self.ledger.purges;
        endings.follow(purges.endings());
        let Some(due) = purging::due(purges, behind, endings) else { return Ok(false) };
        if self.version == UNKNOWN {
            self.look()?;
            return Ok(true);
        }
        let (p, known) = (self.p, self.version);
        let mut look = Look::new(&mut self.link, p);
        let settings = self.ledger.settings.as_deref();
        let mut next = purging::some(purges, due, settings, &mut look, erase, endings)?;
        // No journal is set aside in a database.
        next.aside.clear();
        let (text, replaced) = (next.text()?, look.replaced());
        self.version = UNKNOWN;
        let (owner, version) = self.link.ask(async |open| {
            let step = open.client.transaction().await?;
            let lock = "SELECT version, (SELECT epoch FROM logdrain.leases WHERE leases.p = part.p)
                FROM logdrain.part WHERE p = $1 FOR UPDATE";
            let row = step.query_one(lock, &[&p]).await?;
            let (version, owner): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
            if owner == Some(epoch) && version == known {
                replaced.write(&step, p).await?;
                step.execute(SAY, &[&p, &"purges", &text]).await?;
                step.execute("UPDATE logdrain.part SET version = version + 1 WHERE p = $1", &[&p]).await?;
                step.commit().await?;
            }
            Ok((owner, version))
        })?;
        if owner != Some(epoch) {
            return Err(StoreError::TakenOver("another node".to_owned()));
        }
        // When another one has changed something meanwhile it is read, and looked at again.
        if version == known {
            (self.ledger.purges, self.version) = (next, known + 1);
        }
        Ok(true)
    }

    fn step(&mut self, offers: Vec<Offer>, owning: Option<&mut Owning>) -> Result<Option<Vec<Kept>>, StoreError> {
        let bytes = offers
            .iter()
            .map(|offer| if let Event::Delivery(record) = &offer.event { record.body.memory() } else { 0 });
        let patience = Link::patience(bytes.sum());
        let Self { link, p, ledger, version, next_drain, fresh, heard, holds, .. } = self;
        let known = std::mem::replace(version, UNKNOWN);
        let (p, next_drain, is_read) = (*p, *next_drain, false);
        let mut partition = Locked { p, ledger, version: known, next_drain, fresh, heard, holds, is_read };
        let done = link.ask_within(patience, async |open| {
            let done = partition.step(open, offers, owning, patience).await;
            if !matches!(done, Ok(Ok(Some(_)))) {
                // Whoever is not answered to this gives the connection up.
                let _ = open.client.batch_execute("ROLLBACK").await;
            }
            done
        });
        self.is_changed |= partition.is_read;
        let Some(Done { kept, next, version, emitted, next_drain }) = done?? else {
            self.version = known;
            return Ok(None);
        };
        self.is_changed |= kept.iter().any(|kept| matches!(kept, Kept::NewInstead { .. }));
        self.ledger.passed(next);
        self.emitted = emitted;
        (self.version, self.next_drain) = (version, next_drain);
        Ok(Some(kept))
    }
}

/// A step that is durable.
struct Done {
    kept: Vec<Kept>,
    next: Next,
    version: i64,
    emitted: u64,
    next_drain: i64,
}

/// Where a partition stands that is locked.
#[derive(Clone, Copy)]
struct Stands {
    head: i64,
    last_id: i64,
    version: i64,
    ticked: i64,
    doubted: i64,
    emitted: i64,
    /// By the clock of the database, in microseconds.
    now: i64,
    epoch: i64,
}

/// A partition while a step is made.
struct Locked<'a> {
    p: i32,
    ledger: &'a mut Ledger,
    version: i64,
    next_drain: i64,
    fresh: &'a mut HashMap<i64, u32>,
    heard: &'a mut Option<Instant>,
    holds: &'a mut Holds,
    /// What stands beside the events was read.
    is_read: bool,
}

impl Locked<'_> {
    /// One step; `None` when a tick is held back. The transaction is open still when it does not come to its end.
    async fn step(
        &mut self,
        open: &mut Open,
        mut offers: Vec<Offer>,
        owning: Option<&mut Owning>,
        patience: Duration,
    ) -> Result<Result<Option<Done>, StoreError>, Error> {
        let (stands, known, reports) = self.lock(open, &offers, patience).await?;
        if let Some(Owning { epoch, .. }) = &owning
            && stands.epoch != *epoch
        {
            return Ok(Err(StoreError::TakenOver("another node".to_owned())));
        }
        if let Some(owning) = &owning
            && !self.hold(&mut offers, owning, &reports, stands)
        {
            return Ok(Ok(None));
        }
        if stands.version != self.version
            && let Err(error) = self.read(open).await?
        {
            return Ok(Err(error));
        }
        self.version = stands.version;
        let known_end = self.ledger.position;
        self.ledger.position = unsigned(stands.head);
        if unsigned(stands.head) < known_end {
            tracing::error!(
                from = stands.head + 1,
                to = known_end,
                partition = self.p,
                "the database has lost the end of the journal: deliveries that were acknowledged may be missing"
            );
            self.ledger.position = known_end;
        }
        self.ledger.runs.pass(unsigned(stands.last_id));
        if stands.ticked > 0 {
            self.ledger.places.tick(Timestamp::from_unix_micros(stands.ticked));
        }
        offers.retain(|offer| match &offer.event {
            Event::Tick(time) => (stands.ticked + 1..=stands.now).contains(&time.unix_micros()),
            _ => true,
        });
        let early = take_early(&mut offers, stands);
        if self.takes_a_place(&offers) {
            self.hear(open).await?;
        }
        let mut batch = Batch::new(known, Some(stands.now), self.next_drain);
        let ticked = offers.iter().filter_map(|offer| match &offer.event {
            Event::Tick(time) => Some(time.unix_micros()),
            _ => None,
        });
        let ticked = ticked.max().unwrap_or(0);
        let doubted = offers.iter().filter_map(|offer| match &offer.event {
            Event::Doubt { believed, .. } => Some(believed.unix_micros()),
            _ => None,
        });
        let doubted = doubted.max();
        let (mut kept, next) = match self.ledger.take(offers, &mut batch) {
            Ok(taken) => taken,
            Err(error) => return Ok(Err(error)),
        };
        early.into_iter().for_each(|place| kept.insert(place, Kept::Early));
        if let Some(doubted) = doubted {
            open.client.execute(DOUBT, &[&self.p, &doubted]).await?;
        }
        let version = self.version + i64::from(!batch.is_plain() || next.text.is_some());
        match self.write(open, &batch, &next, (version, ticked), stands, owning).await? {
            Ok(()) => {
                let emitted = unsigned(stands.emitted);
                Ok(Ok(Some(Done { kept, next, version, emitted, next_drain: batch.next_drain })))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    /// Brings a tick to where it may be: no delivery that a living node has is passed. False if none is due there, and nothing is
    /// to be written.
    fn hold(&mut self, offers: &mut [Offer], owning: &Owning, reports: &[Report], stands: Stands) -> bool {
        let has_doubt = offers.iter().any(|offer| matches!(offer.event, Event::Doubt { .. }));
        let times = offers.iter_mut().filter_map(|offer| match &mut offer.event {
            Event::Tick(time) => Some(time),
            _ => None,
        });
        let Some(time) = times.last() else { return true };
        let Some(bound) = self.holds.bound(reports, stands.ticked, stands.now, Instant::now()) else { return false };
        let own = owning.oldest.map_or(i64::MAX, Timestamp::unix_micros);
        let bound = Timestamp::from_unix_micros(bound.min(own));
        if *time <= bound {
            return true;
        }
        let is_near = if has_doubt {
            time.unix_micros().saturating_sub(bound.unix_micros()) <= NEAR
        } else {
            bound.unix_micros() > stands.ticked && owning.windows.is_due(bound)
        };
        if is_near {
            *time = bound;
        }
        is_near
    }

    /// Begins a transaction that has the partition, and asks which ids of these offers were taken before, and, for a tick, what
    /// nodes say that they have.
    async fn lock(
        &self,
        open: &mut Open,
        offers: &[Offer],
        patience: Duration,
    ) -> Result<(Stands, HashMap<[u8; 16], i64>, Vec<Report>), Error> {
        let keys: Vec<&[u8]> = offers.iter().filter_map(|offer| offer.key.as_ref().map(|key| &key.0[..])).collect();
        let has_tick = offers.iter().any(|offer| matches!(offer.event, Event::Tick(_)));
        let (lock, find) = (open.statement(LOCK).await?, open.statement(KNOWN).await?);
        let report = open.statement(REPORTS).await?;
        // As long as it is on its way, the database takes us for idle.
        let begin = format!(
            "BEGIN; SET LOCAL idle_in_transaction_session_timeout = {}",
            SILENCE.saturating_add(patience.saturating_sub(Link::patience(0))).as_millis()
        );
        let (at, ids): ([&(dyn ToSql + Sync); 1], [&(dyn ToSql + Sync); 2]) = ([&self.p], [&self.p, &keys]);
        let ((), row, rows, said) = tokio::try_join!(
            biased;
            open.client.batch_execute(&begin),
            open.client.query_one(&lock, &at),
            async { if keys.is_empty() { Ok(Vec::new()) } else { open.client.query(&find, &ids).await } },
            async { if has_tick { open.client.query(&report, &at).await } else { Ok(Vec::new()) } },
        )?;
        let mut known = HashMap::with_capacity(rows.len());
        for row in &rows {
            if let Ok(id) = row.try_get::<_, &[u8]>(0)?.try_into() {
                known.insert(id, row.try_get(1)?);
            }
        }
        let stands = Stands {
            head: row.try_get(0)?,
            last_id: row.try_get(1)?,
            version: row.try_get(2)?,
            ticked: row.try_get(3)?,
            doubted: row.try_get(4)?,
            emitted: row.try_get(5)?,
            now: row.try_get(6)?,
            epoch: row.try_get::<_, Option<i64>>(7)?.unwrap_or(0),
        };
        let report = |row: &tokio_postgres::Row| {
            Ok(Report { node: row.try_get(0)?, since: row.try_get(1)?, safe: row.try_get(2)? })
        };
        Ok((stands, known, said.iter().map(report).collect::<Result<_, Error>>()?))
    }

    /// Reads what stands beside the events.
    async fn read(&mut self, open: &mut Open) -> Result<Result<(), StoreError>, Error> {
        let next = match know(self.ledger, read_all(open, self.p).await?) {
            Ok(next) => next,
            Err(error) => return Ok(Err(error)),
        };
        self.is_read = true;
        self.next_drain = self.next_drain.max(next);
        let numbers: HashSet<i64> = self.ledger.drains.values().copied().collect();
        self.fresh.retain(|number, _| numbers.contains(number));
        Ok(Ok(()))
    }

    /// Whether one of them would take the place of a drain that this node did not hear, and others may have heard.
    fn takes_a_place(&self, offers: &[Offer]) -> bool {
        if self.heard.is_some_and(|at| at.elapsed() < HEARD_EVERY) {
            return false;
        }
        let Ledger { drains, places, .. } = &*self.ledger;
        offers.iter().any(|offer| match &offer.event {
            Event::Delivery(record) if record.layout.has_place() && !drains.contains_key(&record.drain) => {
                matches!(places.for_new(&record.drain, record.received, drains.keys()), Verdict::InsteadOf(_))
            }
            _ => false,
        })
    }

    /// Reads when each drain was heard last, whichever node it was that heard it.
    async fn hear(&mut self, open: &mut Open) -> Result<(), Error> {
        let find = open.statement(HEARD).await?;
        for row in open.client.query(&find, &[&self.p]).await? {
            if let Some(key) = row.try_get::<_, Option<&str>>(0)?
                && let Some((drain, _)) = self.ledger.drains.get_key_value(key)
            {
                let at = Timestamp::from_unix_micros(row.try_get(1)?);
                if self.ledger.places.heard(drain).is_none_or(|known| known < at) {
                    let drain = drain.clone();
                    self.ledger.places.hear(&drain, at);
                }
            }
        }
        *self.heard = Some(Instant::now());
        Ok(())
    }

    /// Writes the step and ends the transaction.
    async fn write(
        &mut self,
        open: &mut Open,
        batch: &Batch,
        next: &Next,
        (version, ticked): (i64, i64),
        stands: Stands,
        owning: Option<&mut Owning>,
    ) -> Result<Result<(), StoreError>, Error> {
        let purges = match next.purges.as_ref().map(Purges::text).transpose() {
            Ok(purges) => purges,
            Err(error) => return Ok(Err(error)),
        };
        let mut nothing =
            Old { behind: 0, before: Timestamp::from_unix_micros(i64::MIN), ids: true, rows: 0, given: 0 };
        let (emitted, old) = match owning {
            Some(Owning { emitted, old, .. }) => (signed(*emitted), old),
            None => (stands.emitted, &mut nothing),
        };
        let after = self.ledger.stands_after(next, unsigned(emitted.max(stands.emitted)));
        let (head, emitted, last_id) = (signed(after.position), signed(after.emitted), signed(after.last_id));
        let overfull = overfull(self.fresh, &batch.ids, old.ids);
        let (behind, before, most) = (signed(old.behind), old.before.unix_micros(), signed(old.rows));
        let append = open.statement(APPEND).await?;
        let Rows { seqs, kinds, ats, drains, counts, crcs, bases, lines, peers, layouts, raws, bodies } = &batch.rows;
        let Ids { keys, drains: id_drains, seqs: id_seqs } = &batch.ids;
        #[rustfmt::skip]
        let values: [&(dyn ToSql + Sync); 25] = [
            &self.p, &head, &emitted, &last_id, &version, &ticked,
            seqs, kinds, ats, drains, counts, crcs, bases, lines, peers, layouts, raws, bodies,
            keys, id_drains, id_seqs, &behind, &before, &most, &overfull,
        ];
        let rare = Rare::of(self.p, batch, next.text.as_deref(), purges.as_deref());
        let writes = rare.statements(open).await?;
        let client = &open.client;
        let ((), row, ()) = tokio::try_join!(
            biased;
            rare.write(client, &writes),
            client.query_one(&append, &values),
            client.batch_execute("COMMIT"),
        )?;
        old.given += usize::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0);
        Ok(Ok(()))
    }
}

/// Takes out what is far ahead of the watermark, from the first such delivery on. Answers where each of them stood.
fn take_early(offers: &mut Vec<Offer>, stands: Stands) -> Vec<usize> {
    let time = stands.ticked.max(stands.doubted);
    if time <= 0 {
        return Vec::new();
    }
    let (mut early, mut place) = (Vec::new(), 0);
    offers.retain(|offer| {
        let is_early = match &offer.event {
            Event::Delivery(record) => !early.is_empty() || record.received.unix_micros().saturating_sub(time) > LEAP,
            _ => false,
        };
        early.extend(is_early.then_some(place));
        place += 1;
        !is_early
    });
    early
}
