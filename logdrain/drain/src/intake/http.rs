//! The drain: `POST /logs`, and what a supervisor asks.
//!
//! Logplex drops a batch at any 4xx but 429 and tries again at anything else, so a 4xx is said only where trying again
//! cannot help: wrong credentials, a body above the limit, another path or method.

use super::connections::Peer;
use super::credentials::called;
use super::parameters::Parameters;
use super::recorded::{self, Known};
use super::{Intake, body};
use crate::counters::Refused;
use crate::drain_name::DrainName;
use crate::event::{Body, DeliveryKey, Layout};
use crate::journal::{Answer, Message};
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use heroku_metrics::syslog::{Delivery, DeliveryId};
use hyper::body::Body as _;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::TrySendError;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// When a sender that was told 503 may come again.
const RETRY_AFTER_SECONDS: u16 = 1;

/// The paths of senders and supervisors.
pub fn router() -> Router<Arc<Intake>> {
    Router::new().route("/logs", post(logs)).route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready))
}

/// What is at no path of ours. A drain's URL with a slash too many is a drain's URL; any other delivery is dropped by
/// Logplex, so that somebody should hear of it.
pub async fn other(
    State(intake): State<Arc<Intake>>,
    Extension(peer): Extension<Arc<Peer>>,
    request: Request,
) -> Response {
    let is_delivery = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    let path = request.uri().path();
    let is_logs = path.trim_matches('/') == "logs";
    if is_logs && request.method() == Method::POST {
        return logs(State(intake), Extension(peer), request).await;
    }
    if is_delivery {
        intake.counters.refuse(Refused::OtherPath);
        intake.other_path.add(Some(peer.address), None);
    }
    match path {
        _ if is_logs => {
            (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")], "deliveries come by POST\n").into_response()
        }
        "/" | "/status" | "/metrics" | "/healthz" | "/readyz" | "/events" | "/api/v2/tail" | "/login" => {
            (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")], "deliveries go to /logs\n").into_response()
        }
        "/v1/measurements" | "/v1/metrics" => {
            (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")], "measurements come by POST\n").into_response()
        }
        "/logout" => {
            (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")], "deliveries go to /logs\n").into_response()
        }
        _ => (StatusCode::NOT_FOUND, "deliveries go to /logs\n").into_response(),
    }
}

/// Tries credentials. Wrong ones are counted, told of, and answered later and later. Where nobody can tell whether they are
/// wrong, they are slowed as if they were, and refused for now: Logplex drops what is refused for good.
async fn guarded<T>(
    intake: &Intake,
    peer: &Peer,
    authorization: Option<&[u8]>,
    check: impl FnOnce() -> Result<T, Refused>,
) -> Result<T, Refused> {
    let (all, user) = called(authorization);
    if !intake.guesses.may_try(peer.address, &all) {
        if intake.remembers() {
            return Err(Refused::CannotStore);
        }
        intake.counters.refuse(Refused::Guessing);
        return Err(Refused::Guessing);
    }
    match check() {
        Err(Refused::Credentials) if intake.remembers() => {
            if authorization.is_some() {
                let wait = intake.guesses.wrong(peer.address, user);
                tokio::time::sleep(wait.time).await;
            }
            Err(Refused::CannotStore)
        }
        Err(Refused::Credentials) => {
            intake.refuse_credentials(peer.address);
            // A browser asks without any at first: that is no guess.
            if authorization.is_some() {
                let wait = intake.guesses.wrong(peer.address, user);
                tokio::time::sleep(wait.time).await;
            }
            Err(Refused::Credentials)
        }
        outcome => {
            intake.guesses.good(peer.address, &all);
            outcome
        }
    }
}

/// Whether a `Host` is a name that only this machine has: what a page elsewhere calls itself never is.
pub fn is_loopback(host: Option<&HeaderValue>) -> bool {
    let Some(host) = host.and_then(|host| host.to_str().ok()).and_then(|host| host.parse::<Authority>().ok()) else {
        return false;
    };
    let name = host.host();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a page in a browser sent it: one elsewhere may send to this machine, and with a form it may do so unasked.
pub fn is_from_browser(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
    let kind = text(header::CONTENT_TYPE);
    let is = |form: &[u8]| {
        kind.get(..form.len()).is_some_and(|start| start.eq_ignore_ascii_case(form))
            && kind.get(form.len()).is_none_or(|next| matches!(next, b';' | b' ' | b'\t' | b','))
    };
    // curl says that it sends a form, too, and who it is.
    let agent = text(header::USER_AGENT);
    let is_tool = !agent.is_empty() && !agent.windows(7).any(|part| part.eq_ignore_ascii_case(b"mozilla"));
    headers.contains_key(header::ORIGIN)
        || headers.contains_key("sec-fetch-site")
        || is(b"text/plain")
        || is(b"multipart/form-data")
        || (is(b"application/x-www-form-urlencoded") && !is_tool)
}

async fn ready(State(intake): State<Arc<Intake>>) -> Response {
    let spooled = &intake.progress.spooled;
    if intake.is_ready() && spooled.is_in_use() {
        let waiting = spooled.deliveries.load(Ordering::Relaxed);
        let how = if intake.remembers() {
            "has been away since before the start: this node goes by what it knew in its last life"
        } else {
            "is away or was"
        };
        format!("ready: the database {how}, and {waiting} deliveries wait for it in the spool\n").into_response()
    } else if intake.is_ready() {
        "ready\n".into_response()
    } else if spooled.is_away.load(Ordering::Relaxed) && spooled.is_full.load(Ordering::Relaxed) {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: the database is away, and the spool is full\n").into_response()
    } else if let Some(trouble) = intake.progress.trouble() {
        (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {trouble}\n")).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: the journal is being read, or cannot be written\n")
            .into_response()
    }
}

async fn logs(State(intake): State<Arc<Intake>>, Extension(peer): Extension<Arc<Peer>>, request: Request) -> Response {
    let began = Instant::now();
    let deadline = began + intake.limits.answer_within;
    let has_body = !request.body().is_end_stream();
    let response = match take(&intake, &peer, request, deadline).await {
        Ok(answer) => {
            let counted = if answer == Answer::Duplicate { &intake.counters.duplicates } else { &intake.counters.kept };
            counted.add(1);
            peer.was_good();
            StatusCode::NO_CONTENT.into_response()
        }
        Err(why) => {
            // Those two are counted where they are met.
            if !matches!(why, Refused::Credentials | Refused::Guessing) {
                intake.counters.refuse(why);
            }
            let is_unread =
                has_body && matches!(why, Refused::Credentials | Refused::Guessing | Refused::Token | Refused::Browser);
            // The body is not waited for, so nothing can follow it.
            if is_unread { (close(), refusal(why)).into_response() } else { refusal(why) }
        }
    };
    // Who guesses is made to wait, and says nothing of how fast answers are.
    if response.status() != StatusCode::UNAUTHORIZED {
        intake.counters.answers.record(began.elapsed());
    }
    response
}

/// Takes one delivery as far as the disk.
async fn take(intake: &Arc<Intake>, peer: &Peer, request: Request, deadline: Instant) -> Result<Answer, Refused> {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    let delivery = described(headers);
    let authorization = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    // What is left of the body is not read: the connection ends with the answer, unless the body is there already.
    let access = intake.access();
    if access.is_open() && is_from_browser(headers) {
        intake.from_browser.add(Some(peer.address), None);
        return Err(Refused::Browser);
    }
    let key = || access.drain_key(authorization, delivery.drain_token());
    let drain = guarded(intake, peer, authorization, key).await?;
    let parameters = Parameters::read(head.uri.query().unwrap_or_default());
    intake.counters.unknown_parameters.add(parameters.unknown);
    if !access.is_open() {
        peer.is_of(DrainName::of(&drain).configured());
    }
    let Some(queue) = intake.queue_of(&drain) else { return Err(Refused::CannotStore) };
    // Half of the time for the body: the disk needs some, too.
    let for_body = deadline - intake.limits.answer_within / 4;
    let body = body::read(body, intake, for_body).await?;
    let body = if is_gzip(headers) { body::gunzip(body, intake, for_body).await? } else { body };
    if let Some(app) = parameters.app {
        intake.call_app(&drain, &app)?;
    }
    let key = Some(key_of(&drain, &delivery, &body));
    let octets = body.bytes().len() as u64;
    let known = Known { drain, msg_count: delivery.msg_count(), peer: peer.address, layout: Layout::Counted };
    let record = recorded::record(intake, known, body, for_body).await?;
    let (answer, answered) = oneshot::channel();
    match queue.try_send(Message::Delivery { key, record, answer }) {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => return Err(Refused::Queue),
        Err(TrySendError::Disconnected(_)) => return Err(Refused::Stopping),
    }
    drop(queue);
    match timeout_at(deadline, answered).await {
        Ok(Ok(Answer::Kept)) => {
            intake.counters.octets.add(octets);
            Ok(Answer::Kept)
        }
        Ok(Ok(Answer::Duplicate)) => Ok(Answer::Duplicate),
        Ok(Ok(Answer::CannotStore)) => Err(Refused::CannotStore),
        Ok(Ok(Answer::TooManyDrains | Answer::Unknown)) => Err(Refused::TooManyDrains),
        // The thread that writes has gone.
        Ok(Err(_)) => Err(Refused::Stopping),
        // It may be kept all the same: its retry is a duplicate then.
        Err(_) => Err(Refused::SlowStore),
    }
}

/// The headers that say what a delivery is.
fn described(headers: &HeaderMap) -> Delivery<'_> {
    let all = ["Logplex-Msg-Count", "Logplex-Frame-Id", "Logplex-Drain-Token", "X-Request-Id"];
    all.into_iter().fold(Delivery::new(b""), |delivery, name| match headers.get(name) {
        Some(value) => delivery.with_header(name, value.as_bytes()),
        None => delivery,
    })
}

pub(super) fn is_gzip(headers: &HeaderMap) -> bool {
    let coding = headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes).unwrap_or_default().trim_ascii();
    coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip")
}

/// By the id of the batch, the same on every retry of it; else by that of the request; else by the body.
fn key_of(drain: &str, delivery: &Delivery<'_>, body: &Body) -> DeliveryKey {
    let (kind, id) = match delivery.id() {
        Some(DeliveryId::Frame(id)) => (b'f', id.as_bytes()),
        Some(DeliveryId::Request(id)) => (b'r', id.as_bytes()),
        _ => (b'b', body.bytes()),
    };
    key_by(drain, kind, id)
}

/// By what kind of name it is known, and the name.
pub(super) fn key_by(drain: &str, kind: u8, id: &[u8]) -> DeliveryKey {
    let mut digest = Sha256::new();
    digest.update((drain.len() as u64).to_le_bytes());
    digest.update(drain);
    digest.update([kind]);
    digest.update(id);
    let digest: [u8; 32] = digest.finalize().into();
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    DeliveryKey(key)
}

pub fn refusal(why: Refused) -> Response {
    match why {
        Refused::Credentials => {
            let challenge = [(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"logdrain\""))];
            (StatusCode::UNAUTHORIZED, challenge, "wrong credentials, or a drain token that is not theirs\n")
                .into_response()
        }
        Refused::Token => {
            (StatusCode::BAD_REQUEST, "the drain token is none that Logplex sends: 64 bytes at most, without a slash\n")
                .into_response()
        }
        Refused::OtherPath => (StatusCode::NOT_FOUND, "deliveries go to /logs\n").into_response(),
        Refused::Browser => (
            StatusCode::FORBIDDEN,
            "without credentials this server is not for pages in a browser: ask it by a loopback name, and send as \
             application/logplex-1\n",
        )
            .into_response(),
        Refused::Guessing => {
            let again = [(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS))];
            let why = "too many wrong credentials come from that address\n";
            (close(), (StatusCode::TOO_MANY_REQUESTS, again, why)).into_response()
        }
        Refused::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, close(), "the body is above the limit\n").into_response(),
        Refused::Memory | Refused::Queue => unavailable("more comes in than can be taken now\n"),
        Refused::SlowBody => (close(), unavailable("the body did not come in time\n")).into_response(),
        Refused::SlowStore => unavailable("the store is slow\n"),
        Refused::CannotStore => unavailable("deliveries cannot be stored now\n"),
        Refused::TooManyDrains => unavailable("there is no room for another drain\n"),
        Refused::Stopping => (close(), unavailable("the server is stopping\n")).into_response(),
    }
}

