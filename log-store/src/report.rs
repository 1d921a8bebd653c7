//! What an account has.

use crate::event::EventId;
use crate::state::AccountState;

/// What an account has: events and bytes in files, and events in the head.
///
/// ```
/// # use log_store::{Event, EventId, Options, Store};
/// # let folder = std::env::temp_dir().join(format!("log-store-doc-account-{}", std::process::id()));
/// # let mut store = Store::open(&folder, Options::new())?;
/// store.append(&Event::new(EventId::new(256), "shop", b"one"))?;
/// assert_eq!((store.accounts()[0].name(), store.accounts()[0].events()), ("shop", 1));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountReport {
    pub(crate) name: Box<str>,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
    pub(crate) oldest: Option<EventId>,
    pub(crate) newest: Option<EventId>,
}

impl AccountReport {
    /// The account's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many events there are, those of files that cannot be opened left out.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Bytes on the disk: its part of the files that hold its events.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The lowest id.
    #[must_use]
    pub const fn oldest(&self) -> Option<EventId> {
        self.oldest
    }

    /// The highest id.
    #[must_use]
    pub const fn newest(&self) -> Option<EventId> {
        self.newest
    }
}

impl AccountReport {
    pub(crate) fn of(name: &str, state: &AccountState) -> Self {
        let (mut events, mut bytes) = (0, 0);
        for part in &*state.parts {
            events += part.lines;
            bytes += part.bytes;
        }
        let (mut oldest, mut newest) =
            (state.parts.first().map(|part| part.first), state.parts.last().map(|part| part.last));
        for chunk in &state.chunks {
            let lines = chunk.read();
            events += lines.ids.len() as u64;
            oldest = oldest.or(lines.ids.first().copied());
            newest = lines.ids.last().copied().or(newest);
        }
        let oldest = oldest.map(|oldest| EventId::new(oldest.max(state.floor)));
        Self { name: name.into(), events, bytes, oldest, newest: newest.map(EventId::new) }
    }
}
