//! What is said of an alert: links, times, sentences and lines, the same for all who read text.

use crate::alerts::told::{Condition, Facts, Kind, Line, LogFacts, MetricFacts, Reading, Told};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What links begin with: `https://logs.example.com`, or nothing where the server does not know how it is reached.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Links(pub String);

impl Links {
    /// Where the lines of an alert are: without a query, since receivers put one behind it.
    pub(super) fn search(&self, told: &Told, facts: &LogFacts) -> String {
        match facts.search {
            Some(search) => format!("{}/searches/{search}", self.0),
            None => self.alert(told),
        }
    }

    /// Where it is changed.
    pub(super) fn edit(&self, told: &Told, facts: &LogFacts) -> String {
        format!("{}/edit", self.search(told, facts))
    }

    pub(super) fn alert(&self, told: &Told) -> String {
        match told.alert {
            0 => format!("{}/alerts", self.0),
            alert => format!("{}/alerts/{alert}", self.0),
        }
    }
}

/// The times of a message.
#[derive(Clone, Debug)]
pub(super) struct Clock(TimeZone);

impl Clock {
    pub(super) fn of(told: &Told) -> Self {
        Self(told.zone.as_deref().and_then(|zone| TimeZone::get(zone).ok()).unwrap_or(TimeZone::UTC))
    }

    fn text(&self, unix_micros: i64, form: &str) -> String {
        let time = Timestamp::from_microsecond(unix_micros).unwrap_or_default();
        time.to_zoned_datetime(self.0.clone()).strftime(form).to_string()
    }

    /// `2026-11-28T21:08:03+00:00`
    pub(super) fn iso(&self, unix_micros: i64) -> String {
        self.text(unix_micros, "%Y-%m-%dT%H:%M:%S%:z")
    }

    /// `Nov 28 21:08:03`
    pub(super) fn display(&self, unix_micros: i64) -> String {
        self.text(unix_micros, "%b %d %H:%M:%S")
    }

    /// `2026-11-28 21:08`
    pub(super) fn minute(&self, unix_micros: i64) -> String {
        self.text(unix_micros, "%Y-%m-%d %H:%M")
    }
}

/// `2013-09-05T05:32:56Z`
pub(super) fn utc(unix_micros: i64) -> String {
    Clock(TimeZone::UTC).text(unix_micros, "%Y-%m-%dT%H:%M:%SZ")
}

/// A number without a fraction that says nothing.
pub(super) fn number(value: f64) -> serde_json::Value {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        serde_json::Value::from(value as i64)
    } else {
        serde_json::Value::from(value)
    }
}

/// One line as it is shown: `May 18 20:30:02 abc CROND: message body`.
pub(super) fn line(clock: &Clock, line: &Line) -> String {
    let Line { received, system, program, message, .. } = line;
    let at = clock.display(*received);
    match program.is_empty() {
        true => format!("{at} {system}: {message}"),
        false => format!("{at} {system} {program}: {message}"),
    }
}

/// How many of a system.
pub(super) fn counts(facts: &LogFacts) -> Vec<(&str, u64)> {
    let all = facts.counts.iter().flatten();
    all.map(|counts| (counts.system.as_str(), counts.counts.iter().map(|(_, count)| count).sum())).collect()
}

