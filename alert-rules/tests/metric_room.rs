//! Room for signals that is too little: who keeps his, who gives some up, what is said of it, and that it does not depend on when
//! somebody was killed.

use alert_rules::{
    Change, Clear, Condition, Function, MetricAlert, MetricRule, MetricRules, Tick, Total, Verdict, fair_share,
};
use core::time::Duration;
use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);
/// Ten signals and a bit.
const TEN: u64 = 15_000;

fn window(minute: i64) -> Window {
    Window::containing(Timestamp::from_unix_seconds(60 * minute), MINUTE)
}

fn give(rules: &mut MetricRules, minute: i64, (name, dyno): (&str, &str), value: f64) {
    let tags = TagSet::from_iter([("dyno", dyno)]);
    let stats = Stats::sample(1, value, value, value, value);
    rules.point("shop", &DataPoint::new(window(minute), Kind::Sample, name, Unit::NONE, &tags, stats));
}

/// Ends a minute, and lets the room be shared.
fn tick(rules: &mut MetricRules, minute: i64, limit: u64) -> Vec<MetricAlert> {
    let id = u64::try_from(minute).unwrap() + 1;
    let verdicts = rules.tick(Tick::new(id, window(minute).end()), window(minute).end());
    let mut told: Vec<MetricAlert> = verdicts.into_iter().filter_map(Verdict::alert).collect();
    told.extend(rules.limit(limit));
    told
}

fn high(metric: &str) -> MetricRule {
    MetricRule::new(Condition::above(metric, 1.0))
}

#[test]
fn a_rule_with_few_signals_finds_room_though_another_has_taken_all() {
    let mut rules = MetricRules::new(MINUTE);
    rules.set(1, high("many"));
    rules.set(2, high("few"));
    assert!(tick(&mut rules, 0, TEN).is_empty());
    let many = |rules: &mut MetricRules, minute, value| {
        for number in 0..50 {
            give(rules, minute, ("many", &format!("web.{number}")), value);
        }
    };
    many(&mut rules, 1, 0.0);
    give(&mut rules, 1, ("few", "web.1"), 2.0);
    assert!(tick(&mut rules, 1, TEN).is_empty(), "it came when all was taken");
    assert_eq!(rules.left_out(2), 1, "and that is known");
    assert!(rules.left_out(1) >= 40 && rules.wanted() > TEN, "{}", rules.left_out(1));
    many(&mut rules, 2, 0.0);
    give(&mut rules, 2, ("few", "web.1"), 2.0);
    let told = tick(&mut rules, 2, TEN);
    let [alert] = &told[..] else { panic!("{told:?}") };
    assert_eq!((alert.rule(), alert.change(), alert.left_out()), (2, Change::Fired, 0));
    assert!(rules.bytes() <= TEN && rules.left_out(2) == 0 && rules.left_out(1) > 40);
    // What is watched stays so: nobody takes turns, and a rule with a duration is not always at its beginning.
    let watched = |rules: &MetricRules| rules.explain(1).iter().map(ToString::to_string).collect::<Vec<_>>();
    let before = watched(&rules);
    for minute in 3..9 {
        many(&mut rules, minute, 0.0);
        give(&mut rules, minute, ("few", "web.1"), 2.0);
        assert!(tick(&mut rules, minute, TEN).is_empty());
        assert_eq!(watched(&rules), before);
    }
}

