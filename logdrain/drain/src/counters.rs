//! What `serve` counts of itself, beside the books of the pipelines.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long something took, in buckets from a tenth of a millisecond to about 13 seconds, each twice the one before.
#[derive(Debug, Default)]
pub struct Durations {
    buckets: [Counter; Self::BUCKETS],
    micros: Counter,
}

impl Durations {
    pub const BUCKETS: usize = 18;
    const FIRST_MICROS: u64 = 100;

    pub fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let index = (0..Self::BUCKETS - 1).find(|index| micros <= Self::FIRST_MICROS << index);
        self.buckets[index.unwrap_or(Self::BUCKETS - 1)].add(1);
        self.micros.add(micros);
    }

    /// The end of each bucket in seconds (the last has none) with how many were at or below it; and their sum.
    pub fn cumulative(&self) -> (Vec<(Option<f64>, u64)>, f64) {
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
pub enum Refused {
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
    pub const ALL: [(Self, &str); 13] = [
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
pub struct Counters {
    /// Deliveries that were kept and answered with 204.
    pub kept: Counter,
    /// Deliveries that were there already, answered with 204.
    pub duplicates: Counter,
    /// Measurements that programs sent and that were kept, and those that were there already.
    pub measured: Counter,
    pub measured_again: Counter,
    refused: [Counter; Refused::ALL.len()],
    /// Bytes of bodies that were kept, after gzip.
    pub octets: Counter,
    pub connections: Counter,
    /// Encrypted connections that did not come about.
    pub handshakes_failed: Counter,
    /// Bytes of syslog connections in which no frame could be found.
    pub syslog_skipped: Counter,
    /// Lines of plain syslog; those that were cut; those of more systems than a port believes; and who was not let in.
    pub port_lines: Counter,
    pub port_cut: Counter,
    pub port_unnamed: Counter,
    pub port_refused: Counter,
    /// Parameters of a drain's URL that mean nothing here.
    pub unknown_parameters: Counter,
    /// Connections that had to go because there were too many.
    pub evicted: Counter,
    pub answers: Durations,
    pub commits: Durations,
    pub commits_failed: Counter,
    /// Events of the journal that could not be read again.
    pub damaged: Counter,
    pub rows: Counter,
    /// Rows that a collector took, that were dropped, and that were not sent because they are revisions.
    pub otlp_sent: Counter,
    pub otlp_dropped: Counter,
    pub otlp_revisions: Counter,
    pub snapshots: Durations,
    /// Snapshots that could not be written.
    pub snapshots_failed: Counter,
    /// When the last one was written, in Unix seconds; 0 before the first.
    pub snapshot_at: AtomicU64,
}

impl Counters {
    pub fn refuse(&self, why: Refused) {
        self.refused[why as usize].add(1);
    }

    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
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
