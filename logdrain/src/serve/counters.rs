//! What `serve` counts of itself, beside the books of the pipelines.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long something took, in buckets from a tenth of a millisecond to about 13 seconds, each twice the one before.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    buckets: [Counter; Self::BUCKETS],
    micros: Counter,
}

impl Durations {
    pub(crate) const BUCKETS: usize = 18;
    const FIRST_MICROS: u64 = 100;

    pub(crate) fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let index = (0..Self::BUCKETS - 1).find(|index| micros <= Self::FIRST_MICROS << index);
        self.buckets[index.unwrap_or(Self::BUCKETS - 1)].add(1);
        self.micros.add(micros);
    }

    /// The end of each bucket in seconds (the last has none) with how many were at or below it; and their sum.
    pub(crate) fn cumulative(&self) -> (Vec<(Option<f64>, u64)>, f64) {
        let mut count = 0;
        let buckets = self.buckets.iter().enumerate().map(|(index, bucket)| {
            count += bucket.get();
            let end = (index + 1 < Self::BUCKETS).then(|| (Self::FIRST_MICROS << index) as f64 / 1e6);
            (end, count)
        });
        (buckets.collect(), self.micros.get() as f64 / 1e6)
    }
}

/// Why intake refused a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// 401
    Credentials,
    /// 413
    TooLarge,
    /// 503: bodies take all the memory they may
    Memory,
    /// 503: the queue to the journal is full
    Queue,
    /// 503: the body did not come in time, or broke off
    SlowBody,
    /// 503: the answer did not come in time
    SlowStore,
    /// 503: the disk does not take it
    CannotStore,
    /// 503: more drains than there is room for
    TooManyDrains,
    /// 503: the server is on its way out
    Stopping,
    /// 400: a drain token that Logplex would not send
    Token,
    /// 404 or 405: a delivery to another path
    OtherPath,
    /// 403: from a page in a browser, where anyone may send
    Browser,
    /// 429: too many wrong credentials of that address are being answered
    Guessing,
}

impl Refused {
    pub(crate) const ALL: [(Self, &str); 13] = [
        (Self::Credentials, "credentials"),
        (Self::TooLarge, "too_large"),
        (Self::Memory, "memory"),
        (Self::Queue, "queue"),
        (Self::SlowBody, "slow_body"),
        (Self::SlowStore, "slow_store"),
        (Self::CannotStore, "cannot_store"),
        (Self::TooManyDrains, "too_many_drains"),
        (Self::Stopping, "stopping"),
        (Self::Token, "token"),
        (Self::OtherPath, "other_path"),
        (Self::Browser, "browser"),
        (Self::Guessing, "guessing"),
    ];
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Deliveries that were kept and answered with 204.
    pub(crate) kept: Counter,
    /// Deliveries that were there already, answered with 204.
    pub(crate) duplicates: Counter,
    refused: [Counter; Refused::ALL.len()],
    /// Bytes of bodies that were kept, after gzip.
    pub(crate) octets: Counter,
    pub(crate) connections: Counter,
    /// Encrypted connections that did not come about.
    pub(crate) handshakes_failed: Counter,
    /// Bytes of syslog connections in which no frame could be found.
    pub(crate) syslog_skipped: Counter,
    /// Lines of plain syslog; those that were cut; those of more systems than a port believes; and who was not let in.
    pub(crate) port_lines: Counter,
    pub(crate) port_cut: Counter,
    pub(crate) port_unnamed: Counter,
    pub(crate) port_refused: Counter,
    /// Parameters of a drain's URL that mean nothing here.
    pub(crate) unknown_parameters: Counter,
    /// Connections that had to go because there were too many.
    pub(crate) evicted: Counter,
    pub(crate) answers: Durations,
    pub(crate) commits: Durations,
    pub(crate) commits_failed: Counter,
    /// Events of the journal that could not be read again.
    pub(crate) damaged: Counter,
    pub(crate) rows: Counter,
    /// Rows that a collector took, that were dropped, and that were not sent because they are revisions.
    pub(crate) otlp_sent: Counter,
    pub(crate) otlp_dropped: Counter,
    pub(crate) otlp_revisions: Counter,
    pub(crate) snapshots: Durations,
    /// Snapshots that could not be written.
    pub(crate) snapshots_failed: Counter,
    /// When the last one was written, in Unix seconds; 0 before the first.
    pub(crate) snapshot_at: AtomicU64,
}

impl Counters {
    pub(crate) fn refuse(&self, why: Refused) {
        self.refused[why as usize].add(1);
    }

    pub(crate) fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Refused::ALL.iter().map(|(why, name)| (*name, self.refused[*why as usize].get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_own_place() {
        for (index, (why, _)) in Refused::ALL.iter().enumerate() {
            assert_eq!(*why as usize, index);
        }
    }

    #[test]
    fn durations_add_up() {
        let durations = Durations::default();
        for micros in [1, 100, 101, 5_000, 60_000_000] {
            durations.record(Duration::from_micros(micros));
        }
        let (buckets, sum) = durations.cumulative();
        assert_eq!(buckets[0], (Some(0.0001), 2));
        assert_eq!(buckets[1], (Some(0.0002), 3));
        assert_eq!(buckets.last(), Some(&(None, 5)));
        assert!((sum - 60.005_202).abs() < 1e-9);
    }
}
