//! Times as archives have them, and the calendar beneath: microseconds since 1970, years 0 to 9999.

pub(crate) const MICROS_A_SECOND: i64 = 1_000_000;
pub(crate) const MICROS_A_MINUTE: i64 = 60 * MICROS_A_SECOND;
pub(crate) const MICROS_AN_HOUR: i64 = 60 * MICROS_A_MINUTE;
pub(crate) const MICROS_A_DAY: i64 = 24 * MICROS_AN_HOUR;

/// The first and the last day that four digits of a year can say, in days since 1970.
pub(crate) const FIRST_DAY: i64 = days(0, 1, 1);
pub(crate) const LAST_DAY: i64 = days(9999, 12, 31);

/// RFC 3339 knows no offset of a day or more.
pub(crate) const MOST_OFFSET: i16 = 24 * 60 - 1;

/// A time as it stands in a column: what the clock of its writer showed, and how far that clock was from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// As if the clock had shown UTC.
    pub(crate) local: i64,
    /// Minutes ahead of UTC; none if the column does not say.
    pub(crate) offset: Option<i16>,
}

/// The nearest time that can be written with four digits of a year by a clock so many minutes ahead of UTC.
pub(crate) fn printable(micros: i64, offset: i16) -> i64 {
    let ahead = i64::from(offset) * MICROS_A_MINUTE;
    micros.clamp(FIRST_DAY * MICROS_A_DAY - ahead, (LAST_DAY + 1) * MICROS_A_DAY - 1 - ahead)
}

/// Days since 1970 of a day of the Gregorian calendar. Years are counted from March, so that the leap day is the last.
pub(crate) const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a number of days since 1970: `days`, backwards.
pub(crate) const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year + if month <= 2 { 1 } else { 0 };
    (year, month, of_year - (153 * from_march + 2) / 5 + 1)
}

/// Days since 1970, if there is such a day.
pub(crate) fn day(year: i64, month: i64, day: i64) -> Option<i64> {
    let days = days(year, month, day);
    (month <= 12 && civil(days) == (year, month, day)).then_some(days)
}

/// Number of this many digits at the start of a text, and the rest.
pub(crate) fn digits(text: &[u8], count: usize) -> Option<(i64, &[u8])> {
    let (number, rest) = text.split_at_checked(count)?;
    let number =
        number.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')));
    Some((number?, rest))
}

/// `22:14:58`, in microseconds, and the rest. A leap second is the first of the next minute, as in Unix time.
pub(crate) fn clock(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, rest) = digits(text, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(b":")?, 2)?;
    let (second, rest) = digits(rest.strip_prefix(b":")?, 2)?;
    let fits = hour < 24 && minute < 60 && second <= 60;
    fits.then_some(((hour * 60 + minute) * MICROS_A_MINUTE + second * MICROS_A_SECOND, rest))
}

/// `2026-11-28T22:14:58.123456-04:00` and all other forms that archives have: a blank for `T`, no fraction or any digits of
/// it, an offset behind a blank, without a colon, of hours alone, as `Z` or `UTC`, or none.
pub(crate) fn read(text: &[u8]) -> Option<Written> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
    let (of_month, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
    let [b'T' | b't' | b' ', rest @ ..] = rest else { return None };
    let (clock, rest) = clock(rest)?;
    let (fraction, rest) = match rest {
        [b'.' | b',', rest @ ..] => fraction(rest)?,
        _ => (0, rest),
    };
    Some(Written { local: day(year, month, of_month)? * MICROS_A_DAY + clock + fraction, offset: offset(rest)? })
}

/// Digits of a second, in microseconds, and the rest. What is finer is let go.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let count = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(count);
    let micros = (0..6).fold(0, |sum, index| sum * 10 + digits.get(index).map_or(0, |digit| i64::from(digit - b'0')));
    (count > 0).then_some((micros, rest))
}

