mod bytes;

use crate::config::Precision;
use crate::sketch::Sketch;
use crate::sketch::counters::Counters;
use core::fmt;
use metric_model::{Percentile, Percentiles};

/// The default sketch: observed values while they are few, counters on the boundaries of an HDR histogram beyond.
///
/// * Up to [`EXACT`](Self::EXACT) values every answer is an observed value. A few of them stand in the sketch itself
///   (64 bytes), more in a list.
/// * Beyond, values are counted in buckets. Each answer is the middle of its bucket and within the
///   [`Precision`]'s bound of the value at that rank, for the whole range of a double; small whole numbers
///   (below 256; 2,048 with three digits), the least and the greatest value stay exact.
///
/// Which of the two answers depends on the number of values alone, so that neither the order of values nor the way in
/// which parts were merged shows. It does not fail: counters widen before they overflow.
///
/// ```
/// use metric_model::Percentile;
/// use minute_aggregator::{MinuteSketch, Sketch};
///
/// let mut sketch = MinuteSketch::new();
/// for value in 1..=1_000 {
///     sketch.record(f64::from(value));
/// }
/// let p999 = sketch.percentiles().unwrap().get(Percentile::P999);
/// assert!((p999 - 999.0).abs() <= 999.0 * 0.005);
/// ```
#[derive(Clone)]
pub struct MinuteSketch {
    precision: Precision,
    form: Form,
}

/// Values that fit into the sketch itself: with tag, number and precision they fill 64 bytes.
const FEW: usize = 6;

#[derive(Clone)]
enum Form {
    Few { count: u8, values: [f64; FEW] },
    List(Vec<f64>),
    Counters(Box<Counters>),
}

impl MinuteSketch {
    /// The most values of which every answer is an observed one: 64.
    pub const EXACT: usize = 64;

    /// An empty sketch of two digits.
    #[must_use]
    pub const fn new() -> Self {
        Self { precision: Precision::TwoDigits, form: Form::Few { count: 0, values: [0.0; FEW] } }
    }

    /// The precision that it answers with. A merge of two precisions has the coarser one.
    #[must_use]
    pub const fn precision(&self) -> Precision {
        self.precision
    }

    /// How many values it took.
    #[must_use]
    pub fn count(&self) -> u64 {
        match &self.form {
            Form::Few { count, .. } => u64::from(*count),
            Form::List(values) => values.len() as u64,
            Form::Counters(counters) => counters.count(),
        }
    }

    /// The least value.
    fn min(&self) -> Option<f64> {
        match self.values() {
            Some(values) => values.iter().copied().reduce(f64::min),
            None => self.counters().map(Counters::min),
        }
    }

    /// The greatest value.
    fn max(&self) -> Option<f64> {
        match self.values() {
            Some(values) => values.iter().copied().reduce(f64::max),
            None => self.counters().map(Counters::max),
        }
    }

    /// The value at a rank, counted from 1: the `rank`-th smallest, so that the first is the least value, and the one at
    /// [`count`](Self::count) the greatest. `None` when there is no such rank.
    ///
    /// ```
    /// use minute_aggregator::{MinuteSketch, Sketch};
    /// let mut sketch = MinuteSketch::new();
    /// [30.0, 10.0, 20.0].into_iter().for_each(|value| sketch.record(value));
    /// assert_eq!(sketch.at_rank(2), Some(20.0));
    /// assert_eq!((sketch.at_rank(0), sketch.at_rank(4)), (None, None));
    /// ```
    #[must_use]
    pub fn at_rank(&self, rank: u64) -> Option<f64> {
        if rank == 0 || rank > self.count() {
            return None;
        }
        let [(value, _)] = self.at_ranks([rank]);
        Some(value)
    }

