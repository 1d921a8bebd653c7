//! The family's own readers, over the same bodies and to the same counts as their peers.

use crate::{Fields, Lines, Totals};
use heroku_metrics::aggregator::AggregatorConfig;
use heroku_metrics::model::{DataPoint, Record};
use heroku_metrics::syslog::{Delivery, Dialect, Frame, FrameParser, Frames};
use heroku_metrics::{
    Extractor, ExtractorConfig, LineRefusal, NativeSet, Pipeline, PipelineConfig, Plan, Receipt, Source,
};
use heroku_router::{PlatformError, RouterLine};
use logfmt_metrics::{Directive, SampleToken, directives, maybe_metrics, number, pairs, samples};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::hint::black_box;

/// The frames of a body, by a parser as a connection has one.
#[inline(always)]
fn frames<'a>(body: &'a [u8], mut each: impl FnMut(&Frame<'a>)) {
    let mut parser = FrameParser::new();
    for raw in Frames::new(body) {
        if let Ok(raw) = raw
            && let Ok(frame) = parser.parse(raw, Dialect::Logplex)
        {
            each(&frame);
        }
    }
}

/// Frames with a header, and those of the router among them: the hop, the header and the dispatch.
#[must_use]
#[inline(never)]
pub fn headers(body: &[u8]) -> (u64, u64) {
    let (mut count, mut router) = (0, 0);
    frames(body, |frame| {
        count += 1;
        router += u64::from(Source::of_frame(frame) == Source::Router);
    });
    (count, router)
}

/// The typed fields of all metric lines.
#[must_use]
#[inline(never)]
pub fn fields(body: &[u8]) -> Fields {
    let mut fields = Fields::default();
    frames(body, |frame| {
        fields.lines += 1;
        let message = frame.message();
        match Source::of_frame(frame) {
            Source::Router => router(message, &mut fields),
            Source::Postgres => platform_samples(message, &mut fields),
            Source::App if maybe_metrics(message) => metrics(message, &mut fields),
            Source::Dyno if !message.starts_with(b"Error ") => platform_samples(message, &mut fields),
            Source::Dyno | Source::Logplex => platform(message, &mut fields),
            _ => {}
        }
    });
    fields
}

fn router(message: &[u8], fields: &mut Fields) {
    let Some(line) = RouterLine::parse(message) else { return };
    fields.router_lines += 1;
    fields.router_errors += u64::from(line.code_text().is_some());
    fields.service_ms += line.service_ms().unwrap_or_default();
    fields.bytes += line.bytes().unwrap_or_default();
    fields.complete += u64::from(line.status().is_some() && line.method().is_some() && line.connect_ms().is_some());
    black_box(line.dyno());
}

#[inline(never)]
fn platform_samples(message: &[u8], fields: &mut Fields) {
    // Not in memory between two samples.
    let Fields { mut metrics, metric_sum: mut sum, .. } = *fields;
    for token in samples(message) {
        if let SampleToken::Sample(sample) = token
            && let Ok(value) = sample.value()
        {
            metrics += 1;
            sum += value.number();
        }
    }
    (fields.metrics, fields.metric_sum) = (metrics, sum);
}

fn metrics(message: &[u8], fields: &mut Fields) {
    for found in directives(message) {
        if let Ok(Directive::Metric(metric)) = found {
            fields.metrics += 1;
            fields.metric_sum += metric.value().number();
        }
    }
}

fn platform(message: &[u8], fields: &mut Fields) {
    if let Some(error) = PlatformError::parse(message) {
        match error.count() {
            Some(count) => fields.lost += count,
            None => fields.runtime_errors += 1,
        }
    }
}

/// Router lines of a body of nothing else, every field of each located: lines, and the octets of what is text.
#[must_use]
pub fn router_fields(body: &[u8]) -> (u64, usize) {
    let (mut count, mut octets) = (0, 0);
    frames(body, |frame| {
        let Some(line) = RouterLine::parse(frame.message()) else { return };
        let client = line.client();
        count += 1;
        for text in [
            line.at(),
            line.code_text(),
            line.desc(),
            line.method(),
            client.path(),
            client.host(),
            client.request_id(),
            client.fwd(),
            line.dyno(),
            line.protocol(),
            line.tls_version(),
        ] {
            octets += text.map_or(0, <[u8]>::len);
        }
        black_box((line.connect_ms(), line.service_ms(), line.status(), line.bytes()));
    });
    (count, octets)
}

