//! What rules found, as it is told.

use crate::alerts::file::{OfMinutes, Rule};
use crate::alerts::told::{
    self, Condition, Counts, Facts, Kind, Line, LogFacts, MOST_COUNTS, MOST_READINGS, MetricFacts, Reading, Told,
};
use crate::settings::account::Alert;
use alert_rules::{Change, LogAlert, MOST_BETWEEN_TICKS, MetricAlert, Unknown};
use std::collections::{BTreeMap, BTreeSet};

/// Channels that one notice goes to.
const MOST_CHANNELS: usize = 20;

fn of(account: &str, (number, alert): (u32, &Alert), id: String, kind: Kind, at: i64) -> Told {
    let zone = match &alert.rule {
        Rule::Lines(rule) => rule.zone.clone(),
        Rule::Minutes(_) => None,
    };
    Told {
        id,
        account: account.to_owned(),
        alert: number,
        name: alert.rule.name().to_owned(),
        kind,
        at,
        channels: alert.channels.iter().copied().collect(),
        is_muted: false,
        description: alert.description.clone(),
        runbook: alert.runbook.clone(),
        zone,
        why: String::new(),
        facts: Facts::Nothing,
    }
}

/// What a window of lines had. `lines` are those that it recorded and that are there still.
pub(super) fn lines(account: &str, alert: (u32, &Alert), found: &LogAlert, lines: Vec<Line>) -> Told {
    let Rule::Lines(rule) = &alert.1.rule else {
        return of(account, alert, told::log_id(account, alert.0, found), Kind::Fired, found.ended_at().unix_micros());
    };
    let counts = rule.counts.then(|| {
        let counts = found.counts().take(MOST_COUNTS).map(|(system, counts)| Counts {
            system: String::from_utf8_lossy(system).into_owned(),
            counts: counts.to_vec(),
        });
        counts.collect()
    });
    let mut facts = LogFacts {
        query: rule.query.clone(),
        search: alert.1.search,
        frequency: found.period().to_string(),
        min_id: found.after(),
        max_id: found.until(),
        from: found.started_at().unix_micros(),
        until: found.ended_at().unix_micros(),
        count: found.count(),
        is_inactivity: found.is_inactivity(),
        counts,
        unknown: found.unknown().map(|(from, until)| (from.unix_micros(), until.unix_micros())),
        ..LogFacts::default()
    };
    let mut taken = 0;
    for line in lines {
        if !facts.take(line, &mut taken) {
            break;
        }
    }
    let id = told::log_id(account, alert.0, found);
    let told = of(account, alert, id, Kind::Fired, found.ended_at().unix_micros());
    Told { why: found.to_string(), facts: Facts::Log(facts), ..told }
}

/// What a rule on minutes says. A rule that is gone clears what it told under the name that it had.
pub(super) fn minutes(account: &str, alert: (u32, &Alert), found: &MetricAlert) -> Told {
    let (kind, clear) = match found.change() {
        Change::Cleared(clear) => (Kind::Resolved, Some(clear.into())),
        _ => (Kind::Fired, None),
    };
    let conditions = match &alert.1.rule {
        Rule::Minutes(OfMinutes { when, .. }) => when.iter().map(Condition::of).collect(),
        Rule::Lines(_) => Vec::new(),
    };
    let readings = found.readings().iter().take(MOST_READINGS).map(|reading| Reading {
        condition: u32::try_from(reading.condition()).unwrap_or(u32::MAX),
        system: reading.drain().to_owned(),
        metric: reading.metric().to_owned(),
        tags: reading.tags().iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        value: reading.value(),
        time: reading.time().unix_seconds(),
        why: reading.to_string(),
    });
    let facts = MetricFacts {
        incident: told::incident(account, alert.0, found),
        is_again: found.change() == Change::Again,
        clear,
        conditions,
        readings: readings.collect(),
        more: (found.more() + found.readings().len().saturating_sub(MOST_READINGS)) as u64,
    };
    let id = told::metric_id(account, alert.0, found);
    let told = of(account, alert, id, kind, found.time().unix_micros());
    Told { why: found.to_string(), facts: Facts::Metric(facts), ..told }
}

/// That nothing is known of a stretch: to whoever would have heard of its silence. A restart is not told.
pub(super) fn unknown(account: &str, alerts: &BTreeMap<u32, Alert>, unknown: &Unknown) -> Option<Told> {
    if unknown.until().since(unknown.from()) <= MOST_BETWEEN_TICKS {
        return None;
    }
    let concerned = alerts.values().filter(|alert| alert.is_on && asks_for_silence(&alert.rule));
    let channels: BTreeSet<u32> = concerned.flat_map(|alert| &alert.channels).copied().collect();
    let (from, until) = (unknown.from().unix_micros(), unknown.until().unix_micros());
    Some(Told {
        // Rules on lines and rules on minutes know of the same stretch: it is told once.
        id: told::id(account, 0, &["unknown", &from.to_string(), &until.to_string()]),
        account: account.to_owned(),
        alert: 0,
        name: "Not recorded".to_owned(),
        kind: Kind::Notice,
        at: until,
        channels: channels.into_iter().take(MOST_CHANNELS).collect(),
        is_muted: false,
        description: String::new(),
        runbook: None,
        zone: None,
        why: format!("nothing is known from {} to {}: no rule calls that silent", unknown.from(), unknown.until()),
        facts: Facts::Nothing,
    })
}

/// That signals of a rule find no room. `at` in microseconds.
pub(super) fn left_out(account: &str, (number, alert): (u32, &Alert), signals: u64, at: i64) -> Told {
    let id = told::id(account, number, &["no room", &at.to_string()]);
    let told = of(account, (number, alert), id, Kind::Notice, at);
    let (many, are) = if signals == 1 { ("signal", "is") } else { ("signals", "are") };
    let why = format!(
        "the memory of rules (alert_memory) is taken, and this one does not see all: {signals} {many} that it asks for \
         {are} not watched, and nothing is told of them. It is told again after a day"
    );
    Told { why, ..told }
}

fn asks_for_silence(rule: &Rule) -> bool {
    match rule {
        Rule::Lines(rule) => rule.inactivity,
        Rule::Minutes(rule) => rule.when.iter().any(|when| when.absent.is_some()),
    }
}
