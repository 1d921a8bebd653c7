//! What a form sent, and whether it is one of ours.

use super::board::Refused;
use crate::access::{Viewer, is_same_origin};
use crate::bodies::{LONGEST, Sent, Unread};
use crate::site::Site;
use axum::body::Body;
use axum::http::{HeaderMap, header};
use std::collections::BTreeMap;
use std::time::Duration;

/// A dashboard as JSON may take three bytes for each of its own, which [`LONGEST`] is enough for.
const FIELDS: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(10);

/// The fields of a form, with what is held for it. The last of a name counts.
#[derive(Clone, Default, Debug)]
pub(crate) struct Form {
    fields: BTreeMap<String, String>,
    _held: Sent,
}

impl Form {
    /// Reads a form that was made for the session of whoever sends it.
    ///
    /// # Errors
    /// When it is not, is too long, or comes too slowly.
    pub(crate) async fn read(site: &Site, viewer: &Viewer, headers: &HeaderMap, body: Body) -> Result<Self, Refused> {
        let too_old = || Refused::wrong("the form was too old, or not of a page of ours: load it again");
        let is_form = headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        if !is_form || !is_same_origin(site, headers) {
            return Err(too_old());
        }
        let sent = site.bodies.read(&site.intake, viewer.counts_as(), body, (LONGEST, PATIENCE)).await;
        let sent = sent.map_err(|unread| match unread {
            Unread::TooLong => Refused::wrong(format!("the form has more than {LONGEST} bytes")),
            Unread::Slow => Refused::wrong("the form did not come in time"),
            Unread::Busy => Refused::busy(),
        })?;
        let form = Self { _held: sent.clone(), ..Self::of(&sent) };
        if viewer.is_form(form.get("form")) { Ok(form) } else { Err(too_old()) }
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        let fields = form_urlencoded::parse(bytes).take(FIELDS);
        let fields = fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        Self { fields, _held: Sent::default() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// The names of all fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// What stands in a field, without blanks around it; nothing is as good as none.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// A number, if one stands there.
    ///
    /// # Errors
    /// When something else does.
    pub(crate) fn number(&self, name: &str, called: &str) -> Result<Option<f64>, Refused> {
        let Some(text) = self.text(name) else { return Ok(None) };
        // As people write them, also where the comma is the point.
        let number = text.replace(',', ".").parse().ok().filter(|number: &f64| number.is_finite());
        number.map(Some).ok_or_else(|| Refused::wrong(format!("{called} is a number, as 99.5")))
    }

    /// Words between commas.
    pub(crate) fn words(&self, name: &str) -> Vec<String> {
        let text = self.get(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// What to do, and with what: `up:latency`.
    pub(crate) fn action(&self) -> (&str, &str) {
        let action = self.get("do").unwrap_or_default();
        action.split_once(':').unwrap_or((action, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_within_their_bounds() {
        let form = Form::of(b"do=up%3Alatency&a=+x+&b=&c=1%2C5&d=ten&e=one%2C+two+%2C%2C&a=y");
        assert_eq!(form.action(), ("up", "latency"));
        assert_eq!((form.text("a").as_deref(), form.text("b"), form.text("none")), (Some("y"), None, None));
        assert_eq!(form.number("c", "it"), Ok(Some(1.5)));
        assert!(form.number("d", "The threshold").unwrap_err().why.starts_with("The threshold"));
        assert_eq!(form.words("e"), ["one", "two"]);
        let many: String = (0..2_000).map(|n| format!("f{n}=1&")).collect();
        assert_eq!(Form::of(many.as_bytes()).fields.len(), FIELDS);
        assert!(Form::of(b"f=1e999").number("f", "f").is_err());
    }
}
