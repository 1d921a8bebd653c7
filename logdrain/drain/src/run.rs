//! The numbers of events: who reads a line later finds it by its id.
//!
//! ```text
//! id = milliseconds since 1970 << 20 | counter << 8 | partition      ; 63 bits, rising within a partition
//! ```
//!
//! A delivery gets a run of them with its commit: event *i* has `base + i x 256`. A run begins at the believed time, or
//! behind the run before it, whichever is later: a clock that is set back, a restart and more than 4,096 events in a
//! millisecond only carry the counter on.

use heroku_metrics::model::Timestamp;

/// Between two ids: the bits of the partition stay what they are.
pub const STEP: u64 = 1 << 8;
/// The bits below the milliseconds.
const BELOW: u32 = 20;
/// No id is beyond it. The clock is there in the year 2248.
pub const LAST_ID: u64 = (1 << 63) - 1;
/// The ids of one delivery's events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Run {
    /// Of the first event; 0 while none was given.
    pub base: u64,
    /// How many events there are.
    pub events: u64,
}

impl Run {
    /// A run that has no ids yet.
    pub const fn of(events: u64) -> Self {
        Self { base: 0, events }
    }

    pub const fn is_given(self) -> bool {
        self.base != 0
    }

    /// The id behind which the next run begins.
    pub fn last(self) -> u64 {
        self.base.saturating_add(self.events.saturating_sub(1).saturating_mul(STEP)).min(LAST_ID)
    }
}

/// Gives runs, each behind the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Runs {
    /// The last id that was given, or the highest that is known from anywhere.
    last: u64,
    /// Whose ids they are: a machine alone has the one with number 0.
    partition: u8,
}

impl Runs {
    /// Of a partition.
    pub const fn of(partition: u8) -> Self {
        Self { last: 0, partition }
    }

    pub const fn last(self) -> u64 {
        self.last
    }

    /// The same, and nothing at or below this id.
    pub fn passed(mut self, id: u64) -> Self {
        self.pass(id);
        self
    }

    /// Nothing is given at or below this id.
    pub fn pass(&mut self, id: u64) {
        self.last = self.last.max(id.min(LAST_ID));
    }

    /// Leaves a step free: what stands between two deliveries, as a tick does, has ids of its own there.
    pub fn leave_step(&mut self) {
        self.pass(self.last.saturating_add(STEP));
    }

    /// A run for so many events that came at this time.
    pub fn give(&mut self, time: Timestamp, events: u64) -> Run {
        let millis = u64::try_from(time.unix_micros().div_euclid(1_000)).unwrap_or(0);
        let partition = u64::from(self.partition);
        let now = millis.min(LAST_ID >> BELOW) << BELOW | partition;
        let next = (self.last - self.last % STEP).saturating_add(STEP) | partition;
        let run = Run { base: now.max(next).min(LAST_ID), events };
        if events > 0 {
            self.pass(run.last());
        }
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_unix_micros(micros)
    }

    #[test]
    fn ids_rise_whatever_the_clock_does() {
        let mut runs = Runs::default();
        let noon = 1_773_480_413_518_134;
        let first = runs.give(at(noon), 3);
        assert_eq!(first, Run { base: 1_773_480_413_518 << 20, events: 3 });
        // In the same millisecond, behind it; an hour back, too.
        let second = runs.give(at(noon + 100), 10_000);
        assert_eq!(second.base, first.base + 3 * STEP);
        let third = runs.give(at(noon - 3_600_000_000), 1);
        assert_eq!(third.base, second.base + 10_000 * STEP);
        // And with the clock again when it has passed them.
        assert_eq!(runs.give(at(noon + 5_000), 1).base, 1_773_480_413_523 << 20);
    }

    #[test]
    fn ids_say_whose_they_are_and_rise_beyond_those_of_others() {
        let mut runs = Runs::of(7);
        let first = runs.give(at(1_000), 2);
        assert_eq!(first, Run { base: 1 << 20 | 7, events: 2 });
        // What others gave in the meantime, with a higher number or a lower one.
        for other in [9, 3] {
            let last = runs.last();
            runs.pass(last - last % STEP + 5 * STEP + other);
            let next = runs.give(at(1_000), 1).base;
            assert!(next > last - last % STEP + 5 * STEP + other && next % STEP == 7, "{next}");
        }
        let before = runs.last();
        runs.leave_step();
        assert_eq!(runs.give(at(1_000), 1).base, before + 2 * STEP);
    }

    #[test]
    fn a_delivery_without_events_takes_no_id() {
        let mut runs = Runs::default().passed(5 << BELOW);
        assert_eq!(runs.give(at(0), 0), Run { base: (5 << BELOW) + STEP, events: 0 });
        assert_eq!(runs.give(at(0), 1), Run { base: (5 << BELOW) + STEP, events: 1 });
    }

    #[test]
    fn absurd_times_and_counts_stay_in_range() {
        for (last, time, events) in [(0, i64::MIN, 1), (0, i64::MAX, u64::MAX), (LAST_ID, 0, 7), (u64::MAX >> 1, 1, 1)]
        {
            let mut runs = Runs::default().passed(last);
            let run = runs.give(at(time), events);
            assert!(run.base <= LAST_ID && runs.last() <= LAST_ID, "{run:?}");
        }
    }
}
