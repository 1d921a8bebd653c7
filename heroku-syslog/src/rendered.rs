//! What `heroku logs` prints, one line a message.
//!
//! ```abnf
//! rendered = TIMESTAMP SP APP-NAME "[" PROCID "]:" [SP MSG]   ; APP-NAME is "app" or "heroku", any token is taken
//! ```
//!
//! LF or CRLF ends a line. PRI, VERSION, HOSTNAME and MSGID are not printed, so a frame of a rendered line has none.
//! The command colours what is in front of the message on a terminal, and older ones do so into pipes: colour codes
//! (`ESC [ 36 m`, also `ESC [ K`) between any two parts of it are passed over; those of the message stay. So are a byte
//! order mark and NULs in front of a line, which are written at the start of a file and to keep a connection open. A
//! message of several lines is printed as it is; its further lines cannot be told from other text and are errors of one
//! line each.
//!
//! Copies of such lines, and an export of the same fields, are read when [`Form`] says so.
//!
//! ```
//! use heroku_syslog::rendered;
//!
//! let text = b"2024-02-03T04:05:06.000000+00:00 heroku[router]: at=info\n2024-02-03T04:05:07+00:00 app[web.1]: hi\n";
//! let lines: Vec<_> = rendered::Lines::new(text).collect();
//! assert_eq!(lines[0].parse(rendered::Form::Printed)?.proc_id(), Some("router"));
//! assert_eq!((lines[1].offset(), lines[1].parse(rendered::Form::Printed)?.message()), (57, &b"hi"[..]));
//! # Ok::<(), heroku_syslog::FrameError>(())
//! ```

use crate::error::{Fault, FrameError, FrameErrorKind, Part, unexpected};
use crate::frame::{Frame, without_line_end};
use crate::header::{Fields, Span, field, maximum, missing, not_utf8, too_long};
use crate::parsed::Parsed;
use crate::timestamp::{Writing, in_writing};
use core::iter::FusedIterator;

/// How the lines of a text are written. It is an argument, never a guess: what is a copy for one is a part of a message for
/// another.
///
/// ```
/// use heroku_syslog::rendered::{Form, parse_line};
///
/// let copy = b"  > 2024-02-03 04:05:07 app[web.1]: hi";
/// assert!(parse_line(copy, Form::Printed).is_err());
/// assert_eq!(parse_line(copy, Form::Copied)?.message(), b"hi");
/// let exported = b"2024-02-03 04:05:07.5+00:00 heroku web.1 - - State changed from up to down";
/// assert_eq!(parse_line(exported, Form::Exported)?.proc_id(), Some("web.1"));
/// # Ok::<(), heroku_syslog::FrameError>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub enum Form {
    /// As the command prints them.
    #[default]
    Printed,
    /// As people paste them: blanks and the `> ` of mails stand in front; the time may have a space in place of `T`, and no
    /// offset, which is UTC then.
    Copied,
    /// As a log service exported them (Logentries): TIMESTAMP SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA SP MSG. In
    /// front of it, and in its time, all that a copy may have is taken. STRUCTURED-DATA is `-`.
    Exported,
}

/// The lines of a text, in order, without copying. Never panics; linear in the text.
///
/// Empty lines are skipped and counted like the separators of frames, so that at the end
/// the lengths of all items and [`separators`](Self::separators) add up to the length of the text.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    separators: u64,
}

impl<'a> Lines<'a> {
    /// The lines of all of `text`.
    #[must_use]
    pub const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, separators: 0 }
    }

    /// The bytes of empty lines that were passed so far.
    #[must_use]
    pub const fn separators(&self) -> u64 {
        self.separators
    }

    /// How far the text is read: the offset of the line that comes next.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.at as u64
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = RawLine<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
            let bytes = match memchr::memchr(b'\n', rest) {
                Some(end) => &rest[..=end],
                None => rest,
            };
            let offset = self.at as u64;
            self.at += bytes.len();
            if is_empty(bytes) {
                self.separators += bytes.len() as u64;
                continue;
            }
            return Some(RawLine { bytes, offset });
        }
    }
}

impl FusedIterator for Lines<'_> {}

