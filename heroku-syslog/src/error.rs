use core::fmt;

/// What is wrong with one frame; its neighbours are not touched by it.
///
/// Displays as what, which part, at which byte. Offsets count from the first byte of the bytes that were given to the
/// function that failed: of the frame for [`Frame::parse`](crate::Frame::parse), of the whole body for
/// [`RawFrame::parse`](crate::RawFrame::parse), of the line for [`rendered::parse_line`](crate::rendered::parse_line).
///
/// ```
/// use heroku_syslog::{Dialect, Frame, FrameErrorKind};
///
/// let error = Frame::parse(b"<134>Feb 18 20:53:31 lb1 check", Dialect::Logplex).unwrap_err();
/// assert_eq!((error.kind(), error.part(), error.offset()), (FrameErrorKind::BadVersion, "VERSION", 5));
/// assert_eq!(error.to_string(), "unexpected byte in VERSION at byte 5");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{problem} in {part} at byte {offset}")]
pub struct FrameError {
    kind: FrameErrorKind,
    problem: Problem,
    part: Part,
    offset: u64,
}

impl FrameError {
    /// The kind, for counting by reason.
    #[must_use]
    pub const fn kind(&self) -> FrameErrorKind {
        self.kind
    }

    /// The part of the header that could not be read, by its name in RFC 5424: `PRI`, `VERSION`, `TIMESTAMP`, `HOSTNAME`,
    /// `APP-NAME`, `PROCID`, `MSGID` or `STRUCTURED-DATA`.
    #[must_use]
    pub const fn part(&self) -> &'static str {
        self.part.as_str()
    }

    /// The byte that is wrong, or the end of the input where something is missing.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The same error, its offset counted from `by` bytes further ahead: for a host that knows where in its input the
    /// line stands.
    ///
    /// ```
    /// let error = heroku_syslog::Timestamp::parse(b"today").unwrap_err();
    /// assert_eq!(error.shifted(100).offset(), error.offset() + 100);
    /// ```
    #[must_use]
    pub const fn shifted(mut self, by: u64) -> Self {
        self.offset = self.offset.saturating_add(by);
        self
    }
}

/// The reasons why a frame is refused.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FrameErrorKind {
    /// No `<PRIVAL>` with a value of 0 to 191 at the start.
    BadPri,
    /// VERSION is not 1 to 999 with a space behind it.
    BadVersion,
    /// TIMESTAMP is neither RFC 3339 nor the NILVALUE.
    BadTimestamp,
    /// A field is empty, or the input ends before it.
    MissingField,
    /// STRUCTURED-DATA is neither the NILVALUE nor a row of SD-ELEMENTs.
    BadStructuredData,
    /// A header field is not UTF-8.
    NotUtf8,
    /// A header field is longer than RFC 5424 allows.
    FieldTooLong,
}

impl FrameErrorKind {
    /// The name in snake case, as ledgers and JSON print it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadPri => "bad_pri",
            Self::BadVersion => "bad_version",
            Self::BadTimestamp => "bad_timestamp",
            Self::MissingField => "missing_field",
            Self::BadStructuredData => "bad_structured_data",
            Self::NotUtf8 => "not_utf8",
            Self::FieldTooLong => "field_too_long",
        }
    }
}

impl fmt::Display for FrameErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::BadPri => "no PRI of 0 to 191 at the start",
            Self::BadVersion => "no version of 1 to 999",
            Self::BadTimestamp => "timestamp neither of RFC 3339 nor the NILVALUE",
            Self::MissingField => "field empty or missing",
            Self::BadStructuredData => "structured data neither elements nor the NILVALUE",
            Self::NotUtf8 => "header field not UTF-8",
            Self::FieldTooLong => "header field longer than RFC 5424 allows",
        })
    }
}

/// The parts of a syslog message, under the names RFC 5424 gives them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// `<PRIVAL>`.
    Pri,
    /// VERSION.
    Version,
    /// TIMESTAMP.
    Timestamp,
    /// HOSTNAME.
    Hostname,
    /// APP-NAME.
    AppName,
    /// PROCID.
    ProcId,
    /// MSGID.
    MsgId,
    /// STRUCTURED-DATA.
    StructuredData,
}

