//! Archives, row by row, and Papertrail's text of events, line by line.

use crate::args::InputKind;
use crate::input::event_text::EventText;
use crate::input::row::RowFrame;
use crate::input::{Items, MAX_LINE, RenderedLine};
use crate::layout::Survey;
use heroku_metrics::syslog::rendered::{self, Form};
use heroku_metrics::syslog::{Frame, FrameError};
use log_archive::{ReadError, Reader, Row};
use logdrain_terms::failure::Failure;
use std::fmt;

/// What is kept from line to line.
#[derive(Debug)]
pub(super) struct Rows {
    frame: RowFrame,
    text: EventText,
    left_out: LeftOut,
}

/// Lines that are no row, by what they are.
#[derive(Debug, Default)]
struct LeftOut {
    headers: u64,
    blank: u64,
    short: u64,
    refused: u64,
    /// The first of those that should have been a row, and what is wrong with it.
    first: Option<(u64, String)>,
}

/// A line with its end, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Held<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) number: u64,
    pub(super) offset: u64,
}

impl<'a> Held<'a> {
    /// The line without its end.
    pub(super) fn text(self) -> &'a [u8] {
        let line = self.bytes.strip_suffix(b"\n").unwrap_or(self.bytes);
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// As it is given on, with what was made of it.
    pub(super) fn line<'b>(self, message_at: Option<u64>, parsed: Result<Frame<'b>, FrameError>) -> RenderedLine<'b>
    where
        'a: 'b,
    {
        let (number, offset) = (self.number, self.offset);
        RenderedLine { number, offset, bytes: self.text(), wire_len: self.bytes.len() as u64, message_at, parsed }
    }
}

/// What a line of an archive is, that is no row.
enum NoRow {
    Header,
    Blank,
    Short,
    Refused(ReadError),
}

/// Reads one line of an archive.
fn row<T>(line: &[u8], then: impl FnOnce(&Row<'_>) -> T) -> Result<T, NoRow> {
    let mut reader = Reader::new(line).with_max_row_len(MAX_LINE);
    match reader.read() {
        Ok(Some(row)) => return Ok(then(&row)),
        Ok(None) => {}
        Err(error) => return Err(NoRow::Refused(error)),
    }
    let counts = reader.counts();
    Err(if counts.headers() > 0 {
        NoRow::Header
    } else if counts.short() > 0 {
        NoRow::Short
    } else {
        NoRow::Blank
    })
}

impl Rows {
    pub(super) fn new(text: EventText) -> Self {
        Self { frame: RowFrame::default(), text, left_out: LeftOut::default() }
    }

    /// Hands over what a line is, of one of the two kinds.
    pub(super) fn hand_over(
        &mut self,
        kind: InputKind,
        held: Held<'_>,
        survey: &mut Survey,
        items: &mut impl Items,
    ) -> Result<(), Failure> {
        let (text, wire_len) = (held.text(), held.bytes.len() as u64);
        if kind == InputKind::Events {
            if rendered::is_empty(text) {
                items.separators(wire_len);
                return Ok(());
            }
            if let Some(row) = self.text.read(text) {
                survey.enter(text, held.number, true);
                return given(&mut self.frame, &row, held, items);
            }
            // A further line of a message, or a line of another kind, which says itself what it is.
            let parsed = rendered::parse_line(text, Form::Printed);
            survey.enter(text, held.number, parsed.is_ok());
            return items.line(held.line(None, parsed));
        }
        let frame = &mut self.frame;
        match row(held.bytes, |row| given(frame, row, held, items)) {
            Ok(taken) => {
                survey.enter(text, held.number, true);
                taken
            }
            Err(why) => {
                let is_bad = self.left_out.enter(why, held.number);
                if is_bad {
                    survey.enter(text, held.number, false);
                }
                items.left_out(wire_len, is_bad);
                Ok(())
            }
        }
    }

    /// What to say at the end.
    pub(super) fn said(&self, kind: InputKind) -> Option<String> {
        match kind {
            InputKind::Events => self.text.said(),
            _ => (self.left_out.count() > 0).then(|| self.left_out.to_string()),
        }
    }
}

fn given(frame: &mut RowFrame, row: &Row<'_>, held: Held<'_>, items: &mut impl Items) -> Result<(), Failure> {
    // The message is the end of the line.
    let message_at = held.offset + held.text().len().saturating_sub(row.message().len()) as u64;
    items.row(row, held.line(Some(message_at), frame.of(row)))
}

impl LeftOut {
    /// Counts it, and says whether it should have been a row.
    fn enter(&mut self, what: NoRow, number: u64) -> bool {
        let why = match what {
            NoRow::Header => {
                self.headers += 1;
                return false;
            }
            NoRow::Blank => {
                self.blank += 1;
                return false;
            }
            NoRow::Short => {
                self.short += 1;
                "it has fewer than ten columns".to_owned()
            }
            NoRow::Refused(error) => {
                self.refused += 1;
                // The reader has seen this line alone, and calls it the first row.
                error.to_string().replacen(" in row 1", "", 1)
            }
        };
        self.first.get_or_insert((number, why));
        true
    }

    const fn count(&self) -> u64 {
        self.headers + self.blank + self.short + self.refused
    }
}

/// `left out: 1 header, 3 short; the first that should have been a row is line 7: it has fewer than ten columns`
impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("left out: ")?;
        let headers = if self.headers == 1 { "header" } else { "headers" };
        let mut before = "";
        for (count, what) in
            [(self.headers, headers), (self.blank, "blank"), (self.short, "short"), (self.refused, "refused")]
        {
            if count > 0 {
                write!(f, "{before}{count} {what}")?;
                before = ", ";
            }
        }
        match &self.first {
            Some((number, why)) => write!(f, "; the first that should have been a row is line {number}: {why}"),
            None => Ok(()),
        }
    }
}
