//! The axis of time: whole steps of the viewer's clock, also on days of 23 and 25 hours.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, ZonedDateTime};

/// The most ticks of one axis.
const MOST: i64 = 7;
const QUARTER: i64 = 900;
const DAY: i64 = 86_400;
/// Steps within a day, in seconds; each divides it.
const WITHIN: [i64; 17] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200];
const DAYS: [i64; 4] = [1, 2, 7, 14];
const MONTHS: [i64; 7] = [1, 2, 3, 6, 12, 24, 60];

/// One tick.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Tick {
    /// Seconds since 1970.
    pub(super) at: i64,
    /// `14:05`, `30 Nov`.
    pub(super) label: String,
}

/// The ticks from `start` to `end`, both with them, at least `least` seconds apart.
pub(super) fn ticks(start: i64, end: i64, least: u32, zone: &TimeZone) -> Vec<Tick> {
    let span = end.saturating_sub(start);
    if span < 1 {
        return Vec::new();
    }
    if let Some(step) = WITHIN.into_iter().find(|step| span / step <= MOST && *step >= i64::from(least)) {
        return by_clock(start, end, step, zone);
    }
    if let Some(days) = DAYS.into_iter().find(|days| span / (days * DAY) <= MOST) {
        return by_day(start, end, days, zone);
    }
    let months = MONTHS.into_iter().find(|months| span / (months * 30 * DAY) <= MOST).unwrap_or(240);
    by_month(start, end, months, zone)
}

/// An instant on the viewer's clock. Beyond the years that a calendar has, the nearest it has.
pub(super) fn zoned(at: i64, zone: &TimeZone) -> ZonedDateTime {
    let nearest = if at < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(at).unwrap_or(nearest).to_zoned_datetime(zone.clone())
}

/// Where the clock shows a whole step. It is looked for at every instant at which it can: steps of a clock that is set are
/// not all of one length.
fn by_clock(start: i64, end: i64, step: i64, zone: &TimeZone) -> Vec<Tick> {
    // Offsets of zones are whole quarters, but for old ones and those that somebody made up.
    let offset = i64::from(zoned(start, zone).offset().seconds());
    let quarter = if offset % QUARTER == 0 { QUARTER } else { 60 };
    let pace = common(step, if offset % 60 == 0 { quarter } else { 1 });
    let mut ticks: Vec<Tick> = Vec::new();
    let mut at = start.div_euclid(pace).saturating_mul(pace);
    while at <= end && ticks.len() <= 2 * MOST as usize {
        let time = zoned(at, zone);
        let seconds = i64::from(time.hour()) * 3_600 + i64::from(time.minute()) * 60 + i64::from(time.second());
        if at >= start && seconds % step == 0 {
            let label = match () {
                () if seconds == 0 => time.strftime("%-d %b").to_string(),
                () if step < 60 => time.strftime("%H:%M:%S").to_string(),
                () => time.strftime("%H:%M").to_string(),
            };
            // Where the clock is set back, hours come twice; of longer steps the second stands too near.
            let too_near = ticks.last().is_some_and(|last| at - last.at < step && step > 3_600);
            if !too_near {
                ticks.push(Tick { at, label });
            }
        }
        let Some(next) = at.checked_add(pace) else { break };
        at = next;
    }
    ticks
}

/// The greatest number that divides both.
fn common(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { common(b, a % b) }
}

/// Where the viewer's days begin; of several days, counted from a Monday.
fn by_day(start: i64, end: i64, days: i64, zone: &TimeZone) -> Vec<Tick> {
    const MONDAY: Date = jiff::civil::date(1970, 1, 5);
    let first = zoned(start, zone).date();
    // Dates that a calendar has are some millions of days apart.
    let since = i64::from(MONDAY.until(first).map_or(0, |span| span.get_days()));
    let mut days_on = since.div_euclid(days) * days;
    let mut ticks = Vec::new();
    while ticks.len() <= MOST as usize + 1 {
        let Some(date) = MONDAY.checked_add(days_on.days()).ok() else { break };
        if !push(&mut ticks, date, start, end, zone, "%-d %b") {
            break;
        }
        days_on += days;
    }
    ticks
}

/// Where the viewer's months begin.
fn by_month(start: i64, end: i64, months: i64, zone: &TimeZone) -> Vec<Tick> {
    let first = zoned(start, zone).date();
    let mut month = (i64::from(first.year()) * 12 + i64::from(first.month()) - 1).div_euclid(months) * months;
    let mut ticks = Vec::new();
    while ticks.len() <= 2 * MOST as usize {
        let year = i16::try_from(month.div_euclid(12)).ok();
        let Some(date) = year.and_then(|year| Date::new(year, (month.rem_euclid(12) + 1) as i8, 1).ok()) else { break };
        if !push(&mut ticks, date, start, end, zone, if months < 12 { "%b %Y" } else { "%Y" }) {
            break;
        }
        month += months;
    }
    ticks
}

/// Adds the beginning of a day, and tells whether there may be more. A day that begins at one o'clock begins then.
fn push(ticks: &mut Vec<Tick>, date: Date, start: i64, end: i64, zone: &TimeZone, form: &str) -> bool {
    let Ok(begins) = date.to_datetime(Time::midnight()).to_zoned_datetime(zone.clone()) else { return false };
    let at = begins.timestamp().as_second();
    if at > end {
        return false;
    }
    if at >= start {
        ticks.push(Tick { at, label: begins.strftime(form).to_string() });
    }
    true
}

