//! Who a signal is, and the bytes that tell it from all others.

use crate::codec::Writer;
use metric_model::{DataPoint, Kind, TagSet};

/// Who it is.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Identity {
    pub(super) drain: Box<str>,
    pub(super) metric: Box<str>,
    pub(super) kind: Kind,
    pub(super) unit: Box<str>,
    pub(super) tags: TagSet,
}

impl Identity {
    pub(super) fn of(drain: &str, point: &DataPoint<'_>) -> Self {
        Self {
            drain: drain.into(),
            metric: point.name().into(),
            kind: point.kind(),
            unit: point.unit().as_str().into(),
            tags: point.tags().clone(),
        }
    }

    /// Whether a point is of this stream.
    #[inline]
    pub(super) fn is_of(&self, drain: &str, point: &DataPoint<'_>) -> bool {
        *self.metric == *point.name()
            && self.tags == *point.tags()
            && *self.drain == *drain
            && self.kind == point.kind()
            && *self.unit == *point.unit().as_str()
    }
}

/// What tells a stream from all others.
pub(super) fn write_key(out: &mut Writer, drain: &str, point: &DataPoint<'_>) {
    out.text(drain);
    out.text(point.name());
    out.byte(kind_number(point.kind()));
    out.text(point.unit().as_str());
    out.tags(point.tags());
}

/// The same of one that is kept.
pub(super) fn key_of(who: &Identity) -> Box<[u8]> {
    let mut out = Writer::default();
    write_identity(&mut out, who);
    out.as_bytes().into()
}

pub(super) fn write_identity(out: &mut Writer, who: &Identity) {
    out.text(&who.drain);
    out.text(&who.metric);
    out.byte(kind_number(who.kind));
    out.text(&who.unit);
    out.tags(&who.tags);
}

const fn kind_number(kind: Kind) -> u8 {
    match kind {
        Kind::Count => 0,
        Kind::Measure => 1,
        Kind::Sample => 2,
    }
}

pub(super) const KINDS: [Kind; 3] = [Kind::Count, Kind::Measure, Kind::Sample];
