//! Alerts on the lines of a file: `cargo run -p examples --bin watch_lines FILE MINIMUM QUERY...`
//!
//! Lines are read as `TIME PROGRAM: MESSAGE`. Time is that of the lines, so an hour of them takes a moment: what the rule would
//! have told is told at once. A host with a clock would give its ticks by that.

use alert_rules::{LogRule, LogRules, Period, Tick, Verdict};
use log_query::{Fields, Query};
use metric_model::Timestamp;
use std::io::{BufRead, BufReader};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let usage = "usage: watch_lines FILE MINIMUM QUERY...";
    let file = BufReader::new(std::fs::File::open(words.next().ok_or(usage)?)?);
    let minimum = words.next().ok_or(usage)?.parse()?;
    let query = Query::parse(&words.collect::<Vec<_>>().join(" ")).into_query();
    let rule = LogRule::new(query, Period::Minute).with_minimum(minimum);
    println!("{rule}");

    let mut lines = file.lines().map_while(Result::ok).filter_map(|line| {
        let (time, rest) = line.split_once(' ')?;
        let (program, message) = rest.split_once(": ")?;
        Some((seconds(time)?, program.to_owned(), message.to_owned()))
    });
    let Some(mut line) = lines.next() else { return Err("no line of it has a time".into()) };
    let mut tick = line.0;
    let mut rules = LogRules::new(Tick::new(1, Timestamp::from_unix_seconds(tick)));
    rules.set(1, rule);
    for id in 2.. {
        let now = Timestamp::from_unix_seconds(tick);
        if line.0 < tick + 60 {
            rules.event(id, now, &Fields::new(b"", line.1.as_bytes(), line.2.as_bytes()));
            match lines.next() {
                Some(next) => line = next,
                None => break,
            }
            continue;
        }
        tick += 60;
        let now = Timestamp::from_unix_seconds(tick);
        rules
            .tick(Tick::new(id, now))
            .into_iter()
            .filter_map(Verdict::alert)
            .for_each(|alert| println!("{now} {alert}"));
    }
    let last = Tick::new(u64::MAX, Timestamp::from_unix_seconds(tick + 60));
    rules.tick(last).into_iter().filter_map(Verdict::alert).for_each(|alert| println!("{} {alert}", last.time()));
    Ok(())
}

/// The seconds of a time such as `2026-03-14T09:26:53.1+00:00`, on its day; a library would know the rest.
fn seconds(time: &str) -> Option<i64> {
    let clock = time.get(11..19)?;
    let mut parts = clock.split(':').map(str::parse::<i64>);
    let mut next = || parts.next()?.ok();
    Some((next()? * 60 + next()?) * 60 + next()?)
}
