//! What went wrong, in the one shape that `/api/v2` has for it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use logdrain_drain::alerts::outbox::OutboxError;
use serde_json::json;

/// The longest sentence: some quote what was sent.
const SENTENCE: usize = 600;

/// Why nothing came of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if let Some((end, _)) = message.char_indices().find(|(at, _)| *at >= SENTENCE) {
            message.truncate(end);
            message.push('…');
        }
        Self { status, message }
    }

    /// It cannot be as it is.
    pub(super) fn wrong(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// It is not there, or not for whoever asks.
    pub(super) fn nothing(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// Not for whoever asks.
    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// The same may succeed in a moment.
    pub(super) fn later(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    pub(super) fn busy() -> Self {
        Self::later("others are being answered: come again")
    }
}

impl From<OutboxError> for Problem {
    fn from(error: OutboxError) -> Self {
        // What it says of files is for the log.
        tracing::warn!(%error, "messages of alerts cannot be read");
        Self::later("what alerts told cannot be read now")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let may_retry = matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        let body = json!({ "message": self.message, "retry": may_retry }).to_string();
        let mut response = (self.status, super::KIND, body).into_response();
        if may_retry {
            // Who did too much has some of it again in a few seconds.
            let seconds = if self.status == StatusCode::TOO_MANY_REQUESTS { "10" } else { "1" };
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_bounded_and_what_may_be_tried_again_says_so() {
        let long = Problem::wrong("é".repeat(10_000));
        assert!(long.message.len() < SENTENCE + 10 && long.message.ends_with('…'));
        assert!(Problem::later("x").into_response().headers().contains_key("retry-after"));
        assert!(!Problem::wrong("x").into_response().headers().contains_key("retry-after"));
    }
}
