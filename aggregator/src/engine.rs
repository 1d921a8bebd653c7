use crate::key::{StreamMemo, Streams};
use crate::sum::Sum;
use crate::window::{OpenWindow, Term};
use crate::{
    AggregatorConfig, ConfigError, Explanation, MinuteSketch, ObservationLedger, Outcome, Refusal, Sketch, StreamQuota,
};
use core::fmt;
use metric_model::{Kind, Observation, Sink, Timestamp, Window};
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
    /// Accepted observations that no cell has yet, at most [`STAGED`].
    staged: Vec<Staged>,
    /// Window, stream and place in `staged` of each that is staged, in one word; used by `fold` alone.
    order: Vec<u64>,
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
}

/// Looking a stream up and working on its cell are apart, so that one does not push the other's memory out of the
/// cache: the observations between are staged, and folded stream by stream.
const STAGED: usize = 1 << PLACE_BITS;

/// A word has room for the place of what is staged, its stream, and the window's number from the first.
const PLACE_BITS: u32 = 10;
const PLACE: u64 = (1 << PLACE_BITS) - 1;
const WINDOW_BITS: u32 = 64 - 32 - PLACE_BITS;

#[derive(Clone, Copy, Debug)]
struct Staged {
    window: i64,
    stream: u32,
    term: Term,
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
            staged: Vec::new(),
            order: Vec::new(),
            recent: None,
            closed_below: None,
            gone_below: None,
            now: None,
            latest: None,
            ledger: ObservationLedger::default(),
            window_bytes: 0,
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
        let outcome = self.take(observation, None).unwrap_or_else(|refused| refused);
        self.ledger.enter(outcome);
        outcome
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
    pub fn observe_again(&mut self, observation: &Observation<'_>, memo: &mut StreamMemo) -> Outcome {
        let outcome = self.take(observation, Some(memo)).unwrap_or_else(|refused| refused);
        self.ledger.enter(outcome);
        outcome
    }

