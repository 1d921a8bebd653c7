//! What `heroku logs` prints, one line a message.
//!
//! ```abnf
//! rendered = TIMESTAMP SP APP-NAME "[" PROCID "]:" [SP MSG]   ; APP-NAME is "app" or "heroku", any token is taken
//! ```
//!
//! LF or CRLF ends a line. PRI, VERSION, HOSTNAME and MSGID are not printed, so a frame of a rendered line has none.
//! The command colours everything in front of the message on a terminal: colour codes (`ESC [ 36 m`) around
//! TIMESTAMP and behind the colon are passed over. A message of several lines is printed as it is; its further lines
//! cannot be told from other text and are errors of one line each.
//!
//! ```
//! use heroku_syslog::rendered;
//!
//! let text = b"2024-02-03T04:05:06.000000+00:00 heroku[router]: at=info\n2024-02-03T04:05:07+00:00 app[web.1]: hi\n";
//! let lines: Vec<_> = rendered::Lines::new(text).collect::<Result<_, _>>()?;
//! assert_eq!(lines[0].frame().proc_id(), Some("router"));
//! assert_eq!((lines[1].offset(), lines[1].frame().message()), (57, &b"hi"[..]));
//! # Ok::<(), rendered::LineError>(())
//! ```

use crate::error::{Fault, FrameError, FrameErrorKind, Part, unexpected};
use crate::frame::{Frame, without_line_end};
use crate::header::{Fields, Parsed, Span, maximum, missing, not_utf8, too_long};
use crate::timestamp::date_time;
use core::iter::FusedIterator;

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
    ///
    /// ```
    /// use heroku_syslog::rendered::Lines;
    /// let mut lines = Lines::new(b"\n2024-02-03T04:05:07+00:00 app[web.1]: hi");
    /// assert_eq!(lines.next().unwrap()?.len(), 40);
    /// assert!(lines.next().is_none());
    /// # Ok::<(), heroku_syslog::rendered::LineError>(())
    /// ```
    #[must_use]
    pub const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, separators: 0 }
    }

    /// The octets of empty lines that were passed so far.
    ///
    /// ```
    /// # use heroku_syslog::rendered::Lines;
    /// let mut lines = Lines::new(b"\n\r\n");
    /// assert!(lines.next().is_none());
    /// assert_eq!(lines.separators(), 3);
    /// ```
    #[must_use]
    pub const fn separators(&self) -> u64 {
        self.separators
    }

    /// How far the text is read: the offset of the line that comes next.
    ///
    /// ```
    /// # use heroku_syslog::rendered::Lines;
    /// let mut lines = Lines::new(b"what\nis this");
    /// assert!(lines.next().unwrap().is_err());
    /// assert_eq!(lines.offset(), 5);
    /// ```
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.at as u64
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<RenderedLine<'a>, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
            let bytes = match memchr::memchr(b'\n', rest) {
                Some(end) => &rest[..=end],
                None => rest,
            };
            let offset = self.at as u64;
            self.at += bytes.len();
            if without_line_end(bytes).is_empty() {
                self.separators += bytes.len() as u64;
                continue;
            }
            return Some(match parse_line(bytes) {
                Ok(frame) => Ok(RenderedLine { offset, frame }),
                Err(error) => Err(LineError { offset, len: bytes.len() as u64, error: error.shifted(offset) }),
            });
        }
    }
}

impl FusedIterator for Lines<'_> {}

/// A line that could be read, and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(clippy::len_without_is_empty)] // an empty line is none
pub struct RenderedLine<'a> {
    offset: u64,
    frame: Frame<'a>,
}

impl<'a> RenderedLine<'a> {
    /// The offset of its first octet in the text.
    ///
    /// ```
    /// # use heroku_syslog::rendered::Lines;
    /// let line = Lines::new(b"\n2024-02-03T04:05:07+00:00 app[web.1]: hi").next().unwrap()?;
    /// assert_eq!(line.offset(), 1);
    /// # Ok::<(), heroku_syslog::rendered::LineError>(())
    /// ```
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Its octets, the LF or CRLF at its end included.
    ///
    /// ```
    /// # use heroku_syslog::rendered::Lines;
    /// let line = Lines::new(b"2024-02-03T04:05:07Z app[web.1]: hi\r\n").next().unwrap()?;
    /// assert_eq!(line.len(), 37);
    /// # Ok::<(), heroku_syslog::rendered::LineError>(())
    /// ```
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.frame.bytes().len() as u64
    }

    /// The frame that was printed, without the fields that are not printed.
    ///
    /// ```
    /// # use heroku_syslog::rendered::Lines;
    /// let line = Lines::new(b"2024-02-03T04:05:07Z app[web.1]: hi").next().unwrap()?;
    /// assert_eq!((line.frame().app_name(), line.frame().pri()), (Some("app"), None));
    /// # Ok::<(), heroku_syslog::rendered::LineError>(())
    /// ```
    #[must_use]
    pub const fn frame(&self) -> Frame<'a> {
        self.frame
    }
}