    /// What it holds: values and how often each was counted, ascending. Beyond [`EXACT`](Self::EXACT) values, each is
    /// the middle of a bucket. For exporters and other histograms: an HDR histogram of the same digits, with each value
    /// recorded as often as it says here, has the same buckets.
    ///
    /// ```
    /// use minute_aggregator::{MinuteSketch, Sketch};
    /// let mut sketch = MinuteSketch::new();
    /// [3.0, 1.0, 3.0].into_iter().for_each(|value| sketch.record(value));
    /// assert_eq!(sketch.counts(), [(1.0, 1), (3.0, 2)]);
    /// ```
    #[must_use]
    pub fn counts(&self) -> Vec<(f64, u64)> {
        match &self.form {
            Form::Counters(counters) => counters.counts(),
            Form::Few { .. } | Form::List(_) => {
                let sorted = self.sorted_values();
                let runs = sorted.chunk_by(|a, b| a == b);
                runs.filter_map(|run| Some((*run.first()?, run.len() as u64))).collect()
            }
        }
    }

    fn sorted_values(&self) -> Vec<f64> {
        let mut values = self.values().unwrap_or_default().to_vec();
        values.sort_unstable_by(f64::total_cmp);
        values
    }

    /// Ranks within 1..=count, ascending.
    fn at_ranks<const N: usize>(&self, ranks: [u64; N]) -> [(f64, bool); N] {
        match &self.form {
            Form::Counters(counters) => counters.at_ranks(ranks),
            Form::Few { .. } | Form::List(_) => ranks_of(self.values().unwrap_or_default(), ranks).map(|at| (at, true)),
        }
    }

    /// What [`percentiles`](Sketch::percentiles) of a sketch of these values answers, when they are at most
    /// [`EXACT`](Self::EXACT).
    pub(super) fn percentiles_of(values: &[f64]) -> Option<Percentiles> {
        let count = values.len() as u64;
        (count > 0).then(|| Percentiles::exact(ranks_of(values, Percentile::ALL.map(|which| which.rank(count)))))
    }

    /// The observed values, while they are kept.
    pub(super) fn values(&self) -> Option<&[f64]> {
        match &self.form {
            Form::Few { count, values } => values.get(..usize::from(*count)),
            Form::List(values) => Some(values),
            Form::Counters(_) => None,
        }
    }

    fn counters(&self) -> Option<&Counters> {
        match &self.form {
            Form::Counters(counters) => Some(counters),
            Form::Few { .. } | Form::List(_) => None,
        }
    }
}

/// The values at some ranks of at most [`MinuteSketch::EXACT`] values.
fn ranks_of<const N: usize>(values: &[f64], ranks: [u64; N]) -> [f64; N] {
    let (mut few, mut many);
    let sorted = if values.len() <= FEW {
        few = [0.0; FEW];
        let filled = &mut few[..values.len()];
        filled.copy_from_slice(values);
        // So few that nothing is shorter than sorting by insertion.
        for end in 1..filled.len() {
            let mut at = end;
            while at > 0 && filled[at - 1] > filled[at] {
                filled.swap(at - 1, at);
                at -= 1;
            }
        }
        filled
    } else {
        many = [0.0; MinuteSketch::EXACT];
        let filled = &mut many[..values.len().min(MinuteSketch::EXACT)];
        filled.iter_mut().zip(values).for_each(|(place, value)| *place = *value);
        filled.sort_unstable_by(f64::total_cmp);
        filled
    };
    ranks.map(|rank| sorted.get((rank as usize).wrapping_sub(1)).copied().unwrap_or_default())
}

/// The counted form of kept values.
#[cold]
fn counted(values: &[f64], precision: Precision) -> Box<Counters> {
    let mut counters = Box::new(Counters::new(precision));
    values.iter().for_each(|value| counters.record(*value));
    counters
}

impl MinuteSketch {
    /// Answers with a coarser precision from here on.
    fn coarsen(&mut self, precision: Precision) {
        self.precision = self.precision.min(precision);
        if let Form::Counters(counters) = &mut self.form {
            counters.coarsen(precision);
        }
    }

    /// Its counters, whatever it kept so far.
    fn counted(&mut self) -> Option<&mut Counters> {
        if let Some(values) = self.values() {
            self.form = Form::Counters(counted(values, self.precision));
        }
        match &mut self.form {
            Form::Counters(counters) => Some(counters),
            Form::Few { .. } | Form::List(_) => None,
        }
    }

