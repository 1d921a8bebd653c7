use crate::dialect::Dialect;
use crate::error::FrameError;
use crate::frame::{Frame, in_frame, syslog_message};
use crate::frames::RawFrame;
use crate::header::fast::minute_start;

/// Reads frames as [`RawFrame::parse`] does, and faster if they come one after another: the lines of a drain are mostly of
/// the same minute as the line before, so the date is read once a minute and compared otherwise.
///
/// What it remembers never changes a result. One for a connection or a pipeline, not one for a frame.
///
/// ```
/// use heroku_syslog::{Dialect, FrameParser, Frames};
///
/// let body = b"83 <40>1 2024-02-03T04:05:06+00:00 host app web.3 - State changed from starting to up\n\
///     79 <158>1 2024-02-03T04:05:07.500000+00:00 host heroku router - at=info method=GET";
/// let mut parser = FrameParser::new();
/// for raw in Frames::new(body) {
///     let raw = raw?;
///     assert_eq!(parser.parse(raw, Dialect::Logplex), raw.parse(Dialect::Logplex));
/// }
/// # Ok::<(), heroku_syslog::FramingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FrameParser {
    /// Date and time up to the minute as they were last written, and the microsecond they stand for.
    text: [u8; 16],
    micros: i64,
}

impl FrameParser {
    /// A parser that has read nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { text: *b"1970-01-01T00:00", micros: 0 }
    }

    /// Reads a frame as [`RawFrame::parse`] does.
    ///
    /// # Errors
    /// As [`RawFrame::parse`], with offsets counted from the start of the body or stream.
    #[inline(always)]
    pub fn parse<'a>(&mut self, raw: RawFrame<'a>, dialect: Dialect) -> Result<Frame<'a>, FrameError> {
        let bytes = raw.bytes();
        syslog_message(bytes, |text| self.minute(text), dialect)
            // In two steps: as one, with an error that is moved once, the compiler keeps more of a good frame in memory.
            .map_err(|fault| in_frame(fault, bytes))
            .map_err(|error| error.shifted(raw.message_offset()))
    }

    #[inline(always)]
    fn minute(&mut self, text: &[u8; 16]) -> Option<i64> {
        (*text == self.text || self.another(text)).then_some(self.micros)
    }

    #[cold]
    #[inline(never)]
    fn another(&mut self, text: &[u8; 16]) -> bool {
        minute_start(text).is_some_and(|micros| {
            (self.text, self.micros) = (*text, micros);
            true
        })
    }
}

impl Default for FrameParser {
    fn default() -> Self {
        Self::new()
    }
}
