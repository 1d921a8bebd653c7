//! Log rules as whoever embeds them meets them: windows and their edges, silence, counts, limits, changes.

use alert_rules::{LogAlert, LogRule, LogRules, MOST_RECORDS, Period, Tick, Verdict};
use log_query::{Fields, Query};
use metric_model::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn rule(query: &str, period: Period) -> LogRule {
    LogRule::new(Query::parse(query).into_query(), period)
}

fn line(message: &str) -> Fields<'_> {
    Fields::new(b"shop", b"app/web.1", message.as_bytes())
}

/// Rules under one roof, with ids that rise by one.
struct House {
    rules: LogRules,
    id: u64,
}

impl House {
    fn new(rule: LogRule) -> Self {
        let mut rules = LogRules::new(Tick::new(1, at(0)));
        assert!(rules.set(7, rule));
        Self { rules, id: 1 }
    }

    fn line(&mut self, seconds: i64, message: &str) -> u64 {
        self.id += 1;
        self.rules.event(self.id, at(seconds), &line(message));
        self.id
    }

    fn tick(&mut self, time: Timestamp) -> Vec<Verdict<LogAlert>> {
        self.id += 1;
        self.rules.tick(Tick::new(self.id, time))
    }

    /// A tick each minute up to this one, and the alerts with the second of their tick.
    fn minutes(&mut self, seconds: impl IntoIterator<Item = i64>) -> Vec<(i64, String)> {
        let mut told = Vec::new();
        for second in seconds {
            let verdicts = self.tick(at(second));
            told.extend(verdicts.into_iter().filter_map(Verdict::alert).map(|alert| (second, alert.to_string())));
        }
        told
    }
}

fn every_minute(from: i64, to: i64) -> impl Iterator<Item = i64> {
    (from..=to).step_by(60)
}

#[test]
fn a_line_in_the_last_millisecond_is_of_the_window_that_ends() {
    let mut house = House::new(rule("boom", Period::Minute));
    house.id += 1;
    let last = Timestamp::from_unix_micros(59_999_999);
    house.rules.event(house.id, last, &line("boom"));
    let verdicts = house.tick(at(60));
    let [Verdict::Alert(alert)] = &verdicts[..] else { panic!("one alert: {verdicts:?}") };
    assert_eq!((alert.after(), alert.until(), alert.ids()), (1, 3, &[2][..]));
    assert_eq!((alert.started_at(), alert.ended_at()), (at(0), at(60)));
    // What comes behind the tick is of the next window, also if its time is that of the tick.
    house.line(60, "boom");
    let verdicts = house.tick(at(120));
    let [Verdict::Alert(alert)] = &verdicts[..] else { panic!("one alert: {verdicts:?}") };
    assert_eq!((alert.after(), alert.ids()), (3, &[4][..]));
}

#[test]
fn windows_lie_side_by_side_and_do_not_drift() {
    let mut house = House::new(rule("boom", Period::Minute));
    let mut ends = Vec::new();
    for second in [59, 61, 119, 125, 181, 239, 241] {
        house.line(second, "boom");
        let verdicts = house.tick(at(second));
        ends.extend(
            verdicts.into_iter().filter_map(Verdict::alert).map(|alert| (alert.after(), alert.until(), second)),
        );
    }
    assert_eq!(ends, [(1, 5, 61), (5, 9, 125), (9, 11, 181), (11, 15, 241)]);
}

#[test]
fn an_empty_window_says_nothing_and_a_minimum_is_at_least() {
    let mut house = House::new(rule("boom", Period::Minute).with_minimum(3));
    assert!(house.minutes(every_minute(60, 600)).is_empty());
    for second in [601, 602] {
        house.line(second, "boom");
    }
    assert!(house.minutes([660]).is_empty());
    for second in [661, 662, 663] {
        house.line(second, "boom");
    }
    house.line(664, "quiet");
    assert_eq!(house.minutes([720]), [(720, "3 lines in 1 minute, at least 3 asked for".to_owned())]);
}

#[test]
fn silence_is_told_of_full_windows_only() {
    let silent = rule("heartbeat", Period::TenMinutes).on_inactivity();
    let mut house = House::new(silent.clone());
    house.line(5, "heartbeat");
    // The first window had one, the second had none.
    assert_eq!(house.minutes(every_minute(60, 1_200)), [(1_200, "no line in 10 minutes".to_owned())]);

    // A rule that is set between two ticks begins with a window that is cut short.
    let mut house = House::new(rule("x", Period::Minute));
    house.line(30, "x");
    house.rules.set(8, silent);
    let told = house.minutes(every_minute(60, 1_200));
    assert_eq!(
        told.iter().filter(|(_, text)| text.contains("no line")).map(|(at, _)| *at).collect::<Vec<_>>(),
        [1_200]
    );
}

