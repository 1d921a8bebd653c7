//! A server that is asked over HTTP: by `search`, `tail`, `archive` and `open`, and by the add-on.
//!
//! One connection at a time, kept open between requests. Redirects are not followed, for what is secret would go along.
//! Nothing is waited for without end, and an answer that asks to come again later (429, and 503 of a GET, with
//! `Retry-After`) is obeyed as long as the client's patience lasts.

mod base;
mod error;
mod roots;
#[cfg(test)]
mod tests;

pub use base::Base;
pub use error::{ClientError, certificate_trouble};
pub use roots::of_machine as trusted;

use error::Kind;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;

/// Name, connection, encryption.
const CONNECT: Duration = Duration::from_secs(10);
/// Until the connection of the last request is taken for busy: its answer is still being read.
const IDLE: Duration = Duration::from_millis(100);
/// From a request to the head of its answer. A server may let a client wait for seconds, and a search takes some.
const HEAD: Duration = Duration::from_secs(60);
/// Between two pieces of an answer.
const PIECE: Duration = Duration::from_secs(60);
/// How long answers that ask to come again are obeyed, all of one request in sum.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two tries when the server does not say how long.
const PAUSE: Duration = Duration::from_secs(1);
/// The most of an answer that says why something is refused.
const REFUSAL: usize = 16 * 1024;

/// A server, and who asks it.
pub struct Client {
    base: Base,
    tls: Option<TlsConnector>,
    /// Goes along with each request.
    headers: HeaderMap,
    patience: Duration,
    open: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

/// What is asked. `path` has its query; nothing of it is printed.
#[derive(Clone, Debug)]
pub struct Ask {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Ask {
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// A body, and what it is.
    pub fn with_body(self, kind: &'static str, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }.with_header(header::CONTENT_TYPE, HeaderValue::from_static(kind))
    }
}

/// An answer of success, whose body is read piece by piece.
#[derive(Debug)]
pub struct Answer {
    response: Response<Incoming>,
    base: Base,
}

impl Client {
    /// Certificates are read when the server is asked by TLS.
    ///
    /// # Errors
    /// When no certificate can be checked.
    pub fn new(base: Base) -> Result<Self, ClientError> {
        let tls = if base.is_encrypted() {
            Some(roots::of_machine().map_err(|why| ClientError::new(&base, Kind::Roots(why)))?)
        } else {
            None
        };
        Ok(Self::of(base, tls))
    }

    fn of(base: Base, tls: Option<TlsConnector>) -> Self {
        Self { base, tls, headers: HeaderMap::new(), patience: PATIENCE, open: Mutex::new(None) }
    }

    /// A header of each request that holds a secret.
    pub fn with_secret(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.headers.insert(name, value);
        self
    }

    /// How long answers that ask to come again are obeyed; not at all with zero.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    pub const fn base(&self) -> &Base {
        &self.base
    }

    /// That a signal ended it.
    pub fn interrupted(&self) -> ClientError {
        self.error(Kind::Interrupted)
    }

    /// Asks, and waits as the server wants it.
    ///
    /// # Errors
    /// When the server cannot be reached, or answers anything but success: a redirect, too.
    pub async fn ask(&self, ask: &Ask) -> Result<Answer, ClientError> {
        let until = Instant::now() + self.patience;
        loop {
            let response = self.exchange(ask).await?;
            let status = response.status();
            if status.is_success() {
                return Ok(Answer { response, base: self.base.clone() });
            }
            let is_busy = status == StatusCode::TOO_MANY_REQUESTS
                || (status == StatusCode::SERVICE_UNAVAILABLE && ask.method == Method::GET);
            let pause = pause(response.headers());
            // Without the header a 503 is one that lasts.
            if is_busy
                && (pause.is_some() || status == StatusCode::TOO_MANY_REQUESTS)
                && Instant::now() + pause.unwrap_or(PAUSE) < until
            {
                drop(response);
                sleep(pause.unwrap_or(PAUSE)).await;
                continue;
            }
            return Err(self.refused(response).await);
        }
    }

    /// An answer that is not one of success, with what it says.
    async fn refused(&self, response: Response<Incoming>) -> ClientError {
        let status = response.status();
        let message = if status.is_redirection() {
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            // What the query of an address holds may be secret.
            let to = to.map(|to| to.split(['?', '#']).next().unwrap_or(to).chars().take(200).collect::<String>());
            Some(to.map_or_else(
                || "the server is elsewhere; name its own address".to_owned(),
                |to| format!("it is at {to}; if that is the server, name that address"),
            ))
        } else {
            let body = Answer { response, base: self.base.clone() }.bytes(REFUSAL).await.unwrap_or_default();
            message(&body)
        };
        ClientError::new(&self.base, Kind::Refused { status, message })
    }

