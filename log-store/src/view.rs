//! One consistent state of an account, seen through a scope.

mod context;
mod counts;
mod evaluate;
mod facts;
mod plan;
mod scan;
mod search;

pub use context::{Context, Neighbours};
pub use counts::Counts;

use crate::event::EventId;
use crate::scope::Scope;
use crate::sealed::Part;
use crate::segment::{Damage, Segment};
use crate::source::Source;
use crate::state::AccountState;
use std::fmt;
use std::sync::Arc;

/// One consistent state of what a [`Scope`] allows: what is in files, what is in memory, and up to where it may be seen.
///
/// It does not change: what is appended, sealed, merged or let go meanwhile is seen by the next view. Files that were let go
/// stay on the disk until no view holds them, so do not keep one.
///
/// See [`Store`](crate::Store) for an example.
#[derive(Clone)]
pub struct View {
    scope: Scope,
    source: Source,
    state: Arc<AccountState>,
    /// The first id that may not be seen.
    to: u64,
    /// Why nothing is seen: the folder could not be listed.
    unread: Option<Damage>,
}

impl View {
    pub(crate) fn new(scope: Scope, source: Source, state: Arc<AccountState>, to: u64, unread: Option<Damage>) -> Self {
        Self { scope, source, state, to, unread }
    }

    /// The first id that it does not see yet: what comes later is not in it.
    #[must_use]
    pub const fn before(&self) -> EventId {
        EventId::new(self.to)
    }

    fn open(&self, part: &Part) -> Result<Segment, Damage> {
        self.source.cache().open(&part.sealed)
    }

    fn can_look_again(&self) -> bool {
        self.source.is_apart()
    }

    /// The account as it is on the disk now.
    fn look_again(&self) -> Option<Arc<AccountState>> {
        self.source.look(self.scope.account_name())?.ok()
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("scope", &self.scope)
            .field("files", &self.state.parts.len())
            .field("chunks", &self.state.chunks.len())
            .field("before", &self.to)
            .finish_non_exhaustive()
    }
}