    #[inline]
    fn take(&mut self, seen: &Observation<'_>, memo: Option<&mut StreamMemo>) -> Result<Outcome, Outcome> {
        let value = seen.value().number() + 0.0; // -0 + 0 is 0
        if !value.is_finite() {
            return Err(Outcome::Refused(Refusal::NotFinite));
        }
        if value < 0.0 && seen.kind() == Kind::Count {
            return Err(Outcome::Refused(Refusal::NegativeCount));
        }
        let time = seen.time();
        if let Some(now) = self.now {
            let bound = now.later(self.config.future());
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
        self.open(number, time);
        if self.staged.len() >= STAGED {
            self.fold();
        }
        let term = Term { value, time: time.unix_micros(), position: self.ledger.observed() };
        self.staged.push(Staged { window: number, stream: admitted.stream, term });
        Ok(if admitted.folded { Outcome::Folded } else { Outcome::Accepted })
    }

    /// Whether the windows have room for one more observation, whatever it needs.
    ///
    /// What is staged counts with the most it may need; when that is too much, it is folded to see what it did need.
    /// So the answer depends on what was observed, never on when it was folded.
    #[inline]
    fn has_room(&mut self) -> bool {
        let most = OpenWindow::<S>::max_growth();
        let needed = |engine: &Self| engine.window_bytes.saturating_add((engine.staged.len() + 1).saturating_mul(most));
        if needed(self) <= self.config.window_byte_limit() {
            return true;
        }
        self.fold();
        needed(self) <= self.config.window_byte_limit()
    }

    /// Event time has come to a window.
    #[cold]
    fn reach(&mut self, number: i64) {
        self.fold();
        self.streams.reach(number, self.config.idle_windows());
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
        let window = Window::containing(time, self.config.window_length());
        self.windows.entry(number).or_insert_with(|| {
            let new = OpenWindow::new(window);
            self.window_bytes += new.bytes();
            new
        });
        self.recent = Some((window, number));
    }

    /// The window of a number; `None` where it lies outside of time.
    pub(crate) fn window_of(&self, number: i64) -> Option<Window> {
        let [first, last] = [Timestamp::MIN, Timestamp::MAX].map(|time| time.unix_micros().div_euclid(self.length()));
        if number < first || number > last {
            return None;
        }
        let start = Timestamp::from_unix_micros(number.saturating_mul(self.length()));
        Some(Window::containing(start, self.config.window_length()))
    }

    /// The length of a window in microseconds; the configuration was checked.
    pub(crate) fn length(&self) -> i64 {
        i64::try_from(self.config.window_length().as_micros()).unwrap_or(i64::MAX).max(1)
    }

    /// Says what time it is: closes every window whose end plus the allowed lateness is not after `now`, oldest first,
    /// and bounds how far ahead observations may be. A time before the last one changes nothing.
    ///
    /// Closed windows that late observations changed since ([`LatePolicy::Revise`](crate::LatePolicy::Revise)) are
    /// written again, in their place in the order of time: the points that changed, each with its next revision.
    ///
    /// # Errors
    /// What the sink answered. The window is closed for observations all the same; it is kept, and written again from
    /// its first point by the next call that closes.
    ///
    /// ```
    /// use metric_model::{DataPoint, Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    ///
    /// let none = TagSet::new();
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// let _ = engine.observe(&Observation::count("signups", Value::plain(2.0), &none, Timestamp::from_unix_seconds(0)));
    ///
    /// let now = Timestamp::from_unix_seconds(120);
    /// let mut full = |_: &DataPoint<'_>| Err("disk full");
    /// assert_eq!(engine.advance(now, &mut full), Err("disk full"));
    ///
    /// let mut sum = 0.0;
    /// let mut works = |point: &DataPoint<'_>| Ok::<(), ()>(sum += point.stats().sum());
    /// assert_eq!(engine.advance(now, &mut works), Ok(()));
    /// assert_eq!(sum, 2.0);
    /// # Ok::<(), minute_aggregator::ConfigError>(())
    /// ```
    pub fn advance<K: Sink>(&mut self, now: Timestamp, sink: &mut K) -> Result<(), K::Error> {
        self.now = self.now.max(Some(now));
        let watermark = now.earlier(self.config.lateness());
        let closed = watermark.unix_micros().div_euclid(self.length());
        let gone = watermark.earlier(self.config.horizon()).unix_micros().div_euclid(self.length());
        self.close_below(closed, gone);
        if self.streams.is_beyond(closed.saturating_sub(1)) {
            self.reach(closed.saturating_sub(1));
        }
        self.write_closed(sink)
    }

    /// Closes every window, as at the end of a complete input.
    ///
    /// # Errors
    /// What the sink answered; see [`advance`](Self::advance).
    ///
    /// ```
    /// use metric_model::{DataPointBuf, Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    ///
    /// let none = TagSet::new();
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// let _ = engine.observe(&Observation::count("signups", Value::plain(2.0), &none, Timestamp::from_unix_seconds(0)));
    /// let mut points: Vec<DataPointBuf> = Vec::new();
    /// engine.finish(&mut points)?;
    /// assert_eq!((points.len(), engine.open_windows()), (1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn finish<K: Sink>(&mut self, sink: &mut K) -> Result<(), K::Error> {
        if let Some((number, _)) = self.windows.last_key_value() {
            let end = number.saturating_add(1);
            self.close_below(end, end);
        }
        self.write_closed(sink)
    }

