//! What is told of an alert: everything that a channel writes, so that nothing else is asked when it is sent, or sent again.

use super::file::When;
use alert_rules::{Change, Clear, LogAlert, MetricAlert};
use heroku_metrics::model::Percentile;
use logdrain_terms::units::duration;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The most lines of one, and the most bytes of them; what is beyond is only counted. Papertrail
/// sends as many lines, and says of no bytes.
pub const MOST_LINES: usize = 25_000;
pub const MOST_BYTES: usize = 512 << 10;
/// The most series of counts, and of readings.
pub const MOST_COUNTS: usize = 1_000;
pub const MOST_READINGS: usize = 100;

/// One message about one alert.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Told {
    /// The same for the same thing, however often it is found; see [`log_id`] and [`metric_id`]. Receivers drop repeats by it.
    pub id: String,
    pub account: String,
    /// Its number in the account; 0 for a notice that is of none.
    pub alert: u32,
    pub name: String,
    pub kind: Kind,
    /// When, in microseconds since 1970: the end of the window, or of the minute.
    pub at: i64,
    /// By their numbers. One that there is no more is passed over.
    pub channels: Vec<u32>,
    /// It is kept to be looked at, and not sent.
    #[serde(default)]
    pub is_muted: bool,
    /// What the owner wrote of it.
    #[serde(default)]
    pub description: String,
    /// What to do about it: a URL of the owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// In which its times are shown, as `Europe/Vienna`; UTC if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// One sentence: "2 lines in 1 minute, at least 2 asked for".
    pub why: String,
    pub facts: Facts,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Fired,
    /// Only of metrics: what a rule on lines tells is over with its window.
    Resolved,
    /// Nothing fired, and somebody should know: a stretch of which nothing is known, a plan that is full.
    Notice,
    /// Somebody pressed the button.
    Test,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Facts {
    Log(LogFacts),
    Metric(MetricFacts),
    /// All of it is said by [`why`](Told::why).
    Nothing,
}

/// What a window of a rule on lines had.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct LogFacts {
    pub query: String,
    /// The saved search that it is of, if it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<u32>,
    /// As [`Period`](alert_rules::Period) prints it.
    pub frequency: String,
    /// The first id and the last one of what was looked at.
    pub min_id: u64,
    pub max_id: u64,
    /// The window, in microseconds since 1970.
    pub from: i64,
    pub until: i64,
    /// How many lines fit, recorded or not.
    pub count: u64,
    pub is_inactivity: bool,
    /// The first of them, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
    /// Of a rule that tells counts. There are no lines then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Vec<Counts>>,
    /// The stretch of the window of which nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<(i64, i64)>,
}

/// One line that fits.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Line {
    pub id: u64,
    /// Microseconds since 1970.
    pub received: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<IpAddr>,
    pub system: String,
    pub program: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facility: Option<u8>,
    pub message: String,
}

/// How many lines a system had.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    pub system: String,
    /// By seconds since 1970, rising.
    pub counts: Vec<(i64, u64)>,
}

/// How the conditions of a rule on metrics stand.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct MetricFacts {
    /// What all messages of one incident have in common; see [`incident`].
    pub incident: String,
    /// It was told before, and the rearm time is over.
    #[serde(default)]
    pub is_again: bool,
    /// Of one that is resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear: Option<Cleared>,
    pub conditions: Vec<Condition>,
    /// The signals of which a condition holds; of one that is resolved, none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
    /// How many more there are.
    #[serde(default)]
    pub more: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cleared {
    Normal,
    Auto,
    Manual,
}

impl Cleared {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Auto => "auto",
            Self::Manual => "manual",
        }
    }
}

impl From<Clear> for Cleared {
    fn from(clear: Clear) -> Self {
        match clear {
            Clear::Auto => Self::Auto,
            Clear::Manual => Self::Manual,
            _ => Self::Normal,
        }
    }
}

/// What a rule asks.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Condition {
    /// `above`, `below` or `absent`.
    pub kind: String,
    pub metric: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// As Librato calls them: `average`, `sum`, `count`, `min`, `max`, `derivative`; or a percentile, as in `p95`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// The tags that signals are chosen by, with what their values must fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, Vec<String>)>,
}

