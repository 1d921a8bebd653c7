//! What a row holds without what it is of, in as few bytes as that takes.
//!
//! ```text
//! state = shape count sum                             ; of a count
//!       / shape count min max last time sum [sketch]  ; the sketch takes what is left
//! ```

use super::RowMergeError;
use super::state::Held;
use crate::codec::{Reader, Writer, whole_sum};
use crate::config::Precision;
use crate::gauge::{Gauge, Term, Total};
use crate::sketch::minute::MinuteSketch;
use crate::sketch::own::Packs;
use crate::sketch::{Persist, Sketch};
use crate::stream_key::Form;
use crate::sum::Sum;
use core::fmt;
use metric_model::{Kind, Stats, Timestamp};

/// What a row holds, apart from what it is of: for a store that keeps names, tags and windows once for many rows, and adds
/// rows up by the thousand.
///
/// Equal values of one instant have no order here: of those the greater one is the last.
///
/// ```
/// use core::convert::Infallible;
/// use metric_model::{Observation, Percentile, TagSet, Timestamp, Value};
/// use minute_aggregator::{Aggregator, AggregatorConfig, EachRow, Row, RowState};
///
/// let none = TagSet::new();
/// let mut engine = Aggregator::new(AggregatorConfig::new())?;
/// for (second, took) in [(3, 120.0), (9, 80.0), (61, 250.0)] {
///     let _ = engine.observe(&Observation::measure("query", Value::plain(took), &none, Timestamp::from_unix_seconds(second)));
/// }
/// let mut kept: Vec<(Timestamp, Vec<u8>)> = Vec::new();
/// engine.finish(&mut EachRow(|row: &Row<'_>| {
///     let (start, mut bytes) = (row.window().start(), Vec::new());
///     row.to_state().pack(start, &mut bytes);
///     Ok::<(), Infallible>(kept.push((start, bytes)))
/// }))?;
///
/// let mut all: Option<RowState> = None;
/// for (start, bytes) in &kept {
///     RowState::add_packed(&mut all, *start, bytes, true).unwrap();
/// }
/// let stats = all.unwrap().stats();
/// assert_eq!((stats.observations(), stats.sum(), stats.last()), (3, 450.0, Some(250.0)));
/// assert_eq!(stats.percentiles().unwrap().get(Percentile::P50), 120.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct RowState<S = MinuteSketch> {
    kind: Kind,
    form: Form,
    held: Held<S>,
}

/// What a state is of, by its first byte: kind, form, and whether others had summed a part of it.
const SHAPES: [(Kind, Form, bool); 7] = [
    (Kind::Count, Form::Total, false),
    (Kind::Sample, Form::Gauge, false),
    (Kind::Measure, Form::Gauge, false),
    (Kind::Measure, Form::Distribution(Precision::TwoDigits), false),
    (Kind::Measure, Form::Distribution(Precision::ThreeDigits), false),
    (Kind::Measure, Form::Distribution(Precision::TwoDigits), true),
    (Kind::Measure, Form::Distribution(Precision::ThreeDigits), true),
];

/// Counts that are added up before they are a state: most are small and whole, and adding those takes a part of the time.
///
/// ```
/// use core::convert::Infallible;
/// use metric_model::{Observation, TagSet, Timestamp, Value};
/// use minute_aggregator::{Aggregator, AggregatorConfig, RowCounts, EachRow, Row, RowState};
///
/// let none = TagSet::new();
/// let mut engine = Aggregator::new(AggregatorConfig::new())?;
/// for second in [3, 61, 62] {
///     let _ = engine.observe(&Observation::count("orders", Value::plain(2.0), &none, Timestamp::from_unix_seconds(second)));
/// }
/// let (mut sum, mut all) = (RowCounts::default(), None);
/// engine.finish(&mut EachRow(|row: &Row<'_>| {
///     let mut bytes = Vec::new();
///     row.to_state().pack(row.window().start(), &mut bytes);
///     assert!(sum.add_packed(&bytes));
///     Ok::<(), Infallible>(())
/// }))?;
/// sum.add_to(&mut all);
/// let all: RowState = all.unwrap();
/// assert_eq!(all.count_and_sum(), (3, 6.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RowCounts {
    count: u64,
    whole: i64,
}

impl RowCounts {
    /// Adds what [`RowState::pack`] wrote of a count; `false`, and nothing is changed, when it is of anything else, or not
    /// small and whole: [`RowState::add_packed`] takes it then. The bytes are as they must be there.
    #[inline]
    #[must_use]
    pub fn add_packed(&mut self, bytes: &[u8]) -> bool {
        let two = |low: u8, high: u8| u64::from(low & 0x7F) | u64::from(high) << 7;
        // The first shape, a count and a sum: each one byte, or two.
        let (count, sum) = match *bytes {
            [0, count @ ..0x80, sum @ ..0x80] => (u64::from(count), u64::from(sum)),
            [0, count @ ..0x80, low @ 0x80..=0xFF, high @ 1..0x80] => (u64::from(count), two(low, high)),
            [0, low @ 0x80..=0xFF, high @ 1..0x80, sum @ ..0x80] => (two(low, high), u64::from(sum)),
            [0, a @ 0x80..=0xFF, b @ 1..0x80, low @ 0x80..=0xFF, high @ 1..0x80] => (two(a, b), two(low, high)),
            _ => return false,
        };
        let Some(units) = whole_sum(sum) else { return false };
        // Two bytes at a time it takes more than there is in a life until these are full.
        self.count = self.count.wrapping_add(count);
        self.whole = self.whole.wrapping_add(units);
        true
    }

