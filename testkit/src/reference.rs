//! The slow, exact aggregator that the real one is judged by: plain maps, every value kept, everything recomputed.
//!
//! It follows the rules of windows, lateness, revision and quota as they are documented, by its own means: floats are
//! added up in another way, percentiles are read from sorted values, and nothing is batched, hashed or sketched. It
//! depends on no crate of the family; a test translates.
#![allow(clippy::exhaustive_structs, clippy::exhaustive_enums)]

use std::collections::{BTreeMap, BTreeSet};

/// What is done with a stream's values; sorted as in the output.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Added up.
    Count,
    /// Distributed.
    Measure,
    /// The last one stands.
    Sample,
}

/// Name, kind, unit, tags: in the order of the output.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key {
    /// The metric.
    pub name: String,
    /// The kind.
    pub kind: Kind,
    /// The unit, empty for none.
    pub unit: String,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

/// One observation.
#[derive(Clone, PartialEq, Debug)]
pub struct Seen {
    /// Its stream.
    pub key: Key,
    /// Its value.
    pub value: f64,
    /// Its time in microseconds since 1970.
    pub time: i64,
}

/// The rules; times in microseconds.
#[derive(Clone, PartialEq, Debug)]
pub struct Rules {
    /// The length of a window.
    pub window: i64,
    /// How long after its end it stays open.
    pub lateness: i64,
    /// How far ahead of the host's time a value may be.
    pub future: i64,
    /// How long after closing a window may still be revised.
    pub horizon: i64,
    /// Windows after which a stream that is not seen gives up its place.
    pub idle_after: i64,
    /// Measures that keep no percentiles.
    pub without_percentiles: BTreeSet<String>,
    /// The quota, if there is one.
    pub quota: Option<Quota>,
}

/// Most streams, and how they count.
#[derive(Clone, PartialEq, Debug)]
pub struct Quota {
    /// The most places.
    pub limit: u64,
    /// Whether a measure takes one place instead of five.
    pub tag_sets: bool,
    /// Prefixes of names that take no place.
    pub exempt: Vec<String>,
    /// The most overflow streams.
    pub overflow: usize,
}

/// What became of an observation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Counted in its stream.
    Accepted,
    /// Counted in its metric's overflow stream.
    Folded,
    /// Its window is gone; microseconds behind the watermark.
    Late(i64),
    /// Too far ahead; microseconds beyond the bound.
    Future(i64),
    /// Not counted.
    Refused(&'static str),
}

/// One point of output.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// The start of its window.
    pub window: i64,
    /// Its stream.
    pub key: Key,
    /// How often it was written before.
    pub revision: u32,
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Least, greatest and last value, but for counts.
    pub range: Option<[f64; 3]>,
    /// p50, p95, p99, p999 of a measure.
    pub percentiles: Option<[f64; 4]>,
}

#[derive(Clone, Default, Debug)]
struct Held {
    /// How often each point was written.
    written: BTreeMap<Key, u32>,
    changed: BTreeSet<Key>,
    /// Value, time, position.
    streams: BTreeMap<Key, Vec<(f64, i64, u64)>>,
}

#[derive(Clone, Debug)]
struct Place {
    cost: u64,
    overflow: bool,
    last: i64,
}

/// The aggregator.
#[derive(Clone, Debug)]
pub struct Reference {
    rules: Rules,
    windows: BTreeMap<i64, Held>,
    places: BTreeMap<Key, Place>,
    now: Option<i64>,
    frontier: Option<i64>,
    closed_below: Option<i64>,
    gone_below: Option<i64>,
    position: u64,
}

