//! When the watermark is to move.

use crate::settings::Settings;
use heroku_metrics::model::Timestamp;
use std::time::Duration;

/// When the watermark moves: each time it passes the end of a window, and at least once a minute.
#[derive(Clone, Debug)]
pub(super) struct WindowClock {
    period: Duration,
    lateness: Duration,
    last: Option<Timestamp>,
    /// Nothing has moved since the start: rows that are owed do not wait for the next window.
    is_new: bool,
}

impl WindowClock {
    /// With the last tick, if there was one: none comes twice, and none goes back.
    pub(super) fn new(settings: &Settings, last: Option<Timestamp>) -> Self {
        let mut clock = Self { period: Duration::ZERO, lateness: Duration::ZERO, last, is_new: true };
        clock.follow(settings);
        clock
    }

    pub(super) fn follow(&mut self, settings: &Settings) {
        self.period = settings.window().clamp(Duration::from_millis(10), Duration::from_secs(60));
        self.lateness = settings.lateness();
    }

    fn number(&self, time: Timestamp) -> i64 {
        let period = i64::try_from(self.period.as_micros()).unwrap_or(i64::MAX);
        time.earlier(self.lateness).unix_micros().div_euclid(period)
    }

    /// The time of the last tick.
    pub(super) const fn last(&self) -> Option<Timestamp> {
        self.last
    }

    pub(super) fn is_due(&self, time: Timestamp) -> bool {
        self.is_new || self.last.is_none_or(|last| self.number(time) > self.number(last))
    }

    pub(super) fn until_due(&self, time: Timestamp) -> Duration {
        if self.is_due(time) {
            return Duration::ZERO;
        }
        let period = i64::try_from(self.period.as_micros()).unwrap_or(i64::MAX);
        let into = time.earlier(self.lateness).unix_micros().rem_euclid(period);
        Duration::from_micros(period.abs_diff(into))
    }

    /// The time of a tick now: a clock that was set back moves no watermark.
    pub(super) fn tick(&self, time: Timestamp) -> Timestamp {
        self.last.map_or(time, |last| last.max(time))
    }

    pub(super) fn passed(&mut self, time: Timestamp) {
        self.last = Some(time);
        self.is_new = false;
    }
}
