use core::fmt;
use core::ops::Range;
use thiserror::Error;

/// Why a text is no number with a unit. The message says what, in which part, at which byte.
///
/// ```
/// use logfmt_metrics::{NumberErrorKind, number};
///
/// let error = number(b"200m/s").expect_err("a slash is no letter");
/// assert_eq!((error.kind(), error.offset()), (NumberErrorKind::BadUnit, 4));
/// assert_eq!(error.to_string(), "not 1 to 16 letters or % in unit at byte 4");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("{kind} at byte {offset}")]
pub struct NumberError {
    kind: NumberErrorKind,
    offset: usize,
}

impl NumberError {
    pub(crate) const fn new(kind: NumberErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(self) -> NumberErrorKind {
        self.kind
    }

    /// The byte of the text that is wrong; 0 for a number beyond the largest double.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

/// The ways of being no number.
///
/// ```
/// use logfmt_metrics::{NumberErrorKind, number};
/// assert_eq!(number(b"inf").map_err(|error| error.kind()), Err(NumberErrorKind::NotANumber));
/// assert_eq!(number(b"1e999").map_err(|error| error.kind()), Err(NumberErrorKind::NotFinite));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum NumberErrorKind {
    /// There is no text.
    Empty,
    /// No digit where the first one is due.
    NotANumber,
    /// Its nearest double is an infinity.
    NotFinite,
    /// What follows the number is neither `%` nor 1 to 16 letters.
    BadUnit,
}

impl NumberErrorKind {
    /// A name for counters: `empty`, `not_a_number`, `not_finite`, `bad_unit`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotANumber => "not_a_number",
            Self::NotFinite => "not_finite",
            Self::BadUnit => "bad_unit",
        }
    }
}

impl fmt::Display for NumberErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Empty => "no text in number",
            Self::NotANumber => "no digit in number",
            Self::NotFinite => "beyond the largest double in number",
            Self::BadUnit => "not 1 to 16 letters or % in unit",
        })
    }
}

/// A directive that cannot be used: why, and which token of the line it is. It costs that token alone.
///
/// An outcome to count rather than a failure of the walk, which goes on behind the token.
///
/// ```
/// use logfmt_metrics::{RefusalKind, directives};
///
/// let line = b"paid count#orders=-1 count#visits=2";
/// let refusal = directives(line).find_map(Result::err).expect("a count below zero");
/// assert_eq!(refusal.kind(), RefusalKind::NegativeCount);
/// assert_eq!(&line[refusal.range()], b"count#orders=-1");
/// assert_eq!(refusal.to_string(), "negative number in count value at byte 5");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("{kind} at byte {offset}")]
pub struct Refusal {
    kind: RefusalKind,
    offset: usize,
    len: usize,
}

impl Refusal {
    pub(crate) const fn new(kind: RefusalKind, token: Range<usize>) -> Self {
        Self { kind, offset: token.start, len: token.end - token.start }
    }

    /// The reason.
    #[must_use]
    pub const fn kind(self) -> RefusalKind {
        self.kind
    }

    /// Where the token begins: bytes from the start of the line.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }

    /// The bytes of the line that the token takes, quotes included.
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.offset..self.offset + self.len
    }
}

/// Why a directive was refused.
///
/// ```
/// use logfmt_metrics::{RefusalKind, directives};
///
/// let refused = |line: &'static str| directives(line.as_bytes()).find_map(Result::err).map(|refusal| refusal.kind());
/// assert_eq!(refused("count#a"), Some(RefusalKind::NoValue));
/// assert_eq!(refused("tag#user="), Some(RefusalKind::BadTagValue));
/// assert_eq!(refused("count#a=1"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum RefusalKind {
    /// `count#a`, `count#a=`, `tag#a`: there is no value.
    NoValue,
    /// The metric's value does not begin with a number.
    NotANumber,
    /// The value is beyond the largest double, as written or in its regular unit.
    NotFinite,
    /// A count below zero.
    NegativeCount,
    /// What follows the number is neither `%` nor 1 to 16 letters.
    BadUnit,
    /// The metric's name is empty, or has a character outside `A-Za-z0-9_.:/-`.
    BadName,
    /// The metric's name has more than [`MAX_NAME`](crate::MAX_NAME) bytes.
    NameTooLong,
    /// The metric's name is in a native family, as `heroku.router.` and `heroku.dyno.`, in any case of its letters: only the
    /// platform's lines make those. Other names below `heroku.` are the application's own.
    ReservedName,
    /// The tag's key is empty, or holds a control character or a metric's word.
    BadTagKey,
    /// The tag's key has more than [`MAX_TAG_KEY`](crate::MAX_TAG_KEY) bytes.
    TagKeyTooLong,
    /// The tag's value is empty, or holds a double quote without being in quotes.
    BadTagValue,
    /// The tag's value has more than [`MAX_TAG_VALUE`](crate::MAX_TAG_VALUE) bytes, escapes undone.
    TagValueTooLong,
    /// The line has [`MAX_TAGS`](crate::MAX_TAGS) tags already.
    TooManyTags,
    /// A name, key or tag value is no UTF-8.
    NotUtf8,
    /// The value's quote is open: of a directive, or of a pair that swallows what looks like one.
    UnterminatedQuote,
    /// A metric in a quoted value that is not the line's message: the text may be a client's.
    Quoted,
    /// A metric that is not at the start of a word: in a URL, in the value of a pair or a tag.
    Misplaced,
}

