//! What a form sent.

use crate::access::Viewer;
use crate::bodies::{Sent, Unread};
use crate::site::Site;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use std::time::Duration;

/// The most bytes of a form, and how long it may take to come.
const LONGEST: usize = 32 << 10;
const PATIENCE: Duration = Duration::from_secs(10);

/// Why what it asks for was not done.
pub(super) type Refused = (StatusCode, String);

#[derive(Debug)]
pub(super) struct Form {
    body: Sent,
    fields: Vec<(String, String)>,
}

impl Form {
    /// `None` for what is too long, comes too slowly, or is no form.
    ///
    /// # Errors
    /// When many forms come just now.
    pub(super) async fn read(
        site: &Site,
        viewer: &Viewer,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Option<Self>, Refused> {
        let kind = headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes()).unwrap_or_default();
        if !kind.starts_with(b"application/x-www-form-urlencoded") {
            return Ok(None);
        }
        let body = match site.bodies.read(&site.intake, viewer.counts_as(), body, (LONGEST, PATIENCE)).await {
            Ok(body) => body,
            Err(Unread::Busy) => {
                return Err((
                    StatusCode::SERVICE_UNAVAILABLE,
                    "many forms come just now: send it once more".to_owned(),
                ));
            }
            Err(Unread::TooLong | Unread::Slow) => return Ok(None),
        };
        let fields =
            form_urlencoded::parse(&body).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        Ok(Some(Self { body, fields }))
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
