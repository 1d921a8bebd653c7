mod fast;
mod long;

use crate::error::{NumberError, NumberErrorKind};
use core::str;
use metric_model::{Unit, Value};

/// The most letters a unit may have: a choice of this crate, wide of the longest ones met in logs (`bytes`, `pages`).
///
/// ```
/// use logfmt_metrics::{MAX_UNIT, number};
/// assert!(number(format!("1{}", "x".repeat(MAX_UNIT)).as_bytes()).is_ok());
/// assert!(number(format!("1{}", "x".repeat(MAX_UNIT + 1)).as_bytes()).is_err());
/// ```
pub const MAX_UNIT: usize = 16;

/// Reads a number with its unit, as written. Takes all of `text`; linear in it, and never allocates.
///
/// ```text
/// value    = [ "+" / "-" ] ( 1*DIGIT [ "." *DIGIT ] / "." 1*DIGIT ) [ exponent ] [ unit ]
/// exponent = ( "e" / "E" ) [ "+" / "-" ] 1*DIGIT
/// unit     = "%" / 1*16( ALPHA / MICRO )             ; MICRO is U+00B5 or U+03BC, in UTF-8
/// ```
///
/// The number is the double nearest to the decimal text; `-0` is `0.0`. An `e` without digits begins a unit. So is the number
/// in the [regular unit](Value::regular): `1.005s` and `1005ms` meet, however many digits there are.
///
/// ```
/// use logfmt_metrics::number;
/// use metric_model::{Unit, Value};
///
/// assert_eq!(number(b"40.9MB"), Ok(Value::new(40.9, Unit::new("MB"))));
/// assert_eq!(number(b"-1.5e3"), Ok(Value::plain(-1500.0)));
/// assert_eq!(number(b"0.998"), Ok(Value::plain(0.998)));
/// assert_eq!(number(b"12,5").map_err(|e| e.to_string()), Err("not 1 to 16 letters or % in unit at byte 2".into()));
/// ```
///
/// # Errors
///
/// A [`NumberError`]: nothing there, no digits where they are due (`ms`, `NaN`, `inf`), beyond the largest double, or
/// a rest that is no unit. Its offset counts from the start of `text`.
#[inline]
pub fn number(text: &[u8]) -> Result<Value<'_>, NumberError> {
    number_in(text, text, text.len())
}

/// Reads the first `len` bytes of `rest`, an end of `line`. What stands behind them is no part of a number.
#[inline]
pub(crate) fn number_in<'a>(line: &[u8], rest: &'a [u8], len: usize) -> Result<Value<'a>, NumberError> {
    match fast::number(line, rest) {
        Some((value, behind)) if behind.len() + len == rest.len() => Ok(value),
        _ => plain_number(rest.get(..len).unwrap_or_default()),
    }
}

/// Reads the bare value that `rest`, an end of `line`, begins with, and finds what is behind it. `None` is no judgement.
#[inline(always)]
pub(crate) fn fast_number<'a>(line: &[u8], rest: &'a [u8]) -> Option<(Value<'static>, &'a [u8])> {
    fast::number(line, rest).filter(|(_, behind)| behind.first().is_none_or(|&byte| byte <= b' '))
}

/// The plain reader, of all texts.
#[cold]
#[inline(never)]
fn plain_number(text: &[u8]) -> Result<Value<'_>, NumberError> {
    let Decimal { number, digits, len } = decimal(text)?;
    let unit = unit(&text[len..]).map_err(|at| NumberError::new(NumberErrorKind::BadUnit, len + at))?;
    let value = Value::new(number, Unit::new(unit));
    // More digits than a double holds: in the regular unit they are rounded from the text as well, and not once more.
    Ok(match value.unit().decimal_shift() {
        Some(shift) if digits > SHORT || number.abs() < f64::MIN_POSITIVE => {
            value.with_regular(long::shifted(&text[..len], shift))
        }
        _ => value,
    })
}

