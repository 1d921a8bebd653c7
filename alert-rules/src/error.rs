use core::fmt;

/// Why bytes were refused as a state.
///
/// ```
/// use alert_rules::{LogRules, StateErrorKind};
///
/// let error = LogRules::restore(b"hello", []).unwrap_err();
/// assert_eq!((error.kind(), error.offset()), (StateErrorKind::NotAState, 0));
/// assert_eq!(error.to_string(), "not a state of these rules at byte 0");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateError {
    kind: StateErrorKind,
    offset: usize,
}

/// What a [`StateError`] is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StateErrorKind {
    /// It does not start like one: not of log rules, or not of metric rules.
    NotAState,
    /// It was written by a later version.
    Version,
    /// It ends before it should.
    Truncated,
    /// Something stands behind it.
    Trailing,
    /// It was damaged.
    Checksum,
    /// It is whole, but its content makes no sense: nothing of this crate wrote it.
    Content,
}

impl StateError {
    pub(crate) const fn new(kind: StateErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// What it is about.
    #[must_use]
    pub const fn kind(self) -> StateErrorKind {
        self.kind
    }

    /// The byte at which it was found.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            StateErrorKind::NotAState => "not a state of these rules",
            StateErrorKind::Version => "state of a later version",
            StateErrorKind::Truncated => "state ends too early",
            StateErrorKind::Trailing => "something stands behind the state",
            StateErrorKind::Checksum => "checksum of the state does not match",
            StateErrorKind::Content => "content of the state makes no sense",
        };
        write!(f, "{what} at byte {}", self.offset)
    }
}

impl core::error::Error for StateError {}
