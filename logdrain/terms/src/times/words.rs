//! What the words of a time say, each for itself.

use crate::times::relative::Ago;
use crate::times::{Side, TimeError};
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{Offset, TimeZone};

/// A day, as it was written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Day {
    /// Days from today on.
    Offset(i8),
    On(Date),
    Weekday {
        weekday: Weekday,
        before_today: bool,
    },
    OfYear {
        month: i8,
        day: i8,
    },
}

/// A time by the clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub time: Time,
    /// The microseconds to the end of the unit that was written.
    pub rest: i64,
}

/// All that was said. Nothing but a zone, or `now`, is now.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub span: Option<Ago>,
    pub day: Option<Day>,
    pub clock: Option<Clock>,
    pub zone: Option<TimeZone>,
}

impl Words {
    pub(super) fn read(text: &str) -> Result<Self, TimeError> {
        let lower = text.to_ascii_lowercase();
        let mut tokens: Vec<&str> =
            lower.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()).collect();
        let mut words = Self::default();
        words.take_zone(&mut tokens)?;
        if tokens == ["now"] {
            return Ok(words);
        }
        words.span = Ago::read(&tokens);
        if words.span.is_none() {
            words.day_and_clock(&tokens)?;
        }
        Ok(words)
    }

    /// The zone at the end, a word of its own or right behind the clock.
    fn take_zone(&mut self, tokens: &mut Vec<&str>) -> Result<(), TimeError> {
        let Some(last) = tokens.last().copied() else { return Ok(()) };
        let is_named = last.contains('/') && last.starts_with(|c: char| c.is_ascii_alphabetic());
        // Alone, it would be an offset without a time, or `-1h`.
        if tokens.len() > 1 && (is_named || zone(last).is_some()) {
            let known = zone(last).or_else(|| TimeZone::get(last).ok());
            self.zone = Some(known.ok_or_else(|| TimeError::NoZone(last.to_owned()))?);
            tokens.pop();
            return Ok(());
        }
        if let Some(colon) = last.find(':') {
            let behind = last[colon..].find(['z', '+', '-']).map(|at| colon + at);
            if let Some((clock, Some(zone))) = behind.map(|at| (&last[..at], zone(&last[at..]))) {
                self.zone = Some(zone);
                tokens.pop();
                tokens.push(clock);
            }
        }
        Ok(())
    }

    fn day_and_clock(&mut self, tokens: &[&str]) -> Result<(), TimeError> {
        let mut rest = tokens;
        while !rest.is_empty() {
            rest = self.next(rest)?;
        }
        if self.day.is_none() && self.clock.is_none() {
            return Err(TimeError::NotUnderstood(tokens.join(" ")));
        }
        Ok(())
    }

    /// Takes what the first words say, and gives the others.
    fn next<'a, 'b>(&mut self, tokens: &'a [&'b str]) -> Result<&'a [&'b str], TimeError> {
        let not_understood = || TimeError::NotUnderstood(tokens.join(" "));
        let [first, rest @ ..] = tokens else { return Ok(tokens) };
        if matches!(*first, "at" | "on" | "the") && !rest.is_empty() {
            return Ok(rest);
        }
        if let Some((date, clock)) = iso_date(first)? {
            self.set_day(Day::On(date)).ok_or_else(not_understood)?;
            if let Some(clock) = clock {
                self.set_clock(clock_of(clock, None).ok_or_else(not_understood)??).ok_or_else(not_understood)?;
            }
            return Ok(rest);
        }
        let simple = match *first {
            "today" => Some(Day::Offset(0)),
            "yesterday" => Some(Day::Offset(-1)),
            "tomorrow" => Some(Day::Offset(1)),
            _ => weekday(first).map(|weekday| Day::Weekday { weekday, before_today: false }),
        };
        if let Some(day) = simple {
            self.set_day(day).ok_or_else(not_understood)?;
            return Ok(rest);
        }
        if let ("last", [name, rest @ ..]) = (*first, rest) {
            let weekday = weekday(name).ok_or_else(not_understood)?;
            self.set_day(Day::Weekday { weekday, before_today: true }).ok_or_else(not_understood)?;
            return Ok(rest);
        }
        // `Nov 21`, `21 Nov`, each with or without a year behind it
        let named = match (*first, rest) {
            (first, [second, rest @ ..]) => month(first)
                .zip(day_of_month(second))
                .or_else(|| month(second).zip(day_of_month(first)))
                .map(|(month, day)| (month, day, rest)),
            _ => None,
        };
        if let Some((month, day, rest)) = named {
            let year = rest.first().and_then(|word| year(word));
            let day = match year {
                Some(year) => Day::On(Date::new(year, month, day).map_err(|_| TimeError::NoSuchTime)?),
                None => Day::OfYear { month, day },
            };
            self.set_day(day).ok_or_else(not_understood)?;
            return Ok(if year.is_some() { &rest[1..] } else { rest });
        }
        let half = rest.first().copied().filter(|word| matches!(*word, "am" | "pm" | "a.m." | "p.m."));
        if let Some(clock) = clock_of(first, half) {
            self.set_clock(clock?).ok_or_else(not_understood)?;
            return Ok(if half.is_some() { &rest[1..] } else { rest });
        }
        Err(not_understood())
    }

    // A second day or clock is a contradiction.
    fn set_day(&mut self, day: Day) -> Option<()> {
        self.day.replace(day).is_none().then_some(())
    }

    fn set_clock(&mut self, clock: Clock) -> Option<()> {
        self.clock.replace(clock).is_none().then_some(())
    }
}