#[test]
fn what_is_given_up_is_cleared_with_its_reason_and_alerts_say_what_is_not_watched() {
    let mut rules = MetricRules::new(MINUTE);
    rules.set(1, high("load").per_signal());
    for number in 0..20 {
        give(&mut rules, 0, ("load", &format!("web.{number:02}")), 2.0);
    }
    let fired = tick(&mut rules, 0, u64::MAX);
    assert_eq!((fired.len(), fired[0].left_out()), (20, 0));
    let over = rules.limit(rules.bytes() / 2);
    let told: Vec<String> =
        over.iter().map(|alert| alert.signal().unwrap().1.get("dyno").unwrap().to_owned()).collect();
    assert_eq!(told, (10..20).map(|number| format!("web.{number}")).collect::<Vec<_>>(), "those that came last");
    assert!(over.iter().all(|alert| alert.change() == Change::Cleared(Clear::NoRoom)));
    assert_eq!(over[0].to_string(), "cleared, since there is no room to watch it");
    assert_eq!(over[0].incident(), fired[10].incident());
    for number in 0..20 {
        give(&mut rules, 1, ("load", &format!("web.{number:02}")), if number == 3 { 0.0 } else { 2.0 });
    }
    let limit = rules.bytes();
    let told = tick(&mut rules, 1, limit);
    let [clear] = &told[..] else { panic!("{told:?}") };
    assert_eq!((clear.change(), clear.left_out()), (Change::Cleared(Clear::Normal), 10));
    assert_eq!(clear.to_string(), "clear; there is no room to watch 10 signals of this rule");
    assert_eq!(rules.explain(1).len(), 10, "nothing of those given up is told");
}

#[test]
fn all_conditions_of_a_rule_keep_some_signals() {
    let mut rules = MetricRules::new(MINUTE);
    rules.set(1, high("load").and(Condition::above("memory", 1.0)));
    for number in 0..20 {
        give(&mut rules, 0, ("load", &format!("web.{number}")), 2.0);
        give(&mut rules, 0, ("memory", &format!("web.{number}")), 2.0);
    }
    assert_eq!(tick(&mut rules, 0, TEN).len(), 1, "it still holds");
    let of = |condition| rules.explain(1).iter().filter(|reading| reading.condition() == condition).count();
    assert!(of(0) >= 3 && of(0).abs_diff(of(1)) <= 1, "{} and {}", of(0), of(1));
}

#[test]
fn what_nobody_watches_is_not_called_silent() {
    for total in [None, Some(Total::Sum)] {
        let absent = Condition::absent("beat", 3 * MINUTE);
        let absent = total.map_or(absent.clone(), |total| absent.together(total));
        let mut rules = MetricRules::new(MINUTE);
        rules.set(1, MetricRule::new(absent));
        give(&mut rules, 0, ("beat", "web.1"), 1.0);
        tick(&mut rules, 0, u64::MAX);
        rules.set_free(0);
        // The one that is watched is gone, and another one speaks that finds no room.
        for minute in 1..10 {
            give(&mut rules, minute, ("beat", "web.2"), 1.0);
            assert!(tick(&mut rules, minute, u64::MAX).is_empty(), "minute {minute}");
            assert_eq!(rules.left_out(1), 1);
        }
        let told: Vec<_> = (10..14).flat_map(|minute| tick(&mut rules, minute, u64::MAX)).collect();
        let [alert] = &told[..] else { panic!("{told:?}") };
        assert_eq!(
            (alert.change(), alert.time()),
            (Change::Fired, window(12).end()),
            "three minutes after the last one"
        );
    }
}

#[test]
fn what_is_late_and_more_than_can_wait_is_judged_all_the_same() {
    let run = |burst: usize| {
        let mut rules = MetricRules::new(MINUTE);
        rules.set(1, MetricRule::new(Condition::above("load", 1.0).with_duration(5 * MINUTE)));
        rules.set(2, MetricRule::new(Condition::below("load", 1e9).with_function(Function::Sum).together(Total::Sum)));
        for minute in 0..60 {
            give(&mut rules, minute, ("load", "web.1"), 0.0);
            tick(&mut rules, minute, u64::MAX);
        }
        for _ in 0..burst {
            (40..45).for_each(|minute| give(&mut rules, minute, ("load", "web.1"), 2.0));
        }
        // Between two bursts somebody is killed.
        let again = MetricRules::restore(
            MINUTE,
            &rules.state(),
            [
                (1, MetricRule::new(Condition::above("load", 1.0).with_duration(5 * MINUTE))),
                (2, MetricRule::new(Condition::below("load", 1e9).with_function(Function::Sum).together(Total::Sum))),
            ],
        );
        let mut rules = again.expect("its own state");
        (rules.state().len(), tick(&mut rules, 60, u64::MAX))
    };
    let ((small, few), (large, many)) = (run(1), run(20_000));
    assert_eq!(few, many);
    assert!(few.iter().any(|alert| alert.rule() == 1 && alert.change() == Change::Fired), "{few:?}");
    assert!(large < small + 200_000, "they do not wait without bound: {large}");
}

