use core::fmt;
use core::ops::Range;

/// What was assumed when a query was read. `Display` says it in a sentence, with the byte.
///
/// ```
/// use log_query::{NoteKind, Query};
///
/// let parsed = Query::parse("plum OR");
/// assert_eq!((parsed.notes()[0].kind(), parsed.notes()[0].range()), (NoteKind::OperatorDropped, 5..7));
/// assert_eq!(parsed.notes()[0].to_string(), "operator at byte 5 dropped: it has nothing on one side");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    kind: NoteKind,
    range: Range<usize>,
}

impl Note {
    pub(crate) fn new(kind: NoteKind, range: Range<usize>) -> Self {
        Self { kind, range }
    }

    /// What was assumed.
    #[must_use]
    pub fn kind(&self) -> NoteKind {
        self.kind
    }

    /// Where, in bytes of the text that was parsed. It begins and ends between characters.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }
}

/// The kinds of a [`Note`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NoteKind {
    /// A quote that nothing closes was closed at the end.
    QuoteClosed,
    /// A bracket that nothing closes was closed at the end.
    BracketClosed,
    /// A closing bracket that closes nothing was dropped.
    BracketDropped,
    /// `AND`, `OR` or `NOT` without a side was dropped.
    OperatorDropped,
    /// `""` or `()` was dropped.
    EmptyDropped,
    /// `*` beside other terms was dropped.
    StarDropped,
    /// A dash that excludes nothing is text: `--flag`, `-*`, or `-` alone.
    DashText,
    /// A word with a colon is text, for there is no attribute of that name.
    KeyText,
    /// An attribute's name is text, for nothing stands directly behind its colon.
    ColonText,
    /// An attribute is text, for it has no such value.
    ValueText,
    /// Brackets are text, for they are deeper than 512.
    DepthText,
    /// `and`, `or` or `not` is text: operators are in upper case.
    OperatorText,
    /// How operators without brackets were read.
    Precedence,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, why) = match self.kind {
            NoteKind::QuoteClosed => ("quote", "closed at the end: no quote like it follows"),
            NoteKind::BracketClosed => ("bracket", "closed at the end: no bracket closes it"),
            NoteKind::BracketDropped => ("bracket", "dropped: it closes nothing; text with a bracket needs quotes"),
            NoteKind::OperatorDropped => ("operator", "dropped: it has nothing on one side"),
            NoteKind::EmptyDropped => ("term", "dropped: it is empty"),
            NoteKind::StarDropped => ("*", "dropped: beside other terms it changes nothing; as text it needs quotes"),
            NoteKind::DashText => {
                ("dash", "read as text: to exclude, put one - directly before a word, quote or bracket")
            }
            NoteKind::KeyText => (
                "word",
                "read as text: there is no attribute of this name, but sender, host, program, message, severity, facility, ip",
            ),
            NoteKind::ColonText => ("word", "read as text: an attribute's value stands directly behind the colon"),
            NoteKind::ValueText => ("attribute", "read as text: it has no such value"),
            NoteKind::DepthText => ("bracket", "read as text: it is deeper than 512 brackets"),
            NoteKind::OperatorText => ("word", "read as text: operators are in upper case"),
            NoteKind::Precedence => {
                ("operators", "read so: AND, also unwritten, binds tighter than OR; brackets change that")
            }
        };
        write!(f, "{what} at byte {} {why}", self.range.start)
    }
}
