//! What tells a stream from all others, and what it keeps in a window.

use crate::config::Precision;
use metric_model::{Kind, Observation, TagSet, Unit};

/// The parts of a stream's key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Key<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit<'a>,
    pub(crate) tags: &'a TagSet,
}

impl<'a> Key<'a> {
    pub(crate) fn of(seen: &Observation<'a>) -> Self {
        Self { name: seen.name(), kind: seen.kind(), unit: seen.value().unit(), tags: seen.tags() }
    }

    /// What it counts towards the octets of all keys: its text, and where each tag ends.
    pub(crate) fn bytes(&self) -> usize {
        self.name.len() + self.unit.as_str().len() + tag_bytes(self.tags)
    }

    pub(crate) fn text_len(&self) -> usize {
        self.name.len() + self.unit.as_str().len() + self.tags.text_len()
    }
}

/// What a stream keeps in a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Total,
    Gauge,
    Distribution(Precision),
}

/// The text of a tag set, and where each tag ends.
pub(crate) fn tag_bytes(tags: &TagSet) -> usize {
    tags.text_len() + 8 * tags.len()
}

pub(crate) fn kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::Count => 0,
        Kind::Measure => 1,
        Kind::Sample => 2,
    }
}

pub(crate) fn kind_of(byte: u8) -> Option<Kind> {
    [Kind::Count, Kind::Measure, Kind::Sample].get(usize::from(byte)).copied()
}

impl Form {
    /// Whether a metric of this kind may keep that.
    pub(crate) fn fits(self, kind: Kind) -> bool {
        match self {
            Self::Total => kind == Kind::Count,
            Self::Gauge => kind != Kind::Count,
            Self::Distribution(_) => kind == Kind::Measure,
        }
    }

    /// The precision of the percentiles, if it has them.
    pub(crate) const fn precision(self) -> Option<Precision> {
        match self {
            Self::Distribution(precision) => Some(precision),
            Self::Total | Self::Gauge => None,
        }
    }

    pub(crate) fn to_byte(self) -> u8 {
        match self {
            Self::Total => 0,
            Self::Gauge => 1,
            Self::Distribution(precision) => 2 + precision.to_byte(),
        }
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Total),
            1 => Some(Self::Gauge),
            _ => Precision::from_byte(byte - 2).map(Self::Distribution),
        }
    }
}
