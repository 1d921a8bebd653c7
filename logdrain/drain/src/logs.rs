//! The lines themselves: from the journal to a store that they are searched in.
//!
//! One thread reads the deliveries that the journal holds, beside the one that counts; neither waits for the other. It takes
//! each body apart by itself and appends an event for each frame to [`log_store::Store`], under the ids that the journal
//! gave. What is not in a file of the store yet is in the journal still, so that a start makes the same events again.
//!
//! When the store's disk fails, this thread waits, and the journal keeps what it waits with. Counting goes on.

mod alerting;
mod board;
mod checking;
mod consumer;
pub mod epochs;
pub mod filters;
mod keeper;
mod lines;
mod place;
mod purging;
pub mod retention;
mod senders;
mod state;
mod tally;
mod trouble;

pub use board::{Board, Boards, Shown, Usage};
pub use checking::check;
pub use consumer::{Consumer, Start};
pub use keeper::{Copies, Keeping};
pub use place::Place;
pub use purging::erase;
pub use senders::system;
pub use tally::{AROUND, ByFilter, Day, Limits, Notice, Used};

#[cfg(test)]
pub mod tests;