/// The bytes of one line, not looked at yet, and where they stand in the text.
///
/// ```
/// use heroku_syslog::rendered::{Form, Lines};
///
/// let line = Lines::new(b"\n2024-02-03 no").next().unwrap();
/// assert_eq!((line.offset(), line.bytes()), (1, &b"2024-02-03 no"[..]));
/// let error = line.parse(Form::Printed).unwrap_err();
/// assert_eq!(error.to_string(), "unexpected byte in TIMESTAMP at byte 11");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawLine<'a> {
    bytes: &'a [u8],
    offset: u64,
}

impl<'a> RawLine<'a> {
    /// The offset of its first byte in the text.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Its bytes, the LF or CRLF at its end included.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Reads the line, as [`parse_line`] does: the frame that was printed, without the fields that are not printed.
    ///
    /// # Errors
    /// As [`parse_line`], with offsets counted from the start of the text.
    pub fn parse(self, form: Form) -> Result<Frame<'a>, FrameError> {
        parse_line(self.bytes, form).map_err(|error| error.shifted(self.offset))
    }
}

/// Reads one line, with or without its line end: for hosts that get lines one at a time.
///
/// # Errors
/// The first thing that is wrong, with its offset in `line`.
///
/// ```
/// use heroku_syslog::rendered::{Form, parse_line};
///
/// let frame = parse_line(b"2024-02-03T04:05:07+00:00 app[web.1]: hi\n", Form::Printed)?;
/// assert_eq!((frame.proc_id(), frame.message()), (Some("web.1"), &b"hi"[..]));
/// let frame = parse_line(b"> 2024-02-03T04:05:07 app[web.1]: hi", Form::Copied)?;
/// assert_eq!(frame.timestamp().unwrap().unix_micros(), 1_706_933_107_000_000);
/// # Ok::<(), heroku_syslog::FrameError>(())
/// ```
pub fn parse_line(line: &[u8], form: Form) -> Result<Frame<'_>, FrameError> {
    rendered(line, form).map_err(|fault| fault.in_input_of(without_line_end(line).len()))
}

/// Whether nothing but NULs is in a line, which are written to keep a connection open.
///
/// ```
/// assert!(heroku_syslog::rendered::is_empty(b"\0\0\r\n"));
/// ```
#[must_use]
pub fn is_empty(line: &[u8]) -> bool {
    without_line_end(line).iter().all(|byte| *byte == 0)
}

fn rendered(line: &[u8], form: Form) -> Result<Frame<'_>, Fault> {
    let input = without_line_end(line);
    let front = behind_marks(input);
    let (front, writing) = match form {
        Form::Printed => (front, Writing::Rfc3339),
        Form::Copied | Form::Exported => (behind_quotes(front), Writing::Loose),
    };
    let start = colours(front);
    if input.len() - start.len() > MOST_IN_FRONT {
        return Err(unexpected(FrameErrorKind::BadTimestamp, Part::Timestamp, front));
    }
    let Parsed { value: timestamp, rest } = in_writing(start, writing)?;
    let timestamp_text = Span::between(input, start, rest);
    let [b' ', rest @ ..] = colours(rest) else {
        return Err(unexpected(FrameErrorKind::BadTimestamp, Part::Timestamp, rest));
    };
    let app = colours(rest);
    let [app, behind_app, process, behind_process, rest] = match form {
        Form::Printed | Form::Copied => bracketed(app)?,
        Form::Exported => spaced(app)?,
    };
    let fields = Fields {
        timestamp: Some(timestamp),
        timestamp_text,
        app_name: Span::between(input, app, behind_app),
        proc_id: Span::between(input, process, behind_process),
        ..Fields::default()
    };
    let router =
        fields.app_name.bytes_of(input) == Some(b"heroku") && fields.proc_id.bytes_of(input) == Some(b"router");
    let fields = Fields { router, ..fields };
    if let Err(error) = core::str::from_utf8(&input[..input.len() - rest.len()]) {
        return Err(not_utf8(&fields, input, error.valid_up_to()));
    }
    let message = rest.strip_prefix(b" ").unwrap_or(rest);
    Ok(Frame::from_rendered(line, fields, message))
}

