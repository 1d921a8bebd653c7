use crate::error::{Fault, FrameError, FrameErrorKind, Part, out_of_range, unexpected};
use crate::parsed::Parsed;

/// An instant as the header tells it: microseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// ```
/// use heroku_syslog::Timestamp;
///
/// let time = Timestamp::parse(b"2024-02-03T04:05:06.78901+00:00")?;
/// assert_eq!(time.unix_micros(), 1_706_933_106_789_010);
/// # Ok::<(), heroku_syslog::FrameError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Reads an RFC 3339 date and time, all of `text`.
    ///
    /// Up to nine fraction digits, cut (not rounded) to microseconds; `Z`, `z`, an offset up to 23:59 on either side of
    /// UTC, `-00:00`, and the `Z+00:00` that Heroku's documentation prints. Years 0000 to 9999 of the Gregorian
    /// calendar. A second `:60` reads as the start of the next second, whatever its fraction, as POSIX time has no leap
    /// seconds. `T` may be `t`.
    ///
    /// # Errors
    /// [`FrameErrorKind::BadTimestamp`] with the byte that is wrong; of a number out of range its first digit.
    ///
    /// ```
    /// use heroku_syslog::Timestamp;
    ///
    /// assert_eq!(Timestamp::parse(b"1969-12-31T23:59:59.999999999Z")?.unix_micros(), -1);
    /// assert_eq!(Timestamp::parse(b"2016-12-31T23:59:60Z")?, Timestamp::parse(b"2017-01-01T00:00:00Z")?);
    /// assert_eq!(Timestamp::parse(b"2023-02-29T00:00:00Z").unwrap_err().offset(), 8);
    /// # Ok::<(), heroku_syslog::FrameError>(())
    /// ```
    pub fn parse(text: &[u8]) -> Result<Self, FrameError> {
        match date_time(text) {
            Ok(Parsed { value, rest: [] }) => Ok(value),
            Ok(Parsed { rest, .. }) => Err(bad(rest).in_input_of(text.len())),
            Err(fault) => Err(fault.in_input_of(text.len())),
        }
    }

    #[inline]
    pub(crate) const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970, negative before; floor, not truncation, so that windows may divide it.
    #[must_use]
    pub const fn unix_micros(self) -> i64 {
        self.0
    }
}

/// TIMESTAMP = NILVALUE / FULL-DATE "T" FULL-TIME              ; RFC 5424, 6; ends before SP or the end of input
pub(crate) fn timestamp(input: &[u8]) -> Result<Parsed<'_, Option<Timestamp>>, Fault> {
    let parsed = match input {
        [b'-', rest @ ..] => Parsed { value: None, rest },
        _ => {
            let Parsed { value, rest } = date_time(input)?;
            Parsed { value: Some(value), rest }
        }
    };
    match parsed.rest {
        [] | [b' ', ..] => Ok(parsed),
        rest => Err(bad(rest)),
    }
}

/// FULL-DATE "T" FULL-TIME
///
/// ```text
/// FULL-DATE    = 4DIGIT "-" 2DIGIT "-" 2DIGIT
/// FULL-TIME    = 2DIGIT ":" 2DIGIT ":" 2DIGIT ["." 1*9DIGIT] TIME-OFFSET
/// ```
pub(crate) fn date_time(input: &[u8]) -> Result<Parsed<'_, Timestamp>, Fault> {
    in_writing(input, Writing::Rfc3339)
}

/// How a date and time are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    Rfc3339,
    /// With a space in place of `T` too, and without an offset, which is UTC then.
    Loose,
}

