//! Why a change is refused.

use std::fmt;

/// Why a change is refused, in words for whoever asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfit {
    pub kind: Misfit,
    pub why: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misfit {
    NotFound,
    Invalid,
    Taken,
    TooMany,
    /// Too many changes just now.
    TooOften,
}

impl Unfit {
    pub fn new(kind: Misfit, why: impl Into<String>) -> Self {
        Self { kind, why: why.into() }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
