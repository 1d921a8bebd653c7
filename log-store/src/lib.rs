//! Log lines kept in files, and found again by any piece of their text.

mod event;
mod patterns;

pub use event::{Event, EventBuf, EventId};
pub use patterns::{Pattern, Patterns};
