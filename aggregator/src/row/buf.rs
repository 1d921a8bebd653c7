use super::RowMergeError;
use super::state::Held;
use crate::config::Precision;
use crate::sketch::Sketch;
use crate::sketch::minute::MinuteSketch;
use crate::stream_key::{Form, Key};
use metric_model::{DataPoint, Kind, TagSet, Timestamp, Unit, Window};

/// A [`Row`](super::Row) that owns what it holds: to be kept, sent, and added up with others.
///
/// Rows of several nodes are [merged](Self::merge) as they are. For a roll-up, each is first put into the longer window
/// ([`with_window`](Self::with_window)); for a total over several streams, each first gets the tags of the total
/// ([`with_tags`](Self::with_tags)). The result is what one aggregator would have said that had seen everything, exactly, but
/// for which of several values of one instant is the last.
///
/// ```
/// use core::{convert::Infallible, time::Duration};
/// use metric_model::{Observation, Percentile, TagSet, Timestamp, Value, Window};
/// use minute_aggregator::{Aggregator, AggregatorConfig, EachRow, Row, RowBuf};
///
/// // Two minutes of two dynos.
/// let mut engine = Aggregator::new(AggregatorConfig::new())?;
/// for (second, dyno, took) in [(3, "web.1", 120.0), (9, "web.2", 80.0), (61, "web.1", 250.0), (90, "web.2", 95.0)] {
///     let tags = TagSet::from_iter([("dyno", dyno)]);
///     let _ = engine.observe(&Observation::measure("query", Value::plain(took), &tags, Timestamp::from_unix_seconds(second)));
/// }
/// let mut rows: Vec<RowBuf> = Vec::new();
/// engine.finish(&mut EachRow(|row: &Row<'_>| Ok::<(), Infallible>(rows.push(row.to_row_buf()))))?;
/// assert_eq!(rows.len(), 4);
///
/// // The quarter of an hour, of all dynos.
/// let quarter = Window::containing(Timestamp::from_unix_seconds(0), Duration::from_secs(900));
/// let mut parts = rows.into_iter().map(|row| row.with_tags(TagSet::new()).with_window(quarter));
/// let mut all = parts.next().unwrap()?;
/// for part in parts {
///     all.merge(&part?)?;
/// }
/// let point = all.point();
/// assert_eq!((point.window(), point.stats().observations(), point.stats().last()), (quarter, 4, Some(95.0)));
/// assert_eq!(point.stats().percentiles().unwrap().get(Percentile::P50), 95.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct RowBuf<S = MinuteSketch> {
    pub(super) window: Window,
    pub(super) name: Box<str>,
    pub(super) kind: Kind,
    pub(super) unit: Box<str>,
    pub(super) tags: TagSet,
    pub(super) form: Form,
    pub(super) revision: u32,
    pub(super) held: Held<S>,
}

impl<S> RowBuf<S> {
    pub(super) fn new(window: Window, key: Key<'_>, form: Form, revision: u32, held: Held<S>) -> Self {
        Self {
            window,
            name: key.name.into(),
            kind: key.kind,
            unit: key.unit.as_str().into(),
            tags: key.tags.clone(),
            form,
            revision,
            held,
        }
    }