impl Reference {
    /// An empty one.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            windows: BTreeMap::new(),
            places: BTreeMap::new(),
            now: None,
            frontier: None,
            closed_below: None,
            gone_below: None,
            position: 0,
        }
    }

    /// How many windows are held.
    pub fn windows(&self) -> usize {
        self.windows.len()
    }

    /// Places taken.
    pub fn used(&self) -> u64 {
        self.places.values().map(|place| place.cost).sum()
    }

    /// Takes one observation.
    pub fn observe(&mut self, seen: &Seen) -> Fate {
        let position = self.position;
        self.position += 1;
        if !seen.value.is_finite() {
            return Fate::Refused("not_finite");
        }
        if seen.key.kind == Kind::Count && seen.value < 0.0 {
            return Fate::Refused("negative_count");
        }
        if let Some(now) = self.now {
            let bound = now.saturating_add(self.rules.future);
            if seen.time > bound {
                return Fate::Future(seen.time - bound);
            }
        }
        let number = seen.time.div_euclid(self.rules.window);
        if self.gone_below.is_some_and(|gone| number < gone) {
            let watermark = self.closed_below.unwrap_or(number) * self.rules.window;
            return Fate::Late(watermark - seen.time);
        }
        self.move_frontier(number);
        let Some((key, folded)) = self.admit(&seen.key) else { return Fate::Refused("over_quota") };
        if let Some(place) = self.places.get_mut(&key) {
            place.last = place.last.max(number);
        }
        let value = if seen.value == 0.0 { 0.0 } else { seen.value };
        let held = self.windows.entry(number).or_default();
        held.changed.insert(key.clone());
        held.streams.entry(key).or_default().push((value, seen.time, position));
        if folded { Fate::Folded } else { Fate::Accepted }
    }

    fn move_frontier(&mut self, number: i64) {
        if self.frontier.is_some_and(|frontier| frontier >= number) {
            return;
        }
        self.frontier = Some(number);
        let idle_after = self.rules.idle_after;
        self.places.retain(|_, place| number.saturating_sub(place.last) <= idle_after);
    }

    /// The stream that an observation goes to, and whether that is the overflow stream; `None` if it gets neither.
    fn admit(&mut self, key: &Key) -> Option<(Key, bool)> {
        if self.places.contains_key(key) {
            return Some((key.clone(), false));
        }
        let cost = self.cost(key);
        let full = self.rules.quota.as_ref().is_some_and(|quota| cost > 0 && self.used() + cost > quota.limit);
        if !full {
            self.places.insert(key.clone(), Place { cost, overflow: false, last: i64::MIN });
            return Some((key.clone(), false));
        }
        let tags = BTreeMap::from([("overflow".to_string(), "true".to_string())]);
        let overflow = Key { tags, ..key.clone() };
        if !self.places.contains_key(&overflow) {
            let others = self.places.values().filter(|place| place.overflow).count();
            if others >= self.rules.quota.as_ref().map_or(0, |quota| quota.overflow) {
                return None;
            }
            self.places.insert(overflow.clone(), Place { cost: 0, overflow: true, last: i64::MIN });
        }
        Some((overflow, true))
    }

    fn cost(&self, key: &Key) -> u64 {
        match &self.rules.quota {
            None => 0,
            Some(quota) if quota.exempt.iter().any(|prefix| key.name.starts_with(prefix)) => 0,
            Some(quota) if quota.tag_sets || !self.has_percentiles(key) => 1,
            Some(_) => 5,
        }
    }

    fn has_percentiles(&self, key: &Key) -> bool {
        key.kind == Kind::Measure && !self.rules.without_percentiles.contains(&key.name)
    }

    /// Sets another quota from here on. Places that were given stay given, and count by the new rule.
    pub fn set_quota(&mut self, quota: Option<Quota>) {
        self.rules.quota = quota;
        let costs: Vec<u64> = self.places.keys().map(|key| self.cost(key)).collect();
        for (place, cost) in self.places.values_mut().zip(costs) {
            if !place.overflow {
                place.cost = cost;
            }
        }
    }

    /// Says what time it is; returns what is written.
    pub fn advance(&mut self, now: i64) -> Vec<Row> {
        self.now = self.now.max(Some(now));
        let watermark = now.saturating_sub(self.rules.lateness);
        let closed = watermark.div_euclid(self.rules.window);
        let gone = watermark.saturating_sub(self.rules.horizon).div_euclid(self.rules.window);
        self.closed_below = self.closed_below.max(Some(closed));
        self.gone_below = self.gone_below.max(Some(gone));
        self.move_frontier(closed.saturating_sub(1));
        self.write()
    }

    /// Closes everything; returns what is written.
    pub fn finish(&mut self) -> Vec<Row> {
        if let Some((last, _)) = self.windows.last_key_value() {
            self.closed_below = self.closed_below.max(Some(last + 1));
            self.gone_below = self.gone_below.max(Some(last + 1));
        }
        self.write()
    }

    /// Closes the oldest window, if there is one; returns what is written.
    pub fn close_oldest(&mut self) -> Vec<Row> {
        let Some((oldest, _)) = self.windows.first_key_value() else { return Vec::new() };
        self.closed_below = self.closed_below.max(Some(oldest + 1));
        self.gone_below = self.gone_below.max(Some(oldest + 1));
        self.write()
    }

    fn write(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        let closed = self.closed_below.unwrap_or(i64::MIN);
        for (number, held) in self.windows.range_mut(..closed) {
            for key in std::mem::take(&mut held.changed) {
                let percentiles = key.kind == Kind::Measure && !self.rules.without_percentiles.contains(&key.name);
                let written = held.written.entry(key.clone()).or_default();
                rows.push(row(number * self.rules.window, &key, *written, &held.streams[&key], percentiles));
                *written += 1;
            }
        }
        let gone = self.gone_below.unwrap_or(i64::MIN);
        self.windows.retain(|number, _| *number >= gone);
        rows
    }
}

