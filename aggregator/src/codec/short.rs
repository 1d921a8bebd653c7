//! Doubles and sums in few bytes: most are whole, or have a few decimal places.

use super::{Reader, Writer};
use crate::sum::Sum;

/// A double is one number in LEB128 whose low three bits say what the rest is: a whole number of units of 1, 0.1, 0.01 or
/// 0.001; nothing, and the eight bytes follow; nothing, and it is one of the values before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Short {
    Decimal { places: u8, units: i64 },
    Raw,
    Same(u8),
}

const CODE_BITS: u32 = 3;
const RAW: u64 = 4;
const SAME: u64 = 5;
/// The units of each number of decimal places in one.
const UNITS: [f64; 4] = [1.0, 10.0, 100.0, 1_000.0];

impl Short {
    /// The one spelling of a value.
    fn of(value: f64, before: &[f64]) -> Self {
        if let Some(place) = before.iter().position(|other| other.to_bits() == value.to_bits()) {
            return Self::Same(place as u8);
        }
        for (places, units_in_one) in (0..).zip(UNITS) {
            let units = (value * units_in_one).round();
            // Below 2^53 every whole number is a double.
            if units.abs() < 9_007_199_254_740_992.0 {
                let decimal = Self::Decimal { places, units: units as i64 };
                if decimal.value().is_some_and(|same| same.to_bits() == value.to_bits()) {
                    return decimal;
                }
            }
        }
        Self::Raw
    }

    fn value(self) -> Option<f64> {
        match self {
            Self::Decimal { places, units } => Some(units as f64 / UNITS.get(usize::from(places))?),
            Self::Raw | Self::Same(_) => None,
        }
    }
}

/// A sum is one number, too: a whole number of units of 1 or of 0.001; nothing, and it is that of one value; the number of
/// bytes that follow, of the 192 bits, lowest first, as many as are needed.
const WHOLE: u64 = 0;
const THOUSANDTHS: u64 = 1;
const ONE_VALUE: u64 = 2;
const BYTES: u64 = 3;

impl Writer {
    /// A double; `before` are at most two values that came before it.
    pub(crate) fn short(&mut self, value: f64, before: &[f64]) {
        match Short::of(value, before) {
            Short::Decimal { places, units } => self.number(zigzag(units) << CODE_BITS | u64::from(places)),
            Short::Same(place) => self.number(SAME + u64::from(place)),
            Short::Raw => {
                self.number(RAW);
                self.double(value);
            }
        }
    }

    /// A sum, which may be that of one value.
    pub(crate) fn sum(&mut self, sum: Sum, one: Option<f64>) {
        if one.is_some_and(|one| Sum::of(one) == sum) {
            return self.number(ONE_VALUE);
        }
        for (code, units_in_one) in [(WHOLE, 1), (THOUSANDTHS, 1_000)] {
            if let Some(units) = sum.in_units(units_in_one) {
                return self.number(zigzag(units) << CODE_BITS | code);
            }
        }
        let bytes = sum.to_words().map(u64::to_le_bytes);
        let bytes = bytes.as_flattened();
        let short = shortest(bytes);
        self.number((short.len() as u64) << CODE_BITS | BYTES);
        self.raw(short);
    }
}

