//! What the values of fields may be.

use crate::code::Code;
use crate::error::FieldRefusalKind;
use logfmt_metrics::NumberErrorKind;

/// `code`, or the `blank-app` of 2013.
pub(crate) fn code(value: &[u8]) -> Result<Code, FieldRefusalKind> {
    if value == b"blank-app" { Ok(Code::BLANK_APP) } else { Code::parse(value).ok_or(FieldRefusalKind::BadCode) }
}

/// `"true" / "false"`
pub(crate) fn flag(value: &[u8]) -> Result<bool, FieldRefusalKind> {
    match value {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(FieldRefusalKind::BadFlag),
    }
}

/// `3DIGIT`, from 100: RFC 9110, 15.
pub(crate) fn status(value: &[u8]) -> Result<u16, FieldRefusalKind> {
    match *value {
        [hundreds @ b'1'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
            Ok(u16::from(hundreds - b'0') * 100 + u16::from(tens - b'0') * 10 + u16::from(ones - b'0'))
        }
        _ => Err(FieldRefusalKind::BadStatus),
    }
}

/// `1*DIGIT`, up to 64 bits.
pub(crate) fn number(digits: &[u8]) -> Result<u64, FieldRefusalKind> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(FieldRefusalKind::NotANumber);
    }
    digits
        .iter()
        .try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
        .ok_or(FieldRefusalKind::OutOfRange)
}

/// `1*DIGIT ["ms"]` is what routers write; any number with `ms`, `s` or no unit is read, from 0 to 64 bits.
pub(crate) fn milliseconds(value: &[u8]) -> Result<f64, FieldRefusalKind> {
    const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
    let time = logfmt_metrics::number(value).map_err(|error| match error.kind() {
        NumberErrorKind::NotFinite => FieldRefusalKind::OutOfRange,
        NumberErrorKind::BadUnit => FieldRefusalKind::BadUnit,
        _ => FieldRefusalKind::NotANumber,
    })?;
    if !matches!(time.unit().as_str(), "" | "ms" | "s") {
        return Err(FieldRefusalKind::BadUnit);
    }
    let time = time.regular().number();
    if (0.0..TWO_TO_64).contains(&time) { Ok(time) } else { Err(FieldRefusalKind::OutOfRange) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds() {
        use FieldRefusalKind::{BadUnit, NotANumber, OutOfRange};
        for (text, time) in [
            ("0", Ok(0.0)),
            ("30ms", Ok(30.0)),
            ("30", Ok(30.0)),
            ("2s", Ok(2_000.0)),
            ("1.5ms", Ok(1.5)),
            ("0.0005s", Ok(0.5)),
            ("1.005s", Ok(1_005.0)),
            ("30001ms", Ok(30_001.0)),
            ("18446744073709549568ms", Ok(18_446_744_073_709_549_568.0)),
            ("18446744073709551616ms", Err(OutOfRange)),
            ("99999999999999999999ms", Err(OutOfRange)),
            ("18446744073709552s", Err(OutOfRange)),
            ("1e999", Err(OutOfRange)),
            ("-1ms", Err(OutOfRange)),
            ("-0", Ok(0.0)),
            ("1us", Err(BadUnit)),
            ("1sm", Err(BadUnit)),
            ("1m", Err(BadUnit)),
            ("1MS", Err(BadUnit)),
            ("1ms,", Err(BadUnit)),
            ("0x1ms", Err(BadUnit)),
            ("abc", Err(NotANumber)),
            ("ms", Err(NotANumber)),
            ("NaN", Err(NotANumber)),
            ("inf", Err(NotANumber)),
            ("-", Err(NotANumber)),
        ] {
            assert_eq!(milliseconds(text.as_bytes()), time, "{text}");
        }
    }

    #[test]
    fn digits_up_to_64_bits() {
        assert_eq!(number(b"0"), Ok(0));
        assert_eq!(number(b"0000000000000000000000007"), Ok(7));
        assert_eq!(number(b"18446744073709551615"), Ok(u64::MAX));
        assert_eq!(number(b"18446744073709551616"), Err(FieldRefusalKind::OutOfRange));
        for text in [&b""[..], b"-1", b"+1", b"1 ", b"1.0", b"\xd9\xa1"] {
            assert_eq!(number(text), Err(FieldRefusalKind::NotANumber));
        }
    }

    #[test]
    fn statuses_have_three_digits() {
        for number in 100..=999 {
            assert_eq!(status(number.to_string().as_bytes()), Ok(number));
        }
        for text in ["0", "20", "099", "000", "1000", "2000", "20x", "+20", "-20", "2 0", "200.0", "2e2"] {
            assert_eq!(status(text.as_bytes()), Err(FieldRefusalKind::BadStatus), "{text}");
        }
    }
}