/// The lines of a message as text, one below the other, and how many more there are. No more than so many bytes.
pub(super) fn lines(told: &Told, facts: &LogFacts, most: usize) -> String {
    let clock = Clock::of(told);
    let mut text = String::new();
    let mut shown = 0;
    let all: Vec<String> = match facts.counts {
        Some(_) => counts(facts).into_iter().map(|(system, count)| format!("{system}: {count}")).collect(),
        None => facts.lines.iter().map(|one| line(&clock, one)).collect(),
    };
    // Room for the words that say how many more there are.
    let room = most.saturating_sub(40);
    for one in &all {
        if text.len() + one.len() + 1 > room {
            if shown == 0 {
                text.push_str(cut(one, room));
                shown = 1;
            }
            break;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(one);
        shown += 1;
    }
    let more = (all.len() - shown) as u64 + facts.more();
    if more > 0 {
        let _ = write!(text, "\nand {more} more");
    }
    text
}

/// As much of a text as fits.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Its name, or the search's, with what happened: what stands above all else.
pub(super) fn title(told: &Told) -> String {
    let name = &told.name;
    let title = match (&told.facts, told.kind) {
        (Facts::Log(facts), Kind::Fired | Kind::Test) => {
            let past = facts.frequency.strip_prefix("1 ").unwrap_or(&facts.frequency);
            let matches = if facts.count == 1 { "match" } else { "matches" };
            format!("\"{name}\" search found {} {matches} in the past {past}", facts.count)
        }
        (_, Kind::Resolved) => format!("Alert {name} has cleared"),
        (_, Kind::Notice) => format!("{name}: {}", told.why),
        _ => format!("Alert {name} has triggered!"),
    };
    if told.kind == Kind::Test { format!("Test: {title}") } else { title }
}

/// What holds of a signal: "metric `m` was above threshold 10 over 60 seconds with value 12 recorded at ...".
pub(super) fn reading(clock: &Clock, facts: &MetricFacts, reading: &Reading) -> String {
    let condition = usize::try_from(reading.condition).ok().and_then(|index| facts.conditions.get(index));
    let mut text = format!("metric `{}`", reading.metric);
    let of = signal(reading);
    if !of.is_empty() {
        let _ = write!(text, " of {of}");
    }
    let Some(Condition { kind, threshold, duration, .. }) = condition else { return text };
    if kind == "absent" {
        text.push_str(" was absent");
        if let Some(duration) = duration {
            let _ = write!(text, " for {duration} seconds");
        }
        return text;
    }
    let _ = write!(text, " was {kind} threshold");
    if let Some(threshold) = threshold {
        let _ = write!(text, " {}", number(*threshold));
    }
    if let Some(duration) = duration {
        let _ = write!(text, " over {duration} seconds");
    }
    if let Some(value) = reading.value {
        let _ = write!(text, " with value {}", number(value));
    }
    let _ = write!(text, " recorded at {}", clock.iso(reading.time.saturating_mul(1_000_000)));
    text
}

/// The tags of a signal, `app_name=demo,dyno=web.1`; the system, if it has none.
pub(super) fn signal(reading: &Reading) -> String {
    if reading.tags.is_empty() {
        return reading.system.clone();
    }
    let tags: Vec<String> = reading.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    tags.join(",")
}

/// All readings, one below the other.
pub(super) fn readings(told: &Told, facts: &MetricFacts) -> String {
    let clock = Clock::of(told);
    let mut all: Vec<String> = facts.readings.iter().map(|one| reading(&clock, facts, one)).collect();
    if facts.more > 0 {
        all.push(format!("and {} more", facts.more));
    }
    all.join("\n")
}

/// What stands below the title, no more than so many bytes.
pub(super) fn body(told: &Told, most: usize) -> String {
    let text = match &told.facts {
        Facts::Log(facts) if facts.is_inactivity || (facts.count == 0 && facts.counts.is_none()) => told.why.clone(),
        Facts::Log(facts) => lines(told, facts, most),
        Facts::Metric(facts) if told.kind == Kind::Resolved => match facts.clear {
            Some(clear) => format!("cleared: {}", clear.word()),
            None => told.why.clone(),
        },
        Facts::Metric(facts) => readings(told, facts),
        Facts::Nothing => told.why.clone(),
    };
    cut(&text, most).to_owned()
}

/// `web-1 and web-2`, or how many.
pub(super) fn hosts(facts: &LogFacts) -> String {
    let hosts: BTreeSet<&str> = match &facts.counts {
        Some(counts) => counts.iter().map(|counts| counts.system.as_str()).collect(),
        None => facts.lines.iter().map(|line| line.system.as_str()).collect(),
    };
    match hosts.len() {
        0 => String::new(),
        1..5 => format!(" from {}", hosts.into_iter().collect::<Vec<_>>().join(", ")),
        many => format!(" from {many} hosts"),
    }
}