impl Condition {
    /// What a condition of a rule asks. A percentile that the metric's name ends with is its summary.
    pub fn of(when: &When) -> Self {
        let (kind, threshold) = match (when.above, when.below) {
            (Some(above), _) => ("above", Some(above)),
            (_, Some(below)) => ("below", Some(below)),
            _ => ("absent", None),
        };
        let named = Percentile::ALL
            .into_iter()
            .map(Percentile::suffix)
            .find_map(|suffix| Some((when.metric.strip_suffix(suffix)?, suffix.trim_start_matches('.'))));
        let (metric, of_name) = named.map_or((&*when.metric, None), |(metric, summary)| (metric, Some(summary)));
        let summary = || when.function.as_deref().or(of_name).unwrap_or("average").to_owned();
        let long = when.duration.as_ref().or(when.absent.as_ref()).and_then(|text| duration(text).ok());
        Self {
            kind: kind.to_owned(),
            metric: metric.to_owned(),
            threshold,
            summary: threshold.is_some().then(summary),
            duration: long.map(|long| long.as_secs()),
            tags: when.tags.iter().map(|(key, values)| (key.clone(), values.clone())).collect(),
        }
    }
}

/// A signal of which a condition holds.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Reading {
    /// Which of the conditions, from 0.
    pub condition: u32,
    /// What people call the drain.
    #[serde(default)]
    pub system: String,
    pub metric: String,
    #[serde(default)]
    pub tags: Vec<(String, String)>,
    /// `None` if it is the point that is missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// When the newest point was, in seconds since 1970.
    pub time: i64,
    /// "4 of 5 points above 1, longest run 3".
    pub why: String,
}

impl Told {
    /// Makes it no longer than its bounds: lines and readings that are too many go, counts are by hours.
    pub(super) fn shorten(&mut self) {
        match &mut self.facts {
            Facts::Log(facts) => facts.shorten(),
            Facts::Metric(facts) => {
                facts.more += facts.readings.len().saturating_sub(MOST_READINGS) as u64;
                facts.readings.truncate(MOST_READINGS);
            }
            Facts::Nothing => {}
        }
    }

    /// What the button of a channel sends: a line that nobody wrote, marked as a test. `at` in microseconds since 1970; each
    /// time has a message of its own.
    pub fn sample(account: &str, channel: u32, at: i64) -> Self {
        let line = Line {
            id: at.unsigned_abs(),
            received: at,
            system: "example".to_owned(),
            program: "logdrain/test".to_owned(),
            severity: Some(6),
            facility: Some(1),
            message: "This is a test: somebody asked whether alerts arrive here.".to_owned(),
            ..Line::default()
        };
        let facts = LogFacts {
            query: "program:logdrain/test".to_owned(),
            frequency: alert_rules::Period::Minute.to_string(),
            min_id: line.id,
            max_id: line.id,
            from: at.saturating_sub(60_000_000),
            until: at,
            count: 1,
            lines: vec![line],
            ..LogFacts::default()
        };
        Self {
            id: id(account, 0, &["sample", &channel.to_string(), &at.to_string()]),
            account: account.to_owned(),
            alert: 0,
            name: "Test".to_owned(),
            kind: Kind::Test,
            at,
            channels: vec![channel],
            is_muted: false,
            description: String::new(),
            runbook: None,
            zone: None,
            why: "somebody pressed the button".to_owned(),
            facts: Facts::Log(facts),
        }
    }
}

impl LogFacts {
    /// Takes a line, if it still fits; whether it did. Bytes of lines are counted in `taken`.
    pub fn take(&mut self, line: Line, taken: &mut usize) -> bool {
        let bytes = line.message.len() + line.program.len() + line.system.len() + 128;
        if self.lines.len() >= MOST_LINES || *taken + bytes > MOST_BYTES {
            return false;
        }
        *taken += bytes;
        self.lines.push(line);
        true
    }

    /// Counts by the beginnings of longer stretches, and of fewer systems.
    fn shorten(&mut self) {
        let mut taken = 0;
        for line in std::mem::take(&mut self.lines) {
            self.take(line, &mut taken);
        }
        let Some(counts) = &mut self.counts else { return };
        counts.truncate(MOST_COUNTS);
        for Counts { counts, .. } in counts {
            let mut hours: BTreeMap<i64, u64> = BTreeMap::new();
            for (second, count) in counts.iter() {
                *hours.entry(second - second.rem_euclid(3_600)).or_default() += count;
            }
            *counts = hours.into_iter().collect();
        }
    }