    /// Adds what came together to a state of counts, or makes it one; begins again from nothing. A state of another kind is left
    /// as it is.
    pub fn add_to<S>(&mut self, into: &mut Option<RowState<S>>) {
        let Self { count, whole } = core::mem::take(self);
        if count == 0 && whole == 0 {
            return;
        }
        let total = Total { count, sum: Sum::from_units(whole, 1) };
        match into {
            Some(RowState { held: Held::Total(ours), .. }) => ours.merge(&total),
            Some(_) => {}
            None => *into = Some(RowState { kind: Kind::Count, form: Form::Total, held: Held::Total(total) }),
        }
    }
}

impl<S> RowState<S> {
    pub(super) const fn new(kind: Kind, form: Form, held: Held<S>) -> Self {
        Self { kind, form, held }
    }

    /// The kind of its observations.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// When the last value was seen; `None` for a count.
    #[must_use]
    pub fn last_time(&self) -> Option<Timestamp> {
        self.held.gauge().map(|gauge| Timestamp::from_unix_micros(gauge.last.time))
    }

    /// The sketch, which answers any percentile; `None` when there are none.
    #[must_use]
    pub const fn sketch(&self) -> Option<&S> {
        match &self.held {
            Held::Distribution(_, sketch) => Some(sketch),
            Held::Total(_) | Held::Gauge(_) | Held::Summed(_) => None,
        }
    }
}

impl<S: Sketch> RowState<S> {
    /// The numbers that it answers.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.held.stats()
    }

    /// How many values there are, and their sum, without looking at the rest.
    #[must_use]
    pub fn count_and_sum(&self) -> (u64, f64) {
        let total = self.total();
        (total.count, total.sum.value())
    }

    /// Bytes on the heap, besides the state itself.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.sketch().map_or(0, Sketch::heap_bytes)
    }

    fn total(&self) -> &Total {
        match &self.held {
            Held::Total(total) => total,
            Held::Gauge(gauge) | Held::Distribution(gauge, _) | Held::Summed(gauge) => &gauge.total,
        }
    }

    /// Adds another state of this kind: as [`RowBuf::merge`](super::RowBuf::merge), and when one has percentiles and the other
    /// none, neither has the result.
    ///
    /// # Errors
    /// [`RowMergeError::Kind`]; nothing is changed then.
    pub fn merge(&mut self, other: &Self) -> Result<(), RowMergeError> {
        if self.kind != other.kind {
            return Err(RowMergeError::Kind);
        }
        self.become_alike(other.form, matches!(other.held, Held::Gauge(_)));
        match (&mut self.held, &other.held) {
            (Held::Gauge(ours), Held::Distribution(theirs, _) | Held::Summed(theirs)) => ours.merge(theirs),
            (ours, theirs) => ours.merge(theirs),
        }
        Ok(())
    }

    /// Gives up what the other has not.
    #[inline]
    fn become_alike(&mut self, form: Form, is_gauge: bool) {
        if let (Some(ours), Some(theirs)) = (self.form.precision(), form.precision()) {
            self.form = Form::Distribution(ours.min(theirs));
        }
        if is_gauge && let Held::Distribution(gauge, _) | Held::Summed(gauge) = &self.held {
            (self.form, self.held) = (Form::Gauge, Held::Gauge(*gauge));
        }
    }
}

impl<S: Persist> RowState<S> {
    /// Appends it as bytes; `start` is where its window begins, and must be said again when they are read.
    pub fn pack(&self, start: Timestamp, out: &mut Vec<u8>) {
        let mut content = Writer::default();
        let shape = (self.kind, self.form, matches!(self.held, Held::Summed(_)));
        content.byte(SHAPES.iter().position(|known| *known == shape).unwrap_or(SHAPES.len()) as u8);
        match &self.held {
            Held::Total(total) => {
                content.number(total.count);
                content.sum(total.sum, None);
            }
            Held::Gauge(gauge) | Held::Summed(gauge) => write(gauge, start, &mut content),
            Held::Distribution(gauge, sketch) => {
                write(gauge, start, &mut content);
                let mut bytes = Vec::new();
                sketch.pack(&mut bytes);
                content.raw(&bytes);
            }
        }
        out.append(&mut content.into_bytes());
    }