/// Two owners of rules under one bound, as a host shares it.
struct Host {
    owners: Vec<MetricRules>,
    whole: u64,
}

impl Host {
    fn rules() -> [(u64, MetricRule); 3] {
        [
            (1, high("a*").per_signal()),
            (2, MetricRule::new(Condition::above("*", 3.0).together(Total::Sum)).and(Condition::above("b", 0.0))),
            (3, MetricRule::new(Condition::absent("ab", 2 * MINUTE))),
        ]
    }

    fn new(whole: u64) -> Self {
        let owner = || {
            let mut rules = MetricRules::new(MINUTE);
            Self::rules().into_iter().for_each(|(rule, is)| _ = rules.set(rule, is));
            rules
        };
        Self { owners: vec![owner(), owner()], whole }
    }

    fn held(&self) -> u64 {
        self.owners.iter().map(MetricRules::bytes).sum()
    }

    fn point(&mut self, owner: usize, minute: i64, what: (&str, &str), value: f64) {
        let free = self.whole - self.held();
        self.owners[owner].set_free(free);
        give(&mut self.owners[owner], minute, what, value);
    }

    fn tick(&mut self, minute: i64) -> Vec<(usize, MetricAlert)> {
        let mut told = Vec::new();
        let id = u64::try_from(minute).unwrap() + 1;
        for (owner, rules) in self.owners.iter_mut().enumerate() {
            let verdicts = rules.tick(Tick::new(id, window(minute).end()), window(minute).end());
            told.extend(verdicts.into_iter().filter_map(Verdict::alert).map(|alert| (owner, alert)));
        }
        let wanted: Vec<u64> = self.owners.iter().map(|rules| rules.bytes() + rules.wanted()).collect();
        let share = fair_share(wanted, self.whole).unwrap_or(u64::MAX);
        for (owner, rules) in self.owners.iter_mut().enumerate() {
            told.extend(rules.limit(share).into_iter().map(|alert| (owner, alert)));
        }
        told
    }

    fn kill(&mut self) {
        for rules in &mut self.owners {
            let state = rules.state();
            *rules = MetricRules::restore(MINUTE, &state, Self::rules()).expect("its own state");
            assert_eq!(rules.state(), state);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn kills_change_nothing_and_nobody_has_more_than_there_is(
        whole in 3_000_u64..60_000,
        points in prop::collection::vec((0_usize..2, 0_i64..4, 0_usize..4, 0_u8..12, -1.0..6.0_f64), 1..200),
        kills in prop::collection::vec(any::<bool>(), 200),
    ) {
        let (mut one, mut other) = (Host::new(whole), Host::new(whole));
        let mut minute = 4;
        for ((owner, back, name, dyno, value), is_killed) in points.into_iter().zip(kills) {
            let name = ["a", "ab", "b", "c"][name];
            let dyno = format!("web.{dyno}");
            one.point(owner, minute - back, (name, &dyno), value);
            other.point(owner, minute - back, (name, &dyno), value);
            prop_assert!(one.held() <= whole);
            if is_killed {
                other.kill();
            }
            if value > 4.0 {
                prop_assert_eq!(one.tick(minute), other.tick(minute));
                prop_assert!(one.held() <= whole);
                minute += 1;
            }
        }
        one.kill();
        for (one, other) in one.owners.iter().zip(&other.owners) {
            prop_assert_eq!(one.state(), other.state());
        }
    }
}
