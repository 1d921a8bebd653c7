//! Sums that do not depend on the order of their terms.

/// A sum in fixed point with 15 decimal places, 192 bits wide.
///
/// Each value is taken as a whole number of 1e-15, by one rule, and whole numbers add up the same in any order. A
/// value beyond ±1.7e23 (the range of an `i128` at that resolution) is taken as that limit; the carry above the
/// `i128` is kept, so that a sum that leaves the range and comes back is still right. Only the answer saturates.
///
/// Three words instead of an `i128` and a carry, because the alignment of an `i128` would pad every cell by 8 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Sum {
    low: [u64; 2],
    carry: i64,
}

const ONE: i128 = 1_000_000_000_000_000;

/// The first whole number that no longer fits: floor(i128::MAX / 1e15) + 1, rounded to a double.
const LIMIT: f64 = 1.701_411_834_604_692_3e23;

impl Sum {
    /// Whether the value is outside what a term can be.
    pub(crate) fn is_clamped(value: f64) -> bool {
        value.abs() >= LIMIT
    }

    pub(crate) fn add(&mut self, value: f64) {
        let units = units(value);
        self.add_parts(units as u128, if units < 0 { -1 } else { 0 });
    }

    /// Adds some values, at most [`MOST`](Self::MOST).
    #[inline]
    pub(crate) fn add_all(&mut self, values: impl Iterator<Item = f64>) {
        let mut parts = Parts::default();
        for value in values {
            if !parts.take(value) {
                self.add(value);
            }
        }
        self.add_taken(parts);
    }

    /// Adds what was taken apart.
    #[inline]
    pub(crate) fn add_taken(&mut self, parts: Parts) {
        let units = i128::from(parts.whole) * ONE + i128::from(parts.fraction);
        self.add_parts(units as u128, if units < 0 { -1 } else { 0 });
    }

    /// How many values may be taken apart at once: so many whole parts below 2^53 fit into a word.
    pub(crate) const MOST: usize = 1 << 9;

    /// That of one value.
    pub(crate) fn of(value: f64) -> Self {
        let mut sum = Self::default();
        sum.add(value);
        sum
    }

    /// The sum in whole units of which so many are one, 1 or 1,000, when it is a number of those below 2^59.
    pub(crate) fn in_units(self, units_in_one: u32) -> Option<i64> {
        let unit = ONE / i128::from(units_in_one);
        let low = self.low() as i128;
        if i128::from(self.carry) != low >> 127 || low % unit != 0 {
            return None;
        }
        i64::try_from(low / unit).ok().filter(|units| units.unsigned_abs() < 1 << 59)
    }

    /// The reverse of [`in_units`](Self::in_units), for units below 2^62.
    #[inline]
    pub(crate) fn from_units(units: i64, units_in_one: u32) -> Self {
        // 110 bits at most.
        let low = i128::from(units).wrapping_mul(ONE / i128::from(units_in_one.max(1)));
        Self { low: [low as u64, (low >> 64) as u64], carry: (low >> 127) as i64 }
    }

    #[inline]
    pub(crate) fn merge(&mut self, other: Self) {
        self.add_parts(other.low(), other.carry);
    }

    /// The three words, lowest first.
    pub(crate) fn to_words(self) -> [u64; 3] {
        [self.low[0], self.low[1], self.carry as u64]
    }

    pub(crate) fn from_words(words: [u64; 3]) -> Self {
        Self { low: [words[0], words[1]], carry: words[2] as i64 }
    }

    /// The sum as a double: the whole part and the 15 places behind it, so that 0.1 + 0.2 is 0.3.
    #[inline]
    pub(crate) fn value(self) -> f64 {
        let low = self.low() as i128;
        let units = match self.carry {
            0 if low >= 0 => low,
            -1 if low < 0 => low,
            carry if carry < 0 => i128::MIN,
            _ => i128::MAX,
        };
        // Most sums fit into a word, and dividing that is ten times cheaper.
        let (whole, rest) = match i64::try_from(units) {
            Ok(units) => (i128::from(units / ONE as i64), units % ONE as i64),
            Err(_) => {
                let whole = units / ONE;
                (whole, (units - whole * ONE) as i64)
            }
        };
        whole as f64 + rest as f64 / 1e15
    }

    fn low(self) -> u128 {
        u128::from(self.low[1]) << 64 | u128::from(self.low[0])
    }

    fn add_parts(&mut self, low: u128, carry: i64) {
        let (sum, over) = self.low().overflowing_add(low);
        self.low = [sum as u64, (sum >> 64) as u64];
        // 2^63 carries would take 2^63 values.
        self.carry = self.carry.wrapping_add(carry).wrapping_add(i64::from(over));
    }
}

/// Below this, a double has a fraction, and its whole part is a word.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The whole parts of some values and their fractions, summed apart, so that they are joined once.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Parts {
    whole: i64,
    fraction: i64,
}

