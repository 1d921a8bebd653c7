//! What is counted of the deliveries, on one connection and on all of them.

use crate::times::Times;
use std::collections::BTreeMap;
use std::time::Duration;

/// How a delivery ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Acknowledged,
    /// A 4xx, or out of tries that all failed for certain.
    Dropped,
    /// Out of tries, and one of them may have been stored.
    Unknown,
}

/// What one connection counted, or all of them.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) acknowledged: Counted,
    pub(crate) dropped: Counted,
    pub(crate) unknown: Counted,
    /// Deliveries that came again after they were acknowledged.
    pub(crate) repeated: u64,
    pub(crate) retries: u64,
    pub(crate) timeouts: u64,
    pub(crate) broken: u64,
    pub(crate) not_connected: u64,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) octets: u64,
    /// Milliseconds to the end of the answer.
    pub(crate) times: Times,
    pub(crate) slowest: Duration,
    /// How late the latest delivery left, where there is a rate to keep.
    pub(crate) behind: Duration,
    /// What went wrong last.
    pub(crate) problem: Option<String>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) deliveries: u64,
    pub(crate) lines: u64,
}

impl Counted {
    fn enter(&mut self, lines: u64) {
        self.deliveries += 1;
        self.lines += lines;
    }

    fn add(&mut self, other: Self) {
        self.deliveries += other.deliveries;
        self.lines += other.lines;
    }
}

impl Tally {
    pub(crate) fn enter(&mut self, outcome: Outcome, again: bool, lines: u64) {
        match outcome {
            _ if again => self.repeated += 1,
            Outcome::Acknowledged => self.acknowledged.enter(lines),
            Outcome::Dropped => self.dropped.enter(lines),
            Outcome::Unknown => self.unknown.enter(lines),
        }
    }

    pub(crate) fn answered(&mut self, status: u16, took: Duration, octets: u64) {
        *self.statuses.entry(status).or_default() += 1;
        self.octets += octets;
        self.times.record(took);
        self.slowest = self.slowest.max(took);
    }

    pub(crate) fn written(&mut self, octets: u64) {
        self.octets += octets;
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.acknowledged.add(other.acknowledged);
        self.dropped.add(other.dropped);
        self.unknown.add(other.unknown);
        self.repeated += other.repeated;
        self.retries += other.retries;
        self.timeouts += other.timeouts;
        self.broken += other.broken;
        self.not_connected += other.not_connected;
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.octets += other.octets;
        self.times.add(other.times);
        self.slowest = self.slowest.max(other.slowest);
        self.behind = self.behind.max(other.behind);
        self.problem = other.problem.or(self.problem.take());
    }
}
