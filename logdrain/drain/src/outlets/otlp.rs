//! Closed windows to an OpenTelemetry collector: OTLP over HTTP, protobuf.
//!
//! A count becomes a `Sum` with delta temporality, a sample a `Gauge` of its last value, a measure a `Summary` with its
//! percentiles. Why no histogram: a row holds percentiles, not buckets, and a histogram made up from them would claim
//! what nobody measured; a summary says what is known. Resource: `heroku.drain`; attributes: the row's tags.
//!
//! Rows are sent from a queue of their own and sent again until the collector takes them; intake and the other outlets
//! never wait for it. When the queue is full, by requests or by bytes, its newest rows are dropped and counted. Revisions
//! are not sent, but counted: a delta that comes twice would be added twice.

use super::{Outlet, Row, Stopped};
use crate::counters::Counters;
use crate::drain_name::DrainName;
use heroku_metrics::model::{DataPoint, Kind, Percentile};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, metric, number_data_point, summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Rows of a request.
const ROWS: usize = 500;
/// And the bytes after which another one is begun, reckoned before it is encoded.
const REQUEST: usize = 256 << 10;
/// Requests that wait, and the bytes that they and the one on its way take.
const WAITING: usize = 64;
const QUEUE: usize = 16 << 20;
/// What the bytes are counted in.
const UNIT: usize = 1_024;
/// The most bytes that rows take on their way to a collector: those that wait, and a request that is put together.
pub const MEMORY: usize = QUEUE + 8 * REQUEST;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(10);
/// What is read of an answer.
const ANSWER: usize = 64 * 1024;

/// Where a collector listens: `http://host:port/path`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    authority: String,
    address: String,
    path: String,
}

impl Endpoint {
    /// # Errors
    /// What is wrong with it. The address is not repeated: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            "expected http://HOST:PORT/v1/metrics, a collector on this machine or in its network; what goes further is \
             the collector's affair"
                .to_owned()
        };
        let uri: Uri = text.parse().map_err(|_| expected())?;
        let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(expected()) };
        if authority.as_str().contains('@') {
            return Err("a user and a password in the address are not sent: leave them out".to_owned());
        }
        let path = if uri.path() == "/" { "/v1/metrics" } else { uri.path() };
        Ok(Self {
            authority: authority.to_string(),
            address: format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(4_318)),
            path: path.to_owned(),
        })
    }
}

/// A request that waits, with its share of the memory.
#[derive(Debug)]
pub struct Waiting {
    body: Bytes,
    rows: usize,
    _room: OwnedSemaphorePermit,
}

/// Gathers rows into requests.
#[derive(Debug)]
pub struct Otlp {
    drain: String,
    metrics: Vec<Metric>,
    /// What they take, about.
    bytes: usize,
    queue: Sender<Waiting>,
    room: Arc<Semaphore>,
    counters: Arc<Counters>,
}

impl Otlp {
    /// The outlet, and what [`send`] takes.
    pub fn new(counters: Arc<Counters>) -> (Self, Receiver<Waiting>) {
        let (queue, waiting) = channel(WAITING);
        let room = Arc::new(Semaphore::new(QUEUE / UNIT));
        (Self { drain: String::new(), metrics: Vec::new(), bytes: 0, queue, room, counters }, waiting)
    }

    fn hand_over(&mut self) {
        if self.metrics.is_empty() {
            return;
        }
        let metrics = std::mem::take(&mut self.metrics);
        self.bytes = 0;
        let rows = metrics.len();
        let scope = InstrumentationScope {
            name: "logdrain".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let resource = Resource {
            attributes: vec![text("heroku.drain", &DrainName::of(&self.drain).shown().to_string())],
            ..Resource::default()
        };
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(resource),
                scope_metrics: vec![ScopeMetrics { scope: Some(scope), metrics, schema_url: String::new() }],
                schema_url: String::new(),
            }],
        };
        let units = u32::try_from(request.encoded_len().div_ceil(UNIT)).unwrap_or(u32::MAX);
        let room = self.room.clone().try_acquire_many_owned(units);
        let sent = room.map(|room| {
            self.queue.try_send(Waiting { body: request.encode_to_vec().into(), rows, _room: room }).is_ok()
        });
        if !sent.unwrap_or(false) {
            self.counters.otlp_dropped.add(rows as u64);
        }
    }
}

