//! How long the lines of an account can be seen, and how long they are there.
//!
//! A shorter plan hides at once and deletes a week later: whoever goes back within the week finds his lines again.

use crate::settings::account::{Account, PLAN_GRACE_MICROS};
use log_store::EventId;
use logdrain_terms::plan::Plan;
use std::time::Duration;

/// Before this id nothing of the account is to be seen.
pub fn floor(account: &Account, now: i64) -> EventId {
    match account.plan.as_ref().and_then(|plan| plan.logs.search()) {
        Some(window) => before(now, window),
        None => EventId::MIN,
    }
}

/// Before this id nothing is there any more; `server` is how long lines are kept where no plan says it.
pub(super) fn oldest(account: &Account, now: i64, server: Duration) -> EventId {
    before(now, kept_for(account, now, server))
}

/// How long lines are kept.
pub fn kept_for(account: &Account, now: i64, server: Duration) -> Duration {
    let window = |search: Option<Duration>| search.unwrap_or(server);
    let current = window(account.plan.as_ref().and_then(|plan| plan.logs.search()));
    if now.saturating_sub(account.plan_since) >= PLAN_GRACE_MICROS {
        return current;
    }
    let earlier = account.windows_before.iter().map(|seconds| window(seconds.map(Duration::from_secs)));
    earlier.chain([current]).max().unwrap_or(current)
}

/// What an account may keep when others need room.
pub fn share(plan: Option<&Plan>) -> u64 {
    plan.map_or(0, |plan| plan.logs.share())
}

fn before(now: i64, age: Duration) -> EventId {
    let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
    EventId::at(now.saturating_sub(age).max(0))
}
