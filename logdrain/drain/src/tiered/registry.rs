//! Objects that are on their way here: open, coming, and going.
//!
//! An object goes when its key is in no row any more, nobody has it open, and nobody is about to open it who may have read the
//! key before: each [`Opening`] has a number, and what is to go waits for those with a lower one than it got itself.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Objects that wait to go, and what one takes. What is beyond that the next sweep finds.
pub(super) const GOING: usize = 10_000;
/// Handed out together.
const SOME: usize = 64;
/// How long it rests when the bucket fails: twice as long each time.
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// How long whoever may wait waits for room.
const ROOM: Duration = Duration::from_secs(30);

#[derive(Default, Debug)]
pub(super) struct Registry {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default, Debug)]
struct State {
    number: u64,
    openings: BTreeSet<u64>,
    open: HashMap<Arc<str>, usize>,
    coming: HashSet<String>,
    going: HashMap<Arc<str>, Going>,
    rest: Option<(Instant, Duration)>,
    is_closed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Going {
    /// Openings below this number may have read the key.
    behind: u64,
    /// No row has the key. Otherwise nobody knows.
    is_sure: bool,
}

/// Somebody reads the catalog, and then opens what he found there.
#[derive(Debug)]
pub(super) struct Opening<'a> {
    of: &'a Registry,
    number: u64,
}

/// An object is being put, until a row names it.
#[derive(Debug)]
pub(super) struct Coming<'a> {
    of: &'a Registry,
    key: String,
}

