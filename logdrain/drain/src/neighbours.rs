//! The other nodes, as far as one passes requests on to them: by HTTP, over TLS or on this machine.
//!
//! ```text
//! open (a kept connection or a new one) -> send -> the head of an answer -> its body, as it comes
//!          |                                 |                |
//!          +-- 1 s, or it is not reached     +-- it is asked beside whether it lives: who is slow is waited for,
//!                                                who is silent is not
//! ```
//!
//! Nothing is kept of what passes but the piece that is on its way. Which requests those are, and how many at a time, is for
//! who passes them on.

mod body;
mod places;
mod proof;
mod vital;

#[cfg(test)]
mod tests;

pub use places::Url;
pub use proof::Secret;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use logdrain_terms::client;
use places::Place;
use proof::Proofs;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use vital::Vital;

/// Says of a request who sent it and that a node passed it on; of an answer that who was asked is not the right one.
pub const PASSED: HeaderName = HeaderName::from_static("x-logdrain-passed");

/// Says of a request that was passed on that no node is the home now: whoever was it last may answer what only reads.
pub const LAST: HeaderName = HeaderName::from_static("x-logdrain-last");

/// A name, a connection, its encryption: each takes no longer.
const CONNECT: Duration = Duration::from_secs(1);
/// Who does not say within this time that he lives is silent.
const WORD: Duration = Duration::from_secs(1);
/// Who was silent just now is not tried for so long.
const SHUNNED: Duration = Duration::from_millis(300);
/// The longest that an answer is waited for whose home says that it lives.
const LONGEST: Duration = Duration::from_secs(60);
/// A connection without a request is kept for so long, which is less than any server does; and so many of them.
const KEPT_FOR: Duration = Duration::from_millis(900);
const KEPT: usize = 8;
/// Until a connection that was used is seen to be free.
const FREE: Duration = Duration::from_millis(100);
/// The most bytes of the head of an answer, and of a piece of its body.
const BUFFER: usize = 32 << 10;
/// Nodes that are remembered at a time, beside those that are spoken with.
const KNOWN: usize = 64;

/// What a request takes that is passed on: what is read and what is written, the head taken apart, and TLS.
pub const MEMORY: usize = 3 * BUFFER + (48 << 10);

/// The other nodes.
#[derive(Debug)]
pub struct Neighbours {
    proofs: Arc<Proofs>,
    trust: Trust,
    known: Mutex<HashMap<Arc<str>, Arc<Neighbour>>>,
}

/// One of them.
#[derive(Debug)]
pub struct Neighbour {
    url: Url,
    proofs: Arc<Proofs>,
    trust: Trust,
    place: Place,
    kept: Mutex<Vec<(Instant, Open)>>,
    vital: Vital,
}

/// By whom certificates are checked: read when the first one is.
#[derive(Clone, Default)]
struct Trust(Arc<OnceLock<Result<TlsConnector, String>>>);

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

/// A connection on which nothing is on its way.
#[derive(Debug)]
pub struct Open {
    sender: SendRequest<Body>,
    /// It ends with the connection, also when whoever asked has gone.
    _driver: Driver,
}

#[derive(Debug)]
struct Driver(tokio::task::AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why no answer came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failed {
    /// Nothing was sent.
    Unreached(String),
    /// The connection broke.
    Broken(String),
    /// It does not even say that it lives.
    Silent,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreached(why) | Self::Broken(why) => f.write_str(why),
            Self::Silent => f.write_str("it is silent"),
        }
    }
}

impl Neighbours {
    /// Those of the node that the others reach at this address.
    pub fn new(own: &Url, secret: &Secret) -> Arc<Self> {
        Arc::new(Self { proofs: Proofs::new(own, secret), trust: Trust::default(), known: Mutex::default() })
    }

    /// The one at an address; `None` if nothing may be sent there.
    pub fn at(&self, url: &Arc<str>) -> Option<Arc<Neighbour>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(url) {
            return Some(known.clone());
        }
        if known.len() >= KNOWN {
            known.retain(|_, neighbour| Arc::strong_count(neighbour) > 1);
        }
        let neighbour = Arc::new(Neighbour {
            url: Url::parse(url)?,
            proofs: self.proofs.clone(),
            trust: self.trust.clone(),
            place: Place::default(),
            kept: Mutex::default(),
            vital: Vital::new(),
        });
        known.insert(url.clone(), neighbour.clone());
        Some(neighbour)
    }

    /// Where the sender of a request is that another node has passed on; `None` if no node says so.
    pub fn sender(&self, said: &HeaderValue) -> Option<IpAddr> {
        self.proofs.check(said)
    }
}

