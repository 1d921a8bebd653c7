//! Rows G1, G3, E2 and T1: more groups, more streams, a minute's end, a second thread.

use crate::Options;
use crate::print::Goal;
use family_benches::groups::{Groups, tags};
use family_benches::timing::median;
use family_benches::{cold, head, newlines, ours};
use metric_model::{DataPoint, Observation, TagSet, Timestamp, Unit, Value};
use minute_aggregator::{Aggregator, AggregatorConfig};
use std::convert::Infallible;
use std::hint::black_box;
use std::thread;
use std::time::Instant;
use testkit::traffic::Traffic;

pub(crate) fn goals(options: &Options, goals: &mut Vec<Goal>) -> Result<(), String> {
    if options.wants(&["G1"]) {
        groups(options, goals)?;
    }
    if options.wants(&["G3"]) {
        streams(options, goals)?;
    }
    if options.wants(&["E2"]) {
        closing(options, goals)?;
    }
    if options.wants(&["T1"]) {
        threads(options, goals)?;
    }
    Ok(())
}

/// Records over known groups: a count, two measures and a sample each, as a router line gives them.
struct Records {
    engine: Aggregator,
    tag_sets: Vec<TagSet>,
    /// Group and response time.
    records: Vec<(u32, f64)>,
    minute: i64,
}

impl Records {
    fn new(groups: u64, records: usize) -> Result<Self, String> {
        let config = AggregatorConfig::new().with_max_streams(2_000_000).without_percentiles("bytes");
        let engine = Aggregator::new(config).map_err(|error| error.to_string())?;
        let mut source = Groups::new(groups, 3);
        let records = (0..records).map(|_| (source.rank() as u32, source.service() as f64)).collect();
        Ok(Self { engine, tag_sets: (0..groups).map(tags).collect(), records, minute: 0 })
    }

    fn observe(&mut self) {
        let time = Timestamp::from_unix_seconds(self.minute * 60);
        for &(group, service) in &self.records {
            let Some(tags) = self.tag_sets.get(group as usize) else { continue };
            let took = Value::new(service, Unit::MILLISECONDS);
            let _ = self.engine.observe(&Observation::count("requests", Value::plain(1.0), tags, time));
            let _ = self.engine.observe(&Observation::measure("service", took, tags, time));
            let _ =
                self.engine.observe(&Observation::measure("connect", Value::new(1.0, Unit::MILLISECONDS), tags, time));
            let _ = self.engine.observe(&Observation::measure("bytes", Value::new(service, Unit::BYTES), tags, time));
        }
    }

    /// Closes the minute; how many observations were in it.
    fn close(&mut self) -> u64 {
        let (mut written, mut sum) = (0, 0.0);
        let mut sink = |point: &DataPoint<'_>| {
            written += point.stats().observations();
            sum += point.stats().percentiles().map_or(0.0, |all| all.get(metric_model::Percentile::P99));
            Ok::<(), Infallible>(())
        };
        self.minute += 3;
        let now = Timestamp::from_unix_seconds(self.minute * 60);
        while self.engine.open_windows() > 0 {
            let Ok(()) = self.engine.advance(now, &mut sink);
        }
        black_box(sum);
        written
    }

    /// Nanoseconds a record, closing included.
    fn round(&mut self) -> Result<f64, String> {
        let start = Instant::now();
        self.observe();
        let written = self.close();
        let took = start.elapsed().as_nanos() as f64;
        let records = self.records.len() as u64;
        if written == 4 * records { Ok(took / records as f64) } else { Err("G1: its counts are wrong".to_owned()) }
    }
}

fn groups(options: &Options, goals: &mut Vec<Goal>) -> Result<(), String> {
    const RECORDS: usize = 1_000_000;
    let (mut few, mut many) = (Records::new(1_000, RECORDS)?, Records::new(100_000, RECORDS)?);
    // The streams are known from here on.
    few.round()?;
    many.round()?;
    let (mut of_few, mut of_many, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let (few, many) = (few.round()?, many.round()?);
        of_few.push(few);
        of_many.push(many);
        ratios.push(many / few);
    }
    let (few, many) = (median(of_few.into_iter()), median(of_many.into_iter()));
    let what = format!("1,000 -> 100,000 groups ({few:.0} -> {many:.0} ns a record of 4)");
    goals.push(Goal::at_most("G1", what, median(ratios.into_iter()), "times", 2.3, 1.9));
    Ok(())
}