#[test]
fn an_outage_is_no_silence_and_is_told_once() {
    let mut house = House::new(rule("heartbeat", Period::Hour).on_inactivity());
    house.rules.set(8, rule("boom", Period::Hour));
    house.line(60, "heartbeat");
    assert!(house.minutes(every_minute(60, 20 * MINUTE)).is_empty());
    // Three hours: told at the start behind it.
    house.id += 1;
    house.rules.unknown(house.id, at(20 * MINUTE), at(20 * MINUTE + 3 * HOUR));
    house.line(20 * MINUTE + 3 * HOUR, "boom");
    let back = at(20 * MINUTE + 3 * HOUR + 1);
    let verdicts = house.tick(back);
    let [Verdict::Unknown(unknown), Verdict::Alert(alert)] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert_eq!((unknown.from(), unknown.until(), unknown.rules()), (at(20 * MINUTE), back, &[7][..]));
    assert_eq!((alert.rule(), alert.count()), (8, 1));
    assert_eq!(alert.unknown(), Some((at(20 * MINUTE), back)));
    assert_eq!(
        alert.to_string(),
        "1 line in 1 hour; nothing is known from 1970-01-01T00:20:00Z to 1970-01-01T03:20:01Z"
    );
    // The next window is due at the hour, as it would have been, and is a full one for all that is asked of it.
    let ticks = (3 * HOUR + 21 * MINUTE..=5 * HOUR).step_by(60);
    assert_eq!(
        house.minutes(ticks),
        [(4 * HOUR, "no line in 1 hour".to_owned()), (5 * HOUR, "no line in 1 hour".to_owned())]
    );
}

#[test]
fn a_clock_that_is_set_is_no_silence_and_nobody_waits_for_it() {
    let mut house = House::new(rule("heartbeat", Period::TenMinutes).on_inactivity());
    house.rules.set(8, rule("boom", Period::TenMinutes));
    house.line(1, "heartbeat");
    house.tick(at(60));
    // An hour forward: the window ends, and what was not seen in it is not silence.
    let verdicts = house.tick(at(60 + HOUR));
    let [Verdict::Unknown(unknown)] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert_eq!((unknown.from(), unknown.until()), (at(60), at(60 + HOUR)));
    // Three hours back: the window ends within ten minutes, not three hours.
    let back = 60 - 2 * HOUR;
    house.line(back, "boom");
    assert!(house.tick(at(back)).is_empty());
    let told = house.minutes(every_minute(back + 60, back + 600));
    assert_eq!(
        told,
        [(back + 600, "no line in 10 minutes".to_owned()), (back + 600, "1 line in 10 minutes".to_owned())]
    );
}

#[test]
fn a_day_is_due_when_the_host_says_also_in_the_night_of_summer_time() {
    // Berlin, 2026-03-29: from 05:00 +01:00 of the day before to 05:00 +02:00 are 23 hours.
    let due = [1_774_670_400, 1_774_753_200, 1_774_839_600, 1_774_926_000].map(at);
    let next = |_, start: Timestamp| due.into_iter().find(|due| *due > start).expect("days enough");
    let begin = at(1_774_655_000);
    let mut rules = LogRules::new(Tick::new(1, begin));
    rules.set(7, rule("heartbeat", Period::Day).on_inactivity());
    rules.set(8, rule("batch done", Period::Day));
    let (mut id, mut told) = (1, Vec::new());
    let mut now = begin;
    while now < due[2] {
        now = now.later(core::time::Duration::from_secs(60));
        // A batch at 01:30 and one at 03:30 local time, on both sides of the change: one day.
        if [1_774_744_200, 1_774_747_800].contains(&now.unix_seconds().div_euclid(60).saturating_mul(60)) {
            id += 1;
            rules.event(id, now, &line("batch done"));
        }
        id += 1;
        let verdicts = rules.tick_with(Tick::new(id, now), next);
        told.extend(verdicts.into_iter().filter_map(Verdict::alert).map(|alert| {
            let late = alert.ended_at().since(due[1]).as_secs() / 60;
            (alert.rule(), late, alert.count())
        }));
    }
    // The first window of the day was cut short by its hour, so its silence is not told.
    assert_eq!(told, [(7, 0, 0), (8, 0, 2), (7, 1_440, 0)]);
}

