//! Files of partitions whose bytes lie in a bucket: for nodes that share no folder.
//!
//! ```text
//! catalog   which files a partition has, in the database: NAME -> key, length, a note
//! objects   files/JOURNAL/p3/e17/UNIQUE in the bucket: each put once, and never changed
//! cache     pieces of objects on the disk of a node, as they were read or put there
//! ```
//!
//! **Who may change it.** Each change is one step of the database, and goes on only for the owner of the partition at its epoch. The
//! object is put first, the step names it then: nothing is locked while the bucket is waited for. A node that was stopped and
//! wakes up puts an object that nobody names, and changes nothing else.
//!
//! **What goes.** First from the catalog, so that nobody finds it any more; then, when nobody has it open here, its pieces from
//! the cache and the object from the bucket, by a thread of its own. What is left there of a node that died, or of a request that
//! failed, a sweep removes: when a partition is taken over, and once an hour. Pieces of objects that other nodes removed leave
//! the cache once an hour, too, and when a node starts.
//!
//! **Reading** asks the database once, for the key, and the bucket for pieces that are not in the cache. Whatever was
//! opened can be read to its end, whatever becomes of its name, as long as the partition is this node's.
//!
//! Whoever calls waits: a thread, and no task of a runtime. Each wait has a limit.

mod alive;
mod cache;
mod catalog;
mod connections;
mod failing;
mod fetching;
mod file;
mod files;
mod looking;
mod names;
mod owners;
mod registry;
mod removing;
mod segments;
mod shared;
mod sweeping;
#[cfg(all(test, unix))]
mod tests;
mod tier;
mod turns;

pub use catalog::Listed;
pub use connections::is_fenced;
pub use file::{File, Reading};
pub use files::{Content, Files, Put};
pub use segments::Segments;
pub use tier::Tier;
