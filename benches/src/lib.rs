//! What the benches read, and the limits they are held against.
//!
//! *hot* is a mebibyte, read again and again as it lies in the cache, like a body that was just received. *cold* is
//! larger than any cache. Every group times a newline scan of the same bytes in the same run: times differ by a factor
//! of two with what else the machine does, the ratio to the scan does not.

pub mod accuracy;
pub mod groups;
mod lines;
pub mod ours;
#[cfg(feature = "peers")]
pub mod peers;
mod table;
pub mod timing;

pub use lines::{Fields, Router, Visit};
pub use table::{Table, Totals};

use std::ops::Range;
use std::sync::LazyLock;
use testkit::traffic::{Haystack, Traffic, Truth};

static HOT: LazyLock<Bodies> = LazyLock::new(|| Bodies::of(Traffic::new(1)));
static COLD: LazyLock<Bodies> = LazyLock::new(|| Bodies::of(Traffic::new(1).bytes(cold_bytes()).scale(75)));

/// A body, and the messages of some of its kinds of line.
#[derive(Debug)]
pub struct Bodies {
    body: Haystack,
    router: Lines,
    custom: Lines,
}

/// Messages of one kind, one after another in one buffer, each with its LF.
#[derive(Debug, Default)]
pub struct Lines {
    text: Vec<u8>,
    ends: Vec<usize>,
}

/// A mebibyte of traffic from ten dynos.
#[must_use]
pub fn hot() -> &'static Bodies {
    &HOT
}

/// The traffic of 750 dynos, some 80,000 streams: 32 MiB, or as many as `FAMILY_BENCHES_COLD_MIB` says.
#[must_use]
pub fn cold() -> &'static Bodies {
    &COLD
}

/// Both, with the names they have in the names of benches.
pub fn haystacks() -> impl Iterator<Item = (&'static str, &'static Bodies)> {
    [("hot", hot as fn() -> &'static Bodies), ("cold", cold)].into_iter().map(|(name, bodies)| (name, bodies()))
}

/// The limit: how many line feeds there are. Nothing that looks at every byte is faster.
#[must_use]
pub fn newlines(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

/// The limit of framing: reads the octet counts and nothing else. Wrong input ends it.
#[must_use]
pub fn hop(mut body: &[u8]) -> u64 {
    let mut frames = 0;
    while let Some((length, rest)) = count(body)
        && let Some(rest) = rest.get(length..)
    {
        frames += 1;
        body = rest;
    }
    frames
}

/// MSG-LEN SP, and what is behind it.
fn count(body: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0_usize;
    for (at, &octet) in body.iter().enumerate().take(8) {
        match octet {
            b'0'..=b'9' => length = length * 10 + usize::from(octet - b'0'),
            b' ' => return Some((length, &body[at + 1..])),
            _ => return None,
        }
    }
    None
}

impl Bodies {
    /// A body of such traffic.
    #[must_use]
    pub fn of(traffic: Traffic) -> Self {
        let body = traffic.generate();
        let (mut router, mut custom) = (Lines::default(), Lines::default());
        let mut rest = body.body();
        while let Some((length, behind)) = count(rest) {
            let (frame, behind) = behind.split_at(length.min(behind.len()));
            rest = behind;
            if let Some(message) = after(frame, b" host heroku router - ") {
                router.push(message);
            } else if let Some(message) = after(frame, b" host app web.").and_then(|message| after(message, b" - "))
                && memchr::memmem::find(message, b"#").is_some()
            {
                custom.push(message);
            }
        }
        Self { body, router, custom }
    }

    /// The frames of one kind, as many as are in a body: those whose head holds the text.
    #[must_use]
    pub fn frames_with(&self, head: &[u8], most: usize) -> Vec<u8> {
        let mut kept = Vec::new();
        let mut rest = self.body.body();
        while let Some((length, behind)) = count(rest) {
            let (frame, behind) = behind.split_at(length.min(behind.len()));
            let whole = &rest[..rest.len() - behind.len()];
            if kept.len() + whole.len() > most {
                break;
            }
            if after(frame, head).is_some() {
                kept.extend_from_slice(whole);
            }
            rest = behind;
        }
        kept
    }

    /// The frames.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.body.body()
    }

    /// The messages of router lines.
    #[must_use]
    pub const fn router(&self) -> &Lines {
        &self.router
    }

    /// The messages of application lines with metrics.
    #[must_use]
    pub const fn custom(&self) -> &Lines {
        &self.custom
    }

    /// What is in the body.
    #[must_use]
    pub const fn truth(&self) -> &Truth {
        self.body.truth()
    }
}

impl Lines {
    fn push(&mut self, message: &[u8]) {
        self.text.extend_from_slice(message);
        self.ends.push(self.text.len());
    }

    /// All of them.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.ends.len()
    }

    /// Each of them without its LF.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.ranges().map(|range| &self.text[range.start..range.end - 1])
    }

    fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| start..end)
    }
}

