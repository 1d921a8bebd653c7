//! Alert rules that the target and its seeds have in common: a state is of the rules that it was written with.

use alert_rules::{Condition, Function, LogRule, MetricRule, Period, Total};
use core::time::Duration;
use log_query::Query;

/// How long a window is.
pub const MINUTE: Duration = Duration::from_secs(60);

/// A state of this version around this content, with the length and the checksum that make it one.
pub fn sealed(magic: &[u8], version: u8, content: &[u8]) -> Vec<u8> {
    crate::sealed_after(&[magic, &[version]].concat(), content)
}

/// The content of a state: the reverse of [`sealed`].
pub fn content(state: &[u8]) -> &[u8] {
    crate::content_after(7, state)
}

/// Rules on lines.
pub fn log_rules() -> Vec<(u64, LogRule)> {
    let rule = |query: &str, period| LogRule::new(Query::parse(query).into_query(), period);
    vec![
        (1, rule("boom", Period::Minute)),
        (2, rule("", Period::TenMinutes).counting()),
        (3, rule("-boom", Period::Hour).on_inactivity()),
        (9, rule("a OR b", Period::Day)),
    ]
}

/// Rules on minutes.
pub fn metric_rules() -> Vec<(u64, MetricRule)> {
    let load = |function| Condition::above("load", 1.0).with_function(function).with_duration(3 * MINUTE);
    vec![
        (1, MetricRule::new(load(Function::Max)).per_signal()),
        (2, MetricRule::new(load(Function::Derivative { detect_reset: true })).and(Condition::absent("*", 2 * MINUTE))),
        (9, MetricRule::new(Condition::below("count", 1.0)).any().with_rearm(MINUTE)),
        (
            12,
            MetricRule::new(load(Function::Average).together(Total::Sum))
                .and(Condition::below("*", 2.0).together(Total::Mean)),
        ),
    ]
}