/// A text of up to this many digits comes back from the double nearest to it, but for the smallest doubles.
const SHORT: usize = 15;

struct Decimal {
    number: f64,
    /// How many digits there are, leading zeros included, and those of the exponent not.
    digits: usize,
    /// How many bytes of the text it takes.
    len: usize,
}

/// 10^n is a double without error up to here.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Every integer up to here is a double.
const EXACT: u64 = 1 << 53;

/// This many digits fit 64 bits, whichever they are.
const DIGITS: usize = 19;

/// The number alone.
///
/// Most numbers of logs are an integer below 2^53 and a small power of ten. Both are doubles, so one multiplication or
/// division rounds once and gives the nearest double (Clinger's fast path). The standard library reads the rest.
#[inline]
fn decimal(text: &[u8]) -> Result<Decimal, NumberError> {
    let negative = text.first() == Some(&b'-');
    let start = usize::from(matches!(text.first(), Some(b'+' | b'-')));

    let (mantissa, whole_end) = digits(text, start, 0);
    let (mantissa, digits_end, fraction) = if text.get(whole_end) == Some(&b'.') {
        let (mantissa, end) = digits(text, whole_end + 1, mantissa);
        (mantissa, end, end - whole_end - 1)
    } else {
        (mantissa, whole_end, 0)
    };
    let count = whole_end - start + fraction;
    if count == 0 {
        return Err(match text {
            [] => NumberError::new(NumberErrorKind::Empty, 0),
            _ => NumberError::new(NumberErrorKind::NotANumber, start),
        });
    }
    let (exponent, len) = exponent(text, digits_end);

    // A count of 19 at most keeps the difference inside i64, and the mantissa from having wrapped.
    if count <= DIGITS && mantissa <= EXACT {
        let power = exponent - fraction as i64;
        if let Some(scale) = usize::try_from(power.unsigned_abs()).ok().and_then(|power| POWERS.get(power)) {
            let size = if power < 0 { mantissa as f64 / scale } else { mantissa as f64 * scale };
            return Ok(Decimal { number: signed(size, negative), digits: count, len });
        }
    }
    let number = by_the_book(&text[start..len]);
    if number.is_finite() {
        Ok(Decimal { number: signed(number, negative), digits: count, len })
    } else {
        Err(NumberError::new(NumberErrorKind::NotFinite, 0))
    }
}

/// Adding a zero turns the negative one into the positive one, and changes nothing else.
fn signed(size: f64, negative: bool) -> f64 {
    if negative { -size + 0.0 } else { size }
}

/// *DIGIT: what they append to `mantissa`, modulo 2^64, and where they end.
#[inline]
fn digits(text: &[u8], from: usize, mut mantissa: u64) -> (u64, usize) {
    let mut at = from;
    while let Some(byte @ b'0'..=b'9') = text.get(at) {
        mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        at += 1;
    }
    (mantissa, at)
}

/// [ ( "e" / "E" ) [ "+" / "-" ] 1*DIGIT ]: its value, 0 when there is none, and where it ends.
///
/// Beyond a million every number is infinite or zero, or by_the_book's to find out, so it stops growing there.
fn exponent(text: &[u8], from: usize) -> (i64, usize) {
    const MOST: i64 = 1_000_000;
    if !matches!(text.get(from), Some(b'e' | b'E')) {
        return (0, from);
    }
    let sign = text.get(from + 1);
    let first = from + 1 + usize::from(matches!(sign, Some(b'+' | b'-')));
    let (mut value, mut at) = (0_i64, first);
    while let Some(byte @ b'0'..=b'9') = text.get(at) {
        value = (value * 10 + i64::from(byte - b'0')).min(MOST);
        at += 1;
    }
    if at == first {
        return (0, from);
    }
    (if sign == Some(&b'-') { -value } else { value }, at)
}