impl Outlet for Otlp {
    fn write(&mut self, row: &Row<'_>) -> Result<(), Stopped> {
        if row.point.revision() > 0 {
            self.counters.otlp_revisions.add(1);
            return Ok(());
        }
        if self.drain != row.drain || self.metrics.len() >= ROWS || self.bytes >= REQUEST {
            self.hand_over();
            row.drain.clone_into(&mut self.drain);
        }
        self.bytes += bytes_of(row.point);
        self.metrics.push(metric_of(row.point));
        Ok(())
    }

    fn commit(&mut self) -> Result<bool, Stopped> {
        self.hand_over();
        Ok(true)
    }
}

/// What a row takes in a request, about.
fn bytes_of(point: &DataPoint<'_>) -> usize {
    const NUMBERS: usize = 256;
    const TAG: usize = 96;
    let tags: usize = point.tags().iter().map(|(key, value)| key.len() + value.len() + TAG).sum();
    NUMBERS + point.name().len() + tags
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn metric_of(point: &DataPoint<'_>) -> Metric {
    let stats = point.stats();
    let nanos = |micros: i64| u64::try_from(micros).unwrap_or(0).saturating_mul(1_000);
    let start_time_unix_nano = nanos(point.window().start().unix_micros());
    let time_unix_nano = nanos(point.window().end().unix_micros());
    let attributes: Vec<KeyValue> = point.tags().iter().map(|(key, value)| text(key, value)).collect();
    let number = |value: f64, attributes| NumberDataPoint {
        attributes,
        start_time_unix_nano,
        time_unix_nano,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    };
    let data = match point.kind() {
        Kind::Count => metric::Data::Sum(Sum {
            data_points: vec![number(stats.sum(), attributes)],
            aggregation_temporality: AggregationTemporality::Delta.into(),
            is_monotonic: true,
        }),
        Kind::Sample => {
            metric::Data::Gauge(Gauge { data_points: vec![number(stats.last().unwrap_or(0.0), attributes)] })
        }
        _ => {
            let at = |quantile, value: Option<f64>| value.map(|value| ValueAtQuantile { quantile, value });
            let percentiles = Percentile::ALL.into_iter().filter_map(|which| {
                at(f64::from(which.per_mille()) / 1_000.0, stats.percentiles().map(|all| all.get(which)))
            });
            // 0 and 1 are the smallest and the largest, says the format.
            let quantile_values = at(0.0, stats.min()).into_iter().chain(percentiles).chain(at(1.0, stats.max()));
            metric::Data::Summary(Summary {
                data_points: vec![SummaryDataPoint {
                    attributes,
                    start_time_unix_nano,
                    time_unix_nano,
                    count: stats.observations(),
                    sum: stats.sum(),
                    quantile_values: quantile_values.collect(),
                    ..SummaryDataPoint::default()
                }],
            })
        }
    };
    Metric { name: point.name().to_owned(), unit: unit(point.unit().as_str()), data: Some(data), ..Metric::default() }
}

/// As UCUM writes it, where the two differ.
fn unit(ours: &str) -> String {
    match ours {
        "bytes" => "By".to_owned(),
        "pages" => "{page}".to_owned(),
        other => other.to_owned(),
    }
}

/// Sends what comes, one request after the other, each until it is taken or refused for good.
pub async fn send(endpoint: Endpoint, mut waiting: Receiver<Waiting>, counters: Arc<Counters>) {
    let mut is_failing = false;
    while let Some(Waiting { body, rows, _room }) = waiting.recv().await {
        let mut pause = FIRST_PAUSE;
        loop {
            let outcome = tokio::time::timeout(PATIENCE, post(&endpoint, body.clone())).await;
            let outcome = outcome.unwrap_or_else(|_| Err("no answer in ten seconds".to_owned()));
            let (why, wait) = match outcome {
                Ok((status, _)) if status.is_success() => {
                    counters.otlp_sent.add(rows as u64);
                    if std::mem::take(&mut is_failing) {
                        tracing::info!("the collector takes rows again");
                    }
                    break;
                }
                // Those that the protocol lets be sent again.
                Ok((status, after)) if matches!(status.as_u16(), 429 | 502 | 503 | 504) => {
                    (format!("it answers {status}"), after)
                }
                Ok((status, _)) => {
                    tracing::error!(%status, rows, "the collector refuses rows for good: they are dropped");
                    counters.otlp_dropped.add(rows as u64);
                    break;
                }
                Err(why) => (why, None),
            };
            if !std::mem::replace(&mut is_failing, true) {
                tracing::warn!(why, "the collector takes no rows; they wait");
            }
            tokio::time::sleep(wait.unwrap_or(pause).clamp(FIRST_PAUSE, LONGEST_PAUSE)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

async fn post(endpoint: &Endpoint, body: Bytes) -> Result<(StatusCode, Option<Duration>), String> {
    let stream = TcpStream::connect(&endpoint.address).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let driving = tokio::spawn(connection);
    let request = Request::post(&endpoint.path)
        .header(HOST, &endpoint.authority)
        .header(CONTENT_TYPE, "application/x-protobuf")
        .body(Full::new(body))
        .map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let status = answer.status();
    let _ = Limited::new(answer.into_body(), ANSWER).collect().await;
    driving.abort();
    Ok((status, after.map(Duration::from_secs)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_what_they_are() {
        let lines = ["measure#q=200ms tag#a=x", "measure#q=300ms tag#a=x", "count#n=2", "sample#s=7MB"];
        let points = crate::outlets::tests::points(&lines);
        let (mut outlet, mut waiting) = Otlp::new(Arc::default());
        for point in &points {
            outlet.write(&Row { drain: "shop/d.1", point: &point.as_point() }).unwrap();
        }
        assert!(outlet.commit().unwrap());
        let Waiting { body, rows, .. } = waiting.try_recv().unwrap();
        assert_eq!(rows, 3);
        let request = ExportMetricsServiceRequest::decode(body).unwrap();
        let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
        let of = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap();
        let Some(metric::Data::Summary(summary)) = &of("q").data else { panic!("{:?}", of("q")) };
        let point = &summary.data_points[0];
        assert_eq!((point.count, point.sum, point.attributes.len()), (2, 500.0, 1));
        let quantiles: Vec<_> = point.quantile_values.iter().map(|at| (at.quantile, at.value)).collect();
        assert_eq!(quantiles, [(0.0, 200.0), (0.5, 200.0), (0.95, 300.0), (0.99, 300.0), (0.999, 300.0), (1.0, 300.0)]);
        assert_eq!(point.time_unix_nano - point.start_time_unix_nano, 60_000_000_000);
        let Some(metric::Data::Sum(sum)) = &of("n").data else { panic!("{:?}", of("n")) };
        assert_eq!(sum.data_points[0].value, Some(number_data_point::Value::AsDouble(2.0)));
        assert!(matches!(&of("s").data, Some(metric::Data::Gauge(_))) && of("s").unit == "By");
    }

    #[test]
    fn rows_that_wait_for_a_collector_are_bounded_in_bytes_and_the_others_are_counted() {
        let tags: String = (0..40).map(|n| format!(" tag#{}{n}={}", "k".repeat(50), "v".repeat(200))).collect();
        let points = crate::outlets::tests::points(&[&format!("measure#q=200ms{tags}")]);
        let counters: Arc<Counters> = Arc::default();
        let (mut outlet, mut waiting) = Otlp::new(counters.clone());
        for _ in 0..5_000 {
            outlet.write(&Row { drain: "shop/d.1", point: &points[0].as_point() }).unwrap();
        }
        outlet.commit().unwrap();
        let (mut bytes, mut rows, mut held) = (0, 0, Vec::new());
        while let Ok(request) = waiting.try_recv() {
            bytes += request.body.len();
            rows += request.rows as u64;
            assert!(request.body.len() <= 2 * REQUEST);
            held.push(request);
        }
        assert!(bytes <= QUEUE && bytes > QUEUE / 2, "{bytes}");
        assert_eq!(rows + counters.otlp_dropped.get(), 5_000);
        // What is sent makes room.
        drop(held);
        assert_eq!(outlet.room.available_permits(), QUEUE / UNIT);
    }

    #[test]
    fn an_endpoint_is_a_collector_nearby() {
        let endpoint = Endpoint::parse("http://127.0.0.1/").unwrap();
        assert_eq!((endpoint.address.as_str(), endpoint.path.as_str()), ("127.0.0.1:4318", "/v1/metrics"));
        for wrong in ["https://collector.example.com/v1/metrics", "127.0.0.1:4318", "http:///x", ""] {
            assert!(Endpoint::parse(wrong).is_err(), "{wrong}");
        }
    }
}