fn streams(options: &Options, goals: &mut Vec<Goal>) -> Result<(), String> {
    // One minute each, however many lines: more lines a second.
    let traffic = Traffic::new(1).bytes(if options.long { 256 << 20 } else { 128 << 20 }).lines_per_second(50_000);
    let (few, many) = (traffic.scale(24).generate(), traffic.scale(2_000).generate());
    let (mut of_few, mut of_many) = (ours::Whole::new(), ours::Whole::new());
    let (few_seen, many_seen) = (of_few.ingest(few.body()), of_many.ingest(many.body()));
    let mut ratios = Vec::new();
    for _ in 0..options.rounds {
        let scans = |whole: &mut ours::Whole, body: &[u8], seen| {
            let start = Instant::now();
            black_box(newlines(black_box(body)));
            let scan = start.elapsed().as_nanos() as f64;
            let start = Instant::now();
            let agrees = whole.ingest(body) == seen;
            let ratio = start.elapsed().as_nanos() as f64 / scan;
            if agrees { Ok(ratio) } else { Err("G3: its counts are wrong".to_owned()) }
        };
        let few = scans(&mut of_few, few.body(), few_seen)?;
        ratios.push(scans(&mut of_many, many.body(), many_seen)? / few);
    }
    let counts = [of_few, of_many].map(|whole| whole.pipeline().aggregator().streams());
    let what = format!("whole pipeline, {} -> {} streams", counts[0], counts[1]);
    goals.push(Goal::at_most("G3", what, median(ratios.into_iter()), "times", 1.5, 1.2));
    Ok(())
}

fn closing(options: &Options, goals: &mut Vec<Goal>) -> Result<(), String> {
    const DISTRIBUTIONS: u64 = 100_000;
    const VALUES: u64 = 1_000_000;
    /// Points a call.
    const STEP: usize = 2_000;
    let tag_sets: Vec<TagSet> = (0..DISTRIBUTIONS).map(tags).collect();
    let mut source = Groups::new(DISTRIBUTIONS, 5);
    // Each once, so that there are as many as the row says; the rest by Zipf's law.
    let rest = VALUES - DISTRIBUTIONS;
    let order: Vec<u64> = (0..DISTRIBUTIONS).chain((0..rest).map(|_| source.rank())).collect();
    let mut engine = Aggregator::new(AggregatorConfig::new()).map_err(|error| error.to_string())?;
    let (mut totals, mut longest_calls) = (Vec::new(), Vec::new());
    for round in 0..options.rounds as i64 + 1 {
        let (minute, mut longest) = (round * 3, 0.0_f64);
        let time = Timestamp::from_unix_seconds(minute * 60);
        for (at, &group) in order.iter().enumerate() {
            let Some(tags) = tag_sets.get(group as usize) else { continue };
            let value = Value::new((at % 997) as f64, Unit::MILLISECONDS);
            let start = Instant::now();
            let _ = engine.observe(&Observation::measure("query", value, tags, time));
            longest = longest.max(start.elapsed().as_nanos() as f64 / 1e6);
        }
        let (mut points, mut sum, mut total) = (0, 0.0, 0.0);
        let mut sink = |point: &DataPoint<'_>| {
            points += u64::from(point.stats().percentiles().is_some());
            sum += point.stats().percentiles().map_or(0.0, |all| all.get(metric_model::Percentile::P999));
            Ok::<(), Infallible>(())
        };
        while engine.open_windows() > 0 {
            let start = Instant::now();
            let Ok(_) = engine.advance_some(Timestamp::from_unix_seconds((minute + 2) * 60), STEP, &mut sink);
            let took = start.elapsed().as_nanos() as f64 / 1e6;
            total += took;
            longest = longest.max(took);
        }
        black_box(sum);
        if points != DISTRIBUTIONS {
            return Err("E2: its counts are wrong".to_owned());
        }
        if round > 0 {
            totals.push(total);
            longest_calls.push(longest);
        }
    }
    goals.push(Goal::at_most("E2", "closing 100,000 distributions", median(totals.into_iter()), "ms", 60.0, 25.0));
    // The least of the rounds: another process that takes the core for a moment is no call of ours.
    let longest = longest_calls.into_iter().fold(f64::INFINITY, f64::min);
    goals.push(Goal::at_most("E2", "longest call of observe or advance_some", longest, "ms", 5.0, 5.0));
    Ok(())
}

fn threads(options: &Options, goals: &mut Vec<Goal>) -> Result<(), String> {
    let body = cold().body();
    let first = head(body, body.len() / 2);
    let second = &body[first.len()..];
    let expected = cold().truth().router_lines;
    let read = |body: &[u8]| {
        let mut whole = ours::Whole::new();
        whole.ingest(body);
        whole
    };
    let (mut apart, mut merged) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let start = Instant::now();
        let one = read(body).finish().requests;
        let alone = start.elapsed().as_nanos() as f64;

        let start = Instant::now();
        let two = thread::scope(|scope| {
            let other = scope.spawn(|| read(second).finish().requests);
            read(first).finish().requests + other.join().unwrap_or_default()
        });
        apart.push(alone / start.elapsed().as_nanos() as f64);

        let start = Instant::now();
        let both = thread::scope(|scope| {
            let other = scope.spawn(|| read(second));
            let mut whole = read(first);
            if let Ok(other) = other.join() {
                whole.append(other);
            }
            whole.finish().requests
        });
        merged.push(alone / start.elapsed().as_nanos() as f64);
        if [one, two, both] != [expected; 3] {
            return Err("T1: its counts are wrong".to_owned());
        }
    }
    goals.push(Goal::at_least("T1", "two threads, a drain each", median(apart.into_iter()), "times", 1.4, 1.8));
    goals.push(Goal::at_least(
        "T1",
        "two threads, one body cut in two and appended",
        median(merged.into_iter()),
        "times",
        1.4,
        1.8,
    ));
    Ok(())
}