    /// One request and the head of its answer. A connection that was closed since the last request is opened again.
    async fn exchange(&self, ask: &Ask) -> Result<Response<Incoming>, ClientError> {
        let mut request = self.request(ask)?;
        if let Some(mut connection) = self.idle()
            && matches!(timeout(IDLE, connection.ready()).await, Ok(Ok(())))
        {
            match timeout(HEAD, connection.try_send_request(request)).await {
                Ok(Ok(response)) => {
                    self.keep(connection);
                    return Ok(response);
                }
                Ok(Err(mut error)) => match error.take_message() {
                    // It was closed before anything of the request was sent.
                    Some(again) => request = again,
                    // A server that closes a connection may not have seen the request; to ask again does no harm.
                    None if ask.method == Method::GET => request = self.request(ask)?,
                    None => return Err(self.error(Kind::Broken(error.into_error()))),
                },
                Err(_) => return Err(self.error(Kind::Late("the answer", HEAD))),
            }
        }
        let mut connection =
            timeout(CONNECT, self.connect()).await.map_err(|_| self.error(Kind::Late("connecting", CONNECT)))??;
        let response = timeout(HEAD, connection.send_request(request))
            .await
            .map_err(|_| self.error(Kind::Late("the answer", HEAD)))?
            .map_err(|error| self.error(Kind::Broken(error)))?;
        self.keep(connection);
        Ok(response)
    }

    /// The connection of the last request; two requests at a time have one each.
    fn idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keep(&self, connection: SendRequest<Full<Bytes>>) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
    }

    fn request(&self, ask: &Ask) -> Result<Request<Full<Bytes>>, ClientError> {
        let unfit =
            |_: hyper::http::Error| self.error(Kind::Unexpected("a request of this form cannot be sent".to_owned()));
        let mut request = Request::builder()
            .method(&ask.method)
            .uri(self.base.path(&ask.path))
            .body(Full::new(ask.body.clone()))
            .map_err(unfit)?;
        let authority = HeaderValue::try_from(self.base.authority())
            .map_err(|_| self.error(Kind::Unexpected("this host cannot be asked".to_owned())))?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, authority);
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("logdrain/", env!("CARGO_PKG_VERSION"))));
        headers.extend(self.headers.clone());
        headers.extend(ask.headers.clone());
        Ok(request)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        let addresses: Vec<_> = tokio::net::lookup_host((self.base.host(), self.base.port()))
            .await
            .map_err(|error| self.error(Kind::Name(error)))?
            .collect();
        if addresses.is_empty() {
            return Err(self.error(Kind::Name(io::Error::other("it has no address"))));
        }
        let stream = TcpStream::connect(&addresses[..]).await.map_err(|error| self.error(Kind::Connect(error)))?;
        // Requests are small and wait for their answers.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return self.handshake(stream).await };
        let name = ServerName::try_from(self.base.host().to_owned())
            .map_err(|_| self.error(Kind::Unexpected("this host can have no certificate".to_owned())))?;
        let stream = tls.connect(name, stream).await.map_err(|error| self.error(Kind::Tls(error)))?;
        self.handshake(stream).await
    }

    async fn handshake(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        let (connection, driver) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.error(Kind::Broken(error)))?;
        // It ends with the connection; what is wrong with that, the request hears.
        tokio::spawn(async move { drop(driver.await) });
        Ok(connection)
    }

    fn error(&self, kind: Kind) -> ClientError {
        ClientError::new(&self.base, kind)
    }
}

impl Answer {
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next piece of the body, or none at its end.
    ///
    /// # Errors
    /// When the connection breaks, or nothing comes for a minute.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let frame = timeout(PIECE, self.response.body_mut().frame())
                .await
                .map_err(|_| self.error(Kind::Late("the next piece of the answer", PIECE)))?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(self.error(Kind::Broken(error))),
                // Trailers are nothing to us.
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        return Ok(Some(piece));
                    }
                }
            }
        }
    }

    /// All of the body, if it has no more than `most` bytes.
    ///
    /// # Errors
    /// As of [`piece`](Self::piece), or when it is longer.
    pub async fn bytes(mut self, most: usize) -> Result<Vec<u8>, ClientError> {
        let mut all = Vec::new();
        while let Some(piece) = self.piece().await? {
            if all.len() + piece.len() > most {
                return Err(self.error(Kind::TooLong(most)));
            }
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// As of [`bytes`](Self::bytes), or when it is something else.
    pub async fn json<T: serde::de::DeserializeOwned>(self, most: usize) -> Result<T, ClientError> {
        let base = self.base.clone();
        let bytes = self.bytes(most).await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            // The text of serde may hold a piece of the answer, which may be secret.
            let what = if error.is_data() { "JSON of another shape" } else { "something that is no JSON" };
            ClientError::new(&base, Kind::Unexpected(format!("answers {what}")))
        })
    }

    /// That it ended before its end.
    pub fn cut(&self) -> ClientError {
        self.error(Kind::Cut)
    }

    /// An error with this answer.
    pub fn unexpected(&self, why: &str) -> ClientError {
        self.error(Kind::Unexpected(why.to_owned()))
    }

    fn error(&self, kind: Kind) -> ClientError {
        ClientError::new(&self.base, kind)
    }
}

/// What `Retry-After` says, in seconds; a date is not read.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    // A client that comes at once makes it worse.
    Some(Duration::from_secs(seconds).max(PAUSE / 10))
}

/// The `message` of an error of the API, or its first line if it is short text.
fn message(body: &[u8]) -> Option<String> {
    let text = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(value) => ["message", "error"].iter().find_map(|key| value.get(key)?.as_str().map(str::to_owned))?,
        Err(_) => std::str::from_utf8(body).ok()?.lines().next()?.to_owned(),
    };
    let text = text.trim();
    // A page of a proxy is not for a terminal.
    (!text.is_empty() && !text.starts_with('<')).then(|| text.chars().take(300).collect())
}
