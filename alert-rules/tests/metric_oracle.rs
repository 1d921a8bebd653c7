//! Random points, revisions, gaps, outages and kills against a plain reading of what each window says.

use alert_rules::{Change, Clear, Condition, Function, MetricRule, MetricRules, Tick, Total, Verdict};
use core::time::Duration;
use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use testkit::random::Random;

const MINUTE: Duration = Duration::from_secs(60);

/// Drain, metric, dyno.
type Signal = (&'static str, &'static str, &'static str);
/// What is told of: nobody in particular, or a drain and a dyno.
type Of = Option<(&'static str, &'static str)>;

#[derive(Clone, Debug)]
struct Asked {
    metric: &'static str,
    /// `None` for absence.
    threshold: Option<(bool, f64)>,
    windows: i64,
    dynos: Option<&'static str>,
    is_derivative: bool,
    total: Option<Total>,
}

#[derive(Clone, Debug)]
struct Ruled {
    conditions: Vec<Asked>,
    any: bool,
    per_signal: bool,
    rearm: i64,
}

/// One signal under one condition.
#[derive(Default)]
struct Known {
    numbers: BTreeMap<i64, f64>,
    holds: bool,
    is_fresh: bool,
}

impl Asked {
    fn condition(&self) -> Condition {
        let long = self.windows as u32 * MINUTE;
        let condition = match self.threshold {
            None => Condition::absent(self.metric, long),
            Some((true, threshold)) => Condition::above(self.metric, threshold).with_duration(long),
            Some((false, threshold)) => Condition::below(self.metric, threshold).with_duration(long),
        };
        let condition = match self.dynos {
            Some(dynos) => condition.with_tag("dyno", [dynos]),
            None => condition,
        };
        let condition = match self.total {
            Some(total) => condition.together(total),
            None => condition,
        };
        if self.is_derivative {
            condition.with_function(Function::Derivative { detect_reset: false })
        } else {
            condition
        }
    }

    fn selects(&self, (_, metric, dyno): Signal) -> bool {
        let star = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
            Some(start) => text.starts_with(start),
            None => text == pattern,
        };
        star(self.metric, metric) && self.dynos.is_none_or(|dynos| star(dynos, dyno))
    }

    fn violates(&self, value: f64) -> bool {
        self.threshold.is_some_and(|(above, threshold)| if above { value > threshold } else { value < threshold })
    }

    /// The value that a window is compared by.
    fn value(&self, known: &Known, signal: Signal, at: i64, unknown: &BTreeSet<i64>) -> Option<f64> {
        let number = |at: i64| match known.numbers.get(&at) {
            Some(number) => Some(*number),
            None => {
                let begun = known.numbers.first_key_value().is_some_and(|(first, _)| *first <= at);
                (is_count(signal) && self.threshold.is_some() && begun && !unknown.contains(&at)).then_some(0.0)
            }
        };
        if !self.is_derivative {
            return number(at);
        }
        let first = *known.numbers.first_key_value()?.0;
        let before = (first..at).rev().find_map(number)?;
        Some(number(at)? - before)
    }

    /// The total of a window.
    fn whole(&self, known: &BTreeMap<Signal, Known>, at: i64, unknown: &BTreeSet<i64>) -> Option<f64> {
        let values: Vec<f64> =
            known.iter().filter_map(|(signal, known)| self.value(known, *signal, at, unknown)).collect();
        let count = values.len();
        (count > 0).then(|| match self.total.expect("asked of a total only") {
            Total::Sum => values.into_iter().sum(),
            Total::Mean => values.into_iter().sum::<f64>() / count as f64,
            Total::Max => values.into_iter().fold(f64::NEG_INFINITY, f64::max),
            Total::Min => values.into_iter().fold(f64::INFINITY, f64::min),
            other => panic!("{other}"),
        })
    }

    /// `None` when there is nothing to judge by.
    fn finding(&self, known: &Known, signal: Signal, at: i64, unknown: &BTreeSet<i64>) -> Option<bool> {
        let first = known.numbers.first_key_value().map(|(first, _)| *first);
        self.finding_by(first, |at| self.value(known, signal, at, unknown), at, unknown)
    }

    fn finding_by(
        &self,
        first: Option<i64>,
        value: impl Fn(i64) -> Option<f64>,
        at: i64,
        unknown: &BTreeSet<i64>,
    ) -> Option<bool> {
        let range = at - self.windows + 1..=at;
        let values: Vec<f64> = range.clone().filter_map(value).collect();
        if self.threshold.is_none() {
            return match values.len() {
                0 if range.clone().any(|at| unknown.contains(&at)) => None,
                count => Some(count == 0),
            };
        }
        let is_long = first.is_some_and(|first| first <= *range.start());
        (!values.is_empty()).then(|| is_long && values.iter().all(|value| self.violates(*value)))
    }
}

