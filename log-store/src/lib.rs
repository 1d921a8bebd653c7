//! Log lines kept in files, and found again by any piece of their text.

mod event;
mod patterns;
#[allow(dead_code, unused_imports, unreachable_pub)] // the store is not written yet
mod segment;

pub use event::{Event, EventBuf, EventId};
pub use patterns::{Pattern, Patterns};
