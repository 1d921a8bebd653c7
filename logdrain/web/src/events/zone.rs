//! The time zone of what is shown: that of the profile, or the one that the address names.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use logdrain_terms::times;

/// A zone, and its name if the address named it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Zone {
    zone: TimeZone,
    asked: Option<String>,
}

impl From<TimeZone> for Zone {
    fn from(zone: TimeZone) -> Self {
        Self { zone, asked: None }
    }
}

impl Zone {
    #[cfg(test)]
    pub(super) fn utc() -> Self {
        TimeZone::UTC.into()
    }

    /// What an address names to see another zone: UTC, or again that of the profile.
    pub(super) fn other(&self) -> Option<(Self, &'static str)> {
        match &self.asked {
            Some(_) => Some((Self { asked: None, ..self.clone() }, "in your own zone")),
            None if self.is_utc() => None,
            None => Some((Self { zone: TimeZone::UTC, asked: Some("UTC".to_owned()) }, "in UTC")),
        }
    }

    /// The one that an address names.
    ///
    /// # Errors
    /// What to write instead.
    pub(super) fn asked(name: &str) -> Result<Self, String> {
        let zone = times::zone(name).map_err(|error| error.to_string())?;
        Ok(Self { zone, asked: Some(name.to_owned()) })
    }

    /// What the address has to say of it.
    pub(super) fn parameter(&self) -> Option<&str> {
        self.asked.as_deref()
    }

    pub(super) const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    pub(super) fn is_utc(&self) -> bool {
        self.zone == TimeZone::UTC
    }

    /// `Europe/Berlin`, `UTC`, `+02:00`.
    pub(super) fn name(&self) -> String {
        match self.zone.iana_name() {
            Some(name) => name.to_owned(),
            None if self.is_utc() => "UTC".to_owned(),
            None => self.zone.to_offset(Timestamp::now()).to_string(),
        }
    }

    pub(super) fn now(&self) -> ZonedDateTime {
        ZonedDateTime::now().with_time_zone(self.zone.clone())
    }

    fn civil(&self, unix_micros: i64) -> DateTime {
        // Ids end in the year 2248.
        self.zone.to_datetime(Timestamp::from_microsecond(unix_micros).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// `2026-11-28`, `21:08:03.114`.
    pub(super) fn day_and_time(&self, unix_micros: i64) -> (String, String) {
        let civil = self.civil(unix_micros);
        let day = format!("{:04}-{:02}-{:02}", civil.year(), civil.month(), civil.day());
        let millis = civil.subsec_nanosecond() / 1_000_000;
        (day, format!("{:02}:{:02}:{:02}.{millis:03}", civil.hour(), civil.minute(), civil.second()))
    }

    /// `2026-11-28T21:08:03.114207+01:00`
    pub(super) fn whole(&self, unix_micros: i64) -> String {
        let time = Timestamp::from_microsecond(unix_micros).unwrap_or(Timestamp::UNIX_EPOCH);
        let offset = self.zone.to_offset(time);
        time.display_with_offset(offset).to_string()
    }

    /// `21:08`, and the seconds if there are any.
    pub(super) fn clock(&self, second: i64) -> String {
        let civil = self.civil(second.saturating_mul(1_000_000));
        match civil.second() {
            0 => format!("{:02}:{:02}", civil.hour(), civil.minute()),
            second => format!("{:02}:{:02}:{second:02}", civil.hour(), civil.minute()),
        }
    }

    /// `28 Nov`
    pub(super) fn date(&self, second: i64) -> String {
        self.civil(second.saturating_mul(1_000_000)).strftime("%-d %b").to_string()
    }

    /// `2026-11-28 21:08:03`: what a field for a time takes.
    pub(super) fn field(&self, second: i64) -> String {
        let (day, time) = self.day_and_time(second.saturating_mul(1_000_000));
        format!("{day} {}", time.get(..8).unwrap_or_default())
    }

    /// The seconds by which the zone's clocks are ahead of UTC.
    pub(super) fn offset(&self, second: i64) -> i64 {
        let time = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
        i64::from(self.zone.to_offset(time).seconds())
    }
}

/// A day in words: `Saturday 28 November 2026`. The script writes it alike.
pub(super) fn day_in_words(day: &str) -> String {
    day.parse::<jiff::civil::Date>().map_or_else(|_| day.to_owned(), |date| date.strftime("%A %-d %B %Y").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_its_zone_across_changes_of_the_clock() {
        let berlin = Zone::asked("Europe/Berlin").unwrap();
        // The hour that comes twice: clocks go back on 2026-10-25 at 01:00 UTC.
        let before = 1_792_889_999_000_000_i64;
        assert_eq!(berlin.day_and_time(before + 5_000), ("2026-10-25".to_owned(), "02:59:59.005".to_owned()));
        assert_eq!(berlin.day_and_time(before + 1_000_000), ("2026-10-25".to_owned(), "02:00:00.000".to_owned()));
        assert_eq!(berlin.whole(before), "2026-10-25T02:59:59+02:00");
        assert_eq!(berlin.whole(before + 1_000_001), "2026-10-25T02:00:00.000001+01:00");
        assert_eq!((berlin.offset(1_792_889_999), berlin.offset(1_792_890_000)), (7_200, 3_600));
        assert_eq!((berlin.clock(1_792_890_000), berlin.clock(1_792_890_010)), ("02:00".into(), "02:00:10".into()));
        assert_eq!(berlin.field(1_792_890_000), "2026-10-25 02:00:00");
        assert_eq!((berlin.name(), berlin.parameter()), ("Europe/Berlin".to_owned(), Some("Europe/Berlin")));
        assert_eq!(Zone::utc().day_and_time(1_700_000_000_005_000), ("2023-11-14".into(), "22:13:20.005".into()));
        assert_eq!(Zone::asked("+05:45").unwrap().clock(0), "05:45");
        assert!(Zone::utc().is_utc() && !berlin.is_utc() && Zone::asked("Mars/Base").is_err());
        assert_eq!(day_in_words("2026-11-28"), "Saturday 28 November 2026");
    }
}
