//! The JSON shape of data points: one object for a window of a stream family, whole numbers without a fraction.

use crate::observation::Kind;
use crate::point::{DataPoint, DataPointBuf};
use crate::stats::Percentile;
use crate::tags::TagSet;
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

/// A double that prints as an integer when it is one: `200`, not `200.0`.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53: every integer up to here is a double
        if self.0 % 1.0 == 0.0 && self.0.abs() <= EXACT {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

impl Serialize for TagSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl Serialize for DataPoint<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stats = self.stats();
        let fields = 9 + if self.kind() == Kind::Count { 0 } else { 4 } + stats.percentiles().map_or(0, |_| 4);
        let fields = fields + usize::from(stats.is_summed());
        let mut row = serializer.serialize_struct("DataPoint", fields)?;
        row.serialize_field("window", &format_args!("{}", self.window().start()))?;
        row.serialize_field("window_unix", &self.window().start().unix_seconds())?;
        row.serialize_field("kind", self.kind().as_str())?;
        row.serialize_field("name", self.name())?;
        row.serialize_field("unit", self.unit().as_str())?;
        row.serialize_field("tags", self.tags())?;
        row.serialize_field("count", &stats.observations())?;
        row.serialize_field("sum", &Number(stats.sum()))?;
        for (key, value) in [("min", stats.min()), ("max", stats.max()), ("mean", stats.mean()), ("last", stats.last())]
        {
            if let Some(value) = value {
                row.serialize_field(key, &Number(value))?;
            }
        }
        if let Some(percentiles) = stats.percentiles() {
            for which in Percentile::ALL {
                row.serialize_field(&which.suffix()[1..], &Number(percentiles.get(which)))?;
            }
        }
        // Written only when true, so that rows of single values keep their shape.
        if stats.is_summed() {
            row.serialize_field("summed", &true)?;
        }
        row.serialize_field("revision", &self.revision())?;
        row.end()
    }
}

impl Serialize for DataPointBuf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_point().serialize(serializer)
    }
}
