//! What alert rules cost, in a form that `valgrind --tool=callgrind` counts: `benches/alerts` prints the figures.
//!
//! `alerts PATH REPEATS` does the same work so often: the difference between two numbers of repeats is the path alone. It
//! prints how many lines or points one repeat has, and what was found, which must be the same on both ways.

use alert_rules::{Condition, LogRule, LogRules, MetricRule, MetricRules, Period, Tick, Total, Verdict};
use core::convert::Infallible;
use core::time::Duration;
use log_query::{Fields, Query};
use metric_model::{DataPoint, Kind, Observation, Stats, TagSet, Timestamp, Unit, Value, Window};
use minute_aggregator::{Aggregator, AggregatorConfig};
use std::process::ExitCode;
use testkit::random::Random;

const RULES: u64 = 1_000;
const NEEDLES: u64 = 300;
const LINES: u64 = 500;
const STREAMS: u64 = 10_000;
const NAMES: u64 = 100;
const MINUTE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_default();
    let repeats: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let (count, found) = match path.as_str() {
        "shared" => shared(repeats),
        "one-by-one" => one_by_one(repeats),
        "excluded" => excluded(repeats),
        "minutes" => minutes(repeats, None),
        "totals" => minutes(repeats, Some(Total::Sum)),
        "closed" => closed(repeats, true),
        "open" => closed(repeats, false),
        _ => {
            eprintln!("alerts: {path}: shared one-by-one excluded minutes totals closed open");
            return ExitCode::from(2);
        }
    };
    println!("{count} {repeats} {found}");
    ExitCode::SUCCESS
}

/// A thousand queries of 300 texts: alone, both of two, or one and not the other, as people save them.
fn queries() -> Vec<Query> {
    let mut random = Random::new(1);
    let needle = |number: u64| match number % 3 {
        0 => format!("code=H{number:02}"),
        1 => format!("timeout{number}"),
        _ => format!("\"queue {number} full\""),
    };
    let text = |random: &mut Random| {
        let [one, other] = [random.below(NEEDLES), random.below(NEEDLES)].map(needle);
        match random.below(4) {
            0 => one,
            1 => format!("{one} {other}"),
            2 => format!("program:router {one}"),
            _ => format!("{one} -{other}"),
        }
    };
    (0..RULES).map(|_| Query::parse(&text(&mut random)).into_query()).collect()
}

/// Router lines and lines of an app; one in a hundred has one of the texts.
fn lines() -> Vec<(&'static str, String)> {
    let mut random = Random::new(2);
    (0..LINES)
        .map(|_| {
            let needle = if random.chance(10) { format!(" code=H{:02}", 3 * random.below(33)) } else { String::new() };
            let id = random.uuid();
            if random.chance(500) {
                let service = random.latency(30);
                let line = format!(
                    "at=info method=GET path=\"/products/{}\" host=shop.example.com request_id={id} fwd=\"192.0.2.{}\" dyno=web.1 connect=1ms service={service}ms status=200 bytes=2048 protocol=https{needle}",
                    random.below(9_999),
                    random.below(255),
                );
                ("heroku/router", line)
            } else {
                ("app/web.1", format!("[{id}] Completed 200 OK in {}ms (Views: 12.1ms){needle}", random.latency(40)))
            }
        })
        .collect()
}