/// A line that could not be read, and where it stands. Displays as its [`FrameError`].
///
/// ```
/// use heroku_syslog::rendered::Lines;
/// let error = Lines::new(b"\n2024-02-03 no").next().unwrap().unwrap_err();
/// assert_eq!(error.to_string(), "unexpected byte in TIMESTAMP at byte 11");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{error}")]
#[allow(clippy::len_without_is_empty)]
pub struct LineError {
    offset: u64,
    len: u64,
    error: FrameError,
}

impl LineError {
    /// The offset of the line's first octet in the text.
    ///
    /// ```
    /// # use heroku_syslog::rendered::Lines;
    /// assert_eq!(Lines::new(b"\nno").next().unwrap().unwrap_err().offset(), 1);
    /// ```
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The line's octets, the LF or CRLF at its end included.
    ///
    /// ```
    /// # use heroku_syslog::rendered::Lines;
    /// assert_eq!(Lines::new(b"no\n").next().unwrap().unwrap_err().len(), 3);
    /// ```
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// What is wrong; its offset counts in the text.
    ///
    /// ```
    /// # use heroku_syslog::rendered::Lines;
    /// let error = Lines::new(b"no\n").next().unwrap().unwrap_err();
    /// assert_eq!(error.error().kind().as_str(), "bad_timestamp");
    /// ```
    #[must_use]
    pub const fn error(&self) -> FrameError {
        self.error
    }
}

/// Reads one line, with or without its line end: for hosts that get lines one at a time.
///
/// # Errors
/// The first thing that is wrong, with its offset in `line`.
///
/// ```
/// let frame = heroku_syslog::rendered::parse_line(b"2024-02-03T04:05:07+00:00 app[web.1]: hi\n")?;
/// assert_eq!((frame.proc_id(), frame.message()), (Some("web.1"), &b"hi"[..]));
/// # Ok::<(), heroku_syslog::FrameError>(())
/// ```
pub fn parse_line(line: &[u8]) -> Result<Frame<'_>, FrameError> {
    rendered(line).map_err(|fault| fault.in_input_of(without_line_end(line).len()))
}

fn rendered(line: &[u8]) -> Result<Frame<'_>, Fault> {
    let input = without_line_end(line);
    let start = colours(input);
    let Parsed { value: timestamp, rest } = date_time(start)?;
    let timestamp_text = Span::between(input, start, rest);
    let [b' ', rest @ ..] = colours(rest) else {
        return Err(unexpected(FrameErrorKind::BadTimestamp, Part::Timestamp, rest));
    };
    let app = colours(rest);
    let behind_app = token(app, Part::AppName, b'[')?;
    let [b'[', process @ ..] = behind_app else { return Err(missing(Part::ProcId, behind_app)) };
    let behind_process = token(process, Part::ProcId, b']')?;
    let [b']', b':', rest @ ..] = behind_process else {
        return Err(unexpected(FrameErrorKind::MissingField, Part::ProcId, behind_process));
    };
    let fields = Fields {
        timestamp: Some(timestamp),
        timestamp_text,
        app_name: Span::between(input, app, behind_app),
        proc_id: Span::between(input, process, behind_process),
        router: app.starts_with(b"heroku[router]"),
        ..Fields::default()
    };
    if let Err(error) = core::str::from_utf8(&input[..input.len() - rest.len()]) {
        return Err(not_utf8(&fields, input, error.valid_up_to()));
    }
    let rest = colours(rest);
    let message = rest.strip_prefix(b" ").unwrap_or(rest);
    Ok(Frame::from_rendered(line, fields, message))
}

/// 1*max OCTET                                                 ; an OCTET is neither SP nor `end`; answers what is behind
fn token(input: &[u8], part: Part, end: u8) -> Result<&[u8], Fault> {
    let max = usize::from(maximum(part));
    let window = &input[..input.len().min(max + 1)];
    match window.iter().position(|byte| *byte == end || *byte == b' ').unwrap_or(window.len()) {
        0 => Err(missing(part, input)),
        len if len > max => Err(too_long(part, &input[max..])),
        len => Ok(&input[len..]),
    }
}

/// *( ESC "[" *(DIGIT / ";") "m" )                             ; answers what is behind
///
/// At most four of at most sixteen parameter octets: nobody colours more, and the offsets of the header stay small.
fn colours(input: &[u8]) -> &[u8] {
    let mut rest = input;
    for _ in 0..4 {
        let [0x1b, b'[', parameters @ ..] = rest else { break };
        let window = &parameters[..parameters.len().min(17)];
        let len = window.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';'));
        let Some([b'm', behind @ ..]) = len.map(|len| &parameters[len..]) else { break };
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
            ("\u{1b}[2K", "\u{1b}[2K"),
        ] {
            assert_eq!(colours(input.as_bytes()), rest.as_bytes());
        }
    }
}
