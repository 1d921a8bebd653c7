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

    /// What it counts towards the bytes of all keys: its text, and where each tag ends.
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

/// The columns of a family, a bit each.
pub(crate) type Mask = u16;

/// The columns of a mask, lowest first.
#[inline]
pub(crate) fn columns(mut mask: Mask) -> impl Iterator<Item = u8> {
    core::iter::from_fn(move || {
        let column = mask.trailing_zeros();
        mask &= mask.wrapping_sub(1);
        (column < Mask::BITS).then_some(column as u8)
    })
}

/// How many columns of a mask stand before this one.
#[inline]
pub(crate) fn before(mask: Mask, column: u8) -> usize {
    (mask & ((1 << column) - 1)).count_ones() as usize
}

/// What the columns of a family keep, each; as masks, so that several columns are asked at once.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Forms {
    /// Those without percentiles, and those with, of two precisions. The rest are totals.
    pub(crate) gauges: Mask,
    coarse: Mask,
    fine: Mask,
    /// There is one column, that of a metric in no family.
    pub(crate) is_alone: bool,
}

impl Forms {
    /// Of a metric alone.
    #[inline]
    pub(crate) fn alone(form: Form) -> Self {
        let mut forms = Self { is_alone: true, ..Self::default() };
        forms.set(0, form);
        forms
    }

    #[inline]
    pub(crate) fn set(&mut self, column: u8, form: Form) {
        let bit = 1 << column;
        let keep = |mask: Mask, is_it| if is_it { mask | bit } else { mask & !bit };
        self.gauges = keep(self.gauges, form == Form::Gauge);
        self.fine = keep(self.fine, form == Form::Distribution(Precision::ThreeDigits));
        self.coarse = keep(self.coarse, form == Form::Distribution(Precision::TwoDigits));
    }

    /// Those with percentiles.
    #[inline]
    pub(crate) const fn distributions(&self) -> Mask {
        self.coarse | self.fine
    }

    #[inline]
    pub(crate) fn form(&self, column: u8) -> Form {
        let bit = 1 << column;
        if self.gauges & bit != 0 {
            Form::Gauge
        } else if self.coarse & bit != 0 {
            Form::Distribution(Precision::TwoDigits)
        } else if self.fine & bit != 0 {
            Form::Distribution(Precision::ThreeDigits)
        } else {
            Form::Total
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_from_the_lowest() {
        assert_eq!(columns(0b1010_0000_0000_0101).collect::<Vec<_>>(), [0, 2, 13, 15]);
        assert_eq!([0, 2, 13, 15].map(|column| before(0b1010_0000_0000_0101, column)), [0, 1, 2, 3]);
    }

    #[test]
    fn forms_are_those_that_were_set() {
        let all = [
            Form::Total,
            Form::Gauge,
            Form::Distribution(Precision::TwoDigits),
            Form::Distribution(Precision::ThreeDigits),
        ];
        for (before, after) in all.into_iter().flat_map(|before| all.map(|after| (before, after))) {
            let mut forms = Forms::alone(before);
            forms.set(3, before);
            forms.set(3, after);
            assert_eq!((forms.form(0), forms.form(3), forms.form(1)), (before, after, Form::Total));
        }
    }
}
