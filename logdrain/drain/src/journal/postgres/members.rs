//! The nodes of a journal, and who of them owns which partition.
//!
//! A node says twice a second that it lives, and so keeps what it owns. All times are those of the database: a node whose clock
//! is wrong keeps and takes no more than others. When that clock is set back, or a standby with another one is promoted, a
//! lease may seem to last for long still: one that ends later than any lease that is given now is none.

use super::lease;
use super::schema;
use crate::journal::failure::StoreError;
use crate::journal::row::{signed, unsigned};
use crate::parts::{Part, Parts, Split};
use crate::sql::{Address, Elsewhere, Link};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_postgres::types::ToSql;

const RENEW: &str = "SELECT logdrain.renew($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const LOOK: &str = "SELECT part.p, head, emitted, leases.epoch, leases.owner, coalesce(nodes.name, ''),
        CASE WHEN leases.until > clock_timestamp() + interval '61 seconds' THEN 0
            ELSE (extract(epoch FROM clock_timestamp() - greatest(leases.until, '2000-01-01')) * 1000)::bigint END,
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, part.version
    FROM logdrain.part JOIN logdrain.leases USING (p) LEFT JOIN logdrain.nodes ON nodes.node = leases.owner ORDER BY part.p";
const NODES: &str = "SELECT node, name, version, (extract(epoch FROM clock_timestamp() - began) * 1000)::bigint,
        CASE WHEN until > clock_timestamp() + interval '61 seconds' THEN 0
            ELSE (extract(epoch FROM clock_timestamp() - until) * 1000)::bigint END,
        spooled, CASE WHEN spooled > 0 THEN (extract(epoch FROM clock_timestamp()) * 1000)::bigint
            - (SELECT min(time) FROM unnest(safe) AS time) / 1000 END, url
    FROM logdrain.nodes ORDER BY name";
/// Whoever writes by this epoch just now (`sql`) comes to his end first. Who says that he lives is not waited for.
const CLAIM: &str = "WITH free AS (SELECT p FROM logdrain.leases WHERE p = $1 AND epoch = $4
        AND (owner = $2 OR until < clock_timestamp() OR until > clock_timestamp() + interval '61 seconds') FOR UPDATE)
    UPDATE logdrain.leases AS its SET epoch = epoch + 1, owner = $2,
        until = clock_timestamp() + $3::bigint * interval '1 millisecond'
    FROM free WHERE its.p = free.p RETURNING epoch";
const RELEASE: &str = "UPDATE logdrain.leases SET until = clock_timestamp() WHERE p = $1 AND epoch = $2";
const LEAVE: &str = "UPDATE logdrain.nodes SET until = clock_timestamp() WHERE node = $1";

/// A node that lives has told so again by then.
const TOLD_WITHIN: Duration = Duration::from_millis(700);
/// and so often one after the other. What one that was killed said last may come to a database that hung only now.
const TOLD_OFTEN: u32 = 3;

/// A node, as it is among the others.
#[derive(Debug)]
pub struct Members {
    link: Link,
    address: Address,
    dir: PathBuf,
    /// Which one it is.
    journal: String,
    node: String,
    name: String,
    /// How the others reach it; empty if they do not.
    url: String,
    version: &'static str,
    lease: Duration,
    parts: Parts,
    split: Split,
    /// It has looked whether the database is the right one, and nobody else this node.
    is_sure: bool,
    /// The others know of it.
    is_known: bool,
    /// What else has said that it is this node.
    heard: Option<String>,
}

/// A partition, and who owns it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartView {
    pub part: Part,
    /// The last event, and the last one whose rows are out.
    pub head: u64,
    pub emitted: u64,
    /// How often it was taken.
    pub epoch: i64,
    /// The node that owns it, or did, and what people call that.
    pub owner: String,
    pub name: String,
    /// How often what stands beside its events was written: settings, and who has a place.
    pub version: i64,
    /// How long it has been free; `None` while its owner may keep it.
    pub free: Option<Duration>,
}

/// What people see of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeView {
    pub node: String,
    pub name: String,
    pub version: String,
    /// Since it began.
    pub age: Duration,
    /// Since it should have said that it lives; `None` while it does.
    pub silent: Option<Duration>,
    /// How it is reached by others; empty if it is not.
    pub url: String,
    /// Deliveries in its spool, as it said last, and how long ago the oldest of them came.
    pub spooled: u64,
    pub oldest: Option<Duration>,
}

