//! What nodes tell each other that it was changed.

/// What is read again together, of one account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Group {
    /// Members, tokens, and links by which passwords are set.
    People,
    Sessions,
    Shares,
    Buckets,
    Systems,
}

impl Group {
    pub(super) const ALL: [Self; 5] = [Self::People, Self::Sessions, Self::Shares, Self::Buckets, Self::Systems];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::Sessions => "sessions",
            Self::Shares => "shares",
            Self::Buckets => "buckets",
            Self::Systems => "systems",
        }
    }
}
