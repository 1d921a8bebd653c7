//! A closed row with all that it holds, for those who keep minutes and add them up later.

mod buf;
mod bytes;
mod error;
mod row_state;
mod state;

pub use buf::RowBuf;
pub use error::{RowError, RowErrorKind, RowMergeError};
pub use row_state::{RowCounts, RowState};
pub(crate) use state::State;

use crate::config::Precision;
use crate::sketch::Sketch;
use crate::sketch::minute::MinuteSketch;
use crate::stream_key::{Form, Key};
use core::fmt;
use metric_model::{DataPoint, Kind, Sink, TagSet, Unit, Window};

/// Takes rows as windows close, each with its whole state: what a store needs that will add them up.
///
/// The order is that of a [`Sink`], and so is what happens when `row` fails: the window is kept and written again from its
/// first row. Every [`Sink`] is a `RowSink`, by [`Row::point`]; a closure over `&Row` is one inside of [`EachRow`].
///
/// ```
/// use metric_model::{Observation, TagSet, Timestamp, Value};
/// use minute_aggregator::{Aggregator, AggregatorConfig, Row, RowBuf, RowSink};
///
/// /// What an hour of minutes is on disk.
/// #[derive(Default)]
/// struct Store(Vec<Vec<u8>>);
///
/// impl RowSink for Store {
///     type Error = std::io::Error;
///
///     fn row(&mut self, row: &Row<'_>) -> Result<(), Self::Error> {
///         self.0.push(row.to_row_buf().to_bytes());
///         Ok(())
///     }
/// }
///
/// let none = TagSet::new();
/// let mut engine = Aggregator::new(AggregatorConfig::new())?;
/// let _ = engine.observe(&Observation::measure("query", Value::plain(7.0), &none, Timestamp::from_unix_seconds(0)));
/// let mut store = Store::default();
/// engine.finish(&mut store)?;
/// let row: RowBuf = RowBuf::from_bytes(&store.0[0])?;
/// assert_eq!(row.point().stats().max(), Some(7.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait RowSink<S = MinuteSketch> {
    /// Why a row could not be taken.
    type Error;

    /// Takes one row.
    ///
    /// # Errors
    /// Whatever the sink answers; the aggregator passes it on and keeps the window.
    fn row(&mut self, row: &Row<'_, S>) -> Result<(), Self::Error>;
}

impl<S: Sketch, K: Sink> RowSink<S> for K {
    type Error = K::Error;

    #[inline]
    fn row(&mut self, row: &Row<'_, S>) -> Result<(), K::Error> {
        self.write(&row.point())
    }
}

/// A closure over `&Row` as a [`RowSink`]. The closures over `&DataPoint` are sinks by themselves, so that this one needs a
/// name.
///
/// ```
/// use core::convert::Infallible;
/// use metric_model::{Observation, TagSet, Timestamp, Value};
/// use minute_aggregator::{Aggregator, AggregatorConfig, EachRow, Row, RowBuf};
///
/// let none = TagSet::new();
/// let mut engine = Aggregator::new(AggregatorConfig::new())?;
/// let _ = engine.observe(&Observation::count("clicks", Value::plain(2.0), &none, Timestamp::from_unix_seconds(0)));
/// let mut rows: Vec<RowBuf> = Vec::new();
/// let mut keep = EachRow(|row: &Row<'_>| Ok::<(), Infallible>(rows.push(row.to_row_buf())));
/// engine.finish(&mut keep)?;
/// assert_eq!(rows[0].point().stats().sum(), 2.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)] // A wrapper is what it wraps.
pub struct EachRow<F>(pub F);

