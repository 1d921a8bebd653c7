//! Counting: from the journal to rows. One thread has the pipelines of all drains, writes their rows, keeps their state in
//! snapshots, and puts up on the board what there is to see.

pub(crate) mod board;
mod consumer;
mod lateness;
mod pipelines;
pub(crate) mod snapshot;

pub(crate) use board::Board;
pub(crate) use consumer::Consumer;
pub(crate) use pipelines::Pipelines;