impl Part {
    /// The name as RFC 5424 writes it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pri => "PRI",
            Self::Version => "VERSION",
            Self::Timestamp => "TIMESTAMP",
            Self::Hostname => "HOSTNAME",
            Self::AppName => "APP-NAME",
            Self::ProcId => "PROCID",
            Self::MsgId => "MSGID",
            Self::StructuredData => "STRUCTURED-DATA",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What exactly was met; the text of a [`FrameError`] begins with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Problem {
    OutOfRange,
    Unexpected,
    Ends,
    Empty,
    LongerThan(u16),
    NotUtf8,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange => f.write_str("value out of range"),
            Self::Unexpected => f.write_str("unexpected byte"),
            Self::Ends => f.write_str("end of input"),
            Self::Empty => f.write_str("missing value"),
            Self::LongerThan(max) => write!(f, "more than {max} bytes"),
            Self::NotUtf8 => f.write_str("invalid UTF-8"),
        }
    }
}

/// An error inside a rule. Rules see only what is left of their input, so an offset is told by how much is left there;
/// the entry point, which knows the whole, makes an offset of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: FrameErrorKind,
    pub(crate) problem: Problem,
    pub(crate) part: Part,
    pub(crate) left: usize,
}

impl Fault {
    /// The error of an input of `len` bytes.
    #[cold]
    pub(crate) const fn in_input_of(self, len: usize) -> FrameError {
        let offset = len.saturating_sub(self.left) as u64;
        FrameError { kind: self.kind, problem: self.problem, part: self.part, offset }
    }
}

/// A fault at the start of `rest`: a wrong byte, or the end.
#[cold]
pub(crate) const fn unexpected(kind: FrameErrorKind, part: Part, rest: &[u8]) -> Fault {
    let problem = if rest.is_empty() { Problem::Ends } else { Problem::Unexpected };
    Fault { kind, problem, part, left: rest.len() }
}

/// A fault of a value that starts at `rest`.
#[cold]
pub(crate) const fn out_of_range(kind: FrameErrorKind, part: Part, rest: &[u8]) -> Fault {
    Fault { kind, problem: Problem::OutOfRange, part, left: rest.len() }
}

/// Why the octet counts of a body cannot be followed any further.
///
/// ```
/// use heroku_syslog::{Frames, FramingErrorKind, Recovery};
///
/// let error = Frames::new(b"66!<13>1 - host app web.1 - hi").with_recovery(Recovery::Stop).next().unwrap().unwrap_err();
/// assert_eq!(error.kind(), FramingErrorKind::BadLength);
/// assert_eq!((error.start(), error.offset(), error.skipped()), (0, 2, 30));
/// assert_eq!(error.to_string(), "bad frame length at byte 2: a space should follow the digits");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{cause}{}", Details(*offset, cause))]
pub struct FramingError {
    cause: Cause,
    start: u64,
    offset: u64,
    skipped: u64,
}

impl FramingError {
    pub(crate) const fn new(cause: Cause, offset: u64) -> Self {
        Self { cause, start: 0, offset, skipped: 0 }
    }

    /// The kind, for counting by reason.
    #[must_use]
    pub const fn kind(&self) -> FramingErrorKind {
        match self.cause {
            Cause::TooLong { .. } => FramingErrorKind::TooLong,
            Cause::Truncated { .. } => FramingErrorKind::Truncated,
            Cause::LengthOff { .. } => FramingErrorKind::LengthOff,
            Cause::NoDigit | Cause::LeadingZero | Cause::NoSpace | Cause::Overflow => FramingErrorKind::BadLength,
        }
    }

    /// The first byte that could not be read as a frame, counted from the start of the body.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// The byte that is wrong, counted from the start of the body; of a frame that is too long or truncated, its first; of
    /// one whose length is off, the byte behind its end.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes were passed over because of it, from [`start`](Self::start) on; under
    /// [`Recovery::Stop`](crate::Recovery::Stop) all the rest. [`deframe`](crate::deframe) passes over nothing.
    ///
    /// ```
    /// use heroku_syslog::Frames;
    /// let error = Frames::new(b"junk16 <1>1 - - - - - -").next().unwrap().unwrap_err();
    /// assert_eq!(error.skipped(), 4);
    /// ```
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The same error of a frame that starts `by` bytes further ahead.
    pub(crate) const fn shifted(mut self, by: u64) -> Self {
        self.start = self.start.saturating_add(by);
        self.offset = self.offset.saturating_add(by);
        self
    }