/// The end of a time: `Z`, `-04:00`, ` -0800`, `+02`, ` UTC` or nothing. The outer `None` is for what is none of these.
fn offset(text: &[u8]) -> Option<Option<i16>> {
    if text.is_empty() {
        return Some(None);
    }
    let text = text.strip_prefix(b" ").unwrap_or(text);
    if [&b"z"[..], b"utc", b"gmt"].iter().any(|name| name.eq_ignore_ascii_case(text)) {
        return Some(Some(0));
    }
    let (sign, rest) = match text {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = digits(rest, 2)?;
    let (minutes, rest) = match rest {
        [] => (0, rest),
        _ => digits(rest.strip_prefix(b":").unwrap_or(rest), 2)?,
    };
    let fits = rest.is_empty() && hours < 24 && minutes < 60;
    i16::try_from(sign * (hours * 60 + minutes)).ok().filter(|_| fits).map(Some)
}

/// `2026-11-28T22:14:58`, with six digits of a fraction unless they are all zero, by a clock that shows `local`. Years have
/// four digits: the caller sees to it, by `printable`.
pub(crate) fn print(local: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil(local.div_euclid(MICROS_A_DAY));
    let micros = local.rem_euclid(MICROS_A_DAY);
    let seconds = micros / MICROS_A_SECOND;
    number(year, 4, out);
    for (mark, value) in
        [(b'-', month), (b'-', day), (b'T', seconds / 3600), (b':', seconds / 60 % 60), (b':', seconds % 60)]
    {
        out.push(mark);
        number(value, 2, out);
    }
    print_fraction(micros % MICROS_A_SECOND, out);
}

/// Prints times: the second that was printed last is remembered, because many lines come in one.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    second: i64,
    text: Vec<u8>,
}

impl Printer {
    pub(crate) const fn new() -> Self {
        // No year of four digits has it.
        Self { second: i64::MIN, text: Vec::new() }
    }

    /// As [`print()`] does.
    pub(crate) fn print(&mut self, local: i64, out: &mut Vec<u8>) {
        let (second, fraction) = (local.div_euclid(MICROS_A_SECOND), local.rem_euclid(MICROS_A_SECOND));
        if second != self.second {
            self.text.clear();
            print(second * MICROS_A_SECOND, &mut self.text);
            self.second = second;
        }
        out.extend_from_slice(&self.text);
        print_fraction(fraction, out);
    }
}

fn print_fraction(micros: i64, out: &mut Vec<u8>) {
    if micros != 0 {
        out.push(b'.');
        number(micros, 6, out);
    }
}

/// `-04:00`
pub(crate) fn print_offset(offset: i16, out: &mut Vec<u8>) {
    let minutes = i64::from(offset).abs();
    out.push(if offset < 0 { b'-' } else { b'+' });
    number(minutes / 60, 2, out);
    out.push(b':');
    number(minutes % 60, 2, out);
}

