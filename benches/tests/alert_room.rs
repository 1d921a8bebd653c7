//! What alert rules say that their signals take, beside what they do take. One test alone, since all tests of a program share
//! the allocator.
#![allow(missing_docs)]

use alert_rules::{Condition, MetricRule, MetricRules, Tick, Total};
use core::time::Duration;
use family_benches::timing::in_use;
use heroku_metrics::model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
use stats_alloc::StatsAlloc;
use std::alloc::System;

#[global_allocator]
static HEAP: &StatsAlloc<System> = family_benches::timing::HEAP;

const MINUTE: Duration = Duration::from_secs(60);

fn rules_take_what_they_say(rule: MetricRule, streams: u32, tags: u32, long: usize) {
    let before = in_use();
    let mut rules = MetricRules::new(MINUTE);
    rules.set(1, rule);
    // One is held in the state, and one in what the host writes.
    let mut held = Vec::new();
    for minute in 1..=70 {
        let window = Window::containing(Timestamp::from_unix_seconds(60 * minute), MINUTE);
        for stream in 0..streams {
            let tags: TagSet = (0..tags)
                .map(|tag| (format!("key{tag}"), format!("{stream:0long$}")))
                .collect::<Vec<_>>()
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect();
            let stats = Stats::sample(1, 2.0, 2.0, 2.0, 2.0);
            // Each is said four times: it waits as often.
            for _ in 0..4 {
                rules.point("shop", &DataPoint::new(window, Kind::Sample, "load", Unit::NONE, &tags, stats));
            }
        }
        if minute == 70 {
            held.push(rules.state());
        }
        let told = rules.tick(Tick::new(minute as u64, window.end()), window.end());
        if minute == 1 {
            // What was told of all of them at once.
            let (taken, said) = (in_use() - before, rules.bytes() as usize);
            assert!(taken <= said, "{taken} of {said} with what is told");
        }
        drop(told);
    }
    held.push(rules.state());
    let (taken, said) = (in_use() - before, rules.bytes() as usize);
    let each = |bytes| bytes / streams as usize;
    println!("{streams} streams, {tags} tags of {long}: {} bytes each, and {} are said", each(taken), each(said));
    assert!(taken <= said, "{taken} of {said}");
    assert!(said <= 8 * taken, "{taken} of {said}: it would be a waste");
}

#[test]
fn signals_take_no_more_than_they_say() {
    let high = || Condition::above("load", 1.0);
    for (streams, tags, long) in [(1_000, 1, 5), (600, 7, 20), (300, 20, 200)] {
        rules_take_what_they_say(MetricRule::new(high()), streams, tags, long);
        rules_take_what_they_say(MetricRule::new(high()).per_signal(), streams, tags, long);
        rules_take_what_they_say(MetricRule::new(high().together(Total::Max)), streams, tags, long);
    }
}
