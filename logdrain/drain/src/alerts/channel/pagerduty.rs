//! Events of PagerDuty, version 2: an incident is opened, and resolved by the same key.

use super::words::{Clock, Links, body, cut, hosts, line, title};
use crate::alerts::told::{Facts, Kind, Told};
use serde_json::{Value, json};

pub(super) const URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// The most of a body, and of a summary.
const BODY: usize = 512 << 10;
const SUMMARY: usize = 1_024;
/// What stands around the lines.
const AROUND: usize = 16 << 10;

pub(super) fn event(told: &Told, links: &Links, routing_key: &str) -> Value {
    let (account, alert) = (&told.account, told.alert);
    let key = match &told.facts {
        Facts::Metric(facts) => facts.incident.clone(),
        // A rule on lines has one incident that is open: what comes next is more of the same.
        Facts::Log(_) => format!("logdrain-{account}-{alert}"),
        Facts::Nothing => format!("logdrain-{account}-{}", told.id),
    };
    // A test opens nothing that it would not be told from.
    let key = if told.kind == Kind::Test { format!("{key}-test") } else { key };
    if told.kind == Kind::Resolved {
        return json!({ "routing_key": routing_key, "event_action": "resolve", "dedup_key": key });
    }
    let (source, details, link) = match &told.facts {
        Facts::Log(facts) => {
            let from = hosts(facts);
            let messages = messages(told);
            let details = json!({
                "query": facts.query, "why": told.why, "matches": facts.count, "messages": messages,
                "min_id": facts.min_id.to_string(), "max_id": facts.max_id.to_string(),
            });
            (from, details, links.search(told, facts))
        }
        Facts::Metric(_) => {
            (String::new(), json!({ "why": told.why, "readings": body(told, BODY / 4) }), links.alert(told))
        }
        Facts::Nothing => (String::new(), json!({ "why": told.why }), links.alert(told)),
    };
    let summary = format!("{}{source}", title(told));
    let severity = if told.kind == Kind::Fired { "error" } else { "info" };
    let mut shown = Vec::new();
    if link.starts_with("http") {
        shown.push(json!({ "href": link, "text": "Open" }));
    }
    if let Some(runbook) = &told.runbook {
        shown.push(json!({ "href": runbook, "text": "Runbook" }));
    }
    json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": key,
        "payload": {
            "summary": cut(&summary, SUMMARY),
            "source": account,
            "severity": severity,
            "timestamp": Clock::of(told).iso(told.at),
            "component": told.name,
            "custom_details": details,
        },
        "links": shown,
        "client": "logdrain",
        "client_url": links.alert(told),
    })
}

/// The lines, as many as a body may have: those at the end are left out.
fn messages(told: &Told) -> Vec<String> {
    let Facts::Log(facts) = &told.facts else { return Vec::new() };
    if facts.counts.is_some() || facts.is_inactivity {
        return body(told, BODY / 4).lines().map(str::to_owned).collect();
    }
    let clock = Clock::of(told);
    let mut room = BODY - AROUND;
    let mut messages = Vec::new();
    for one in &facts.lines {
        let text = line(&clock, one);
        // As it is written in JSON, with what parts it from the next.
        let bytes = serde_json::to_string(&text).map_or(usize::MAX, |text| text.len() + 1);
        if bytes > room {
            break;
        }
        room -= bytes;
        messages.push(text);
    }
    messages
}
