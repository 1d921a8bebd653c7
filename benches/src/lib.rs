//! What the benches read, and the limits they are held against.
//!
//! *hot* is a mebibyte, read again and again as it lies in the cache, like a body that was just received. *cold* is
//! larger than any cache. Every group times a newline scan of the same bytes in the same run: times differ by a factor
//! of two with what else the machine does, the ratio to the scan does not.

use std::ops::Range;
use std::sync::LazyLock;
use testkit::traffic::{Haystack, Traffic, Truth};

static HOT: LazyLock<Bodies> = LazyLock::new(|| Bodies::new(Traffic::new(1)));
static COLD: LazyLock<Bodies> = LazyLock::new(|| Bodies::new(Traffic::new(1).bytes(cold_bytes()).scale(20)));

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

/// The traffic of two hundred dynos: 32 MiB, or as many as `FAMILY_BENCHES_COLD_MIB` says.
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
    fn new(traffic: Traffic) -> Self {
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
    fn the_lines_are_those_the_generator_counted() {
        let truth = hot().truth();
        assert_eq!(hop(hot().body()), truth.lines);
        assert_eq!(newlines(hot().body()) as u64, truth.lines - truth.logging_errors);
        assert_eq!(hot().router().count() as u64, truth.router_lines);
        assert_eq!(hot().custom().count() as u64, truth.custom_lines);
        assert_eq!(newlines(hot().router().text()) as u64, truth.router_lines);
        assert!(hot().router().iter().all(|line| line.starts_with(b"at=") && !line.ends_with(b"\n")));
    }
}
