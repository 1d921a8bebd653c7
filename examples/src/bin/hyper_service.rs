//! A drain inside somebody's service: hyper takes the requests, one pipeline an app, a timer closes the minutes.
//!
//! `cargo run -p examples --bin hyper_service testdata/demo.logplex` starts the service on a free loopback port, sends it
//! the file as Heroku would, twice with one id, and prints the minutes.

use heroku_metrics::model::{DataPoint, Timestamp};
use heroku_metrics::syslog::Delivery;
use heroku_metrics::{DialectPolicy, ExtractorConfig, Pipeline, PipelineConfig};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode, service::service_fn};
use hyper_util::rt::TokioIo;
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpStream};

/// What the service keeps for a drain: its pipeline and the ids of the deliveries it has taken.
pub(crate) struct Drain {
    pub(crate) pipeline: Pipeline,
    seen: HashSet<String>,
}

/// By drain token.
pub(crate) type Drains = Arc<Mutex<HashMap<String, Drain>>>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

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
            .with_dialect(DialectPolicy::ByHostname);
        drains.insert(token.to_owned(), Drain { pipeline: Pipeline::new(config)?, seen: HashSet::new() });
    }
    drains.get_mut(token).ok_or_else(|| "the drain was just put in".into())
}

/// Takes deliveries for as long as the listener lives.
pub(crate) async fn serve(listener: TcpListener, drains: Drains) {
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

fn print(point: &DataPoint<'_>) -> Result<(), Infallible> {
    println!("{} {} {{{}}} {}", point.window().start(), point.name(), point.tags(), point.stats().sum());
    Ok(())
}

/// Tells every pipeline what time it is, so that minutes close without a line to push them.
fn tick(drains: &Drains) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Timestamp::from_unix_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    for drain in drains.lock().unwrap_or_else(PoisonError::into_inner).values_mut() {
        let Ok(()) = drain.pipeline.advance(now, &mut print);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let body = Bytes::from(std::fs::read(std::env::args().nth(1).ok_or("usage: hyper_service BODY")?)?);
    let drains = Drains::default();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;

    tokio::spawn(serve(listener, Arc::clone(&drains)));

    // The sender's side: one delivery and its retry.
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(TcpStream::connect(address).await?)).await?;
    tokio::spawn(connection);
    for _ in 0..2 {
        let request = Request::post("/logs")
            .header("host", "localhost")
            .header("logplex-drain-token", "d.5f1c7e02-93ab-4c1d-8b7e-2f60a4d1c9e8")
            .header("logplex-frame-id", "9C2F4E7A1B3D5F60718293A4B5C6D7E8")
            .body(Full::new(body.clone()))?;
        let status = sender.send_request(request).await?.status();
        eprintln!("sent {} octets: {status}", body.len());
    }

    tick(&drains);
    let mut drains = drains.lock().unwrap_or_else(PoisonError::into_inner);
    for (token, drain) in drains.iter_mut() {
        let Ok(()) = drain.pipeline.finish(&mut print);
        eprintln!("{token}\n{}", drain.pipeline.ledger());
    }
    Ok(())
}
