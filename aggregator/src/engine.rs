mod closing;
mod memory;
pub(crate) mod snapshot;
mod summary;

use crate::config::AggregatorConfig;
use crate::error::ConfigError;
use crate::explain::Explanation;
use crate::ledger::ObservationLedger;
use crate::outcome::{Outcome, Refusal};
use crate::quota::StreamQuota;
use crate::sketch::Sketch;
use crate::sketch::minute::MinuteSketch;
use crate::streams::{StreamMemo, Streams};
use crate::sum::Sum;
use crate::window::staging::Staging;
use crate::window::{OpenWindow, Writing};
use core::fmt;
use core::ops::Range;
use core::time::Duration;
use metric_model::{Kind, Observation, Record, Timestamp, Window};
use std::collections::BTreeMap;

/// Turns observations into one data point for each window and stream.
///
/// Time is an argument: windows are in event time, and only [`advance`](Self::advance) closes them. There is no clock,
/// thread or file in here, and equal input gives equal output.
///
/// ```
/// use metric_model::{DataPointBuf, Observation, TagSet, Timestamp, Unit, Value};
/// use minute_aggregator::{Aggregator, AggregatorConfig, Outcome};
///
/// let mut engine = Aggregator::new(AggregatorConfig::new())?;
/// let tags = TagSet::from_iter([("room", "kitchen")]);
/// for (second, degrees) in [(3, 20.5), (20, 21.0), (61, 21.5)] {
///     let seen = Observation::sample("temperature", Value::new(degrees, Unit::new("C")), &tags,
///         Timestamp::from_unix_seconds(second));
///     assert_eq!(engine.observe(&seen), Outcome::Accepted);
/// }
///
/// let mut points: Vec<DataPointBuf> = Vec::new();
/// let _ = engine.advance(Timestamp::from_unix_seconds(120), &mut points); // the first minute and its lateness are over
/// let first = points[0].as_point();
/// assert_eq!((first.window().start().unix_seconds(), first.stats().mean()), (0, Some(20.75)));
/// assert_eq!(points.len(), 1);
///
/// let _ = engine.finish(&mut points);
/// assert_eq!(points.len(), 2);
/// # Ok::<(), minute_aggregator::ConfigError>(())
/// ```
pub struct Aggregator<S = MinuteSketch> {
    pub(crate) config: AggregatorConfig,
    pub(crate) streams: Streams,
    /// By number: start of the window over its length, rounded down.
    pub(crate) windows: BTreeMap<i64, OpenWindow<S>>,
    /// Accepted observations that no cell has yet.
    pub(crate) staging: Staging,
    /// How many may be staged before there is something to check.
    room: usize,
    /// Event times that need no more checks than that: inside the recent window, which is open, and not too far ahead.
    steady: Range<i64>,
    /// The window of the last observation: most come one after the other in the same.
    pub(crate) recent: Option<(Window, i64)>,
    /// Windows below this number are closed.
    pub(crate) closed_below: Option<i64>,
    /// Windows below this number are no longer kept for revision; one that the sink has not taken may still be here.
    pub(crate) gone_below: Option<i64>,
    pub(crate) now: Option<Timestamp>,
    pub(crate) latest: Option<Timestamp>,
    pub(crate) ledger: ObservationLedger,
    /// Octets of all windows, at most.
    pub(crate) window_bytes: usize,
    /// How many windows have been opened.
    serials: u32,
    /// The window that is being written.
    writing: Option<Writing>,
    /// A window that was written, while its memory goes back.
    leaving: Option<OpenWindow<S>>,
}

impl Aggregator {
    /// An empty aggregator with the default sketch.
    ///
    /// # Errors
    /// When the configuration contradicts itself.
    ///
    /// ```
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    /// assert!(Aggregator::new(AggregatorConfig::new()).is_ok());
    /// ```
    pub fn new(config: AggregatorConfig) -> Result<Self, ConfigError> {
        Self::with_sketch(config)
    }
}

