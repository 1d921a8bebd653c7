//! How long answers took: times to four digits and how often each came, so that a run of any length takes little memory.

use std::collections::BTreeMap;
use std::time::Duration;

/// Times and how often each came. Each is kept to four digits of its microseconds, so to 0.05 %.
#[derive(Debug, Default)]
pub(crate) struct Times {
    counts: BTreeMap<u64, u64>,
    all: u64,
}

impl Times {
    pub(crate) fn record(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let cut = 10_u64.pow(micros.checked_ilog10().unwrap_or(0).saturating_sub(3));
        *self.counts.entry(micros / cut * cut).or_default() += 1;
        self.all += 1;
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (micros, count) in other.counts {
            *self.counts.entry(micros).or_default() += count;
        }
        self.all += other.all;
    }

    /// The least time that so many thousandths of all are not above, in milliseconds; 0 if there are none.
    pub(crate) fn mille(&self, mille: u64) -> f64 {
        let rank = u128::from(self.all) * u128::from(mille);
        let mut seen = 0_u128;
        for (micros, count) in &self.counts {
            seen += u128::from(*count) * 1_000;
            if seen >= rank {
                return *micros as f64 / 1_000.0;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_sorted_times() {
        let (mut times, mut other) = (Times::default(), Times::default());
        assert!(times.mille(500) == 0.0);
        for millis in 1..=1_000 {
            let half = if millis % 2 == 0 { &mut times } else { &mut other };
            half.record(Duration::from_millis(millis));
        }
        times.add(other);
        assert_eq!([500, 990, 999, 1_000].map(|mille| times.mille(mille)), [500.0, 990.0, 999.0, 1_000.0]);
    }

    #[test]
    fn four_digits_are_kept() {
        for (micros, kept) in [(0, 0.0), (7, 0.007), (12_345, 12.34), (5_000_123, 5_000.0)] {
            let mut times = Times::default();
            times.record(Duration::from_micros(micros));
            assert_eq!(times.mille(500), kept);
        }
    }
}
