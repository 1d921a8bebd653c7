//! A receiver on a loopback port that counts with the library and answers as it is told.

use flate2::read::GzDecoder;
use heroku_metrics::aggregator::AggregatorConfig;
use heroku_metrics::model::DataPoint;
use heroku_metrics::syslog::Delivery;
use heroku_metrics::syslog::Dialect;
use heroku_metrics::{ExtractorConfig, Pipeline, PipelineConfig};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is done with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
    /// Stored, 204.
    Take,
    /// Not stored, this status.
    Refuse(u16),
    /// Stored, and no answer comes.
    TakeInSilence,
    /// Not stored, and no answer comes.
    Silence,
}

/// A request that came in whole.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn delivery(&self) -> Delivery<'_> {
        let headers = self.headers.iter();
        headers.fold(Delivery::new(&self.body), |delivery, (name, value)| delivery.with_header(name, value.as_bytes()))
    }
}

type Decide = dyn Fn(usize, &Seen) -> Reply + Send + Sync;
/// By drain token.
type Apps = dyn Fn(&str) -> Option<String> + Send + Sync;

struct State {
    decide: Box<Decide>,
    app: Box<Apps>,
    requests: Vec<Seen>,
    pipelines: BTreeMap<String, Pipeline>,
}

/// Runs until the test ends.
pub(crate) struct Receiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// One that decides by the request's number and what is in it.
    pub(crate) fn new(decide: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), decide, |_| None)
    }

    /// One that takes everything.
    pub(crate) fn taking() -> Self {
        Self::new(|_, _| Reply::Take)
    }

    /// One at this port that knows the names of apps by the drain token.
    pub(crate) fn on(
        listener: TcpListener,
        decide: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
        app: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let (decide, app) = (Box::new(decide), Box::new(app));
        let state = State { decide, app, requests: Vec::new(), pipelines: BTreeMap::new() };
        let state = Arc::new(Mutex::new(state));
        let served = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(accept(listener, served));
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/logs", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.state.lock().unwrap().requests.clone()
    }

    /// What was stored of each drain, as `logdrain replay --format jsonl` prints it.
    pub(crate) fn rows(&self) -> BTreeMap<String, String> {
        let mut state = self.state.lock().unwrap();
        let rows = |(token, pipeline): (&String, &mut Pipeline)| (token.clone(), finished(pipeline));
        state.pipelines.iter_mut().map(rows).collect()
    }
}

/// The rows of everything that a pipeline holds.
pub(crate) fn finished(pipeline: &mut Pipeline) -> String {
    let mut text = String::new();
    let Ok(()) = pipeline.finish(&mut |point: &DataPoint<'_>| {
        text.push_str(&serde_json::to_string(point).unwrap());
        text.push('\n');
        Ok::<(), Infallible>(())
    });
    text
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, Arc::clone(&state)));
            // A sender that hangs up is nothing to speak of.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, state: Arc<Mutex<State>>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let headers = request.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let headers: BTreeMap<String, String> = headers.collect();
    // A body that breaks off is an error here, and nothing of it counts.
    let mut body = request.into_body().collect().await?.to_bytes().to_vec();
    if headers.get("content-encoding").is_some_and(|coding| coding == "gzip") {
        let mut plain = Vec::new();
        GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap();
        body = plain;
    }
    let seen = Seen { headers, body };
    let reply = state.lock().unwrap().take(seen);
    if matches!(reply, Reply::TakeInSilence | Reply::Silence) {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    let mut response = Response::new(Full::default());
    *response.status_mut() = match reply {
        Reply::Refuse(status) => hyper::StatusCode::from_u16(status).unwrap(),
        _ => hyper::StatusCode::NO_CONTENT,
    };
    Ok(response)
}

impl State {
    fn take(&mut self, seen: Seen) -> Reply {
        let reply = (self.decide)(self.requests.len(), &seen);
        if matches!(reply, Reply::Take | Reply::TakeInSilence) {
            let token = seen.header("logplex-drain-token").unwrap_or_default();
            let app = (self.app)(token);
            let pipeline = self.pipelines.entry(token.to_owned()).or_insert_with(|| {
                let extractor =
                    app.iter().fold(ExtractorConfig::new(), |config, app| config.with_app_name(app.as_str()));
                let aggregator = AggregatorConfig::new().with_max_streams(1 << 20).with_max_window_bytes(1 << 28);
                let config = PipelineConfig::new().with_extractor(extractor).with_aggregator(aggregator);
                Pipeline::new(config.with_dialect(Dialect::ByHostname)).unwrap()
            });
            let receipt = pipeline.ingest(&seen.delivery());
            assert!(receipt.balances());
        }
        self.requests.push(seen);
        reply
    }
}
