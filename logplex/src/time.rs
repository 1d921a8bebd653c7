//! An instant as `--start` takes it.

use std::ops::RangeInclusive;

/// Reads an RFC 3339 date and time (5.6), fractions cut to microseconds; `None` if it is none. Answers with microseconds
/// since 1970.
///
/// ```text
/// full-date    = 4DIGIT "-" 2DIGIT "-" 2DIGIT
/// partial-time = 2DIGIT ":" 2DIGIT ":" 2DIGIT ["." 1*DIGIT]
/// time-offset  = "Z" / (("+" / "-") 2DIGIT ":" 2DIGIT)
/// ```
pub(crate) fn unix_micros(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(['T', 't'])?;
    let [year, month, day] = numbers(date, '-', [(4, 0..=9_999), (2, 1..=12), (2, 1..=31)])?;
    if day > days_in(year, month) {
        return None;
    }
    let (time, offset_minutes) = match time.strip_suffix(['Z', 'z']) {
        Some(time) => (time, 0),
        None => {
            let (time, offset) = time.split_at(time.find(['+', '-'])?);
            let [hours, minutes] = numbers(&offset[1..], ':', [(2, 0..=23), (2, 0..=59)])?;
            let ahead = hours * 60 + minutes;
            (time, if offset.starts_with('-') { -ahead } else { ahead })
        }
    };
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // 60 is a leap second, and the start of the next one here, whatever its fraction.
    let [hour, minute, second] = numbers(whole, ':', [(2, 0..=23), (2, 0..=59), (2, 0..=60)])?;
    let micros: i64 = if second == 60 { 0 } else { format!("{fraction:0<6}")[..6].parse().ok()? };
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + (minute - offset_minutes) * 60 + second;
    Some(seconds * 1_000_000 + micros)
}

/// Numbers with so many digits and in these ranges, apart by `separator`.
fn numbers<const N: usize>(text: &str, separator: char, wanted: [(usize, RangeInclusive<i64>); N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut found = [0; N];
    for (number, (digits, range)) in found.iter_mut().zip(wanted) {
        let part = parts.next()?;
        if part.len() != digits || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok().filter(|number| range.contains(number))?;
    }
    parts.next().is_none().then_some(found)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, counted year by year and month by month: it is asked once a run.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let of_year = |year| if is_leap(year) { 366 } else { 365 };
    let years: i64 =
        if year >= 1970 { (1970..year).map(of_year).sum() } else { -(year..1970).map(of_year).sum::<i64>() };
    years + (1..month).map(|month| days_in(year, month)).sum::<i64>() + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use metric_model::Timestamp;

    #[test]
    fn what_the_model_prints_reads_back() {
        let mut micros = -62_167_219_200_000_000; // 0000-01-01
        while micros < 253_402_300_800_000_000 {
            let text = Timestamp::from_unix_micros(micros).to_string();
            assert_eq!(unix_micros(&text), Some(micros), "{text}");
            micros += 29 * 86_400_000_000 + 3_601_000_007;
        }
    }

    #[test]
    fn offsets_fractions_and_leap_seconds() {
        for (text, micros) in [
            ("2024-02-03t04:05:06.1-00:00", 1_706_933_106_100_000),
            ("2024-02-03T04:05:06.123456789+05:45", 1_706_912_406_123_456),
            ("2024-02-03T04:05:06-23:59", 1_707_019_446_000_000),
            ("2016-12-31T23:59:60.75Z", 1_483_228_800_000_000),
        ] {
            assert_eq!(unix_micros(text), Some(micros), "{text}");
        }
        for text in [
            "2024-02-03",
            "2024-02-03 04:05:06Z",
            "2024-02-03T04:05:06",
            "2023-02-29T04:05:06Z",
            "2024-13-03T04:05:06Z",
            "2024-02-03T24:05:06Z",
            "2024-02-03T04:05:06.Z",
            "2024-02-03T04:05:06+24:00",
            "2024-02-03T04:05:06+é:00",
            "+024-02-03T04:05:06Z",
        ] {
            assert_eq!(unix_micros(text), None, "{text}");
        }
    }
}
