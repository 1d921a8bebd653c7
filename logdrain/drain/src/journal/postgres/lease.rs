//! Which node may write, and which journal its folder is of.
//!
//! A node is known by a random number in its folder, beside which nobody else runs: started again, it takes its own lease over
//! at once. Another node waits until a lease has ended by the clock of the database.

use super::PARTITION;
use super::schema::random;
use crate::journal::failure::StoreError;
use crate::journal::store;
use crate::sql::{Address, Elsewhere, Link};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long who writes is not doubted. It is told each time something is written, and twice a second.
pub(super) const LEASE: Duration = Duration::from_secs(5);
/// Between two looks at the lease of another node.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What stands in the folder of a node.
#[derive(Debug, Serialize, Deserialize)]
struct Node {
    journal: String,
    node: String,
}

/// The node whose folder this is, for this journal.
pub(super) fn node(dir: &Path, address: &Address, journal: &str) -> Result<String, StoreError> {
    let file = store::elsewhere(dir);
    let unfit = |why: String| StoreError::Elsewhere(Elsewhere::for_good(why));
    let in_file = |error: io::Error| StoreError::elsewhere(format!("{}: {error}", file.display()));
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let has_snapshots = fs::read_dir(dir.join("snapshots")).is_ok_and(|mut entries| entries.next().is_some());
            if has_snapshots || fs::metadata(store::path(dir)).is_ok_and(|file| file.len() > 0) {
                return Err(unfit(format!(
                    "{}: holds a journal of its own, and what was made of it: with journal = \"postgres://...\" a server \
                     begins in an empty folder",
                    dir.display()
                )));
            }
            let node = Node { journal: journal.to_owned(), node: random()? };
            let text = serde_json::to_string(&node).map_err(|error| in_file(error.into()))?;
            let new = dir.join("journal.postgres.new");
            fs::write(&new, &text).and_then(|()| fs::File::open(&new)?.sync_all()).map_err(in_file)?;
            fs::rename(&new, &file).map_err(in_file)?;
            return Ok(node.node);
        }
        Err(error) => return Err(in_file(error)),
    };
    let node: Node = serde_json::from_str(&text).map_err(|_| {
        unfit(format!("{}: is not what was written there; restore it, or begin in an empty folder", file.display()))
    })?;
    if node.journal != journal {
        return Err(unfit(format!(
            "{}: is of another journal than the one at {address}: name the database that it was filled from, or an empty \
             folder",
            dir.display()
        )));
    }
    Ok(node.node)
}

/// Which journal a folder is of that was opened, and which node's it is.
pub(in crate::journal) fn known_as(dir: &Path) -> Result<(String, String), StoreError> {
    let file = store::elsewhere(dir);
    let read = fs::read_to_string(&file).map_err(|error| error.to_string());
    let node = read.and_then(|text| serde_json::from_str::<Node>(&text).map_err(|error| error.to_string()));
    node.map(|node| (node.journal, node.node))
        .map_err(|error| StoreError::elsewhere(format!("{}: {error}", file.display())))
}

/// What other nodes call this one.
pub(super) fn name(dir: &Path) -> String {
    #[cfg(unix)]
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let host = "this machine".to_owned();
    format!("{host}, {}, process {}", dir.display(), std::process::id())
}

/// Takes the partition, also when this node had it; waits for as long as the lease of another one may still run that is not
/// told any more. Answers the epoch.
pub(super) fn claim(link: &mut Link, address: &Address, node: &str, name: &str) -> Result<i64, StoreError> {
    let began = Instant::now();
    let mut seen: Option<String> = None;
    loop {
        let (epoch, other) = link.ask(async |open| {
            let take = "UPDATE logdrain.part SET epoch = epoch + 1, owner = $2, name = $3,
                    until = clock_timestamp() + $4::bigint * interval '1 millisecond'
                WHERE p = $1 AND (owner = $2 OR until < clock_timestamp()) RETURNING epoch";
            let row = open.client.query_opt(take, &[&PARTITION, &node, &name, &lease()]).await?;
            if let Some(row) = row {
                return Ok((Some(row.try_get::<_, i64>(0)?), None));
            }
            let sql = "SELECT name, until::text FROM logdrain.part WHERE p = $1";
            let row = open.client.query_one(sql, &[&PARTITION]).await?;
            Ok((None, Some((row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?))))
        })?;
        if let Some(epoch) = epoch {
            return Ok(epoch);
        }
        let (other, until) = other.unwrap_or_default();
        let is_told = seen.as_ref().is_some_and(|seen| *seen != until);
        if is_told || began.elapsed() > LEASE * 2 {
            let why = format!("{address}: another logdrain writes this journal ({other}); one at a time can");
            return Err(StoreError::Elsewhere(Elsewhere::for_good(why)));
        }
        if seen.is_none() {
            tracing::warn!("another logdrain wrote this journal ({other}): waiting whether it still does");
            seen = Some(until);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Where a partition stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stands {
    pub(super) epoch: i64,
    pub(super) head: i64,
    pub(super) emitted: i64,
    pub(super) last_id: i64,
}

/// Takes the partition once more for the node that had it at this epoch: what was given up and runs on somewhere writes
/// nothing any more.
pub(super) fn renew(link: &mut Link, node: &str, mut epoch: i64) -> Result<Stands, StoreError> {
    loop {
        let taken = link.ask(async |open| {
            let sql = "UPDATE logdrain.part SET epoch = epoch + 1, until = clock_timestamp() + $3::bigint * interval '1 millisecond'
                WHERE p = $1 AND epoch = $2 RETURNING epoch, head, emitted, last_id";
            if let Some(row) = open.client.query_opt(sql, &[&PARTITION, &epoch, &lease()]).await? {
                let (epoch, head) = (row.try_get(0)?, row.try_get(1)?);
                return Ok(Ok(Stands { epoch, head, emitted: row.try_get(2)?, last_id: row.try_get(3)? }));
            }
            let row = open.client.query_one("SELECT epoch, owner, name FROM logdrain.part WHERE p = $1", &[&PARTITION]).await?;
            Ok(Err((row.try_get::<_, i64>(0)?, row.try_get::<_, String>(1)?, row.try_get::<_, String>(2)?)))
        })?;
        match taken {
            Ok(stands) => return Ok(stands),
            // It was this very step that was given up before, and done; or the database is an older one than it was. Beside the
            // process that has its folder there is none that goes by this number.
            Err((other, its_node, _)) if its_node == node && other != epoch => epoch = other,
            Err((.., its_name)) => return Err(StoreError::TakenOver(its_name)),
        }
    }
}

/// In milliseconds.
pub(super) fn lease() -> i64 {
    i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX)
}