    /// Adds what [`pack`](Self::pack) wrote to what there is, if anything, without making a state of it first. Without
    /// `with_sketch` percentiles are left where they are, and neither kept nor answered.
    ///
    /// The store must have checked that the bytes are what was written, as by a checksum. Any others are safe to offer, and
    /// give nonsense or `None`.
    ///
    /// # Errors
    /// `None` when they are no state, or one of another kind. What was there may hold a part of it then.
    #[must_use]
    pub fn add_packed(into: &mut Option<Self>, start: Timestamp, bytes: &[u8], with_sketch: bool) -> Option<()> {
        let mut input = Reader::new(bytes, 0);
        let (kind, form, is_summed) = *SHAPES.get(usize::from(input.byte()?))?;
        if form == Form::Total {
            let total = Total { count: input.number()?, sum: input.any_sum(None)? };
            match into {
                Some(Self { held: Held::Total(ours), .. }) => ours.merge(&total),
                Some(_) => return None,
                None => *into = Some(Self { kind, form, held: Held::Total(total) }),
            }
            return Some(());
        }
        let gauge = read(start, &mut input)?;
        let is_gauge = form == Form::Gauge || !with_sketch;
        let Some(into) = into else {
            let held = match form {
                Form::Distribution(_) if !is_gauge && is_summed => Held::Summed(gauge),
                Form::Distribution(precision) if !is_gauge => {
                    // As the next ones are: to look whether all of it can be costs more than to add it.
                    let mut sketch = S::with_precision(precision);
                    sketch.add_packed(input.rest())?;
                    Held::Distribution(gauge, sketch)
                }
                Form::Total | Form::Gauge | Form::Distribution(_) => Held::Gauge(gauge),
            };
            let form = if is_gauge { Form::Gauge } else { form };
            *into = Some(Self { kind, form, held });
            return Some(());
        };
        if into.kind != kind {
            return None;
        }
        // Most are.
        let is_alike =
            if is_gauge { matches!(into.held, Held::Gauge(_)) } else { into.form.precision() == form.precision() };
        if !is_alike {
            into.become_alike(form, is_gauge);
        }
        match &mut into.held {
            Held::Total(_) => return None,
            Held::Gauge(ours) | Held::Summed(ours) | Held::Distribution(ours, _) => ours.merge(&gauge),
        }
        if let Held::Distribution(ours, sketch) = &mut into.held {
            if is_summed {
                into.held = Held::Summed(*ours);
            } else {
                sketch.add_packed(input.rest())?;
            }
        }
        Some(())
    }
}

fn write(gauge: &Gauge, start: Timestamp, out: &mut Writer) {
    let Gauge { total: Total { sum, count }, min, max, last } = *gauge;
    out.number(count);
    out.short(min, &[]);
    out.short(max, &[min]);
    out.short(last.value, &[min, max]);
    out.signed(last.time.wrapping_sub(start.unix_micros()));
    out.sum(sum, (count == 1).then_some(min));
}

#[inline]
fn read(start: Timestamp, input: &mut Reader<'_>) -> Option<Gauge> {
    let count = input.number()?;
    let min = input.any_short(&[])?;
    let max = input.any_short(&[min])?;
    let value = input.any_short(&[min, max])?;
    let time = start.unix_micros().wrapping_add(input.signed()?);
    let sum = input.any_sum((count == 1).then_some(min))?;
    Some(Gauge { total: Total { sum, count }, min, max, last: Term { value, time, position: 0 } })
}

impl<S> fmt::Debug for RowState<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowState")
            .field("kind", &self.kind)
            .field("last_time", &self.last_time())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_come_to_the_same_whichever_way_they_are_added(
            rows in prop::collection::vec((1..40_000_u64, prop_oneof![(-5_000..5_000_i32).prop_map(f64::from), any::<f32>().prop_map(f64::from)]), 0..50),
        ) {
            let (mut sum, mut ours, mut theirs) = (RowCounts::default(), None::<RowState>, None::<RowState>);
            let start = Timestamp::from_unix_seconds(0);
            for (count, value) in rows.iter().filter(|(_, value)| value.is_finite()) {
                let total = Total { count: *count, sum: Sum::of(*value) };
                let state = RowState::<MinuteSketch>::new(Kind::Count, Form::Total, Held::Total(total));
                let mut bytes = Vec::new();
                state.pack(start, &mut bytes);
                prop_assert_eq!(RowState::add_packed(&mut theirs, start, &bytes, false), Some(()));
                for cut in 0..bytes.len() {
                    prop_assert!(!RowCounts::default().add_packed(&bytes[..cut]));
                }
                if !sum.add_packed(&bytes) {
                    prop_assert_eq!(RowState::add_packed(&mut ours, start, &bytes, false), Some(()));
                }
            }
            sum.add_to(&mut ours);
            prop_assert_eq!(ours, theirs);
            prop_assert_eq!(sum, RowCounts::default());
        }
    }

    #[test]
    fn a_count_sum_takes_nothing_but_counts() {
        for bytes in
            [&[][..], &[0], &[0, 1], &[1, 1, 8], &[0, 1, 9], &[0, 1, 8, 0], &[0, 0x80, 8], &[0, 1, 0x80, 0x80, 1]]
        {
            assert!(!RowCounts::default().add_packed(bytes), "{bytes:?}");
        }
        let mut sum = RowCounts::default();
        assert!(sum.add_packed(&[0, 1, 16]) && sum.add_packed(&[0, 0x81, 1, 8]));
        assert_eq!(sum, RowCounts { count: 130, whole: 0 });
    }
}
