//! `POST /v1/measurements` and `POST /v1/metrics`: what programs measured themselves, as clients of Librato and AppOptics send
//! it.
//!
//! ```text
//! request -> of OpenTelemetry? -> who sends -> body (1 MB) -> what it says -> the journal -> 202
//! ```
//!
//! A body is taken whole or not at all. It is answered when it is on the disk. What may succeed later is a 503 alone: these
//! clients send again after any 5xx, some without end.

use super::Refusal;
use super::given::{self, Times, Unfit};
use crate::access;
use crate::v2::{Api, KIND, PATIENCE};
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use logdrain_drain::counters::Refused;
use logdrain_drain::intake::connections::Peer;
use logdrain_drain::intake::{MEASURED_BODY, Retry};
use logdrain_drain::journal;
use serde_json::json;
use std::sync::Arc;

/// Whoever exports metrics of OpenTelemetry to a host sends them to `/v1/metrics`.
const OTLP: &str = "metrics of OpenTelemetry are not taken here: this path is Librato's. Export them to a collector, or set \
                    OTEL_METRICS_EXPORTER=none; this server itself can send its rows by OTLP to a collector (serve --otlp)";
/// `google.rpc.Code`: UNIMPLEMENTED.
const UNIMPLEMENTED: u8 = 12;

pub(in crate::v2) async fn take(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Arc<Peer>>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let kind = kind(&head.headers);
    // It has no credentials of ours, and to be told of those would lead nobody anywhere.
    if matches!(kind.as_str(), "application/x-protobuf" | "application/protobuf") {
        return (closing(), otlp(true)).into_response();
    }
    match taken(&api, &peer, &head, &kind, body).await {
        Ok(response) => response,
        Err(Problem::Refused(refusal)) => refusal.into_response(),
        Err(Problem::Unread(refusal)) => (closing(), refusal.into_response()).into_response(),
        Err(Problem::Otlp) => otlp(false),
    }
}

/// Why nothing was taken.
enum Problem {
    Refused(Refusal),
    /// The body is not waited for, so nothing can follow it.
    Unread(Refusal),
    Otlp,
}

async fn taken(
    api: &Arc<Api>,
    peer: &Peer,
    head: &Parts,
    kind: &str,
    body: axum::body::Body,
) -> Result<Response, Problem> {
    let intake = &api.site.intake;
    let viewer = access::viewer(&api.site, peer, &head.headers, access::Way::ApiV1).await;
    let viewer = viewer.map_err(|denied| Problem::Unread(denied.into()))?;
    if !viewer.may_record() {
        let refusal = Refusal::request(StatusCode::FORBIDDEN, "this token may not write: it takes one that may record");
        return Err(Problem::Unread(refusal));
    }
    let refused = |why: Refused| {
        intake.counters.refuse(why);
        match why {
            Refused::TooLarge | Refused::SlowBody | Refused::Memory => Problem::Unread(refusal(why)),
            why => Problem::Refused(refusal(why)),
        }
    };
    let body = intake.measured_body(&head.headers, body).await.map_err(refused)?;
    // Few are read at a time: what a body becomes takes more memory than it does.
    let busy = || Problem::Refused(Refusal::system("others are being answered: come again"));
    let place = api.places.take(&viewer.account, 1, PATIENCE).await.ok_or_else(busy)?;
    let times = Times {
        now: intake.progress.time.believed().unwrap_or_else(|| journal::now().unix_micros()),
        horizon: i64::try_from(intake.settings().horizon_ms.saturating_mul(1_000)).unwrap_or(i64::MAX),
    };
    let kind = kind.to_owned();
    let read = tokio::task::spawn_blocking(move || (given::read(&kind, body.bytes(), times), body)).await;
    let (given, body) = read.map_err(|_| busy())?;
    let given = given.map_err(|unfit| match unfit {
        Unfit::Otlp => Problem::Otlp,
        Unfit::Shape(why) => Problem::Refused(Refusal::request(StatusCode::BAD_REQUEST, &why)),
        Unfit::Parameters(what) => {
            Problem::Refused(Refusal(StatusCode::UNPROCESSABLE_ENTITY, json!({ "errors": { "params": what } })))
        }
    })?;
    let id = ["idempotency-key", "x-request-id"].iter().find_map(|name| head.headers.get(*name));
    let retry = match id {
        Some(id) => Retry::Id(id.as_bytes()),
        None if given.is_timed => Retry::Body(body.bytes()),
        None => Retry::Unknown,
    };
    intake.keep_measured(peer, &viewer.account, &given.all, retry).await.map_err(refused)?;
    drop(place);
    if head.uri.path().ends_with("/metrics") {
        return Ok((StatusCode::OK, KIND, "{}").into_response());
    }
    let count = given.all.len();
    let summary = json!({ "total": count, "accepted": count, "failed": 0, "filtered": 0 });
    let said = json!({ "measurements": { "summary": summary } }).to_string();
    Ok((StatusCode::ACCEPTED, KIND, said).into_response())
}

fn refusal(why: Refused) -> Refusal {
    match why {
        Refused::TooLarge => {
            let why = format!("the body is above {} kB: send less at a time", MEASURED_BODY >> 10);
            Refusal::request(StatusCode::PAYLOAD_TOO_LARGE, &why)
        }
        // It is not over in a moment, and nobody should try without end.
        Refused::TooManyDrains => Refusal::request(
            StatusCode::FORBIDDEN,
            "there is no place for measurements beside the drains: whoever runs this server can raise max_drains",
        ),
        Refused::SlowBody => Refusal::system("the body did not come in time"),
        Refused::Stopping => Refusal::system("the server is stopping"),
        _ => Refusal::system("more comes in than can be stored now"),
    }
}

/// The type of a body, in small letters and without what stands behind it.
fn kind(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn closing() -> [(header::HeaderName, HeaderValue); 1] {
    [(header::CONNECTION, HeaderValue::from_static("close"))]
}

/// A `google.rpc.Status`, which exporters print: they send nothing again after it.
fn otlp(is_protobuf: bool) -> Response {
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    if !is_protobuf {
        return (status, KIND, json!({ "code": UNIMPLEMENTED, "message": OTLP }).to_string()).into_response();
    }
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"))];
    (status, kind, status_message(UNIMPLEMENTED, OTLP)).into_response()
}

/// `message Status { int32 code = 1; string message = 2; }`
fn status_message(code: u8, message: &str) -> Vec<u8> {
    let mut bytes = vec![1 << 3, code, 2 << 3 | 2];
    let mut len = message.len();
    while len >= 0x80 {
        bytes.push((len & 0x7f) as u8 | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    bytes.extend_from_slice(message.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exporters_of_opentelemetry_can_read_what_they_are_told() {
        assert_eq!(status_message(12, "ab"), b"\x08\x0c\x12\x02ab");
        let long = "x".repeat(300);
        assert_eq!(&status_message(12, &long)[..5], b"\x08\x0c\x12\xac\x02");
        assert_eq!(status_message(12, &long).len(), 305);
    }
}
