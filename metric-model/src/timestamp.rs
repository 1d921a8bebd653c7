use core::fmt;
use core::time::Duration;

/// An instant: microseconds since 1970-01-01T00:00:00Z, without leap seconds, before and after.
///
/// ```
/// use metric_model::Timestamp;
///
/// let time = Timestamp::from_unix_micros(1_706_933_106_789_012);
/// assert_eq!(time.to_string(), "2024-02-03T04:05:06.789012Z");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(i64);

const MICROS_A_DAY: i64 = 86_400_000_000;

impl Timestamp {
    /// The earliest instant that fits.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest instant that fits, past the year 290,000.
    pub const MAX: Self = Self(i64::MAX);

    /// From microseconds since 1970.
    ///
    /// ```
    /// assert_eq!(metric_model::Timestamp::from_unix_micros(-1).to_string(), "1969-12-31T23:59:59.999999Z");
    /// ```
    #[must_use]
    pub const fn from_unix_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since 1970; clamped to [`MIN`](Self::MIN) and [`MAX`](Self::MAX).
    ///
    /// ```
    /// assert_eq!(metric_model::Timestamp::from_unix_seconds(60).unix_micros(), 60_000_000);
    /// ```
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn unix_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    ///
    /// ```
    /// assert_eq!(metric_model::Timestamp::from_unix_micros(-1).unix_seconds(), -1);
    /// ```
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This much later, stopping at [`MAX`](Self::MAX).
    ///
    /// ```
    /// use core::time::Duration;
    /// use metric_model::Timestamp;
    /// assert_eq!(Timestamp::from_unix_micros(0).later(Duration::from_millis(2)).unix_micros(), 2_000);
    /// ```
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This much earlier, stopping at [`MIN`](Self::MIN).
    ///
    /// ```
    /// use core::time::Duration;
    /// use metric_model::Timestamp;
    /// assert_eq!(Timestamp::from_unix_micros(0).earlier(Duration::from_millis(2)).unix_micros(), -2_000);
    /// ```
    #[must_use]
    pub fn earlier(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How far this instant lies behind `earlier`; zero when it does not.
    ///
    /// ```
    /// use core::time::Duration;
    /// use metric_model::Timestamp;
    /// let (a, b) = (Timestamp::from_unix_micros(1), Timestamp::from_unix_micros(4));
    /// assert_eq!((b.since(a), a.since(b)), (Duration::from_micros(3), Duration::ZERO));
    /// ```
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        if self <= earlier {
            return Duration::ZERO;
        }
        Duration::from_micros(self.0.wrapping_sub(earlier.0) as u64)
    }
}

/// RFC 3339 in UTC, with six fraction digits when there is a fraction. Years outside 0..=9999 have a sign.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, in_day) = (self.0.div_euclid(MICROS_A_DAY), self.0.rem_euclid(MICROS_A_DAY));
        let (year, month, day) = civil(days);
        let (seconds, fraction) = (in_day / 1_000_000, in_day % 1_000_000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        if (0..=9999).contains(&year) {
            write!(f, "{year:04}")?;
        } else {
            write!(f, "{year:+05}")?;
        }
        write!(f, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if fraction != 0 {
            write!(f, ".{fraction:06}")?;
        }
        f.write_str("Z")
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Counted in eras of 400 years (146,097 days) that begin on the first of March, so that the leap day is the last of
/// its year and months have lengths by one linear formula.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468; // from 0000-03-01
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

/// A half-open stretch of event time `[start, end)`; one that [`containing`](Self::containing) gives is aligned to the
/// clock.
///
/// ```
/// use core::time::Duration;
/// use metric_model::{Timestamp, Window};
///
/// let minute = Duration::from_secs(60);
/// let window = Window::containing(Timestamp::from_unix_micros(-1), minute);
/// assert_eq!(window.start().to_string(), "1969-12-31T23:59:00Z");
/// assert_eq!(window.end().unix_micros(), 0);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Window {
    start: Timestamp,
    end: Timestamp,
}

impl Window {
    /// The window of this length that holds `time`; lengths are counted from 1970, rounding down on both sides of it.
    ///
    /// A length below a microsecond counts as one.
    ///
    /// ```
    /// use core::time::Duration;
    /// use metric_model::{Timestamp, Window};
    /// let hour = Window::containing(Timestamp::from_unix_seconds(3_601), Duration::from_secs(3_600));
    /// assert_eq!(hour.start().unix_seconds(), 3_600);
    /// ```
    #[must_use]
    pub fn containing(time: Timestamp, length: Duration) -> Self {
        let length = i64::try_from(length.as_micros()).unwrap_or(i64::MAX).max(1);
        let start = time.0.saturating_sub(time.0.rem_euclid(length));
        Self { start: Timestamp(start), end: Timestamp(start.saturating_add(length)) }
    }

    /// A stretch that need not be aligned, as of a report over several windows; `None` when it ends before it starts.
    ///
    /// ```
    /// use metric_model::{Timestamp, Window};
    /// let [nine, ten] = [9, 10].map(|hour| Timestamp::from_unix_seconds(hour * 3_600));
    /// assert_eq!(Window::between(nine, ten).map(Window::end), Some(ten));
    /// assert_eq!(Window::between(ten, nine), None);
    /// ```
    #[must_use]
    pub const fn between(start: Timestamp, end: Timestamp) -> Option<Self> {
        if start.0 <= end.0 { Some(Self { start, end }) } else { None }
    }

    /// The first instant inside.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        self.start
    }

    /// The first instant behind it.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn instants_print_as_rfc_3339() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
            (-62_167_219_200_000_000, "0000-01-01T00:00:00Z"),
            (-62_167_219_200_000_001, "-0001-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Timestamp(micros).to_string(), text);
        }
    }

    #[test]
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let (mut year, mut month, mut day) = civil(-150_000);
        for days in -149_999..150_000 {
            let next = civil(days);
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let expected = if day < last {
                (year, month, day + 1)
            } else if month < 12 {
                (year, month + 1, 1)
            } else {
                (year + 1, 1, 1)
            };
            assert_eq!(next, expected);
            (year, month, day) = next;
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        for time in [Timestamp::MIN, Timestamp::MAX] {
            let window = Window::containing(time, Duration::from_secs(60));
            assert!(window.start() <= window.end());
            assert!(!time.to_string().is_empty());
        }
        assert_eq!(Timestamp::MAX.since(Timestamp::MIN), Duration::from_micros(u64::MAX));
    }
}
