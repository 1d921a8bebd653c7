//! Who may see what. It is decided here and nowhere else.

/// The events that a reader may see: one account, and of it all systems, or those that are named.
///
/// ```
/// use log_store::Scope;
///
/// let team = Scope::account("shop").with_systems(["web-*", "db"]);
/// assert!(team.allows("shop", b"web-1") && team.allows("shop", b"db"));
/// assert!(!team.allows("shop", b"db-2") && !team.allows("bank", b"db"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    account: Box<str>,
    /// Each list must allow a system; patterns in lower case.
    systems: Vec<Box<[Box<[u8]>]>>,
    hidden: bool,
}

impl Scope {
    /// All systems of an account.
    #[must_use]
    pub fn account(account: &str) -> Self {
        Self { account: account.into(), systems: Vec::new(), hidden: false }
    }

    /// Only systems of these names. A name may hold `*`, which stands for any bytes or none; case of ASCII letters is ignored.
    /// No name at all allows nothing. Called twice, both must allow a system.
    #[must_use]
    pub fn with_systems<S: AsRef<[u8]>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.systems
            .push(names.into_iter().map(|name| name.as_ref().to_ascii_lowercase().into_boxed_slice()).collect());
        self
    }

    /// What is [hidden](crate::Store::hide), too: for what is done with all events that are there, such as archives.
    #[must_use]
    pub fn with_hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    pub(crate) const fn sees_hidden(&self) -> bool {
        self.hidden
    }

    /// The account's name.
    #[must_use]
    pub fn account_name(&self) -> &str {
        &self.account
    }

    /// Whether an event of this account and system may be seen.
    #[must_use]
    pub fn allows(&self, account: &str, system: &[u8]) -> bool {
        *self.account == *account && self.allows_system(system)
    }

    /// Whether it allows every system of its account.
    pub(crate) fn allows_all_systems(&self) -> bool {
        self.systems.is_empty()
    }

    pub(crate) fn allows_system(&self, system: &[u8]) -> bool {
        self.systems.iter().all(|patterns| patterns.iter().any(|pattern| fits(pattern, system)))
    }
}

/// Whether a name fits a pattern in lower case in which `*` stands for anything. At most their lengths multiplied.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    // Where to go on when what follows the last star does not fit: one byte further.
    let mut again: Option<(usize, usize)> = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                again = Some((at + 1, seen));
                at += 1;
            }
            Some(byte) if *byte == name[seen].to_ascii_lowercase() => {
                at += 1;
                seen += 1;
            }
            _ => match again {
                Some((behind, from)) => {
                    again = Some((behind, from + 1));
                    at = behind;
                    seen = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_anything() {
        for (pattern, name, expected) in [
            ("web", "web", true),
            ("web", "WEB", true),
            ("web", "web2", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("web-*", "web-", true),
            ("*-1", "web-1-1", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("**", "x", true),
        ] {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
        let hostile = "*a".repeat(100);
        assert!(!fits(hostile.as_bytes(), "a".repeat(99).as_bytes()));
    }

    #[test]
    fn a_scope_within_a_scope_never_sees_more() {
        let inner = Scope::account("a").with_systems(["web-*"]).with_systems(["web-1", "db"]);
        assert!(inner.allows("a", b"web-1") && !inner.allows("a", b"db") && !inner.allows("a", b"web-2"));
        let wider = Scope::account("a").with_systems(["web-1", "db"]).with_systems(["web-*"]);
        assert!(wider.allows("a", b"web-1") && !wider.allows("a", b"db") && !wider.allows("a", b"web-2"));
        let none = Scope::account("a").with_systems([] as [&str; 0]);
        assert!(!none.allows("a", b"") && !none.allows("a", b"web"));
    }
}
