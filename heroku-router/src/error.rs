use core::fmt;
use thiserror::Error;

/// Why one field of a line could not be read. The line counts all the same; only this field has no value.
///
/// ```
/// use heroku_router::{FieldRefusalKind, RouterLine};
///
/// let line = br#"at=info method=GET path="/" host=shop.example.com dyno=web.1 connect=soon service=2ms status=200"#;
/// let line = RouterLine::parse(line).ok_or("no router line")?;
/// assert_eq!((line.connect_ms(), line.service_ms()), (None, Some(2.0)));
///
/// let refusal = line.refusals().next().ok_or("connect is refused")?;
/// assert_eq!(refusal.kind(), FieldRefusalKind::NotANumber);
/// assert_eq!(refusal.to_string(), "not a number in connect at byte 61");
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("{kind} in {field} at byte {offset}")]
pub struct FieldRefusal {
    kind: FieldRefusalKind,
    field: &'static str,
    offset: u32,
    len: u32,
}

/// What was wrong with a field.
///
/// ```
/// use heroku_router::FieldRefusalKind;
/// assert_eq!(FieldRefusalKind::BadStatus.as_str(), "bad_status");
/// assert_eq!(FieldRefusalKind::BadStatus.to_string(), "not a status of three digits");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum FieldRefusalKind {
    /// `connect=soon`, `bytes=0x10`, `queue=1.5`: no number, or no whole one where a whole one is due.
    NotANumber,
    /// Below zero, or beyond 64 bits.
    OutOfRange,
    /// A time in anything but `ms`, `s` or nothing, as `service=2h`.
    BadUnit,
    /// A status that is not three digits, 100..=999.
    BadStatus,
    /// A code that is not `H`, `R` or `L` and two digits, nor `blank-app`.
    BadCode,
    /// `tls` other than `true` or `false`.
    BadFlag,
    /// The closing quote is missing: the line was cut short. The value is what there is.
    UnterminatedQuote,
}

impl FieldRefusal {
    pub(crate) fn new(kind: FieldRefusalKind, field: &'static str, offset: u32, len: u32) -> Self {
        Self { kind, field, offset, len }
    }

    /// What was wrong.
    #[must_use]
    pub const fn kind(&self) -> FieldRefusalKind {
        self.kind
    }

    /// The name of the field.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// Where in the line the field starts, in bytes: the first byte of its name.
    ///
    /// Of a line before October 2012, whose code has no name, the first byte of the value.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset as usize
    }

    /// How many bytes name, `=` and value take, quotes included.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let text = b"method=GET path=/ status=20";
    /// let refusal = RouterLine::parse(text).and_then(|line| line.refusals().next()).ok_or("status is refused")?;
    /// assert_eq!(text.get(refusal.offset()..refusal.offset() + refusal.len()), Some(&b"status=20"[..]));
    /// # Ok::<(), &str>(())
    /// ```
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // A refused field is never empty: an empty value is absent.
    pub const fn len(&self) -> usize {
        self.len as usize
    }
}

impl FieldRefusalKind {
    /// A word for ledgers: `not_a_number`, `out_of_range`, `bad_unit`, `bad_status`, `bad_code`, `bad_flag`,
    /// `unterminated_quote`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotANumber => "not_a_number",
            Self::OutOfRange => "out_of_range",
            Self::BadUnit => "bad_unit",
            Self::BadStatus => "bad_status",
            Self::BadCode => "bad_code",
            Self::BadFlag => "bad_flag",
            Self::UnterminatedQuote => "unterminated_quote",
        }
    }
}

impl fmt::Display for FieldRefusalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NotANumber => "not a number",
            Self::OutOfRange => "number out of range",
            Self::BadUnit => "unknown unit of time",
            Self::BadStatus => "not a status of three digits",
            Self::BadCode => "not a code of a letter and two digits",
            Self::BadFlag => "neither true nor false",
            Self::UnterminatedQuote => "closing quote missing",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text() {
        for (kind, text, word) in [
            (FieldRefusalKind::NotANumber, "not a number in service at byte 7", "not_a_number"),
            (FieldRefusalKind::OutOfRange, "number out of range in service at byte 7", "out_of_range"),
            (FieldRefusalKind::BadUnit, "unknown unit of time in service at byte 7", "bad_unit"),
            (FieldRefusalKind::BadStatus, "not a status of three digits in service at byte 7", "bad_status"),
            (FieldRefusalKind::BadCode, "not a code of a letter and two digits in service at byte 7", "bad_code"),
            (FieldRefusalKind::BadFlag, "neither true nor false in service at byte 7", "bad_flag"),
            (FieldRefusalKind::UnterminatedQuote, "closing quote missing in service at byte 7", "unterminated_quote"),
        ] {
            assert_eq!(FieldRefusal::new(kind, "service", 7, 9).to_string(), text);
            assert_eq!(kind.as_str(), word);
        }
    }
}
