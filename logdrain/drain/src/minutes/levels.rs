//! Levels of what is kept: windows as they closed, and what they are added up to.

pub(super) const MINUTES: i64 = 0;
pub(super) const QUARTERS: i64 = 1;
pub(super) const HOURS: i64 = 2;

/// In milliseconds.
pub(super) const HOUR: i64 = 3_600_000;
pub(super) const QUARTER: i64 = 900_000;