/// The last digits of a number, as many as asked for, up to six.
fn number(value: i64, count: usize, out: &mut Vec<u8>) {
    let mut text = [b'0'; 6];
    let mut left = value;
    for digit in text.iter_mut().rev() {
        *digit = b'0' + u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
    }
    out.extend_from_slice(text.get(6 - count..).unwrap_or(&text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_goes_both_ways() {
        assert_eq!((days(1970, 1, 1), days(2000, 3, 1), FIRST_DAY, LAST_DAY), (0, 11_017, -719_528, 2_932_896));
        let mut expected = (0, 1, 1);
        for days_since in FIRST_DAY..=LAST_DAY {
            let (year, month, of_month) = civil(days_since);
            assert_eq!((year, month, of_month), expected);
            assert_eq!(day(year, month, of_month), Some(days_since));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = [31, 28 + i64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month as usize - 1];
            expected = match (month, of_month == last) {
                (12, true) => (year + 1, 1, 1),
                (_, true) => (year, month + 1, 1),
                _ => (year, month, of_month + 1),
            };
        }
        for none in
            [(2026, 2, 29), (1900, 2, 29), (2026, 0, 1), (2026, 13, 1), (2026, 4, 31), (2026, 1, 0), (2026, 99, 99)]
        {
            assert_eq!(day(none.0, none.1, none.2), None, "{none:?}");
        }
    }

    #[test]
    fn forms() {
        let at = |text: &str| read(text.as_bytes()).map(|time| (time.local, time.offset));
        let evening = days(2026, 11, 28) * MICROS_A_DAY + (22 * 60 + 14) * MICROS_A_MINUTE + 58 * MICROS_A_SECOND;
        for (text, micros, offset) in [
            ("2026-11-28T22:14:58", 0, None),
            ("2026-11-28 22:14:58", 0, None),
            ("2026-11-28T22:14:58Z", 0, Some(0)),
            ("2026-11-28t22:14:58z", 0, Some(0)),
            ("2026-11-28T22:14:58-04:00", 0, Some(-240)),
            ("2026-11-28 22:14:58 -0800", 0, Some(-480)),
            ("2026-11-28 22:14:58 UTC", 0, Some(0)),
            ("2026-11-28T22:14:58+05:30", 0, Some(330)),
            ("2026-11-28T22:14:58+02", 0, Some(120)),
            ("2026-11-28T22:14:58-00:00", 0, Some(0)),
            ("2026-11-28T22:14:58.1", 100_000, None),
            ("2026-11-28T22:14:58,123456Z", 123_456, Some(0)),
            ("2026-11-28T22:14:58.123456789+23:59", 123_456, Some(1439)),
            ("2026-11-28T22:14:60Z", 2 * MICROS_A_SECOND, Some(0)),
        ] {
            assert_eq!(at(text), Some((evening + micros, offset)), "{text}");
        }
        for text in [
            "",
            "2026",
            "2026-11-28",
            "2026-11-28T",
            "2026-11-28T22:14",
            "2026-11-28T22:14:58.",
            "2026-11-28T22:14:58.Z",
            "2026-11-28T24:00:00",
            "2026-11-28T22:60:00",
            "2026-11-28T22:14:61",
            "2026-02-29T00:00:00",
            "2026-11-28T22:14:58+24:00",
            "2026-11-28T22:14:58+01:60",
            "2026-11-28T22:14:58+1",
            "2026-11-28T22:14:58 ",
            "2026-11-28T22:14:58ZZ",
            "2026-11-28T22:14:58 PST",
            "+026-11-28T22:14:58",
            "20261128T221458Z",
            "2026-11-28T22:14:58+01:00:00",
            "2026-11-28T22:14:58+",
            "\u{662}026-11-28T22:14:58",
            "1732832098",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn a_printer_prints_what_is_printed_alone() {
        let mut printer = Printer::new();
        let (first, last) = (FIRST_DAY * MICROS_A_DAY, (LAST_DAY + 1) * MICROS_A_DAY - 1);
        for time in [first, -1, 0, 0, 1, 999_999, 1_000_000, 1_795_904_098_000_001, 1_795_904_098_999_999, 0, last] {
            let (mut alone, mut remembered) = (Vec::new(), Vec::new());
            print(time, &mut alone);
            printer.print(time, &mut remembered);
            assert_eq!(remembered.escape_ascii().to_string(), alone.escape_ascii().to_string());
        }
    }

    #[test]
    fn printed_times_are_read_again() {
        for offset in [0, 1, -1, 330, -720, MOST_OFFSET, -MOST_OFFSET] {
            for micros in
                [i64::MIN, -1, 0, 1, 1_795_904_098_000_000, 1_795_904_098_000_001, 1_795_904_098_999_999, i64::MAX]
            {
                let local = printable(micros, offset) + i64::from(offset) * MICROS_A_MINUTE;
                let mut text = Vec::new();
                print(local, &mut text);
                print_offset(offset, &mut text);
                assert_eq!(read(&text), Some(Written { local, offset: Some(offset) }), "{}", text.escape_ascii());
            }
        }
    }
}
