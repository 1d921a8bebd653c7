//! Series as they were saved from the APIs of AppOptics and Librato.
//!
//! ```text
//! {"name": "cpu", "resolution": 60, "series": [{"tags": {...}, "measurements": [{"time": 1, "value": 2.0}]}]}
//! {"name": "cpu", "measurements": {"web.1": [{"measure_time": 1, "value": 2.0}]}}        before there were tags
//! ```

use crate::args::compare::Of;
use logdrain_terms::escape::Escaped;
use serde_json::Value;
use std::collections::BTreeMap;

/// Values of all files, and series.
const POINTS: usize = 5_000_000;
const SERIES: usize = 100_000;
/// Minutes are the least that is kept.
const MINUTE: i64 = 60;
/// No step is longer than a week.
const LONGEST: i64 = 604_800;
/// The end of the year 9999.
const LATEST: i64 = 253_402_300_799;

/// Tags in small letters, as AppOptics kept them.
pub(super) type Tags = Vec<(String, String)>;

/// All series of a metric, step by step.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Metric {
    /// Seconds.
    pub(super) step: i64,
    pub(super) series: BTreeMap<Tags, BTreeMap<i64, f64>>,
}

/// Everything that was exported, by metric.
#[derive(Debug, Default)]
pub(super) struct Exported {
    pub(super) metrics: BTreeMap<String, Metric>,
    points: usize,
    series: usize,
}

impl Exported {
    /// Takes in a file.
    ///
    /// # Errors
    /// When it is no export of series, or holds too much.
    pub(super) fn add(&mut self, text: &[u8], of: Of) -> Result<(), String> {
        let before = self.points;
        for document in serde_json::Deserializer::from_slice(text).into_iter::<Value>() {
            self.document(document.map_err(|error| format!("this is not JSON: {error}"))?, of)?;
        }
        if self.points == before {
            return Err("there are no series in it: save the answer of GET /v1/measurements/NAME".to_owned());
        }
        Ok(())
    }

    fn document(&mut self, document: Value, of: Of) -> Result<(), String> {
        if let Value::Array(all) = document {
            return all.into_iter().try_for_each(|one| self.document(one, of));
        }
        let Some(name) = document["name"].as_str().map(str::to_owned) else { return Ok(()) };
        let step = document["resolution"].as_i64().unwrap_or(MINUTE).clamp(MINUTE, LONGEST);
        let step = (step + MINUTE - 1) / MINUTE * MINUTE;
        if let Some(all) = document["series"].as_array() {
            for one in all {
                let lower =
                    |(key, value): (&String, &Value)| Some((key.to_lowercase(), value.as_str()?.to_lowercase()));
                let mut tags: Tags = one["tags"].as_object().into_iter().flatten().filter_map(lower).collect();
                tags.sort();
                self.line(&name, step, tags, &one["measurements"], of)?;
            }
        }
        for (source, all) in document["measurements"].as_object().into_iter().flatten() {
            // It is how one that has none is called.
            let tags = if source == "unassigned" { Vec::new() } else { vec![("source".into(), source.to_lowercase())] };
            self.line(&name, step, tags, all, of)?;
        }
        Ok(())
    }

    fn line(&mut self, name: &str, step: i64, tags: Tags, all: &Value, of: Of) -> Result<(), String> {
        let mut steps: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for one in all.as_array().into_iter().flatten() {
            let time = one["time"].as_i64().or_else(|| one["measure_time"].as_i64());
            let value = one["value"].as_f64().or_else(|| one[of.word()].as_f64());
            let (Some(time), Some(value)) = (time, value) else { continue };
            if !(0..=LATEST).contains(&time) {
                return Err(format!("{}: {time} is no time in seconds since 1970", Escaped(name)));
            }
            self.points += 1;
            steps.entry(time.div_euclid(step) * step).or_default().push(value);
        }
        self.series += 1;
        if self.points > POINTS || self.series > SERIES {
            return Err(format!("there are more than {SERIES} series or {POINTS} values: compare them in parts"));
        }
        let metric = self.metrics.entry(name.to_owned()).or_default();
        if metric.step != 0 && metric.step != step {
            return Err(format!(
                "{name} is there with steps of {} s and of {step} s: compare one at a time",
                metric.step
            ));
        }
        metric.step = step;
        let values = metric.series.entry(tags).or_default();
        values.extend(steps.into_iter().map(|(time, all)| (time, folded(&all, of))));
        Ok(())
    }
}

/// What several values of a step are together.
fn folded(all: &[f64], of: Of) -> f64 {
    let sum = || all.iter().sum::<f64>();
    match of {
        Of::Mean => sum() / all.len() as f64,
        Of::Sum | Of::Count => sum(),
        Of::Min => all.iter().copied().fold(f64::INFINITY, f64::min),
        Of::Max => all.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Of::Last => all.last().copied().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_are_read_and_finer_steps_are_put_together() {
        let mut exported = Exported::default();
        let text = r#"{"name":"cpu","resolution":1,"series":[{"tags":{"Region":"US"},"measurements":[
                {"time":120,"value":1.0},{"time":179,"value":3.0},{"time":180,"value":5},{"value":9},{"time":240,"value":null}]}]}
            [{"name":"old","measurements":{"web.1":[{"measure_time":60,"value":2}],"unassigned":[{"measure_time":60,"sum":7}]}}]"#;
        exported.add(text.as_bytes(), Of::Sum).unwrap();
        let cpu = &exported.metrics["cpu"];
        assert_eq!(cpu.step, 60);
        assert_eq!(cpu.series[&vec![("region".into(), "us".into())]], BTreeMap::from([(120, 4.0), (180, 5.0)]));
        let old = &exported.metrics["old"];
        assert_eq!(old.series[&vec![("source".into(), "web.1".into())]], BTreeMap::from([(60, 2.0)]));
        assert_eq!(old.series[&Vec::new()], BTreeMap::from([(60, 7.0)]));
    }

    #[test]
    fn what_is_no_series_is_refused() {
        for (text, said) in [
            ("", "no series"),
            ("{}", "no series"),
            ("7", "no series"),
            ("{", "not JSON"),
            (r#"{"name":"a","series":{"x":1}}"#, "no series"),
            (
                r#"{"name":"a","series":[{"measurements":[{"time":9223372036854775807,"value":1}]}]}"#,
                "a: 9223372036854775807 is no time in seconds",
            ),
            (
                r#"{"name":"a","series":[{"measurements":[{"time":-9223372036854775808,"value":1}]}]}"#,
                "is no time in seconds",
            ),
            (
                r#"{"name":"a","resolution":60,"series":[{"measurements":[{"time":1,"value":1}]}]}
                   {"name":"a","resolution":900,"series":[{"measurements":[{"time":1,"value":1}]}]}"#,
                "one at a time",
            ),
        ] {
            let why = Exported::default().add(text.as_bytes(), Of::Mean).unwrap_err();
            assert!(why.contains(said), "{text}: {why}");
        }
    }
}
