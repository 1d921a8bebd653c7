//! The fast reader of numbers as most lines have them; others are the plain reader's.

use super::POWERS;
use byte_words::{every, first_word, number_of_digits};
use metric_model::{Unit, Value};

/// `1*DIGIT [ "." 1*DIGIT ] [ unit ]`, up to fifteen digits, with a unit that most lines have, and what is behind it.
///
/// `text` is an end of `line`. `None` is no judgement, and nor is it one that the text goes on. Digits are taken eight at a
/// time, and how many there are is not branched on.
#[inline(always)]
pub(super) fn number<'a>(line: &[u8], text: &'a [u8]) -> Option<(Value<'static>, &'a [u8])> {
    let (number, len) = decimal(line, text);
    let behind = text.get(len..).filter(|_| len > 0)?;
    if behind.first().is_none_or(|&byte| byte <= b' ') {
        return Some((Value::plain(number), behind));
    }
    let unit = unit(behind)?;
    Some((Value::new(number, Unit::new(unit)), behind.get(unit.len()..)?))
}

/// `1*DIGIT [ "." 1*DIGIT ]`, up to seven bytes, and how many there are.
///
/// Where the dot is in the word, the digits behind it are moved up over it, and those of a whole number remain.
#[inline(always)]
fn decimal(line: &[u8], text: &[u8]) -> (f64, usize) {
    let bytes = first_word(line, text);
    let whole = leading(bytes);
    if whole == 8 {
        return long_decimal(line, text);
    }
    let is_dot = (bytes >> (8 * whole)) as u8 == b'.';
    if !is_dot {
        return (value(bytes, whole) as f64, whole as usize);
    }
    let before_dot = (1 << (8 * whole)) - 1;
    let bytes = bytes & before_dot | bytes >> 8 & !before_dot;
    let count = leading(bytes);
    let decimals = count.wrapping_sub(whole) as usize;
    match POWERS.get(decimals) {
        // Both are doubles without error, so the division rounds once and gives the nearest one.
        Some(power) if count < 7 && decimals > 0 && whole > 0 => {
            (value(bytes, count) as f64 / power, count as usize + 1)
        }
        _ => long_decimal(line, text),
    }
}

/// `1*DIGIT [ "." 1*DIGIT ]`, up to fifteen digits, and how many bytes; none when there are more.
#[inline(never)]
fn long_decimal(line: &[u8], text: &[u8]) -> (f64, usize) {
    let (whole, count) = digits(line, text);
    let Some([b'.', fraction @ ..]) = text.get(count..) else { return (whole as f64, count) };
    let (fraction, decimals) = digits(line, fraction);
    let (Some(tens), Some(power)) = (TENS.get(decimals), POWERS.get(decimals)) else { return (0.0, 0) };
    if count == 0 || decimals == 0 || count + decimals > DIGITS {
        return (0.0, 0);
    }
    // Again both are doubles without error: the mantissa is below 2^53.
    ((whole * tens + fraction) as f64 / power, count + 1 + decimals)
}

/// All integers of this many digits are below 2^53.
const DIGITS: usize = 15;

const TENS: [i64; 16] = {
    let (mut tens, mut nth) = ([1; 16], 1);
    while nth < 16 {
        tens[nth] = tens[nth - 1] * 10;
        nth += 1;
    }
    tens
};

/// `1*15DIGIT`: what they say, and how many there are; no or more digits count as none.
fn digits(line: &[u8], text: &[u8]) -> (i64, usize) {
    let first = first_word(line, text);
    let second = first_word(line, text.get(8..).unwrap_or_default());
    match (leading(first), leading(second)) {
        (count @ 0..8, _) => (value(first, count), count as usize),
        (_, 0) => (value(first, 8), 8),
        (_, count) => match TENS.get(count as usize) {
            Some(tens) if count < 8 => (value(first, 8) * tens + value(second, count), 8 + count as usize),
            _ => (0, 0),
        },
    }
}

/// How many of the eight bytes are digits, from the first on.
///
/// Less `0`, a digit is below 10, and 0x76 more leaves its high bit alone. What carries over marks bytes above the first
/// mark only.
#[inline]
const fn leading(bytes: u64) -> u32 {
    let ones = bytes ^ every(b'0');
    ((ones.wrapping_add(every(0x76)) | ones) & every(0x80)).trailing_zeros() / 8
}

