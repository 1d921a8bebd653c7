//! What an account has that lines, rows or alerts depend on. Who its members are is not here.

use super::DrainSettings;
use super::digest::Digest;
use crate::alerts::file::Rule;
use logdrain_terms::pattern::{self, Pattern};
use logdrain_terms::plan::Plan;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A folder of the store has its name.
pub fn is_account_name(name: &str) -> bool {
    log_store::is_account_name(name)
}

/// What a shorter plan hides is deleted when so many microseconds have passed.
pub const PLAN_GRACE_MICROS: i64 = 7 * 86_400 * 1_000_000;

/// An account of which nothing was said is the same as one that was made and not changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Account {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// Since when it has this plan: microseconds since 1970.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub plan_since: i64,
    /// How many seconds lines could be seen under the plans before it, as long as those lines are not deleted; `None` is as
    /// long as the server keeps any.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub windows_before: BTreeSet<Option<u64>>,
    /// In the order of their numbers: the first that matches drops a line.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filters: BTreeMap<u32, Filter>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<u32, Group>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub searches: BTreeMap<u32, Search>,
    /// Rules that tell. Missing in stores of older programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alerts: BTreeMap<u32, Alert>,
    /// Whether lines of systems are taken that nobody registered.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub takes_unknown: bool,
    /// Systems that were registered, by the name that they send.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub registered: BTreeSet<String>,
    /// Drains that the configuration does not name, as `ACCOUNT.NAME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub drains: BTreeMap<String, OwnDrain>,
}

impl Default for Account {
    fn default() -> Self {
        Self::NONE
    }
}

impl Account {
    /// One of which nothing was said.
    pub const NONE: Self = Self {
        plan: None,
        plan_since: 0,
        windows_before: BTreeSet::new(),
        filters: BTreeMap::new(),
        groups: BTreeMap::new(),
        searches: BTreeMap::new(),
        alerts: BTreeMap::new(),
        takes_unknown: true,
        registered: BTreeSet::new(),
        drains: BTreeMap::new(),
    };

    /// Takes a plan at a time. What the one before it let be seen is hidden at once where this one lets less, and deleted
    /// later.
    pub fn take_plan(&mut self, plan: Option<Plan>, at: i64) {
        /// Plans within the grace of which it is remembered what they were.
        const REMEMBERED: usize = 8;
        if at.saturating_sub(self.plan_since) >= PLAN_GRACE_MICROS {
            self.windows_before.clear();
        }
        let window = |plan: Option<&Plan>| plan.and_then(|plan| plan.logs.search()).map(|search| search.as_secs());
        let before = window(self.plan.as_ref());
        if before != window(plan.as_ref()) {
            self.windows_before.insert(before);
        }
        // The longest count.
        if self.windows_before.len() > REMEMBERED
            && let Some(shortest) = self.windows_before.iter().copied().find(Option::is_some)
        {
            self.windows_before.remove(&shortest);
        }
        (self.plan, self.plan_since) = (plan, at);
    }

    /// Whether a filter can be used beside the others, in place of the one of a number; else what is wrong, in words. This
    /// takes time: nobody asks it who others wait for.
    pub fn check_filter(&self, new: &Filter, instead: Option<u32>) -> Result<(), String> {
        let mut memory = Pattern::new(&new.text, new.is_regex)?.memory();
        for (_, filter) in self.filters.iter().filter(|(id, _)| Some(**id) != instead) {
            memory += Pattern::new(&filter.text, filter.is_regex).map_or(0, |pattern| pattern.memory());
        }
        if memory > pattern::OF_ACCOUNT {
            return Err("the filters of the account are too large together: make expressions shorter, or remove some"
                .to_owned());
        }
        Ok(())
    }

    /// Whether lines of a system are kept at all.
    pub fn takes(&self, system: &str) -> bool {
        self.takes_unknown || self.registered.contains(system)
    }
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_yes(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// Lines whose `program: message` it matches are not kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Filter {
    pub name: String,
    pub text: String,
    #[serde(default)]
    pub is_regex: bool,
    #[serde(default = "yes")]
    pub is_on: bool,
}

/// Systems under a name: those listed, and those whose names a pattern fits.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Group {
    pub name: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub systems: BTreeSet<String>,
    /// Patterns between commas, as in `web-*, db`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wildcard: Option<String>,
}

impl Group {
    /// The names and patterns, as [`Scope::with_systems`](log_store::Scope::with_systems) takes them.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        let patterns = self.wildcard.iter().flat_map(|all| all.split(',')).map(str::trim);
        self.systems.iter().map(String::as_str).chain(patterns.filter(|pattern| !pattern.is_empty()))
    }

    /// Whether a system of this name is in it. What it sees is what a view through it sees.
    #[cfg(test)]
    pub fn holds(&self, system: &str) -> bool {
        log_store::Scope::account("a").with_systems(self.patterns()).allows("a", system.as_bytes())
    }
}

/// A query under a name.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Search {
    pub name: String,
    pub query: String,
    /// `None` is all systems.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u32>,
}

/// A rule, and whom it tells.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Alert {
    /// As a file of rules has it, with its name.
    pub rule: Rule,
    /// What its owner wrote of it: it is told with it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What to do about it: a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// The saved search that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<u32>,
    /// The numbers of channels. What they are is not in the journal: one that is not there any more is passed over.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub channels: BTreeSet<u32>,
    /// It says nothing before this time: microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<i64>,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub is_on: bool,
}

impl Alert {
    /// One that is on, and tells nobody yet.
    pub const fn new(rule: Rule) -> Self {
        Self {
            rule,
            description: String::new(),
            runbook: None,
            search: None,
            channels: BTreeSet::new(),
            muted_until: None,
            is_on: true,
        }
    }

    /// Whether it looks at what comes at a time, in microseconds since 1970.
    pub fn speaks_at(&self, time: i64) -> bool {
        self.is_on && self.muted_until.is_none_or(|until| until <= time)
    }
}

/// A drain that an account has of its own, beside those that the configuration names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OwnDrain {
    /// How it is read. Its account is the one that has it.
    #[serde(flatten)]
    pub read: DrainSettings,
    /// Of `user:password`.
    pub credentials: Digest,
    /// Of the tokens that may come with them; any when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<Digest>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_holds_what_is_listed_and_what_its_patterns_fit() {
        let group = Group {
            name: "g".to_owned(),
            systems: BTreeSet::from(["db".to_owned()]),
            wildcard: Some("web-*, ,*-eu ,".to_owned()),
        };
        for (system, holds) in [
            ("db", true),
            ("db2", false),
            ("web-1", true),
            ("WEB-1", true),
            ("shop-eu", true),
            ("shop", false),
            ("", false),
        ] {
            assert_eq!(group.holds(system), holds, "{system}");
        }
        assert!(!Group::default().holds("web"), "an empty one holds nothing");
        assert!(Group { wildcard: Some("*".to_owned()), ..Group::default() }.holds("any"));
    }

    #[test]
    fn an_account_of_which_nothing_was_said_takes_everything() {
        let read: Account = serde_json::from_str(r#"{"of_a_later_version":[1]}"#).unwrap();
        assert_eq!(read, Account::NONE);
        assert_eq!(serde_json::to_string(&read).unwrap(), "{}");
        let strict = Account { takes_unknown: false, registered: BTreeSet::from(["db".to_owned()]), ..Account::NONE };
        assert!(read.takes("web") && strict.takes("db") && !strict.takes("web"));
        assert_eq!(serde_json::from_str::<Account>(&serde_json::to_string(&strict).unwrap()).unwrap(), strict);
    }
}
