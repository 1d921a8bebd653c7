//! Which lines are meant: the query, the systems, the range of time.

use crate::search::event::Event;
use jiff::{Timestamp, ZonedDateTime};
use log_query::{Fields, Query};
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::{Failure, say};
use logdrain_terms::times::{self, Side};
use std::ops::Range;
use unicode_width::UnicodeWidthStr as _;

/// Longer queries are refused, here and by servers.
pub(crate) const LONGEST: usize = 8 * 1024;
/// Notes that are said.
const NOTES: usize = 5;
/// How much of a query is shown around the place of a note.
const AROUND: usize = 60;
/// Systems that are remembered, to name them when none is the one asked for.
const SEEN: usize = 10;

#[derive(Debug)]
pub(crate) struct Filter {
    query: Query,
    /// Patterns in lower case; none means all.
    systems: Vec<String>,
    range: TimeRange,
    /// The time of the last line that had one: lines without are of the line before.
    time: Option<i64>,
    seen: Seen,
}

/// A range of microseconds since 1970, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct TimeRange {
    pub(crate) earliest: Option<i64>,
    pub(crate) latest: Option<i64>,
}

/// Systems of the lines, as long as none was one that was asked for.
#[derive(Debug, Default)]
struct Seen {
    is_met: bool,
    others: Vec<String>,
    has_more: bool,
}

impl Filter {
    pub(crate) fn new(query: Query, systems: &[String], range: TimeRange) -> Self {
        let systems = systems.iter().map(|system| system.to_ascii_lowercase()).collect();
        Self { query, systems, range, time: None, seen: Seen::default() }
    }

    pub(crate) const fn query(&self) -> &Query {
        &self.query
    }

    /// In lower case, with stars.
    pub(crate) fn systems(&self) -> &[String] {
        &self.systems
    }

    pub(crate) const fn range(&self) -> TimeRange {
        self.range
    }

    /// Whether a line of a file is meant.
    pub(crate) fn matches(&mut self, event: &Event<'_>) -> bool {
        if let Some(time) = event.received.or(event.generated) {
            self.time = Some(time);
        }
        self.is_in_range() && self.is_of_systems(event.system) && self.query.matches(&fields(event))
    }

    fn is_in_range(&self) -> bool {
        let TimeRange { earliest, latest } = self.range;
        match self.time {
            Some(time) => earliest.is_none_or(|bound| bound <= time) && latest.is_none_or(|bound| time <= bound),
            None => earliest.is_none() && latest.is_none(),
        }
    }

    fn is_of_systems(&mut self, system: &[u8]) -> bool {
        if self.systems.is_empty() {
            return true;
        }
        let is_meant = self.systems.iter().any(|pattern| is_like(pattern.as_bytes(), system));
        if is_meant {
            self.seen.is_met = true;
        } else if !self.seen.is_met {
            self.seen.enter(system);
        }
        is_meant
    }

    /// Says so when no line was of a system that was asked for.
    pub(crate) fn say_unmet(&self) {
        if self.systems.is_empty() || self.seen.is_met || self.seen.others.is_empty() {
            return;
        }
        let others: Vec<_> = self.seen.others.iter().map(|name| Escaped(name).to_string()).collect();
        let more = if self.seen.has_more { ", …" } else { "" };
        let asked: Vec<_> = self.systems.iter().map(|name| format!("`{}`", Escaped(name))).collect();
        say(format_args!(
            "logdrain: no line is of system {}; there are lines of {}{more}",
            asked.join(" or "),
            others.join(", ")
        ));
    }
}

impl Seen {
    fn enter(&mut self, system: &[u8]) {
        let name = if system.is_empty() { "- (none is named)".into() } else { String::from_utf8_lossy(system) };
        if self.has_more || self.others.iter().any(|other| *other == *name) {
            return;
        }
        if self.others.len() < SEEN { self.others.push(name.chars().take(100).collect()) } else { self.has_more = true }
    }
}

fn fields<'a>(event: &Event<'a>) -> Fields<'a> {
    let mut fields = Fields::new(event.system, event.program, event.message);
    if let Some(severity) = event.severity {
        fields = fields.with_severity(severity);
    }
    if let Some(facility) = event.facility {
        fields = fields.with_facility(facility);
    }
    match event.source_ip {
        Some(address) => fields.with_source_ip(address),
        None => fields,
    }
}

/// Whether `name` is `pattern`, which is in lower case; `*` stands for any bytes, none too.
pub(crate) fn is_like(pattern: &[u8], name: &[u8]) -> bool {
    let same = |one: &[u8], other: &[u8]| one.eq_ignore_ascii_case(other);
    let mut pieces = pattern.split(|byte| *byte == b'*');
    let first = pieces.next().unwrap_or_default();
    let Some((start, mut rest)) = name.split_at_checked(first.len()) else { return false };
    if !same(first, start) {
        return false;
    }
    let mut pieces: Vec<&[u8]> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    // The first place of each piece leaves most room for the next ones.
    for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
        let Some(at) = rest.windows(piece.len()).position(|there| same(there, piece)) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.len() >= last.len() && same(&rest[rest.len() - last.len()..], last)
}

