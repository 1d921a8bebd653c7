//! Any program, on the aggregator and on the slow, exact reference: the same fates, the same points.
#![no_main]

use family_fuzz::Draw;
use judge::{Line, Step, run};
use libfuzzer_sys::fuzz_target;
use std::collections::{BTreeMap, BTreeSet};
use testkit::reference::{Key, Kind, Quota, Rules, Seen};

const SECOND: i64 = 1_000_000;

fuzz_target!(|input: &[u8]| {
    let mut draw = Draw::new(input);
    let rules = rules(&mut draw);
    let mut steps = Vec::new();
    while !draw.is_empty() && steps.len() < 300 {
        steps.push(step(&mut draw));
    }
    if let Err(difference) = run(rules.clone(), &steps) {
        panic!("{difference}\n{rules:#?}\n{steps:#?}");
    }
});

fn rules(draw: &mut Draw<'_>) -> Rules {
    Rules {
        window: draw.pick(&[1, 10, 60]) * SECOND,
        lateness: draw.pick(&[0, 1, 30, 119]) * SECOND,
        future: draw.pick(&[0, 5, 300]) * SECOND,
        horizon: draw.pick(&[0, 0, 1, 60, 399]) * SECOND,
        idle_after: draw.pick(&[0, 1, 3, 60]),
        without_percentiles: BTreeSet::from(["bytes".to_string()]),
        quota: quota(draw),
    }
}

fn quota(draw: &mut Draw<'_>) -> Option<Quota> {
    draw.flag().then(|| Quota {
        limit: draw.below(40) as u64,
        tag_sets: draw.flag(),
        exempt: [("by", draw.flag()), ("a.very", draw.flag())]
            .into_iter()
            .filter_map(|(prefix, taken)| taken.then(|| prefix.to_string()))
            .collect(),
        overflow: draw.below(4),
    })
}

fn step(draw: &mut Draw<'_>) -> Step {
    match draw.below(32) {
        0 => {
            let (seen, count) = (seen(draw), draw.below(100));
            let value = seen.value;
            Step::Burst(seen, (0..count).map(|n| value + n as f64).collect())
        }
        1 | 2 => Step::Advance(time(draw)),
        3 => Step::AdvanceSome { now: time(draw), points: 1 + draw.below(6), parts: 1 + draw.below(4) },
        4 => Step::CloseOldest,
        5 => Step::SetQuota(quota(draw)),
        6 => Step::Restart,
        7 => Step::Finish,
        8..=19 => Step::Record(lines(draw)),
        _ => Step::Observe(seen(draw)),
    }
}

/// Lines of one row, so that from the second one on all streams are known.
fn lines(draw: &mut Draw<'_>) -> Vec<Line> {
    let (family, tags, first, width) = (draw.below(3), tags(draw), time(draw), 1 + draw.below(6));
    let line = |draw: &mut Draw<'_>| Line {
        family,
        tags: tags.clone(),
        values: (0..width).map(|_| (draw.below(8) > 0).then(|| draw.double())).collect(),
        time: first + i64::from(draw.pick(&[0, 0, 0, 1, -1])),
        is_copy: draw.below(8) == 0,
    };
    (0..1 + draw.below(16)).map(|_| line(draw)).collect()
}

fn tags(draw: &mut Draw<'_>) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for key in ["a", "b"] {
        if draw.flag() {
            tags.insert(key.to_string(), draw.pick(&["", "x", "y", "xyz"]).to_string());
        }
    }
    tags
}

fn seen(draw: &mut Draw<'_>) -> Seen {
    let tags = tags(draw);
    let key = Key {
        name: draw.pick(&["bytes", "query", "a.very.long.name", ""]).to_string(),
        kind: draw.pick(&[Kind::Count, Kind::Measure, Kind::Sample]),
        unit: draw.pick(&["", "ms"]).to_string(),
        tags,
    };
    Seen { key, value: draw.double(), time: time(draw) }
}

/// Around the time when it all happens, to the microsecond about the edges of windows.
fn time(draw: &mut Draw<'_>) -> i64 {
    i64::from(draw.short() / 32) * SECOND + i64::from(draw.pick(&[0, 0, 1, -1]))
}
