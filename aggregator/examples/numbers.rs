//! Plain numbers with tags, minute by minute: the sine and cosine of a day, drawn every ten seconds.
//!
//! `cargo run -p minute-aggregator --example numbers`

use metric_model::{DataPoint, Observation, Percentile, TagSet, Timestamp, Value};
use minute_aggregator::{Aggregator, AggregatorConfig};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hourly = AggregatorConfig::new().with_window(Duration::from_secs(3_600));
    let mut engine = Aggregator::new(hourly)?;
    let mut print = |point: &DataPoint<'_>| {
        let (window, stats) = (point.window().start(), point.stats());
        let p95 = stats.percentiles().map_or(f64::NAN, |found| found.get(Percentile::P95));
        println!("{window} {} {{{}}} n={} p95={p95:.3}", point.name(), point.tags(), stats.observations());
        Ok::<(), std::convert::Infallible>(())
    };

    let curves = [("sine", f64::sin as fn(f64) -> f64), ("cosine", f64::cos)];
    let curves = curves.map(|(name, curve)| (TagSet::from_iter([("curve", name)]), curve));
    for second in (0..86_400).step_by(10) {
        let now = Timestamp::from_unix_seconds(second);
        let angle = second as f64 / 86_400.0 * std::f64::consts::TAU;
        for (tags, curve) in &curves {
            // Outcomes are counted, too: the ledger below has them all.
            let _ = engine.observe(&Observation::measure("height", Value::plain(curve(angle)), tags, now));
        }
        engine.advance(now, &mut print)?;
    }
    engine.finish(&mut print)?;
    println!("{} observations, {} accepted", engine.ledger().observed(), engine.ledger().accepted());
    Ok(())
}