/// The body with the NILVALUE for structured data that Logplex leaves out, for readers of RFC 5424 proper.
#[must_use]
pub fn with_nil(body: &[u8]) -> Vec<u8> {
    let mut longer = Vec::with_capacity(body.len() + body.len() / 64);
    let mut rest = body;
    while let Some((length, behind)) = count(rest) {
        let (frame, behind) = behind.split_at(length.min(behind.len()));
        rest = behind;
        let head = frame.len() - after(frame, b" - ").map_or(0, <[u8]>::len);
        longer.extend_from_slice(format!("{} ", frame.len() + 2).as_bytes());
        longer.extend_from_slice(&frame[..head]);
        longer.extend_from_slice(b"- ");
        longer.extend_from_slice(&frame[head..]);
    }
    longer
}

/// The first part of a body, whole frames only.
#[must_use]
pub fn head(body: &[u8], most: usize) -> &[u8] {
    let mut rest = body;
    while let Some((length, behind)) = count(rest)
        && let Some(behind) = behind.get(length..)
        && body.len() - behind.len() <= most
    {
        rest = behind;
    }
    &body[..body.len() - rest.len()]
}

fn after<'a>(text: &'a [u8], part: &[u8]) -> Option<&'a [u8]> {
    // Header and message begin are near the front; what a client sent is not to be searched.
    let head = &text[..text.len().min(128)];
    memchr::memmem::find(head, part).map(|at| &text[at + part.len()..])
}

fn cold_bytes() -> usize {
    let mebibytes = std::env::var("FAMILY_BENCHES_COLD_MIB").ok().and_then(|text| text.parse::<usize>().ok());
    mebibytes.unwrap_or(32).max(1).saturating_mul(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_reads_what_the_generator_counted() {
        let body = hot().body();
        let truth = hot().truth();
        let fields = ours::fields(body);
        assert_eq!(
            (fields.lines, fields.router_lines, fields.router_errors, fields.service_ms, fields.bytes),
            (truth.lines, truth.router_lines, truth.router_errors, truth.router_service_ms as f64, truth.router_bytes)
        );
        assert_eq!((fields.runtime_errors, fields.lost), (truth.runtime_errors, truth.messages_lost));
        assert_eq!(fields.metrics, truth.runtime_samples + truth.postgres_samples + truth.custom_observations);
        assert_eq!(ours::headers(body), (truth.lines, truth.router_lines));
        let mut whole = ours::Whole::new();
        assert!(whole.ingest(body).balances());
    }

    #[cfg(feature = "peers")]
    #[test]
    fn the_contenders_agree() {
        let body = hot().body();
        let longer = with_nil(body);
        let (text, with_nil) = (std::str::from_utf8(body).unwrap(), std::str::from_utf8(&longer).unwrap());
        let fields = ours::fields(body);
        assert_eq!(peers::nom_lines(text, Fields::default()), fields);
        assert_eq!(peers::loose_zerocopy(with_nil, Fields::default()), fields);
        assert_eq!(peers::loose_tpt(with_nil, Fields::default()), fields);
        let patterns = peers::Patterns::new().unwrap();
        assert_eq!(patterns.lines(text, Fields::default()), fields);
        let headers = ours::headers(body);
        assert_eq!(peers::nom_headers(text), headers);
        assert_eq!(peers::loose_headers(with_nil), headers);
        assert_eq!(peers::rfc5424_headers(with_nil), headers);
        assert_eq!(patterns.headers(text), headers);
        let mut whole = ours::Whole::new();
        whole.ingest(body);
        assert_eq!(whole.finish(), peers::nom_lines(text, Table::default()).finish());
    }

    #[cfg(feature = "vrl")]
    #[test]
    fn vrl_agrees_but_for_lines_without_a_dyno() {
        let body = hot().body();
        let longer = with_nil(body);
        let (text, with_nil) = (std::str::from_utf8(body).unwrap(), std::str::from_utf8(&longer).unwrap());
        let mut vector = peers::Vector::new().unwrap();
        assert_eq!(vector.headers(with_nil), ours::headers(body));
        assert_eq!(vector.lines(text, Fields::default()).without_sums(), ours::fields(body).without_sums());
    }

    #[test]
    fn the_lines_are_those_the_generator_counted() {
        let truth = hot().truth();
        assert_eq!(hop(hot().body()), truth.lines);
        assert_eq!(newlines(hot().body()) as u64, truth.lines - truth.logging_errors);
        assert_eq!(hot().router().count() as u64, truth.router_lines);
        assert_eq!(hot().custom().count() as u64, truth.custom_lines);
        let router = hot().frames_with(b" heroku router - ", usize::MAX);
        assert_eq!(hop(&router), truth.router_lines);
        assert_eq!(head(hot().body(), usize::MAX), hot().body());
        assert_eq!(newlines(hot().router().text()) as u64, truth.router_lines);
        assert!(hot().router().iter().all(|line| line.starts_with(b"at=") && !line.ends_with(b"\n")));
    }
}
