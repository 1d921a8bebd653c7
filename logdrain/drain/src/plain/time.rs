//! Times of RFC 3164, which lack year and zone, and of those who add something to them.

use super::Plain;
use heroku_metrics::syslog::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
/// `2026-03-14T09:26:53.123456789+00:00` is the longest that anybody writes.
const LONGEST: usize = 40;

/// A time at the beginning of a text, in microseconds since 1970, and what is behind it; `None` when there is none.
/// `received` is the time of the line's id: a time that could be several is the one that is nearest to it.
///
/// ```text
/// time      = ["*" / "."] month SP day SP [year SP] clock / RFC 3339     ; Cisco's mark of a clock that is not set
/// month     = "Jan" / "Feb" / ...
/// day       = [SP] 1*2DIGIT
/// year      = 4DIGIT                                                     ; some devices
/// clock     = 2DIGIT ":" 2DIGIT ":" 2DIGIT ["." 1*9DIGIT]
/// ```
pub(super) fn at_start(text: &[u8], received: i64, plain: Plain) -> Option<(i64, &[u8])> {
    if text.first().is_some_and(u8::is_ascii_digit) {
        let len = text.iter().take(LONGEST).position(|byte| *byte == b' ').unwrap_or(text.len().min(LONGEST));
        let time = Timestamp::parse(&text[..len]).ok()?;
        return Some((time.unix_micros(), &text[len..]));
    }
    let text = text.strip_prefix(b"*").or_else(|| text.strip_prefix(b".")).unwrap_or(text);
    let (month, rest) = text.split_first_chunk::<3>()?;
    let month = MONTHS.iter().position(|known| known.eq_ignore_ascii_case(month))?;
    let rest = rest.strip_prefix(b" ")?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let (day, rest) = number(rest, 1, 2)?;
    let rest = rest.strip_prefix(b" ")?;
    let (year, rest) = match number(rest, 4, 4) {
        Some((year, behind)) if behind.starts_with(b" ") => (Some(year), &behind[1..]),
        _ => (None, rest),
    };
    let (hour, rest) = number(rest, 2, 2)?;
    let (minute, rest) = number(rest.strip_prefix(b":")?, 2, 2)?;
    let (second, rest) = number(rest.strip_prefix(b":")?, 2, 2)?;
    let (nanos, rest) = fraction(rest);
    // A leap second has no number of its own: the one before it has room for it.
    let time = Time::new(i8(hour)?, i8(minute)?, i8(second)?.min(59), nanos).ok()?;
    if second > 60 {
        return None;
    }
    let (month, day) = (i8::try_from(month + 1).ok()?, i8(day)?);
    let at = |year: i16, offset: i16| {
        let date = Date::new(year, month, day).ok()?;
        let offset = Offset::from_seconds(i32::from(offset) * 60).ok()?;
        Some(offset.to_timestamp(DateTime::from_parts(date, time)).ok()?.as_microsecond())
    };
    let now = jiff::Timestamp::from_microsecond(received).ok()?;
    let now = Offset::UTC.to_datetime(now).year();
    let years = match year {
        Some(year) => [year, year, year],
        // A leap day that is none this year was one some years ago; no further back than lines are kept anywhere.
        None => [now.saturating_sub(1), now, now.saturating_add(1)],
    };
    let all = years.into_iter().flat_map(|year| plain.offsets.into_iter().filter_map(move |offset| at(year, offset)));
    let time = all.min_by_key(|time| (time.abs_diff(received), *time))?;
    Some((time, rest))
}

fn i8(number: i16) -> Option<i8> {
    i8::try_from(number).ok()
}

/// A number of so many digits, and what is behind it.
fn number(text: &[u8], least: usize, most: usize) -> Option<(i16, &[u8])> {
    let len = text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    let digits = text.get(..len).filter(|_| len >= least)?;
    Some((digits.iter().fold(0, |number, digit| number * 10 + i16::from(digit - b'0')), &text[len..]))
}