impl Registry {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before the catalog is read.
    pub(super) fn opening(&self) -> Opening<'_> {
        let mut state = self.state();
        state.number += 1;
        let number = state.number;
        state.openings.insert(number);
        Opening { of: self, number }
    }

    /// Nobody waits for anything here.
    pub(super) fn close(&self, key: &str) {
        let mut state = self.state();
        let Some(open) = state.open.get_mut(key) else { return };
        *open -= 1;
        if *open == 0 {
            state.open.remove(key);
            let is_going = state.going.contains_key(key);
            drop(state);
            if is_going {
                self.changed.notify_all();
            }
        }
    }

    /// Before an object is put.
    pub(super) fn coming(&self, key: &str) -> Coming<'_> {
        self.state().coming.insert(key.to_owned());
        Coming { of: self, key: key.to_owned() }
    }

    /// The keys of all objects that are being put.
    pub(super) fn all_coming(&self) -> HashSet<String> {
        self.state().coming.clone()
    }

    pub(super) fn is_open(&self, key: &str) -> bool {
        self.state().open.contains_key(key)
    }

    /// Of objects that are to go: no row has their keys, or else (not `is_sure`) that is looked at first.
    pub(super) fn let_go<'k>(&self, keys: impl IntoIterator<Item = &'k str>, is_sure: bool) {
        let mut state = self.state();
        for key in keys {
            state.add(key, is_sure);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The same of one that no row has, for whoever may wait for room. `false` when there was none in time.
    pub(super) fn let_go_in_time(&self, key: &str) -> bool {
        let until = Instant::now() + ROOM;
        let mut state = self.state();
        while !state.add(key, true) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || state.is_closed {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        self.changed.notify_all();
        true
    }

    /// Waits for objects that may go now; each with whether that is sure. `None` at the end.
    pub(super) fn next_to_go(&self) -> Option<Vec<(Arc<str>, bool)>> {
        let mut state = self.state();
        loop {
            if state.is_closed {
                return None;
            }
            let rest = state.rest.map(|(until, _)| until.saturating_duration_since(Instant::now()));
            let rest = rest.filter(|rest| !rest.is_zero());
            if rest.is_none() {
                let ready = state.ready();
                if !ready.is_empty() {
                    return Some(ready);
                }
            }
            let wait = rest.unwrap_or(LONGEST_REST);
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// An object is gone, or stays for good.
    pub(super) fn went(&self, key: &str) {
        let mut state = self.state();
        state.going.remove(key);
        state.rest = None;
        drop(state);
        self.changed.notify_all();
    }

    /// No row has its key, as was found out only now.
    pub(super) fn is_sure(&self, key: &str) {
        let mut state = self.state();
        state.going.remove(key);
        state.add(key, true);
    }

    /// One cannot go now: others are tried before it.
    pub(super) fn later(&self, key: &str) {
        let mut state = self.state();
        state.number += 1;
        let number = state.number;
        if let Some(going) = state.going.get_mut(key) {
            going.behind = number;
        }
    }

    /// Nothing goes for a while.
    pub(super) fn rest(&self) {
        let mut state = self.state();
        let long = state.rest.map_or(REST, |(_, last)| (last * 2).min(LONGEST_REST));
        state.rest = Some((Instant::now() + long, long));
    }

    /// Whether nothing is to go any more.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.state().going.is_empty()
    }

    pub(super) fn end(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state().is_closed
    }
}

impl State {
    fn add(&mut self, key: &str, is_sure: bool) -> bool {
        if self.going.contains_key(key) {
            return true;
        }
        if self.going.len() >= GOING {
            return false;
        }
        self.number += 1;
        self.going.insert(key.into(), Going { behind: self.number, is_sure });
        true
    }

    fn ready(&self) -> Vec<(Arc<str>, bool)> {
        let first = self.openings.first().copied().unwrap_or(u64::MAX);
        let is_ready = |key: &str, going: &Going| going.behind < first && !self.open.contains_key(key);
        let mut ready: Vec<_> = self.going.iter().filter(|(key, going)| is_ready(key, going)).collect();
        // In the order in which they came: one that cannot go holds up no others.
        ready.sort_unstable_by_key(|(_, going)| going.behind);
        ready.into_iter().take(SOME).map(|(key, going)| (key.clone(), going.is_sure)).collect()
    }
}

impl Opening<'_> {
    /// What was found is open, until it is [closed](Registry::close).
    pub(super) fn opened(self, key: &str) -> Arc<str> {
        let mut state = self.of.state();
        let key = state.open.get_key_value(key).map_or_else(|| Arc::from(key), |(key, _)| key.clone());
        *state.open.entry(key.clone()).or_default() += 1;
        key
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let mut state = self.of.state();
        state.openings.remove(&self.number);
        let is_waited_for = !state.going.is_empty();
        drop(state);
        if is_waited_for {
            self.of.changed.notify_all();
        }
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.of.state().coming.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(registry: &Registry) -> Vec<String> {
        registry.state().ready().into_iter().map(|(key, _)| (*key).to_owned()).collect()
    }

    #[test]
    fn what_is_open_or_may_be_opened_stays() {
        let registry = Registry::default();
        let before = registry.opening();
        registry.let_go(["a"], true);
        let behind = registry.opening();
        assert!(ready(&registry).is_empty(), "it may be read by the one before");
        let key = before.opened("a");
        assert!(ready(&registry).is_empty() && registry.is_open("a"));
        registry.close(&key);
        assert_eq!(ready(&registry), ["a"], "whoever came behind finds no such key");
        drop(behind);
        registry.went("a");
        assert!(registry.is_idle() && registry.state().openings.is_empty());
    }

    #[test]
    fn what_is_found_out_later_waits_for_all_who_came_until_then() {
        let registry = Registry::default();
        registry.let_go(["a"], false);
        assert_eq!(registry.next_to_go().unwrap(), [(Arc::from("a"), false)]);
        let meanwhile = registry.opening();
        registry.is_sure("a");
        assert!(ready(&registry).is_empty());
        drop(meanwhile);
        assert_eq!(registry.next_to_go().unwrap(), [(Arc::from("a"), true)]);
    }

    #[test]
    fn one_that_cannot_go_holds_up_no_others() {
        let registry = Registry::default();
        registry.let_go(["a", "b", "c"], true);
        assert_eq!(ready(&registry), ["a", "b", "c"]);
        registry.later("a");
        registry.went("b");
        assert_eq!(ready(&registry), ["c", "a"]);
        registry.rest();
        assert!(registry.state().rest.is_some_and(|(until, _)| until > Instant::now()));
    }

    #[test]
    fn so_many_wait_and_no_more() {
        let registry = Registry::default();
        let keys: Vec<_> = (0..GOING + 10).map(|number| number.to_string()).collect();
        registry.let_go(keys.iter().map(String::as_str), true);
        assert_eq!(registry.state().going.len(), GOING);
        registry.end();
        assert!(!registry.let_go_in_time("more") && registry.next_to_go().is_none());
    }
}
