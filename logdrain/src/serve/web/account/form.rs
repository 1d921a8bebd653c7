//! What a form sent.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, header};
use hyper::body::Bytes;
use std::time::Duration;

/// The most bytes of a form, and how long it may take to come.
const LONGEST: usize = 32 << 10;
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Form {
    body: Bytes,
    fields: Vec<(String, String)>,
}

impl Form {
    /// `None` for what is too long, comes too slowly, or is no form.
    pub(super) async fn read(headers: &HeaderMap, body: Body) -> Option<Self> {
        let kind = headers.get(header::CONTENT_TYPE)?;
        if !kind.as_bytes().starts_with(b"application/x-www-form-urlencoded") {
            return None;
        }
        let body = tokio::time::timeout(PATIENCE, to_bytes(body, LONGEST)).await.ok()?.ok()?;
        let fields =
            form_urlencoded::parse(&body).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        Some(Self { body, fields })
    }

    /// As it came.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// What was typed, without the blanks around it.
    pub(super) fn typed(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default().trim()
    }

    /// All values of a name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Whether a box is ticked.
    pub(super) fn is_ticked(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.text(name)?.parse().ok()
    }
}
