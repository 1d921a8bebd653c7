//! The aggregation that one writes first: a map from strings, with a histogram for each.

use crate::{Router, Visit};
use hdrhistogram::Histogram;
use std::collections::HashMap;
use std::fmt::Write as _;

/// Counts, samples and distributions by name and tags, in maps of the standard library.
#[derive(Debug, Default)]
pub struct Table {
    counts: HashMap<String, f64>,
    samples: HashMap<String, (u64, f64, f64, f64)>,
    distributions: HashMap<String, Histogram<u64>>,
}

/// What is in a [`Table`] or in the points of a pipeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(clippy::exhaustive_structs)] // an unpublished row of values
pub struct Totals {
    /// Requests in all counts of them.
    pub requests: u64,
    /// Values in all distributions of response times.
    pub response_times: u64,
    /// Values of metrics that are not under `heroku.`.
    pub custom: u64,
}

const RESPONSE_TIME: &str = "heroku.router.service";

impl Table {
    fn count(&mut self, key: String, value: f64) {
        *self.counts.entry(key).or_default() += value;
    }

    fn record(&mut self, key: String, value: f64) {
        // Three digits and room to grow: what the crate's page shows. It cannot fail with that.
        let fresh = || Histogram::new(3).ok();
        if !self.distributions.contains_key(&key)
            && let Some(fresh) = fresh()
        {
            self.distributions.insert(key.clone(), fresh);
        }
        if let Some(histogram) = self.distributions.get_mut(&key) {
            histogram.saturating_record(value as u64);
        }
    }

    fn sample(&mut self, key: String, value: f64) {
        let (count, sum, least, greatest) = self.samples.entry(key).or_insert((0, 0.0, f64::MAX, f64::MIN));
        *count += 1;
        *sum += value;
        *least = least.min(value);
        *greatest = greatest.max(value);
    }

    /// All percentiles of all distributions, and what went in.
    #[must_use]
    pub fn finish(&self) -> Totals {
        let mut totals = Totals::default();
        let mut sum = 0;
        for (key, histogram) in &self.distributions {
            for quantile in [0.5, 0.95, 0.99, 0.999] {
                sum += histogram.value_at_quantile(quantile);
            }
            if key.starts_with(RESPONSE_TIME) {
                totals.response_times += histogram.len();
            } else if !key.starts_with("heroku.") {
                totals.custom += histogram.len();
            }
        }
        std::hint::black_box(sum);
        for (key, &value) in &self.counts {
            if key.starts_with("heroku.http.requests") {
                totals.requests += value as u64;
            } else if !key.starts_with("heroku.") {
                totals.custom += value as u64;
            }
        }
        let custom = self.samples.iter().filter(|(key, _)| !key.starts_with("heroku."));
        totals.custom += custom.map(|(_, sample)| sample.0).sum::<u64>();
        totals
    }
}

impl Visit for Table {
    fn frame(&mut self) {}

    fn router(&mut self, line: &Router<'_>) {
        let Router { method, dyno, status, .. } = *line;
        let category = status / 100;
        let tags = format!("dyno={dyno},method={method},source={dyno},status={status},status_category={category}xx");
        self.count(format!("heroku.http.requests,{tags}"), 1.0);
        if let Some(service) = line.service {
            self.record(format!("{RESPONSE_TIME},{tags}"), service);
        }
        if let Some(connect) = line.connect {
            self.record(format!("heroku.router.connect,{tags}"), connect);
        }
        if let Some(bytes) = line.bytes {
            self.sample(format!("heroku.router.bytes,{tags}"), bytes as f64);
        }
        if line.failed {
            self.count(format!("heroku.errors.http,{tags}"), 1.0);
        }
    }

    fn metric(&mut self, kind: &str, name: &str, value: f64, pairs: &[(&str, &str)]) {
        let native = pairs.iter().any(|(key, _)| matches!(*key, "dyno" | "addon"));
        let mut key = if native { format!("heroku.{name}") } else { name.to_owned() };
        for (tag, value) in pairs {
            if matches!(*tag, "source" | "dyno" | "addon") || tag.starts_with("tag#") {
                // Writing to a string cannot fail.
                let _ = write!(key, ",{tag}={value}");
            }
        }
        match kind {
            "count" => self.count(key, value),
            "measure" => self.record(key, value),
            _ => self.sample(key, value),
        }
    }

    fn runtime_error(&mut self) {
        self.count("heroku.errors.runtime".to_owned(), 1.0);
    }

    fn lost(&mut self, messages: u64) {
        self.count("heroku.errors.logging".to_owned(), messages as f64);
    }
}
