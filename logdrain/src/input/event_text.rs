//! Papertrail's text of events, which says neither the year nor the zone: `Nov 21 14:14:58 shop heroku/web.4: Starting process`

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use log_archive::{Row, read_event_text};

const DAY: i64 = 86_400_000_000;

/// Which year it is, from line to line.
#[derive(Clone, Debug)]
pub(crate) struct EventText {
    zone: TimeZone,
    /// Of the first line, if somebody said it.
    said: Option<u16>,
    /// When the file was written last; no line is from after that.
    end: Timestamp,
    /// The time of the last line, by its own clock, as if that were UTC.
    local: Option<i64>,
    /// The years of the first and of the latest line.
    years: Option<(u16, u16)>,
}

impl EventText {
    /// `end` is when the text was written last, which tells the year of its first line unless `year` does.
    pub(crate) const fn new(zone: TimeZone, year: Option<u16>, end: Timestamp) -> Self {
        Self { zone, said: year, end, local: None, years: None }
    }

    /// Reads a line, if it is one.
    pub(crate) fn read<'a>(&mut self, line: &'a [u8]) -> Option<Row<'a>> {
        let year = self.year_of(line)?;
        let local = read_event_text(line, year, 0)?.generated_at();
        // A clock that is set back shows a time twice; the first is taken. What is not on it is read as if it were.
        let clock = civil(local)?;
        let offset = self.zone.clone().into_ambiguous_zoned_datetime(clock).compatible().ok()?.offset().seconds() / 60;
        self.local = Some(local);
        self.years = Some((self.years.map_or(year, |(first, _)| first), year));
        read_event_text(line, year, i16::try_from(offset).ok()?)
    }

    /// The year that brings a line nearest to the line in front of it, so that December may be followed by January.
    fn year_of(&self, line: &[u8]) -> Option<u16> {
        let at = |year: u16| read_event_text(line, year, 0).map(|row| row.generated_at());
        let Some((_, last)) = self.years else {
            return self.first_year(at);
        };
        let before = self.local.unwrap_or_default();
        let years = [last, last.checked_sub(1)?, last.checked_add(1)?];
        years.into_iter().filter_map(|year| Some((at(year)?.abs_diff(before), year))).min().map(|(_, year)| year)
    }

    /// The one that was said, or the last in which the line is not from after the end of the file. A day more, for who wrote
    /// the file may have had another zone. The 29th of February may lie eight years back.
    fn first_year(&self, at: impl Fn(u16) -> Option<i64>) -> Option<u16> {
        if let Some(year) = self.said {
            return at(year).map(|_| year);
        }
        let end = self.end.to_zoned_datetime(self.zone.clone()).datetime();
        let latest = micros(end.checked_add(1.day()).unwrap_or(end));
        let year = u16::try_from(end.year()).ok()? + 1;
        (0..=9).filter_map(|back| year.checked_sub(back)).find(|year| at(*year).is_some_and(|local| local <= latest))
    }

    /// What was assumed, in words.
    pub(crate) fn said(&self) -> Option<String> {
        let (first, last) = self.years?;
        let years = if first == last { first.to_string() } else { format!("{first} to {last}") };
        let zone = self
            .zone
            .iana_name()
            .map_or_else(|| self.end.to_zoned_datetime(self.zone.clone()).strftime("%:z").to_string(), str::to_owned);
        let how = if self.said.is_some() { "" } else { "; --year and --tz say otherwise" };
        Some(format!("its times have no year and no zone, and are read as of {years}, {zone}{how}"))
    }
}

fn civil(micros: i64) -> Option<DateTime> {
    Some(TimeZone::UTC.to_datetime(Timestamp::from_microsecond(micros).ok()?))
}

fn micros(clock: DateTime) -> i64 {
    clock.to_zoned_datetime(TimeZone::UTC).map_or(i64::MAX - DAY, |zoned| zoned.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(text: &mut EventText, lines: &[&str]) -> Vec<String> {
        let time = |line: &&str| {
            let row = text.read(line.as_bytes()).unwrap();
            Timestamp::from_microsecond(row.generated_at()).unwrap().to_string()
        };
        lines.iter().map(time).collect()
    }

    fn text(zone: &str, year: Option<u16>, end: &str) -> EventText {
        EventText::new(TimeZone::get(zone).unwrap(), year, end.parse().unwrap())
    }

    #[test]
    fn the_year_is_that_of_the_file_and_goes_on_over_new_year() {
        let mut year = text("UTC", None, "2026-01-02T00:00:00Z");
        assert_eq!(
            times(
                &mut year,
                &[
                    "Dec 31 23:59:59 shop app/web.1: a",
                    "Jan  1 00:00:00 shop app/web.1: b",
                    "Dec 31 23:59:58 shop c: d"
                ]
            ),
            ["2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2025-12-31T23:59:58Z"],
        );
        let said = year.said().unwrap();
        assert!(said.contains("as of 2025, UTC; --year"), "{said}");
        let mut ahead = text("UTC", None, "2025-12-31T20:00:00Z");
        assert_eq!(times(&mut ahead, &["Jan  1 03:00:00 shop app/web.1: a"]), ["2026-01-01T03:00:00Z"]);
        let mut leap = text("UTC", None, "2027-06-01T00:00:00Z");
        assert_eq!(times(&mut leap, &["Feb 29 03:00:00 shop app/web.1: a"]), ["2024-02-29T03:00:00Z"]);
    }

    #[test]
    fn year_and_zone_may_be_said() {
        let mut berlin = text("Europe/Berlin", Some(2013), "2026-01-02T00:00:00Z");
        assert_eq!(
            times(
                &mut berlin,
                &["Nov 21 14:14:58 shop a: b", "Jul  1 14:00:00 shop a: b", "Oct 27 02:30:00 shop a: b"]
            ),
            ["2013-11-21T13:14:58Z", "2013-07-01T12:00:00Z", "2013-10-27T00:30:00Z"],
        );
        let row = berlin.read(b"Nov 21 14:14:58 shop heroku/web.4: x").map(|row| row.offset_minutes());
        assert_eq!(row, Some(60));
        assert!(text("UTC", Some(2025), "2026-01-02T00:00:00Z").read(b"Feb 29 00:00:00 a b: c").is_none());
        assert!(text("UTC", None, "2026-01-02T00:00:00Z").read(b"    at main (app.rb:7)").is_none());
    }
}
