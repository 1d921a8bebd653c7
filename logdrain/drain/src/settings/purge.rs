//! What is to be purged: kept lines of an account, by system, query and time. They go for good, and from everywhere.

use log_store::{EventId, Query, Scope};
use serde::{Deserialize, Serialize};
use std::ops::Range;

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Purge {
    /// Names, or patterns with `*`; all systems when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub systems: Vec<String>,
    /// Everything when it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub query: String,
    /// When the lines were received, in microseconds since 1970: from here on,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// and before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
    /// The last id that an event had when it was written down: what comes later stays.
    #[serde(default)]
    pub upto: u64,
    /// Everything of it is gone, and what it looked for is not kept either.
    #[serde(default, skip_serializing_if = "is_no")]
    pub is_done: bool,
    /// The account is destroyed, and nothing is looked for: all of it goes. Never written down.
    #[serde(skip)]
    pub is_all: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_no(value: &bool) -> bool {
    !*value
}

impl Purge {
    /// All lines of an account that is destroyed.
    pub fn of_all(upto: u64) -> Self {
        Self { upto, is_all: true, ..Self::default() }
    }

    /// The systems that it is about.
    pub fn scope(&self, account: &str) -> Scope {
        let scope = Scope::account(account);
        if self.systems.is_empty() { scope } else { scope.with_systems(&self.systems) }
    }

    pub fn parsed(&self) -> Query {
        Query::parse(&self.query).query().clone()
    }

    /// The ids that it is about.
    pub fn ids(&self) -> Range<EventId> {
        let end = EventId::new(self.upto.saturating_add(1));
        self.from.map_or(EventId::new(0), EventId::at)..self.to.map_or(end, |to| EventId::at(to).min(end))
    }

    /// When nothing of it is to be looked for any more.
    pub fn done(&self) -> Self {
        Self { upto: self.upto, is_done: true, ..Self::default() }
    }
}
