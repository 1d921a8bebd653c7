//! `3 hours ago`, `2h30m`, `last 2 days`

use jiff::{Span, Timestamp, ZonedDateTime};

/// How long ago.
#[derive(Clone, Debug)]
pub(super) struct Ago {
    calendar: Span,
    elapsed_micros: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Micros(i64),
    Days,
    Weeks,
    Months,
    Years,
}

fn unit(word: &str) -> Option<Unit> {
    Some(match word {
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Micros(1_000_000),
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Micros(60_000_000),
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Micros(3_600_000_000),
        "d" | "day" | "days" => Unit::Days,
        "w" | "week" | "weeks" => Unit::Weeks,
        "month" | "months" => Unit::Months,
        "y" | "year" | "years" => Unit::Years,
        _ => return None,
    })
}

impl Ago {
    /// All of `words`, or nothing: numbers and units, between an optional `last` or `past` and an optional `ago`. A unit
    /// alone counts once behind `last`, `a` or `an`.
    pub(super) fn read(words: &[&str]) -> Option<Self> {
        let (mut words, is_last) = match words {
            ["last" | "past", rest @ ..] => (rest, true),
            [first, ..] if first.starts_with('-') => (words, false),
            _ => (words, false),
        };
        if let [rest @ .., "ago"] = words {
            words = rest;
        }
        let mut ago = Self { calendar: Span::new(), elapsed_micros: 0 };
        let mut number: Option<&str> = is_last.then_some("1");
        let mut units = 0;
        for word in words {
            let mut rest = word.strip_prefix('-').unwrap_or(word);
            if matches!(rest, "and") && units > 0 && number.is_none() {
                continue;
            }
            if matches!(rest, "a" | "an") && number.is_none_or(|_| is_last && units == 0) {
                number = Some("1");
                continue;
            }
            while !rest.is_empty() {
                let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
                if digits > 0 {
                    // `last 2 hours`: the number that is written goes before the one that is meant.
                    if number.is_some() && !(is_last && units == 0) {
                        return None;
                    }
                    number = Some(&rest[..digits]);
                    rest = &rest[digits..];
                    continue;
                }
                let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
                ago.add(number.take()?, unit(&rest[..letters])?)?;
                units += 1;
                rest = &rest[letters..];
            }
        }
        (units > 0 && number.is_none()).then_some(ago)
    }

    fn add(&mut self, number: &str, unit: Unit) -> Option<()> {
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.len() > 6 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let count: i64 = whole.parse().ok()?;
        if let Unit::Micros(micros) = unit {
            let part = if fraction.is_empty() { 0 } else { fraction.parse::<i64>().ok()? };
            let part = i128::from(micros) * i128::from(part) / 10_i128.pow(fraction.len() as u32);
            let all = i128::from(count) * i128::from(micros) + part + i128::from(self.elapsed_micros);
            self.elapsed_micros = i64::try_from(all).ok()?;
            return Some(());
        }
        if !fraction.is_empty() {
            // Half a day of the calendar is nothing.
            return None;
        }
        let span = self.calendar;
        self.calendar = match unit {
            Unit::Days => span.try_days(count.checked_add(i64::from(span.get_days()))?),
            Unit::Weeks => span.try_weeks(count.checked_add(i64::from(span.get_weeks()))?),
            Unit::Months => span.try_months(count.checked_add(i64::from(span.get_months()))?),
            Unit::Years | Unit::Micros(_) => span.try_years(count.checked_add(i64::from(span.get_years()))?),
        }
        .ok()?;
        Some(())
    }

    pub(super) fn before(&self, now: &ZonedDateTime) -> Option<Timestamp> {
        let day = now.checked_sub(self.calendar).ok()?.timestamp().as_microsecond();
        Timestamp::from_microsecond(day.checked_sub(self.elapsed_micros)?).ok()
    }
}
