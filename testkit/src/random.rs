//! A seeded source of numbers: SplitMix64, integers only, so that every machine generates the same bytes.

/// Numbers that depend on the seed alone.
///
/// ```
/// let mut random = testkit::random::Random::new(1);
/// let first = random.below(1_000);
/// assert!(first < 1_000);
/// assert_eq!(testkit::random::Random::new(1).below(1_000), first);
/// ```
#[derive(Clone, Debug)]
pub struct Random(u64);

/// Percent of the median at the 2.5th, 7.5th, .. 97.5th percentile of a log-normal distribution with sigma 0.6.
///
/// A table and not `exp`: the last bit of a platform's `exp` must not decide what is in the test data.
const LOG_NORMAL: [u64; 20] =
    [31, 42, 50, 57, 63, 70, 76, 83, 89, 96, 104, 112, 121, 131, 143, 158, 175, 199, 237, 324];

impl Random {
    /// A source that yields the same numbers for the same seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number in `0..limit`; 0 for a limit of 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(limit)) >> 64) as u64
    }

    /// A number in `low..=high`; `low` when the bounds are the wrong way round.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True in `per_mille` of a thousand calls.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// One of the items.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// A duration as services have them: log-normal about `median`, one in two hundred up to fifteen times as long.
    pub fn latency(&mut self, median: u64) -> u64 {
        let at = self.below(LOG_NORMAL.len() as u64 - 1) as usize;
        let between = self.below(100);
        let percent = LOG_NORMAL[at] + (LOG_NORMAL[at + 1] - LOG_NORMAL[at]) * between / 100;
        let tail = if self.chance(5) { self.between(5, 15) } else { 1 };
        (median * percent * tail / 100).max(1)
    }

    /// A random UUID in its usual text form.
    pub fn uuid(&mut self) -> String {
        let (high, low) = (self.bits(), self.bits());
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        let mut random = Random::new(0);
        assert_eq!(random.bits(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.bits(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn numbers_stay_inside_their_bounds() {
        let mut random = Random::new(9);
        for _ in 0..1_000 {
            assert!(random.below(7) < 7);
            assert!((3..=5).contains(&random.between(3, 5)));
            assert!((3..=18_000).contains(&random.latency(12)));
        }
        assert_eq!(random.below(0), 0);
        assert_eq!(random.between(4, 2), 4);
    }

    #[test]
    fn half_of_the_latencies_lie_below_the_median() {
        let mut random = Random::new(4);
        let below = (0..10_000).filter(|_| random.latency(1_000) < 1_000).count();
        assert!((4_700..5_300).contains(&below), "{below}");
    }

    #[test]
    fn a_uuid_has_its_shape() {
        let uuid = Random::new(2).uuid();
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert!(uuid.chars().all(|c| c == '-' || c.is_ascii_hexdigit()));
    }
}