    pub(crate) const fn with_skipped(mut self, skipped: u64) -> Self {
        self.skipped = skipped;
        self
    }
}

/// What became of the octet counts.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FramingErrorKind {
    /// No digits, a leading zero, no space behind the digits, or more than 64 bits.
    BadLength,
    /// MSG-LEN is over the limit.
    TooLong,
    /// The input ends before the frame does.
    Truncated,
    /// Behind the frame stands neither another one nor a line end nor the end of input: what was read is a part of a
    /// message, or more than one. Told under [`Recovery::Resync`](crate::Recovery::Resync) alone.
    LengthOff,
}

impl FramingErrorKind {
    /// The name in snake case, as ledgers and JSON print it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadLength => "bad_length",
            Self::TooLong => "too_long",
            Self::Truncated => "truncated",
            Self::LengthOff => "length_off",
        }
    }
}

impl fmt::Display for FramingErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::BadLength => "no length with a space behind it",
            Self::TooLong => "frame too long",
            Self::Truncated => "input ends before the frame does",
            Self::LengthOff => "length off: no frame, line end or end of input behind it",
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    NoDigit,
    LeadingZero,
    NoSpace,
    Overflow,
    TooLong { need: u64, limit: u64 },
    Truncated { need: u64, have: u64 },
    LengthOff { need: u64 },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong { .. } => "frame too long",
            Self::Truncated { .. } => "frame truncated",
            Self::LengthOff { .. } => "frame length off",
            _ => "bad frame length",
        })
    }
}

/// Where, and what it means.
struct Details<'a>(u64, &'a Cause);

impl fmt::Display for Details<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " at byte {}: ", self.0)?;
        match self.1 {
            Cause::NoDigit => f.write_str("no digit where a length should begin"),
            Cause::LeadingZero => f.write_str("a length does not begin with 0"),
            Cause::NoSpace => f.write_str("a space should follow the digits"),
            Cause::Overflow => f.write_str("the number has more than 64 bits"),
            Cause::TooLong { need, limit } => write!(f, "it declares {need} octets, the limit is {limit}"),
            Cause::Truncated { need, have } => write!(f, "it declares {need} octets, {have} are there"),
            Cause::LengthOff { need } => {
                write!(f, "it declares {need} bytes, and neither a frame nor a line end stands behind them")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_problem_has_its_text() {
        for (problem, text) in [
            (Problem::OutOfRange, "value out of range in PRI at byte 5"),
            (Problem::Unexpected, "unexpected byte in PRI at byte 5"),
            (Problem::Ends, "end of input in PRI at byte 5"),
            (Problem::Empty, "missing value in PRI at byte 5"),
            (Problem::LongerThan(48), "more than 48 bytes in PRI at byte 5"),
            (Problem::NotUtf8, "invalid UTF-8 in PRI at byte 5"),
        ] {
            let fault = Fault { kind: FrameErrorKind::BadPri, problem, part: Part::Pri, left: 2 };
            assert_eq!(fault.in_input_of(4).shifted(3).to_string(), text);
        }
    }

    #[test]
    fn every_cause_has_its_text() {
        for (cause, text) in [
            (Cause::NoDigit, "bad frame length at byte 9: no digit where a length should begin"),
            (Cause::LeadingZero, "bad frame length at byte 9: a length does not begin with 0"),
            (Cause::NoSpace, "bad frame length at byte 9: a space should follow the digits"),
            (Cause::Overflow, "bad frame length at byte 9: the number has more than 64 bits"),
            (
                Cause::TooLong { need: 70_000, limit: 65_536 },
                "frame too long at byte 9: it declares 70000 octets, the limit is 65536",
            ),
            (Cause::Truncated { need: 70, have: 64 }, "frame truncated at byte 9: it declares 70 octets, 64 are there"),
            (
                Cause::LengthOff { need: 70 },
                "frame length off at byte 9: it declares 70 bytes, and neither a frame nor a line end stands behind them",
            ),
        ] {
            assert_eq!(FramingError::new(cause, 2).shifted(7).to_string(), text);
        }
    }

    #[test]
    fn errors_are_small() {
        assert!(size_of::<FrameError>() <= 24);
        assert!(size_of::<FramingError>() <= 48);
    }
}
