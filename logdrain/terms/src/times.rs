//! Times as people write them: `3 hours ago`, `yesterday at 5:30pm`, `5 AM Friday`, `2013-08-20 04:12:55`.
//!
//! Libraries were looked at. Those that read English take `06/07/2026` without a word, mean the Friday to come by `Friday`,
//! or have no say in whether a day is its beginning or its end. Logs lie behind us, and a bound has a side; so the words
//! are read here, and the calendar is jiff's. The text, the time that is now, and the zone (that of `now`) are arguments.
//!
//! - `2h30m`, `3 hours ago`, `last 2 days`: before now. Days, weeks, months and years are those of the calendar, so that
//!   `1 day ago` is the same time by the clock; seconds, minutes and hours elapse.
//! - A day alone (`today`, `Friday`, `Nov 21`, `2026-11-21`) is its start as the earliest time, and its end as the latest
//!   one; of today that is now. A name of a day means the last one there was, and a date without a year is the last such.
//! - A time by the clock alone means today's, also when that lies ahead.
//! - The latest time holds all of the second (or the millisecond) that is written: whoever copies a time from a line finds
//!   that line.
//! - Where clocks are set back, a time that comes twice is the first as the earliest time and the second as the latest one:
//!   nothing is lost.

mod relative;
mod words;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, ZonedDateTime};
use std::fmt;
use words::{Day, Words};

/// Which side of a range a time is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The earliest time that is meant.
    Earliest,
    /// The latest one.
    Latest,
}

/// An instant, in microseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Instant {
    pub unix_micros: i64,
    /// Whether it is later than now.
    pub lies_ahead: bool,
}

/// Why a text is no time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TimeError {
    /// This piece of it says nothing that is known.
    NotUnderstood(String),
    /// `06/07/2026`
    TwoReadings(String),
    /// A zone that no database of zones has.
    NoZone(String),
    /// `1480000000000`
    Milliseconds,
    /// `25:00`, the 31st of June, the year 100,000.
    NoSuchTime,
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SUCH_AS: &str = "write it as 3 hours ago, 2h30m, yesterday at 5:30pm, 5 AM Friday, 2013-08-20 04:12:55, \
                               2013-08-20T04:12:55Z, or seconds since 1970";
        match self {
            Self::NotUnderstood(piece) => write!(f, "`{piece}` is not understood as a time; {SUCH_AS}"),
            Self::TwoReadings(date) => {
                write!(f, "`{date}` can be read as day, month or as month, day; write the year first, as in 2026-07-06")
            }
            Self::NoZone(name) => write!(
                f,
                "`{name}` is no zone that is known; write UTC, an offset as +02:00, or a name as Europe/Berlin"
            ),
            Self::Milliseconds => {
                f.write_str("this looks like milliseconds since 1970; leave out the last three digits")
            }
            Self::NoSuchTime => f.write_str("there is no such time"),
        }
    }
}

/// Longer than any time that somebody writes.
const LONGEST: usize = 200;

/// Reads a time. What says no zone is in that of `now`.
///
/// # Errors
/// When it is not understood, or can be understood two ways.
pub fn parse(text: &str, now: &ZonedDateTime, side: Side) -> Result<Instant, TimeError> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return Err(TimeError::NotUnderstood(text.chars().take(40).collect()));
    }
    let instant = match seconds(text, side)? {
        Some(instant) => instant,
        None => words(text, now, side)?,
    };
    let unix_micros = instant.as_microsecond();
    Ok(Instant { unix_micros, lies_ahead: unix_micros > now.timestamp().as_microsecond() })
}

/// A zone by the name that the database of zones has, `UTC`, or an offset.
///
/// # Errors
/// When there is none of this name.
pub fn zone(name: &str) -> Result<TimeZone, TimeError> {
    words::zone(name)
        .map_or_else(|| TimeZone::get(name).map_err(|_| TimeError::NoZone(name.chars().take(40).collect())), Ok)
}

