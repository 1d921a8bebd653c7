//! JSON of our own: everything that is known of an alert, under the names of our API.

use super::words::{Clock, Links};
use crate::alerts::told::{Facts, LogFacts, MetricFacts, Told};
use serde_json::{Map, Value, json};

pub(super) fn body(told: &Told, links: &Links) -> Value {
    let clock = Clock::of(told);
    let mut body = Map::new();
    let alert = json!({
        "id": told.alert, "name": told.name, "description": told.description, "runbook_url": told.runbook,
        "url": links.alert(told),
    });
    for (key, value) in [
        ("id", Value::from(told.id.clone())),
        ("kind", json!(told.kind)),
        ("account", told.account.clone().into()),
        ("alert", alert),
        ("at", clock.iso(told.at).into()),
        ("why", told.why.clone().into()),
    ] {
        body.insert(key.to_owned(), value);
    }
    match &told.facts {
        Facts::Log(facts) => {
            body.insert("log".to_owned(), of_lines(told, facts, &clock, links));
        }
        Facts::Metric(facts) => {
            body.insert("metric".to_owned(), of_metrics(facts, &clock));
        }
        Facts::Nothing => {}
    }
    Value::Object(body)
}

fn of_lines(told: &Told, facts: &LogFacts, clock: &Clock, links: &Links) -> Value {
    let lines = facts.lines.iter().map(|line| {
        json!({
            "id": line.id.to_string(), "received_at": clock.iso(line.received),
            "generated_at": line.generated.map(|time| clock.iso(time)), "system": line.system,
            "program": line.program, "severity": line.severity, "facility": line.facility, "message": line.message,
        })
    });
    let lines: Vec<Value> = lines.collect();
    let counts = facts.counts.as_ref().map(|counts| {
        let counts = counts.iter().map(|one| {
            let by_second: Vec<Value> = one.counts.iter().map(|(second, count)| json!([second, count])).collect();
            json!({ "system": one.system, "counts": by_second })
        });
        counts.collect::<Vec<_>>()
    });
    json!({
        "query": facts.query, "search": facts.search, "url": links.search(told, facts), "frequency": facts.frequency,
        "min_id": facts.min_id.to_string(), "max_id": facts.max_id.to_string(), "from": clock.iso(facts.from),
        "until": clock.iso(facts.until), "count": facts.count, "more": facts.more(),
        "is_inactivity": facts.is_inactivity, "lines": lines, "counts": counts,
        "unknown": facts.unknown.map(|(from, until)| json!([clock.iso(from), clock.iso(until)])),
    })
}

fn of_metrics(facts: &MetricFacts, clock: &Clock) -> Value {
    let conditions = facts.conditions.iter().map(|condition| {
        let tags: Map<String, Value> =
            condition.tags.iter().map(|(key, values)| (key.clone(), json!(values))).collect();
        json!({
            "type": condition.kind, "metric": condition.metric, "threshold": condition.threshold,
            "summary": condition.summary, "duration": condition.duration, "tags": tags,
        })
    });
    let readings = facts.readings.iter().map(|reading| {
        let tags: Map<String, Value> = reading.tags.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        json!({
            "condition": reading.condition, "system": reading.system, "metric": reading.metric, "tags": tags,
            "value": reading.value, "at": clock.iso(reading.time.saturating_mul(1_000_000)), "why": reading.why,
        })
    });
    json!({
        "incident": facts.incident, "is_again": facts.is_again, "clear": facts.clear,
        "conditions": conditions.collect::<Vec<_>>(), "readings": readings.collect::<Vec<_>>(), "more": facts.more,
    })
}
