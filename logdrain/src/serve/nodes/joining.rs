//! How a node begins: it joins the others, or goes by what it knew before while the database is away.

use crate::serve::config::{Cluster, Config};
use crate::serve::opening::{self, Closed};
use logdrain_drain::clock::Ahead;
use logdrain_drain::journal::{
    self, Address, Lease, Members, Past, Remembered, SharedPartition, Spool, StoreError, Waiting, find_lines, recall,
};
use logdrain_drain::parts::Part;
use std::io;
use std::path::Path;

/// What a node has when it knows what it has to know of the others.
pub(super) struct Joined {
    pub(super) members: Members,
    /// The clock of the database.
    pub(super) ahead: Ahead,
    pub(super) parts: Vec<OfPart>,
    pub(super) lock: Lease,
    /// Nobody was heard of: the database is away.
    pub(super) remembers: bool,
}

/// What it has of a partition.
pub(super) struct OfPart {
    pub(super) store: SharedPartition,
    /// If there is one.
    pub(super) spool: Option<Spool>,
    /// What is known of it from before, if it was not looked at.
    pub(super) past: Option<Past>,
}

/// Why the others were not joined.
pub(super) enum NotJoined {
    /// The database does not answer.
    Away(String),
    Closed(Closed),
}

impl From<Closed> for NotJoined {
    fn from(closed: Closed) -> Self {
        Self::Closed(closed)
    }
}

/// Comes to the others, and reads where each partition stands. `url` is how they reach this node, if they do.
pub(super) fn join(
    config: &Config,
    cluster: &Cluster,
    address: &Address,
    url: Option<&str>,
) -> Result<Joined, NotJoined> {
    let dir = &config.store;
    let lock = hold(dir)?;
    let away = |error: StoreError| match opening::closed(dir, &error) {
        Closed::ForNow(why) => NotJoined::Away(why),
        closed @ Closed::ForGood(_) => NotJoined::Closed(closed),
    };
    let mut members = Members::join(address, dir, (cluster.parts, cluster.split), cluster.lease, url).map_err(away)?;
    if config.keeping.is_on() {
        find_lines(address, &cluster.snapshots).map_err(away)?;
    }
    let mut stores = Vec::new();
    for part in cluster.parts.each() {
        let mut store = partition(config, cluster, address, part).map_err(away)?;
        store.look().map_err(away)?;
        stores.push(store);
    }
    let parts = with_spools(config, cluster, address, stores.into_iter().map(|store| (store, None)))?;
    // What waits here holds its minutes back from the first moment on.
    let spools = || parts.iter().map(|of| of.spool.as_ref());
    let safe = spools().map(|spool| Some(spool?.oldest()?.unix_micros())).collect();
    let waiting = Waiting { safe, spooled: spools().flatten().map(Spool::len).sum() };
    let view = members.renew(&[], &waiting).map_err(away)?;
    let unfit = |error: io::Error| {
        let text = format!("[cluster], snapshots: {error}");
        if error.kind() == io::ErrorKind::InvalidData { Closed::ForGood(text) } else { Closed::ForNow(text) }
    };
    let ahead = Ahead::default();
    ahead.tell(view.now);
    let is_new = view.parts.iter().all(|of| of.epoch == 0);
    cluster.snapshots.is_of(members.journal(), is_new).map_err(unfit)?;
    cluster.snapshots.partition(0).map_err(unfit)?;
    tracing::info!(
        node = members.node(),
        nodes = view.live(),
        partitions = parts.len(),
        "one of the nodes of a journal"
    );
    Ok(Joined { members, ahead, parts, lock, remembers: false })
}

/// Goes by what this folder's node knew in its last life. The database is asked for nothing.
///
/// # Errors
/// In words, why it cannot.
pub(super) fn remember(
    config: &Config,
    cluster: &Cluster,
    address: &Address,
    url: Option<&str>,
) -> Result<Joined, String> {
    if config.spool_limit == 0 {
        return Err("spool = false, so nothing can wait for it here".to_owned());
    }
    let dir = &config.store;
    let words = |closed: Closed| match closed {
        Closed::ForNow(why) | Closed::ForGood(why) => why,
    };
    let lock = hold(dir).map_err(words)?;
    let text = |error: StoreError| error.to_string();
    let Remembered { ahead, parts, .. } = recall(dir, address, (cluster.parts, cluster.split))?;
    let kind = (cluster.parts, cluster.split);
    let members = Members::remembered(address, dir, kind, cluster.lease, url).map_err(text)?;
    let mut stores = Vec::new();
    for (part, past) in cluster.parts.each().zip(parts) {
        stores.push((partition(config, cluster, address, part).map_err(text)?, Some(past)));
    }
    let parts = with_spools(config, cluster, address, stores).map_err(words)?;
    Ok(Joined { members, ahead, parts, lock, remembers: true })
}

fn hold(dir: &Path) -> Result<Lease, Closed> {
    std::fs::create_dir_all(dir).map_err(|error| opening::unmade(dir, &error))?;
    opening::hold(dir)
}

fn partition(config: &Config, cluster: &Cluster, address: &Address, part: Part) -> Result<SharedPartition, StoreError> {
    SharedPartition::new(address, (part, cluster.split), cluster.drains(config.limits.drains))
}

fn with_spools(
    config: &Config,
    cluster: &Cluster,
    address: &Address,
    stores: impl IntoIterator<Item = (SharedPartition, Option<Past>)>,
) -> Result<Vec<OfPart>, Closed> {
    let with = cluster.parts.each().zip(stores).map(|(part, (store, past))| {
        let spool = spool(config, cluster, address, part).map_err(|error| opening::closed(&config.store, &error))?;
        Ok(OfPart { store, spool, past })
    });
    with.collect()
}

/// The spool of a partition: each has its share of the room. One that is not wanted any more is emptied.
fn spool(config: &Config, cluster: &Cluster, address: &Address, part: Part) -> Result<Option<Spool>, StoreError> {
    let (limit, dir) = (config.spool_limit, config.store.join(format!("p{}", part.number())));
    if limit == 0 && !Spool::path(&dir).exists() {
        return Ok(None);
    }
    let made = std::fs::create_dir_all(&dir).and_then(|()| std::fs::File::open(&config.store)?.sync_all());
    made.map_err(|error| StoreError::Spool(format!("{}: {error}", dir.display())))?;
    // An answer may wait for the database for half of the time that it has.
    let patience = config.limits.answer_within / 2;
    let (share, most) = (limit / u64::from(cluster.parts.count()), cluster.drains(config.limits.drains));
    Spool::open(&dir, journal::owner(&config.store, address)?, share, patience, most).map(Some)
}