impl Parts {
    /// Takes one of at most [`Sum::MOST`] values; `false` of one that has to be added by itself.
    #[inline]
    pub(crate) fn take(&mut self, value: f64) -> bool {
        // As bits, all that is negative or no number is greater.
        let is_small = value.to_bits() < SMALL.to_bits();
        if is_small {
            // As `parts` has it, without asking whether it fits: a double this far up has no bits behind the point, and its
            // lower ones are the number.
            let number = |far_up: f64| far_up.to_bits().wrapping_sub(ROUND.to_bits()) as i64;
            let rounded = value + ROUND;
            let (nearest, whole) = (number(rounded), rounded - ROUND);
            self.whole += nearest;
            // Most values are whole numbers.
            if whole != value {
                let is_above = whole > value;
                let whole = whole - if is_above { 1.0 } else { 0.0 };
                self.whole -= i64::from(is_above);
                self.fraction += number((value - whole) * 1e15 + ROUND);
            }
        }
        is_small || self.take_any(value)
    }

    #[cold]
    fn take_any(&mut self, value: f64) -> bool {
        let is_small = value.abs() < EXACT;
        if is_small {
            let (whole, fraction) = parts(value);
            self.whole += whole;
            self.fraction += fraction;
        }
        is_small
    }
}

/// Below 2^51, adding 1.5 * 2^52 leaves no room for a fraction: rounding half to even.
const ROUND: f64 = 6_755_399_441_055_744.0;
const SMALL: f64 = 2_251_799_813_685_248.0;

/// The value in units of 1e-15: the whole part exactly, the fraction rounded half to even.
#[inline]
fn units(value: f64) -> i128 {
    // Two paths that agree where both apply: the first does without 128-bit conversions and calls of libm.
    if value.abs() < EXACT {
        let (whole, fraction) = parts(value);
        return i128::from(whole) * ONE + i128::from(fraction);
    }
    wide_units(value)
}

/// The whole part, and the fraction in units of 1e-15.
#[inline]
fn parts(value: f64) -> (i64, i64) {
    let whole = value as i64; // cuts the fraction off
    let fraction = (value - whole as f64) * 1e15;
    (whole, (fraction + ROUND - ROUND) as i64)
}

