//! Pages of other servers, in a browser.
//!
//! They may ask with a token that they have, and with nothing else: no cookie counts here. Where reading is open to this
//! machine, they get nothing, for the browser would ask in the name of whoever sits before it.

use axum::http::{HeaderMap, HeaderValue, header};

/// What a browser is told before it asks. It is the same for every path, there or not.
pub(super) fn before(headers: &mut HeaderMap) {
    allow(headers);
    headers
        .insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("X-Papertrail-Token, Authorization, Content-Type"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
}

/// What lets a page read the answer.
pub(super) fn allow(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "X-Rate-Limit-Limit, X-Rate-Limit-Remaining, X-Rate-Limit-Reset, X-Query-Notes, Retry-After",
        ),
    );
}
