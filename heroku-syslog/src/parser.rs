use crate::dialect::Dialect;
use crate::error::FrameError;
use crate::frame::{Frame, in_frame, syslog_message};
use crate::frames::RawFrame;
use crate::header::fast::minute_start;

/// Reads frames as [`Frame::parse`] does, and faster where they come one after another: the lines of a drain are mostly of
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
///     assert_eq!(parser.parse_raw(raw, Dialect::Logplex), raw.parse(Dialect::Logplex));
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
    ///
    /// ```
    /// let parser = heroku_syslog::FrameParser::new();
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { text: *b"1970-01-01T00:00", micros: 0 }
    }

    /// As [`Frame::parse`].
    ///
    /// # Errors
    /// As [`Frame::parse`].
    ///
    /// ```
    /// use heroku_syslog::{Dialect, FrameParser};
    ///
    /// let line = b"<190>1 2024-02-03T04:05:07.500000+00:00 host app web.1 - hi";
    /// assert_eq!(FrameParser::new().parse(line, Dialect::Logplex)?.message(), b"hi");
    /// # Ok::<(), heroku_syslog::FrameError>(())
    /// ```
    #[inline(always)]
    pub fn parse<'a>(&mut self, bytes: &'a [u8], dialect: Dialect) -> Result<Frame<'a>, FrameError> {
        syslog_message(bytes, |text| self.minute(text), |_, _| dialect).map_err(|fault| in_frame(fault, bytes))
    }

    /// As [`Frame::parse_by`].
    ///
    /// # Errors
    /// As [`Frame::parse`].
    ///
    /// ```
    /// use heroku_syslog::{Dialect, FrameParser};
    ///
    /// let line = b"<190>1 2024-02-03T04:05:07.500000+00:00 shuttle app web.1 - - hi";
    /// let frame = FrameParser::new().parse_by(line, |name| {
    ///     name.and_then(|name| Dialect::for_hostname(name.as_bytes())).unwrap_or(Dialect::Logplex)
    /// })?;
    /// assert_eq!(frame.message(), b"hi");
    /// # Ok::<(), heroku_syslog::FrameError>(())
    /// ```
    #[inline(always)]
    pub fn parse_by<'a>(
        &mut self,
        bytes: &'a [u8],
        dialect: impl FnOnce(Option<&'a str>) -> Dialect,
    ) -> Result<Frame<'a>, FrameError> {
        syslog_message(bytes, |text| self.minute(text), |bytes, hostname| dialect(hostname.of(bytes)))
            .map_err(|fault| in_frame(fault, bytes))
    }

    /// As [`RawFrame::parse`].
    ///
    /// # Errors
    /// As [`RawFrame::parse`], with offsets counted from the start of the body or stream.
    ///
    /// ```
    /// use heroku_syslog::{Dialect, FrameParser, Frames};
    ///
    /// let raw = Frames::new(b"8 <999>1 -").next().unwrap()?;
    /// let error = FrameParser::new().parse_raw(raw, Dialect::Logplex).unwrap_err();
    /// assert_eq!(error.to_string(), "value out of range in PRI at byte 3");
    /// # Ok::<(), heroku_syslog::FramingError>(())
    /// ```
    #[inline(always)]
    pub fn parse_raw<'a>(&mut self, raw: RawFrame<'a>, dialect: Dialect) -> Result<Frame<'a>, FrameError> {
        self.parse(raw.bytes(), dialect).map_err(|error| error.shifted(raw.message_offset()))
    }

    /// As [`RawFrame::parse_by`].
    ///
    /// # Errors
    /// As [`RawFrame::parse`].
    ///
    /// ```
    /// use heroku_syslog::{Dialect, FrameParser, Frames};
    ///
    /// let raw = Frames::new(b"31 <190>1 - shuttle app w.1 - - hi").next().unwrap()?;
    /// let frame = FrameParser::new().parse_raw_by(raw, |name| {
    ///     name.and_then(|name| Dialect::for_hostname(name.as_bytes())).unwrap_or(Dialect::Logplex)
    /// })?;
    /// assert_eq!(frame.message(), b"hi");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn parse_raw_by<'a>(
        &mut self,
        raw: RawFrame<'a>,
        dialect: impl FnOnce(Option<&'a str>) -> Dialect,
    ) -> Result<Frame<'a>, FrameError> {
        self.parse_by(raw.bytes(), dialect).map_err(|error| error.shifted(raw.message_offset()))
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
