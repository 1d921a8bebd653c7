//! What a plan allows of lines.

use crate::units;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::time::Duration;

const DAY: u64 = 86_400;
/// Times are added to others: what is longer is for ever.
const LONGEST: u64 = 100 * 365 * DAY;

/// Volume and times. What is not said has no limit of the plan's: the server's own hold then.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPlan {
    /// Bytes of a day.
    #[serde(default, alias = "bytes_per_day", skip_serializing_if = "Option::is_none", deserialize_with = "size")]
    volume: Option<u64>,
    /// Beyond the volume lines are kept up to here, where the plan allows that.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "size")]
    hard_limit: Option<u64>,
    /// Seconds that lines can be seen.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    search: Option<u64>,
    /// Seconds that archives are kept.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    archive: Option<u64>,
}

impl LogPlan {
    #[must_use]
    pub fn with_volume(self, bytes: u64) -> Self {
        Self { volume: Some(bytes), ..self }
    }

    #[must_use]
    pub(super) fn with_search_days(self, days: u64) -> Self {
        Self { search: Some(days * DAY), ..self }
    }

    #[must_use]
    pub(super) fn with_archive_days(self, days: u64) -> Self {
        Self { archive: Some(days * DAY), ..self }
    }

    /// Bytes of a day; `None`: no limit.
    pub const fn volume(&self) -> Option<u64> {
        self.volume
    }

    /// Where lines are kept no more until midnight: the volume, or further where the plan allows more.
    pub fn hard_limit(&self) -> Option<u64> {
        self.volume.map(|volume| self.hard_limit.unwrap_or(volume).max(volume))
    }

    /// How long lines can be seen; `None`: as long as the server keeps them.
    pub fn search(&self) -> Option<Duration> {
        self.search.map(Duration::from_secs)
    }

    /// How long archives are kept; `None`: none are asked for.
    pub fn archive(&self) -> Option<Duration> {
        self.archive.map(Duration::from_secs)
    }

    /// Bytes that an account keeps whatever others need: the volume of the days that can be searched.
    pub fn share(&self) -> u64 {
        let (Some(volume), Some(search)) = (self.hard_limit(), self.search) else { return 0 };
        u64::try_from(u128::from(volume) * u128::from(search) / u128::from(DAY)).unwrap_or(u64::MAX)
    }

    /// What contradicts itself, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        match (self.volume, self.hard_limit) {
            (None, Some(_)) => {
                Err("logs.hard_limit: it is the end of what is beyond logs.volume, which is not said".to_owned())
            }
            (Some(volume), Some(limit)) if limit < volume => {
                Err("logs.hard_limit: it is less than logs.volume, and lines are kept up to that at least".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// A number, or text such as `250MB`.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    deserializer.deserialize_any(Amount { read: units::bytes, what: "bytes, as in \"250MB\" or 1000000" })
}

/// Seconds, or text such as `7d`.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let read = |text: &str| units::duration(text).map(|time| time.as_secs());
    let seconds = deserializer.deserialize_any(Amount { read, what: "a time, as in \"7d\", or seconds" })?;
    Ok(seconds.map(|seconds| seconds.min(LONGEST)))
}

struct Amount {
    read: fn(&str) -> Result<u64, String>,
    what: &'static str,
}

impl<'de> Visitor<'de> for Amount {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        u64::try_from(number).map(Some).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        (self.read)(text).map(Some).map_err(E::custom)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_the_volume_of_the_days_that_can_be_searched() {
        let plan = LogPlan::default().with_volume(10 << 20).with_search_days(2);
        assert_eq!(plan.share(), 20 << 20);
        assert_eq!(LogPlan::default().with_volume(7).share(), 0, "nothing is promised of how long");
        assert_eq!(LogPlan::default().with_volume(u64::MAX).with_search_days(9_999).share(), u64::MAX);
    }

    #[test]
    fn the_hard_limit_is_never_below_the_volume() {
        let read = |text: &str| toml::from_str::<LogPlan>(text).unwrap();
        assert_eq!(read("volume = \"1MB\"").hard_limit(), Some(1 << 20));
        assert_eq!(read("volume = \"1MB\"\nhard_limit = \"2MB\"").hard_limit(), Some(2 << 20));
        assert_eq!(read("search = \"7d\"").hard_limit(), None);
        assert!(read("volume = \"2MB\"\nhard_limit = \"1MB\"").check().is_err());
        assert!(read("hard_limit = \"1MB\"").check().is_err());
    }
}
