//! What became of the deliveries, for people and for machines.

use crate::args::SummaryFormat;
use crate::tally::{Counted, Tally};
use serde_json::json;
use std::io::{self, Write as _};
use std::time::Duration;

/// The whole run.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) tally: Tally,
    pub(crate) took: Duration,
    /// Whether bodies went to a file.
    pub(crate) written: bool,
    /// Lost messages that no delivery has told of.
    pub(crate) untold: u64,
    /// Token and app.
    pub(crate) drains: Vec<(String, Option<String>)>,
    /// Scenarios that the file does not show.
    pub(crate) not_shown: Vec<String>,
}

impl Summary {
    /// Whether the truth is that of a right receiver, whichever it is.
    pub(crate) fn is_exact(&self) -> bool {
        self.tally.unknown.deliveries == 0
    }

    /// Whether the receiver took nothing at all.
    pub(crate) fn is_fruitless(&self) -> bool {
        self.tally.acknowledged.deliveries == 0
    }

    pub(crate) fn print(&self, format: SummaryFormat) {
        match format {
            SummaryFormat::Text => say(&self.text()),
            SummaryFormat::Json => say(&format!("{}\n", self.json())),
            SummaryFormat::None => {}
        }
    }

    /// p50, p99 and p999 in milliseconds.
    fn times(&self) -> [f64; 3] {
        [500, 990, 999].map(|mille| self.tally.times.mille(mille))
    }

    fn per_second(&self, number: u64) -> f64 {
        number as f64 / self.took.as_secs_f64().max(1e-6)
    }

    fn text(&self) -> String {
        let tally = &self.tally;
        let Tally { acknowledged, dropped, unknown, repeated, retries, .. } = tally;
        let speed = format!(
            "{:.1} MB in {:.2} s: {:.0} lines/s, {:.1} MB/s\n",
            tally.octets as f64 / 1e6,
            self.took.as_secs_f64(),
            self.per_second(acknowledged.lines + dropped.lines + unknown.lines),
            self.per_second(tally.octets) / 1e6,
        );
        if self.written {
            let mut text =
                format!("written     {} lines, {} deliveries, {speed}", acknowledged.lines, acknowledged.deliveries);
            if dropped.deliveries > 0 {
                text.push_str(&format!("left out    {} lines, {} deliveries\n", dropped.lines, dropped.deliveries));
            }
            if !self.not_shown.is_empty() {
                let names = self.not_shown.join(", ");
                text.push_str(&format!("not in it   {names}: of the requests, not of their bodies; see --to\n"));
            }
            return text;
        }
        let mut text = format!(
            "lines       {} acknowledged, {} dropped, {} unknown\n\
             deliveries  {} acknowledged, {} dropped, {} unknown; {retries} tries more, {repeated} repeated\n\
             answers     ",
            acknowledged.lines,
            dropped.lines,
            unknown.lines,
            acknowledged.deliveries,
            dropped.deliveries,
            unknown.deliveries,
        );
        for (status, count) in &tally.statuses {
            text.push_str(&format!("{status}: {count}, "));
        }
        text.push_str(&format!(
            "none: {} time-outs, {} broken off, {} not connected\n",
            tally.timeouts, tally.broken, tally.not_connected
        ));
        let [p50, p99, p999] = self.times();
        let slowest = self.slowest_ms();
        text.push_str(&format!(
            "answer time p50 {p50:.2} ms, p99 {p99:.2} ms, p999 {p999:.2} ms, max {slowest:.2} ms\n"
        ));
        text.push_str(&format!("octets      {speed}"));
        if tally.behind > Duration::from_millis(100) {
            text.push_str(&format!(
                "behind      {:.1} s at the most: the rate was not kept\n",
                tally.behind.as_secs_f64()
            ));
        }
        if self.untold > 0 {
            text.push_str(&format!("untold      {} messages were lost and no delivery came to tell it\n", self.untold));
        }
        if let Some(problem) = tally.problem.as_ref().filter(|_| dropped.deliveries + unknown.deliveries > 0) {
            text.push_str(&format!("last trouble: {problem}\n"));
        }
        if !self.is_exact() {
            text.push_str("the truth is not exact: deliveries ran out of tries after one that may have been stored\n");
        }
        text
    }

