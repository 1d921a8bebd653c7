//! Whose files are looked after here, and when.

use crate::parts::Part;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// What is to be done now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    /// Objects of a partition that no row names go from the bucket.
    Sweep(Part, i64),
    /// Pieces of objects that no row names go from the cache.
    Tidy,
}

/// Somebody has the files of a partition, at an epoch.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) part: Part,
    pub(super) epoch: i64,
}

#[derive(Debug)]
pub(super) struct Owners {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    owners: Vec<(Weak<Owner>, Instant)>,
    tidy: Instant,
    is_closed: bool,
}

impl Owners {
    pub(super) fn new() -> Self {
        let state = State { owners: Vec::new(), tidy: Instant::now(), is_closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, part: Part, epoch: i64) -> Arc<Owner> {
        let mut state = self.state();
        state.owners.retain(|(owner, _)| owner.strong_count() > 0);
        let mut known = state.owners.iter().filter_map(|(owner, _)| owner.upgrade());
        if let Some(known) = known.find(|owner| (owner.part, owner.epoch) == (part, epoch)) {
            return known;
        }
        let owner = Arc::new(Owner { part, epoch });
        state.owners.push((Arc::downgrade(&owner), Instant::now()));
        drop(state);
        self.changed.notify_all();
        owner
    }

    /// Waits for something to do; `None` at the end. Nobody else is told the same before [`again`](Self::again).
    pub(super) fn next(&self) -> Option<Due> {
        let mut state = self.state();
        loop {
            if state.is_closed {
                return None;
            }
            let now = Instant::now();
            state.owners.retain(|(owner, _)| owner.strong_count() > 0);
            let sweeps = state.owners.iter().filter_map(|(owner, due)| {
                let owner = owner.upgrade()?;
                Some((*due, Due::Sweep(owner.part, owner.epoch)))
            });
            let tidy = (state.tidy, Due::Tidy);
            let (first, what) = sweeps.fold(tidy, |first, next| if next.0 < first.0 { next } else { first });
            let left = first.saturating_duration_since(now);
            if left.is_zero() {
                return Some(what);
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// It is due again then; never, if there is no time.
    pub(super) fn again(&self, what: Due, within: Option<Duration>) {
        let mut state = self.state();
        match (what, within) {
            (Due::Tidy, within) => state.tidy = Instant::now() + within.unwrap_or_default(),
            (Due::Sweep(part, epoch), within) => {
                let is_it = |owner: &Weak<Owner>| {
                    owner.upgrade().is_some_and(|owner| (owner.part, owner.epoch) == (part, epoch))
                };
                match within {
                    Some(within) => {
                        let its = state.owners.iter_mut().filter(|(owner, _)| is_it(owner));
                        its.for_each(|(_, due)| *due = Instant::now() + within);
                    }
                    None => state.owners.retain(|(owner, _)| !is_it(owner)),
                }
            }
        }
    }

    pub(super) fn end(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }
}
