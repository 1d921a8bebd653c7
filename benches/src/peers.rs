//! What one would assemble the same from, written plainly.
//!
//! All of them are given checked text for nothing, frames by the same hop over octet counts, and, where a crate knows
//! RFC 5424 only, bodies with the NILVALUE that Logplex leaves out. Application lines without a `#` are left alone.

mod libraries;
mod nom_reader;
mod patterns;
#[cfg(feature = "vrl")]
mod vector;

pub use libraries::{loose, loose_headers, loose_tpt, loose_zerocopy, rfc5424_headers, tpt_service, zerocopy_service};
pub use nom_reader::{nom_headers, nom_lines, nom_service};
pub use patterns::Patterns;
#[cfg(feature = "vrl")]
pub use vector::Vector;

use crate::{Router, Visit};

/// The frames of a body, as text.
pub fn frames(body: &str) -> impl Iterator<Item = &str> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let (length, behind) = rest.split_once(' ')?;
        let (frame, behind) = behind.split_at_checked(length.parse().ok()?)?;
        rest = behind;
        Some(frame)
    })
}

/// What a line is told to be by its header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Router,
    Samples,
    Platform,
    Custom,
    Other,
}

impl Kind {
    fn of(app_name: &str, proc_id: &str, message: &str) -> Self {
        match (app_name, proc_id) {
            ("heroku", "router") => Self::Router,
            ("heroku", _) if message.starts_with("Error ") => Self::Platform,
            ("heroku", _) | ("app", "heroku-postgres") => Self::Samples,
            ("app", _) if message.contains('#') => Self::Custom,
            _ => Self::Other,
        }
    }
}

/// Shows a line to a visitor, its pairs found by `pairs`.
fn line<'a, V: Visit>(
    (app_name, proc_id, message): (&str, &str, &'a str),
    found: &mut Vec<(&'a str, &'a str)>,
    pairs: impl FnOnce(&'a str, &mut Vec<(&'a str, &'a str)>),
    visit: &mut V,
) {
    visit.frame();
    match Kind::of(app_name, proc_id, message) {
        Kind::Router => {
            found.clear();
            pairs(message.trim_end(), found);
            visit.router(&router(found));
        }
        Kind::Samples | Kind::Custom => {
            found.clear();
            pairs(message.trim_end(), found);
            metrics(found, visit);
        }
        Kind::Platform => platform(message, visit),
        Kind::Other => {}
    }
}

fn router<'a>(pairs: &[(&'a str, &'a str)]) -> Router<'a> {
    let mut line = Router::default();
    for &(key, value) in pairs {
        match key {
            "method" => line.method = value,
            "dyno" => line.dyno = value,
            "status" => line.status = value.parse().unwrap_or_default(),
            "connect" => line.connect = milliseconds(value),
            "service" => line.service = milliseconds(value),
            "bytes" => line.bytes = value.parse().ok(),
            "code" => line.failed = true,
            _ => {}
        }
    }
    line
}

fn metrics<V: Visit>(pairs: &[(&str, &str)], visit: &mut V) {
    for (key, value) in pairs {
        if let Some((kind @ ("count" | "measure" | "sample"), name)) = key.split_once('#')
            && let Some(value) = leading_number(value)
        {
            visit.metric(kind, name, value, pairs);
        }
    }
}

fn platform<V: Visit>(message: &str, visit: &mut V) {
    if message.starts_with("Error R") {
        visit.runtime_error();
    } else if let Some((_, rest)) = message.split_once("): ")
        && let Some(count) = rest.split(' ').next().and_then(|count| count.parse().ok())
    {
        visit.lost(count);
    }
}

fn milliseconds(value: &str) -> Option<f64> {
    value.strip_suffix("ms")?.parse().ok()
}

/// The number in front of a unit.
fn leading_number(value: &str) -> Option<f64> {
    let end = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.len());
    value[..end].parse().ok()
}
