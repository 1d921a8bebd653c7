use crate::fields::Fields;
use crate::fold::{Folded, fold_into, has_variants, may_be_coloured};
use crate::search::Needle;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

/// Which texts of a line a term looks in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    /// System, program, message, and `program: message`.
    All,
    System,
    Program,
    Message,
}

/// A text to be found in a line.
///
/// For evaluators that do not go line by line, such as a store that searches whole blocks of folded text:
///
/// ```
/// use log_query::{Node, Query};
///
/// let parsed = Query::parse("\"Status: 50\"");
/// let Node::Term(term) = parsed.query().root() else { panic!("one term") };
/// assert_eq!((term.text(), term.folded()), ("Status: 50", &b"status: 50"[..]));
/// assert!(term.is_exact() && term.found_in(b"at=info status: 503"));
/// assert!(term.in_system() && term.in_program() && term.in_message() && term.in_joined());
/// ```
#[derive(Clone)]
pub struct Term {
    text: Box<str>,
    folded: Box<[u8]>,
    anchor: Range<usize>,
    needle: Needle,
    within: Within,
    letters: bool,
    joined: bool,
}

impl Term {
    /// `None` if nothing is left to look for.
    pub(crate) fn new(text: &str, within: Within) -> Option<Self> {
        let mut folded = Vec::with_capacity(text.len());
        fold_into(text.as_bytes(), &mut folded);
        if folded.is_empty() {
            return None;
        }
        let anchor = longest_exact(&folded);
        let letters = anchor.len() < folded.len();
        let needle = Needle::new(&folded, folded.get(anchor.clone()).unwrap_or_default(), letters);
        let joined = within == Within::All && may_span(&folded);
        Some(Self { text: text.into(), folded: folded.into(), anchor, needle, within, letters, joined })
    }

    /// The text as it was typed, without quotes.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text as [`fold_into`](crate::fold_into) folds it: never empty, and UTF-8.
    #[must_use]
    pub fn folded(&self) -> &[u8] {
        &self.folded
    }

    /// Whether a search for the bytes of [`folded`](Self::folded) in a folded text is the whole truth. It is, unless the
    /// term holds letters beyond ASCII that have a lower and an upper case.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.letters
    }

    /// The longest piece of [`folded`](Self::folded) that every folded text with this term holds, byte by byte: all of it,
    /// if the term [is exact](Self::is_exact). Empty if each of its characters has variants.
    ///
    /// ```
    /// use log_query::{Node, Query};
    ///
    /// let parsed = Query::parse("größe");
    /// let Node::Term(term) = parsed.query().root() else { panic!("one term") };
    /// assert_eq!((term.is_exact(), term.anchor()), (false, &b"gr"[..]));
    /// assert!(term.found_in("grÖẞe".as_bytes()));
    /// ```
    #[must_use]
    pub fn anchor(&self) -> &[u8] {
        self.folded.get(self.anchor.clone()).unwrap_or_default()
    }

    /// Whether a folded text holds this term. Linear in both.
    #[must_use]
    pub fn found_in(&self, folded: &[u8]) -> bool {
        self.needle.is_in_folded(folded)
    }

    /// Whether it looks in the system.
    #[must_use]
    pub fn in_system(&self) -> bool {
        matches!(self.within, Within::All | Within::System)
    }

    /// Whether it looks in the program.
    #[must_use]
    pub fn in_program(&self) -> bool {
        matches!(self.within, Within::All | Within::Program)
    }

    /// Whether it looks in the message.
    #[must_use]
    pub fn in_message(&self) -> bool {
        matches!(self.within, Within::All | Within::Message)
    }

    /// Whether it may also lie across program and message, in the text `program: message` of a line that has a program.
    /// Then it holds ": ", begins with a space, or ends with a colon.
    #[must_use]
    pub fn in_joined(&self) -> bool {
        self.joined
    }

    /// Whether the term lies across the end of the program and the beginning of the message, texts as they came.
    ///
    /// ```
    /// use log_query::{Node, Query};
    ///
    /// let parsed = Query::parse("\"router: at=error\"");
    /// let Node::Term(term) = parsed.query().root() else { panic!("one term") };
    /// assert!(term.spans(b"heroku/router", b"at=error code=H12"));
    /// assert!(!term.spans(b"heroku", b"router: at=error"), "which lies in the message alone");
    /// ```
    #[must_use]
    pub fn spans(&self, program: &[u8], message: &[u8]) -> bool {
        if !self.joined || program.is_empty() {
            return false;
        }
        // What begins in front of the message ends within the needle's length; a letter has four bytes at most.
        let most = if self.letters { 4 * self.needle.len() } else { self.needle.len() - 1 };
        let head = Folded::new(message).take(most);
        self.needle.is_in_bytes(Folded::new(program).chain(*b": ").chain(head))
    }

    pub(crate) fn within(&self) -> Within {
        self.within
    }

    /// `coloured` is what is known of the message's colour codes, kept for the next term.
    pub(crate) fn fits(&self, fields: &Fields<'_>, coloured: &mut Option<bool>) -> bool {
        let mut in_message = || {
            let coloured = *coloured.get_or_insert_with(|| may_be_coloured(fields.message));
            self.needle.is_in_plain(fields.message, coloured)
        };
        match self.within {
            Within::System => self.needle.is_in(fields.system),
            Within::Program => self.needle.is_in(fields.program),
            Within::Message => in_message(),
            Within::All => {
                in_message()
                    || self.needle.is_in(fields.program)
                    || self.needle.is_in(fields.system)
                    || self.spans(fields.program, fields.message)
            }
        }
    }
}

/// Equal as they were typed.
impl PartialEq for Term {
    fn eq(&self, other: &Self) -> bool {
        self.within == other.within && self.text == other.text
    }
}

impl Eq for Term {}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Term").field("text", &self.text).field("within", &self.within).finish_non_exhaustive()
    }
}

/// The longest run of characters without case variants, in bytes.
fn longest_exact(folded: &[u8]) -> Range<usize> {
    // What was taken out of a string was ASCII, so this is one chunk.
    let text = core::str::from_utf8(folded).unwrap_or_default();
    let (mut longest, mut from) = (0..0, 0);
    for (at, letter) in text.char_indices().filter(|&(_, letter)| has_variants(letter)) {
        if at - from > longest.len() {
            longest = from..at;
        }
        from = at + letter.len_utf8();
    }
    if text.len() - from > longest.len() { from..text.len() } else { longest }
}

/// Whether a needle can begin in a program, or in the ": " behind it, and end behind that.
fn may_span(folded: &[u8]) -> bool {
    folded.starts_with(b" ") || folded.ends_with(b":") || folded.windows(2).any(|pair| pair == b": ")
}
