mod closing;
mod memory;
pub(crate) mod snapshot;
mod summary;

use crate::config::{AggregatorConfig, MAX_COLUMNS};
use crate::error::ConfigError;
use crate::explain::Explanation;
use crate::ledger::ObservationLedger;
use crate::outcome::{Outcome, Refusal};
use crate::quota::StreamQuota;
use crate::sketch::Sketch;
use crate::sketch::minute::MinuteSketch;
use crate::stream_key::{Key, Mask, columns};
use crate::streams::Streams;
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
    /// How many observations may be staged before there is something to check, and how many records.
    room: usize,
    records: usize,
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
    pub fn new(config: AggregatorConfig) -> Result<Self, ConfigError> {
        Self::with_sketch(config)
    }
}

impl<S: Sketch> Aggregator<S> {
    /// An empty aggregator with a sketch of your own.
    ///
    /// # Errors
    /// When the configuration contradicts itself.
    pub fn with_sketch(config: AggregatorConfig) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            streams: Streams::new(&config),
            config,
            windows: BTreeMap::new(),
            staging: Staging::default(),
            room: 0,
            records: 0,
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
        // Fast path: `steady` and `room` already cover every reason to refuse but those that lie in the value or the stream.
        let time = observation.time();
        let outcome = if self.is_steady(time)
            && let Ok(value) = admissible(observation.kind() == Kind::Count, observation.value().number())
            && !Sum::is_clamped(value)
            && let Some((_, number)) = self.recent
            && let Some(stream) = self.streams.find_active(&Key::of(observation))
        {
            self.come_later(time);
            self.staging.push_one(number, value, time.unix_micros(), stream, self.ledger.observed());
            Outcome::Accepted
        } else {
            self.take(observation).unwrap_or_else(|refused| refused)
        };
        self.ledger.enter(outcome);
        outcome
    }

    /// An observation of this time was seen in a window that is open, so that there was one before.
    #[inline]
    fn come_later(&mut self, time: Timestamp) {
        if let Some(latest) = &mut self.latest
            && *latest < time
        {
            *latest = time;
        }
    }

    /// Whether an observation of this time needs no check but of its value and its stream.
    #[inline]
    fn is_steady(&self, time: Timestamp) -> bool {
        self.steady.contains(&time.unix_micros())
            && self.staging.len() < self.room
            && self.staging.records() < self.records
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
    #[inline]
    pub fn record(&mut self, record: &Record<'_>, mut entered: impl FnMut(usize, Outcome)) {
        // Fast path: the window is open, the row known, every value plain, every stream in its place, and there is room.
        // The values are written where they are staged, which they are once all of that is known.
        let (time, mut of_tags) = (record.time(), None);
        if self.is_steady(time)
            && let Some((family, counts)) = self.streams.family(record.metrics())
            && let Ok((row, active)) = self.streams.row(family, record.tags()).inspect_err(|hash| of_tags = Some(*hash))
            && let Some(free) = self.staging.free()
            && let Some((mask, len)) = plain(record, counts, free)
            && mask & !active == 0
        {
            self.come_later(time);
            self.staging.push(mask, len, time.unix_micros(), row, self.ledger.observed());
            self.ledger.enter_accepted(len as u64);
            for column in columns(mask) {
                entered(usize::from(column), Outcome::Accepted);
            }
            return;
        }
        self.record_each(record, of_tags, &mut entered);
    }

    /// The long way: all at once where no value can be refused, else value by value. `of_tags` is the hash of the tags, where
    /// that is known.
    #[inline(never)]
    fn record_each(&mut self, record: &Record<'_>, of_tags: Option<u32>, entered: &mut impl FnMut(usize, Outcome)) {
        if let Some(mask) = self.record_whole(record, of_tags) {
            return columns(mask).for_each(|column| entered(usize::from(column), Outcome::Accepted));
        }
        for column in 0..record.values().len() {
            if let Some(seen) = record.observation(column) {
                entered(column, self.observe(&seen));
            }
        }
    }

    /// Takes a record of a family of which every value is accepted, with streams that may be new; answers its columns.
    fn record_whole(&mut self, record: &Record<'_>, of_tags: Option<u32>) -> Option<Mask> {
        let (family, counts) = self.streams.family(record.metrics())?;
        let mut values = [0.0; MAX_COLUMNS];
        let (mask, count) = plain(record, counts, &mut values)?;
        let (time, values) = (record.time(), values.get(..count).unwrap_or_default());
        let number = self.number(time);
        // Whatever may end in another answer for one of the values is asked value by value, and nothing is changed before that
        // but what the first of them would change, too.
        let is_ahead = self.now.is_some_and(|now| time > now.later(self.config.max_future()));
        if is_ahead || self.closed_below.is_some_and(|closed| number < closed) || !self.has_room(count) {
            return None;
        }
        if self.streams.is_beyond(number) {
            self.latest = self.latest.max(Some(time));
            self.reach(number);
        }
        let row = self.streams.resolve_row(family, record.tags(), mask, (time, number), &self.config, of_tags)?;
        self.latest = self.latest.max(Some(time));
        self.open(number, time);
        if self.staging.is_full(self.streams.rows(), self.ledger.observed()) {
            self.fold();
        }
        self.staging.push_in(number, mask, values, time.unix_micros(), row, self.ledger.observed());
        self.ledger.enter_accepted(count as u64);
        self.steady_from_here();
        Some(mask)
    }

    fn take(&mut self, seen: &Observation<'_>) -> Result<Outcome, Outcome> {
        let is_count = seen.kind() == Kind::Count;
        let value = admissible(is_count, seen.value().number()).map_err(Outcome::Refused)?;
        let time = seen.time();
        let number = self.come_to(time)?;
        let admitted = self.streams.resolve(&Key::of(seen), time, number, &self.config).map_err(Outcome::Refused)?;
        if Sum::is_clamped(value) {
            self.ledger.enter_clamped();
        }
        if self.closed_below.is_some_and(|closed| number < closed) {
            self.ledger.enter_revising();
        }
        self.open(number, time);
        if self.staging.is_full(self.streams.rows(), self.ledger.observed()) {
            self.fold();
        }
        self.staging.push_one(number, value, time.unix_micros(), admitted.stream, self.ledger.observed());
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
        if !self.has_room(1) {
            return Err(Outcome::Refused(Refusal::WindowsFull));
        }
        Ok(number)
    }

    /// Caches the checks that later observations in this window may skip.
    fn steady_from_here(&mut self) {
        let Some((window, number)) = self.recent else { return };
        let end = match self.now {
            Some(now) => window.end().min(now.later(self.config.max_future()).later(Duration::from_micros(1))),
            None => window.end(),
        };
        let is_open = self.closed_below.is_none_or(|closed| number >= closed);
        self.steady = if is_open { window.start().unix_micros()..end.unix_micros() } else { 0..0 };
        let free = self.config.max_window_bytes().saturating_sub(self.window_bytes);
        let (records, values) = Staging::limits(self.streams.rows());
        // A record that begins within the room may have this many values.
        let fits = (free / OpenWindow::<S>::max_growth()).saturating_sub(MAX_COLUMNS);
        (self.records, self.room) = (records, values.min(fits));
    }

    /// Forgets what the last observation was near to.
    pub(crate) fn forget_recent(&mut self) {
        self.recent = None;
        self.steady = 0..0;
    }

    /// Whether the windows have room for `more` observations, whatever they need.
    ///
    /// What is staged counts with the most it may need; when that is too much, it is folded to see what it did need.
    /// So the answer depends on what was observed, never on when it was folded.
    #[inline]
    fn has_room(&mut self, more: usize) -> bool {
        let most = OpenWindow::<S>::max_growth();
        let needed =
            |engine: &Self| engine.window_bytes.saturating_add((engine.staging.len() + more).saturating_mul(most));
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

    /// Opens the window if it is not open yet.
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
            window.rows().for_each(|(at, row)| self.streams.remember(row, at, self.serials));
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
    /// memory of those turned away begins again.
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
    #[must_use]
    pub fn explain(&self) -> Explanation<'_> {
        self.streams.explain(self.staging.rows(), &self.config)
    }

    /// Where every observation went.
    #[must_use]
    pub const fn ledger(&self) -> &ObservationLedger {
        &self.ledger
    }

    /// The greatest event time of an observation that was neither late nor too far ahead, for hosts that let the input
    /// drive the time.
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
    #[must_use]
    pub fn open_windows(&self) -> usize {
        self.windows.len()
    }

    /// How many streams are known: combinations of name, kind, unit and tags.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.streams.len()
    }
}

