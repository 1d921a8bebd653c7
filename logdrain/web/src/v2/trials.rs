//! How often an account may try its channels: each trial is a request of this server to whatever address the account named.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Messages that may go at once, and how long one takes to come back.
const AT_ONCE: u32 = 20;
const EACH: Duration = Duration::from_secs(3);

/// When the trials of each account will all have come back.
#[derive(Debug, Default)]
pub(super) struct Trials(Mutex<HashMap<Arc<str>, Instant>>);

impl Trials {
    /// Takes as many as there are channels; `false`, and none is taken, if there are not so many now.
    pub(super) fn take(&self, account: &str, channels: usize) -> bool {
        self.take_at(account, channels, Instant::now())
    }

    fn take_at(&self, account: &str, channels: usize, now: Instant) -> bool {
        let mut even = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Accounts that have all of theirs are forgotten.
        even.retain(|_, even| *even > now);
        let count = u32::try_from(channels.max(1)).unwrap_or(u32::MAX);
        let then = even.get(account).copied().unwrap_or(now) + EACH.saturating_mul(count.min(2 * AT_ONCE));
        let fits = then <= now + AT_ONCE * EACH;
        if fits {
            even.insert(account.into(), then);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_so_many_at_once_and_then_one_in_three_seconds() {
        let (trials, now) = (Trials::default(), Instant::now());
        assert!(trials.take_at("shop", 20, now));
        assert!(!trials.take_at("shop", 1, now), "they are used up");
        assert!(trials.take_at("blog", 1, now), "and nobody else's");
        assert!(trials.take_at("shop", 1, now + EACH));
        assert!(!trials.take_at("shop", 1, now + EACH));
        assert!(!trials.take_at("shop", 3, now + 2 * EACH + EACH / 2), "what does not fit takes none");
        assert!(trials.take_at("shop", 1, now + 2 * EACH + EACH / 2));
        let later = now + 100 * EACH;
        assert!(
            trials.take_at("cart", 1, later) && trials.0.lock().unwrap().len() == 1,
            "those that are even are forgotten"
        );
        assert!(!trials.take_at("shop", 21, later), "more than there are at once");
    }
}