    fn slowest_ms(&self) -> f64 {
        self.tally.slowest.as_secs_f64() * 1_000.0
    }

    fn json(&self) -> serde_json::Value {
        let tally = &self.tally;
        let counted = |counted: Counted| json!({"deliveries": counted.deliveries, "lines": counted.lines});
        let [p50, p99, p999] = self.times();
        let drains: Vec<_> = self.drains.iter().map(|(token, app)| json!({"token": token, "app": app})).collect();
        json!({
            "acknowledged": counted(tally.acknowledged), "dropped": counted(tally.dropped), "unknown": counted(tally.unknown),
            "retries": tally.retries, "repeated": tally.repeated, "untold": self.untold,
            "timeouts": tally.timeouts, "broken": tally.broken, "not_connected": tally.not_connected,
            "statuses": tally.statuses.iter().map(|(status, count)| (status.to_string(), json!(count))).collect::<serde_json::Map<_, _>>(),
            "octets": tally.octets, "seconds": self.took.as_secs_f64(),
            "lines_per_second": self.per_second(tally.acknowledged.lines),
            "answer_ms": {"p50": p50, "p99": p99, "p999": p999, "max": self.slowest_ms()},
            "behind_seconds": tally.behind.as_secs_f64(), "exact": self.is_exact(), "problem": tally.problem, "drains": drains,
        })
    }
}

/// Whoever closed standard error does not want to hear it.
fn say(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Outcome;

    fn summary(tally: Tally, written: bool) -> Summary {
        let (took, drains, not_shown) = (Duration::from_secs(2), Vec::new(), vec!["bare".to_owned()]);
        Summary { tally, took, written, untold: 0, drains, not_shown }
    }

    #[test]
    fn people_read_what_became_of_the_lines() {
        let mut tally = Tally::default();
        for _ in 0..2 {
            tally.enter(Outcome::Acknowledged, false, 300);
            tally.answered(204, Duration::from_millis(4), 90_000);
        }
        tally.enter(Outcome::Acknowledged, true, 300);
        let mut other =
            Tally { timeouts: 3, retries: 2, problem: Some("no answer within 5s".into()), ..Tally::default() };
        other.enter(Outcome::Unknown, false, 100);
        tally.add(other);
        let summary = Summary { untold: 100, ..summary(tally, false) };
        assert!(!summary.is_exact() && !summary.is_fruitless());
        assert_eq!(
            summary.text(),
            "lines       600 acknowledged, 0 dropped, 100 unknown\n\
             deliveries  2 acknowledged, 0 dropped, 1 unknown; 2 tries more, 1 repeated\n\
             answers     204: 2, none: 3 time-outs, 0 broken off, 0 not connected\n\
             answer time p50 4.00 ms, p99 4.00 ms, p999 4.00 ms, max 4.00 ms\n\
             octets      0.2 MB in 2.00 s: 350 lines/s, 0.1 MB/s\n\
             untold      100 messages were lost and no delivery came to tell it\n\
             last trouble: no answer within 5s\n\
             the truth is not exact: deliveries ran out of tries after one that may have been stored\n"
        );
    }

    #[test]
    fn a_file_says_what_it_cannot_hold() {
        let mut tally = Tally::default();
        tally.enter(Outcome::Acknowledged, false, 300);
        tally.enter(Outcome::Dropped, false, 50);
        tally.written(90_000);
        assert_eq!(
            summary(tally, true).text(),
            "written     300 lines, 1 deliveries, 0.1 MB in 2.00 s: 175 lines/s, 0.0 MB/s\n\
             left out    50 lines, 1 deliveries\n\
             not in it   bare: of the requests, not of their bodies; see --to\n"
        );
    }
}
