//! Lines as Papertrail's page, its command line and its webhooks print them.

use crate::row::Row;
use crate::time::{LAST_DAY, MICROS_A_DAY, MICROS_A_MINUTE, MOST_OFFSET, clock, day, digits};

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Reads a line of Papertrail's text of events, which is what its command line prints: time, source, program and message.
///
/// The time has neither year nor zone, so the caller gives both: the zone as minutes ahead of UTC. What the text does not
/// say is as in [`Row::new`], with 0 for the id. An end of line is let go. If the word behind the source does not end with
/// a colon there is no program and all of it is message.
///
/// There is no row in a line of another form, nor if the year has no such day. A file that goes over New Year has rows of
/// two years: a caller who knows when the file ends tries that year, and the one before it if the time lies behind that end
/// or the year has no such day.
///
/// ```
/// use log_archive::read_event_text;
///
/// let row = read_event_text(b"Nov 21 14:14:58 shop heroku/web.4: Starting process", 2026, 0).unwrap();
/// assert_eq!((row.source_name(), row.program(), row.message()), (&b"shop"[..], &b"heroku/web.4"[..], &b"Starting process"[..]));
/// assert_eq!(row.generated_at(), 1_795_270_498_000_000);
///
/// assert_eq!(read_event_text(b"    at main (app.rb:7)", 2026, 0), None);
/// ```
#[must_use]
pub fn read_event_text(line: &[u8], year: u16, offset_minutes: i16) -> Option<Row<'_>> {
    let line = line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
    let (month, rest) = line.split_first_chunk::<3>()?;
    let month = MONTHS.iter().position(|name| *name == month)?;
    let rest = rest.strip_prefix(b" ")?;
    // `Nov  1`, as `%e` of strftime, or `Nov 01`, or `Nov 1`, which a shell makes of the first.
    let (of_month, rest) = match rest {
        [b' ', rest @ ..] => digits(rest, 1)?,
        [_, b' ', ..] => digits(rest, 1)?,
        _ => digits(rest, 2)?,
    };
    let (clock, rest) = clock(rest.strip_prefix(b" ")?)?;
    let rest = rest.strip_prefix(b" ")?;
    let days = day(i64::from(year), i64::try_from(month).ok()? + 1, of_month).filter(|days| *days <= LAST_DAY)?;

    let (source_name, rest) = word(rest);
    let (program, message) = match word(rest) {
        ([program @ .., b':'], message) => (program, message),
        _ => (&b""[..], rest),
    };
    if source_name.is_empty() {
        return None;
    }
    let offset = offset_minutes.clamp(-MOST_OFFSET, MOST_OFFSET);
    let time = days * MICROS_A_DAY + clock - i64::from(offset) * MICROS_A_MINUTE;
    let row = Row::new(0, time, message).with_generated_at(time, offset);
    Some(row.with_source_name(source_name).with_program(program))
}

/// Up to the first blank, and what stands behind it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let Some(end) = text.iter().position(|byte| *byte == b' ') else { return (text, b"") };
    let (word, rest) = text.split_at(end);
    (word, rest.strip_prefix(b" ").unwrap_or(rest))
}