/// What a node has that the journal does not have.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Waiting {
    /// By partition, in microseconds since 1970: what came to it before this is in the journal. `None` where it does not say.
    pub safe: Vec<Option<i64>>,
    /// Deliveries in its spool.
    pub spooled: u64,
}

/// All of them at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct View {
    pub nodes: Vec<NodeView>,
    pub parts: Vec<PartView>,
    /// The clock of the database, in microseconds since 1970.
    pub now: i64,
}

impl View {
    /// How many nodes live.
    pub fn live(&self) -> usize {
        self.nodes.iter().filter(|node| node.silent.is_none()).count()
    }
}

impl Members {
    /// Joins the nodes of a journal; the first one makes its partitions. Nobody sees it before it
    /// [renews](Self::renew). `url` is how the others reach it, if they do.
    ///
    /// # Errors
    /// When the database does not answer or is not fit, the journal is a single server's, has another number of partitions or
    /// is split otherwise, the folder is of another journal, or another server runs with a copy of it.
    pub fn join(
        address: &Address,
        dir: &Path,
        (parts, split): (Parts, Split),
        lease: Duration,
        url: Option<&str>,
    ) -> Result<Self, StoreError> {
        let mut members = Self::of(address, dir, (parts, split), lease, url)?;
        (members.journal, members.node) = members.come()?;
        Ok(members)
    }

    /// The node of a folder that has joined before, while the database is away: it joins with the first time that it
    /// [renews](Self::renew).
    ///
    /// # Errors
    /// When the folder does not say which node it is.
    pub fn remembered(
        address: &Address,
        dir: &Path,
        (parts, split): (Parts, Split),
        lease: Duration,
        url: Option<&str>,
    ) -> Result<Self, StoreError> {
        let mut members = Self::of(address, dir, (parts, split), lease, url)?;
        (members.journal, members.node) = lease::known_as(dir)?;
        Ok(members)
    }

    fn of(
        address: &Address,
        dir: &Path,
        (parts, split): (Parts, Split),
        lease: Duration,
        url: Option<&str>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            link: Link::new(address)?,
            address: address.clone(),
            dir: dir.to_owned(),
            journal: String::new(),
            node: String::new(),
            name: lease::name(dir),
            url: url.unwrap_or_default().to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            lease,
            parts,
            split,
            is_sure: false,
            is_known: false,
            heard: None,
        })
    }

    /// Sees that the database is the right one, and nobody else this node. Answers which journal and which node it is.
    fn come(&mut self) -> Result<(String, String), StoreError> {
        let Self { link, address, dir, name, parts, split, .. } = self;
        let journal = schema::prepare(link, address)?;
        schema::part(link, address, (*parts, *split))?;
        let node = lease::node(dir, address, &journal)?;
        alone(link, address, &node, name)?;
        self.is_sure = true;
        Ok((journal, node))
    }

    /// What is known of it by others.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Which journal it is.
    pub fn journal(&self) -> &str {
        &self.journal
    }

    /// Says that this node lives and keeps these partitions, each since an epoch, and what waits with it; and looks at all of them.
    ///
    /// # Errors
    /// When the database does not answer, and [`StoreError::TakenOver`] when another server runs with a copy of the folder: both
    /// would be the same node. Of a node that was [remembered](Self::remembered), those of [`join`](Self::join).
    pub fn renew(&mut self, held: &[(Part, i64)], waiting: &Waiting) -> Result<View, StoreError> {
        if !self.is_sure {
            self.come()?;
        }
        let (node, name, url, version, lease) = (&self.node, &self.name, &self.url, self.version, millis(self.lease));
        let parts: Vec<i32> = held.iter().map(|(part, _)| i32::from(part.number())).collect();
        let epochs: Vec<i64> = held.iter().map(|(_, epoch)| *epoch).collect();
        let (all, spooled) = (self.parts, signed(waiting.spooled));
        let (before, view) = self.link.ask(async |open| {
            let (renew, look, nodes) =
                (open.statement(RENEW).await?, open.statement(LOOK).await?, open.statement(NODES).await?);
            let said: [&(dyn ToSql + Sync); 9] =
                [node, name, &version, &lease, &parts, &epochs, &waiting.safe, &spooled, url];
            let row = open.client.query_one(&renew, &said).await?;
            let before: Option<String> = row.try_get(0)?;
            let rows = open.client.query(&look, &[]).await?;
            let nodes = open.client.query(&nodes, &[]).await?;
            Ok((before, view(all, &rows, &nodes)?))
        })?;
        if let Some(other) = before.filter(|before| self.is_known && before != name) {
            // What one that was killed said last may come behind us, when the database hung. Who lives says so again.
            if self.heard.as_ref() == Some(&other) {
                return Err(StoreError::TakenOver(other));
            }
            self.heard = Some(other);
        }
        self.is_known = true;
        Ok(view)
    }

    /// Takes a partition that is free, or that this node had before it was started again. Answers the epoch, and `None`
    /// when another one was faster.
    ///
    /// # Errors
    /// When the database does not answer.
    pub fn claim(&mut self, of: &PartView) -> Result<Option<i64>, StoreError> {
        let (node, lease, p) = (&self.node, millis(self.lease), i32::from(of.part.number()));
        self.link
            .ask(async |open| {
                let claim = open.statement(CLAIM).await?;
                let row = open.client.query_opt(&claim, &[&p, node, &lease, &of.epoch]).await?;
                row.map(|row| row.try_get(0)).transpose()
            })
            .map_err(Into::into)
    }

    /// Lets a partition go that this node has at an epoch: another one need not wait for the lease to end.
    ///
    /// # Errors
    /// When the database does not answer.
    pub fn release(&mut self, part: Part, epoch: i64) -> Result<(), StoreError> {
        let p = i32::from(part.number());
        self.link.ask(async |open| open.client.execute(RELEASE, &[&p, &epoch]).await).map(drop).map_err(Into::into)
    }

    /// Says that this node lives no more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub fn leave(&mut self) -> Result<(), StoreError> {
        if !self.is_known {
            return Ok(());
        }
        let node = &self.node;
        self.link.ask(async |open| open.client.execute(LEAVE, &[node]).await).map(drop).map_err(Into::into)
    }
}

