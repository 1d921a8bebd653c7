//! An answer of `/api/v1`: compact JSON with the status of it, or a file.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use logdrain_terms::json;
use serde::Serialize;
use std::fmt;
use std::io::{self, Write};

/// The most bytes of an answer that was not found by a search.
pub(super) const LONGEST: usize = 4 << 20;
/// Answers that are longer than this are compressed for whoever wants that.
const COMPRESSED: usize = 4 << 10;

/// What somebody is answered. An error is one, too: handlers answer `Result<Answer, Answer>`.
pub struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    content: Content,
}

enum Content {
    /// JSON in memory, to be compressed or not.
    Json(Vec<u8>),
    /// JSON as it goes out, compressed if the head says so.
    Ready(Body),
    /// What is no JSON.
    File(Body),
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Answer {
    /// 200 with a value: of everything that went well, creating and removing too.
    pub fn json(value: &impl Serialize) -> Self {
        match json::bounded(value, LONGEST) {
            Ok(text) => Self::new(StatusCode::OK, Content::Json(text)),
            Err(_) => Self::error(
                StatusCode::BAD_REQUEST,
                format!("the answer would be longer than {} MB: ask for a part of it", LONGEST >> 20),
            ),
        }
    }

    /// 200 with `{"message":"System deleted"}`: some clients compare it, word by word.
    pub fn message(message: &str) -> Self {
        Self::json(&Message { message })
    }

    /// An error with its reason.
    pub fn error(status: StatusCode, message: impl AsRef<str>) -> Self {
        Self { status, ..Self::message(message.as_ref()) }
    }

    pub fn not_found(message: impl AsRef<str>) -> Self {
        Self::error(StatusCode::NOT_FOUND, message)
    }

    pub fn forbidden(message: impl AsRef<str>) -> Self {
        Self::error(StatusCode::FORBIDDEN, message)
    }

    /// 429 or 503, and after how many seconds to come again.
    pub fn later(status: StatusCode, seconds: u64, message: impl AsRef<str>) -> Self {
        Self::error(status, message).with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// There is nothing for it now.
    pub fn busy() -> Self {
        Self::later(StatusCode::SERVICE_UNAVAILABLE, 1, "others are being answered: come again")
    }

    /// JSON that is ready, with what it holds until it is sent.
    pub(super) fn ready(body: Body, is_gzip: bool) -> Self {
        let answer = Self::new(StatusCode::OK, Content::Ready(body));
        if is_gzip { answer.with_header(header::CONTENT_ENCODING, HeaderValue::from_static("gzip")) } else { answer }
    }

    /// A file of so many bytes.
    pub fn file(body: Body, kind: &'static str, len: u64) -> Self {
        Self::new(StatusCode::OK, Content::File(body))
            .with_header(header::CONTENT_TYPE, HeaderValue::from_static(kind))
            .with_header(header::CONTENT_LENGTH, HeaderValue::from(len))
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The connection ends with it: what is left of the request is not read.
    pub(super) fn closing(self) -> Self {
        self.with_header(header::CONNECTION, HeaderValue::from_static("close"))
    }

    fn new(status: StatusCode, content: Content) -> Self {
        Self { status, headers: Vec::new(), content }
    }

    #[cfg(test)]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// How long it is in memory, as far as nobody has counted that yet.
    pub(super) fn len(&self) -> usize {
        match &self.content {
            Content::Json(text) => text.len(),
            Content::Ready(_) | Content::File(_) => 0,
        }
    }

    /// The response to whoever takes gzip or does not. `in_body` makes a body of the text of a JSON.
    pub(super) fn into_response(self, takes_gzip: bool, in_body: impl FnOnce(Bytes) -> Body) -> Response {
        let Self { status, headers, content } = self;
        let mut headers = HeaderMap::from_iter(headers);
        let is_json = !matches!(content, Content::File(_));
        let body = match content {
            Content::Json(text) if takes_gzip && text.len() > COMPRESSED => {
                let zipped = gzip(&text).unwrap_or_default();
                // What cannot be compressed goes out as it is.
                if zipped.is_empty() || zipped.len() >= text.len() {
                    in_body(text.into())
                } else {
                    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                    in_body(zipped.into())
                }
            }
            Content::Json(text) => in_body(text.into()),
            Content::Ready(body) | Content::File(body) => body,
        };
        if is_json {
            let kind = HeaderValue::from_static("application/json; charset=utf-8");
            headers.entry(header::CONTENT_TYPE).or_insert(kind);
            headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// The text of a JSON, for tests of handlers.
    /// Why it is an error, in words.
    pub(super) fn reason(&self) -> (StatusCode, String) {
        let said = match &self.content {
            Content::Json(text) => serde_json::from_slice::<serde_json::Value>(text).ok(),
            Content::Ready(_) | Content::File(_) => None,
        };
        let message = said.as_ref().and_then(|said| said.get("message")?.as_str()).unwrap_or("it was not done");
        (self.status, message.to_owned())
    }

    #[cfg(test)]
    pub fn text(&self) -> &str {
        match &self.content {
            Content::Json(text) => std::str::from_utf8(text).unwrap(),
            Content::Ready(_) | Content::File(_) => "",
        }
    }
}

#[derive(Serialize)]
struct Message<'a> {
    message: &'a str,
}

fn gzip(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(text)?;
    zip.finish()
}

/// Whether a client takes gzip: `gzip;q=1.0,deflate;q=0.6`, and not `gzip;q=0`. RFC 9110, 12.5.3.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let mut takes_any = false;
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        for part in value.to_str().unwrap_or_default().split(',') {
            let mut words = part.split(';').map(str::trim);
            let name = words.next().unwrap_or_default().to_ascii_lowercase();
            let weight = words.find_map(|word| word.strip_prefix("q=")).map_or(Some(1.0), |q| q.trim().parse().ok());
            let is_taken = weight.is_some_and(|weight: f64| weight > 0.0);
            match name.as_str() {
                "gzip" | "x-gzip" => return is_taken,
                "*" => takes_any = is_taken,
                _ => {}
            }
        }
    }
    takes_any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_compact_and_errors_have_a_message() {
        let value = serde_json::json!([{"filename": "2026-11-28-07.tsv.gz", "filesize": "7"}]);
        assert_eq!(Answer::json(&value).text(), r#"[{"filename":"2026-11-28-07.tsv.gz","filesize":"7"}]"#);
        assert_eq!(Answer::message("System deleted").text(), r#"{"message":"System deleted"}"#);
        let answer = Answer::not_found("no \"such\"\u{7} thing");
        assert_eq!(
            (answer.status(), answer.text()),
            (StatusCode::NOT_FOUND, r#"{"message":"no \"such\"\u0007 thing"}"#)
        );
        let long = Answer::json(&"x".repeat(LONGEST));
        assert!(long.status() == StatusCode::BAD_REQUEST && long.text().contains("longer"), "{}", long.text());
    }

    #[test]
    fn gzip_is_for_who_asks() {
        for (says, takes) in [
            ("gzip", true),
            ("gzip;q=1.0,deflate;q=0.6,identity;q=0.3", true),
            ("deflate, GZIP ; q=0.5", true),
            ("br, x-gzip", true),
            ("*", true),
            ("gzip;q=0, *", false),
            ("gzip;q=zero", false),
            ("identity", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(says))]);
            assert_eq!(takes_gzip(&headers), takes, "{says}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
