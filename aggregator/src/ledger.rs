use crate::codec::{Reader, Writer};
use crate::outcome::{Outcome, Refusal};

/// Where every observation went. The books balance at any moment:
///
/// ```text
/// observed = accepted + folded (over quota) + late + future + refused (by reason)
/// ```
///
/// ```
/// use metric_model::{Observation, TagSet, Timestamp, Value};
/// use minute_aggregator::{Aggregator, AggregatorConfig, Outcome, Refusal};
///
/// let none = TagSet::new();
/// let mut engine = Aggregator::new(AggregatorConfig::new())?;
/// for value in [1.0, 2.0, f64::INFINITY] {
///     let _ = engine.observe(&Observation::count("signups", Value::plain(value), &none, Timestamp::from_unix_seconds(0)));
/// }
/// let ledger = engine.ledger();
/// assert_eq!((ledger.observed(), ledger.accepted(), ledger.refused()), (3, 2, 1));
/// assert_eq!(ledger.refused_as(Refusal::NotFinite), 1);
/// assert!(ledger.balances());
/// # Ok::<(), minute_aggregator::ConfigError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ObservationLedger {
    observed: u64,
    accepted: u64,
    folded: u64,
    late: u64,
    future: u64,
    refused: [u64; Refusal::ALL.len()],
    clamped: u64,
    revising: u64,
}

/// What version 1 of the snapshots holds.
const REFUSALS_OF_VERSION_1: usize = 6;
const LINES_OF_VERSION_1: usize = 5 + REFUSALS_OF_VERSION_1 + 2;

impl ObservationLedger {
    /// All observations that were offered; a [summary](crate::Aggregator::summary) is one of them.
    #[must_use]
    pub const fn observed(&self) -> u64 {
        self.observed
    }

    /// Those counted in their own stream.
    #[must_use]
    pub const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Those counted in an overflow stream.
    #[must_use]
    pub const fn folded(&self) -> u64 {
        self.folded
    }

    /// Those whose window was closed, and no longer kept.
    #[must_use]
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// Those beyond the host's time plus `max_future`.
    #[must_use]
    pub const fn future(&self) -> u64 {
        self.future
    }

    /// Those refused, for whatever reason.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Those refused for one reason.
    #[must_use]
    pub fn refused_as(&self, reason: Refusal) -> u64 {
        self.refused[place(reason)]
    }

    /// Counted observations that came after their window had closed, under
    /// [`LatePolicy::Revise`](crate::LatePolicy::Revise); not a line of the balance.
    #[must_use]
    pub const fn revising(&self) -> u64 {
        self.revising
    }

    /// Counted values beyond ±1.7e23, which a sum takes as that limit; not a line of the balance.
    #[must_use]
    pub const fn clamped(&self) -> u64 {
        self.clamped
    }

    /// Whether the books balance. They always do; tests of hosts ask anyway.
    #[must_use]
    pub fn balances(&self) -> bool {
        let out = [self.accepted, self.folded, self.late, self.future, self.refused()];
        out.iter().fold(0, |sum: u64, count| sum.saturating_add(*count)) == self.observed
    }

    pub(crate) fn enter(&mut self, outcome: Outcome) {
        self.observed = self.observed.saturating_add(1);
        let line = match outcome {
            Outcome::Accepted => &mut self.accepted,
            Outcome::Folded => &mut self.folded,
            Outcome::Late { .. } => &mut self.late,
            Outcome::Future { .. } => &mut self.future,
            Outcome::Refused(reason) => &mut self.refused[place(reason)],
        };
        *line = line.saturating_add(1);
    }

    pub(crate) fn enter_accepted(&mut self, count: u64) {
        self.observed = self.observed.saturating_add(count);
        self.accepted = self.accepted.saturating_add(count);
    }

    /// All lines, in a fixed order; those of version 1 of the snapshots first.
    fn lines_mut(&mut self) -> impl Iterator<Item = &mut u64> {
        let first = [&mut self.observed, &mut self.accepted, &mut self.folded, &mut self.late, &mut self.future];
        let (refused, later) = self.refused.split_at_mut(REFUSALS_OF_VERSION_1);
        first.into_iter().chain(refused).chain([&mut self.clamped, &mut self.revising]).chain(later)
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        for (line, more) in self.lines_mut().zip(other.lines_mut()) {
            *line = line.saturating_add(*more);
        }
    }

    /// Whether a line is filled that version 1 of the snapshots does not have.
    pub(crate) fn needs_version_2(&self) -> bool {
        self.refused.iter().skip(REFUSALS_OF_VERSION_1).any(|count| *count > 0)
    }

    /// All lines, or those of version 1.
    pub(crate) fn encode(&self, version_1: bool, out: &mut Writer) {
        let lines = if version_1 { LINES_OF_VERSION_1 } else { usize::MAX };
        self.clone().lines_mut().take(lines).for_each(|line| out.number(*line));
    }

    /// Books that do not balance are none.
    pub(crate) fn decode(version_1: bool, input: &mut Reader<'_>) -> Option<Self> {
        let mut ledger = Self::default();
        let lines = if version_1 { LINES_OF_VERSION_1 } else { usize::MAX };
        for line in ledger.lines_mut().take(lines) {
            *line = input.number()?;
        }
        ledger.balances().then_some(ledger)
    }

    pub(crate) fn enter_revising(&mut self) {
        self.revising = self.revising.saturating_add(1);
    }

    pub(crate) fn enter_clamped(&mut self) {
        self.clamped = self.clamped.saturating_add(1);
    }
}

const fn place(reason: Refusal) -> usize {
    match reason {
        Refusal::NotFinite => 0,
        Refusal::NegativeCount => 1,
        Refusal::KeyTooLong => 2,
        Refusal::TooManyStreams => 3,
        Refusal::OverQuota => 4,
        Refusal::WindowsFull => 5,
        Refusal::BadSummary => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn each_outcome_has_its_line() {
        let mut ledger = ObservationLedger::default();
        let by = Duration::from_secs(1);
        ledger.enter(Outcome::Accepted);
        ledger.enter(Outcome::Folded);
        ledger.enter(Outcome::Late { by });
        ledger.enter(Outcome::Future { by });
        for (number, reason) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(place(reason), number);
            for _ in 0..=number {
                ledger.enter(Outcome::Refused(reason));
            }
            assert_eq!(ledger.refused_as(reason), number as u64 + 1);
        }
        assert_eq!((ledger.accepted(), ledger.late(), ledger.future(), ledger.refused()), (1, 1, 1, 28));
        assert_eq!((ledger.folded(), ledger.observed()), (1, 32));
        assert!(ledger.balances());
    }
}