/// The nodes of a journal and its partitions, for who is none of them.
///
/// # Errors
/// When the database does not answer, or the journal is not one that nodes share.
pub fn view_of(address: &Address) -> Result<View, StoreError> {
    let mut link = Link::new(address)?;
    let Some(parts) = schema::parts(&mut link)? else {
        let why = format!("{address}: no journal that nodes share is there");
        return Err(StoreError::Elsewhere(Elsewhere::for_good(why)));
    };
    link.ask(async |open| {
        let rows = open.client.query(LOOK, &[]).await?;
        let nodes = open.client.query(NODES, &[]).await?;
        view(parts, &rows, &nodes)
    })
    .map_err(Into::into)
}

/// Sees that nobody else is this node: whoever was is not told any more.
fn alone(link: &mut Link, address: &Address, node: &str, name: &str) -> Result<(), StoreError> {
    let mut told = || {
        link.ask(async |open| {
            let sql = "SELECT name, until::text FROM logdrain.nodes
                WHERE node = $1 AND name <> $2 AND until > clock_timestamp()";
            let row = open.client.query_opt(sql, &[&node, &name]).await?;
            row.map(|row| Ok((row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?))).transpose()
        })
    };
    let Some((mut other, mut until)) = told()? else { return Ok(()) };
    for _ in 0..TOLD_OFTEN {
        std::thread::sleep(TOLD_WITHIN);
        match told()? {
            Some((who, now)) if now != until => (other, until) = (who, now),
            _ => return Ok(()),
        }
    }
    Err(StoreError::Elsewhere(Elsewhere::for_good(format!(
        "{address}: another server runs with a copy of this one's folder ({other}): each needs its own"
    ))))
}

fn view(
    all: Parts,
    rows: &[tokio_postgres::Row],
    nodes: &[tokio_postgres::Row],
) -> Result<View, tokio_postgres::Error> {
    let span = |millis: i64| u64::try_from(millis).ok().map(Duration::from_millis);
    let mut view = View { nodes: Vec::new(), parts: Vec::new(), now: 0 };
    for (part, row) in all.each().zip(rows) {
        view.now = row.try_get(7)?;
        view.parts.push(PartView {
            part,
            head: unsigned(row.try_get(1)?),
            emitted: unsigned(row.try_get(2)?),
            epoch: row.try_get(3)?,
            owner: row.try_get(4)?,
            name: row.try_get(5)?,
            version: row.try_get(8)?,
            free: span(row.try_get(6)?),
        });
    }
    for row in nodes {
        view.nodes.push(NodeView {
            node: row.try_get(0)?,
            name: row.try_get(1)?,
            version: row.try_get(2)?,
            age: span(row.try_get(3)?).unwrap_or_default(),
            silent: span(row.try_get(4)?),
            spooled: unsigned(row.try_get(5)?),
            oldest: row.try_get::<_, Option<i64>>(6)?.and_then(span),
            url: row.try_get(7)?,
        });
    }
    Ok(view)
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
