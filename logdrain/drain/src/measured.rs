//! What programs measured themselves, as the journal keeps it: one line of JSON for each measurement.
//!
//! ```text
//! {"name":"cpu","time":1577836800000000,"tags":{"region":"us"},"value":4.5}
//! {"name":"request","tags":{},"count":4,"sum":10.0,"min":1.0,"max":5.0,"last":2.0}
//! ```
//!
//! Whoever takes them in has checked them; counting reads these lines alone, so that a later program that takes in other
//! things counts old ones as before. One without a time is of when it came, by the believed clock.

use crate::event::Record;
use heroku_metrics::Pipeline;
use heroku_metrics::model::{Kind, Observation, Stats, Summary, TagSet, Timestamp, Unit, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One measurement of one metric.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Measured {
    pub name: String,
    /// Microseconds since 1970; `None` is when it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(flatten)]
    pub numbers: Numbers,
}

/// What was measured: one value, or what is known of several that somebody has summed.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Numbers {
    Summary { count: u64, sum: f64, min: f64, max: f64, last: f64 },
    One { value: f64 },
}

/// Measurements as they go to the journal.
pub fn written(all: &[Measured]) -> Vec<u8> {
    let mut lines = Vec::new();
    for measured in all {
        // Names, tags and finite numbers can always be written.
        if serde_json::to_writer(&mut lines, measured).is_ok() {
            lines.push(b'\n');
        }
    }
    lines
}

/// Enters what a record of the journal says into the pipeline of its account. Each is one observation of a sample: a metric
/// of a name and tags is one stream, as it was billed where it comes from.
pub fn enter(record: &Record, pipeline: &mut Pipeline) {
    for line in record.body.bytes().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Ok(measured) = serde_json::from_slice::<Measured>(line) else {
            tracing::error!(drain = &*record.drain, "a measurement of the journal cannot be read and is left out");
            continue;
        };
        let Measured { name, time, tags, numbers } = &measured;
        let tags: TagSet = tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let time = time.map_or(record.received, Timestamp::from_unix_micros);
        // What is refused is in the books of the pipeline.
        let _ = match *numbers {
            Numbers::One { value } => {
                pipeline.aggregator_mut().observe(&Observation::sample(name, Value::plain(value), &tags, time))
            }
            Numbers::Summary { count, sum, min, max, last } => {
                let stats = Stats::sample(count, sum, min, max, last);
                let summary = Summary::new(Kind::Sample, name, Unit::NONE, &tags, time, stats);
                pipeline.aggregator_mut().summary(&summary)
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, Layout};
    use heroku_metrics::PipelineConfig;
    use heroku_metrics::model::DataPointBuf;

    fn measured(name: &str, time: Option<i64>, numbers: Numbers) -> Measured {
        Measured {
            name: name.to_owned(),
            time,
            tags: BTreeMap::from([("region".to_owned(), "us \"1\"".to_owned())]),
            numbers,
        }
    }

    #[test]
    fn what_is_written_is_read_and_counted_as_it_was_measured() {
        let all = [
            measured("cpu", Some(60_000_000), Numbers::One { value: 4.5 }),
            measured("cpu", None, Numbers::One { value: -1.5 }),
            measured("rq", Some(60_000_000), Numbers::Summary { count: 4, sum: 10.0, min: 1.0, max: 5.0, last: 2.0 }),
        ];
        let text = String::from_utf8(written(&all)).unwrap();
        let read: Vec<Measured> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, all);
        assert_eq!(
            text.lines().nth(1),
            Some(r#"{"name":"cpu","tags":{"region":"us \"1\""},"value":-1.5}"#),
            "a line that people can read"
        );
        let received = Timestamp::from_unix_micros(61_000_000);
        let body = Body::new(text.into_bytes(), None);
        let record = Record::laid_out(Layout::Measured, "measurements/default".into(), received, body);
        assert_eq!(record.run.events, 0, "there are no lines in it");
        let mut pipeline = Pipeline::new(PipelineConfig::new()).unwrap();
        enter(&record, &mut pipeline);
        let ledger = pipeline.aggregator().ledger();
        assert_eq!((ledger.observed(), ledger.accepted()), (3, 3));
        let mut points: Vec<DataPointBuf> = Vec::new();
        pipeline.finish(&mut points).unwrap();
        let of = |name: &str| {
            let point = points.iter().find(|point| point.as_point().name() == name).unwrap().as_point();
            let stats = point.stats();
            (stats.observations(), stats.sum(), stats.min(), stats.max(), stats.last())
        };
        assert_eq!(of("cpu"), (2, 3.0, Some(-1.5), Some(4.5), Some(-1.5)));
        assert_eq!(of("rq"), (4, 10.0, Some(1.0), Some(5.0), Some(2.0)));
    }

    #[test]
    fn what_was_erased_or_makes_no_sense_is_nothing() {
        let body = Body::new(b"\n{}\n{\"name\":\"a\"}\nnot json\n".to_vec(), None);
        let received = Timestamp::from_unix_micros(0);
        let record = Record::laid_out(Layout::Measured, "measurements/default".into(), received, body);
        let mut pipeline = Pipeline::new(PipelineConfig::new()).unwrap();
        enter(&record, &mut pipeline);
        assert_eq!(pipeline.aggregator().ledger().observed(), 0);
    }
}