impl Reader<'_> {
    /// A finite double that is not -0.
    pub(crate) fn short(&mut self, before: &[f64]) -> Option<f64> {
        let number = self.number()?;
        let (code, rest) = (number & ((1 << CODE_BITS) - 1), number >> CODE_BITS);
        let (value, read) = match code {
            RAW if rest == 0 => (self.double()?, Short::Raw),
            0..RAW => {
                let decimal = Short::Decimal { places: code as u8, units: unzigzag(rest) };
                (decimal.value()?, decimal)
            }
            SAME.. if rest == 0 => {
                let place = code - SAME;
                (*before.get(place as usize)?, Short::Same(place as u8))
            }
            _ => return None,
        };
        // One value, one spelling.
        (value.to_bits() != (-0.0_f64).to_bits() && Short::of(value, before) == read).then_some(value)
    }

    /// The same in any spelling, which is sooner read: of bytes that were checked as a whole.
    #[inline]
    pub(crate) fn any_short(&mut self, before: &[f64]) -> Option<f64> {
        let number = self.number()?;
        self.any_short_of(number, before)
    }

    /// The double of which this number was read.
    #[inline]
    pub(crate) fn any_short_of(&mut self, number: u64, before: &[f64]) -> Option<f64> {
        let (code, rest) = (number & ((1 << CODE_BITS) - 1), number >> CODE_BITS);
        match code {
            0 => Some(unzigzag(rest) as f64),
            RAW => self.double(),
            1..RAW => Some(unzigzag(rest) as f64 / UNITS.get(code as usize)?),
            _ => before.get((code - SAME) as usize).copied(),
        }
    }

    pub(crate) fn sum(&mut self, one: Option<f64>) -> Option<Sum> {
        let from = self.offset();
        let number = self.number()?;
        let sum = self.sum_of(number, one)?;
        // One sum, one spelling: what is written of it takes the same bytes.
        let mut again = Writer::default();
        again.sum(sum, one);
        let again = again.into_bytes();
        let first = Reader::new(&again, 0).number()?;
        (first == number && again.len() == self.offset() - from).then_some(sum)
    }

    /// The same in any spelling.
    #[inline]
    pub(crate) fn any_sum(&mut self, one: Option<f64>) -> Option<Sum> {
        let number = self.number()?;
        match whole_sum(number) {
            Some(units) => Some(Sum::from_units(units, 1)),
            None => self.sum_of(number, one),
        }
    }

    /// The sum of which this number was read.
    #[inline(never)]
    fn sum_of(&mut self, number: u64, one: Option<f64>) -> Option<Sum> {
        let rest = number >> CODE_BITS;
        let sum = match number & ((1 << CODE_BITS) - 1) {
            WHOLE => Sum::from_units(unzigzag(rest), 1),
            THOUSANDTHS => Sum::from_units(unzigzag(rest), 1_000),
            ONE_VALUE if rest == 0 => Sum::of(one?),
            BYTES => {
                let bytes = self.raw(usize::try_from(rest).ok()?)?;
                let sign = if bytes.last()? & 0x80 == 0 { 0 } else { u8::MAX };
                let mut words = [[sign; size_of::<u64>()]; 3];
                words.as_flattened_mut().get_mut(..bytes.len())?.copy_from_slice(bytes);
                Sum::from_words(words.map(u64::from_le_bytes))
            }
            _ => return None,
        };
        Some(sum)
    }
}

/// The double that a number alone says, if it is whole and not below zero.
#[inline]
pub(crate) const fn whole_short(number: u64) -> Option<u64> {
    // No decimal places, and no sign.
    if number & ((2 << CODE_BITS) - 1) == 0 { Some(number >> (CODE_BITS + 1)) } else { None }
}

/// The sum that a number alone says, if it is of whole units.
#[inline]
pub(crate) fn whole_sum(number: u64) -> Option<i64> {
    (number & ((1 << CODE_BITS) - 1) == WHOLE).then(|| unzigzag(number >> CODE_BITS))
}

/// The bytes, lowest first, without those in the end that only repeat the sign; at least one.
fn shortest(bytes: &[u8]) -> &[u8] {
    let mut short = bytes;
    while let [rest @ .., below, last] = short
        && *last == (if below & 0x80 == 0 { 0 } else { u8::MAX })
    {
        short = short.get(..rest.len() + 1).unwrap_or_default();
    }
    short
}

/// Small numbers of both signs are small. Of what comes here the top bits are free.
fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

