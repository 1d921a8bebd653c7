use std::error::Error;
use std::fmt;
use std::io;

/// Why a row cannot be had. Displays as what, in which row and column, and what to do.
///
/// ```
/// use log_archive::{ReadErrorKind, Reader};
///
/// let archive = b"7\tyesterday\t2026-11-28T22:14:59Z\t1\tweb-1\t192.0.2.7\tUser\tInfo\tsshd\thello\n";
/// let error = Reader::new(&archive[..]).read().unwrap_err();
/// assert_eq!((error.kind(), error.row(), error.column()), (ReadErrorKind::Time, 1, Some(2)));
/// assert_eq!(error.to_string(), "no time as 2026-11-28T22:14:58Z in row 1, column 2 (generated_at): the row is left out");
/// ```
#[derive(Debug)]
pub struct ReadError {
    kind: ReadErrorKind,
    row: u64,
    column: Option<u8>,
    source: Option<io::Error>,
}

/// The kinds of a [`ReadError`]. All but [`Input`](Self::Input) cost one row: reading goes on behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// The input failed, or its decoder; nothing more is read.
    Input,
    /// The row is longer than the reader may keep.
    RowTooLong,
    /// The id of the row or of its source is no whole number below 2^64.
    Number,
    /// There is no time in a form that archives have.
    Time,
}

const COLUMNS: [&str; 10] = [
    "id",
    "generated_at",
    "received_at",
    "source_id",
    "source_name",
    "source_ip",
    "facility_name",
    "severity_name",
    "program",
    "message",
];

impl ReadError {
    pub(crate) fn new(kind: ReadErrorKind, row: u64, column: Option<u8>) -> Self {
        Self { kind, row, column, source: None }
    }

    pub(crate) fn input(row: u64, source: io::Error) -> Self {
        Self { kind: ReadErrorKind::Input, row, column: None, source: Some(source) }
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> ReadErrorKind {
        self.kind
    }

    /// Which line of the input it is, from 1; headers, blank and short ones are lines, too.
    #[must_use]
    pub fn row(&self) -> u64 {
        self.row
    }

    /// Which column it is, 1 to 10; none if it is the row as a whole.
    #[must_use]
    pub fn column(&self) -> Option<u8> {
        self.column
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ReadErrorKind::Input => "the archive cannot be read on",
            ReadErrorKind::RowTooLong => "more bytes than a row may have",
            ReadErrorKind::Number => "no whole number below 2^64",
            ReadErrorKind::Time => "no time as 2026-11-28T22:14:58Z",
        })?;
        write!(f, " in row {}", self.row)?;
        if let Some(column) = self.column {
            let name = usize::from(column).checked_sub(1).and_then(|index| COLUMNS.get(index)).unwrap_or(&"");
            write!(f, ", column {column} ({name})")?;
        }
        match (self.kind, &self.source) {
            (ReadErrorKind::Input, Some(source)) => write!(f, ": {source}"),
            (ReadErrorKind::RowTooLong, _) => f.write_str(": it is left out; a reader may be given a higher limit"),
            _ => f.write_str(": the row is left out"),
        }
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as &(dyn Error + 'static))
    }
}

/// Why a text is no name of a period, or cannot be part of a key.
///
/// ```
/// use log_archive::{Keys, NameErrorKind, Period};
///
/// let error = "2026-11-31".parse::<Period>().unwrap_err();
/// assert_eq!(error.to_string(), "no day as 2026-11-28 and no hour as 2026-11-28-22");
/// assert_eq!(Keys::new(Keys::PREFIX, "../42").unwrap_err().kind(), NameErrorKind::Account);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameError {
    kind: NameErrorKind,
}

/// The kinds of a [`NameError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NameErrorKind {
    /// It names no day and no hour.
    Period,
    /// The prefix of a key has an empty part, `.`, `..`, a backslash or a control character, or is too long.
    Prefix,
    /// The same of an account's id, which has no slash either.
    Account,
}

impl NameError {
    pub(crate) fn new(kind: NameErrorKind) -> Self {
        Self { kind }
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> NameErrorKind {
        self.kind
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            NameErrorKind::Period => "no day as 2026-11-28 and no hour as 2026-11-28-22",
            NameErrorKind::Prefix => {
                "the prefix of keys is words with a slash between, at most 512 bytes, without `.`, `..`, backslash or control character"
            }
            NameErrorKind::Account => {
                "an account's id in a key is one word of at most 256 bytes, without slash, backslash or control character, and not `.` or `..`"
            }
        })
    }
}

impl Error for NameError {}
