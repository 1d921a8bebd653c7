//! The books at the end of a replay.

use crate::args::LedgerFormat;
use heroku_metrics::Ledger;
use heroku_metrics::aggregator::{Explanation, Standing};
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::say;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Prints the books to standard error.
pub(crate) fn ledger(ledger: &Ledger, format: LedgerFormat) {
    match format {
        LedgerFormat::Text => say(format_args!("{ledger}")),
        LedgerFormat::Json => say(format_args!("{}", json(ledger))),
        LedgerFormat::None => {}
    }
}

/// What the plan turned away, metric by metric, and why.
pub(crate) fn turned_away(explanation: &Explanation<'_>) {
    let mut metrics: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for row in explanation.iter().filter(|row| matches!(row.standing(), Standing::Folded | Standing::Refused)) {
        let (streams, observations) = metrics.entry((row.name(), row.standing())).or_default();
        *streams += 1;
        *observations += row.observations();
    }
    let limit = explanation.limit().unwrap_or(u32::MAX);
    for ((name, standing), (streams, observations)) in metrics {
        let (name, place) =
            (Escaped(name), if standing == Standing::Folded { "added up in overflow=true" } else { "refused" });
        say(format_args!(
            "{name}: {observations} observations of {streams} streams {place}: {} of {limit} places were taken when they came",
            explanation.used()
        ));
    }
    if explanation.unlisted() > 0 {
        say(format_args!("{} observations of further streams found no place", explanation.unlisted()));
    }
}

/// `{"octets":{"in":…,"skipped":{"bad_length":…}},…,"balanced":true}`
fn json(ledger: &Ledger) -> Value {
    let mut stages: Map<String, Value> = Map::new();
    for entry in ledger.entries() {
        let stage = &mut stages.entry(entry.stage()).or_insert_with(|| json!({}));
        match entry.reason() {
            Some((group, reason)) => stage[group.replace(' ', "_")][reason] = entry.count().into(),
            None => stage[entry.name().replace(' ', "_")] = entry.count().into(),
        }
    }
    stages.insert("balanced".into(), ledger.balances().into());
    stages.into()
}