/// Nanoseconds behind a point.
fn fraction(text: &[u8]) -> (i32, &[u8]) {
    let Some(rest) = text.strip_prefix(b".") else { return (0, text) };
    let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if len == 0 || len > 9 {
        return (0, text);
    }
    let mut nanos = rest[..len].iter().fold(0_i32, |number, digit| number * 10 + i32::from(digit - b'0'));
    for _ in len..9 {
        nanos *= 10;
    }
    (nanos, &rest[len..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn micros(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    fn read(text: &str, received: &str, zone: &str) -> Option<(String, String)> {
        let zone = if zone == "UTC" { TimeZone::UTC } else { TimeZone::get(zone).unwrap() };
        let received = micros(received);
        let (time, rest) = at_start(text.as_bytes(), received, Plain::now(&zone, received))?;
        let time = jiff::Timestamp::from_microsecond(time).unwrap();
        Some((time.to_string(), String::from_utf8_lossy(rest).into_owned()))
    }

    #[test]
    fn a_time_is_the_one_nearest_to_when_it_came() {
        for (text, received, zone, time) in [
            ("Nov 21 14:14:58 a", "2026-11-21T14:15:00Z", "UTC", "2026-11-21T14:14:58Z"),
            ("Dec 31 23:59:59 a", "2027-01-01T00:00:01Z", "UTC", "2026-12-31T23:59:59Z"),
            ("Jan  1 00:00:01 a", "2026-12-31T23:59:58Z", "UTC", "2027-01-01T00:00:01Z"),
            ("Jan 1 00:00:01 a", "2027-01-01T00:00:05Z", "UTC", "2027-01-01T00:00:01Z"),
            ("Feb 29 12:00:00 a", "2028-03-01T00:00:00Z", "UTC", "2028-02-29T12:00:00Z"),
            ("Nov 21 15:14:58.25 a", "2026-11-21T14:15:00Z", "Europe/Berlin", "2026-11-21T14:14:58.25Z"),
            ("Jul  1 14:00:00 a", "2026-07-01T12:00:00Z", "Europe/Berlin", "2026-07-01T12:00:00Z"),
            // Told twice: first in summer time, and an hour later in winter time.
            ("Oct 25 02:30:00 a", "2026-10-25T00:30:01Z", "Europe/Berlin", "2026-10-25T00:30:00Z"),
            ("Oct 25 02:30:00 a", "2026-10-25T01:30:01Z", "Europe/Berlin", "2026-10-25T01:30:00Z"),
            ("Nov 21 2025 14:14:58 a", "2026-11-21T14:15:00Z", "UTC", "2025-11-21T14:14:58Z"),
            ("*Mar  1 18:46:11.123 a", "2026-03-01T18:46:12Z", "UTC", "2026-03-01T18:46:11.123Z"),
            ("2026-11-21T14:14:58.123456+01:00 a", "2026-11-21T14:15:00Z", "UTC", "2026-11-21T13:14:58.123456Z"),
            ("Jun 30 23:59:60 a", "2026-07-01T00:00:00Z", "UTC", "2026-06-30T23:59:59Z"),
        ] {
            assert_eq!(read(text, received, zone), Some((time.to_owned(), " a".to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "N",
            "Nov",
            "Nov ",
            "Nov 21",
            "Nov 21 14:14",
            "Nov 21 14:14:5",
            "Foo 21 14:14:58",
            "Nov 32 14:14:58",
            "Nov 21 25:14:58",
            "Nov 21 14:61:58",
            "Nov 21 14:14:61",
            "November 21 14:14:58",
            "Feb 30 12:00:00",
            "2026",
            "2026-13-01T00:00:00Z",
            "9999999999999999999999",
            "Feb 29 12:00:00",
        ] {
            assert_eq!(read(text, "2026-11-21T14:15:00Z", "UTC"), None, "{text}");
        }
        assert_eq!(at_start(b"Nov 21 14:14:58", i64::MAX, Plain::default()), None);
    }
}