impl<S: Sketch> Aggregator<S> {
    /// An empty aggregator with a sketch of your own.
    ///
    /// # Errors
    /// When the configuration contradicts itself.
    ///
    /// ```
    /// use minute_aggregator::{Aggregator, AggregatorConfig, MinuteSketch};
    /// assert!(Aggregator::<MinuteSketch>::with_sketch(AggregatorConfig::new()).is_ok());
    /// ```
    pub fn with_sketch(config: AggregatorConfig) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            config,
            streams: Streams::default(),
            windows: BTreeMap::new(),
            staging: Staging::default(),
            room: 0,
            steady: 0..0,
            recent: None,
            closed_below: None,
            gone_below: None,
            now: None,
            latest: None,
            ledger: ObservationLedger::default(),
            window_bytes: 0,
            serials: 0,
            writing: None,
            leaving: None,
        })
    }

    /// How it was configured.
    ///
    /// ```
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    /// let engine = Aggregator::new(AggregatorConfig::new())?;
    /// assert_eq!(engine.config(), &AggregatorConfig::new());
    /// # Ok::<(), minute_aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn config(&self) -> &AggregatorConfig {
        &self.config
    }

    /// Takes one observation, or counts why not. Never fails.
    ///
    /// A value of -0 counts as 0. One look-up and no allocation for a stream that is known.
    ///
    /// ```
    /// use core::time::Duration;
    /// use metric_model::{Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig, Outcome};
    ///
    /// let none = TagSet::new();
    /// let signup = |second| Observation::count("signups", Value::plain(1.0), &none, Timestamp::from_unix_seconds(second));
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// assert_eq!(engine.observe(&signup(59)), Outcome::Accepted);
    /// let _ = engine.advance(Timestamp::from_unix_seconds(120), &mut Vec::new());
    /// assert_eq!(engine.observe(&signup(59)), Outcome::Late { by: Duration::from_secs(1) });
    /// assert_eq!(engine.observe(&signup(421)), Outcome::Future { by: Duration::from_secs(1) });
    /// # Ok::<(), minute_aggregator::ConfigError>(())
    /// ```
    pub fn observe(&mut self, observation: &Observation<'_>) -> Outcome {
        self.enter(observation, None)
    }

    /// Takes what one line says, value by value in the order of the columns; `entered` hears what became of each, with its
    /// column.
    ///
    /// The answers and all that follows are those of [`observe`](Self::observe) for each of the record's observations. A
    /// record of one of the [families](AggregatorConfig::with_family), made of the very same list of metrics, costs one
    /// look-up; another costs one for each value.
    ///
    /// ```
    /// use metric_model::{Kind, Metric, Record, TagSet, Timestamp, Unit};
    /// use minute_aggregator::{Aggregator, AggregatorConfig, Outcome, Refusal};
    ///
    /// static CACHE: [Metric<'static>; 2] =
    ///     [Metric::new(Kind::Count, "hits", Unit::NONE), Metric::new(Kind::Count, "misses", Unit::NONE)];
    ///
    /// let mut engine = Aggregator::new(AggregatorConfig::new().with_family(&CACHE))?;
    /// let none = TagSet::new();
    /// let mut outcomes = Vec::new();
    /// for values in [[Some(3.0), None], [Some(1.0), Some(-1.0)]] {
    ///     let record = Record::new(&CACHE, &values, &none, Timestamp::from_unix_seconds(0));
    ///     engine.record(&record, |column, outcome| outcomes.push((column, outcome)));
    /// }
    /// let refused = Outcome::Refused(Refusal::NegativeCount);
    /// assert_eq!(outcomes, [(0, Outcome::Accepted), (0, Outcome::Accepted), (1, refused)]);
    /// # Ok::<(), minute_aggregator::ConfigError>(())
    /// ```
    pub fn record(&mut self, record: &Record<'_>, mut entered: impl FnMut(usize, Outcome)) {
        for column in 0..record.values().len() {
            if let Some(seen) = record.observation(column) {
                entered(column, self.observe(&seen));
            }
        }
    }

    /// As [`observe`](Self::observe), for a caller that meets the same streams again and again: `memo` is a place of the
    /// caller's for this one stream (name, kind, unit and tags), and spares looking it up by its text.
    ///
    /// The answer is that of `observe`. A memo that another aggregator filled, or that is out of date, is not used and is
    /// filled anew. One that was filled by another *stream* of this aggregator would count for that stream: keep one memo
    /// a stream.
    ///
    /// ```
    /// use metric_model::{Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig, Outcome, StreamMemo};
    ///
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// let none = TagSet::new();
    /// let mut clicks = StreamMemo::new();
    /// for second in 0..3 {
    ///     let seen = Observation::count("clicks", Value::plain(1.0), &none, Timestamp::from_unix_seconds(second));
    ///     assert_eq!(engine.observe_again(&seen, &mut clicks), Outcome::Accepted);
    /// }
    /// # Ok::<(), minute_aggregator::ConfigError>(())
    /// ```
    #[inline]
    pub fn observe_again(&mut self, observation: &Observation<'_>, memo: &mut StreamMemo) -> Outcome {
        // The short way, of nearly all observations: everything that could speak against it was looked at before.
        let time = observation.time();
        if self.steady.contains(&time.unix_micros())
            && self.staging.len() < self.room
            && let Ok(value) = admissible(observation)
            && !Sum::is_clamped(value)
            && let Some(stream) = self.streams.recall(memo)
        {
            self.latest = self.latest.max(Some(time));
            self.staging.push(value, time.unix_micros(), stream, self.ledger.observed());
            self.ledger.enter(Outcome::Accepted);
            return Outcome::Accepted;
        }
        self.enter(observation, Some(memo))
    }

    /// As [`observe_again`](Self::observe_again) for several observations of one time, each with its memo, in this order:
    /// the values of one line, say. `entered` hears of each. What they have in common is looked at once. Those without a memo
    /// are looked up.
    ///
    /// ```
    /// use metric_model::{Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig, Outcome, StreamMemo};
    ///
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// let (none, mut memos) = (TagSet::new(), [StreamMemo::new(); 2]);
    /// for second in 0..3 {
    ///     let time = Timestamp::from_unix_seconds(second);
    ///     let seen = ["hits", "misses"].map(|name| Observation::count(name, Value::plain(1.0), &none, time));
    ///     engine.observe_each_again(&seen, &mut memos, |_, outcome| assert_eq!(outcome, Outcome::Accepted));
    /// }
    /// assert_eq!((engine.streams(), engine.ledger().accepted()), (2, 6));
    /// # Ok::<(), minute_aggregator::ConfigError>(())
    /// ```
    #[inline]
    pub fn observe_each_again(
        &mut self,
        observations: &[Observation<'_>],
        memos: &mut [StreamMemo],
        mut entered: impl FnMut(&Observation<'_>, Outcome),
    ) {
        let Some(time) = observations.first().map(Observation::time) else { return };
        let is_steady = |(seen, memo): (&Observation<'_>, &StreamMemo)| {
            let is_plain = admissible(seen).is_ok_and(|value| !Sum::is_clamped(value));
            // No early end: all of them are looked at, and hardly one ever fails.
            (seen.time() == time) & is_plain & self.streams.recall(memo).is_some()
        };
        let count = observations.len();
        if self.staging.len() + count > self.room
            || memos.len() != count
            || !self.steady.contains(&time.unix_micros())
            || !observations.iter().zip(memos.iter()).fold(true, |steady, each| steady & is_steady(each))
        {
            let mut memos = memos.iter_mut();
            for seen in observations {
                // Nothing is lost where there are too few memos.
                let outcome = match memos.next() {
                    Some(memo) => self.observe_again(seen, memo),
                    None => self.observe(seen),
                };
                entered(seen, outcome);
            }
            return;
        }
        self.latest = self.latest.max(Some(time));
        let each = observations.iter().zip(memos.iter());
        let values = each.map(|(seen, memo)| (counted(seen), memo.id()));
        self.staging.push_each(values, time.unix_micros(), self.ledger.observed());
        self.ledger.enter_accepted(count as u64);
        observations.iter().for_each(|seen| entered(seen, Outcome::Accepted));
    }

    /// The long way.
    #[inline(never)]
    fn enter(&mut self, seen: &Observation<'_>, memo: Option<&mut StreamMemo>) -> Outcome {
        let outcome = self.take(seen, memo).unwrap_or_else(|refused| refused);
        self.ledger.enter(outcome);
        outcome
    }

    #[inline]
    fn take(&mut self, seen: &Observation<'_>, memo: Option<&mut StreamMemo>) -> Result<Outcome, Outcome> {
        let value = admissible(seen).map_err(Outcome::Refused)?;
        let number = self.come_to(seen.time())?;
        let admitted = match memo {
            Some(memo) => self.streams.resolve_again(seen, memo, number, &self.config),
            None => self.streams.resolve(seen, number, &self.config),
        };
        let admitted = admitted.map_err(Outcome::Refused)?;
        if Sum::is_clamped(value) {
            self.ledger.enter_clamped();
        }
        if self.closed_below.is_some_and(|closed| number < closed) {
            self.ledger.enter_revising();
        }
        let time = seen.time();
        self.open(number, time);
        if self.staging.is_full(self.streams.len(), self.ledger.observed()) {
            self.fold();
        }
        self.staging.push_in(number, value, time.unix_micros(), admitted.stream, self.ledger.observed());
        self.steady_from_here();
        Ok(if admitted.folded { Outcome::Folded } else { Outcome::Accepted })
    }

    /// The number of the window of an instant, when that is neither too far ahead nor too late, and there is room.
    #[inline]
    fn come_to(&mut self, time: Timestamp) -> Result<i64, Outcome> {
        if let Some(now) = self.now {
            let bound = now.later(self.config.max_future());
            if time > bound {
                return Err(Outcome::Future { by: time.since(bound) });
            }
        }
        let number = self.number(time);
        if self.gone_below.is_some_and(|gone| number < gone) {
            let watermark = self.watermark().unwrap_or(time);
            return Err(Outcome::Late { by: watermark.since(time) });
        }
        self.latest = self.latest.max(Some(time));
        if self.streams.is_beyond(number) {
            self.reach(number);
        }
        if !self.has_room() {
            return Err(Outcome::Refused(Refusal::WindowsFull));
        }
        Ok(number)
    }

    /// Works out what the next observations need not be asked.
    fn steady_from_here(&mut self) {
        let Some((window, number)) = self.recent else { return };
        let end = match self.now {
            Some(now) => window.end().min(now.later(self.config.max_future()).later(Duration::from_micros(1))),
            None => window.end(),
        };
        let is_open = self.closed_below.is_none_or(|closed| number >= closed);
        self.steady = if is_open { window.start().unix_micros()..end.unix_micros() } else { 0..0 };
        let free = self.config.max_window_bytes().saturating_sub(self.window_bytes);
        self.room = self.staging.limit(self.streams.len()).min(free / OpenWindow::<S>::max_growth());
    }

    /// Forgets what the last observation was near to.
    pub(crate) fn forget_recent(&mut self) {
        self.recent = None;
        self.steady = 0..0;
    }

    /// Whether the windows have room for one more observation, whatever it needs.
    ///
    /// What is staged counts with the most it may need; when that is too much, it is folded to see what it did need.
    /// So the answer depends on what was observed, never on when it was folded.
    #[inline]
    fn has_room(&mut self) -> bool {
        let most = OpenWindow::<S>::max_growth();
        let needed =
            |engine: &Self| engine.window_bytes.saturating_add((engine.staging.len() + 1).saturating_mul(most));
        if needed(self) <= self.config.max_window_bytes() {
            return true;
        }
        self.fold();
        needed(self) <= self.config.max_window_bytes()
    }

    /// Event time has come to a window.
    #[cold]
    fn reach(&mut self, number: i64) {
        self.fold();
        self.streams.reach(number, self.config.idle_after());
    }

    /// The number of the window of an instant.
    fn number(&self, time: Timestamp) -> i64 {
        match self.recent {
            Some((window, number)) if window.start() <= time && time < window.end() => number,
            _ => time.unix_micros().div_euclid(self.length()),
        }
    }

    /// Sees to it that the window is there.
    fn open(&mut self, number: i64, time: Timestamp) {
        if self.recent.is_some_and(|(_, recent)| recent == number) {
            return;
        }
        let window = Window::containing(time, self.config.window());
        if !self.windows.contains_key(&number) {
            let new = OpenWindow::new(window, self.next_serial());
            self.window_bytes += new.bytes();
            self.windows.insert(number, new);
        }
        self.recent = Some((window, number));
    }

    /// A number that no window of this aggregator has had.
    pub(crate) fn next_serial(&mut self) -> u32 {
        if self.serials == u32::MAX {
            self.renumber();
        }
        self.serials += 1;
        self.serials
    }

    /// Numbers the windows from 1 on, after four thousand million of them.
    #[cold]
    fn renumber(&mut self) {
        self.streams.forget_cells();
        self.serials = 0;
        for window in self.windows.values_mut() {
            self.serials += 1;
            window.set_serial(self.serials);
            window.streams().for_each(|(at, stream)| self.streams.remember(stream, at, self.serials));
        }
    }

    /// The window of a number; `None` where it lies outside of time.
    pub(crate) fn window_of(&self, number: i64) -> Option<Window> {
        let [first, last] = [Timestamp::MIN, Timestamp::MAX].map(|time| time.unix_micros().div_euclid(self.length()));
        if number < first || number > last {
            return None;
        }
        let start = Timestamp::from_unix_micros(number.saturating_mul(self.length()));
        Some(Window::containing(start, self.config.window()))
    }

    /// The length of a window in microseconds; the configuration was checked.
    pub(crate) fn length(&self) -> i64 {
        i64::try_from(self.config.window().as_micros()).unwrap_or(i64::MAX).max(1)
    }

    /// Moves what is staged into the cells, window by window and stream by stream.
    pub(crate) fn fold(&mut self) {
        let before: &mut usize = &mut self.window_bytes;
        self.staging.fold(self.config.window(), &mut self.streams, &mut self.windows, before);
        self.room = 0;
    }

    /// Another quota from here on, or none. Streams that have their place keep it, even beyond a lower limit; the
    /// memory of those turned away starts anew.
    ///
    /// ```
    /// use minute_aggregator::{Aggregator, AggregatorConfig, StreamQuota};
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// engine.set_quota(Some(StreamQuota::streams(300)));
    /// assert_eq!(engine.explain().limit(), Some(300));
    /// # Ok::<(), minute_aggregator::ConfigError>(())
    /// ```
    pub fn set_quota(&mut self, quota: Option<StreamQuota>) {
        self.config.set_quota(quota);
        self.streams.recount(&self.config);
    }

    /// Which streams are admitted and which found no place, since when, with how many observations.
    ///
    /// ```
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    /// let engine = Aggregator::new(AggregatorConfig::new())?;
    /// assert_eq!(engine.explain().used(), 0);
    /// # Ok::<(), minute_aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub fn explain(&self) -> Explanation<'_> {
        self.streams.explain(self.staging.streams(), &self.config)
    }

    /// Where every observation went.
    ///
    /// ```
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    /// let engine = Aggregator::new(AggregatorConfig::new())?;
    /// assert!(engine.ledger().balances());
    /// # Ok::<(), minute_aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn ledger(&self) -> &ObservationLedger {
        &self.ledger
    }

    /// The greatest event time of an observation that was neither late nor too far ahead, for hosts that let the input
    /// drive the time.
    ///
    /// ```
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    /// let engine = Aggregator::new(AggregatorConfig::new())?;
    /// assert_eq!(engine.latest(), None);
    /// # Ok::<(), minute_aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn latest(&self) -> Option<Timestamp> {
        self.latest
    }

    /// The event time before which windows are closed; `None` before any was.
    ///
    /// ```
    /// use metric_model::Timestamp;
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// let _ = engine.advance(Timestamp::from_unix_seconds(150), &mut Vec::new());
    /// assert_eq!(engine.watermark(), Some(Timestamp::from_unix_seconds(60)));
    /// # Ok::<(), minute_aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub fn watermark(&self) -> Option<Timestamp> {
        self.closed_below.map(|number| Timestamp::from_unix_micros(number.saturating_mul(self.length())))
    }

    /// How many windows are held: open ones, closed ones that the sink has not taken yet, and those kept for revision.
    ///
    /// ```
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    /// let engine = Aggregator::new(AggregatorConfig::new())?;
    /// assert_eq!(engine.open_windows(), 0);
    /// # Ok::<(), minute_aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub fn open_windows(&self) -> usize {
        self.windows.len()
    }

    /// How many streams are known: combinations of name, kind, unit and tags.
    ///
    /// ```
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    /// let engine = Aggregator::new(AggregatorConfig::new())?;
    /// assert_eq!(engine.streams(), 0);
    /// # Ok::<(), minute_aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub fn streams(&self) -> usize {
        self.streams.len()
    }
}

