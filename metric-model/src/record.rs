use crate::observation::{Kind, Observation};
use crate::tags::TagSet;
use crate::timestamp::Timestamp;
use crate::unit::{Unit, Value};

/// What its values are called, what kind they are, and in which unit.
///
/// ```
/// use metric_model::{Kind, Metric, Unit};
///
/// const LATENCY: Metric<'static> = Metric::new(Kind::Measure, "db.latency", Unit::MILLISECONDS);
/// assert_eq!(LATENCY.name(), "db.latency");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Metric<'a> {
    kind: Kind,
    name: &'a str,
    unit: Unit<'a>,
}

impl<'a> Metric<'a> {
    /// A metric.
    #[must_use]
    pub const fn new(kind: Kind, name: &'a str, unit: Unit<'a>) -> Self {
        Self { kind, name, unit }
    }

    /// Count, measure or sample.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The unit; [`Unit::NONE`] for plain numbers.
    #[must_use]
    pub const fn unit(&self) -> Unit<'a> {
        self.unit
    }
}

/// What one line says: values that share their tags and their instant.
///
/// It is a row of a table whose columns are metrics. A column without a value is `None`; its metric was not observed. A
/// record says exactly what its [`observations`](Self::observations) say one after the other; taken as a whole it costs
/// one look-up instead of one for each value.
///
/// Borrows everything, so that it is made without a heap call.
///
/// ```
/// use metric_model::{Kind, Metric, Record, TagSet, Timestamp, Unit};
///
/// const REQUEST: &[Metric<'static>] = &[
///     Metric::new(Kind::Count, "requests", Unit::NONE),
///     Metric::new(Kind::Measure, "latency", Unit::MILLISECONDS),
///     Metric::new(Kind::Measure, "size", Unit::BYTES),
/// ];
///
/// let tags = TagSet::from_iter([("route", "/cart")]);
/// let values = [Some(1.0), Some(84.0), None]; // it ended before there was a size
/// let record = Record::new(REQUEST, &values, &tags, Timestamp::from_unix_seconds(7));
/// let said: Vec<_> = record.observations().map(|seen| (seen.name(), seen.value().number())).collect();
/// assert_eq!(said, [("requests", 1.0), ("latency", 84.0)]);
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Record<'a> {
    metrics: &'a [Metric<'a>],
    values: &'a [Option<f64>],
    tags: &'a TagSet,
    time: Timestamp,
}

impl<'a> Record<'a> {
    /// The values of these metrics, column by column. Values beyond the last metric are not part of the record, and a metric
    /// beyond the last value has none.
    #[must_use]
    pub const fn new(metrics: &'a [Metric<'a>], values: &'a [Option<f64>], tags: &'a TagSet, time: Timestamp) -> Self {
        Self { metrics, values, tags, time }
    }

    /// The metrics, a column each.
    #[must_use]
    pub const fn metrics(&self) -> &'a [Metric<'a>] {
        self.metrics
    }

    /// The values, column by column, in the units of the metrics.
    #[must_use]
    pub const fn values(&self) -> &'a [Option<f64>] {
        self.values
    }

    /// The tags of all values.
    #[must_use]
    pub const fn tags(&self) -> &'a TagSet {
        self.tags
    }

    /// When it was said.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// The value of one column as an observation; `None` where it has none, or there is no such column.
    #[inline]
    #[must_use]
    pub fn observation(&self, column: usize) -> Option<Observation<'a>> {
        let (metric, number) = (self.metrics.get(column)?, (*self.values.get(column)?)?);
        Some(Observation::new(metric.kind, metric.name, Value::new(number, metric.unit), self.tags, self.time))
    }

    /// All values as observations, in the order of the columns.
    pub fn observations(&self) -> impl Iterator<Item = Observation<'a>> + use<'a> {
        let record = *self;
        (0..self.metrics.len().min(self.values.len())).filter_map(move |column| record.observation(column))
    }
}
