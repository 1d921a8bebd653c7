//! What alerts told, with the lines or points that made them fire, and how far each message is on its way.

use super::problem::Problem;
use super::scans::told as time;
use super::{Asked, Done, blocking, json};
use logdrain_drain::alerts::outbox::{Delivery, Head, State};
use logdrain_drain::alerts::told::{Facts, Kind, Line, LogFacts, MetricFacts, Reading, Told};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The most messages of an answer, and how many it has unless more are asked for.
const MOST: usize = 50;
const USUAL: usize = 20;
/// Lines, points and systems of one; and bytes of a line.
const SHOWN: usize = 5;
const MESSAGE: usize = 500;

pub(super) async fn all(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.sees_all()?;
    messages(asked, None).await
}

pub(super) async fn of_one(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.sees_all()?;
    super::alerts::found(asked)?;
    messages(asked, Some(asked.id)).await
}

async fn messages(asked: &Arc<Asked>, alert: Option<u32>) -> Result<Done, Problem> {
    let most = asked.parameters().number("limit", 1..=MOST, USUAL)?;
    let told = blocking(asked, move |asked| {
        let (outbox, account) = (asked.site().alerts.outbox(), &asked.viewer.account);
        let heads = outbox.heads(account, alert, most)?;
        let messages: Result<Vec<Value>, Problem> = heads
            .iter()
            .map(|head| {
                let whole = if head.is_whole { outbox.told(account, &head.id)? } else { None };
                Ok(shape(head, whole.as_ref()))
            })
            .collect();
        json(&json!({ "messages": messages? }))
    });
    Ok(Done::Json(told.await?))
}

fn shape(head: &Head, whole: Option<&Told>) -> Value {
    let mut told = Map::new();
    told.insert("id".to_owned(), json!(head.id));
    told.insert("alert".to_owned(), json!(head.alert));
    told.insert("name".to_owned(), json!(head.name));
    told.insert("kind".to_owned(), json!(kind(head.kind, whole)));
    told.insert("at".to_owned(), json!(time(head.at)));
    told.insert("muted".to_owned(), json!(head.is_muted));
    told.insert("why".to_owned(), json!(head.why));
    match whole.map(|whole| &whole.facts) {
        Some(Facts::Log(facts)) => of_lines(&mut told, facts),
        Some(Facts::Metric(facts)) => of_metrics(&mut told, facts),
        _ => {}
    }
    told.insert("deliveries".to_owned(), head.deliveries.iter().map(delivery).collect());
    Value::Object(told)
}

const fn kind(kind: Kind, whole: Option<&Told>) -> &'static str {
    match (kind, whole) {
        (Kind::Fired, Some(Told { facts: Facts::Metric(MetricFacts { is_again: true, .. }), .. })) => "again",
        (Kind::Fired, _) => "fired",
        (Kind::Resolved, _) => "resolved",
        (Kind::Notice, _) => "notice",
        (Kind::Test, _) => "test",
    }
}

fn of_lines(told: &mut Map<String, Value>, facts: &LogFacts) {
    told.insert("query".to_owned(), json!(facts.query));
    told.insert("count".to_owned(), json!(facts.count));
    told.insert("lines".to_owned(), facts.lines.iter().take(SHOWN).map(line).collect());
    let counts = facts.counts.iter().flatten().take(SHOWN).map(|one| {
        let sum: u64 = one.counts.iter().map(|(_, count)| count).sum();
        json!({ "system": one.system, "lines": sum })
    });
    told.insert("counts".to_owned(), counts.collect());
}

/// A line as other answers have it.
fn line(line: &Line) -> Value {
    let message = match line.message.char_indices().find(|(at, _)| *at >= MESSAGE) {
        Some((end, _)) => format!("{}…", line.message.get(..end).unwrap_or_default()),
        None => line.message.clone(),
    };
    json!({
        "id": line.id.to_string(),
        "received_at": time(line.received),
        "generated_at": time(line.generated.unwrap_or(line.received)),
        "source_ip": line.source_ip,
        "system": line.system,
        "program": line.program,
        "severity": line.severity,
        "facility": line.facility,
        "message": message,
    })
}

fn of_metrics(told: &mut Map<String, Value>, facts: &MetricFacts) {
    told.insert("readings".to_owned(), facts.readings.iter().take(SHOWN).map(reading).collect());
    let more = facts.more + facts.readings.len().saturating_sub(SHOWN) as u64;
    told.insert("more_readings".to_owned(), json!(more));
}

fn reading(reading: &Reading) -> Value {
    let tags: Map<String, Value> = reading.tags.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    json!({
        "metric": reading.metric, "system": reading.system, "tags": tags, "value": reading.value, "why": reading.why,
    })
}

fn delivery(delivery: &Delivery) -> Value {
    let state = match delivery.state {
        State::Waiting => "waiting",
        State::Sent => "sent",
        State::Refused => "failed",
    };
    json!({
        "channel": delivery.channel, "state": state, "tries": delivery.tries, "why": delivery.said,
        "at": time(delivery.changed.saturating_mul(1_000_000)),
    })
}
