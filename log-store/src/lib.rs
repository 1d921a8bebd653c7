//! Log lines kept in files, and found again by any piece of their text.

mod chunk;
mod error;
mod event;
mod folder;
mod lock;
mod options;
mod page;
mod patterns;
mod reader;
mod scope;
mod sealed;
#[allow(dead_code, unused_imports, unreachable_pub)] // merging is not written yet
mod segment;
mod state;
mod store;
mod tail;
mod view;

pub use error::{StoreError, StoreErrorKind};
pub use event::{Event, EventBuf, EventId};
pub use folder::is_account_name;
pub use log_query::Query;
pub use options::Options;
pub use page::{Examined, Found, Order, Page, Reached};
pub use patterns::{Pattern, Patterns};
pub use reader::Reader;
pub use scope::Scope;
pub use segment::{Damage, DamageKind};
pub use store::{AccountReport, Removed, Room, Store};
pub use tail::Tail;
pub use view::{Context, Counts, Neighbours, View};