    /// Keeps one more value as it is, as long as there are few.
    #[inline(never)]
    fn keep(&mut self, value: f64) {
        self.form = match &mut self.form {
            Form::Counters(counters) => return counters.record(value),
            Form::Few { count, values } => match values.get_mut(usize::from(*count)) {
                Some(free) => {
                    *free = value;
                    *count += 1;
                    return;
                }
                None => {
                    let mut list = Vec::with_capacity(2 * FEW);
                    list.extend_from_slice(values);
                    list.push(value);
                    Form::List(list)
                }
            },
            Form::List(list) if list.len() < Self::EXACT => {
                if list.len() == list.capacity() {
                    list.reserve_exact(list.len().min(Self::EXACT - list.len()));
                }
                return list.push(value);
            }
            Form::List(list) => {
                let mut counters = counted(list, self.precision);
                counters.record(value);
                Form::Counters(counters)
            }
        };
    }
}

impl Sketch for MinuteSketch {
    /// A value that is not finite is left out.
    #[inline(always)]
    fn record(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let value = value + 0.0; // -0 + 0 is 0
        match &mut self.form {
            Form::Counters(counters) => counters.record(value),
            Form::Few { .. } | Form::List(_) => self.keep(value),
        }
    }

    fn merge(&mut self, other: &Self) {
        self.precision = self.precision.min(other.precision);
        if let (Some(_), Some(more)) = (self.values(), other.values())
            && self.count() + more.len() as u64 <= Self::EXACT as u64
        {
            return more.iter().for_each(|value| self.record(*value));
        }
        let empty = Form::Few { count: 0, values: [0.0; FEW] };
        let mut counters = match std::mem::replace(&mut self.form, empty) {
            Form::Counters(counters) => counters,
            Form::Few { count, values } => {
                counted(values.get(..usize::from(count)).unwrap_or_default(), self.precision)
            }
            Form::List(values) => counted(&values, self.precision),
        };
        match &other.form {
            Form::Counters(more) => counters.merge(more),
            Form::Few { .. } | Form::List(_) => {
                counters.coarsen(other.precision);
                other.values().unwrap_or_default().iter().for_each(|value| counters.record(*value));
            }
        }
        self.form = Form::Counters(counters);
    }

    fn percentiles(&self) -> Option<Percentiles> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let found = self.at_ranks(Percentile::ALL.map(|which| which.rank(count)));
        Some(Percentiles::new(found.map(|(value, _)| value), found.map(|(_, exact)| exact)))
    }

    fn with_precision(precision: Precision) -> Self {
        Self { precision, ..Self::new() }
    }

    fn heap_bytes(&self) -> usize {
        match &self.form {
            Form::Few { .. } => 0,
            Form::List(values) => values.capacity() * size_of::<f64>(),
            Form::Counters(counters) => size_of::<Counters>() + counters.heap_bytes(),
        }
    }

    /// When the list turns into counters, each of its values may need a block.
    fn max_growth() -> usize {
        size_of::<Counters>() + Counters::max_heap_bytes(Self::EXACT + 1)
    }
}

impl Default for MinuteSketch {
    fn default() -> Self {
        Self::new()
    }
}

/// Two sketches are equal when they hold the same: values in any order, or counts.
impl PartialEq for MinuteSketch {
    fn eq(&self, other: &Self) -> bool {
        if self.precision != other.precision {
            return false;
        }
        match (&self.form, &other.form) {
            (Form::Counters(a), Form::Counters(b)) => a == b,
            (Form::Counters(_), _) | (_, Form::Counters(_)) => false,
            _ => self.sorted_values() == other.sorted_values(),
        }
    }
}

