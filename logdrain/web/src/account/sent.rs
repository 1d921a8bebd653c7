//! A form that was sent, by whom, and the ways to what does it.

use super::Rooms;
use super::form::Form;
pub(super) use super::form::Refused;
use crate::access::Viewer;
use crate::{v1, v2};
use axum::http::{HeaderMap, Method, StatusCode};
use maud::Markup;
use serde_json::Value;

/// What came of a form.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is done; what an address says about it.
    Done(&'static str),
    /// Something is to be read first, or only once.
    Told(Markup),
}

/// Who sent which form.
pub(super) struct Sent<'a> {
    pub(super) rooms: &'a Rooms,
    pub(super) viewer: &'a Viewer,
    pub(super) headers: &'a HeaderMap,
    pub(super) form: &'a Form,
}

impl Sent<'_> {
    /// Asks `/api/v2`, by a path behind it.
    pub(super) async fn v2(&self, method: Method, path: &str, body: Value) -> Result<Value, Refused> {
        v2::act(&self.rooms.v2, self.viewer.clone(), self.headers, (method, path), body).await
    }

    /// Hands the form to `/api/v1`, whose names its fields have.
    pub(super) async fn v1(&self, method: v1::Method, path: &str) -> Result<(), Refused> {
        v1::act(&self.rooms.site, self.viewer, (method, path), self.form.body()).await
    }

    pub(super) fn number(&self, name: &str) -> Result<u32, Refused> {
        self.form.number(name).ok_or_else(|| (StatusCode::BAD_REQUEST, format!("{name} is missing")))
    }
}