/// How many bytes may stand in front of a line: offsets of the header have 16 bits.
const MOST_IN_FRONT: usize = 1_024;

/// APP-NAME "[" PROCID "]:"                                    ; answers both, what is behind each, and what is behind all
///
/// Colours end and begin around the brackets and the colon.
fn bracketed(app: &[u8]) -> Result<[&[u8]; 5], Fault> {
    let behind_app = token(app, Part::AppName, b'[')?;
    let [b'[', process @ ..] = colours(behind_app) else { return Err(missing(Part::ProcId, behind_app)) };
    let process = colours(process);
    let behind_process = token(process, Part::ProcId, b']')?;
    let [b']', rest @ ..] = colours(behind_process) else {
        return Err(unexpected(FrameErrorKind::MissingField, Part::ProcId, behind_process));
    };
    let [b':', rest @ ..] = colours(rest) else {
        return Err(unexpected(FrameErrorKind::MissingField, Part::ProcId, behind_process));
    };
    Ok([app, behind_app, process, behind_process, colours(rest)])
}

/// APP-NAME SP PROCID SP MSGID SP "-"                          ; answers as `bracketed`
fn spaced(app: &[u8]) -> Result<[&[u8]; 5], Fault> {
    let behind_app = token(app, Part::AppName, b' ')?;
    let (process, behind_process) = field(behind_app, Part::ProcId)?;
    let (_, behind_msg_id) = field(behind_process, Part::MsgId)?;
    match behind_msg_id {
        [b' ', b'-', rest @ ..] if matches!(rest, [] | [b' ', ..]) => {
            Ok([app, behind_app, process, behind_process, rest])
        }
        rest => Err(missing(Part::StructuredData, rest)),
    }
}

/// *NUL [byte order mark] *NUL
fn behind_marks(input: &[u8]) -> &[u8] {
    let rest = without_nuls(input);
    without_nuls(rest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(rest))
}

fn without_nuls(input: &[u8]) -> &[u8] {
    let len = input.iter().take_while(|byte| **byte == 0).count();
    &input[len..]
}

/// Blanks (SP, TAB, and the one that HTML keeps) and `>`
fn behind_quotes(input: &[u8]) -> &[u8] {
    let mut rest = input;
    while let [b' ' | b'\t' | b'>', behind @ ..] | [0xc2, 0xa0, behind @ ..] = rest {
        rest = behind;
    }
    rest
}

/// 1*max OCTET                                                 ; an OCTET is neither SP nor ESC nor `end`; answers what is behind
fn token(input: &[u8], part: Part, end: u8) -> Result<&[u8], Fault> {
    let max = usize::from(maximum(part));
    let window = &input[..input.len().min(max + 1)];
    match window.iter().position(|byte| *byte == end || matches!(byte, b' ' | 0x1b)).unwrap_or(window.len()) {
        0 => Err(missing(part, input)),
        len if len > max => Err(too_long(part, &input[max..])),
        len => Ok(&input[len..]),
    }
}

/// *( ESC "[" *(DIGIT / ";") ("m" / "K") )                     ; answers what is behind
///
/// At most four of at most sixteen parameter bytes: nobody colours more, and the offsets of the header stay small.
fn colours(input: &[u8]) -> &[u8] {
    let mut rest = input;
    for _ in 0..4 {
        let [0x1b, b'[', parameters @ ..] = rest else { break };
        let window = &parameters[..parameters.len().min(17)];
        let len = window.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';'));
        let Some([b'm' | b'K', behind @ ..]) = len.map(|len| &parameters[len..]) else { break };
        rest = behind;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_codes_end_with_m() {
        for (input, rest) in [
            ("\u{1b}[36mx", "x"),
            ("\u{1b}[m\u{1b}[1;31mx", "x"),
            ("\u{1b}[36x", "\u{1b}[36x"),
            ("\u{1b}[", "\u{1b}["),
            ("\u{1b}[00000000000000000m", "\u{1b}[00000000000000000m"),
            ("\u{1b}[2Kx", "x"),
            ("\u{1b}[2J", "\u{1b}[2J"),
        ] {
            assert_eq!(colours(input.as_bytes()), rest.as_bytes());
        }
    }
}