/// Copies the values of a record; answers the columns that have one, and how many those are. `counts` are the columns that
/// are counts. `None` where a value may be refused or clamped, or there is none.
#[inline]
fn plain(record: &Record<'_>, counts: Mask, values: &mut [f64; MAX_COLUMNS]) -> Option<(Mask, usize)> {
    if record.values().len() > record.metrics().len() || record.values().len() > MAX_COLUMNS {
        return None;
    }
    let (mut mask, mut bit, mut len) = (0, 1, 0);
    // The greatest of the magnitudes, and all signs: hardly any value is refused, so they are judged together.
    let (mut greatest, mut signs) = (0, 0);
    for value in record.values() {
        if let Some(value) = *value {
            // As `admissible` has it: -0 counts as 0.
            let value = value + 0.0;
            greatest = greatest.max(value.to_bits() << 1);
            signs |= value.to_bits();
            // There are no more than that many.
            values[len % MAX_COLUMNS] = value;
            mask |= bit;
            len += 1;
        }
        bit <<= 1;
    }
    // Without their signs, doubles are in the order of their bits, and what is no number comes last.
    let is_plain = !Sum::is_clamped(f64::from_bits(greatest >> 1)) && greatest <= NUMBERS;
    let is_negative = (signs as i64) < 0 && columns(counts).any(|column| is_below_zero(record, column));
    (len > 0 && is_plain && !is_negative).then_some((mask, len))
}

#[cold]
fn is_below_zero(record: &Record<'_>, column: u8) -> bool {
    record.values().get(usize::from(column)).copied().flatten().is_some_and(|value| value < 0.0)
}

/// The bits of the greatest number, without the sign.
const NUMBERS: u64 = f64::MAX.to_bits() << 1;

/// What a value must be: finite, and not below zero for a count. Answers it as it counts.
#[inline]
fn admissible(is_count: bool, value: f64) -> Result<f64, Refusal> {
    let least = if is_count { 0.0 } else { f64::MIN };
    // -0 counts as 0.
    let value = value + 0.0;
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
