//! A drain inside somebody's service: hyper takes the requests, one pipeline an app. `bin/hyper_service.rs` runs it.

use heroku_metrics::syslog::{Delivery, Dialect};
use heroku_metrics::{ExtractorConfig, Pipeline, PipelineConfig};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode, service::service_fn};
use hyper_util::rt::TokioIo;
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

/// What the service keeps for a drain: its pipeline and the ids of the deliveries it has taken.
#[derive(Debug)]
pub struct Drain {
    /// What it counts.
    pub pipeline: Pipeline,
    seen: HashSet<String>,
}

/// By drain token.
pub type Drains = Arc<Mutex<HashMap<String, Drain>>>;
/// Whatever went wrong.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Logplex gives up after five seconds and drops on a 4xx: read the body, count it, answer.
async fn take(request: Request<Incoming>, drains: Drains) -> Result<Response<Full<Bytes>>, Infallible> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (token, id) = (header("logplex-drain-token"), header("logplex-frame-id"));
    let count = header("logplex-msg-count").and_then(|text| text.parse().ok());
    let answer = match Limited::new(request.into_body(), 8 << 20).collect().await {
        Ok(body) => {
            let body = body.to_bytes();
            let mut drains = drains.lock().unwrap_or_else(PoisonError::into_inner);
            let token = token.unwrap_or_default();
            match entry(&mut drains, &token) {
                Ok(drain) => {
                    // A retry carries the same id, and its body may differ: the id decides.
                    if id.is_none_or(|id| drain.seen.insert(id)) {
                        let delivery = Delivery::new(&body);
                        let delivery = count.into_iter().fold(delivery, Delivery::with_msg_count);
                        drain.pipeline.ingest(&delivery);
                    }
                    StatusCode::NO_CONTENT
                }
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
            }
        }
        Err(_) => StatusCode::PAYLOAD_TOO_LARGE,
    };
    let mut response = Response::new(Full::default());
    *response.status_mut() = answer;
    Ok(response)
}

fn entry<'a>(drains: &'a mut HashMap<String, Drain>, token: &str) -> Result<&'a mut Drain, Failure> {
    if !drains.contains_key(token) {
        // The app's name is known from where the drain was registered; no line carries it.
        let config = PipelineConfig::new()
            .with_extractor(ExtractorConfig::new().with_app_name("shop"))
            .with_dialect(Dialect::ByHostname);
        drains.insert(token.to_owned(), Drain { pipeline: Pipeline::new(config)?, seen: HashSet::new() });
    }
    drains.get_mut(token).ok_or_else(|| "the drain was just put in".into())
}

/// Takes deliveries for as long as the listener lives.
pub async fn serve(listener: TcpListener, drains: Drains) {
    while let Ok((stream, _)) = listener.accept().await {
        let drains = Arc::clone(&drains);
        tokio::spawn(async move {
            let service = service_fn(|request| take(request, Arc::clone(&drains)));
            let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if let Err(error) = served.await {
                eprintln!("connection: {error}");
            }
        });
    }
}