fn row(window: i64, key: &Key, revision: u32, values: &[(f64, i64, u64)], percentiles: bool) -> Row {
    let last = values.iter().max_by_key(|(_, time, position)| (*time, *position)).map_or(0.0, |(value, ..)| *value);
    let values = values.iter().map(|(value, ..)| *value).collect();
    Row { revision, ..Row::of(window, key, values, last, percentiles) }
}

/// The most values of which a percentile is an observed one.
const OBSERVED: u64 = 64;

const MILLES: [u64; 4] = [500, 950, 990, 999];

impl Row {
    /// The first row of a window of a stream, of all its values in any order, one of which is the last.
    ///
    /// # Panics
    /// When there are no values.
    #[must_use]
    pub fn of(window: i64, key: &Key, mut values: Vec<f64>, last: f64, percentiles: bool) -> Self {
        values.sort_by(f64::total_cmp);
        let range = (key.kind != Kind::Count).then(|| [values[0], values[values.len() - 1], last]);
        let of_rank = |mille: u64| values[(values.len() * mille as usize).div_ceil(1000) - 1];
        let percentiles = percentiles.then(|| MILLES.map(of_rank));
        let (key, count) = (key.clone(), values.len() as u64);
        Self { window, key, revision: 0, count, sum: sum(&values), range, percentiles }
    }

    /// The same with the percentiles that a sketch of two digits answers by the documented rule: of up to 64 values the
    /// observed ones; of more the middles of their buckets, but for the least and the greatest value, and never beyond
    /// these.
    #[must_use]
    pub fn sketched(mut self) -> Self {
        let (Some([min, max, _]), Some(exact)) = (self.range, &mut self.percentiles) else { return self };
        for (value, mille) in exact.iter_mut().zip(MILLES) {
            let rank = (self.count * mille).div_ceil(1000);
            if self.count > OBSERVED && rank > 1 && rank < self.count {
                *value = bucket(*value).clamp(min, max);
            }
        }
        self
    }
}

/// The middle of the bucket that a value falls into: a whole number below 256 has one of its own, all else is cut into
/// 128 of one width in each octave.
fn bucket(value: f64) -> f64 {
    let size = value.abs();
    if size == 0.0 || !size.is_normal() || (size < 256.0 && size.fract() == 0.0) {
        return value;
    }
    let mut octave = 1.0_f64;
    while octave * 2.0 <= size {
        octave *= 2.0;
    }
    while octave > size {
        octave /= 2.0;
    }
    let width = octave / 128.0;
    (((size / width).floor() + 0.5) * width).copysign(value)
}