/// A reader of lines that collects all native metrics.
#[must_use]
pub fn extractor() -> Extractor {
    Extractor::new(ExtractorConfig::new().with_app_name("shop").with_native_set(NativeSet::Extended))
}

/// Observations with names, tags and units, nothing aggregated: their number, and the sum of the response times.
#[must_use]
#[inline(never)]
pub fn observations(extractor: &mut Extractor, body: &[u8]) -> (u64, f64) {
    let (mut count, mut service) = (0, 0.0);
    let mut found = (
        |record: &Record<'_>| {
            for (metric, value) in record.metrics().iter().zip(record.values()) {
                if let Some(number) = value {
                    count += 1;
                    if metric.name() == "heroku.router.service.response_time" {
                        service += number;
                    }
                }
            }
        },
        |_: &LineRefusal| (),
    );
    frames(body, |frame| {
        extractor.read(frame, &mut found);
    });
    (count, service)
}

/// The sum of `service=` of messages. All values are whole, so the sum is exact.
#[must_use]
pub fn service_ms(lines: &Lines) -> f64 {
    let values = lines.iter().flat_map(pairs).filter(|pair| pair.key() == b"service").filter_map(|pair| pair.value());
    values.filter_map(|value| number(value).ok()).map(|value| value.number()).sum()
}

/// The whole pipeline as a host drives it: a plan with its quota, delivery ids, the ledger.
#[derive(Debug)]
pub struct Whole {
    pipeline: Pipeline,
    id: String,
    deliveries: u64,
}

impl Default for Whole {
    fn default() -> Self {
        Self::new()
    }
}

impl Whole {
    /// With a quota that is counted and never met.
    #[must_use]
    pub fn new() -> Self {
        Self::with_plan(Plan::new("bench").with_streams(100_000_000))
    }

    /// With a plan.
    ///
    /// # Panics
    /// Never: the configuration is written here.
    #[must_use]
    pub fn with_plan(plan: Plan) -> Self {
        let config = PipelineConfig::new()
            .with_extractor(ExtractorConfig::new().with_app_name("shop"))
            .with_aggregator(AggregatorConfig::new().with_max_streams(4_000_000).with_max_key_bytes(1 << 30))
            .with_plan(plan);
        let pipeline = Pipeline::new(config).expect("a configuration without contradiction");
        Self { pipeline, id: String::with_capacity(64), deliveries: 0 }
    }

    /// Reads a body as a delivery of its own, with an id that was not seen before.
    pub fn ingest(&mut self, body: &[u8]) -> Receipt {
        self.deliveries += 1;
        self.id.clear();
        // Writing to a string cannot fail.
        let _ = write!(self.id, "{:032x}", self.deliveries);
        self.pipeline.ingest(
            &Delivery::new(body)
                .with_header("Logplex-Drain-Token", b"d.bench")
                .with_header("Logplex-Frame-Id", self.id.as_bytes()),
        )
    }

    /// The pipeline.
    #[must_use]
    pub const fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Adds what another has read, which follows in the input.
    pub fn append(&mut self, other: Self) -> bool {
        self.pipeline.append(other.pipeline).is_ok()
    }

    /// Closes all windows and takes every percentile.
    pub fn finish(&mut self) -> Totals {
        let mut totals = Totals::default();
        let mut sum = 0.0;
        let mut sink = |point: &DataPoint<'_>| {
            let stats = point.stats();
            if let Some(percentiles) = stats.percentiles() {
                sum += metric_model::Percentile::ALL.iter().map(|&which| percentiles.get(which)).sum::<f64>();
            }
            match point.name() {
                "heroku.router.http.requests" => totals.requests += stats.sum() as u64,
                "heroku.router.service.response_time" => totals.response_times += stats.observations(),
                name if !name.starts_with("heroku.") => totals.custom += stats.observations(),
                _ => {}
            }
            Ok::<(), Infallible>(())
        };
        let Ok(()) = self.pipeline.finish(&mut sink);
        black_box(sum);
        totals
    }
}
