//! Which bucket a value falls into, and what a bucket answers.
//!
//! A non-negative whole number below 2^(k+1) has a bucket of its own. Everything else is cut by the top bits of its
//! binary form: sign, exponent and k bits of mantissa, which are 2^k buckets of one width in each octave. With k = 7
//! these are the boundaries of an HDR histogram of two significant digits, with k = 10 those of three.

use crate::config::Precision;

/// A bucket of magnitudes: negative values mirror the positive ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bucket {
    negative: bool,
    place: Place,
}

/// Where a magnitude stands. Both run through the range from below, and a whole number comes before the fractions of
/// the octave's bucket that starts at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Whole(u32),
    Octave(u32),
}

/// Buckets in a block.
pub(crate) const BLOCK: usize = 128;

/// The sign bit, and the bit that tells whole numbers from octaves, in the number of a block.
const NEGATIVE: u32 = 1 << 31;
const OCTAVE: u32 = 1 << 30;

impl Bucket {
    /// The bucket of a finite value.
    #[inline]
    pub(crate) fn of(value: f64, precision: Precision) -> Self {
        let bits = precision.bits();
        let magnitude = value.abs();
        let whole = magnitude as u32; // saturates
        let place = if whole < 2 << bits && f64::from(whole) == magnitude {
            Place::Whole(whole)
        } else {
            Place::Octave((magnitude.to_bits() >> (52 - bits)) as u32)
        };
        Self { negative: value < 0.0, place }
    }

    /// The number of its block, and its place there. Block numbers are no order.
    #[inline]
    pub(crate) fn block(self) -> (u32, usize) {
        let sign = if self.negative { NEGATIVE } else { 0 };
        match self.place {
            Place::Whole(whole) => (sign | whole >> 7, whole as usize % BLOCK),
            Place::Octave(index) => (sign | OCTAVE | index >> 7, index as usize % BLOCK),
        }
    }

    pub(crate) fn from_block(block: u32, place: usize) -> Self {
        let index = (block & !(NEGATIVE | OCTAVE)) << 7 | place as u32;
        let place = if block & OCTAVE == 0 { Place::Whole(index) } else { Place::Octave(index) };
        Self { negative: block & NEGATIVE != 0, place }
    }

    /// Sorts buckets as their values: all values of a smaller key are smaller.
    pub(crate) fn key(self, precision: Precision) -> i64 {
        let magnitude = match self.place {
            Place::Whole(whole) => (f64::from(whole).to_bits() >> (52 - precision.bits()) << 1) as i64,
            Place::Octave(index) => (i64::from(index) << 1) | 1,
        };
        if self.negative { -1 - magnitude } else { magnitude }
    }

    /// What the bucket answers: the whole number, or its middle.
    pub(crate) fn answer(self, precision: Precision) -> f64 {
        let magnitude = match self.place {
            Place::Whole(whole) => f64::from(whole),
            Place::Octave(index) => {
                let shift = 52 - precision.bits();
                f64::from_bits(u64::from(index) << shift | 1 << (shift - 1))
            }
        };
        if self.negative { -magnitude } else { magnitude }
    }

    pub(crate) fn is_negative(self) -> bool {
        self.negative
    }

    /// Whether every value in it is the answer.
    pub(crate) fn is_exact(self) -> bool {
        matches!(self.place, Place::Whole(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOTH: [Precision; 2] = [Precision::TwoDigits, Precision::ThreeDigits];

    #[test]
    fn small_whole_numbers_answer_themselves() {
        for precision in BOTH {
            for whole in 0..2_u32 << precision.bits() {
                for value in [f64::from(whole), -f64::from(whole)] {
                    let bucket = Bucket::of(value, precision);
                    assert!(bucket.is_exact());
                    assert_eq!(bucket.answer(precision), value);
                }
            }
            assert!(!Bucket::of(f64::from(2 << precision.bits()), precision).is_exact());
            assert!(!Bucket::of(0.5, precision).is_exact());
        }
    }

    #[test]
    fn extremes_have_finite_answers() {
        for precision in BOTH {
            for value in [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 4.9e-324, -4.9e-324] {
                let answer = Bucket::of(value, precision).answer(precision);
                assert!(answer.is_finite());
                assert_eq!(answer < 0.0, value < 0.0);
            }
        }
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<f64>().prop_filter("finite", |v| v.is_finite()),
            -3_000.0..3_000.0_f64,
            (-3_000..3_000_i32).prop_map(f64::from),
            (-6_000..6_000_i32).prop_map(|v| f64::from(v) / 2.0),
        ]
    }

    proptest! {
        #[test]
        fn keys_sort_as_values(a in value(), b in value()) {
            for precision in BOTH {
                let (x, y) = (Bucket::of(a, precision), Bucket::of(b, precision));
                let (kx, ky) = (x.key(precision), y.key(precision));
                if kx < ky { prop_assert!(a < b); }
                if kx > ky { prop_assert!(a > b); }
                if kx == ky { prop_assert_eq!(x, y); }
            }
        }

        #[test]
        fn answers_are_within_the_stated_error(value in value()) {
            for precision in BOTH {
                let bucket = Bucket::of(value, precision);
                let (block, place) = bucket.block();
                prop_assert_eq!(Bucket::from_block(block, place), bucket);
                // Below the normal range, doubles themselves lose their digits.
                if value == 0.0 || value.abs() >= f64::MIN_POSITIVE {
                    let error = (bucket.answer(precision) - value).abs();
                    prop_assert!(error <= value.abs() * precision.relative_error());
                }
            }
        }

        #[test]
        fn the_fine_buckets_nest_in_the_coarse_ones(value in value()) {
            let fine = Bucket::of(value, Precision::ThreeDigits).answer(Precision::ThreeDigits);
            prop_assert_eq!(Bucket::of(fine, Precision::TwoDigits), Bucket::of(value, Precision::TwoDigits));
        }
    }
}