    /// Closes the oldest window, whatever the time, for a host that must give memory back; `false` when there is none.
    ///
    /// Observations of that window and all before it are late from then on.
    ///
    /// # Errors
    /// What the sink answered; see [`advance`](Self::advance).
    ///
    /// ```
    /// use metric_model::{DataPointBuf, Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    ///
    /// let none = TagSet::new();
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// for second in [0, 60, 120] {
    ///     let time = Timestamp::from_unix_seconds(second);
    ///     let _ = engine.observe(&Observation::count("signups", Value::plain(1.0), &none, time));
    /// }
    /// let mut points: Vec<DataPointBuf> = Vec::new();
    /// assert!(engine.close_oldest(&mut points)?);
    /// assert_eq!((points.len(), engine.open_windows()), (1, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close_oldest<K: Sink>(&mut self, sink: &mut K) -> Result<bool, K::Error> {
        let Some((number, _)) = self.windows.first_key_value() else { return Ok(false) };
        let end = number.saturating_add(1);
        self.close_below(end, end);
        self.write_closed(sink)?;
        Ok(true)
    }

    fn close_below(&mut self, closed: i64, gone: i64) {
        self.closed_below = self.closed_below.max(Some(closed));
        self.gone_below = self.gone_below.max(Some(gone));
    }

    fn write_closed<K: Sink>(&mut self, sink: &mut K) -> Result<(), K::Error> {
        let (Some(closed), Some(gone)) = (self.closed_below, self.gone_below) else { return Ok(()) };
        if self.windows.first_key_value().is_none_or(|(number, _)| *number >= closed) {
            return Ok(());
        }
        self.fold();
        self.streams.sort();
        let mut due = self.windows.range_mut(..closed);
        let written = due.try_for_each(|(_, window)| window.write(&self.streams, sink));
        while let Some(oldest) = self.windows.first_entry() {
            if *oldest.key() >= gone || oldest.get().is_changed() {
                break;
            }
            let gone = oldest.remove();
            self.window_bytes -= gone.bytes();
            gone.streams().for_each(|stream| self.streams.release(stream));
        }
        if self.recent.is_some_and(|(_, number)| number < gone) {
            self.recent = None;
        }
        written
    }

    /// Moves what is staged into the cells, window by window and stream by stream.
    pub(crate) fn fold(&mut self) {
        self.group_staged();
        for group in self.order.chunk_by(|a, b| a >> PLACE_BITS == b >> PLACE_BITS) {
            let mut staged = group.iter().filter_map(|key| self.staged.get((key & PLACE) as usize)).peekable();
            let Some((window, stream)) = staged.peek().map(|first| (first.window, first.stream)) else { continue };
            let Some((window, form)) = self.windows.get_mut(&window).zip(self.streams.form(stream)) else { continue };
            let before = window.bytes();
            let is_new = window.add(stream, form, staged.map(|staged| &staged.term));
            self.window_bytes = (self.window_bytes + window.bytes()).saturating_sub(before);
            if is_new {
                self.streams.hold(stream);
            }
        }
        self.staged.clear();
    }

    /// Puts the places of what is staged in order: one word for each, which sorts faster than what it stands for.
    fn group_staged(&mut self) {
        let windows = self.staged.iter().map(|staged| staged.window);
        let (Some(first), Some(last)) = (windows.clone().min(), windows.max()) else { return self.order.clear() };
        self.order.clear();
        if last.checked_sub(first).is_some_and(|span| span < 1 << WINDOW_BITS) {
            let key = |(place, staged): (u64, &Staged)| {
                ((staged.window - first) as u64) << (64 - WINDOW_BITS) | u64::from(staged.stream) << PLACE_BITS | place
            };
            self.order.extend((0..).zip(&self.staged).map(key));
        } else {
            // Windows too far apart for a key are sorted the plain way, and numbered.
            self.staged.sort_unstable_by_key(|staged| (staged.window, staged.stream));
            let (mut number, mut window) = (0, first);
            for (place, staged) in (0_u64..).zip(&self.staged) {
                number += u64::from(staged.window != window);
                window = staged.window;
                self.order.push(number << (64 - WINDOW_BITS) | u64::from(staged.stream) << PLACE_BITS | place);
            }
        }
        self.order.sort_unstable();
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
        self.streams.explain(&self.config)
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

    /// Octets in use, at most but for the allocator's own; never more than
    /// [`AggregatorConfig::max_memory`]. For hosts that close windows early rather than refuse.
    ///
    /// ```
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    /// let engine = Aggregator::new(AggregatorConfig::new())?;
    /// assert!(engine.memory() < 4_096);
    /// # Ok::<(), minute_aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub fn memory(&self) -> usize {
        let staged = self.staged.capacity() * size_of::<Staged>() + self.order.capacity() * size_of::<u64>();
        size_of::<Self>() + self.streams.bytes() + self.window_bytes + staged
    }
}

impl AggregatorConfig {
    /// The most octets an aggregator of this configuration ever has on the heap, computed before it starts.
    ///
    /// The sum of what `max_streams`, `max_key_bytes` and `max_window_bytes` allow, with what lists and tables have in
    /// reserve and need while they grow: an upper bound that input cannot exceed, not an estimate of common use. Not
    /// counted: the allocator's own, the bytes of a snapshot, what a [`merge`](Aggregator::merge) or a
    /// [`restore`](Aggregator::restore) brings in beyond the configuration, and the heap of a sketch of your own that
    /// does not tell.
    ///
    /// ```
    /// use minute_aggregator::AggregatorConfig;
    /// let small = AggregatorConfig::new().max_streams(1_000).max_key_bytes(100_000).max_window_bytes(4_000_000);
    /// assert!(small.max_memory() < 12_000_000);
    /// ```
    #[must_use]
    pub fn max_memory(&self) -> usize {
        // A list that grows has its old and its new place for a moment: half as much again.
        let windows = self.window_byte_limit().saturating_add(self.window_byte_limit() / 2);
        // The first node of the map of windows has room for eleven.
        let fixed = 3 * STAGED * (size_of::<Staged>() + size_of::<u64>()) + 11 * size_of::<OpenWindow<MinuteSketch>>();
        size_of::<Aggregator>().saturating_add(Streams::max_bytes(self)).saturating_add(windows).saturating_add(fixed)
    }
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