pub(crate) fn in_writing(input: &[u8], writing: Writing) -> Result<Parsed<'_, Timestamp>, Fault> {
    let Some((fixed, rest)) = input.split_first_chunk::<19>() else { return Err(off_pattern(input)) };
    let [y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, between, h1, h2, b':', mi1, mi2, b':', s1, s2] = *fixed else {
        return Err(off_pattern(input));
    };
    if !(matches!(between, b'T' | b't') || (between == b' ' && writing == Writing::Loose)) {
        return Err(off_pattern(input));
    }
    if ![y1, y2, y3, y4, mo1, mo2, d1, d2, h1, h2, mi1, mi2, s1, s2].iter().all(u8::is_ascii_digit) {
        return Err(off_pattern(input));
    }
    let year = two(y1, y2) * 100 + two(y3, y4);
    let (month, day) = (two(mo1, mo2), two(d1, d2));
    let (hour, minute, second) = (two(h1, h2), two(mi1, mi2), two(s1, s2));
    let in_range = [
        (5, (1..=12).contains(&month)),
        (8, 1 <= day && day <= days_in(year, month)),
        (11, hour <= 23),
        (14, minute <= 59),
        (17, second <= 60),
    ];
    if let Some((at, _)) = in_range.iter().find(|(_, fine)| !fine) {
        return Err(out_of_range(FrameErrorKind::BadTimestamp, Part::Timestamp, &input[*at..]));
    }
    let Parsed { value: micros, rest } = fraction(rest)?;
    let Parsed { value: offset_minutes, rest } = match rest {
        [b' ' | 0x1b, ..] if writing == Writing::Loose => Parsed { value: 0, rest },
        rest => offset(rest)?,
    };
    let micros = if second == 60 { 0 } else { micros };
    // At most 3.7 million days, so that every product stays far inside 64 bits.
    let in_day = i64::from(hour * 3_600 + minute * 60 + second);
    let seconds = days(year, month, day) * 86_400 + in_day - offset_minutes * 60;
    Ok(Parsed { value: Timestamp(seconds * 1_000_000 + micros), rest })
}

/// TIME-SECFRAC = "." 1*9DIGIT                                 ; RFC 5424 has 1*6DIGIT
fn fraction(input: &[u8]) -> Result<Parsed<'_, i64>, Fault> {
    let [b'.', digits @ ..] = input else { return Ok(Parsed { value: 0, rest: input }) };
    let (mut micros, mut scale) = (0, 100_000);
    let mut rest = digits;
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        if digits.len() - rest.len() == 9 {
            return Err(bad(rest));
        }
        micros += i64::from(digit - b'0') * scale;
        scale /= 10; // 0 from the seventh digit on: those are cut
        rest = behind;
    }
    if rest.len() == digits.len() { Err(bad(rest)) } else { Ok(Parsed { value: micros, rest }) }
}

/// TIME-OFFSET = "Z" / "Z+00:00" / ("+" / "-") 2DIGIT ":" 2DIGIT ; in minutes
fn offset(input: &[u8]) -> Result<Parsed<'_, i64>, Fault> {
    match input {
        [b'Z' | b'z', b'+', b'0', b'0', b':', b'0', b'0', rest @ ..] | [b'Z' | b'z', rest @ ..] => {
            Ok(Parsed { value: 0, rest })
        }
        [
            sign @ (b'+' | b'-'),
            h1 @ b'0'..=b'9',
            h2 @ b'0'..=b'9',
            b':',
            m1 @ b'0'..=b'9',
            m2 @ b'0'..=b'9',
            rest @ ..,
        ] => {
            let (hours, minutes) = (two(*h1, *h2), two(*m1, *m2));
            for (at, fine) in [(1, hours <= 23), (4, minutes <= 59)] {
                if !fine {
                    return Err(out_of_range(FrameErrorKind::BadTimestamp, Part::Timestamp, &input[at..]));
                }
            }
            let ahead = i64::from(hours * 60 + minutes);
            Ok(Parsed { value: if *sign == b'-' { -ahead } else { ahead }, rest })
        }
        [b'+' | b'-', rest @ ..] => Err(off(rest, b"00:00")),
        rest => Err(bad(rest)),
    }
}

/// The number of two ASCII digits.
fn two(tens: u8, ones: u8) -> u32 {
    u32::from(tens & 15) * 10 + u32::from(ones & 15)
}