impl Neighbour {
    /// Says of a request whose it is.
    pub fn introduce(&self, headers: &mut HeaderMap, sender: IpAddr) {
        headers.insert(PASSED, self.proofs.of(&self.url, sender));
    }

    /// A connection for a request: one that is kept, unless it has to be `new`.
    ///
    /// # Errors
    /// Why it is not reached.
    pub async fn open(&self, new: bool) -> Result<Open, Failed> {
        while let Some(mut kept) = if new { None } else { self.take() } {
            if matches!(timeout(FREE, kept.sender.ready()).await, Ok(Ok(()))) {
                return Ok(kept);
            }
        }
        if self.vital.failed_within(SHUNNED) {
            return Err(Failed::Unreached("it was silent just now".to_owned()));
        }
        let opened = self.connect().await;
        if opened.is_err() {
            self.vital.failed();
        }
        opened.map_err(Failed::Unreached)
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(Instant, Open)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Open> {
        let mut kept = self.kept();
        kept.retain(|(since, open)| since.elapsed() < KEPT_FOR && !open.sender.is_closed());
        kept.pop().map(|(_, open)| open)
    }

    fn give_back(&self, open: Open) {
        let mut kept = self.kept();
        kept.retain(|(since, open)| since.elapsed() < KEPT_FOR && !open.sender.is_closed());
        if kept.len() < KEPT {
            kept.push((Instant::now(), open));
        }
    }

    async fn connect(&self) -> Result<Open, String> {
        let addresses = timeout(CONNECT, self.place.addresses(&self.url)).await;
        let addresses = addresses.unwrap_or_else(|_| Err("its name is not found in time".to_owned()))?;
        let connecting = async {
            let mut said = String::new();
            for address in addresses {
                match TcpStream::connect(address).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => said = error.kind().to_string(),
                }
            }
            Err(said)
        };
        let late = |_| Err("it does not answer".to_owned());
        let stream = timeout(CONNECT, connecting).await.unwrap_or_else(late)?;
        let _ = stream.set_nodelay(true);
        if !self.url.is_encrypted() {
            return Self::speak(stream).await;
        }
        let tls = self.trust.0.get_or_init(client::trusted).clone();
        let tls = tls.map_err(|why| format!("no certificate can be checked here: {why}"))?;
        match timeout(CONNECT, tls.connect(self.url.server_name()?, stream)).await {
            Ok(Ok(stream)) => Self::speak(stream).await,
            Ok(Err(error)) => Err(format!("TLS fails: {error}")),
            Err(_) => Err("it does not answer".to_owned()),
        }
    }

    async fn speak<S>(stream: S) -> Result<Open, String>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let connection = http1::Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = connection.map_err(|error| error.to_string())?;
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Open { sender, _driver: Driver(driver.abort_handle()) })
    }

    /// Sends a request, and waits for the head of its answer for as long as the other one lives; or is silent for no longer than
    /// is `borne`.
    ///
    /// # Errors
    /// Why none came. Whether the request was done nobody knows then.
    pub async fn send(
        self: &Arc<Self>,
        mut open: Open,
        request: Request<Body>,
        borne: Duration,
    ) -> Result<Response<Body>, Failed> {
        let answered = tokio::select! {
            answered = timeout(LONGEST, open.sender.send_request(request)) => answered,
            () = self.silence(borne) => return Err(Failed::Silent),
        };
        match answered {
            Ok(Ok(answer)) => {
                self.vital.heard();
                Ok(answer.map(|body| body::passed(self.clone(), open, body)))
            }
            Ok(Err(error)) => Err(Failed::Broken(format!("the connection broke: {error}"))),
            Err(_) => Err(Failed::Broken(format!("no answer came within {} s", LONGEST.as_secs()))),
        }
    }

    /// Comes back when it was silent for so long, though it was asked whether it lives.
    async fn silence(&self, borne: Duration) {
        self.vital.silence(borne, || self.asked()).await;
    }

    /// Asks whether it lives.
    async fn asked(&self) -> bool {
        let ask = async {
            for is_new in [false, true] {
                let Ok(mut open) = self.open(is_new).await else { return false };
                let mut request = Request::new(Body::empty());
                *request.uri_mut() = hyper::Uri::from_static("/healthz");
                self.introduce(request.headers_mut(), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
                let Ok(answer) = open.sender.send_request(request).await else { continue };
                let is_well = answer.status() == StatusCode::OK;
                if answer.into_body().collect().await.is_ok() {
                    self.give_back(open);
                    return is_well;
                }
            }
            false
        };
        timeout(WORD, ask).await.unwrap_or(false)
    }
}
