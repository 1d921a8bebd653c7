//! The plans that ship, in one table.

use super::{LogPlan, Plan};

/// Plans of lines: volume of a day in MB, days that can be searched, days that archives are kept. Their metrics have no
/// limit: such a plan says nothing of them.
const OF_LINES: [(&str, u64, u64, u64); 11] = [
    ("choklad", 10, 2, 7),
    ("fixa", 50, 7, 365),
    ("ludvig", 100, 7, 365),
    ("forsta", 200, 7, 365),
    ("volmar", 500, 14, 365),
    ("liatorp", 1 << 10, 14, 365),
    ("fredrik", 5 << 10, 14, 365),
    ("numerar", 10 << 10, 14, 365),
    ("galant", 10 << 10, 14, 365),
    ("sparsam", 20 << 10, 14, 365),
    ("grundtal", 20 << 10, 14, 365),
];

/// Plans of metrics: lines are kept for as long as the server keeps those of accounts without a plan.
const OF_METRICS: [&str; 2] = ["development", "gold"];

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    OF_METRICS.into_iter().chain(OF_LINES.into_iter().map(|(name, ..)| name))
}

pub(super) fn plan(name: &str) -> Option<Plan> {
    if let Some(metrics) = heroku_metrics::Plan::shipped(name) {
        return Some(Plan { metrics, logs: LogPlan::default() });
    }
    let (name, megabytes, search, archive) =
        OF_LINES.into_iter().find(|(shipped, ..)| shipped.eq_ignore_ascii_case(name))?;
    let logs = LogPlan::default().with_volume(megabytes << 20).with_search_days(search).with_archive_days(archive);
    Some(Plan { metrics: heroku_metrics::Plan::new(name), logs })
}
