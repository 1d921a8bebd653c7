//! The drain: `POST /logs`, and what a supervisor asks.
//!
//! Logplex drops a batch at any 4xx but 429 and tries again at anything else, so a 4xx is said only where trying again
//! cannot help: wrong credentials, a body above the limit, another path or method.

use super::{Intake, body};
use crate::serve::answers::Answers;
use crate::serve::counters::Refused;
use crate::serve::event::{Body, DeliveryKey, Record};
use crate::serve::journal::{self, Answer, Message};
use crate::serve::page;
use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use heroku_metrics::syslog::{Delivery, DeliveryHeader, DeliveryId};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::mpsc::TrySendError;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// When a sender that was told 503 may come again.
const RETRY_AFTER_SECONDS: u16 = 1;

type Shared = (Arc<Intake>, Arc<Answers>);

pub(crate) fn router(intake: Arc<Intake>, answers: Arc<Answers>) -> Router {
    Router::new()
        .route("/logs", post(logs))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(numbers))
        .route("/", get(status))
        .with_state((intake, answers))
}

async fn status(State((intake, answers)): State<Shared>, query: RawQuery, headers: HeaderMap) -> Response {
    if !intake.access().may_watch(headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes)) {
        return refusal(Refused::Credentials);
    }
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, page::POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    match answers.page(&intake, query.0.unwrap_or_default()).await {
        Some(page) => (headers, page).into_response(),
        None => unavailable("others are being answered: come again\n"),
    }
}

async fn numbers(State((intake, answers)): State<Shared>, headers: HeaderMap) -> Response {
    if !intake.access().may_watch(headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes)) {
        return refusal(Refused::Credentials);
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    match answers.metrics(&intake).await {
        Some(text) => (kind, text).into_response(),
        None => unavailable("others are being answered: come again\n"),
    }
}

async fn ready(State((intake, _)): State<Shared>) -> Response {
    if intake.is_ready() {
        "ready\n".into_response()
    } else if let Some(trouble) = intake.progress.time.trouble() {
        (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {trouble}\n")).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: the journal is being read, or cannot be written\n")
            .into_response()
    }
}

async fn logs(State((intake, _)): State<Shared>, request: Request) -> Response {
    let began = Instant::now();
    let deadline = began + intake.limits.answer_within;
    let response = match take(&intake, request, deadline).await {
        Ok(answer) => {
            let counted = if answer == Answer::Duplicate { &intake.counters.duplicates } else { &intake.counters.kept };
            counted.add(1);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(why) => {
            intake.counters.refuse(why);
            refusal(why)
        }
    };
    intake.counters.answers.record(began.elapsed());
    response
}

/// Takes one delivery as far as the disk.
async fn take(intake: &Arc<Intake>, request: Request, deadline: Instant) -> Result<Answer, Refused> {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    let delivery = described(headers);
    let authorization = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    // What is left of the body is not read: the connection ends with the answer, unless the body is there already.
    let drain = intake.access().drain_key(authorization, delivery.drain_token())?;
    let Some(queue) = intake.queue() else { return Err(Refused::CannotStore) };
    // Half of the time for the body: the disk needs some, too.
    let body = body::read(body, intake, deadline - intake.limits.answer_within / 4).await?;
    let body = if is_gzip(headers) { body::gunzip(body, intake).await? } else { body };
    let key = Some(key_of(&drain, &delivery, &body));
    let octets = body.bytes().len() as u64;
    let record = Record { drain, received: journal::now(), msg_count: delivery.msg_count(), body };
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
        Ok(Ok(Answer::TooManyDrains)) => Err(Refused::TooManyDrains),
        // The thread that writes has gone.
        Ok(Err(_)) => Err(Refused::Stopping),
        // It may be kept all the same: its retry is a duplicate then.
        Err(_) => Err(Refused::SlowStore),
    }
}

/// The headers that say what a delivery is.
fn described(headers: &HeaderMap) -> Delivery<'_> {
    let all =
        [DeliveryHeader::MsgCount, DeliveryHeader::FrameId, DeliveryHeader::DrainToken, DeliveryHeader::RequestId];
    all.into_iter().fold(Delivery::new(b""), |delivery, header| match headers.get(header.name()) {
        Some(value) => delivery.with_header(header.name(), value.as_bytes()),
        None => delivery,
    })
}

fn is_gzip(headers: &HeaderMap) -> bool {
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

fn refusal(why: Refused) -> Response {
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

fn unavailable(why: &'static str) -> Response {
    let again = [(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS))];
    (StatusCode::SERVICE_UNAVAILABLE, again, why).into_response()
}