/// What late points change of a total: all of them, and then the windows that violate and did not.
fn judge_whole_late(
    asked: &Asked,
    (known, whole): (&mut BTreeMap<Signal, Known>, &mut Known),
    late: &[(i64, Signal, f64)],
    judged: i64,
    unknown: &BTreeSet<i64>,
) {
    let windows = judged - 40..=judged;
    let violates = |known: &BTreeMap<Signal, Known>, at| {
        asked.whole(known, at, unknown).is_some_and(|value| asked.violates(value))
    };
    let before: Vec<bool> = windows.clone().map(|at| violates(known, at)).collect();
    for &(at, signal, value) in late {
        known.entry(signal).or_default().numbers.insert(at, value);
    }
    let first = (0..=judged).find(|at| asked.whole(known, *at, unknown).is_some());
    let holds = |end| asked.finding_by(first, |at| asked.whole(known, at, unknown), end, unknown) == Some(true);
    for (at, was) in windows.zip(before) {
        if violates(known, at) && !was && (at..=judged.min(at + asked.windows - 1)).any(holds) {
            (whole.holds, whole.is_fresh) = (true, true);
        }
    }
}

fn is_count((_, metric, _): Signal) -> bool {
    metric.starts_with("count")
}

impl Ruled {
    fn rule(&self) -> MetricRule {
        let mut conditions = self.conditions.iter().map(Asked::condition);
        let mut rule = MetricRule::new(conditions.next().expect("one")).with_rearm(self.rearm as u32 * MINUTE);
        for condition in conditions {
            rule = rule.and(condition);
        }
        if self.any {
            rule = rule.any();
        }
        if self.per_signal { rule.per_signal() } else { rule }
    }
}

#[derive(Default)]
struct Plain {
    known: Vec<BTreeMap<Signal, Known>>,
    /// By condition: how its total stands, if it asks of one. It has begun with its first number.
    wholes: Vec<Option<Known>>,
    /// With when it was told last.
    incidents: BTreeMap<Of, i64>,
}

impl Plain {
    fn judge(&mut self, ruled: &Ruled, at: i64, is_late: bool, told: &mut Vec<(i64, Change, Of)>) {
        let holds: Vec<bool> = (ruled.conditions.iter().zip(&self.known).zip(&self.wholes))
            .map(|((asked, known), whole)| {
                if asked.total.is_some() {
                    whole.as_ref().is_some_and(|whole| whole.holds)
                } else if asked.threshold.is_none() && !ruled.per_signal {
                    !known.is_empty() && known.values().all(|known| known.holds)
                } else {
                    known.values().any(|known| known.holds)
                }
            })
            .collect();
        let is_ruled = if ruled.any { holds.contains(&true) } else { !holds.contains(&false) };
        let mut now: BTreeMap<Of, bool> = BTreeMap::new();
        let ones = self.known.iter().flatten().map(|((drain, _, dyno), known)| ((*drain, *dyno), known));
        let wholes = self.wholes.iter().flatten().map(|known| (("", ""), known));
        for ((drain, dyno), known) in ones.chain(wholes).filter(|(_, known)| is_ruled && known.holds) {
            *now.entry(ruled.per_signal.then_some((drain, dyno))).or_default() |= known.is_fresh;
        }
        if !is_late {
            let over: Vec<Of> = self.incidents.keys().filter(|of| !now.contains_key(*of)).copied().collect();
            for of in over {
                self.incidents.remove(&of);
                told.push((at, Change::Cleared(Clear::Normal), of));
            }
        }
        for (of, is_fresh) in now {
            match self.incidents.get(&of) {
                None => told.push((at, Change::Fired, of)),
                Some(last) if is_fresh && !is_late && at - last >= ruled.rearm => told.push((at, Change::Again, of)),
                Some(_) => continue,
            }
            self.incidents.insert(of, at);
        }
    }
}