/// `1480000000`, `1480000000.25`, `@86400`: seconds since 1970. Few digits want the `@`, for `2026` is a year.
fn seconds(text: &str, side: Side) -> Result<Option<Timestamp>, TimeError> {
    let (digits, is_marked) = text.strip_prefix('@').map_or((text, false), |digits| (digits, true));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return Ok(None);
    }
    match whole.len() {
        9..=11 => {}
        13 => return Err(TimeError::Milliseconds),
        ..9 if is_marked => {}
        _ => return Ok(None),
    }
    let seconds: i64 = whole.parse().map_err(|_| TimeError::NoSuchTime)?;
    let micros = words::fraction(fraction) + words::rest(fraction, side);
    Timestamp::from_microsecond(seconds * 1_000_000 + micros).map(Some).map_err(|_| TimeError::NoSuchTime)
}

fn words(text: &str, now: &ZonedDateTime, side: Side) -> Result<Timestamp, TimeError> {
    let words = Words::read(text)?;
    let now = match &words.zone {
        Some(zone) => now.with_time_zone(zone.clone()),
        None => now.clone(),
    };
    if let Some(span) = &words.span {
        return span.before(&now).ok_or(TimeError::NoSuchTime);
    }
    let Some(clock) = words.clock else {
        let Some(day) = &words.day else { return Ok(now.timestamp()) };
        let date = date(day, &now, |date| date <= now.date())?;
        // The end of today lies ahead; what is meant is until now.
        return match side {
            Side::Earliest => start(date, &now),
            Side::Latest if date == now.date() => Ok(now.timestamp()),
            Side::Latest => {
                let next = start(date.tomorrow().map_err(|_| TimeError::NoSuchTime)?, &now)?;
                Timestamp::from_microsecond(next.as_microsecond() - 1).map_err(|_| TimeError::NoSuchTime)
            }
        };
    };
    let at = |date: Date| {
        let zoned = now.time_zone().clone().into_ambiguous_zoned_datetime(date.to_datetime(clock.time));
        match side {
            Side::Earliest => zoned.earlier(),
            Side::Latest => zoned.later(),
        }
    };
    let date = match &words.day {
        Some(day) => date(day, &now, |date| at(date).is_ok_and(|time| time <= now))?,
        None => now.date(),
    };
    let time = at(date).map_err(|_| TimeError::NoSuchTime)?.timestamp();
    let rest = if side == Side::Latest { clock.rest } else { 0 };
    Timestamp::from_microsecond(time.as_microsecond() + rest).map_err(|_| TimeError::NoSuchTime)
}

/// The first instant of a day, which is not always midnight.
fn start(date: Date, now: &ZonedDateTime) -> Result<Timestamp, TimeError> {
    let zoned = date.to_zoned_datetime(now.time_zone().clone()).and_then(|zoned| zoned.start_of_day());
    zoned.map(|zoned| zoned.timestamp()).map_err(|_| TimeError::NoSuchTime)
}

/// The day that is meant: of those that come again, the last one that `has_been`.
fn date(day: &Day, now: &ZonedDateTime, has_been: impl Fn(Date) -> bool) -> Result<Date, TimeError> {
    let today = now.date();
    let date = match *day {
        Day::Offset(days) => today.checked_add(i64::from(days).days()).ok(),
        Day::On(date) => Some(date),
        Day::Weekday { weekday, before_today } => {
            let back = i64::from(weekday.until(today.weekday()));
            [back, back + 7]
                .into_iter()
                .filter(|back| !before_today || *back > 0)
                .filter_map(|back| today.checked_sub(back.days()).ok())
                .find(|date| *date < today || has_been(*date))
        }
        Day::OfYear { month, day } => {
            // The 29th of February may lie eight years back.
            let years = (0..=8).filter_map(|back| Date::new(today.year() - back, month, day).ok());
            years.into_iter().find(|date| has_been(*date))
        }
    };
    date.ok_or(TimeError::NoSuchTime)
}

#[cfg(test)]
mod tests;
