use crate::error::{NameError, NameErrorKind};
use crate::time::{FIRST_DAY, LAST_DAY, MICROS_A_DAY, MICROS_AN_HOUR, civil, day, digits};
use std::fmt;
use std::str::FromStr;

/// What an archive holds: an hour, or a day from midnight to midnight, in UTC. Years 0 to 9999; times outside of them are
/// in the first or the last hour.
///
/// Periods are in the order of their names and of their [`Keys`](crate::Keys): the hours of a day, then the day.
///
/// ```
/// use log_archive::Period;
///
/// let hour = Period::hour_of(1_795_904_098_000_000);
/// assert_eq!(hour.to_string(), "2026-11-28-22");
/// assert_eq!(hour.file_name(), "2026-11-28-22.tsv.gz");
/// assert_eq!(hour.end() - hour.start(), 3_600_000_000);
/// assert_eq!("2026-11-28".parse(), Ok(hour.day()));
/// # assert!(hour < hour.day());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// Since 1970.
    day: i32,
    /// 0 to 23, or `WHOLE_DAY`.
    hour: u8,
}

const WHOLE_DAY: u8 = 24;

/// Behind the name of a period.
const SUFFIX: &str = ".tsv.gz";

impl Period {
    /// The hour of this instant, in microseconds since 1970.
    #[must_use]
    pub fn hour_of(micros: i64) -> Self {
        Self::from_hours(micros.div_euclid(MICROS_AN_HOUR).clamp(FIRST_DAY * 24, LAST_DAY * 24 + 23))
    }

    /// The whole day that it lies in; itself if it is one.
    #[must_use]
    pub const fn day(self) -> Self {
        Self { day: self.day, hour: WHOLE_DAY }
    }

    /// Whether it is a whole day.
    #[must_use]
    pub const fn is_day(self) -> bool {
        self.hour == WHOLE_DAY
    }

    /// The hours in it, oldest first; of an hour that is itself.
    ///
    /// ```
    /// use log_archive::Period;
    ///
    /// let day: Period = "2026-11-28".parse()?;
    /// let hours: Vec<String> = day.hours().map(|hour| hour.to_string()).collect();
    /// assert_eq!((hours.len(), &hours[0][..], &hours[23][..]), (24, "2026-11-28-00", "2026-11-28-23"));
    /// # Ok::<(), log_archive::NameError>(())
    /// ```
    pub fn hours(self) -> impl Iterator<Item = Self> {
        let hours = if self.is_day() { 0..WHOLE_DAY } else { self.hour..self.hour + 1 };
        hours.map(move |hour| Self { day: self.day, hour })
    }

    /// The hour behind an hour, the day behind a day; none behind the last.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        if self.is_day() {
            (i64::from(self.day) < LAST_DAY).then(|| Self { day: self.day + 1, ..self })
        } else {
            let hours = i64::from(self.day) * 24 + i64::from(self.hour) + 1;
            (hours < (LAST_DAY + 1) * 24).then(|| Self::from_hours(hours))
        }
    }

    /// Its first instant, in microseconds since 1970.
    #[must_use]
    pub fn start(self) -> i64 {
        let hour = if self.is_day() { 0 } else { i64::from(self.hour) };
        i64::from(self.day) * MICROS_A_DAY + hour * MICROS_AN_HOUR
    }

    /// The first instant behind it.
    #[must_use]
    pub fn end(self) -> i64 {
        self.start() + if self.is_day() { MICROS_A_DAY } else { MICROS_AN_HOUR }
    }

    /// `2026-11-28-22.tsv.gz` of an hour, `2026-11-28.tsv.gz` of a day.
    #[must_use]
    pub fn file_name(self) -> String {
        format!("{self}{SUFFIX}")
    }

    /// The period of a file of this name, packed or unpacked (`.tsv`), if it is the name of an archive. No folder in front.
    ///
    /// ```
    /// use log_archive::Period;
    ///
    /// let period = Period::of_file_name("2026-11-28-22.tsv").unwrap();
    /// assert_eq!(period.file_name(), "2026-11-28-22.tsv.gz");
    /// assert_eq!(Period::of_file_name("2026-11-28-22.json.gz"), None);
    /// ```
    #[must_use]
    pub fn of_file_name(name: &str) -> Option<Self> {
        name.strip_suffix(SUFFIX).or_else(|| name.strip_suffix(".tsv"))?.parse().ok()
    }

    /// Within the years 0 to 9999: the callers see to it.
    fn from_hours(hours: i64) -> Self {
        let day = i32::try_from(hours.div_euclid(24)).unwrap_or_default();
        Self { day, hour: u8::try_from(hours.rem_euclid(24)).unwrap_or_default() }
    }
}

/// `2026-11-28-22` of an hour, `2026-11-28` of a day
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(i64::from(self.day));
        write!(f, "{year:04}-{month:02}-{day:02}")?;
        if self.is_day() { Ok(()) } else { write!(f, "-{:02}", self.hour) }
    }
}

/// Reads what `Display` prints, and nothing else.
impl FromStr for Period {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        read(text.as_bytes()).ok_or(NameError::new(NameErrorKind::Period))
    }
}

fn read(text: &[u8]) -> Option<Period> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
    let (of_month, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
    let day = i32::try_from(day(year, month, of_month)?).ok()?;
    if rest.is_empty() {
        return Some(Period { day, hour: WHOLE_DAY });
    }
    let (hour, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
    let hour = u8::try_from(hour).ok().filter(|hour| *hour < WHOLE_DAY && rest.is_empty())?;
    Some(Period { day, hour })
}