fn asked(random: &mut Random, with_derivatives: bool) -> Asked {
    let threshold = random.chance(800).then(|| (random.chance(500), random.below(5) as f64 - 1.0));
    let total = [None, None, Some(Total::Sum), Some(Total::Max), Some(Total::Min), Some(Total::Mean)];
    Asked {
        total: random.pick(&total),
        metric: random.pick(&["load", "count.a", "lo*", "*"]),
        windows: random.between(1, 8) as i64,
        dynos: random.pick(&[None, Some("web.*"), Some("web.1"), Some("run.*")]),
        is_derivative: with_derivatives && threshold.is_some() && random.chance(300),
        threshold,
    }
}

const SIGNALS: [Signal; 6] = [
    ("shop", "load", "web.1"),
    ("shop", "load", "web.2"),
    ("depot", "load", "web.1"),
    ("shop", "count.a", "web.1"),
    ("depot", "count.a", "run.7"),
    ("depot", "memory", "run.7"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn alerts_are_those_of_the_definition_also_across_kills(seed: u64, kills in 0..300_u64, lateness in 0..2_u64) {
        let mut random = Random::new(seed);
        let ruled: Vec<Ruled> = (0..random.between(1, 6))
            .map(|_| Ruled {
                conditions: (0..random.between(1, 3)).map(|_| asked(&mut random, lateness == 0)).collect(),
                any: random.chance(300),
                per_signal: random.chance(500),
                rearm: random.between(1, 12) as i64,
            })
            .collect();
        let all = || (0..).zip(&ruled).map(|(number, ruled)| (number, ruled.rule()));
        let mut rules = MetricRules::new(MINUTE);
        for (number, rule) in all() {
            rules.set(number, rule);
        }
        let mut plain: Vec<Plain> = ruled
            .iter()
            .map(|ruled| Plain {
                known: ruled.conditions.iter().map(|_| BTreeMap::new()).collect(),
                wholes: ruled.conditions.iter().map(|_| None).collect(),
                incidents: BTreeMap::new(),
            })
            .collect();
        let mut unknown: BTreeSet<i64> = BTreeSet::new();
        // The first tick judges nothing: what is before it was before.
        let mut judged = 99;
        rules.tick(Tick::new(1, time(100)), time(100));

        for tick in 2..random.between(20, 120) {
            let close = judged + random.pick(&[0, 1, 1, 1, 1, 2, 3]);
            if close > judged + 2 {
                // More than two minutes between two ticks.
                unknown.extend(judged + 1..=close);
            }
            if random.chance(50) {
                let until = judged + random.between(2, 12) as i64;
                rules.unknown(time(judged + 1), time(until));
                unknown.extend(judged + 1..until);
            }
            let mut points: Vec<(i64, Signal, f64)> = Vec::new();
            for signal in SIGNALS {
                for at in judged + 1..=close {
                    if random.chance(if is_count(signal) { 400 } else { 800 }) {
                        points.push((at, signal, random.below(4) as f64));
                    }
                }
                if lateness == 1 && random.chance(100) {
                    points.push((judged - random.below(20).min((judged as u64).saturating_sub(100)) as i64, signal, random.below(4) as f64));
                }
            }
            for &(at, (drain, metric, dyno), number) in &points {
                let tags = TagSet::from_iter([("dyno", dyno)]);
                let (kind, stats) = if metric.starts_with("count") {
                    (Kind::Count, Stats::count(1, number))
                } else {
                    (Kind::Sample, Stats::sample(1, number, number, number, number))
                };
                let window = Window::containing(time(at), MINUTE);
                rules.point(drain, &DataPoint::new(window, kind, metric, Unit::NONE, &tags, stats));
                if random.below(1_000) < kills / 10 {
                    rules = killed(&rules, all());
                }
            }
            let verdicts = rules.tick(Tick::new(tick, time(close + 1)), time(close + 1));
            if random.below(1_000) < kills {
                rules = killed(&rules, all());
            }
            let mut told: Vec<(u64, i64, Change, Of)> = Vec::new();
            for alert in verdicts.into_iter().filter_map(Verdict::alert) {
                let of = alert.signal().map(|(drain, tags)| {
                    let held = SIGNALS.iter().find(|(known, _, dyno)| *known == drain && tags.get("dyno") == Some(dyno));
                    if drain.is_empty() { ("", "") } else { held.map(|(drain, _, dyno)| (*drain, *dyno)).expect("one of ours") }
                });
                prop_assert_eq!(alert.readings().is_empty(), matches!(alert.change(), Change::Cleared(_)));
                told.push((alert.rule(), alert.time().unix_seconds() / 60 - 1, alert.change(), of));
            }

            points.sort_by_key(|(at, _, _)| *at);
            let mut expected: Vec<(u64, i64, Change, Of)> = Vec::new();
            for ((number, ruled), plain) in (0..).zip(&ruled).zip(&mut plain) {
                let mut said = Vec::new();
                for ((asked, known), whole) in ruled.conditions.iter().zip(&mut plain.known).zip(&mut plain.wholes) {
                    if asked.total.is_some() {
                        let late: Vec<(i64, Signal, f64)> =
                            points.iter().filter(|(at, signal, _)| *at <= judged && asked.selects(*signal)).copied().collect();
                        if !late.is_empty() {
                            let mut held = whole.take().unwrap_or_default();
                            judge_whole_late(asked, (known, &mut held), &late, judged, &unknown);
                            *whole = (0..=judged).any(|at| asked.whole(known, at, &unknown).is_some()).then_some(held);
                        }
                        continue;
                    }
                    for &(at, signal, value) in points.iter().filter(|(at, signal, _)| *at <= judged && asked.selects(*signal)) {
                        let known = known.entry(signal).or_default();
                        let was = asked.value(known, signal, at, &unknown).is_some_and(|value| asked.violates(value));
                        known.numbers.insert(at, value);
                        let is = asked.value(known, signal, at, &unknown).is_some_and(|value| asked.violates(value));
                        let holds = |end| asked.finding(known, signal, end, &unknown) == Some(true);
                        if is && !was && (at..=judged.min(at + asked.windows - 1)).any(holds) {
                            (known.holds, known.is_fresh) = (true, true);
                        }
                    }
                }
                plain.judge(ruled, judged, true, &mut said);
                for at in judged + 1..=close {
                    for ((asked, known), whole) in ruled.conditions.iter().zip(&mut plain.known).zip(&mut plain.wholes) {
                        for &(_, signal, value) in points.iter().filter(|(when, signal, _)| *when == at && asked.selects(*signal)) {
                            known.entry(signal).or_default().numbers.insert(at, value);
                        }
                        if asked.total.is_some() {
                            let first = (0..=at).find(|at| asked.whole(known, *at, &unknown).is_some());
                            if first.is_some() {
                                let finding = asked.finding_by(first, |at| asked.whole(known, at, &unknown), at, &unknown);
                                let whole = whole.get_or_insert_default();
                                whole.is_fresh = finding == Some(true);
                                whole.holds = whole.is_fresh || whole.holds && finding.is_none();
                            }
                            continue;
                        }
                        for (signal, known) in known {
                            let finding = asked.finding(known, *signal, at, &unknown);
                            known.is_fresh = finding == Some(true);
                            known.holds = known.is_fresh || known.holds && finding.is_none();
                        }
                    }
                    plain.judge(ruled, at, false, &mut said);
                }
                expected.extend(said.into_iter().map(|(at, change, of)| (number, at, change, of)));
            }
            let order = |told: &mut Vec<(u64, i64, Change, Of)>| told.sort_by_key(|(rule, at, _, of)| (*rule, *at, *of));
            order(&mut told);
            order(&mut expected);
            prop_assert_eq!(told, expected, "at tick {}", tick);
            judged = close;
        }
    }
}

fn time(minute: i64) -> Timestamp {
    Timestamp::from_unix_seconds(60 * minute)
}

fn killed(rules: &MetricRules, all: impl Iterator<Item = (u64, MetricRule)>) -> MetricRules {
    let state = rules.state();
    let again = MetricRules::restore(MINUTE, &state, all).expect("our own state");
    assert_eq!(again.state(), state, "what was restored is what was written");
    again
}