fn close() -> [(header::HeaderName, HeaderValue); 1] {
    [(header::CONNECTION, HeaderValue::from_static("close"))]
}

pub fn unavailable(why: &'static str) -> Response {
    let again = [(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS))];
    (StatusCode::SERVICE_UNAVAILABLE, again, why).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for (host, is) in [
            ("localhost", true),
            ("LOCALHOST:8514", true),
            ("127.0.0.1:8514", true),
            ("127.9.9.9", true),
            ("[::1]:8514", true),
            ("[::1]", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("192.0.2.1", false),
            ("[2001:db8::1]", false),
            ("localhost@evil.example", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(Some(&HeaderValue::from_str(host).unwrap())), is, "{host}");
        }
        assert!(!is_loopback(None));
    }

    #[test]
    fn what_pages_send_is_told_from_what_senders_send() {
        for (headers, is) in [
            (&[("origin", "https://evil.example")][..], true),
            (&[("origin", "null")], true),
            (&[("content-type", "text/plain")], true),
            (&[("content-type", "Text/Plain;charset=UTF-8")], true),
            (&[("content-type", "multipart/form-data; boundary=x")], true),
            (&[("content-type", "application/x-www-form-urlencoded")], true),
            (&[("content-type", "application/x-www-form-urlencoded"), ("user-agent", "Mozilla/5.0 (X11)")], true),
            (&[("content-type", "application/x-www-form-urlencoded"), ("user-agent", "curl/8.5.0")], false),
            (&[("content-type", "application/logplex-1"), ("user-agent", "Logplex/v72")], false),
            (&[("content-type", "text/plainer")], false),
            (&[], false),
        ] {
            let mut all = HeaderMap::new();
            for (name, value) in headers {
                all.insert(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_from_browser(&all), is, "{headers:?}");
        }
    }
}