#[test]
fn counts_are_told_by_system_and_second() {
    let mut house = House::new(rule("boom", Period::Minute).counting().with_minimum(0));
    for (second, system) in [(1, "web-2"), (1, "web-1"), (1, "web-2"), (59, "web-2")] {
        house.id += 1;
        house.rules.event(house.id, at(second), &Fields::new(system.as_bytes(), b"app", b"boom"));
    }
    let verdicts = house.tick(at(60));
    let [Verdict::Alert(alert)] = &verdicts[..] else { panic!("{verdicts:?}") };
    let counts: Vec<_> = alert.counts().map(|(system, counts)| (system, counts.to_vec())).collect();
    assert_eq!(counts, [(&b"web-1"[..], vec![(1, 1)]), (b"web-2", vec![(1, 2), (59, 1)])]);
    assert_eq!((alert.count(), alert.ids()), (4, &[][..]));
    // Minimum 0: an empty window is told, too.
    let verdicts = house.tick(at(120));
    let [Verdict::Alert(alert)] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert_eq!((alert.count(), alert.counts().len(), alert.to_string().as_str()), (0, 0, "no line in 1 minute"));
}

#[test]
fn lines_beyond_the_limit_are_counted_and_not_recorded() {
    let mut house = House::new(rule("boom", Period::Minute));
    for _ in 0..MOST_RECORDS + 3 {
        house.line(1, "boom");
    }
    let state = house.rules.state();
    house.rules = LogRules::restore(&state, [(7, rule("boom", Period::Minute))]).expect("our own state");
    let verdicts = house.tick(at(60));
    let [Verdict::Alert(alert)] = &verdicts[..] else { panic!("one alert") };
    assert_eq!((alert.count(), alert.ids().len(), alert.reached_limit()), (25_003, 25_000, true));
    assert_eq!((alert.ids().first(), alert.ids().last()), (Some(&2), Some(&25_001)));
    assert_eq!(alert.to_string(), "25003 lines in 1 minute; not all of them are recorded");
    assert!(state.len() < 40_000, "{}", state.len());
}

#[test]
fn many_rules_share_what_may_be_recorded() {
    let mut rules = LogRules::new(Tick::new(1, at(0)));
    for number in 0..1_000 {
        rules.set(number, rule("boom", Period::Minute));
    }
    for id in 2..1_500 {
        assert_eq!(rules.event(id, at(1), &line("boom")), 1_000);
    }
    let verdicts = rules.tick(Tick::new(1_500, at(60)));
    let recorded: Vec<usize> = verdicts.into_iter().filter_map(Verdict::alert).map(|alert| alert.ids().len()).collect();
    assert_eq!(recorded, [1_000; 1_000]);
}

#[test]
fn a_rule_that_changes_begins_anew_and_the_same_rule_does_not() {
    let mut house = House::new(rule("boom", Period::Minute).with_minimum(2));
    house.line(10, "boom");
    assert!(!house.rules.set(7, rule("boom", Period::Minute).with_minimum(2)));
    house.line(20, "boom");
    assert_eq!(house.minutes([60]).len(), 1, "both lines, since nothing changed");

    house.line(70, "boom");
    assert!(house.rules.set(7, rule("BOOM", Period::Minute).with_minimum(2)));
    house.line(80, "boom");
    assert!(house.minutes([120]).is_empty(), "one line before the change and one behind it");
    house.line(130, "boom");
    assert!(house.rules.remove(7) && !house.rules.remove(7));
    house.line(140, "boom");
    assert!(house.rules.set(7, rule("boom", Period::Minute)));
    assert!(house.minutes([180]).is_empty(), "muted meanwhile, and never told later");
}

#[test]
fn rules_look_at_their_systems_alone() {
    let mut rules = LogRules::new(Tick::new(1, at(0)));
    rules.set(1, rule("boom", Period::Minute).with_systems(["shop-*", "depot"]));
    rules.set(2, rule("-quiet", Period::Minute).with_systems(["*-eu"]));
    let mut id = 1;
    let mut fits = |system: &str, message: &str| {
        id += 1;
        rules.event(id, at(1), &Fields::new(system.as_bytes(), b"app", message.as_bytes()))
    };
    assert_eq!(fits("shop-eu", "boom"), 2);
    assert_eq!(fits("shop-us", "boom"), 1);
    assert_eq!(fits("depot", "Boom"), 1);
    assert_eq!(fits("depots", "boom"), 0);
    assert_eq!(fits("shop-eu", "quiet boom"), 1);
}

#[test]
fn what_was_taken_is_not_taken_again() {
    let mut house = House::new(rule("boom", Period::Minute));
    house.line(1, "boom");
    for _ in 0..3 {
        house.rules.event(2, at(1), &line("boom"));
        house.rules.event(1, at(1), &line("boom"));
        house.rules.unknown(2, at(0), at(9));
    }
    let verdicts = house.tick(at(60));
    let [Verdict::Alert(alert)] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert_eq!((alert.count(), alert.unknown()), (1, None));
    assert!(house.rules.tick(Tick::new(3, at(500))).is_empty());
    assert_eq!(house.rules.last_id(), 3);
}
