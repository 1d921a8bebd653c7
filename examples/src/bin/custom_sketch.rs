//! A sketch of one's own: whole milliseconds only, two bytes of state for each that was seen, exact.
//!
//! `cargo run -p examples --bin custom_sketch testdata/demo.logplex` prints the response times of each minute as the
//! default sketch and as this one answer them.

use heroku_metrics::aggregator::Sketch;
use heroku_metrics::model::{DataPointBuf, Percentile, Percentiles};
use heroku_metrics::syslog::Delivery;
use heroku_metrics::syslog::Dialect;
use heroku_metrics::{Pipeline, PipelineConfig};
use std::collections::BTreeMap;
use std::convert::Infallible;

/// How often each whole number was seen. A map, so that order of arrival and of merging leave no trace.
#[derive(Debug, Default)]
struct WholeNumbers(BTreeMap<i64, u64>);

impl Sketch for WholeNumbers {
    fn record(&mut self, value: f64) {
        *self.0.entry(value.round() as i64).or_default() += 1;
    }

    fn merge(&mut self, other: &Self) {
        for (value, count) in &other.0 {
            *self.0.entry(*value).or_default() += count;
        }
    }

    fn percentiles(&self) -> Option<Percentiles> {
        let total: u64 = self.0.values().sum();
        let at = |rank: u64| {
            let mut below = 0;
            self.0.iter().find_map(|(value, count)| {
                below += count;
                (below >= rank).then_some(*value as f64)
            })
        };
        let mut values = [0.0; 4];
        for (slot, which) in values.iter_mut().zip(Percentile::ALL) {
            *slot = at(which.rank(total))?;
        }
        Some(Percentiles::new(values, [false; 4]))
    }
}

fn minutes<S: Sketch>(body: &[u8]) -> Result<Vec<DataPointBuf>, Box<dyn std::error::Error>> {
    let mut pipeline = Pipeline::<S>::with_sketch(PipelineConfig::new().with_dialect(Dialect::ByHostname))?;
    pipeline.ingest(&Delivery::new(body));
    let mut minutes: Vec<DataPointBuf> = Vec::new();
    pipeline.finish(&mut minutes).map_err(|never: Infallible| match never {})?;
    minutes.retain(|point| point.as_point().stats().percentiles().is_some());
    Ok(minutes)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let body = std::fs::read(std::env::args().nth(1).ok_or("usage: custom_sketch BODY")?)?;
    let default = minutes::<heroku_metrics::aggregator::MinuteSketch>(&body)?;
    let ours = minutes::<WholeNumbers>(&body)?;
    assert_eq!(default.len(), ours.len(), "a sketch changes no stream");
    for (default, ours) in default.iter().zip(&ours) {
        let (default, ours) = (default.as_point(), ours.as_point());
        let p95 = |point: &heroku_metrics::model::DataPoint<'_>| {
            point.stats().percentiles().map(|all| all.get(Percentile::P95))
        };
        println!(
            "{} {}.p95 {{{}}} {:?} {:?}",
            default.window().start(),
            default.name(),
            default.tags(),
            p95(&default),
            p95(&ours)
        );
    }
    Ok(())
}
