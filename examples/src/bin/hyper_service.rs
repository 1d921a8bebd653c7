//! A drain inside somebody's service: hyper takes the requests (`src/hyper_service.rs`), a timer closes the minutes.
//!
//! `cargo run -p examples --bin hyper_service testdata/demo.logplex` starts the service on a free loopback port, sends it
//! the file as Heroku would, twice with one id, and prints the minutes.

use examples::hyper_service::{Drains, Failure, serve};
use heroku_metrics::model::{DataPoint, Timestamp};
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpStream};

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