#[inline]
fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut out = Writer::default();
        write(&mut out);
        out.into_bytes()
    }

    fn of(values: &[f64]) -> Sum {
        let mut sum = Sum::default();
        values.iter().for_each(|value| sum.add(*value));
        sum
    }

    #[test]
    fn common_numbers_are_short() {
        for (value, len) in
            [(0.0, 1), (7.0, 1), (-7.0, 1), (200.0, 2), (0.05, 1), (12.345, 3), (1e9, 5), (0.1 + 0.2, 9)]
        {
            let bytes = written(|out| out.short(value, &[]));
            assert_eq!(bytes.len(), len, "{value}");
            let whole = Reader::new(&bytes, 0).number().and_then(whole_short);
            assert_eq!(whole, (value >= 0.0 && value.fract() == 0.0).then_some(value as u64), "{value}");
        }
        assert_eq!(written(|out| out.short(1e300, &[2.0, 1e300])).len(), 1);
        for (values, len) in [(&[][..], 1), (&[7.0], 1), (&[200.0, 300.0], 2), (&[0.5, 0.25], 2), (&[1.0 / 3.0], 8)] {
            assert_eq!(written(|out| out.sum(of(values), None)).len(), len, "{values:?}");
        }
        assert_eq!(written(|out| out.sum(of(&[0.1]), Some(0.1))).len(), 1);
    }

    #[test]
    fn another_spelling_is_refused() {
        // 0.5 as 50 hundredths; -0; a value that was there before, written again.
        assert_eq!(Reader::new(&written(|out| out.number(zigzag(50) << 3 | 2)), 0).short(&[]), None);
        assert_eq!(Reader::new(&written(|out| out.number(zigzag(5) << 3 | 1)), 0).short(&[]), Some(0.5));
        let raw = |value: f64| {
            written(|out| {
                out.number(RAW);
                out.double(value);
            })
        };
        assert_eq!(Reader::new(&raw(-0.0), 0).short(&[]), None);
        assert_eq!(Reader::new(&raw(2.0), 0).short(&[]), None);
        assert_eq!(Reader::new(&raw(1e300), 0).short(&[]), Some(1e300));
        assert_eq!(Reader::new(&raw(1e300), 0).short(&[1e300]), None);
        assert_eq!(Reader::new(&[6], 0).short(&[1.0]), None, "no second value before it");
        // Two as 2,000 thousandths; one byte more than needed; none; too many.
        assert_eq!(Reader::new(&written(|out| out.number(zigzag(2_000) << 3 | 1)), 0).sum(None), None);
        assert_eq!(Reader::new(&[2 << 3 | 3, 1, 0], 0).sum(None), None);
        assert_eq!(Reader::new(&[1 << 3 | 3, 1], 0).sum(None), Some(Sum::from_words([1, 0, 0])));
        assert_eq!(Reader::new(&[3], 0).sum(None), None);
        assert_eq!(Reader::new(&[&[25 << 3 | 3, 1][..], &[1; 25]].concat(), 0).sum(None), None);
        assert_eq!(Reader::new(&[2], 0).sum(None), None, "of no value");
        assert_eq!(Reader::new(&[2], 0).sum(Some(2.0)), Some(of(&[2.0])));
    }

    proptest! {
        #[test]
        fn doubles_come_back(value in prop_oneof![
            any::<f64>().prop_filter("finite", |value| value.is_finite()),
            (-100_000..100_000_i32).prop_map(|value| f64::from(value) / 100.0),
            -1e16..1e16_f64,
        ], other: u16) {
            let value = value + 0.0;
            for before in [&[][..], &[f64::from(other)], &[1.5, value]] {
                let bytes = written(|out| out.short(value, before));
                let mut input = Reader::new(&bytes, 0);
                prop_assert_eq!(input.short(before).map(f64::to_bits), Some(value.to_bits()));
                prop_assert!(input.is_empty());
            }
        }

        #[test]
        fn sums_come_back(values in prop::collection::vec(prop_oneof![
            any::<f64>().prop_filter("finite", |value| value.is_finite()),
            (-1_000_000..1_000_000_i32).prop_map(|value| f64::from(value) / 8.0),
            (-1_000_000..1_000_000_i32).prop_map(f64::from),
        ], 0..5), words: [u64; 3]) {
            for sum in [of(&values), Sum::from_words(words)] {
                for one in [None, values.first().copied()] {
                    let bytes = written(|out| out.sum(sum, one));
                    let mut input = Reader::new(&bytes, 0);
                    prop_assert_eq!(input.sum(one), Some(sum));
                    prop_assert!(input.is_empty());
                }
            }
        }

        #[test]
        fn any_bytes_are_refused_or_are_the_one_spelling(bytes in prop::collection::vec(any::<u8>(), 0..30), before: [u8; 2]) {
            let before = before.map(f64::from);
            let mut input = Reader::new(&bytes, 0);
            if let Some(value) = input.short(&before) {
                let again = written(|out| out.short(value, &before));
                prop_assert_eq!(&bytes[..input.offset()], again.as_slice());
            }
            let mut input = Reader::new(&bytes, 0);
            if let Some(sum) = input.sum(Some(before[0])) {
                let again = written(|out| out.sum(sum, Some(before[0])));
                prop_assert_eq!(&bytes[..input.offset()], again.as_slice());
            }
        }
    }
}