fn fields<'a>((program, message): &'a (&'static str, String)) -> Fields<'a> {
    Fields::new(b"shop", program.as_bytes(), message.as_bytes())
}

/// A thousand queries that exclude five texts each, which no line has.
fn exclusions() -> Vec<Query> {
    let text = |rule: u64| (0..5).map(|number| format!("-health{rule}x{number}z ")).collect::<String>();
    (0..RULES).map(|rule| Query::parse(&text(rule)).into_query()).collect()
}

fn shared(repeats: u64) -> (u64, u64) {
    together(queries(), repeats)
}

fn excluded(repeats: u64) -> (u64, u64) {
    together(exclusions(), repeats)
}

fn together(queries: Vec<Query>, repeats: u64) -> (u64, u64) {
    let time = Timestamp::from_unix_seconds;
    let mut rules = LogRules::new(Tick::new(1, time(0)));
    for (number, query) in (0..).zip(queries) {
        rules.set(number, LogRule::new(query, Period::Minute));
    }
    let lines = lines();
    let (mut id, mut found) = (1, 0);
    for repeat in 1..=repeats {
        for line in &lines {
            id += 1;
            found += rules.event(id, time(repeat as i64), &fields(line)) as u64;
        }
    }
    (LINES, found / repeats)
}

fn one_by_one(repeats: u64) -> (u64, u64) {
    let (queries, lines) = (queries(), lines());
    let mut found = 0;
    for _ in 0..repeats {
        for line in &lines {
            found += queries.iter().filter(|query| query.matches(&fields(line))).count() as u64;
        }
    }
    (LINES, found / repeats)
}

fn name(number: u64) -> String {
    format!("shop.metric.{}", number % NAMES)
}

/// Ten thousand streams, a hundred of each metric.
fn streams() -> Vec<(String, TagSet)> {
    let stream = |number: u64| {
        let dyno = if (number / NAMES).is_multiple_of(2) { "web" } else { "worker" };
        let dyno = format!("{dyno}.{}", number / NAMES);
        (name(number), TagSet::from_iter([("app_name", "shop"), ("dyno", dyno.as_str()), ("source", dyno.as_str())]))
    };
    (0..STREAMS).map(stream).collect()
}

/// The same streams, a value a minute, in an aggregator that closes each minute, or leaves one open: the difference is the
/// closing.
fn closed(repeats: u64, closes: bool) -> (u64, u64) {
    let config = AggregatorConfig::new().with_allowed_lateness(Duration::ZERO);
    let mut engine = Aggregator::new(config).expect("the defaults agree");
    let streams = streams();
    let mut random = Random::new(3);
    let mut found = 0;
    for minute in 1..=repeats {
        let time = Timestamp::from_unix_seconds(if closes { 60 * minute as i64 } else { 60 });
        for (name, tags) in &streams {
            let value = Value::plain(random.below(1_000) as f64);
            let _ = engine.observe(&Observation::sample(name, value, tags, time));
        }
        if closes {
            let mut count = |_: &DataPoint<'_>| {
                found += 1;
                Ok::<(), Infallible>(())
            };
            let Ok(()) = engine.advance(time.later(MINUTE), &mut count);
        }
    }
    (STREAMS, found)
}

/// A thousand rules on ten thousand streams of a hundred metrics: ten of each metric, half of them for web dynos alone. They
/// ask it of each stream, or of the total.
fn minutes(repeats: u64, total: Option<Total>) -> (u64, u64) {
    let mut random = Random::new(3);
    let mut rules = MetricRules::new(MINUTE).with_most_signals(1 << 20);
    for number in 0..RULES {
        let threshold = 900.0 + random.below(100) as f64;
        let condition = match total {
            None => Condition::above(&name(number), threshold),
            // Of a hundred streams, or fifty, with five hundred each in the middle.
            Some(total) => Condition::above(&name(number), 52.0 * threshold).together(total),
        };
        let condition = condition.with_duration(5 * MINUTE);
        rules.set(
            number,
            MetricRule::new(if number.is_multiple_of(2) { condition } else { condition.with_tag("dyno", ["web.*"]) }),
        );
    }
    let streams = streams();
    let mut found = 0;
    for minute in 1..=repeats {
        let window = Window::containing(Timestamp::from_unix_seconds(60 * minute as i64), MINUTE);
        for (name, tags) in &streams {
            let value = random.below(1_000) as f64;
            let stats = Stats::sample(1, value, value, value, value);
            rules.point("shop", &DataPoint::new(window, Kind::Sample, name, Unit::NONE, tags, stats));
        }
        let told = rules.tick(Tick::new(minute, window.end()), window.end());
        found += told.into_iter().filter_map(Verdict::alert).count() as u64;
    }
    (STREAMS, found)
}