/// The number as it is counted: -0 is 0.
#[inline]
fn counted(seen: &Observation<'_>) -> f64 {
    seen.value().number() + 0.0
}

/// What a value must be: finite, and not below zero for a count.
#[inline]
fn admissible(seen: &Observation<'_>) -> Result<f64, Refusal> {
    let least = if seen.kind() == Kind::Count { 0.0 } else { f64::MIN };
    let value = counted(seen);
    // One comparison on each side; a NaN passes neither.
    if value >= least && value <= f64::MAX {
        return Ok(value);
    }
    Err(if value.is_finite() { Refusal::NegativeCount } else { Refusal::NotFinite })
}

impl<S> fmt::Debug for Aggregator<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregator")
            .field("config", &self.config)
            .field("ledger", &self.ledger)
            .field("windows", &self.windows.len())
            .field("streams", &self.streams.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metric_model::{DataPointBuf, TagSet, Value};

    #[test]
    fn no_value_is_lost_where_memos_are_missing() {
        let none = TagSet::new();
        let seen = ["hits", "misses"]
            .map(|name| Observation::count(name, Value::plain(1.0), &none, Timestamp::from_unix_seconds(0)));
        let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
        let mut entered = 0;
        for memos in [&mut [][..], &mut [StreamMemo::new()], &mut [StreamMemo::new(); 2], &mut [StreamMemo::new(); 3]] {
            for _ in 0..2 {
                engine
                    .observe_each_again(&seen, memos, |_, outcome| entered += u64::from(outcome == Outcome::Accepted));
            }
        }
        assert_eq!((engine.streams(), engine.ledger().accepted(), entered), (2, 16, 16));
    }

    #[test]
    fn serial_numbers_of_windows_may_run_out() {
        let none = TagSet::new();
        // Windows come back again and again, so that streams are looked up in old and new ones.
        let run = |serials| {
            let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
            engine.serials = serials;
            for n in 0..3_000 {
                let minute = n * 7 % 11 + n / 1_000;
                let time = Timestamp::from_unix_seconds(minute * 60 + n % 60);
                let name = ["a", "b", "c"][n as usize % 3];
                let _ = engine.observe(&Observation::measure(name, Value::plain(n as f64), &none, time));
                if n % 5 == 0 {
                    engine.fold();
                }
            }
            let mut points: Vec<DataPointBuf> = Vec::new();
            engine.finish(&mut points).unwrap();
            points
        };
        let expected = run(0);
        assert_eq!(expected.len(), 3 * 13);
        for left in 0..14 {
            assert!(run(u32::MAX - left) == expected, "{left}");
        }
    }
}
