//! The journal in PostgreSQL: what the thread that writes has, and those that read beside it, as [`seam`](super::seam) says it.
//!
//! ```text
//! part      p -> head, low, emitted, last_id        where a partition stands,
//!                epoch, owner, until                who may write to that of a single server,
//!                version, ticked, doubted           and what nodes tell each other by it
//! log       p, seq, kind, at, drain, count, crc     every event, deliveries with their bytes (zstd when that is shorter),
//!           base_id, lines, peer, layout, raw, body who sent them, and the ids of their events
//! ids       p, id -> drain, seq                     what was taken already, the last of each drain
//! drains    p, drain -> key, since                  whose pipelines there are
//! accounts  p, name -> value                        what accounts have said, beside the settings
//! said      p, key -> value                         settings, drains that lost their place, what purges left to do
//! meta      key -> value                            the layout, which journal it is, and how many partitions nodes made
//! leases    p -> epoch, owner, until                which node counts a partition
//! nodes     node -> name, version, began, until,    who lives,
//!                   told, since, safe, spooled      and what is in the journal of what came to it
//! ```
//!
//! A single server has one partition, 0; nodes share several (`shared`, `members`). One transaction holds a group of deliveries, their ids and where
//! the partition stands. It locks the row of the partition first, so that numbers have no gap and stand in the order of the
//! commits: who reads never finds one that is filled later.
//!
//! Ids of events go by the clock of the database, which is asked in the same step: by the node's they would jump each time
//! that another one takes over.
//!
//! A single server that writes holds a lease by the clock of the database, and each time it is taken the epoch rises. Every step names its
//! epoch and where the partition stood: a program that was stopped meanwhile, or a statement that was given up and runs on,
//! writes nothing any more.

mod batch;
mod beside;
mod erasing;
mod guess;
mod holds;
mod lease;
mod members;
mod partition;
mod rare;
mod reader;
mod schema;
mod shared;

pub(super) use lease::known_as;
pub use members::{Members, NodeView, PartView, View, Waiting, view_of};
pub use schema::find_lines;
pub use shared::SharedPartition;
pub(super) use shared::{Moved, Owning};

use super::failure::StoreError;
use super::seam::{Events, Partition};
use super::spool::Owner;
use crate::parts::Part;
use crate::sql::Address;
use partition::Postgres;
use reader::PostgresReader;
use std::path::Path;

/// The partition that there is.
const PARTITION: i32 = 0;

/// Opens the journal for the node whose folder this is, and a reader for each of the two who read beside it. Waits for the
/// lease of a node that may have died.
///
/// # Errors
/// When the database does not answer or is not fit, when another node writes there, or the folder is of another journal.
pub fn open_database(address: &Address, dir: &Path, max_drains: usize) -> Result<Opened, StoreError> {
    let postgres = Postgres::open(address, dir, max_drains)?;
    Ok((Box::new(postgres), [reader(address)?, reader(address)?]))
}

/// Whose the spool of a folder is that was opened.
///
/// # Errors
/// When the folder does not say it.
pub fn owner(dir: &Path, address: &Address) -> Result<Owner, StoreError> {
    Ok(Owner { journal: lease::known_as(dir)?.0, place: address.to_string() })
}

/// Reads beside whoever writes.
pub(super) fn reader(address: &Address) -> Result<Box<dyn Events>, StoreError> {
    Ok(Box::new(PostgresReader::new(address, PARTITION)?))
}

/// Reads a partition that nodes share. It ends with [`StoreError::TakenOver`] where events are gone that it has not read: whoever
/// owns the partition has them in a snapshot.
///
/// # Errors
/// When no connection can be made at all.
pub fn reader_of(address: &Address, part: Part) -> Result<Box<dyn Events>, StoreError> {
    Ok(Box::new(PostgresReader::new(address, i32::from(part.number()))?.shared()))
}

/// What is opened.
pub(crate) type Opened = (Box<dyn Partition>, [Box<dyn Events>; 2]);
