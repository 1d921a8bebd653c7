//! Turns: so many at a time, and so many of one who asks.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Turns {
    most: usize,
    most_of_one: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default, Debug)]
struct State {
    taken: usize,
    of: HashMap<String, usize>,
    /// In the order in which they came.
    waiting: VecDeque<(u64, String)>,
    number: u64,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    of: &'a Turns,
    whose: String,
}

impl Turns {
    pub(super) fn new(most: usize, most_of_one: usize) -> Self {
        Self { most, most_of_one, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Waits for one, for so long at most.
    ///
    /// # Errors
    /// [`TimedOut`](io::ErrorKind::TimedOut) when none came.
    pub(super) fn take(&self, whose: &str, patience: Duration) -> io::Result<Turn<'_>> {
        let until = Instant::now() + patience;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.number += 1;
        let own = state.number;
        state.waiting.push_back((own, whose.to_owned()));
        while self.next(&state) != Some(own) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.waiting.retain(|(number, _)| *number != own);
                drop(state);
                // It may have been this one that others waited behind.
                self.changed.notify_all();
                return Err(io::Error::new(io::ErrorKind::TimedOut, "others wait for the bucket already"));
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.waiting.retain(|(number, _)| *number != own);
        state.taken += 1;
        *state.of.entry(whose.to_owned()).or_default() += 1;
        drop(state);
        // There may be one more.
        self.changed.notify_all();
        Ok(Turn { of: self, whose: whose.to_owned() })
    }

    /// Who came first of those that may have one.
    fn next(&self, state: &State) -> Option<u64> {
        if state.taken >= self.most {
            return None;
        }
        let may = |whose: &str| state.of.get(whose).is_none_or(|taken| *taken < self.most_of_one);
        state.waiting.iter().find(|(_, whose)| may(whose)).map(|(number, _)| *number)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.of.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.taken -= 1;
        if let Some(taken) = state.of.get_mut(&self.whose) {
            *taken -= 1;
            if *taken == 0 {
                state.of.remove(&self.whose);
            }
        }
        drop(state);
        self.of.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_asks_for_all_leaves_some_to_others() {
        let turns = Turns::new(3, 2);
        let take = |whose| turns.take(whose, Duration::from_millis(20));
        let (first, _second) = (take("a").unwrap(), take("a").unwrap());
        assert_eq!(take("a").unwrap_err().kind(), io::ErrorKind::TimedOut);
        let other = take("b").unwrap();
        assert!(take("c").is_err(), "there are three");
        drop(first);
        let _third = take("c").unwrap();
        drop(other);
        take("a").unwrap();
    }

    #[test]
    fn who_waits_gets_the_turn_of_who_goes() {
        let turns = Turns::new(1, 1);
        let first = turns.take("a", Duration::ZERO).unwrap();
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..8)
                .map(|number| {
                    let turns = &turns;
                    scope.spawn(move || turns.take(&format!("b{number}"), Duration::from_secs(60)).map(drop))
                })
                .collect();
            drop(first);
            all.into_iter().for_each(|one| one.join().unwrap().unwrap());
        });
        assert!(turns.state.lock().unwrap().of.is_empty());
    }
}
