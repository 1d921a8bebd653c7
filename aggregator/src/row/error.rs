use core::fmt;

/// Why bytes were refused as a row.
///
/// ```
/// use minute_aggregator::{MinuteSketch, RowBuf, RowErrorKind};
/// let error = RowBuf::<MinuteSketch>::from_bytes(b"hello, world").unwrap_err();
/// assert_eq!((error.kind(), error.offset()), (RowErrorKind::NotARow, 0));
/// assert_eq!(error.to_string(), "not a row at byte 0");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowError {
    kind: RowErrorKind,
    offset: usize,
}

/// What a [`RowError`] is about.
///
/// ```
/// use minute_aggregator::{MinuteSketch, RowBuf, RowErrorKind};
/// let error = RowBuf::<MinuteSketch>::from_bytes(b"MR\x02").unwrap_err();
/// assert_eq!(error.kind(), RowErrorKind::Version);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RowErrorKind {
    /// It does not start like one.
    NotARow,
    /// It was written by a later version.
    Version,
    /// It ends before it should.
    Truncated,
    /// Something stands behind it.
    Trailing,
    /// It was damaged.
    Checksum,
    /// It is whole, but its content makes no sense: no aggregator wrote it.
    Content,
}

impl RowError {
    pub(super) const fn new(kind: RowErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// What it is about.
    #[must_use]
    pub const fn kind(self) -> RowErrorKind {
        self.kind
    }

    /// The byte at which it was found.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            RowErrorKind::NotARow => "not a row",
            RowErrorKind::Version => "row of an unknown version",
            RowErrorKind::Truncated => "row ends early",
            RowErrorKind::Trailing => "something behind the end of the row",
            RowErrorKind::Checksum => "checksum of the row does not match",
            RowErrorKind::Content => "content of the row makes no sense",
        };
        write!(f, "{what} at byte {}", self.offset)
    }
}

impl std::error::Error for RowError {}

/// Why two rows cannot be added up, or one cannot be put into another window. Nothing was changed.
///
/// ```
/// assert_eq!(minute_aggregator::RowMergeError::Unit.to_string(), "rows of different units");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RowMergeError {
    /// Their metrics have different names.
    Name,
    /// One is of counts, say, the other of measures.
    Kind,
    /// Their units differ.
    Unit,
    /// Their tags differ; see [`RowBuf::with_tags`](super::RowBuf::with_tags).
    Tags,
    /// Their windows differ; see [`RowBuf::with_window`](super::RowBuf::with_window).
    Window,
    /// One has percentiles, and the other none, or of another precision.
    Precision,
    /// The window that the row should be a part of does not hold all of the row's own.
    WindowTooShort,
}

impl fmt::Display for RowMergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "rows of different metrics",
            Self::Kind => "rows of different kinds",
            Self::Unit => "rows of different units",
            Self::Tags => "rows of different tags",
            Self::Window => "rows of different windows",
            Self::Precision => "rows with percentiles of different precision",
            Self::WindowTooShort => "window that does not hold that of the row",
        })
    }
}

impl std::error::Error for RowMergeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text() {
        for (kind, text) in [
            (RowErrorKind::NotARow, "not a row at byte 7"),
            (RowErrorKind::Version, "row of an unknown version at byte 7"),
            (RowErrorKind::Truncated, "row ends early at byte 7"),
            (RowErrorKind::Trailing, "something behind the end of the row at byte 7"),
            (RowErrorKind::Checksum, "checksum of the row does not match at byte 7"),
            (RowErrorKind::Content, "content of the row makes no sense at byte 7"),
        ] {
            assert_eq!(RowError::new(kind, 7).to_string(), text);
        }
        for (error, text) in [
            (RowMergeError::Name, "rows of different metrics"),
            (RowMergeError::Kind, "rows of different kinds"),
            (RowMergeError::Unit, "rows of different units"),
            (RowMergeError::Tags, "rows of different tags"),
            (RowMergeError::Window, "rows of different windows"),
            (RowMergeError::Precision, "rows with percentiles of different precision"),
            (RowMergeError::WindowTooShort, "window that does not hold that of the row"),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }
}