#[cold]
fn wide_units(value: f64) -> i128 {
    if Sum::is_clamped(value) {
        return if value < 0.0 { i128::MIN } else { i128::MAX };
    }
    let whole = value.trunc();
    let fraction = ((value - whole) * 1e15).round_ties_even();
    (whole as i128).saturating_mul(ONE).saturating_add(fraction as i128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_term_can_be_ends_at_the_limit() {
        let below = f64::from_bits(LIMIT.to_bits() - 1);
        assert!(![0.0, -0.0, 1e-300, below, -below].into_iter().any(Sum::is_clamped));
        assert!([LIMIT, -LIMIT, f64::MAX, f64::INFINITY].into_iter().all(Sum::is_clamped));
    }

    #[test]
    fn only_what_fits_into_a_word_is_taken_apart() {
        let mut parts = Parts::default();
        assert!(parts.take(EXACT - 1.0) && parts.take(-2.5));
        assert!(!parts.take(EXACT) && !parts.take(-EXACT) && !parts.take(f64::NAN));
        let mut sum = Sum::default();
        sum.add_taken(parts);
        let mut one_by_one = Sum::of(EXACT - 1.0);
        one_by_one.add(-2.5);
        assert_eq!(sum, one_by_one);
        let mut none = Sum::default();
        none.add_taken(Parts::default());
        assert_eq!(none, Sum::default());
        none.add_all([-1.0, 1.0].into_iter());
        assert_eq!(none, Sum::default());
    }

    #[test]
    fn many_at_once_are_as_one_after_the_other() {
        let odd = [0.1, -0.3, 1e15 + 0.5, -9e15, 9_007_199_254_740_991.0, -9_007_199_254_740_991.5, 1e22, -1e300, 5.0];
        for most in [1, 2, odd.len(), Sum::MOST] {
            let values = || odd.into_iter().cycle().take(most);
            let (mut at_once, mut one_by_one) = (Sum::default(), Sum::default());
            at_once.add_all(values());
            values().for_each(|value| one_by_one.add(value));
            assert_eq!(at_once, one_by_one);
        }
        let mut greatest = Sum::default();
        greatest.add_all(std::iter::repeat_n(EXACT - 1.0, Sum::MOST));
        assert_eq!(greatest.value(), (EXACT - 1.0) * Sum::MOST as f64);
    }

    fn is_taken_apart(value: f64) {
        let mut taken = Parts::default();
        assert!(taken.take(value));
        assert_eq!((taken.whole, taken.fraction), parts(value), "{value:?}");
    }

    #[test]
    fn values_near_a_bound_are_taken_apart_alike() {
        for near in [0.0, 0.5, 1.0, 1.5, 2.5, 1e-15, 5e-16, 1e-300, 1e15, SMALL, SMALL / 2.0, EXACT / 2.0, 4_194_304.0]
        {
            let up = |value: f64| f64::from_bits(value.to_bits() + 1);
            let down = |value: f64| f64::from_bits(value.to_bits().saturating_sub(1));
            [near, up(near), down(near), -near].into_iter().for_each(is_taken_apart);
        }
    }

    fn sum(values: &[f64]) -> f64 {
        let mut sum = Sum::default();
        for value in values {
            sum.add(*value);
        }
        sum.value()
    }

    #[test]
    fn whole_units_are_told_up_to_their_bound_on_either_side_of_zero() {
        let bound = (1_i64 << 59) as f64;
        for (value, units_in_one, units) in [
            (5.0, 1, Some(5)),
            (-5.0, 1, Some(-5)),
            (-0.005, 1_000, Some(-5)),
            (0.5, 1, None),
            (-0.0005, 1_000, None),
            (bound - 128.0, 1, Some((1 << 59) - 128)),
            (-bound + 128.0, 1, Some(128 - (1 << 59))),
            (bound, 1, None),
            (-bound, 1, None),
            (1e22, 1, None),
            (-1e22, 1, None),
        ] {
            assert_eq!(Sum::of(value).in_units(units_in_one), units, "{value}");
            if let Some(units) = units {
                assert_eq!(Sum::from_units(units, units_in_one), Sum::of(value), "{value}");
            }
        }
    }

    #[test]
    fn decimals_add_up_as_on_paper() {
        assert_eq!(sum(&[0.1, 0.2]), 0.3);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[-0.1, -0.2]), -0.3);
        assert_eq!(sum(&[1e15, 1.0, -1e15]), 1.0);
        assert_eq!(sum(&[10_000.5]), 10_000.5, "more than a word of 1e-15");
        assert_eq!(sum(&[9_007_199_254_740_993.0]), 9_007_199_254_740_992.0);
        assert_eq!(sum(&[]), 0.0);
    }

    #[test]
    fn a_sum_may_leave_the_range_and_come_back() {
        let big = 1.5e23;
        assert_eq!(sum(&[big, big, -big, -big, 0.5]), 0.5);
        assert_eq!(sum(&[-big, -big, big, big, 0.5]), 0.5);
        assert_eq!(sum(&[big, big]), i128::MAX as f64 / 1e15);
        assert_eq!(sum(&[-big, -big]), i128::MIN as f64 / 1e15);
        // Of these two only the carry is left.
        assert_eq!(sum(&[f64::MIN, f64::MIN]), i128::MIN as f64 / 1e15);
    }

    #[test]
    fn its_words_are_all_of_it() {
        for values in [&[][..], &[0.1], &[-0.1], &[f64::MAX], &[f64::MAX; 3], &[f64::MIN; 3]] {
            let mut sum = Sum::default();
            values.iter().for_each(|value| sum.add(*value));
            assert_eq!(Sum::from_words(sum.to_words()), sum, "{values:?}");
        }
        assert_eq!(Sum { low: [1, 2], carry: -3 }.to_words(), [1, 2, 3_u64.wrapping_neg()]);
    }

    #[test]
    fn a_term_out_of_range_counts_as_the_limit() {
        assert!(Sum::is_clamped(f64::MAX) && Sum::is_clamped(-1e300) && !Sum::is_clamped(1.7e23));
        assert_eq!(sum(&[f64::MAX]), i128::MAX as f64 / 1e15);
        assert_eq!(sum(&[f64::MIN]), i128::MIN as f64 / 1e15);
        assert_eq!(units(LIMIT.next_down()) / ONE, LIMIT.next_down() as i128);
        assert_eq!(sum(&[1e-300, 4.9e-324]), 0.0);
    }

    proptest! {
        #[test]
        fn fast_is_plain(value in prop_oneof![0.0..3e15_f64, -1e3..1e3_f64, 0.0..2e-15_f64, 1e9..1e10_f64], whole in 0..1_u64 << 52) {
            is_taken_apart(value);
            is_taken_apart(whole as f64 / 2.0);
            is_taken_apart(whole as f64 / 1e3);
        }

        #[test]
        fn both_paths_agree(value in prop_oneof![-1e16..1e16_f64, -1e3..1e3_f64, -1e-12..1e-12_f64]) {
            prop_assert_eq!(units(value), wide_units(value));
        }

        #[test]
        fn order_and_grouping_make_no_difference(
            mut values in prop::collection::vec(any::<f64>().prop_filter("finite", |v| v.is_finite()), 0..40),
            cut in 0usize..40,
        ) {
            let one = sum(&values);
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut parts = [Sum::default(); 2];
            left.iter().for_each(|v| parts[0].add(*v));
            right.iter().for_each(|v| parts[1].add(*v));
            let (mut a, mut b) = (parts[0], parts[1]);
            a.merge(parts[1]);
            b.merge(parts[0]);
            prop_assert_eq!(a, b);
            prop_assert_eq!(a.value(), one);
            values.reverse();
            prop_assert_eq!(sum(&values), one);
        }
    }
}
