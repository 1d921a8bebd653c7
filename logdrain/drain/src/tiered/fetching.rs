//! Pieces that are not in the cache: asked of the bucket once, however many want them.

use super::cache::{Cache, PIECE};
use super::failing::Failing;
use super::turns::Turns;
use crate::journal::Objects;
use hyper::body::Bytes;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Requests at a time, and those of one who asks.
const FETCHES: usize = 8;
const FETCHES_OF_ONE: usize = 3;
/// How long one waits for a turn; and for what another one fetches, who waits for his turn and then for the bucket.
const TURN: Duration = Duration::from_secs(10);
const OTHERS: Duration = Duration::from_secs(25);
/// Pieces that are held in memory when they came: for who asks next, also when the disk takes none.
const HELD: usize = 8;

/// The most memory of all this.
pub(super) const MEMORY: usize = FETCHES * Objects::reading(PIECE) + HELD * 2 * PIECE;

#[derive(Debug)]
pub(super) struct Fetching {
    objects: Objects,
    turns: Turns,
    failing: Failing,
    state: Mutex<State>,
    requests: AtomicU64,
}

#[derive(Default, Debug)]
struct State {
    under_way: HashMap<Id, Arc<Fetch>>,
    held: VecDeque<(Id, Bytes)>,
}

type Id = (Arc<str>, u32);
type Outcome = Result<Bytes, (io::ErrorKind, String)>;

/// A piece that somebody asks for.
#[derive(Default, Debug)]
struct Fetch {
    outcome: Mutex<Option<Outcome>>,
    is_there: Condvar,
}

/// An object of which pieces are wanted, and for whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) key: &'a Arc<str>,
    pub(super) len: u64,
    pub(super) whose: &'a str,
}

impl Fetching {
    pub(super) fn new(objects: Objects) -> Self {
        Self {
            objects,
            turns: Turns::new(FETCHES, FETCHES_OF_ONE),
            failing: Failing::default(),
            state: Mutex::default(),
            requests: AtomicU64::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece that was not in the cache, and is then.
    pub(super) fn piece(&self, cache: &Cache, wanted: Wanted<'_>, number: u32) -> io::Result<Bytes> {
        let id = (wanted.key.clone(), number);
        let mut state = self.state();
        if let Some((_, bytes)) = state.held.iter().find(|(held, _)| *held == id) {
            return Ok(bytes.clone());
        }
        if let Some(fetch) = state.under_way.get(&id).cloned() {
            drop(state);
            return fetch.wait();
        }
        let fetch = Arc::<Fetch>::default();
        state.under_way.insert(id.clone(), fetch.clone());
        drop(state);
        // Whatever happens, the others hear of it.
        let leading = Leading { of: self, id: &id, fetch: &fetch };
        let outcome = self.ask(wanted, number);
        if let Ok(bytes) = &outcome {
            leading.tell(Ok(bytes.clone()));
            cache.insert(wanted.key, number, bytes);
        } else if let Err(error) = &outcome {
            leading.tell(Err((error.kind(), error.to_string())));
        }
        outcome
    }

    fn ask(&self, wanted: Wanted<'_>, number: u32) -> io::Result<Bytes> {
        // Who waits for a turn behind others finds out with them.
        drop(self.failing.ask()?);
        let turn = self.turns.take(wanted.whose, TURN)?;
        let asking = self.failing.ask()?;
        let from = u64::from(number) * PIECE as u64;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let outcome = self.objects.range(wanted.key, from..wanted.len.min(from + PIECE as u64));
        asking.end(&outcome);
        drop(turn);
        outcome
    }

    /// What came for a piece is wrong, or nobody wants it any more.
    pub(super) fn forget(&self, key: &str, number: Option<u32>) {
        let is_it = |id: &Id| *id.0 == *key && number.is_none_or(|number| id.1 == number);
        self.state().held.retain(|(id, _)| !is_it(id));
    }

    /// How often the bucket was asked for a piece.
    #[cfg(test)]
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Fetch {
    fn wait(&self) -> io::Result<Bytes> {
        let until = Instant::now() + OTHERS;
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*outcome {
                Some(Ok(bytes)) => return Ok(bytes.clone()),
                Some(Err((kind, said))) => return Err(io::Error::new(*kind, said.clone())),
                None => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "another one waits for the bucket already"));
            }
            outcome = self.is_there.wait_timeout(outcome, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Whoever asks for others, too.
struct Leading<'a> {
    of: &'a Fetching,
    id: &'a Id,
    fetch: &'a Fetch,
}

impl Leading<'_> {
    fn tell(&self, outcome: Outcome) {
        if let Ok(bytes) = &outcome {
            let mut state = self.of.state();
            if state.held.len() >= HELD {
                state.held.pop_front();
            }
            state.held.push_back((self.id.clone(), bytes.clone()));
        }
        *self.fetch.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.fetch.is_there.notify_all();
    }
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        self.of.state().under_way.remove(self.id);
        let mut outcome = self.fetch.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        if outcome.is_none() {
            *outcome = Some(Err((io::ErrorKind::Other, "whoever asked the bucket has gone".to_owned())));
            self.fetch.is_there.notify_all();
        }
    }
}
