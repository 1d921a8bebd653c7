//! The one way out for what accounts name: buckets, and whoever is told of alerts.
//!
//! ```text
//! URL -> host, port -> may it be asked? -> its addresses, all of them -> are they outside? -> connect to one of these
//! ```
//!
//! A name is looked up once, and what is connected to is an address that was checked: a name that says something else a moment
//! later (rebinding) leads nowhere. What lies inside (this machine, its networks, what only looks like the outside) is refused,
//! and so is a name that has one such address beside others. No redirect is followed, no proxy of the environment is used, and
//! nothing of what is asked elsewhere (cookies, credentials) goes along. The operator can allow more by `outbound_allow`.
//!
//! Whoever uses it says how long an answer may be and how long it may take, and tries again by himself:
//!
//! ```text
//! let request = Request::post(url).body(Full::new(body))?;
//! let answer = outbound.send(request, Most { bytes: 64 << 10, time: Duration::from_secs(10) }).await?;
//! ```
//!
//! Errors are words for the account that named the place. They do not tell whether something inside is there.

mod addresses;
#[cfg(test)]
mod tests;

pub use addresses::Allowed;

use addresses::is_outside;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use logdrain_terms::client;
use rustls::pki_types::ServerName;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{AcquireError, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Looking a name up; connecting, with TLS.
const LOOK_UP: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(10);
/// Names that are looked up at a time, and those of one account: the system's own look-up cannot be broken off, and whoever has
/// a server of names can have it take half a minute.
const LOOK_UPS: usize = 16;
const LOOK_UPS_OF_ONE: usize = 2;
/// Requests at a time.
const AT_A_TIME: usize = 16;
/// How long one waits for others.
const PATIENCE: Duration = Duration::from_secs(60);
/// Addresses of a name that are tried.
const ADDRESSES: usize = 4;
/// The longest URL.
const URL: usize = 2_048;
/// What the head of an answer may take.
const HEAD: usize = 32 << 10;
/// The most bytes that requests take beside what they send and what they get.
pub const MEMORY: usize = AT_A_TIME * (HEAD + (48 << 10));

/// Shared by all who ask; with the account that this one asks for.
#[derive(Clone, Debug)]
pub struct Outbound(Arc<Inner>, Arc<str>);

struct Inner {
    allowed: Vec<Allowed>,
    tls: OnceLock<Result<TlsConnector, String>>,
    look_ups: Arc<Semaphore>,
    /// Of each account that looks something up now.
    look_ups_of: Mutex<HashMap<Arc<str>, Arc<Semaphore>>>,
    requests: Semaphore,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

/// What an answer may come to.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// Of its body.
    pub bytes: usize,
    /// From the connection to its last byte.
    pub time: Duration,
}

/// What becomes of an answer beyond its bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beyond {
    IsWrong,
    IsLeft,
}

/// Why nothing came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shut {
    pub why: Why,
    said: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// It is nothing that may be asked, now or later.
    Refused,
    /// It could not be reached.
    Unreached,
    /// The request may have arrived.
    Broken,
    /// It took too long, and may have arrived.
    Late,
}

impl Shut {
    fn new(why: Why, said: impl Into<String>) -> Self {
        Self { why, said: said.into() }
    }
}

impl fmt::Display for Shut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl std::error::Error for Shut {}

/// Where a URL leads.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Place {
    is_encrypted: bool,
    /// Without brackets.
    host: String,
    port: u16,
}

impl Outbound {
    /// The operator allows these, besides what is outside.
    pub fn new(allowed: Vec<Allowed>) -> Self {
        let inner = Inner {
            allowed,
            tls: OnceLock::new(),
            look_ups: Arc::new(Semaphore::new(LOOK_UPS)),
            look_ups_of: Mutex::default(),
            requests: Semaphore::new(AT_A_TIME),
        };
        Self(Arc::new(inner), Arc::from(""))
    }

    /// The same for an account: it leaves others their part.
    #[must_use]
    pub fn of(&self, account: &str) -> Self {
        Self(self.0.clone(), account.into())
    }

