//! How much of the native metrics is collected.

use super::Native;

/// Which native metrics are collected, besides the [`Families`](crate::Families) that a host asks for.
///
/// ```
/// use heroku_metrics::NativeSet;
/// assert_eq!(NativeSet::default(), NativeSet::Standard);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum NativeSet {
    /// What the add-on's page lists: router, Postgres, dyno, errors.
    #[default]
    Standard,
    /// Besides those Redis, PgBouncer and the further Postgres fields.
    Extended,
}

impl NativeSet {
    pub(crate) fn holds(self, metric: &Native) -> bool {
        self == Self::Extended || !metric.extended
    }
}
