use core::fmt;

/// Why an [`AggregatorConfig`](crate::AggregatorConfig) contradicts itself.
///
/// ```
/// use core::time::Duration;
/// use minute_aggregator::{Aggregator, AggregatorConfig, ConfigErrorKind};
///
/// let seven = AggregatorConfig::new().with_window(Duration::from_secs(7));
/// let error = Aggregator::new(seven).unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::WindowLength);
/// assert_eq!(error.to_string(), "window length does not divide a day into whole microseconds");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConfigError {
    kind: ConfigErrorKind,
}

/// What a [`ConfigError`] is about.
///
/// ```
/// assert_ne!(minute_aggregator::ConfigErrorKind::WindowLength, minute_aggregator::ConfigErrorKind::NoStreams);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// The window is zero, no whole number of microseconds, or does not divide a day.
    WindowLength,
    /// `max_streams` is zero: nothing could ever be counted.
    NoStreams,
    /// A family has no metric or more than 16, or a metric stands twice in them.
    Families,
}

impl ConfigError {
    pub(crate) const fn new(kind: ConfigErrorKind) -> Self {
        Self { kind }
    }

    /// What it is about.
    #[must_use]
    pub const fn kind(self) -> ConfigErrorKind {
        self.kind
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ConfigErrorKind::WindowLength => "window length does not divide a day into whole microseconds",
            ConfigErrorKind::NoStreams => "max_streams is zero",
            ConfigErrorKind::Families => "a family has no metric, more than 16, or one that stands twice",
        })
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text() {
        for (kind, text) in [
            (ConfigErrorKind::WindowLength, "window length does not divide a day into whole microseconds"),
            (ConfigErrorKind::NoStreams, "max_streams is zero"),
            (ConfigErrorKind::Families, "a family has no metric, more than 16, or one that stands twice"),
        ] {
            assert_eq!(ConfigError::new(kind).to_string(), text);
        }
    }
}