/// The sum by the documented rule: each value as a whole number of 1e-15, at most what an `i128` holds of them; added
/// up exactly; at most that again.
///
/// Wholes and fractions are added up apart, so that nothing can overflow on the way.
pub fn sum(values: &[f64]) -> f64 {
    const UNITS: i128 = 1_000_000_000_000_000;
    const LIMIT: i128 = i128::MAX / UNITS;
    let (mut wholes, mut fractions) = (0_i128, 0_i128);
    for value in values {
        if value.abs() >= LIMIT as f64 {
            // The limits are not symmetrical: i128::MIN is one unit further out.
            let units = if *value < 0.0 { i128::MIN } else { i128::MAX };
            wholes += units / UNITS;
            fractions += units % UNITS;
        } else {
            wholes += value.trunc() as i128;
            fractions += (value.fract() * 1e15).round_ties_even() as i128;
        }
    }
    let units = (wholes + fractions / UNITS).saturating_mul(UNITS).saturating_add(fractions % UNITS);
    (units / UNITS) as f64 + (units % UNITS) as f64 / 1e15
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            window: 60_000_000,
            lateness: 60_000_000,
            future: 300_000_000,
            horizon: 0,
            idle_after: 60,
            without_percentiles: BTreeSet::new(),
            quota: None,
        }
    }

    fn seen(value: f64, second: i64, tag: &str) -> Seen {
        let tags = BTreeMap::from([("tag".to_string(), tag.to_string())]);
        let key = Key { name: "metric".into(), kind: Kind::Measure, unit: String::new(), tags };
        Seen { key, value, time: second * 1_000_000 }
    }

    #[test]
    fn a_minute() {
        let mut reference = Reference::new(rules());
        for value in 1..=100 {
            assert_eq!(reference.observe(&seen(f64::from(value), 0, "a")), Fate::Accepted);
        }
        assert_eq!(reference.advance(119_000_000), []);
        let rows = reference.advance(120_000_000);
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].count, rows[0].sum, rows[0].range), (100, 5_050.0, Some([1.0, 100.0, 100.0])));
        assert_eq!(rows[0].percentiles, Some([50.0, 95.0, 99.0, 100.0]));
        assert_eq!(reference.observe(&seen(1.0, 59, "a")), Fate::Late(1_000_000));
        assert_eq!(reference.observe(&seen(1.0, 421, "a")), Fate::Future(1_000_000));
    }

    #[test]
    fn a_revision_has_only_what_changed() {
        let mut reference = Reference::new(Rules { horizon: 60_000_000, ..rules() });
        let _ = reference.observe(&seen(1.0, 0, "a"));
        let _ = reference.observe(&seen(1.0, 0, "b"));
        assert_eq!(reference.advance(120_000_000).len(), 2);
        assert_eq!(reference.observe(&seen(2.0, 0, "a")), Fate::Accepted);
        let rows = reference.advance(121_000_000);
        assert_eq!((rows.len(), rows[0].revision, rows[0].sum), (1, 1, 3.0));
        assert_eq!(reference.advance(180_000_000), []);
        assert_eq!(reference.observe(&seen(2.0, 0, "a")), Fate::Late(120_000_000));
    }

    #[test]
    fn a_quota_folds() {
        let quota = Quota { limit: 9, tag_sets: false, exempt: Vec::new(), overflow: 1 };
        let mut reference = Reference::new(Rules { quota: Some(quota), ..rules() });
        assert_eq!(reference.observe(&seen(1.0, 0, "a")), Fate::Accepted);
        assert_eq!(reference.observe(&seen(2.0, 0, "b")), Fate::Folded);
        assert_eq!(reference.observe(&seen(3.0, 0, "c")), Fate::Folded);
        let sums: Vec<f64> = reference.finish().iter().map(|row| row.sum).collect();
        assert_eq!(sums, [5.0, 1.0]);
    }

    #[test]
    fn many_values_answer_by_bucket() {
        assert_eq!([0.0, 255.0, -7.0].map(bucket), [0.0, 255.0, -7.0]);
        // 512 to 1024 in 128 buckets of 4, 1 to 2 in 128 of 1/128.
        assert_eq!([512.0, 515.9, 516.0, 1.5, -1.5].map(bucket), [514.0, 514.0, 518.0, 1.503_906_25, -1.503_906_25]);
        let key = seen(0.0, 0, "a").key;
        let of = |count: u32| Row::of(0, &key, (1..=count).map(|n| f64::from(n) * 100.0).collect(), 1.0, true);
        assert_eq!(of(64).sketched(), of(64));
        assert_eq!(of(65).percentiles, Some([3_300.0, 6_200.0, 6_500.0, 6_500.0]));
        assert_eq!(of(65).sketched().percentiles, Some([3_304.0, 6_192.0, 6_500.0, 6_500.0]));
    }

    #[test]
    fn sums() {
        assert_eq!(sum(&[0.1, 0.2]), 0.3);
        assert_eq!(sum(&[f64::MAX, f64::MAX]), i128::MAX as f64 / 1e15);
    }
}