/// `UTC`, `GMT`, `Z`, `+02:00`, `+0200`, `+02`
pub(super) fn zone(word: &str) -> Option<TimeZone> {
    if ["utc", "gmt", "z"].iter().any(|name| word.eq_ignore_ascii_case(name)) {
        return Some(TimeZone::UTC);
    }
    let (sign, digits) = match word.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.len() {
        2 => (digits, "00"),
        4 => digits.split_at_checked(2)?,
        5 => digits.split_once(':')?,
        _ => return None,
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    if minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60)).ok().map(TimeZone::fixed)
}

/// Two digits.
fn two(text: &str) -> Option<i8> {
    (text.len() == 2).then(|| number(text))?
}

/// One or two digits.
fn number(text: &str) -> Option<i8> {
    ((1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn year(word: &str) -> Option<i16> {
    (word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit())).then(|| word.parse().ok())?
}

/// `2026-11-21`, `2026/11/21`, and what is behind a `t`. Dates that begin with another part are refused.
fn iso_date(word: &str) -> Result<Option<(Date, Option<&str>)>, TimeError> {
    let (date, clock) = match word.split_once('t') {
        Some((date, clock)) if date.ends_with(|c: char| c.is_ascii_digit()) => (date, Some(clock)),
        _ => (word, None),
    };
    let Some(mark) = date.find(['-', '/', '.']).and_then(|at| date[at..].chars().next()) else { return Ok(None) };
    let parts: Vec<&str> = date.split(mark).collect();
    let [first, second, third] = parts[..] else { return Ok(None) };
    if parts.iter().any(|part| part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit())) {
        return Ok(None);
    }
    let Some(year) = year(first) else { return Err(TimeError::TwoReadings(date.to_owned())) };
    let (month, day) = number(second).zip(number(third)).ok_or(TimeError::NoSuchTime)?;
    let date = Date::new(year, month, day).map_err(|_| TimeError::NoSuchTime)?;
    Ok(Some((date, clock)))
}

/// `5pm`, `5:30pm`, `17:30`, `04:12:55.25`, `noon`; `half` is the word behind it. `None` when it is no time by the clock.
fn clock_of(word: &str, half: Option<&str>) -> Option<Result<Clock, TimeError>> {
    match word {
        "noon" if half.is_none() => return Some(Ok(Clock { time: Time::constant(12, 0, 0, 0), rest: 999_999 })),
        "midnight" if half.is_none() => return Some(Ok(Clock { time: Time::midnight(), rest: 999_999 })),
        _ => {}
    }
    let (digits, attached) = match word.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => (&word[..at], Some(&word[at..])),
        None => (word, None),
    };
    if attached.is_some() && half.is_some() {
        return None;
    }
    let is_pm = match attached.or(half) {
        Some("am" | "a.m.") => Some(false),
        Some("pm" | "p.m.") => Some(true),
        None => None,
        Some(_) => return None,
    };
    let mut parts = digits.split(':');
    let hour = number(parts.next()?)?;
    let (minute, second) = (parts.next(), parts.next());
    if parts.next().is_some() || (minute.is_none() && is_pm.is_none()) {
        return None;
    }
    let minute = minute.map_or(Some(0), two)?;
    let (second, part) = second.map_or(("00", ""), |second| second.split_once('.').unwrap_or((second, "")));
    let second = two(second)?;
    if !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hour = match is_pm {
        None => hour,
        Some(_) if !(1..=12).contains(&hour) => return Some(Err(TimeError::NoSuchTime)),
        Some(is_pm) => hour % 12 + if is_pm { 12 } else { 0 },
    };
    let nanosecond = i32::try_from(fraction(part) * 1_000).ok()?;
    let time = Time::new(hour, minute, second, nanosecond).map_err(|_| TimeError::NoSuchTime);
    Some(time.map(|time| Clock { time, rest: rest(part, Side::Latest) }))
}

/// The digits behind the point of a second, in microseconds. What is finer is cut.
pub(super) fn fraction(digits: &str) -> i64 {
    digits.bytes().chain(std::iter::repeat(b'0')).take(6).fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
}

/// How many microseconds behind what these digits say still begin with them.
pub(super) fn rest(digits: &str, side: Side) -> i64 {
    match side {
        Side::Earliest => 0,
        Side::Latest => 10_i64.pow(6 - digits.len().min(6) as u32) - 1,
    }
}

fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "monday" | "mon" => Weekday::Monday,
        "tuesday" | "tue" | "tues" => Weekday::Tuesday,
        "wednesday" | "wed" => Weekday::Wednesday,
        "thursday" | "thu" | "thurs" => Weekday::Thursday,
        "friday" | "fri" => Weekday::Friday,
        "saturday" | "sat" => Weekday::Saturday,
        "sunday" | "sun" => Weekday::Sunday,
        _ => return None,
    })
}

fn month(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let word = if word == "sept" { "sep" } else { word.strip_suffix('.').unwrap_or(word) };
    let is = |month: &&str| *month == word || (word.len() == 3 && month.starts_with(word));
    MONTHS.iter().position(is).and_then(|at| i8::try_from(at + 1).ok())
}

/// `21`, `21st`
fn day_of_month(word: &str) -> Option<i8> {
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
    number(digits).filter(|day| (1..=31).contains(day))
}
