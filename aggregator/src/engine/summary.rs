//! What others have summed, as part of a stream.

use super::Aggregator;
use crate::gauge::{Gauge, Term, Total};
use crate::outcome::{Outcome, Refusal};
use crate::sketch::Sketch;
use crate::stream_key::Key;
use crate::sum::Sum;
use metric_model::{Kind, Summary};

impl<S: Sketch> Aggregator<S> {
    /// Takes what others have summed, or counts why not: number, sum, least, greatest and last of values that are not there
    /// themselves. Never fails.
    ///
    /// It enters the state of its stream and window as the values would have, but for the percentiles: a measure of which one
    /// part came like this has none in that window, whatever else is observed, and its points and rows say so
    /// ([`Stats::is_summed`](metric_model::Stats::is_summed)). The last value counts as seen at the summary's time. The sum is
    /// taken as it is given.
    ///
    /// In the books a summary is one observation, however many values it stands for; it is late, too far ahead, over the
    /// quota or refused as one. Refused besides: numbers that are not finite ([`Refusal::NotFinite`]), the sum of a count
    /// below zero ([`Refusal::NegativeCount`]), a summary of no values, without a range where it is no count, or whose last
    /// value is not between least and greatest ([`Refusal::BadSummary`]).
    ///
    /// ```
    /// use metric_model::{DataPointBuf, Kind, Observation, Stats, Summary, TagSet, Timestamp, Unit, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig, Outcome, Refusal};
    ///
    /// let none = TagSet::new();
    /// let time = Timestamp::from_unix_seconds(0);
    /// let of = |stats| Summary::new(Kind::Measure, "request", Unit::MILLISECONDS, &none, time, stats);
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// assert_eq!(engine.summary(&of(Stats::sample(12, 540.0, 20.0, 110.0, 31.0))), Outcome::Accepted);
    /// assert_eq!(engine.summary(&of(Stats::sample(0, 0.0, 0.0, 0.0, 0.0))), Outcome::Refused(Refusal::BadSummary));
    /// let _ = engine.observe(&Observation::measure("request", Value::new(200.0, Unit::MILLISECONDS), &none, time));
    ///
    /// let mut points: Vec<DataPointBuf> = Vec::new();
    /// engine.finish(&mut points)?;
    /// let stats = *points[0].as_point().stats();
    /// assert_eq!((stats.observations(), stats.sum(), stats.max()), (13, 740.0, Some(200.0)));
    /// assert!(stats.is_summed() && stats.percentiles().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn summary(&mut self, summary: &Summary<'_>) -> Outcome {
        let outcome = self.take_summary(summary).unwrap_or_else(|refused| refused);
        self.ledger.enter(outcome);
        outcome
    }

    fn take_summary(&mut self, summary: &Summary<'_>) -> Result<Outcome, Outcome> {
        let gauge = gauge_of(summary, self.ledger.observed()).map_err(Outcome::Refused)?;
        let time = summary.time();
        let number = self.come_to(time)?;
        let (name, kind, unit, tags) = (summary.name(), summary.kind(), summary.unit(), summary.tags());
        let key = Key { name, kind, unit, tags };
        let admitted = self.streams.resolve(&key, time, number, &self.config).map_err(Outcome::Refused)?;
        if Sum::is_clamped(summary.stats().sum()) {
            self.ledger.enter_clamped();
        }
        if self.closed_below.is_some_and(|closed| number < closed) {
            self.ledger.enter_revising();
        }
        self.open(number, time);
        let stream = admitted.stream;
        if let Some(window) = self.windows.get_mut(&number)
            && let Some((forms, spot)) = self.streams.spot(stream.row, window.serial())
        {
            self.streams.count(stream.row, stream.mask(), 1);
            let before = window.bytes();
            if let Some(arrival) = window.add_summary(stream, &forms, spot, &gauge)
                && arrival.columns != 0
            {
                self.streams.hold(stream.row, arrival.columns, number, arrival.new_cell(window.serial()));
            }
            self.window_bytes = (self.window_bytes + window.bytes()).saturating_sub(before);
        }
        // The windows have grown: less may be staged before that is looked at again.
        self.steady_from_here();
        Ok(if admitted.folded { Outcome::Folded } else { Outcome::Accepted })
    }
}

/// The state that a summary makes, when it is one that values have.
fn gauge_of(summary: &Summary<'_>, position: u64) -> Result<Gauge, Refusal> {
    let stats = summary.stats();
    // -0 counts as 0.
    let sum = stats.sum() + 0.0;
    let range = match (stats.min(), stats.max(), stats.last()) {
        (Some(min), Some(max), Some(last)) => Some([min, max, last].map(|value| value + 0.0)),
        _ => None,
    };
    if !sum.is_finite() || range.is_some_and(|range| range.iter().any(|value| !value.is_finite())) {
        return Err(Refusal::NotFinite);
    }
    // Of a count nothing but number and sum is kept.
    let [min, max, last] = match (summary.kind(), range) {
        (Kind::Count, _) if sum < 0.0 => return Err(Refusal::NegativeCount),
        (Kind::Count, _) => [sum; 3],
        (Kind::Measure | Kind::Sample, range) => range.ok_or(Refusal::BadSummary)?,
    };
    if stats.observations() == 0 || last < min || max < last {
        return Err(Refusal::BadSummary);
    }
    let mut total = Total { sum: Sum::default(), count: stats.observations() };
    total.sum.add(sum);
    let last = Term { value: last, time: summary.time().unix_micros(), position };
    Ok(Gauge { total, min, max, last })
}
