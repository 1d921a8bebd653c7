//! How far the watermark of a partition may move: no further than the oldest delivery that a living node has for it, and that
//! the journal does not have.
//!
//! Each node says with every sign of life that what came to it before a moment is in the journal, and keeps that word: what it
//! brings later came at that moment or behind it. A node that says nothing holds nothing back: its lease is over then. After a
//! time in which no node said anything the database was away, nobody's lease has outlived that, and no node is passed by before
//! it could come back.
//!
//! A node that holds the watermark back and cannot bring what it has is not waited for without end: it has a minute, and as long
//! as the watermark was behind when it began. So what a database that was away for an hour left in the spools is waited for, and
//! one node with a broken spool, or too slow for what comes, delays everybody's minutes by little more than a minute.

use heroku_metrics::model::Timestamp;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A node that lives and finds the database there again has said so by then: it waits for one answer at most, and for the next
/// try.
pub(super) const RETURN: Duration = Duration::from_secs(5);
/// A word that is no older is one of a node that is up to date.
const FRESH: i64 = 5_000_000;
/// How long a node is waited for that is not, besides the time that the watermark was behind already,
const PATIENCE: Duration = Duration::from_secs(60);
/// as far as that is no more than this.
const BEHIND: Duration = Duration::from_secs(3_600);
/// A node that was not heard for so long after nobody waited for it any more begins again.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

/// What a living node said last of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Report {
    pub(super) node: String,
    /// Since when nodes have told without a pause, as far as this one knows.
    pub(super) since: i64,
    /// What came to it before this is in the journal; `None` when it does not say.
    pub(super) safe: Option<i64>,
}

/// Which nodes hold a partition back, and until when they are waited for.
#[derive(Debug, Default)]
pub(super) struct Holds(HashMap<String, Hold>);

#[derive(Debug)]
struct Hold {
    until: Instant,
    is_said: bool,
}

impl Holds {
    /// Up to when the watermark may move that stands at `ticked`, at a time of the database; all in microseconds. `None` when it
    /// is not known yet.
    pub(super) fn bound(&mut self, reports: &[Report], ticked: i64, now: i64, at: Instant) -> Option<i64> {
        let since = reports.iter().map(|report| report.since).max()?;
        if now.saturating_sub(since) < i64::try_from(RETURN.as_micros()).unwrap_or(i64::MAX) {
            return None;
        }
        self.0.retain(|node, hold| {
            at.saturating_duration_since(hold.until) < FORGOTTEN || reports.iter().any(|report| report.node == *node)
        });
        let mut bound = i64::MAX;
        for Report { node, safe, .. } in reports {
            let Some(safe) = *safe else { continue };
            if now.saturating_sub(safe) <= FRESH {
                self.0.remove(node);
                bound = bound.min(safe);
                continue;
            }
            let hold = self.0.entry(node.clone()).or_insert_with(|| {
                let behind = Timestamp::from_unix_micros(now).since(Timestamp::from_unix_micros(ticked)).min(BEHIND);
                Hold { until: at + PATIENCE + behind, is_said: false }
            });
            if at < hold.until {
                bound = bound.min(safe);
            } else if !std::mem::replace(&mut hold.is_said, true) {
                tracing::error!(
                    node,
                    oldest_seconds = now.saturating_sub(safe) / 1_000_000,
                    "a node has deliveries that it does not bring: minutes are closed without them, and what it brings later \
                     is a revision, or late"
                );
            }
        }
        Some(bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const NOW: i64 = 1_000_000 * SECOND;

    fn said(node: &str, safe: Option<i64>) -> Report {
        Report { node: node.to_owned(), since: NOW - 100 * SECOND, safe: safe.map(|seconds| NOW - seconds * SECOND) }
    }

    #[test]
    fn no_tick_passes_what_a_living_node_has_and_none_comes_before_all_could_tell() {
        let (mut holds, at) = (Holds::default(), Instant::now());
        let mut bound = |reports: &[Report]| holds.bound(reports, NOW - SECOND, NOW, at);
        assert_eq!(bound(&[]), None, "nobody lives, as far as is known");
        let (a, b) = (said("a", Some(0)), said("b", Some(3)));
        assert_eq!(bound(&[a.clone(), b.clone()]), Some(NOW - 3 * SECOND));
        assert_eq!(bound(&[a.clone(), said("c", None)]), Some(NOW));
        // One of them is the first that came back.
        let back = Report { since: NOW - 4 * SECOND, ..said("d", None) };
        assert_eq!(bound(&[a.clone(), b, back.clone()]), None);
        assert_eq!(bound(&[a, Report { since: NOW - 5 * SECOND, ..back }]), Some(NOW));
    }

    #[test]
    fn who_cannot_bring_what_it_has_is_waited_for_as_long_as_an_outage_took_and_a_minute() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        // What an outage of 200 s left: the watermark waits, and would for ever.
        let mut holds = Holds::default();
        let reports = [said("a", Some(0)), said("b", Some(200))];
        let ticked = NOW - 200 * SECOND;
        for (seconds, bound) in [(0, 200), (259, 200), (260, 0), (400, 0)] {
            assert_eq!(holds.bound(&reports, ticked, NOW, after(seconds)), Some(NOW - bound * SECOND), "{seconds}");
        }
        // That it dies and comes back gives it no more time; that it is up to date does.
        assert_eq!(holds.bound(&reports[..1], ticked, NOW, after(410)), Some(NOW));
        assert_eq!(holds.bound(&reports, ticked, NOW, after(420)), Some(NOW));
        let fresh = [said("a", Some(0)), said("b", Some(5))];
        assert_eq!(holds.bound(&fresh, ticked, NOW, after(430)), Some(NOW - 5 * SECOND));
        assert_eq!(holds.bound(&reports, NOW - SECOND, NOW, after(440)), Some(NOW - 200 * SECOND));

        // A spool of last week, where nobody else was away.
        let mut holds = Holds::default();
        let old = [said("a", Some(0)), said("b", Some(600_000))];
        assert_eq!(holds.bound(&old, NOW - SECOND, NOW, start), Some(NOW - 600_000 * SECOND));
        assert_eq!(holds.bound(&old, NOW - SECOND, NOW, after(61)), Some(NOW));
        // And one of a partition that never had a watermark.
        let mut holds = Holds::default();
        assert_eq!(holds.bound(&old, 0, NOW, after(0)), Some(NOW - 600_000 * SECOND));
        assert_eq!(holds.bound(&old, 0, NOW, after(3_661)), Some(NOW));
    }
}