    /// The stretch of event time.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// The kind of its observations.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The metric's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The unit of its numbers.
    #[must_use]
    pub fn unit(&self) -> Unit<'_> {
        Unit::new(&self.unit)
    }

    /// The tags.
    #[must_use]
    pub const fn tags(&self) -> &TagSet {
        &self.tags
    }

    /// The revision of the row; of a merged one, the highest of its parts.
    #[must_use]
    pub const fn revision(&self) -> u32 {
        self.revision
    }

    /// The precision of its percentiles; `None` when the metric has none.
    #[must_use]
    pub const fn precision(&self) -> Option<Precision> {
        self.form.precision()
    }

    /// When the last value was seen; `None` for a count.
    #[must_use]
    pub fn last_time(&self) -> Option<Timestamp> {
        self.held.gauge().map(|gauge| Timestamp::from_unix_micros(gauge.last.time))
    }

    /// The sketch, which answers any percentile; `None` when the metric has no percentiles, or the row none because others
    /// had summed a part of it.
    ///
    /// ```
    /// use core::convert::Infallible;
    /// use metric_model::{Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig, EachRow, MinuteSketch, Row};
    ///
    /// let none = TagSet::new();
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// for took in [30.0, 10.0, 20.0] {
    ///     let _ = engine.observe(&Observation::measure("query", Value::plain(took), &none, Timestamp::from_unix_seconds(0)));
    /// }
    /// engine.finish(&mut EachRow(|row: &Row<'_>| {
    ///     assert_eq!(row.to_row_buf().sketch().and_then(|sketch| sketch.at_rank(2)), Some(20.0));
    ///     Ok::<(), Infallible>(())
    /// }))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn sketch(&self) -> Option<&S> {
        match &self.held {
            Held::Distribution(_, sketch) => Some(sketch),
            Held::Total(_) | Held::Gauge(_) | Held::Summed(_) => None,
        }
    }

    /// The same row as a part of a longer window: a minute as a part of its hour.
    ///
    /// # Errors
    /// [`RowMergeError::WindowTooShort`] when that window does not hold all of the row's.
    pub fn with_window(self, window: Window) -> Result<Self, RowMergeError> {
        let is_in_it = window.start() <= self.window.start() && self.window.end() <= window.end();
        if is_in_it { Ok(Self { window, ..self }) } else { Err(RowMergeError::WindowTooShort) }
    }

    /// The same row under other tags: of all dynos, rather than of one.
    #[must_use]
    pub fn with_tags(self, tags: TagSet) -> Self {
        Self { tags, ..self }
    }
}

impl<S: Sketch> RowBuf<S> {
    /// The numbers that the row answers, as a point.
    #[must_use]
    pub fn point(&self) -> DataPoint<'_> {
        let stats = self.held.stats();
        DataPoint::new(self.window, self.kind, &self.name, self.unit(), &self.tags, stats).with_revision(self.revision)
    }

    /// Adds another row of the same window and stream to this one, as of another node, or of another part of the window.
    ///
    /// Commutative and associative, and exact, sum and percentiles included: the result is that of one aggregator which had
    /// seen what both saw. Only which of two values of one instant is the last may differ, since each aggregator counts
    /// positions for itself. If others had summed a part of either, the result has no percentiles, and says so.
    ///
    /// # Errors
    /// When the two are not of one window, name, kind, unit, tag set and precision. Nothing is changed then.
    ///
    /// ```
    /// use core::convert::Infallible;
    /// use metric_model::{Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig, EachRow, Row, RowBuf, RowMergeError};
    ///
    /// let none = TagSet::new();
    /// let mut rows: Vec<RowBuf> = Vec::new();
    /// for (node, second) in [(0.1, 0), (0.2, 0), (0.3, 60)] {
    ///     let mut engine = Aggregator::new(AggregatorConfig::new())?;
    ///     let _ = engine.observe(&Observation::count("paid", Value::plain(node), &none, Timestamp::from_unix_seconds(second)));
    ///     engine.finish(&mut EachRow(|row: &Row<'_>| Ok::<(), Infallible>(rows.push(row.to_row_buf()))))?;
    /// }
    /// let mut all = rows[0].clone();
    /// all.merge(&rows[1])?;
    /// assert_eq!(all.point().stats().sum(), 0.3);
    /// assert_eq!(all.merge(&rows[2]), Err(RowMergeError::Window));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge(&mut self, other: &Self) -> Result<(), RowMergeError> {
        for (is_same, error) in [
            (self.name == other.name, RowMergeError::Name),
            (self.kind == other.kind, RowMergeError::Kind),
            (self.unit == other.unit, RowMergeError::Unit),
            (self.tags == other.tags, RowMergeError::Tags),
            (self.window == other.window, RowMergeError::Window),
            (self.form == other.form, RowMergeError::Precision),
        ] {
            if !is_same {
                return Err(error);
            }
        }
        self.held.merge(&other.held);
        self.revision = self.revision.max(other.revision);
        Ok(())
    }
}
