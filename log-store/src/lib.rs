//! Log lines kept in files, and found again by any piece of their text.

mod event;

pub use event::{Event, EventBuf, EventId};
