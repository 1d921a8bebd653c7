//! The drain: from a delivery to rows, lines that are kept, minutes and archives.
//!
//! ```text
//! intake -> journal -+-> counting -> outlets, minutes
//!                    +-> logs -> archives
//! ```
//!
//! Everything that rows and lines depend on is an event of the journal, [`settings`] among them. What is above (commands and
//! pages) reads the boards, the directory and the stores; nothing here calls it.

#![allow(
    missing_docs,
    missing_debug_implementations,
    rustdoc::private_intra_doc_links,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::new_without_default,
    reason = "a room of the host, and no crate for others: its public items are those that other rooms use"
)]

pub mod alerts;
pub mod archives;
pub mod clock;
pub mod counters;
pub mod counting;
pub mod directory;
pub mod door;
pub mod drain_name;
pub mod ending;
pub mod event;
mod fail_point;
pub mod frames;
pub mod homes;
pub mod intake;
pub mod journal;
pub mod limits;
pub mod logs;
pub mod measured;
pub mod minutes;
pub mod neighbours;
pub mod networks;
pub mod noting;
pub mod operator;
pub mod outlets;
pub mod packing;
pub mod parts;
pub mod people;
pub mod plain;
pub mod plan_notices;
pub mod run;
#[cfg(feature = "s3")]
mod s3;
#[cfg(test)]
mod scratch;
pub mod seal;
pub mod settings;
pub mod sql;
#[cfg(all(feature = "s3", feature = "postgres"))]
pub mod tiered;
pub mod watching;

pub use fail_point::fail_point;
