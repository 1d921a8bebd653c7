//! Why a database does not answer.

/// What a database says that keeps the journal, or keeps from being asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Elsewhere {
    /// Without any password.
    why: String,
    pub(crate) is_full: bool,
    /// Trying again cannot help.
    pub(crate) is_final: bool,
}

impl Elsewhere {
    pub(crate) const fn new(why: String) -> Self {
        Self { why, is_full: false, is_final: false }
    }

    /// As long as nobody does something about it.
    pub(crate) const fn for_good(why: String) -> Self {
        Self { why, is_full: false, is_final: true }
    }

    pub(crate) fn why(&self) -> &str {
        &self.why
    }
}

/// Why something was not asked, or not done.
#[derive(Debug)]
pub(crate) enum LinkError {
    Elsewhere(Elsewhere),
    /// Another node writes there, and this is what that one is called.
    TakenOver(String),
}

impl LinkError {
    pub(crate) const fn elsewhere(why: String) -> Self {
        Self::Elsewhere(Elsewhere::new(why))
    }
}
