//! The payloads that receivers of Papertrail's and AppOptics' hooks know, key by key in the order in which those came.

use super::words::{Clock, Links, number, signal, utc};
use crate::alerts::told::{Facts, Kind, LogFacts, MetricFacts, Told};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Severities and facilities as hooks name them.
const SEVERITIES: [&str; 8] = ["Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Info", "Debug"];
const FACILITIES: [&str; 24] = [
    "Kern", "User", "Mail", "Daemon", "Auth", "Syslog", "Lpr", "News", "Uucp", "Cron", "Authpriv", "Ftp", "Ntp",
    "Audit", "Alert", "Clock", "Local0", "Local1", "Local2", "Local3", "Local4", "Local5", "Local6", "Local7",
];

/// The number of a system, and what people call it.
pub(super) type Systems = BTreeMap<String, (u32, String)>;

/// The payload; `None` of what has no shape there.
pub(super) fn payload(told: &Told, links: &Links, systems: &Systems) -> Option<Value> {
    match &told.facts {
        Facts::Log(facts) => Some(of_lines(told, facts, links, systems)),
        Facts::Metric(facts) => Some(of_metrics(told, facts)),
        Facts::Nothing => None,
    }
}

fn of_lines(told: &Told, facts: &LogFacts, links: &Links, systems: &Systems) -> Value {
    let mut payload = Map::new();
    let source = |system: &str| match systems.get(system) {
        Some((id, shown)) => (*id, shown.clone()),
        None => (0, system.to_owned()),
    };
    match &facts.counts {
        // Never both: where there is a list of events, receivers look at no counts.
        Some(counts) => {
            let counts = counts.iter().map(|counts| {
                let (id, name) = source(&counts.system);
                json!({ "source_name": name, "source_id": id, "timeseries": minutes(&counts.counts) })
            });
            payload.insert("counts".to_owned(), counts.collect());
        }
        None => {
            let clock = Clock::of(told);
            let events = facts.lines.iter().map(|line| {
                let (id, name) = source(&line.system);
                let word = |words: &[&'static str], number: Option<u8>| {
                    number.and_then(|number| words.get(usize::from(number)).copied())
                };
                json!({
                    "id": line.id,
                    "received_at": clock.iso(line.received),
                    "display_received_at": clock.display(line.received),
                    "source_ip": line.source_ip.map(|address| address.to_canonical().to_string()),
                    "source_name": name,
                    "source_id": id,
                    "hostname": line.system,
                    "program": line.program,
                    "severity": word(&SEVERITIES, line.severity),
                    "facility": word(&FACILITIES, line.facility),
                    "message": line.message,
                })
            });
            payload.insert("events".to_owned(), events.collect());
        }
    }
    let search = json!({
        "id": facts.search.unwrap_or(told.alert),
        "name": told.name,
        "query": facts.query,
        "html_edit_url": links.edit(told, facts),
        "html_search_url": links.search(told, facts),
    });
    payload.insert("saved_search".to_owned(), search);
    payload.insert("max_id".to_owned(), facts.max_id.to_string().into());
    payload.insert("min_id".to_owned(), facts.min_id.to_string().into());
    if facts.counts.is_none() {
        payload.insert("frequency".to_owned(), facts.frequency.clone().into());
        payload.insert("reached_record_limit".to_owned(), (facts.more() > 0).into());
        if facts.more() > 0 {
            payload.insert("min_time_at".to_owned(), utc(facts.from).into());
        }
    }
    Value::Object(payload)
}

/// Counts by the beginning of their minute.
fn minutes(counts: &[(i64, u64)]) -> Value {
    let mut minutes: BTreeMap<i64, u64> = BTreeMap::new();
    for (second, count) in counts {
        *minutes.entry(second - second.rem_euclid(60)).or_default() += count;
    }
    Value::Object(minutes.into_iter().map(|(minute, count)| (minute.to_string(), count.into())).collect())
}

fn of_metrics(told: &Told, facts: &MetricFacts) -> Value {
    let alert = json!({
        "id": told.alert,
        "name": told.name,
        "runbook_url": told.runbook.as_deref().unwrap_or_default(),
        "version": 2,
        "description": told.description,
    });
    let time = told.at.div_euclid(1_000_000);
    if told.kind == Kind::Resolved {
        // However it came to be clear: hooks are told of no other word.
        return json!({
            "alert": alert, "account": told.account, "trigger_time": time, "clear": "normal",
            "incident_key": facts.incident,
        });
    }
    let conditions = facts.conditions.iter().zip(1..).map(|(condition, id)| {
        let mut value = Map::new();
        value.insert("id".to_owned(), Value::from(id));
        value.insert("type".to_owned(), condition.kind.clone().into());
        if let Some(threshold) = condition.threshold {
            value.insert("threshold".to_owned(), number(threshold));
        }
        if let Some(summary) = &condition.summary {
            value.insert("summary_function".to_owned(), summary.clone().into());
        }
        if let Some(duration) = condition.duration {
            value.insert("duration".to_owned(), duration.into());
        }
        Value::Object(value)
    });
    let conditions: Value = conditions.collect();
    let mut violations: Map<String, Value> = Map::new();
    for reading in &facts.readings {
        let violation = json!({
            "metric": reading.metric,
            "value": reading.value.map(number),
            "recorded_at": reading.time,
            "condition_violated": reading.condition + 1,
        });
        let of_signal = violations.entry(signal(reading)).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(all) = of_signal {
            all.push(violation);
        }
    }
    json!({
        "alert": alert, "account": told.account, "trigger_time": time, "incident_key": facts.incident,
        "conditions": conditions, "violations": violations, "triggered_by_user_test": told.kind == Kind::Test,
    })
}