impl RefusalKind {
    /// All of them, in order: the rows of a table of counters.
    ///
    /// ```
    /// use logfmt_metrics::RefusalKind;
    /// assert!(RefusalKind::ALL.is_sorted() && RefusalKind::ALL.contains(&RefusalKind::BadUnit));
    /// ```
    pub const ALL: &'static [Self] = &[
        Self::NoValue,
        Self::NotANumber,
        Self::NotFinite,
        Self::NegativeCount,
        Self::BadUnit,
        Self::BadName,
        Self::NameTooLong,
        Self::ReservedName,
        Self::BadTagKey,
        Self::TagKeyTooLong,
        Self::BadTagValue,
        Self::TagValueTooLong,
        Self::TooManyTags,
        Self::NotUtf8,
        Self::UnterminatedQuote,
        Self::Quoted,
        Self::Misplaced,
    ];

    /// A name for counters and reports: `no_value`, `not_a_number`, `not_finite` and so on.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoValue => "no_value",
            Self::NotANumber => "not_a_number",
            Self::NotFinite => "not_finite",
            Self::NegativeCount => "negative_count",
            Self::BadUnit => "bad_unit",
            Self::BadName => "bad_name",
            Self::NameTooLong => "name_too_long",
            Self::ReservedName => "reserved_name",
            Self::BadTagKey => "bad_tag_key",
            Self::TagKeyTooLong => "tag_key_too_long",
            Self::BadTagValue => "bad_tag_value",
            Self::TagValueTooLong => "tag_value_too_long",
            Self::TooManyTags => "too_many_tags",
            Self::NotUtf8 => "not_utf8",
            Self::UnterminatedQuote => "unterminated_quote",
            Self::Quoted => "quoted",
            Self::Misplaced => "misplaced",
        }
    }
}

impl fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoValue => "no value in metric or tag",
            Self::NotANumber => "no number in metric value",
            Self::NotFinite => "beyond the largest double in metric value",
            Self::NegativeCount => "negative number in count value",
            Self::BadUnit => "not 1 to 16 letters or % in unit of metric value",
            Self::BadName => "empty, or not of A-Za-z0-9_.:/-, in metric name",
            Self::NameTooLong => "more than 255 bytes in metric name",
            Self::ReservedName => "a family of the platform in metric name",
            Self::BadTagKey => "empty, or a control character, in tag key",
            Self::TagKeyTooLong => "more than 64 bytes in tag key",
            Self::BadTagValue => "no text, or a double quote, in tag value",
            Self::TagValueTooLong => "more than 255 bytes in tag value",
            Self::TooManyTags => "more than 50 tags in line: one more",
            Self::NotUtf8 => "not UTF-8 in name, tag key or tag value",
            Self::UnterminatedQuote => "no closing quote in value",
            Self::Quoted => "metric in a quoted value",
            Self::Misplaced => "metric that is not at the start of a word",
        })
    }
}

impl RefusalKind {
    /// Of a metric whose value is no number.
    pub(crate) const fn of_number(kind: NumberErrorKind) -> Self {
        match kind {
            NumberErrorKind::Empty => Self::NoValue,
            NumberErrorKind::NotANumber => Self::NotANumber,
            NumberErrorKind::NotFinite => Self::NotFinite,
            NumberErrorKind::BadUnit => Self::BadUnit,
        }
    }
}