/// The standard library's reading; infinite when the text is too large.
#[cold]
fn by_the_book(text: &[u8]) -> f64 {
    // Digits, a dot and an exponent: always UTF-8, always of std's grammar. NaN would be refused with the infinities.
    str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

/// [ "%" / 1*16( ALPHA / MICRO ) ]; the error is where it goes wrong.
#[inline]
fn unit(text: &[u8]) -> Result<&str, usize> {
    if text.is_empty() {
        return Ok("");
    }
    if text == b"%" {
        return Ok("%");
    }
    let (mut at, mut letters) = (0, 0);
    while at < text.len() {
        let len = match &text[at..] {
            [b'A'..=b'Z' | b'a'..=b'z', ..] => 1,
            [0xc2, 0xb5, ..] | [0xce, 0xbc, ..] => 2,
            _ => return Err(at),
        };
        letters += 1;
        if letters > MAX_UNIT {
            return Err(at);
        }
        at += len;
    }
    str::from_utf8(text).map_err(|error| error.valid_up_to())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_table_holds_powers_of_ten() {
        for (n, power) in POWERS.iter().enumerate() {
            assert_eq!(Ok(*power), alloc::format!("1e{n}").parse::<f64>());
        }
    }

    /// The last case that is one division, and the first that is not.
    #[test]
    fn both_sides_of_what_one_division_reads() {
        for text in [
            "9007199254740992",
            "9007199254740993",
            "9007199254740992e22",
            "9007199254740992e23",
            "9007199254740992e-22",
            "9007199254740992e-23",
            "1234567890123456789",
            "12345678901234567890",
            "0.00000000000000000001",
            "18446744073709551616",
            "1844674407370955161600000000000000000001",
        ] {
            let std = text.parse::<f64>().expect("a number");
            assert_eq!(number(text.as_bytes()).map(|value| value.number().to_bits()), Ok(std.to_bits()), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// A text in seconds, and the same digits in the other units, the point moved.
        #[test]
        fn times_of_one_text_meet(
            sign in "[-+]?", whole in "[0-9]{0,24}", fraction in "[0-9]{0,24}", exponent in -320_i32..300,
            has_exponent in any::<bool>(),
        ) {
            prop_assume!(!whole.is_empty() || !fraction.is_empty());
            let exponent = if has_exponent { exponent } else { 0 };
            let regular = |text: &str| number(text.as_bytes()).map(|value| value.regular().number().to_bits());
            let read = |unit: &str, shift: i32| {
                // Of the digits alone, so that the point may stand elsewhere.
                let text = alloc::format!("{sign}{whole}{fraction}e{}{unit}", exponent - fraction.len() as i32 - shift);
                let written = alloc::format!("{sign}{whole}.{fraction}e{}{unit}", exponent - shift);
                let plain = alloc::format!("{sign}{whole}.{fraction}{unit}");
                let value = regular(&text);
                assert_eq!(value, regular(&written), "{text} {written}");
                if exponent == shift {
                    assert_eq!(value, regular(&plain), "{text} {plain}");
                }
                value
            };
            let wanted = read("ms", 0);
            prop_assume!(wanted.is_ok());
            for (unit, shift) in [("s", 3), ("us", -3), ("\u{b5}s", -3), ("ns", -6)] {
                if let Ok(value) = read(unit, shift) {
                    prop_assert_eq!(Ok(value), wanted, "{} {}", unit, shift);
                }
            }
        }

        #[test]
        fn short_and_long_way_agree(mantissa in 0..=u64::MAX, shift in 0..64, dot in 0_usize..20, exponent in -330_i32..330) {
            let mut text = alloc::format!("{}", mantissa >> shift);
            if dot <= text.len() {
                text.insert(dot, '.');
            }
            let text = alloc::format!("{text}e{exponent}");
            let std = by_the_book(text.as_bytes());
            let ours = number(text.as_bytes());
            if std.is_finite() {
                prop_assert_eq!(ours.map(|value| value.number().to_bits()), Ok(std.to_bits()), "{}", text);
            } else {
                prop_assert_eq!(ours, Err(NumberError::new(NumberErrorKind::NotFinite, 0)));
            }
        }
    }
}