impl fmt::Debug for MinuteSketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MinuteSketch")
            .field("precision", &self.precision)
            .field("count", &self.count())
            .field("min", &self.min())
            .field("max", &self.max())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sketch::Persist;
    use proptest::prelude::*;

    fn of(values: &[f64], precision: Precision) -> MinuteSketch {
        let mut sketch = MinuteSketch::with_precision(precision);
        values.iter().for_each(|value| sketch.record(*value));
        sketch
    }

    #[test]
    fn it_stands_in_one_cache_line() {
        assert_eq!(size_of::<MinuteSketch>(), 64);
    }

    #[test]
    fn memory_grows_with_the_values() {
        let spread = |count: u32| (0..count).map(|n| 5.0 + f64::from(n % 977) * 1.37).collect::<Vec<_>>();
        for (count, most) in [(6, 0), (7, 96), (10, 96), (24, 192), (64, 512), (100, 1_536), (10_000, 4_032)] {
            let sketch = of(&spread(count), Precision::TwoDigits);
            assert!(sketch.heap_bytes() <= most, "{count}: {}", sketch.heap_bytes());
        }
    }

    #[test]
    fn the_65th_value_makes_it_count() {
        let values: Vec<f64> = (0..64).map(|n| f64::from(n) + 0.123_456).collect();
        let mut sketch = of(&values, Precision::TwoDigits);
        let exact = sketch.percentiles().unwrap();
        for which in Percentile::ALL {
            assert!(exact.is_exact(which));
            assert_eq!(exact.get(which), values[which.rank(64) as usize - 1]);
        }
        sketch.record(64.123_456);
        let counted = sketch.percentiles().unwrap();
        assert!(!counted.is_exact(Percentile::P50));
        assert!(counted.is_exact(Percentile::P999), "rank 65 of 65 is the maximum");
        assert_eq!(counted.get(Percentile::P999), 64.123_456);
    }

    #[test]
    fn odd_values() {
        let mut sketch = MinuteSketch::new();
        sketch.record(f64::NAN);
        sketch.record(f64::INFINITY);
        assert_eq!((sketch.count(), sketch.min(), sketch.percentiles()), (0, None, None));
        sketch.record(-0.0);
        assert_eq!(sketch.min().map(f64::to_bits), Some(0));
        let constant = of(&[1e-300; 1_000], Precision::TwoDigits).percentiles().unwrap();
        assert_eq!(constant.get(Percentile::P50), 1e-300, "the middle of the bucket is clamped to what was seen");
    }

    /// What another than `encode` could have written.
    #[test]
    fn one_content_has_one_spelling() {
        let list = |values: &[f64]| {
            let head = [0, 0].into_iter();
            head.chain(values.iter().flat_map(|value| value.to_bits().to_le_bytes())).collect::<Vec<u8>>()
        };
        assert!(MinuteSketch::decode(&list(&[-1.0, 0.0, 0.0, 2.5])).is_some());
        assert_eq!(MinuteSketch::decode(&list(&[2.5, -1.0])), None, "out of order");
        assert_eq!(MinuteSketch::decode(&list(&[-0.0])), None, "a zero that is never written");
        assert_eq!(MinuteSketch::decode(&list(&[1.0; 64])).map(|sketch| sketch.count()), Some(64));
        assert_eq!(MinuteSketch::decode(&list(&[1.0; 65])), None, "so many are counted");

        // 100 times 7: least and greatest, one block of number 0, in it one counter, at 7, of 100.
        let counted =
            |min: f64, max: f64, blocks: &[u8]| [&[0, 1][..], &min.to_le_bytes(), &max.to_le_bytes(), blocks].concat();
        let seven = MinuteSketch::decode(&counted(7.0, 7.0, &[1, 0, 1, 7, 100]));
        assert_eq!(seven, Some(of(&[7.0; 100], Precision::TwoDigits)));
        for (min, max) in [(6.0, 7.0), (7.0, 8.0), (8.0, 9.0), (-0.0, 7.0)] {
            assert_eq!(
                MinuteSketch::decode(&counted(min, max, &[1, 0, 1, 7, 100])),
                None,
                "{min} to {max} is elsewhere"
            );
        }
        assert_eq!(
            MinuteSketch::decode(&counted(0.0, 0.0, &[1, 0, 1, 0, 100])),
            Some(of(&[0.0; 100], Precision::TwoDigits))
        );
        assert_eq!(MinuteSketch::decode(&counted(-0.0, 0.0, &[1, 0, 1, 0, 100])), None, "a zero that is never written");
        assert_eq!(MinuteSketch::decode(&counted(7.0, 7.0, &[2, 0, 1, 7, 100, 1, 0])), None, "a block of nothing");
        // 2^28, which as the number of a bucket would be shifted out of its word: found by fuzzing.
        let high = [1, 0x80, 0x80, 0x80, 0x80, 1, 1, 7, 100];
        assert_eq!(MinuteSketch::decode(&counted(7.0, 7.0, &high)), None, "a block that no bucket is of");
        let most = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1];
        let two = [&[1, 0, 2, 7][..], &most, &[0], &most].concat();
        assert_eq!(MinuteSketch::decode(&counted(7.0, 8.0, &two)), None, "more values than can be counted");
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<f64>().prop_filter("finite", |v| v.is_finite()),
            -500.0..500.0_f64,
            (-300..3_000_i32).prop_map(f64::from),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn bytes_come_back_and_damage_is_not_a_panic(
            values in prop::collection::vec(value(), 0..200),
            at in 0usize..2_000,
            to: u8,
        ) {
            for precision in [Precision::TwoDigits, Precision::ThreeDigits] {
                let sketch = of(&values, precision);
                let mut bytes = Vec::new();
                sketch.encode(&mut bytes);
                prop_assert_eq!(MinuteSketch::decode(&bytes), Some(sketch.clone()));
                let counted: u64 = sketch.counts().iter().map(|(_, count)| count).sum();
                prop_assert_eq!(counted, values.len() as u64);
                let place = at % bytes.len();
                bytes[place] = to;
                if let Some(other) = MinuteSketch::decode(&bytes) {
                    prop_assert!(other.percentiles().is_none_or(|found| found.get(Percentile::P50).is_finite()));
                }
            }
        }

        #[test]
        fn parts_merge_in_any_order_to_the_whole(
            values in prop::collection::vec(value(), 0..300),
            cuts in prop::collection::vec(0usize..300, 0..5),
            turn in 0usize..6,
        ) {
            let whole = of(&values, Precision::TwoDigits);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(values.len())).collect();
            cuts.extend([0, values.len()]);
            cuts.sort_unstable();
            let mut parts: Vec<_> =
                cuts.windows(2).map(|cut| of(&values[cut[0]..cut[1]], Precision::TwoDigits)).collect();
            let by = turn % parts.len();
            parts.rotate_left(by);
            let mut merged = MinuteSketch::new();
            parts.iter().for_each(|part| merged.merge(part));
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(merged.percentiles(), whole.percentiles());
        }

        #[test]
        fn two_precisions_merge_to_the_coarser(
            fine in prop::collection::vec(value(), 0..150),
            coarse in prop::collection::vec(value(), 0..150),
        ) {
            let all: Vec<f64> = fine.iter().chain(&coarse).copied().collect();
            let expected = of(&all, Precision::TwoDigits);
            let (fine, coarse) = (of(&fine, Precision::ThreeDigits), of(&coarse, Precision::TwoDigits));
            let mut a = fine.clone();
            a.merge(&coarse);
            let mut b = coarse;
            b.merge(&fine);
            prop_assert_eq!(&a, &expected);
            prop_assert_eq!(&b, &expected);
        }

        #[test]
        fn every_rank_is_within_the_bound(mut values in prop::collection::vec(value(), 1..300)) {
            for precision in [Precision::TwoDigits, Precision::ThreeDigits] {
                let sketch = of(&values, precision);
                values.sort_unstable_by(f64::total_cmp);
                for (place, value) in values.iter().enumerate() {
                    let answer = sketch.at_rank(place as u64 + 1).unwrap();
                    if values.len() <= MinuteSketch::EXACT || place == 0 || place + 1 == values.len() {
                        prop_assert_eq!(answer, *value);
                    } else if *value == 0.0 || value.abs() >= f64::MIN_POSITIVE {
                        prop_assert!((answer - value).abs() <= value.abs() * precision.relative_error());
                    }
                }
            }
        }
    }
}
