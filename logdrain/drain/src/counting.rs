//! Counting: from the journal to rows. One thread has the pipelines of all drains, writes their rows, keeps their state in
//! snapshots, and puts up on the board what there is to see.

pub mod board;
mod consumer;
mod lateness;
mod pipelines;
pub mod snapshot;

pub use board::Board;
pub use consumer::{Consumer, Settling};
pub use pipelines::Pipelines;
