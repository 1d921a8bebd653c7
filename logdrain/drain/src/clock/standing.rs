//! What the threads tell each other of the time, and `/metrics` and `/readyz` the world.

use super::source::steady;
use heroku_metrics::model::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// Ticks come once a minute at least; a watermark that is older than this does not move.
const STALE: i64 = 300 * 1_000_000;
/// How long deliveries may wait for the time to be known before it is told.
const HELD: i64 = 60 * 1_000_000;

/// Where the believed clock and the watermark stand.
#[derive(Debug)]
pub struct Standing {
    offset: AtomicI64,
    /// Wall clock minus believed time.
    off: AtomicI64,
    doubt: AtomicBool,
    /// Whether something may be deleted because of its age.
    deletes: AtomicBool,
    /// By the steady clock, since when a delivery waits for the time to be known; 0 when none does.
    held: AtomicI64,
    watermark: AtomicI64,
    /// By the steady clock; 0 before the first move.
    moved: AtomicI64,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            offset: AtomicI64::new(0),
            off: AtomicI64::new(0),
            doubt: AtomicBool::new(false),
            deletes: AtomicBool::new(false),
            held: AtomicI64::new(0),
            watermark: AtomicI64::new(i64::MIN),
            moved: AtomicI64::new(0),
        }
    }
}

impl Standing {
    /// Said by the writer at each turn.
    pub fn tell(&self, believed: Timestamp, steady: i64, wall: i64, in_doubt: bool) {
        let believed = believed.unix_micros();
        self.offset.store(believed.saturating_sub(steady), Ordering::Relaxed);
        self.off.store(wall.saturating_sub(believed), Ordering::Relaxed);
        self.doubt.store(in_doubt, Ordering::Release);
    }

    /// Said by the writer, too: whether the clock has been believed for long enough to delete by it.
    pub fn trust(&self, may_delete: bool) {
        self.deletes.store(may_delete, Ordering::Release);
    }

    pub fn may_delete(&self) -> bool {
        self.deletes.load(Ordering::Acquire)
    }

    /// What time it is, as far as is believed, in microseconds since 1970; `None` before the writer's first word.
    pub fn believed(&self) -> Option<i64> {
        let offset = self.offset.load(Ordering::Relaxed);
        (offset != 0).then(|| steady().saturating_add(offset))
    }

    /// Deliveries wait, or none do any more.
    pub fn hold(&self, since: Option<i64>) {
        let since = since.map_or(0, |since| since.max(1));
        if since == 0 || self.held.load(Ordering::Relaxed) == 0 {
            self.held.store(since, Ordering::Release);
        }
    }

    /// Said by the pipelines when their watermark moves.
    pub fn moved(&self, watermark: Timestamp) {
        self.watermark.fetch_max(watermark.unix_micros(), Ordering::Relaxed);
        self.moved.store(steady().max(1), Ordering::Release);
    }

    pub fn is_in_doubt(&self) -> bool {
        self.doubt.load(Ordering::Acquire)
    }

    /// How far the wall clock is ahead of the believed one, in seconds.
    pub fn off_seconds(&self) -> f64 {
        self.off.load(Ordering::Relaxed) as f64 / 1e6
    }

    /// How far the watermark is behind the believed time, or how long ago it moved, whichever is more. `None` before its
    /// first move.
    pub fn watermark_age(&self) -> Option<Duration> {
        let moved = self.moved.load(Ordering::Acquire);
        let now = steady();
        let believed = now.saturating_add(self.offset.load(Ordering::Relaxed));
        let behind = believed.saturating_sub(self.watermark.load(Ordering::Relaxed));
        let age = behind.max(now.saturating_sub(moved)).max(0);
        (moved != 0).then(|| Duration::from_micros(age.unsigned_abs()))
    }

    /// What keeps deliveries from being counted in time, if anything does.
    pub fn trouble(&self) -> Option<&'static str> {
        let held = self.held.load(Ordering::Acquire);
        if held != 0 && steady() - held > HELD {
            return Some("the time is in doubt, and deliveries wait for it to be known");
        }
        let stale = Duration::from_micros(STALE.unsigned_abs());
        if held == 0 && self.watermark_age().is_some_and(|age| age > stale) {
            return Some("the watermark does not move: minutes are not being closed");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watermark_that_stands_still_is_trouble_after_five_minutes() {
        let standing = Standing::default();
        assert_eq!((standing.watermark_age(), standing.trouble()), (None, None));
        let now = Timestamp::from_unix_micros(1_800_000_000_000_000);
        standing.tell(now, steady(), now.unix_micros(), false);
        standing.moved(now.earlier(Duration::from_secs(299)));
        assert_eq!(standing.trouble(), None);
        standing.tell(now.later(Duration::from_secs(2)), steady(), now.unix_micros(), false);
        assert!(standing.watermark_age().unwrap() >= Duration::from_secs(301));
        assert!(standing.trouble().unwrap().contains("watermark"));
    }

    #[test]
    fn deliveries_that_wait_for_the_time_are_trouble_after_a_minute() {
        let standing = Standing::default();
        standing.hold(Some(steady()));
        assert_eq!(standing.trouble(), None);
        standing.hold(None);
        standing.hold(Some(steady() - 61_000_000));
        assert!(standing.trouble().unwrap().contains("doubt"));
        standing.hold(None);
        assert_eq!(standing.trouble(), None);
    }
}
