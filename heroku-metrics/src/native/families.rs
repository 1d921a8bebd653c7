//! Families that are collected only when a host asks for them.

use super::Family;
use super::life::{CODES, EXIT, MEM_PROCESS, MEM_SHARE, RELEASE, STATE};
use std::fmt;

/// A set of the families that are collected only on request, since each takes streams of its own. Router, Postgres, dyno
/// runtime and errors are always collected and not in here.
///
/// ```
/// use heroku_metrics::{ExtractorConfig, Families};
///
/// let families = Families::DYNO_STATE.with(Families::RELEASE);
/// assert_eq!(families.names().count(), 2);
/// let config = ExtractorConfig::new().with_families(families);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Families(u8);

/// A family with its bit in the set, and the streams that a dyno (first) or an app (second) has of it, where it goes
/// through all that Heroku documents.
const ALL: [(Families, &Family, u32, u32); 6] = [
    (Families::DYNO_STATE, &STATE, 8, 0),
    (Families::DYNO_EXIT, &EXIT, 4, 0),
    (Families::RELEASE, &RELEASE, 0, 1),
    (Families::DYNO_ERRORS, &CODES, 4, 0),
    (Families::MEM_SHARE, &MEM_SHARE, 1, 0),
    (Families::MEM_PROCESS, &MEM_PROCESS, 1, 0),
];

impl Families {
    /// None of them: the default.
    pub const NONE: Self = Self(0);
    /// `heroku.dyno.state`: changes of state of a dyno, by `from` and `to`.
    pub const DYNO_STATE: Self = Self(1);
    /// `heroku.dyno.exit`: ends of processes, by `status`.
    pub const DYNO_EXIT: Self = Self(1 << 1);
    /// `heroku.release`: releases of the app.
    pub const RELEASE: Self = Self(1 << 2);
    /// `heroku.dyno.errors`: R codes by dyno, beside `heroku.errors.runtime`, which knows no dyno.
    pub const DYNO_ERRORS: Self = Self(1 << 3);
    /// `heroku.dyno.mem.share`: memory in use over the quota, 1 where it is all used.
    pub const MEM_SHARE: Self = Self(1 << 4);
    /// `heroku.dyno.mem.process`: what a dyno over its quota uses, for apps without `log-runtime-metrics`.
    pub const MEM_PROCESS: Self = Self(1 << 5);
    /// All of them.
    pub const ALL: Self = Self((1 << ALL.len()) - 1);

    /// Those of both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of the other set are in this one.
    #[inline]
    pub(crate) const fn holds(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the set is empty.
    #[inline]
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The family of this name, which is that of its metric without `heroku.`; `all` are all.
    ///
    /// ```
    /// use heroku_metrics::Families;
    /// assert_eq!(Families::named("dyno.state"), Some(Families::DYNO_STATE));
    /// assert_eq!(Families::named("all"), Some(Families::ALL));
    /// assert_eq!(Families::named("router"), None, "always collected");
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let is_it = |(_, family, ..): &&(Self, &'static Family, u32, u32)| short(family) == name;
        if name == "all" { Some(Self::ALL) } else { ALL.iter().find(is_it).map(|(set, ..)| *set) }
    }

    /// The names of those in the set.
    ///
    /// ```
    /// use heroku_metrics::Families;
    /// let names: Vec<_> = Families::RELEASE.with(Families::DYNO_STATE).names().collect();
    /// assert_eq!(names, ["dyno.state", "release"]);
    /// ```
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        ALL.iter().filter(move |(set, ..)| self.holds(*set)).map(|(_, family, ..)| short(family))
    }

    /// Streams of one dyno and of the app, of metrics that count.
    pub(crate) fn streams(self, counts: impl Fn(&str) -> bool) -> (u32, u32) {
        let held = ALL.iter().filter(|(set, family, ..)| self.holds(*set) && counts(family.prefix()));
        held.fold((0, 0), |(dyno, app), (.., per_dyno, per_app)| (dyno + per_dyno, app + per_app))
    }
}

/// Each has one metric, whose name is what the family's begin with.
fn short(family: &'static Family) -> &'static str {
    family.prefix().strip_prefix("heroku.").unwrap_or_default()
}

impl fmt::Debug for Families {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_has_a_place_and_a_name_of_its_own() {
        for (index, (set, family, ..)) in ALL.iter().enumerate() {
            assert_eq!(set.0, 1 << index);
            let [metric] = family.metrics() else { panic!("{}", family.title()) };
            assert_eq!(metric.name(), family.prefix());
            assert_eq!(Families::named(short(family)), Some(*set));
            assert_eq!(set.names().collect::<Vec<_>>(), [short(family)]);
        }
        assert_eq!(Families::ALL.names().count(), ALL.len());
        assert_eq!(Families::named(""), None);
        assert_eq!(format!("{:?}", Families::RELEASE), "{\"release\"}");
    }
}
