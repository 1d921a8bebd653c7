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
pub struct ObservationLedger([u64; LINES]);

// Where each line is. Snapshots keep them in this order, so a new one goes to the end.
const OBSERVED: usize = 0;
const ACCEPTED: usize = 1;
const FOLDED: usize = 2;
const LATE: usize = 3;
const FUTURE: usize = 4;
/// The reasons that version 1 of the snapshots has.
const REFUSED: usize = 5;
const CLAMPED: usize = REFUSED + REFUSALS_OF_VERSION_1;
const REVISING: usize = CLAMPED + 1;
/// The reasons that came later.
const REFUSED_LATER: usize = REVISING + 1;
const LINES: usize = REFUSED_LATER + Refusal::ALL.len() - REFUSALS_OF_VERSION_1;

/// What version 1 of the snapshots holds.
const REFUSALS_OF_VERSION_1: usize = 6;
const LINES_OF_VERSION_1: usize = REFUSED_LATER;

const fn line_of(reason: Refusal) -> usize {
    match reason {
        Refusal::NotFinite => REFUSED,
        Refusal::NegativeCount => REFUSED + 1,
        Refusal::KeyTooLong => REFUSED + 2,
        Refusal::TooManyStreams => REFUSED + 3,
        Refusal::OverQuota => REFUSED + 4,
        Refusal::WindowsFull => REFUSED + 5,
        Refusal::BadSummary => REFUSED_LATER,
    }
}

impl ObservationLedger {
    /// All observations that were offered; a [summary](crate::Aggregator::summary) is one of them.
    #[must_use]
    pub const fn observed(&self) -> u64 {
        self.0[OBSERVED]
    }

    /// Those counted in their own stream.
    #[must_use]
    pub const fn accepted(&self) -> u64 {
        self.0[ACCEPTED]
    }

    /// Those counted in an overflow stream.
    #[must_use]
    pub const fn folded(&self) -> u64 {
        self.0[FOLDED]
    }

    /// Those whose window was closed, and no longer kept.
    #[must_use]
    pub const fn late(&self) -> u64 {
        self.0[LATE]
    }

    /// Those beyond the host's time plus `max_future`.
    #[must_use]
    pub const fn future(&self) -> u64 {
        self.0[FUTURE]
    }

    /// Those refused, for whatever reason.
    #[must_use]
    pub fn refused(&self) -> u64 {
        Refusal::ALL.into_iter().fold(0, |sum: u64, reason| sum.saturating_add(self.refused_as(reason)))
    }

    /// Those refused for one reason.
    #[must_use]
    pub fn refused_as(&self, reason: Refusal) -> u64 {
        self.0[line_of(reason)]
    }

    /// Counted observations that came after their window had closed, under
    /// [`LatePolicy::Revise`](crate::LatePolicy::Revise); not a line of the balance.
    #[must_use]
    pub const fn revising(&self) -> u64 {
        self.0[REVISING]
    }

    /// Counted values beyond ±1.7e23, which a sum takes as that limit; not a line of the balance.
    #[must_use]
    pub const fn clamped(&self) -> u64 {
        self.0[CLAMPED]
    }

    /// Whether the books balance. They always do; tests of hosts ask anyway.
    #[must_use]
    pub fn balances(&self) -> bool {
        let out = self.0[ACCEPTED..REFUSED].iter().fold(self.refused(), |sum, count| sum.saturating_add(*count));
        out == self.0[OBSERVED]
    }

    pub(crate) fn enter(&mut self, outcome: Outcome) {
        self.add(OBSERVED, 1);
        self.add(
            match outcome {
                Outcome::Accepted => ACCEPTED,
                Outcome::Folded => FOLDED,
                Outcome::Late { .. } => LATE,
                Outcome::Future { .. } => FUTURE,
                Outcome::Refused(reason) => line_of(reason),
            },
            1,
        );
    }

    pub(crate) fn enter_accepted(&mut self, count: u64) {
        self.add(OBSERVED, count);
        self.add(ACCEPTED, count);
    }

    pub(crate) fn enter_revising(&mut self) {
        self.add(REVISING, 1);
    }

    pub(crate) fn enter_clamped(&mut self) {
        self.add(CLAMPED, 1);
    }

    fn add(&mut self, line: usize, count: u64) {
        self.0[line] = self.0[line].saturating_add(count);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(line, more)| *line = line.saturating_add(more));
    }

    /// Whether a line is filled that version 1 of the snapshots does not have.
    pub(crate) fn needs_version_2(&self) -> bool {
        self.0[LINES_OF_VERSION_1..].iter().any(|count| *count > 0)
    }

    /// All lines, or those of version 1.
    pub(crate) fn encode(&self, version_1: bool, out: &mut Writer) {
        let lines = if version_1 { LINES_OF_VERSION_1 } else { LINES };
        self.0.iter().take(lines).for_each(|line| out.number(*line));
    }

    /// Books that do not balance are none.
    pub(crate) fn decode(version_1: bool, input: &mut Reader<'_>) -> Option<Self> {
        let mut ledger = Self::default();
        let lines = if version_1 { LINES_OF_VERSION_1 } else { LINES };
        for line in ledger.0.iter_mut().take(lines) {
            *line = input.number()?;
        }
        ledger.balances().then_some(ledger)
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
            for _ in 0..=number {
                ledger.enter(Outcome::Refused(reason));
            }
            assert_eq!(ledger.refused_as(reason), number as u64 + 1);
        }
        assert_eq!((ledger.accepted(), ledger.late(), ledger.future(), ledger.refused()), (1, 1, 1, 28));
        assert_eq!((ledger.folded(), ledger.observed()), (1, 32));
        assert!(ledger.balances());
        assert_eq!(Refusal::ALL.map(line_of), [5, 6, 7, 8, 9, 10, 13], "as snapshots keep them");
        assert_eq!((CLAMPED, REVISING, LINES), (11, 12, 14));
    }
}
