//! The lines themselves: from the journal to a store that they are searched in.
//!
//! One thread reads the deliveries that the journal holds, beside the one that counts; neither waits for the other. It takes
//! each body apart by itself and appends an event for each frame to [`log_store::Store`], under the ids that the journal
//! gave. What is not in a file of the store yet is in the journal still, so that a start makes the same events again.
//!
//! When the store's disk fails, this thread waits, and the journal keeps what it waits with. Counting goes on.

mod board;
mod checking;
mod consumer;
pub(crate) mod filters;
mod keeper;
mod lines;
mod purging;
pub(crate) mod retention;
mod senders;
mod state;
mod tally;

pub(crate) use board::{Board, Shown, Usage};
pub(crate) use checking::check;
pub(crate) use consumer::{Consumer, Start};
pub(crate) use keeper::{Copies, Keeping};
pub(crate) use purging::erase;
pub(crate) use senders::system;
pub(crate) use tally::{AROUND, ByFilter, Day, Limits, Notice, Used};

#[cfg(test)]
pub(crate) mod tests;