    /// How many lines fit that are not among these.
    pub fn more(&self) -> u64 {
        if self.counts.is_some() { 0 } else { self.count.saturating_sub(self.lines.len() as u64) }
    }
}

/// The id of what a rule on lines tells.
pub fn log_id(account: &str, alert: u32, told: &LogAlert) -> String {
    id(account, alert, &["log", &told.after().to_string(), &told.until().to_string()])
}

/// The id of what a rule on metrics tells.
pub fn metric_id(account: &str, alert: u32, told: &MetricAlert) -> String {
    let change = match told.change() {
        Change::Fired => "fired",
        Change::Again => "again",
        _ => "cleared",
    };
    let (incident, time) = (told.incident().to_string(), told.time().unix_micros().to_string());
    id(account, alert, &["metric", change, &incident, &time, &signal(told)])
}

/// What messages of one incident have in common. Other servers and accounts have others.
pub fn incident(account: &str, alert: u32, told: &MetricAlert) -> String {
    let key = format!("logdrain-{account}-{alert}-{}", told.incident());
    match told.signal() {
        // Signals that are told one by one may have fired at once.
        Some(_) => format!("{key}-{}", id(account, alert, &[&signal(told)]).get(..8).unwrap_or_default()),
        None => key,
    }
}

fn signal(told: &MetricAlert) -> String {
    told.signal().map_or_else(String::new, |(drain, tags)| {
        tags.iter().fold(drain.to_owned(), |text, (key, value)| format!("{text}\0{key}\0{value}"))
    })
}

/// An id made of what tells a message from all others: 32 hex digits.
pub fn id(account: &str, alert: u32, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    // With its length in front, so that no two lists of parts are one text.
    for part in [account, &alert.to_string()].iter().chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(16).fold(String::with_capacity(32), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::file::{Rule, parse};

    #[test]
    fn ids_tell_messages_apart_and_stay_the_same() {
        let one = id("shop", 7, &["log", "1", "2"]);
        assert_eq!(one, "6f519872abf20110fb45a38c56ddb3a8", "receivers have dropped repeats by it: it never changes");
        for other in [
            id("shop", 7, &["log", "12", ""]),
            id("shop", 7, &["log", "1", "3"]),
            id("shop", 71, &["log", "1", "2"]),
            id("shop7", 7, &["log", "1", "2"]),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn lines_beyond_the_bounds_are_only_counted() {
        let mut facts = LogFacts { count: 100, ..LogFacts::default() };
        let mut taken = 0;
        let line = Line { message: "x".repeat(64 << 10), ..Line::default() };
        while facts.take(line.clone(), &mut taken) {}
        assert!(taken <= MOST_BYTES && facts.lines.len() == 7, "{}", facts.lines.len());
        assert_eq!(facts.more(), 93);
        assert!(facts.take(Line::default(), &mut taken), "a short one still fits");
    }

    #[test]
    fn a_condition_is_told_as_its_rule_asks_it() {
        let rules = "[[metric]]\nname = \"a\"\nany = true\n\
            [[metric.when]]\nmetric = \"m.p95\"\nabove = 2\nfor = \"5m\"\n\
            [[metric.when]]\nmetric = \"m\"\nbelow = 1\n\
            [[metric.when]]\nmetric = \"m\"\nfunction = \"max\"\nabove = 1\ntags = { dyno = \"web.*\" }\n\
            [[metric.when]]\nmetric = \"m\"\nabsent = \"10m\"\n";
        let Rule::Minutes(rule) = parse(rules).unwrap().remove(0) else { panic!("a rule on minutes") };
        let told: Vec<_> = rule.when.iter().map(Condition::of).collect();
        let said = |at: usize| {
            let one: &Condition = &told[at];
            (one.kind.as_str(), one.metric.as_str(), one.threshold, one.summary.as_deref(), one.duration)
        };
        assert_eq!(said(0), ("above", "m", Some(2.0), Some("p95"), Some(300)));
        assert_eq!(said(1), ("below", "m", Some(1.0), Some("average"), None));
        assert_eq!(said(2), ("above", "m", Some(1.0), Some("max"), None));
        assert_eq!(told[2].tags, [("dyno".to_owned(), vec!["web.*".to_owned()])]);
        assert_eq!(said(3), ("absent", "m", None, None, Some(600)));
    }
}
