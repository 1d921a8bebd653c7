//! How often one may ask: [`LIMIT`] requests at once, and that many in [`PERIOD`] from then on.
//!
//! Who asks more often waits for each answer instead of being refused: clients that walk through all lines do not know what
//! 429 is, and end with a back-trace. Only who lets many requests wait at a time is told to come later.

use axum::http::{HeaderMap, HeaderValue};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Requests that are answered without a wait, and in each period.
pub(super) const LIMIT: u32 = 100;
pub(super) const PERIOD: Duration = Duration::from_secs(5);
/// Requests of one that wait at a time.
const WAITING: u32 = 32;
/// Those who are known at a time; all others share a rate then.
const KNOWN: usize = 4_096;
const EACH: Duration = Duration::from_nanos(PERIOD.as_nanos() as u64 / LIMIT as u64);

/// Whoever is asking, as a number of no use to anybody.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Asker(u64);

impl Asker {
    pub(super) fn of(who: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        who.hash(&mut hasher);
        Self(hasher.finish())
    }

    const OTHERS: Self = Self(0);
}

#[derive(Debug, Default)]
pub(super) struct Rates {
    known: Mutex<HashMap<Asker, Level>>,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    /// When all that was asked for would have been answered, at the rate.
    even: Instant,
    waiting: u32,
}

/// What the headers say: how often one may ask, how many requests are left, in how many seconds all are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Standing {
    remaining: u32,
    reset: u64,
}

/// A request that waits for its time.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    rates: &'a Rates,
    asker: Asker,
    pub(super) wait: Duration,
    pub(super) standing: Standing,
}

/// Too many of one are waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TooMany {
    pub(super) again: u64,
    pub(super) standing: Standing,
}

impl Rates {
    /// Takes a request into account: after which wait it is to be answered.
    pub(super) fn ask(&self, asker: Asker) -> Result<Turn<'_>, TooMany> {
        self.ask_at(asker, Instant::now())
    }

    fn ask_at(&self, asker: Asker, now: Instant) -> Result<Turn<'_>, TooMany> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut asker = asker;
        if !known.contains_key(&asker) && known.len() >= KNOWN {
            known.retain(|_, level| level.waiting > 0 || level.even > now);
            if known.len() >= KNOWN {
                asker = Asker::OTHERS;
            }
        }
        let level = known.entry(asker).or_insert(Level { even: now, waiting: 0 });
        let even = level.even.max(now) + EACH;
        let wait = even.saturating_duration_since(now + PERIOD);
        if level.waiting >= WAITING && !wait.is_zero() {
            return Err(TooMany { again: seconds(wait).max(1), standing: level.standing(now) });
        }
        level.even = even;
        level.waiting += 1;
        Ok(Turn { rates: self, asker, wait, standing: level.standing(now + wait) })
    }
}

impl Level {
    fn standing(&self, now: Instant) -> Standing {
        let ahead = self.even.saturating_duration_since(now);
        let used = u32::try_from(ahead.as_nanos().div_ceil(EACH.as_nanos())).unwrap_or(LIMIT);
        Standing { remaining: LIMIT.saturating_sub(used), reset: seconds(ahead) }
    }
}

fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut known = self.rates.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(level) = known.get_mut(&self.asker) {
            level.waiting = level.waiting.saturating_sub(1);
        }
    }
}

impl Standing {
    /// Of somebody who is not known: nothing was counted.
    pub(super) const NOBODY: Self = Self { remaining: LIMIT, reset: 0 };

    pub(super) fn put_into(self, headers: &mut HeaderMap) {
        headers.insert("x-rate-limit-limit", HeaderValue::from(LIMIT));
        headers.insert("x-rate-limit-remaining", HeaderValue::from(self.remaining));
        headers.insert("x-rate-limit-reset", HeaderValue::from(self.reset));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_a_hundred_times_a_second_is_slowed_to_the_rate_of_the_header() {
        let (rates, asker) = (Rates::default(), Asker::of(&"token 7"));
        let start = Instant::now();
        // One after the other, each after the wait of the one before.
        let mut now = start;
        let mut times = Vec::new();
        while now < start + Duration::from_secs(20) {
            let turn = rates.ask_at(asker, now).unwrap();
            times.push(now + turn.wait);
            now += turn.wait + Duration::from_millis(10);
        }
        let in_window = |from: u64, to: u64| {
            let window = start + Duration::from_secs(from)..start + Duration::from_secs(to);
            times.iter().filter(|time| window.contains(*time)).count()
        };
        assert!(in_window(0, 1) >= 99, "{} in the first second", in_window(0, 1));
        for from in 3..15 {
            let count = in_window(from, from + 5);
            assert!(count <= LIMIT as usize, "{count} in the five seconds from {from}");
        }
        assert!(in_window(3, 18) >= 295, "it is slowed, not stopped: {}", in_window(3, 18));
        // Who comes after a pause does not wait.
        assert_eq!(rates.ask_at(asker, now + PERIOD).unwrap().wait, Duration::ZERO);
    }

    #[test]
    fn many_at_a_time_wait_and_no_more_than_that() {
        let (rates, asker, now) = (Rates::default(), Asker::of(&1), Instant::now());
        let at_once: Vec<_> = (0..LIMIT).map(|_| rates.ask_at(asker, now).unwrap()).collect();
        assert!(at_once.iter().all(|turn| turn.wait.is_zero()));
        assert_eq!(at_once[9].standing, Standing { remaining: 90, reset: 1 });
        drop(at_once);
        let waiting: Vec<_> = (0..WAITING).map(|_| rates.ask_at(asker, now).unwrap()).collect();
        assert!(waiting.iter().map(|turn| turn.wait).is_sorted() && waiting[31].wait <= Duration::from_secs(3));
        assert_eq!(waiting[31].standing.remaining, 0);
        let refused = rates.ask_at(asker, now).unwrap_err();
        assert_eq!((refused.again, refused.standing.remaining), (2, 0));
        assert!(rates.ask_at(Asker::of(&2), now).unwrap().wait.is_zero(), "others do not wait for them");
        // Those who hang up make room.
        drop(waiting);
        assert!(rates.ask_at(asker, now).is_ok());
    }

    #[test]
    fn so_many_are_known_and_who_is_quiet_makes_room() {
        let (rates, now) = (Rates::default(), Instant::now());
        for number in 0..KNOWN + 10 {
            drop(rates.ask_at(Asker::of(&number), now).unwrap());
        }
        assert!(rates.known.lock().unwrap().len() <= KNOWN + 1);
        drop(rates.ask_at(Asker::of(&"new"), now + Duration::from_secs(1)).unwrap());
        assert_eq!(rates.known.lock().unwrap().len(), 1);
    }
}
