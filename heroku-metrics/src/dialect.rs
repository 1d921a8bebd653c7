//! Which of the header layouts a frame is read in.

use heroku_syslog::{Dialect, Frame, FrameError, FrameParser, RawFrame};

/// Which dialect the frames of a drain are in.
///
/// ```
/// use heroku_metrics::DialectPolicy;
/// assert_eq!(DialectPolicy::default(), DialectPolicy::Fixed(heroku_metrics::syslog::Dialect::Logplex));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DialectPolicy {
    /// All frames are in this one. An HTTPS drain of Heroku is [`Dialect::Logplex`], a syslog drain [`Dialect::Rfc5424`].
    Fixed(Dialect),
    /// [`Dialect::for_hostname`] decides frame by frame, [`Dialect::Logplex`] where it does not know: for files that
    /// hold both.
    ByHostname,
}

impl Default for DialectPolicy {
    fn default() -> Self {
        Self::Fixed(Dialect::Logplex)
    }
}

impl DialectPolicy {
    /// Reads a frame's header in the dialect of the policy.
    ///
    /// ```
    /// use heroku_metrics::{DialectPolicy, syslog::Frames};
    ///
    /// let body = b"54 <190>1 2026-03-14T09:26:53Z d.4f2a app web.1 - - hello";
    /// let raw = Frames::new(body).next().unwrap()?;
    /// assert_eq!(DialectPolicy::ByHostname.read(raw)?.message(), b"hello");
    /// assert_eq!(DialectPolicy::default().read(raw)?.message(), b"- hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`FrameError`] with offsets counted as those of the frame.
    pub fn read<'a>(self, raw: RawFrame<'a>) -> Result<Frame<'a>, FrameError> {
        match self {
            Self::Fixed(dialect) => raw.parse(dialect),
            Self::ByHostname => raw.parse_by(dialect_of),
        }
    }

    /// Reads one message that has no length, a line of a syslog file, say, as [`read`](Self::read) does.
    ///
    /// ```
    /// use heroku_metrics::DialectPolicy;
    ///
    /// let line = b"<190>1 2026-03-14T09:26:53Z d.4f2a app web.1 - - hello";
    /// assert_eq!(DialectPolicy::ByHostname.read_message(line)?.message(), b"hello");
    /// # Ok::<(), heroku_metrics::syslog::FrameError>(())
    /// ```
    ///
    /// # Errors
    /// A [`FrameError`] with offsets counted from the start of `message`.
    pub fn read_message(self, message: &[u8]) -> Result<Frame<'_>, FrameError> {
        match self {
            Self::Fixed(dialect) => Frame::parse(message, dialect),
            Self::ByHostname => Frame::parse_by(message, dialect_of),
        }
    }

    /// As [`read`](Self::read), with a parser that remembers the last minute.
    #[inline]
    pub(crate) fn read_with<'a>(self, parser: &mut FrameParser, raw: RawFrame<'a>) -> Result<Frame<'a>, FrameError> {
        match self {
            Self::Fixed(dialect) => parser.parse_raw(raw, dialect),
            Self::ByHostname => parser.parse_raw_by(raw, dialect_of),
        }
    }
}

fn dialect_of(hostname: Option<&str>) -> Dialect {
    hostname.and_then(|name| Dialect::for_hostname(name.as_bytes())).unwrap_or(Dialect::Logplex)
}