pub(crate) fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01.
///
/// Years are counted from the first of March, so that the leap day is the last of its year and the months before a
/// given one have (153 m + 2) / 5 days. They are counted from 400 years before the year 0, so that no number is negative
/// and divisions are cheap.
pub(crate) fn days(year: u32, month: u32, day: u32) -> i64 {
    let (year, from_march) = if month <= 2 { (year + 399, month + 9) } else { (year + 400, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day;
    i64::from(days) - (719_469 + 146_097)
}

#[cold]
fn bad(rest: &[u8]) -> Fault {
    unexpected(FrameErrorKind::BadTimestamp, Part::Timestamp, rest)
}

#[cold]
fn off_pattern(input: &[u8]) -> Fault {
    off(input, b"0000-00-00T00:00:00")
}

/// The first byte that is not what `pattern` wants there: `0` is any digit, other bytes stand for themselves.
#[cold]
fn off(input: &[u8], pattern: &[u8]) -> Fault {
    let fits = |(byte, wanted): &(&u8, &u8)| match wanted {
        b'0' => byte.is_ascii_digit(),
        wanted => byte.eq_ignore_ascii_case(wanted),
    };
    let good = input.iter().zip(pattern).take_while(fits).count();
    bad(&input[good..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_follow_one_another() {
        let (mut expected, mut leap_years) = (-719_528, 0);
        for year in 0..=9999 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    assert_eq!(days(year, month, day), expected, "{year}-{month}-{day}");
                    expected += 1;
                }
            }
            leap_years += u32::from(days_in(year, 2) == 29);
        }
        assert_eq!(leap_years, 2_425);
        assert_eq!(days(1970, 1, 1), 0);
    }

    #[test]
    fn instants() {
        for (text, micros) in [
            ("0000-01-01T00:00:00Z", -62_167_219_200_000_000),
            ("1969-12-31T23:59:59.9999994Z", -1),
            ("2000-02-29T00:00:00z", 951_782_400_000_000),
            ("2024-02-03t04:05:06.1-00:00", 1_706_933_106_100_000),
            ("2024-02-03T04:05:06Z+00:00", 1_706_933_106_000_000),
            ("2024-02-03T04:05:06.123456789+05:45", 1_706_912_406_123_456),
            ("2024-02-03T04:05:06+23:59", 1_706_846_766_000_000),
            ("2024-02-03T04:05:06-23:59", 1_707_019_446_000_000),
            ("2016-12-31T23:59:60.75Z", 1_483_228_800_000_000),
            ("9999-12-31T23:59:60-23:59", 253_402_387_140_000_000),
        ] {
            assert_eq!(Timestamp::parse(text.as_bytes()).map(Timestamp::unix_micros), Ok(micros), "{text}");
        }
    }

    #[test]
    fn faults_point_at_the_byte() {
        for (text, at) in [
            ("", 0),
            ("-", 0),
            ("aaaa", 0),
            ("2024-2-3T04:05:06Z", 6),
            ("2024-02-03", 10),
            ("2024-02-03 04:05:06Z", 10),
            ("2024-00-03T04:05:06Z", 5),
            ("2024-13-03T04:05:06Z", 5),
            ("2023-02-29T04:05:06Z", 8),
            ("1900-02-29T04:05:06Z", 8),
            ("2024-04-31T04:05:06Z", 8),
            ("2024-02-03T24:00:00Z", 11),
            ("2024-02-03T00:60:00Z", 14),
            ("2024-02-03T00:00:61Z", 17),
            ("2024-02-03T04:05:06", 19),
            ("2024-02-03T04:05:06.Z", 20),
            ("2024-02-03T04:05:06.", 20),
            ("2024-02-03T04:05:06,789Z", 19),
            ("2024-02-03T04:05:06.1234567890Z", 29),
            ("2024-02-03T04:05:06+24:00", 20),
            ("2024-02-03T04:05:06+00:60", 23),
            ("2024-02-03T04:05:06+0000", 22),
            ("2024-02-03T04:05:06+", 20),
            ("2024-02-03T04:05:06Zulu", 20),
            ("2024-02-03T04:05:06Z+01:00", 20),
            ("02024-02-03T04:05:06Z", 4),
        ] {
            let error = Timestamp::parse(text.as_bytes()).unwrap_err();
            assert_eq!((error.kind(), error.offset()), (FrameErrorKind::BadTimestamp, at), "{text}");
        }
    }
}
