//! What others see of the spool.

use heroku_metrics::model::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// How it stands with what waits, for who looks at it.
#[derive(Clone, Copy, Debug)]
pub(in crate::journal) struct Stand {
    pub(in crate::journal) deliveries: u64,
    /// Of their bodies, as they are kept.
    pub(in crate::journal) bytes: u64,
    pub(in crate::journal) oldest: Option<Timestamp>,
    pub(in crate::journal) is_full: bool,
    /// The database did not take what came, and something waits still.
    pub(in crate::journal) is_away: bool,
    /// Deliveries that could not be read again since it was told last.
    pub(in crate::journal) lost: u64,
}

/// What waits in the spool, and how it does.
#[derive(Debug, Default)]
pub struct Spooled {
    /// There is one.
    pub is_there: AtomicBool,
    /// The database does not take what comes.
    pub is_away: AtomicBool,
    /// The spool does not, either.
    pub is_full: AtomicBool,
    /// Deliveries that wait,
    pub deliveries: AtomicU64,
    /// the bytes of their bodies, as they are kept,
    pub bytes: AtomicU64,
    /// and when the oldest came, in microseconds since 1970; 0 when none waits.
    pub oldest: AtomicI64,
    /// Those that the journal refused when it was back.
    pub refused: AtomicU64,
    /// Those that could not be read again.
    pub lost: AtomicU64,
}

impl Spooled {
    /// Whether what comes goes into the spool, or waits there.
    pub fn is_in_use(&self) -> bool {
        let is_used = self.is_away.load(Ordering::Acquire) || self.deliveries.load(Ordering::Acquire) > 0;
        self.is_there.load(Ordering::Acquire) && is_used && !self.is_full.load(Ordering::Acquire)
    }

    /// How old the oldest is, by the time that is believed.
    pub fn age_seconds(&self, now: Option<i64>) -> f64 {
        let oldest = self.oldest.load(Ordering::Acquire);
        match now {
            Some(now) if oldest != 0 => now.saturating_sub(oldest).max(0) as f64 / 1e6,
            _ => 0.0,
        }
    }

    pub(in crate::journal) fn tell(&self, stand: &Stand) {
        let Stand { deliveries, bytes, oldest, is_full, is_away, lost } = *stand;
        self.deliveries.store(deliveries, Ordering::Release);
        self.bytes.store(bytes, Ordering::Release);
        self.oldest.store(oldest.map_or(0, Timestamp::unix_micros), Ordering::Release);
        self.is_full.store(is_full, Ordering::Release);
        self.is_away.store(is_away, Ordering::Release);
        self.lost.fetch_add(lost, Ordering::AcqRel);
        self.is_there.store(true, Ordering::Release);
    }
}
