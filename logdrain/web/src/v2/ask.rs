//! What a request says: parameters of its address, and a body of JSON that is no longer than it needs to be.

use super::problem::Problem;
use crate::bodies::{Sent, Unread};
use crate::site::Site;
use axum::body::Body;
use form_urlencoded::parse;
use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use log_store::EventId;
use logdrain_terms::times::{self, Side};
use serde::de::DeserializeOwned;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The longest body.
pub(super) const BODY: usize = 64 << 10;
/// How long it may take to come.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest query.
pub(super) const QUERY: usize = 8 << 10;

/// The parameters of an address. The last of a name counts; one without a value is as good as none.
#[derive(Clone, Debug)]
pub(super) struct Parameters<'a>(pub(super) &'a str);

impl Parameters<'_> {
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let values = parse(self.0.as_bytes()).filter(|(found, value)| found == name && !value.is_empty());
        values.last().map(|(_, value)| value.into_owned())
    }

    pub(super) fn query(&self, name: &str) -> Result<String, Problem> {
        let query = self.text(name).unwrap_or_default();
        match query.len() {
            0..=QUERY => Ok(query),
            len => Err(Problem::wrong(format!("{name} has {len} bytes, and {QUERY} is the most"))),
        }
    }

    pub(super) fn number(&self, name: &str, range: RangeInclusive<usize>, usual: usize) -> Result<usize, Problem> {
        let Some(text) = self.text(name) else { return Ok(usual) };
        let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| Problem::wrong(format!("{name} is no number from {} to {}", range.start(), range.end())))
    }

    pub(super) fn id(&self, name: &str) -> Result<Option<EventId>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
        let id = number.filter(|number| *number <= EventId::MAX.get()).map(EventId::new);
        id.map(Some).ok_or_else(|| Problem::wrong(format!("{name} is no id: a number from 0 to {}", EventId::MAX)))
    }

    /// Microseconds since 1970.
    pub(super) fn time(&self, name: &str, side: Side) -> Result<Option<i64>, Problem> {
        self.text(name).map(|text| time(name, &text, side)).transpose()
    }
}

/// A time as people and programs write it, in microseconds since 1970. What names no zone is in UTC.
pub(super) fn time(name: &str, text: &str, side: Side) -> Result<i64, Problem> {
    let now = ZonedDateTime::now().with_time_zone(TimeZone::UTC);
    let instant = times::parse(text, &now, side).map_err(|error| Problem::wrong(format!("{name}: {error}")))?;
    Ok(instant.unix_micros)
}

/// Waits for a body.
///
/// # Errors
/// When it is too long, or comes too slowly.
pub(super) async fn sent(site: &Site, account: &str, body: Body) -> Result<Sent, Problem> {
    let read = site.bodies.read(&site.intake, account, body, (BODY, PATIENCE)).await;
    read.map_err(|unread| match unread {
        Unread::TooLong => Problem::wrong(format!("the body is longer than {BODY} bytes, or was cut")),
        Unread::Slow => Problem::wrong("the body did not come in time"),
        Unread::Busy => Problem::busy(),
    })
}

/// Reads a body of JSON.
///
/// # Errors
/// When it is not what is meant.
pub(super) fn body<T: DeserializeOwned>(all: &[u8]) -> Result<T, Problem> {
    let all = if all.is_empty() { &b"{}"[..] } else { all };
    serde_json::from_slice(all).map_err(|error| Problem::wrong(format!("the body is not as it should be: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_within_their_bounds() {
        let all = Parameters("q=a+b&q=&limit=7&from=1700000000.5&id=9223372036854775807&x=%00");
        assert_eq!(all.query("q"), Ok("a b".to_owned()));
        assert_eq!((all.number("limit", 1..=10, 3), all.number("before", 0..=10, 3)), (Ok(7), Ok(3)));
        assert_eq!(all.time("from", Side::Earliest), Ok(Some(1_700_000_000_500_000)));
        assert_eq!(all.id("id"), Ok(Some(EventId::MAX)));
        for (text, name) in [
            ("limit=0", "limit"),
            ("limit=11", "limit"),
            ("limit=-1", "limit"),
            ("limit=1e3", "limit"),
            ("limit=x", "limit"),
        ] {
            assert!(Parameters(text).number(name, 1..=10, 3).unwrap_err().message.contains(name), "{text}");
        }
        assert!(Parameters("id=9223372036854775808").id("id").is_err() && Parameters("id=+1").id("id").is_err());
        assert!(Parameters("to=06/07/2026").time("to", Side::Latest).unwrap_err().message.starts_with("to: "));
        let long = format!("q={}", "(".repeat(QUERY + 1));
        assert!(Parameters(&long).query("q").is_err());
    }

    #[test]
    fn a_body_is_what_is_meant_and_no_longer() {
        #[derive(serde::Deserialize, PartialEq, Debug)]
        #[serde(deny_unknown_fields)]
        struct Small {
            name: Option<String>,
        }
        let read = |text: String| body::<Small>(text.as_bytes());
        assert_eq!(read(String::new()), Ok(Small { name: None }));
        assert_eq!(read("{\"name\":\"a\"}".to_owned()), Ok(Small { name: Some("a".to_owned()) }));
        for (text, part) in [
            ("{\"nme\":1}".to_owned(), "nme"),
            ("[".repeat(60_000), "not as it should be"),
            ("{\"name\":7}".to_owned(), "string"),
        ] {
            assert!(read(text).unwrap_err().message.contains(part), "{part}");
        }
    }
}
