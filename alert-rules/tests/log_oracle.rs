//! Random lines, ticks, outages and kills against a plain reading of what a window is.

use alert_rules::{LogRule, LogRules, Period, Tick, Verdict};
use log_query::{Fields, Query};
use metric_model::Timestamp;
use proptest::prelude::*;
use testkit::random::Random;

#[derive(Clone, Debug)]
enum Input {
    Line(u64, i64, &'static str, &'static str),
    Tick(u64, i64),
    Unknown(u64, i64, i64),
}

#[derive(Clone, Debug)]
struct Asked {
    query: &'static str,
    period: Period,
    minimum: u64,
    /// 0 lines, 1 counts, 2 silence.
    kind: u64,
}

const MESSAGES: [&str; 6] = [
    "at=error code=H12 status=503",
    "at=info status=200 path=/pay",
    "\u{1b}[31mERROR\u{1b}[0m payment declined",
    "größe GRÖSSE",
    "router: split",
    "",
];
const QUERIES: [&str; 12] = [
    "status=503",
    "error",
    "-status=200",
    "(code=H12 OR declined) error",
    "program:router at=",
    "\"heroku/router: at=\"",
    "größe",
    "severity:error",
    "",
    "e",
    "payment (declined OR accepted) -H12",
    "sender:shop path=/pay",
];

fn rule(asked: &Asked) -> LogRule {
    let rule = LogRule::new(Query::parse(asked.query).into_query(), asked.period).with_minimum(asked.minimum);
    match asked.kind {
        0 => rule,
        1 => rule.counting(),
        _ => rule.on_inactivity(),
    }
}

fn fields(system: &'static str, message: &'static str) -> Fields<'static> {
    Fields::new(system.as_bytes(), b"heroku/router", message.as_bytes()).with_severity(3)
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_micros(millis * 1_000)
}

/// What is told: rule, first and last id, count, ids.
type Told = (u64, u64, u64, u64, Vec<u64>);

/// The alerts of one rule, as the definition says: windows of whole periods from the first tick on, each ended by the first
/// tick from then on, with the lines between.
fn plain(number: u64, asked: &Asked, inputs: &[Input], start: (u64, i64)) -> Vec<(u64, Told)> {
    let query = Query::parse(asked.query).into_query();
    let period = asked.period.length().as_millis() as i64;
    let mut told = Vec::new();
    let (mut after, mut from, mut due) = (start.0, start.1, start.1 + period);
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    let mut before = start.1;
    for (place, input) in inputs.iter().enumerate() {
        match *input {
            Input::Unknown(_, from, until) => stretches.push((from, until)),
            Input::Tick(id, now) => {
                if now - before > 120_000 {
                    stretches.push((before, now));
                }
                before = now;
                if now < due {
                    continue;
                }
                let ids: Vec<u64> = inputs[..place]
                    .iter()
                    .filter_map(|input| match *input {
                        Input::Line(id, _, system, message) if id > after => {
                            query.matches(&fields(system, message)).then_some(id)
                        }
                        _ => None,
                    })
                    .collect();
                let is_known = !stretches.iter().any(|&(start, end)| end > from.max(start));
                let fires = match asked.kind {
                    0 => ids.len() as u64 >= asked.minimum.max(1),
                    1 => ids.len() as u64 >= asked.minimum,
                    _ => ids.is_empty() && is_known,
                };
                if fires {
                    let count = ids.len() as u64;
                    told.push((id, (number, after, id, count, if asked.kind == 1 { Vec::new() } else { ids })));
                }
                while due <= now {
                    due += period;
                }
                (after, from) = (id, now);
                stretches.clear();
            }
            Input::Line(..) => {}
        }
    }
    told
}

fn inputs(random: &mut Random) -> Vec<Input> {
    let (mut id, mut now) = (1, 0);
    let mut inputs = Vec::new();
    for _ in 0..random.between(50, 600) {
        id += random.between(1, 300);
        match random.below(20) {
            0..8 => {
                let system = random.pick(&["shop", "depot-eu", "x"]);
                inputs.push(Input::Line(id, now, system, random.pick(&MESSAGES)));
            }
            8 if random.chance(200) => {
                let until = now + random.between(1, 4 * 3_600_000) as i64;
                inputs.push(Input::Unknown(id, now - random.below(60_000) as i64, until));
                now = until;
            }
            _ => {
                let most = if random.chance(30) { 900_000 } else { 61_000 };
                now += random.between(1, most) as i64;
                inputs.push(Input::Tick(id, now));
            }
        }
    }
    inputs
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn alerts_are_those_of_the_definition_also_across_kills(seed: u64, kills in 0..40_u64) {
        let mut random = Random::new(seed);
        let asked: Vec<Asked> = (0..random.between(1, 12))
            .map(|_| Asked {
                query: random.pick(&QUERIES),
                period: random.pick(&[Period::Minute, Period::TenMinutes, Period::Hour]),
                minimum: random.below(5),
                kind: random.below(3),
            })
            .collect();
        let inputs = inputs(&mut random);
        let all = || (0..).zip(&asked).map(|(number, asked)| (number, rule(asked)));

        let mut rules = LogRules::new(Tick::new(1, at(0)));
        for (number, rule) in all() {
            rules.set(number, rule);
        }
        let mut told: Vec<(u64, Told)> = Vec::new();
        let mut kept = (0, rules.state());
        let mut place = 0;
        while let Some(input) = inputs.get(place) {
            place += 1;
            let verdicts = match *input {
                Input::Line(id, now, system, message) => {
                    rules.event(id, at(now), &fields(system, message));
                    Vec::new()
                }
                Input::Unknown(id, from, until) => {
                    rules.unknown(id, at(from), at(until));
                    Vec::new()
                }
                Input::Tick(id, now) => rules.tick(Tick::new(id, at(now))),
            };
            for alert in verdicts.into_iter().filter_map(Verdict::alert) {
                let new = (alert.until(), (alert.rule(), alert.after(), alert.until(), alert.count(), alert.ids().to_vec()));
                // What is told again behind a kill is the same, under the same id.
                if told.contains(&new) {
                    continue;
                }
                told.push(new);
            }
            if random.below(200) < kills {
                kept = (place, rules.state());
            }
            if random.below(400) < kills {
                // Killed: the host begins where it kept the state, or a little before.
                rules = LogRules::restore(&kept.1, all()).expect("our own state");
                prop_assert_eq!(rules.state(), kept.1.clone());
                place = kept.0 - random.below(kept.0.min(5) as u64) as usize;
            }
        }
        let mut expected: Vec<(u64, Told)> =
            (0..).zip(&asked).flat_map(|(number, asked)| plain(number, asked, &inputs, (1, 0))).collect();
        expected.sort();
        told.sort();
        prop_assert_eq!(told, expected);
    }
}