/// The number of the first 1 to 8 bytes, which are digits; of none, any number.
///
/// They are shifted to the high end, so that zeros stand before them.
#[inline]
const fn value(bytes: u64, count: u32) -> i64 {
    number_of_digits((bytes ^ every(b'0')).wrapping_shl(64 - 8 * count)) as i64
}

/// A unit that lines of the platform and of most applications have. The text may go on: that is for the caller to see.
#[inline]
fn unit(text: &[u8]) -> Option<&'static str> {
    Some(match text {
        [b'M', b'B', ..] => "MB",
        [b'k', b'B', ..] => "kB",
        [b'm', b's', ..] => "ms",
        [b'p', b'a', b'g', b'e', b's', ..] => "pages",
        [b'b', b'y', b't', b'e', b's', ..] => "bytes",
        [b's', ..] => "s",
        [b'%', ..] => "%",
        [b'u', b's', ..] => "us",
        [b'G', b'B', ..] => "GB",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{fast_number, number_in, plain_number};
    use super::*;
    use proptest::prelude::*;

    /// In a line, with something before it and behind it, and alone.
    fn agrees(text: &str) {
        let plain = plain_number(text.as_bytes());
        for (before, behind) in [("", ""), ("a=", " "), ("0123456789=", " 12345678"), ("=", "\"9"), ("", "\n")] {
            let line = format!("{before}{text}{behind}");
            let rest = &line.as_bytes()[before.len()..];
            assert_eq!(number_in(line.as_bytes(), rest, text.len()), plain, "{line:?}");
            if !text.bytes().any(|byte| byte <= b' ') && !behind.starts_with('"') {
                let fast = fast_number(line.as_bytes(), rest);
                assert!(fast.is_none_or(|(value, left)| (Ok(value), left) == (plain, behind.as_bytes())), "{line:?}");
            }
        }
    }

    /// All of the text.
    fn is_fast(text: &str) -> bool {
        number(text.as_bytes(), text.as_bytes()).is_some_and(|(_, behind)| behind.is_empty())
    }

    /// Bytes that no text in UTF-8 has alone are met too: lines are any bytes.
    #[test]
    fn digits_end_at_every_other_byte() {
        for byte in 0..=u8::MAX {
            for index in 0..8 {
                let mut bytes = *b"01256789";
                bytes[index] = byte;
                let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
                assert_eq!(leading(u64::from_le_bytes(bytes)) as usize, count, "{bytes:?}");
            }
        }
    }

    #[test]
    fn what_the_platform_writes_is_read_fast() {
        for text in [
            "0",
            "7",
            "61",
            "4469950648bytes",
            "0.99912",
            "543600640",
            "72435191808",
            "7948312kB",
            "0.0642713",
            "0.00",
            "49.10MB",
            "512.00MB",
            "123456pages",
            "0.06427131234",
            "200ms",
            "1.5s",
            "99%",
            "123456789012345",
            "1234567.12345678",
        ] {
            agrees(text);
            assert!(is_fast(text), "{text}");
        }
    }

    #[test]
    fn others_are_left_alone() {
        for text in [
            "",
            "-1",
            "+1",
            ".5",
            "5.",
            "1e3",
            "1E3",
            "1.5e-3",
            "1h",
            "1MiB",
            "1.2.3",
            "12,5",
            "x",
            "1ms,",
            "1 ",
            "1234567890123456",
            "12345678.12345678",
            "1.123456789012345",
            "1bytess",
            "1\u{b5}s",
            "1.ms",
            "1.5.",
            "1=",
        ] {
            agrees(text);
            assert!(!is_fast(text), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn fast_is_plain(text in "[0-9]{0,17}(\\.[0-9]{0,17})?(MB|kB|ms|bytes|pages|s|%|B|us|ns|KB|GB|TB|h|e5|x?|MBs|pagess)") {
            agrees(&text);
        }

        #[test]
        fn fast_is_plain_of_any_text(text in "[-+.0-9eEMkBs%/:=é]{0,20}") {
            agrees(&text);
        }
    }
}