    /// Whether a URL may be asked at all, as far as that can be told without looking it up: for whoever keeps one.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, url: &str) -> Result<(), Shut> {
        let refused = || Shut::new(Why::Refused, "that is no URL: write it as https://example.com/path");
        if url.len() > URL {
            return Err(Shut::new(Why::Refused, format!("a URL has {URL} bytes at most")));
        }
        self.place(&url.parse().map_err(|_| refused())?).map(drop)
    }

    /// Sends a request to an absolute URL, and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// When it may not be asked, cannot be reached, or its answer is longer or later than it may be.
    pub async fn send<B>(&self, request: Request<B>, most: Most) -> Result<Response<Bytes>, Shut>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.ask(request, most, Beyond::IsWrong).await
    }

    /// The same where the status is what matters: of a long answer the beginning is read.
    ///
    /// # Errors
    /// When it may not be asked, cannot be reached, or its answer is later than it may be.
    pub async fn tell<B>(&self, request: Request<B>, most: Most) -> Result<Response<Bytes>, Shut>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.ask(request, most, Beyond::IsLeft).await
    }

    async fn ask<B>(&self, request: Request<B>, most: Most, beyond: Beyond) -> Result<Response<Bytes>, Shut>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let place = self.place(request.uri())?;
        let turn = timeout(PATIENCE, self.0.requests.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(Shut::new(Why::Unreached, "too much is sent from here just now"));
        };
        let stream = self.connect(&place).await?;
        let answer = timeout(most.time, self.exchange(stream, &place, request, (most.bytes, beyond))).await;
        answer.unwrap_or_else(|_| Err(Shut::new(Why::Late, format!("no answer came within {} s", most.time.as_secs()))))
    }

    /// What may be asked: `http` only where the operator allows the host, no user, no port of another service.
    fn place(&self, uri: &Uri) -> Result<Place, Shut> {
        let refused = |said: &str| Err(Shut::new(Why::Refused, said));
        let is_encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return refused("a URL begins with https://"),
        };
        let Some(authority) = uri.authority().filter(|authority| !authority.as_str().contains('@')) else {
            return refused("a URL has a host, and no user and no password in front of it");
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        let host = host.to_ascii_lowercase();
        // What is behind the host and is no port is not passed over.
        let has_port = authority.as_str().rsplit_once(']').map_or(authority.as_str(), |(_, rest)| rest).contains(':');
        let port = match authority.port_u16() {
            Some(port) if port > 0 => port,
            None if !has_port => {
                if is_encrypted {
                    443
                } else {
                    80
                }
            }
            _ => return refused("a port is a number from 1 to 65535"),
        };
        if host.is_empty() {
            return refused("a URL has a host, and no user and no password in front of it");
        }
        let is_allowed = self.0.allowed.iter().any(|allowed| allowed.is_host(&host, port))
            || host.parse().is_ok_and(|ip| self.holds(ip));
        if !is_encrypted && !is_allowed {
            return refused("a URL begins with https://: what is sent is encrypted");
        }
        if port < 1_024 && port != 443 && port != 80 && !is_allowed {
            return refused("a port below 1024 is 443 or 80");
        }
        // Said at once; any other way to write an address is found out when it is looked up.
        if host.parse().is_ok_and(|ip: IpAddr| !is_outside(ip)) && !is_allowed {
            return refused(INSIDE);
        }
        Ok(Place { is_encrypted, host, port })
    }

    fn holds(&self, ip: IpAddr) -> bool {
        self.0.allowed.iter().any(|allowed| allowed.holds(ip))
    }

    async fn connect(&self, place: &Place) -> Result<Box<dyn Stream>, Shut> {
        let addresses = self.checked(place, self.look_up(place).await?)?;
        let connecting = async {
            let mut said = String::new();
            for address in addresses {
                match TcpStream::connect(address).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => said = error.kind().to_string(),
                }
            }
            Err(Shut::new(Why::Unreached, format!("{} cannot be connected to: {said}", place.host)))
        };
        let late = || Shut::new(Why::Unreached, format!("{} does not answer", place.host));
        let stream = timeout(CONNECT, connecting).await.map_err(|_| late())??;
        let _ = stream.set_nodelay(true);
        if !place.is_encrypted {
            return Ok(Box::new(stream));
        }
        let tls = self.0.tls.get_or_init(client::trusted).clone();
        let tls = tls.map_err(|why| Shut::new(Why::Unreached, format!("no certificate can be checked here: {why}")))?;
        let name = ServerName::try_from(place.host.clone())
            .map_err(|_| Shut::new(Why::Refused, format!("{} can have no certificate", place.host)))?;
        match timeout(CONNECT, tls.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => {
                Err(Shut::new(Why::Unreached, format!("TLS with {} fails: {}", place.host, short(&error.to_string()))))
            }
            Err(_) => Err(late()),
        }
    }

    /// Those of the account; who has none under way is forgotten.
    fn own_look_ups(&self) -> Arc<Semaphore> {
        let mut all = self.0.look_ups_of.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, own| Arc::strong_count(own) > 1);
        all.entry(self.1.clone()).or_insert_with(|| Arc::new(Semaphore::new(LOOK_UPS_OF_ONE))).clone()
    }

    async fn look_up(&self, place: &Place) -> Result<Vec<SocketAddr>, Shut> {
        let nowhere = || Shut::new(Why::Unreached, format!("{} has no address", place.host));
        let own = self.own_look_ups();
        let turn = async { Ok((own.acquire_owned().await?, self.0.look_ups.clone().acquire_owned().await?)) };
        let turn = timeout(LOOK_UP, turn).await.ok().and_then(|turn: Result<_, AcquireError>| turn.ok());
        let turn = turn.ok_or_else(nowhere)?;
        let (host, port) = (place.host.clone(), place.port);
        let found = tokio::task::spawn_blocking(move || {
            let found: io::Result<Vec<_>> = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
            drop(turn);
            found
        });
        match timeout(LOOK_UP, found).await {
            Ok(Ok(Ok(found))) if !found.is_empty() => Ok(found),
            _ => Err(nowhere()),
        }
    }

    /// Those that may be connected to: all of them are outside, or what the operator allows.
    fn checked(&self, place: &Place, mut found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Shut> {
        let is_allowed = self.0.allowed.iter().any(|allowed| allowed.is_host(&place.host, place.port));
        let is_fine = |address: &SocketAddr| is_allowed || is_outside(address.ip()) || self.holds(address.ip());
        if !found.iter().all(is_fine) {
            return Err(Shut::new(Why::Refused, INSIDE));
        }
        found.truncate(ADDRESSES);
        Ok(found)
    }

    async fn exchange<B>(
        &self,
        stream: Box<dyn Stream>,
        place: &Place,
        mut request: Request<B>,
        (most, beyond): (usize, Beyond),
    ) -> Result<Response<Bytes>, Shut>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let broken = |error: hyper::Error| {
            Shut::new(Why::Broken, format!("{} breaks off: {}", place.host, short(&error.to_string())))
        };
        let unfit = || Shut::new(Why::Refused, "a request of this form cannot be sent");
        let host = request.uri().authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        request.headers_mut().insert(header::HOST, HeaderValue::try_from(host).map_err(|_| unfit())?);
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        *request.uri_mut() = path.parse().map_err(|_| unfit())?;
        let connection = http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await;
        let (mut sender, driver) = connection.map_err(broken)?;
        // It ends with the connection, also when whoever asked has gone.
        let driver = tokio::spawn(async move { drop(driver.await) });
        let _end = End(driver.abort_handle());
        let (parts, mut body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let mut all = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            if all.len() + data.len() > most && beyond == Beyond::IsLeft {
                all.extend(data.iter().take(most - all.len()));
                break;
            }
            if all.len() + data.len() > most {
                return Err(Shut::new(Why::Broken, format!("{} answers more than {most} bytes", place.host)));
            }
            all.extend_from_slice(&data);
        }
        Ok(Response::from_parts(parts, all.into()))
    }
}

/// What is said of everything inside, whether it is there or not.
const INSIDE: &str =
    "that leads to an address which is not asked from here; the operator can allow it (outbound_allow)";

/// Bytes to and fro.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Ends a connection with whoever holds it.
struct End(tokio::task::AbortHandle);

impl Drop for End {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What others say, as far as it is shown.
fn short(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(200).collect()
}