/// Reads the query, and says what was assumed.
///
/// # Errors
/// When it is too long.
pub(crate) fn query(text: &str) -> Result<Query, Failure> {
    if text.len() > LONGEST {
        return Err(Failure::Config(format!("the query has {} bytes; {LONGEST} are the most", text.len())));
    }
    let parsed = Query::parse(text);
    let notes = parsed.notes();
    for note in notes.iter().take(NOTES) {
        let (shown, marks) = marked(text, note.range());
        say(format_args!("logdrain: query: {note}\n  {shown}\n  {marks}"));
    }
    if notes.len() > NOTES {
        say(format_args!("logdrain: query: and {} more notes", notes.len() - NOTES));
    }
    Ok(parsed.query().clone())
}

/// A piece of the text, and below it marks under what is meant.
fn marked(text: &str, range: Range<usize>) -> (String, String) {
    let boundary = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(range.start.min(text.len()));
    let end = boundary(range.end.min(text.len())).max(start);
    let from = boundary(start.saturating_sub(AROUND));
    // What is meant may be long, too.
    let shown_end = boundary(end.min(start + AROUND));
    let to = boundary((shown_end + AROUND).min(text.len()));
    let piece = |range: Range<usize>| Escaped(&text[range]).to_string();
    let dots = |is_cut: bool| if is_cut { "…" } else { "" };
    let before = format!("{}{}", dots(from > 0), piece(from..start));
    let meant = piece(start..shown_end);
    let marks = format!("{}{}", " ".repeat(before.width()), "^".repeat(meant.width().max(1)));
    (format!("{before}{meant}{}{}", piece(shown_end..to), dots(to < text.len())), marks)
}

/// Reads the ends of the range, and says so when one lies ahead.
///
/// # Errors
/// When one is not understood.
pub(crate) fn range(earliest: Option<&str>, latest: Option<&str>, now: &ZonedDateTime) -> Result<TimeRange, Failure> {
    let read = |option: &str, text: Option<&str>, side| -> Result<_, Failure> {
        let Some(text) = text else { return Ok(None) };
        let instant = times::parse(text, now, side)
            .map_err(|error| Failure::Config(format!("{option} {}: {error}", Escaped(text))))?;
        if instant.lies_ahead {
            let shown = Timestamp::from_microsecond(instant.unix_micros)
                .map(|time| {
                    time.to_zoned_datetime(now.time_zone().clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
                })
                .unwrap_or_default();
            say(format_args!("logdrain: {option} {} is {shown}, which lies ahead", Escaped(text)));
        }
        Ok(Some(instant.unix_micros))
    };
    let range = TimeRange {
        earliest: read("--min-time", earliest, Side::Earliest)?,
        latest: read("--max-time", latest, Side::Latest)?,
    };
    if let TimeRange { earliest: Some(earliest), latest: Some(latest) } = range
        && latest < earliest
    {
        return Err(Failure::Config("--max-time lies before --min-time: nothing can be found".to_owned()));
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, name, is) in [
            ("shop", "shop", true),
            ("shop", "Shop", true),
            ("shop", "shop-2", false),
            ("shop*", "shop-2", true),
            ("*-2", "shop-2", true),
            ("s*p*2", "shop-2", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "ab", false),
            ("a**b", "ab", true),
        ] {
            assert_eq!(is_like(pattern.as_bytes(), name.as_bytes()), is, "{pattern} {name}");
        }
    }

    #[test]
    fn the_place_of_a_note_is_marked_below_it() {
        assert_eq!(marked("plum OR", 5..7), ("plum OR".to_owned(), "     ^^".to_owned()));
        assert_eq!(marked("日本 OR", 7..9), ("日本 OR".to_owned(), "     ^^".to_owned()));
        assert_eq!(marked("a\u{1b} (", 3..4), ("a\\u{1b} (".to_owned(), "        ^".to_owned()));
        assert_eq!(marked("ab", 2..2), ("ab".to_owned(), "  ^".to_owned()));
        let long = format!("{}x{}", "é".repeat(100), "y".repeat(100));
        let (shown, marks) = marked(&long, 200..201);
        assert_eq!(shown.chars().nth(marks.chars().count() - 1), Some('x'), "{shown}\n{marks}");
        let (shown, marks) = marked(&long, 0..300);
        assert!(shown.chars().count() < 140 && marks.len() <= AROUND, "{shown}\n{marks}");
    }
}