impl<S, F, E> RowSink<S> for EachRow<F>
where
    F: FnMut(&Row<'_, S>) -> Result<(), E>,
{
    type Error = E;

    #[inline]
    fn row(&mut self, row: &Row<'_, S>) -> Result<(), E> {
        (self.0)(row)
    }
}

/// One window of one stream family with all that is known of it: a view of the aggregator's state while the window is
/// written.
///
/// [`point`](Self::point) is what a [`Sink`] gets: the numbers that the state answers. [`to_row_buf`](Self::to_row_buf)
/// takes the state itself along: number, exact sum, least, greatest, last value with its time and position, and the sketch.
///
/// ```
/// use core::convert::Infallible;
/// use metric_model::{Observation, TagSet, Timestamp, Unit, Value};
/// use minute_aggregator::{Aggregator, AggregatorConfig, EachRow, Precision, Row};
///
/// let tags = TagSet::from_iter([("dyno", "web.1")]);
/// let mut engine = Aggregator::new(AggregatorConfig::new())?;
/// let time = Timestamp::from_unix_seconds(60);
/// let _ = engine.observe(&Observation::measure("query", Value::new(7.0, Unit::MILLISECONDS), &tags, time));
/// let mut look = EachRow(|row: &Row<'_>| {
///     assert_eq!((row.name(), row.unit(), row.tags()), ("query", Unit::MILLISECONDS, &tags));
///     assert_eq!((row.window().start(), row.revision()), (time, 0));
///     assert_eq!(row.precision(), Some(Precision::TwoDigits));
///     Ok::<(), Infallible>(())
/// });
/// engine.finish(&mut look)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Row<'a, S = MinuteSketch> {
    window: Window,
    key: Key<'a>,
    form: Form,
    revision: u32,
    state: State<'a, S>,
}

impl<'a, S> Row<'a, S> {
    #[inline]
    pub(crate) const fn new(window: Window, key: Key<'a>, form: Form, revision: u32, state: State<'a, S>) -> Self {
        Self { window, key, form, revision, state }
    }

    /// The stretch of event time.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// The kind of its observations.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.key.kind
    }

    /// The metric's name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.key.name
    }

    /// The unit of its numbers.
    #[must_use]
    pub const fn unit(&self) -> Unit<'a> {
        self.key.unit
    }

    /// The tags.
    #[must_use]
    pub const fn tags(&self) -> &'a TagSet {
        self.key.tags
    }

    /// 0 the first time the row is written, one more each time it is written again because late observations changed it.
    #[must_use]
    pub const fn revision(&self) -> u32 {
        self.revision
    }

    /// The precision of its percentiles; `None` when the metric has none.
    #[must_use]
    pub const fn precision(&self) -> Option<Precision> {
        self.form.precision()
    }
}

impl<'a, S: Sketch> Row<'a, S> {
    /// The numbers that the row answers.
    ///
    /// ```
    /// use core::convert::Infallible;
    /// use metric_model::{Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig, EachRow, Row};
    ///
    /// let none = TagSet::new();
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// let _ = engine.observe(&Observation::count("clicks", Value::plain(2.0), &none, Timestamp::from_unix_seconds(0)));
    /// let mut sum = 0.0;
    /// engine.finish(&mut EachRow(|row: &Row<'_>| Ok::<(), Infallible>(sum += row.point().stats().sum())))?;
    /// assert_eq!(sum, 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn point(&self) -> DataPoint<'a> {
        let Key { name, kind, unit, tags } = self.key;
        DataPoint::new(self.window, kind, name, unit, tags, self.state.stats(self.form)).with_revision(self.revision)
    }

    /// The one visible copy of everything that the row is made of.
    ///
    /// ```
    /// use core::convert::Infallible;
    /// use metric_model::{Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig, EachRow, Row};
    ///
    /// let none = TagSet::new();
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// let _ = engine.observe(&Observation::measure("query", Value::plain(7.0), &none, Timestamp::from_unix_seconds(0)));
    /// engine.finish(&mut EachRow(|row: &Row<'_>| {
    ///     assert_eq!(row.to_row_buf().point(), row.point());
    ///     Ok::<(), Infallible>(())
    /// }))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_row_buf(&self) -> RowBuf<S>
    where
        S: Clone,
    {
        RowBuf::new(self.window, self.key, self.form, self.revision, self.state.to_held(self.form))
    }

    /// What it holds, apart from what it is of.
    ///
    /// ```
    /// use core::convert::Infallible;
    /// use metric_model::{Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig, EachRow, Row};
    ///
    /// let none = TagSet::new();
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// let _ = engine.observe(&Observation::measure("query", Value::plain(7.0), &none, Timestamp::from_unix_seconds(0)));
    /// engine.finish(&mut EachRow(|row: &Row<'_>| {
    ///     assert_eq!(&row.to_state().stats(), row.point().stats());
    ///     Ok::<(), Infallible>(())
    /// }))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_state(&self) -> RowState<S>
    where
        S: Clone,
    {
        RowState::new(self.key.kind, self.form, self.state.to_held(self.form))
    }
}

impl<S> Clone for Row<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Row<'_, S> {}

impl<S> fmt::Debug for Row<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("window", &self.window)
            .field("key", &self.key)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}
