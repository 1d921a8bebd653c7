//! Rules of alerts, asked of everything that comes: lines where they are kept, minutes where they close.
//!
//! ```text
//! settings -> of_account -+-> lines   (events, behind the filters) -+-> telling -> owed -> outbox
//!                         +-> minutes (points of closed windows)   -+
//!                               file, shared (where they stand), room (what they may remember)
//! ```
//!
//! What they tell is a function of the journal: its events in their order, its ticks as the only time. So whoever reads the
//! same events again tells the same, under the same ids, and the outbox keeps each once. Where they stand is written down
//! only when all that they told by then is in the outbox, and before the one who feeds them says that he needs less of the
//! journal: after a kill nothing is missed and nothing is told twice.

mod file;
mod lines;
mod minutes;
mod of_account;
mod owed;
mod room;
mod shared;
mod telling;
#[cfg(test)]
mod tests;

pub use lines::{Asked, LineRules};
pub use minutes::MinuteRules;
pub use owed::Owed;
pub use shared::States;
