//! Decimal digits of doubles.

use core::fmt::{self, Write as _};
use core::str;

/// The double nearest to the shortest decimal text of `number`, its point moved by `places` digits to the right.
///
/// A product would round twice: the double of 1.005 is a little below it, and so is 1000 times that, though 1005 is a double.
#[inline(never)]
pub(crate) fn shift(number: f64, places: i32) -> f64 {
    // Whole numbers are their own digits, and a product or quotient of two exact doubles is rounded once.
    if number.abs() < EXACT && number as i64 as f64 == number {
        return scale(number, places);
    }
    shift_fraction(number, places)
}

/// Every integer below is a double: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// 10^n is a double without error up to 22.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// `digits`, an integer below 2^53, with its point moved by up to 22 digits.
#[inline]
fn scale(digits: f64, places: i32) -> f64 {
    let power = POWERS.get(places.unsigned_abs() as usize).copied().unwrap_or(f64::NAN);
    if places < 0 { digits / power } else { digits * power }
}

/// Most fractions have at most fifteen digits. As a whole number these are below 2^50, so that one rounded product finds
/// them. The quotient then checks them: no other decimal number of so few digits has the same double.
#[inline(never)]
fn shift_fraction(number: f64, places: i32) -> f64 {
    for fraction in [3, 6, 9, 12, 15] {
        let near = scale(number, fraction);
        if near.abs() >= 1e15 {
            break;
        }
        let digits = (near + if near < 0.0 { -0.5 } else { 0.5 }) as i64 as f64;
        if digits / scale(1.0, fraction) == number {
            return scale(digits, places - fraction);
        }
    }
    by_the_book(number, places)
}

/// By the shortest text, as the standard library prints and reads it.
#[cold]
fn by_the_book(number: f64, places: i32) -> f64 {
    let mut text = Text { bytes: [0; 40], len: 0 };
    let moved = write!(text, "{number:e}").ok().and_then(|()| {
        let at = text.as_str().rfind('e')?;
        let exponent: i32 = text.as_str().get(at + 1..)?.parse().ok()?;
        text.len = at;
        write!(text, "e{}", exponent + places).ok()?;
        text.as_str().parse().ok()
    });
    // Infinities and NaN have no digits to move.
    moved.unwrap_or(number)
}

/// Text on the stack: 17 digits, a sign, a point and an exponent fit.
struct Text {
    bytes: [u8; 40],
    len: usize,
}

impl Text {
    fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = self.bytes.get_mut(self.len..).unwrap_or_default();
        free.get_mut(..text.len()).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_move_and_are_not_multiplied() {
        for (number, places, moved) in [
            (1.005, 3, 1005.0),
            (-1.005, 3, -1005.0),
            (0.0, 3, 0.0),
            (1_005_000.0, -3, 1005.0),
            (1.1, -6, 1.1e-6),
            (0.3, -3, 0.0003),
            (9.95, 3, 9950.0),
            (0.123_456_789_012_345_67, 3, 123.456_789_012_345_67),
            (1.234_567_890_123_456_7e300, 3, 1.234_567_890_123_456_7e303),
            (5e-324, 3, 5e-321),
            (5e-324, -3, 0.0),
            (f64::MAX, 3, f64::INFINITY),
            (f64::INFINITY, 3, f64::INFINITY),
        ] {
            assert_eq!(shift(number, places).to_bits(), moved.to_bits(), "{number:e} by {places}");
        }
        assert!(shift(f64::NAN, 3).is_nan());
    }

    /// Every number of up to six digits, at every place of its point.
    #[test]
    fn short_decimals_meet_what_their_text_says() {
        for digits in (0..1_000_000_u64).step_by(7) {
            for exponent in [-12, -9, -7, -6, -3, -2, -1, 0, 2] {
                let number: f64 = std::format!("{digits}e{exponent}").parse().unwrap();
                for places in [3, -3, -6] {
                    let moved: f64 = std::format!("{digits}e{}", exponent + places).parse().unwrap();
                    assert_eq!(shift(number, places), moved, "{digits}e{exponent} by {places}");
                }
            }
        }
    }

    #[test]
    fn both_ways_agree() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..200_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let number = f64::from_bits(state);
            for number in [number, (state >> 20) as f64 / 1e9, (state >> 44) as f64 / 1e4] {
                if number.is_finite() {
                    for places in [3, -3, -6] {
                        assert_eq!(shift(number, places), by_the_book(number, places), "{number:e}");
                    }
                }
            }
        }
    }
}