/// The name of a zone, as people know it: `Europe/Paris`, `UTC`, `+02:00`.
pub(super) fn name(at: i64, zone: &TimeZone) -> String {
    zone.iana_name().map_or_else(|| zoned(at, zone).strftime("%:z").to_string(), str::to_owned)
}

/// Both ends of a range of time in words: `29 Nov 08:00 to 14:00`.
pub(super) fn stretch(start: i64, end: i64, zone: &TimeZone) -> String {
    let (from, to) = (zoned(start, zone), zoned(end, zone));
    let last = if from.date() == to.date() { "%H:%M" } else { "%-d %b %H:%M" };
    format!("{} to {}", from.strftime("%-d %b %H:%M"), to.strftime(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    fn labels(start: &str, seconds: i64, zone: &TimeZone) -> String {
        let start = at(start);
        let ticks = ticks(start, start + seconds, 1, zone);
        assert!(ticks.iter().all(|tick| (start..=start + seconds).contains(&tick.at)));
        assert!(ticks.windows(2).all(|pair| pair[0].at < pair[1].at));
        ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_are_whole_steps_of_the_viewers_clock() {
        let paris = zone("Europe/Paris");
        assert_eq!(labels("2026-11-28T06:14:00Z", 21_600, &paris), "08:00 09:00 10:00 11:00 12:00 13:00");
        assert_eq!(labels("2026-11-28T06:00:00Z", 600, &paris), "07:00 07:02 07:04 07:06 07:08 07:10");
        assert_eq!(
            labels("2026-11-28T06:00:00Z", 7, &paris),
            "07:00:00 07:00:01 07:00:02 07:00:03 07:00:04 07:00:05 07:00:06 07:00:07"
        );
        // Kathmandu is 5 hours and 45 minutes ahead.
        assert_eq!(labels("2026-11-28T06:00:00Z", 7_200, &zone("Asia/Kathmandu")), "12:00 12:30 13:00 13:30");
        assert_eq!(labels("2026-11-28T06:00:00Z", 86_400, &TimeZone::UTC), "06:00 12:00 18:00 29 Nov 06:00");
        assert_eq!(
            labels("2026-11-28T06:00:00Z", 7 * 86_400, &TimeZone::UTC),
            "29 Nov 30 Nov 1 Dec 2 Dec 3 Dec 4 Dec 5 Dec"
        );
        assert_eq!(labels("2026-11-02T06:00:00Z", 28 * 86_400, &TimeZone::UTC), "9 Nov 16 Nov 23 Nov 30 Nov");
        assert_eq!(
            labels("2026-01-02T06:00:00Z", 365 * 86_400, &TimeZone::UTC),
            "Mar 2026 May 2026 Jul 2026 Sep 2026 Nov 2026 Jan 2027"
        );
    }

    #[test]
    fn days_of_23_and_25_hours() {
        let paris = zone("Europe/Paris");
        // 29 March 2026: 02:00 does not come.
        assert_eq!(labels("2026-03-28T23:00:00Z", 5 * 3_600, &paris), "29 Mar 01:00 03:00 04:00 05:00 06:00");
        assert_eq!(
            labels("2026-03-28T23:00:00Z", 23 * 3_600, &paris),
            "29 Mar 06:00 09:00 12:00 15:00 18:00 21:00 30 Mar"
        );
        // 25 October 2026: 02:00 comes twice, and both are told.
        assert_eq!(labels("2026-10-24T22:00:00Z", 5 * 3_600, &paris), "25 Oct 01:00 02:00 02:00 03:00 04:00");
        assert_eq!(labels("2026-10-24T22:00:00Z", 25 * 3_600, &paris), "25 Oct 06:00 12:00 18:00 26 Oct");
        // Steps of two hours: 02:00 once.
        assert_eq!(labels("2026-10-24T21:00:00Z", 11 * 3_600, &paris), "25 Oct 02:00 04:00 06:00 08:00");
        // In São Paulo days of spring once began at one o'clock.
        let days = labels("2018-11-02T12:00:00Z", 4 * 86_400, &zone("America/Sao_Paulo"));
        assert_eq!(days, "3 Nov 4 Nov 5 Nov 6 Nov");
        // Lord Howe sets its clocks by half an hour.
        let lord_howe = labels("2026-04-04T13:00:00Z", 5 * 3_600, &zone("Australia/Lord_Howe"));
        assert_eq!(lord_howe, "5 Apr 01:00 02:00 03:00 04:00");
    }

    #[test]
    fn no_span_and_no_zone_gives_too_many_ticks_or_none() {
        let odd = TimeZone::fixed(jiff::tz::Offset::from_seconds(2 * 3_600 + 7 * 60 + 13).unwrap());
        for zone in [TimeZone::UTC, zone("Europe/Paris"), zone("Asia/Kathmandu"), odd] {
            let mut span = 4;
            while span < 40 * 365 * DAY {
                let ticks = ticks(1_790_000_000, 1_790_000_000 + span, 1, &zone);
                assert!((2..=9).contains(&ticks.len()), "{span}: {ticks:?}");
                span += span / 5 + 1;
            }
            for (start, end) in
                [(i64::MIN, i64::MAX), (0, 0), (5, 1), (i64::MAX - 5, i64::MAX), (i64::MIN, i64::MIN + 90)]
            {
                assert!(ticks(start, end, 1, &zone).len() <= 20);
            }
        }
    }
}
