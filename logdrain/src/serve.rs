//! `logdrain serve`: a drain that never loses and never counts twice.
//!
//! ```text
//! intake -------> journal ----------> counting -------> outlets
//! tokio           one thread owns     one thread        rows with ids
//!                 the disk
//! connections,    group commits:      state = snapshot  at least once, and
//! credentials,    delivery, id and    + the journal     never two different
//! limits          position, then 204  behind it         rows under one id
//! ```
//!
//! **The journal is the truth.** A delivery is answered with 204 when it is on the disk with its id, in one transaction;
//! its retry is a duplicate from then on. The watermark moves by events of the journal, and so do the settings, so that
//! rows are a function of the journal: what is made again after a crash is the same row under the same id.
//!
//! **Nothing waits for what is behind it.** The writer offers each commit to the pipelines and goes on; when they are
//! busy (closing a minute, waiting for a disk that is full) they read the journal themselves, later. Intake waits for
//! the disk alone, and for no longer than a sender does.
//!
//! **Memory is bounded** by configuration: bytes of bodies in flight, connections, drains, and what each drain's
//! pipeline may take. The bound is said at the start.
//!
//! Counting puts up on a board what there is to see, and the web reads that; nothing calls the web. [`server`] is above
//! all of them.

mod cluster_status;
mod config;
mod copies;
mod demo;
pub(crate) mod destroy;
mod doctor;
mod drains;
mod front;
mod listening;
#[cfg(feature = "postgres")]
mod nodes;
mod notify;
mod opening;
mod private;
mod purging;
mod reload;
mod server;
mod special;

pub(crate) use cluster_status::run as cluster;
pub(crate) use config::listens_on;
pub(crate) use doctor::run as doctor;
pub(crate) use drains::{people, run as drains};
pub(crate) use purging::run as purge;
pub(crate) use server::run;
