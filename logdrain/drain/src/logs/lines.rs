//! From a delivery to its events, one for each frame, and one for each stretch that is none.

use crate::event::{Layout, Record};
use crate::plain::{self, Plain};
use heroku_metrics::syslog::{Dialect, Frame, Frames, FramingError, RawFrame};
use log_store::EventId;
use std::iter::Peekable;

/// The program of what could not be read.
pub(super) const UNREAD: &[u8] = b"logdrain/unread";
/// Stands in a delivery of the journal for a line that was purged.
pub(super) const ERASED: &[u8] = b"<46>1 - - logdrain purged - \x18";
/// What is kept of it at most.
const UNREAD_BYTES: usize = 64 << 10;
/// What is kept of any line at most: the store takes no more.
const LINE_BYTES: usize = 1 << 20;
/// A program or a system is no longer.
pub(super) const NAME_BYTES: usize = 255;
const WARNING: u8 = 4;

/// One event, before it is known whose it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Line<'a> {
    pub(super) id: EventId,
    /// Microseconds since 1970.
    pub(super) generated: i64,
    pub(super) severity: Option<u8>,
    pub(super) facility: Option<u8>,
    pub(super) message: &'a [u8],
    /// The system that the line itself names, or nobody but who sent it: plain syslog.
    pub(super) host: Option<Host<'a>>,
    pub(super) what: What,
}

/// Who a line of plain syslog is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Host<'a> {
    Named(&'a str),
    /// By its address.
    Peer,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    Read,
    /// A frame that was refused, or a stretch without frames.
    Unread,
    /// There is more in the body than was counted when it came: all that is left, under the last id.
    Unexpected,
    /// It was, and was purged.
    Purged,
}

/// The events of a delivery, in order. The program of the one that was given last is in a buffer that is used again.
pub(super) struct Lines<'a> {
    body: &'a [u8],
    layout: Layout,
    frames: Peekable<Frames<'a>>,
    received: i64,
    base: u64,
    events: u64,
    index: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn of(record: &'a Record) -> Self {
        let (body, layout) = (record.body.bytes(), record.layout);
        let run = record.run;
        Self {
            body,
            layout,
            frames: layout.frames(body).peekable(),
            received: record.received.unix_micros(),
            base: run.base,
            events: if run.is_given() { run.events } else { 0 },
            index: 0,
        }
    }

    /// Goes on behind so many events.
    pub(super) fn skip(&mut self, events: u64) {
        for _ in 0..events {
            self.frames.next();
        }
        self.index = events;
    }

    /// The next event; its program is put into `program`.
    pub(super) fn next(&mut self, program: &mut Vec<u8>) -> Option<Line<'a>> {
        if self.index >= self.events {
            return None;
        }
        let item = self.frames.next()?;
        let id = EventId::new(self.base.saturating_add(self.index.saturating_mul(EventId::STEP)));
        self.index += 1;
        if self.index == self.events && self.frames.peek().is_some() {
            let start = match &item {
                Ok(raw) => raw.offset(),
                Err(error) => error.start(),
            };
            return Some(self.unread(id, from(self.body, start), What::Unexpected, program));
        }
        Some(match (item, self.layout) {
            (Ok(raw), _) if raw.bytes() == ERASED => self.unread(id, b"", What::Purged, program),
            (Ok(raw), Layout::Plain(plain)) => plain_line(id, plain, bytes_of(raw), program),
            (Ok(raw), Layout::Counted | Layout::Measured) => match raw.parse(Dialect::ByHostname) {
                Ok(frame) => self.read(id, &frame, program),
                Err(_) => self.unread(id, bytes_of(raw), What::Unread, program),
            },
            (Err(error), _) => self.unread(id, stretch(self.body, &error), What::Unread, program),
        })
    }

    fn read(&self, id: EventId, frame: &Frame<'a>, program: &mut Vec<u8>) -> Line<'a> {
        program.clear();
        let parts = [frame.app_name_bytes(), frame.proc_id_bytes()];
        for part in parts.into_iter().flatten() {
            if !program.is_empty() {
                program.push(b'/');
            }
            program.extend_from_slice(part);
        }
        program.truncate(NAME_BYTES);
        Line {
            id,
            generated: frame.timestamp().map_or(self.received, |time| time.unix_micros()),
            severity: frame.pri().map(|pri| pri.severity()),
            facility: frame.pri().map(|pri| pri.facility()),
            message: cut(frame.message(), LINE_BYTES),
            host: None,
            what: What::Read,
        }
    }

    fn unread(&self, id: EventId, bytes: &'a [u8], what: What, program: &mut Vec<u8>) -> Line<'a> {
        program.clear();
        program.extend_from_slice(UNREAD);
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let message = cut(bytes, UNREAD_BYTES);
        Line { id, generated: self.received, severity: Some(WARNING), facility: None, message, host: None, what }
    }
}

/// A line of plain syslog. Its time may be told without a year and a zone: by the id it is known which.
fn plain_line<'a>(id: EventId, plain: Plain, bytes: &'a [u8], program: &mut Vec<u8>) -> Line<'a> {
    let received = id.unix_micros();
    let read = plain::read(bytes, received, plain);
    program.clear();
    program.extend_from_slice(cut(read.program.as_bytes(), NAME_BYTES));
    let host = match read.host {
        Some(host) if !plain.is_by_address() && host.len() <= NAME_BYTES => Host::Named(host),
        _ => Host::Peer,
    };
    Line {
        id,
        generated: read.generated.unwrap_or(received),
        severity: Some(read.severity),
        facility: Some(read.facility),
        message: cut(read.message, LINE_BYTES),
        host: Some(host),
        what: What::Read,
    }
}

fn bytes_of(raw: RawFrame<'_>) -> &[u8] {
    raw.bytes()
}

fn from(body: &[u8], start: u64) -> &[u8] {
    usize::try_from(start).ok().and_then(|start| body.get(start..)).unwrap_or_default()
}

fn stretch<'a>(body: &'a [u8], error: &FramingError) -> &'a [u8] {
    let rest = from(body, error.start());
    cut(rest, usize::try_from(error.skipped()).unwrap_or(usize::MAX))
}

fn cut(bytes: &[u8], most: usize) -> &[u8] {
    &bytes[..bytes.len().min(most)]
}
