//! Wrong credentials: who goes on guessing waits for each answer, longer and longer.
//!
//! Only wrong ones wait, so the owner gets in at once, whatever others do under his name or from his address. An address
//! with many wrong answers on their way is not listened to any more for a moment, unless with credentials that were good
//! from there before: behind a proxy everybody has one address.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong answers that are not slowed: somebody mistyped.
const FREE: f64 = 5.0;
/// What each one beyond them adds to the wait.
const STEP: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);
/// Wrong answers that are forgotten in a second.
const FORGOTTEN: f64 = 0.5;
/// Wrong answers of an address that wait at a time.
const WAITING: u32 = 64;
/// Addresses and accounts that are known at a time.
const KNOWN: usize = 4_096;

/// A digest of credentials, or of the name of an account.
pub(super) type Digest = [u8; 16];

/// Who guesses: an address, or whoever it is that guesses for one account.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Who {
    Address(IpAddr),
    Account(Digest),
}

#[derive(Debug)]
struct Level {
    wrong: f64,
    at: Instant,
    waiting: u32,
}

#[derive(Debug, Default)]
pub(super) struct Guesses {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    levels: HashMap<Who, Level>,
    good: HashSet<(IpAddr, Digest)>,
}

impl Guesses {
    /// Whether an address may try these credentials now.
    pub(super) fn may_try(&self, address: IpAddr, credentials: &Digest) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.levels.get(&Who::Address(network(address))).is_none_or(|level| level.waiting < WAITING)
            || known.good.contains(&(network(address), *credentials))
    }

    /// How long one more wrong answer would wait; nothing for credentials that were good from there before.
    pub(super) fn pause(&self, address: IpAddr, credentials: &Digest) -> Duration {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network(address);
        if known.good.contains(&(address, *credentials)) {
            return Duration::ZERO;
        }
        known.levels.get(&Who::Address(address)).map_or(Duration::ZERO, |level| wait(level.after(Instant::now()) + 1.0))
    }

    /// They were good.
    pub(super) fn good(&self, address: IpAddr, credentials: &Digest) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = (network(address), *credentials);
        // Also while nobody guesses: when somebody does, it is too late to be known.
        if known.good.contains(&pair) {
            return;
        }
        if known.good.len() >= KNOWN {
            // Who sends is entered anew with the next request.
            known.good.clear();
        }
        known.good.insert(pair);
    }

    /// They were wrong: how long the answer is to wait.
    pub(super) fn wrong(&self, address: IpAddr, account: Option<Digest>) -> Wait<'_> {
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network(address);
        let mut wait = Duration::ZERO;
        for who in [Some(Who::Address(address)), account.map(Who::Account)].into_iter().flatten() {
            if !known.levels.contains_key(&who) && known.levels.len() >= KNOWN {
                known.levels.retain(|_, level| level.waiting > 0 || level.after(now) > 0.0);
                if known.levels.len() >= KNOWN {
                    // Everybody guesses: nobody new is told apart, and all wait.
                    wait = LONGEST;
                    continue;
                }
            }
            let level = known.levels.entry(who).or_insert(Level { wrong: 0.0, at: now, waiting: 0 });
            level.wrong = level.after(now) + 1.0;
            level.at = now;
            wait = wait.max(self::wait(level.wrong));
        }
        if let Some(level) = known.levels.get_mut(&Who::Address(address)) {
            level.waiting += 1;
        }
        Wait { guesses: self, address, time: wait }
    }
}

/// How long the answer to the last of so many waits.
fn wait(wrong: f64) -> Duration {
    STEP.mul_f64((wrong - FREE).clamp(0.0, 1_000.0)).min(LONGEST)
}

impl Level {
    fn after(&self, now: Instant) -> f64 {
        (self.wrong - now.duration_since(self.at).as_secs_f64() * FORGOTTEN).clamp(0.0, 100.0)
    }
}

/// A wrong answer that is on its way.
#[derive(Debug)]
pub(super) struct Wait<'a> {
    guesses: &'a Guesses,
    address: IpAddr,
    pub time: Duration,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut known = self.guesses.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(level) = known.levels.get_mut(&Who::Address(self.address)) {
            level.waiting = level.waiting.saturating_sub(1);
        }
    }
}

/// Who has one address of IPv6 has 2^64 of them.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn who_goes_on_guessing_waits_longer_and_others_do_not() {
        let guesses = Guesses::default();
        let waits: Vec<_> = (0..100).map(|_| guesses.wrong(address(1), None).time).collect();
        assert_eq!(waits[3], Duration::ZERO);
        assert!(waits.is_sorted() && waits[99] == LONGEST, "{waits:?}");
        assert_eq!(guesses.wrong(address(2), None).time, Duration::ZERO);
        // One account from everywhere.
        let last = (0..100).map(|last| guesses.wrong(address(last), Some([7; 16])).time).last();
        assert_eq!(last, Some(LONGEST));
    }

    #[test]
    fn an_address_with_many_wrong_answers_on_their_way_is_heard_with_known_credentials_alone() {
        let guesses = Guesses::default();
        drop(guesses.wrong(address(1), None));
        guesses.good(address(1), &[1; 16]);
        let waiting: Vec<_> = (0..WAITING).map(|_| guesses.wrong(address(1), None)).collect();
        assert!(!guesses.may_try(address(1), &[2; 16]) && guesses.may_try(address(1), &[1; 16]));
        assert!(guesses.may_try(address(2), &[2; 16]));
        drop(waiting);
        assert!(guesses.may_try(address(1), &[2; 16]));
    }

    #[test]
    fn what_is_known_is_bounded() {
        let guesses = Guesses::default();
        for number in 0..20_000_u32 {
            drop(guesses.wrong(IpAddr::from(number.to_be_bytes()), None));
            guesses.good(IpAddr::from(number.to_be_bytes()), &[1; 16]);
        }
        let known = guesses.known.lock().unwrap();
        assert!(known.levels.len() <= KNOWN && known.good.len() <= KNOWN);
    }
}
