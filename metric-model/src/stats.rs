/// The percentiles that a measure answers, as streams are named after them.
///
/// ```
/// use metric_model::Percentile;
///
/// assert_eq!(Percentile::P999.suffix(), ".p999");
/// assert_eq!(Percentile::P999.rank(1_500), 1_499);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Percentile {
    /// The median.
    P50,
    /// 95 in 100.
    P95,
    /// 99 in 100.
    P99,
    /// 999 in 1000.
    P999,
}

impl Percentile {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::P50, Self::P95, Self::P99, Self::P999];

    /// What is added to the metric's name: `.p50`, `.p95`, `.p99`, `.p999`.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::P50 => ".p50",
            Self::P95 => ".p95",
            Self::P99 => ".p99",
            Self::P999 => ".p999",
        }
    }

    /// The quantile in thousandths: 500, 950, 990, 999.
    #[must_use]
    pub const fn per_mille(self) -> u16 {
        match self {
            Self::P50 => 500,
            Self::P95 => 950,
            Self::P99 => 990,
            Self::P999 => 999,
        }
    }

    /// The rank of the value that answers, counted from 1: nearest rank, ceil(q * n). 0 when there are no values.
    ///
    /// ```
    /// assert_eq!(metric_model::Percentile::P50.rank(5), 3);
    /// ```
    #[must_use]
    pub const fn rank(self, n: u64) -> u64 {
        let (whole, rest) = (n / 1000, n % 1000);
        let q = self.per_mille() as u64;
        whole * q + (rest * q).div_ceil(1000)
    }

    const fn index(self) -> usize {
        match self {
            Self::P50 => 0,
            Self::P95 => 1,
            Self::P99 => 2,
            Self::P999 => 3,
        }
    }
}

/// The four percentiles of one window of one measure.
///
/// Each is the value at its nearest rank, ceil(q*n), of the n sorted values: an observed value as long as
/// [`is_exact`](Self::is_exact) says so, else within the error the sketch states.
///
/// ```
/// use metric_model::{Percentile, Percentiles};
///
/// let of_three = Percentiles::exact([200.0, 300.0, 300.0, 300.0]);
/// assert_eq!(of_three.get(Percentile::P50), 200.0);
/// assert!(of_three.is_exact(Percentile::P50));
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Percentiles {
    values: [f64; 4],
    exact: [bool; 4],
}

impl Percentiles {
    /// Values in the order of [`Percentile::ALL`], each with whether it was observed.
    ///
    /// ```
    /// use metric_model::{Percentile, Percentiles};
    /// let known = Percentiles::new([1.0, 2.0, 3.0, 4.0], [false, false, false, true]);
    /// assert!(known.is_exact(Percentile::P999));
    /// ```
    #[must_use]
    pub const fn new(values: [f64; 4], exact: [bool; 4]) -> Self {
        Self { values, exact }
    }

    /// Values in the order of [`Percentile::ALL`], all of them observed.
    #[must_use]
    pub const fn exact(values: [f64; 4]) -> Self {
        Self::new(values, [true; 4])
    }

    /// The value of one of them.
    #[must_use]
    pub const fn get(&self, which: Percentile) -> f64 {
        self.values[which.index()]
    }

    /// Whether that value was observed, rather than the middle of a bucket.
    #[must_use]
    pub const fn is_exact(&self, which: Percentile) -> bool {
        self.exact[which.index()]
    }
}

/// The numbers of one stream family for one window.
///
/// A count has a sum and its number of increments; a sample has last, min, max and mean besides; a measure also has
/// percentiles, unless they are turned off for it.
///
/// ```
/// use metric_model::Stats;
///
/// let clicks = Stats::count(3, 5.0);
/// assert_eq!((clicks.observations(), clicks.sum(), clicks.min()), (3, 5.0, None));
/// let sizes = Stats::sample(2, 30.0, 10.0, 20.0, 20.0);
/// assert_eq!((sizes.mean(), sizes.last()), (Some(15.0), Some(20.0)));
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Stats {
    observations: u64,
    sum: f64,
    range: Option<Range>,
    percentiles: Option<Percentiles>,
    summed: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
struct Range {
    min: f64,
    max: f64,
    last: f64,
}

impl Stats {
    /// Of a count: the number of increments and their total.
    #[must_use]
    pub const fn count(observations: u64, sum: f64) -> Self {
        Self { observations, sum, range: None, percentiles: None, summed: false }
    }

    /// Of a sample.
    #[must_use]
    pub const fn sample(observations: u64, sum: f64, min: f64, max: f64, last: f64) -> Self {
        Self { observations, sum, range: Some(Range { min, max, last }), percentiles: None, summed: false }
    }

    /// The same with percentiles.
    ///
    /// ```
    /// use metric_model::{Percentile, Percentiles, Stats};
    /// let one = Stats::sample(1, 2.0, 2.0, 2.0, 2.0).with_percentiles(Percentiles::exact([2.0; 4]));
    /// assert_eq!(one.percentiles().map(|p| p.get(Percentile::P99)), Some(2.0));
    /// ```
    #[must_use]
    pub const fn with_percentiles(self, percentiles: Percentiles) -> Self {
        Self { percentiles: Some(percentiles), ..self }
    }

    /// The same, marked: some values came in as a [`Summary`](crate::Summary), so that there are no percentiles.
    ///
    /// ```
    /// let of_others = metric_model::Stats::sample(9, 90.0, 2.0, 30.0, 8.0).with_summaries();
    /// assert!(of_others.is_summed() && of_others.percentiles().is_none());
    /// ```
    #[must_use]
    pub const fn with_summaries(self) -> Self {
        Self { percentiles: None, summed: true, ..self }
    }

    /// Whether percentiles are missing because a [`Summary`](crate::Summary) is part of the window.
    #[must_use]
    pub const fn is_summed(&self) -> bool {
        self.summed
    }

    /// How many observations the window holds.
    #[must_use]
    pub const fn observations(&self) -> u64 {
        self.observations
    }

    /// Their sum.
    #[must_use]
    pub const fn sum(&self) -> f64 {
        self.sum
    }

    /// The smallest value; `None` for a count.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        self.range.map(|range| range.min)
    }

    /// The largest value; `None` for a count.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        self.range.map(|range| range.max)
    }

    /// Sum over number; `None` for a count or without values.
    ///
    /// ```
    /// assert_eq!(metric_model::Stats::sample(2, 3.0, 1.0, 2.0, 2.0).mean(), Some(1.5));
    /// ```
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.range.is_some() && self.observations > 0).then(|| self.sum / self.observations as f64)
    }

    /// The latest value by event time, then by position in the input; `None` for a count.
    #[must_use]
    pub fn last(&self) -> Option<f64> {
        self.range.map(|range| range.last)
    }

    /// The percentiles of a measure.
    #[must_use]
    pub const fn percentiles(&self) -> Option<&Percentiles> {
        self.percentiles.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_ceilings() {
        for n in 1..3_000_u64 {
            for which in Percentile::ALL {
                let exact = (u128::from(n) * u128::from(which.per_mille())).div_ceil(1000) as u64;
                assert_eq!(which.rank(n), exact);
            }
        }
        assert_eq!(Percentile::P999.rank(u64::MAX), 18_428_297_329_635_842_064);
        assert_eq!(Percentile::P50.rank(0), 0);
    }
}
