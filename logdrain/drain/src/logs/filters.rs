//! What an account's settings say of a line, made ready: its filters, and what it may keep of a day.

use super::tally::Limits;
use crate::settings::Settings;
use crate::settings::account::{Account, Filter};
use logdrain_terms::pattern::{self, Pattern};
use logdrain_terms::plan::LogPlan;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Bytes of patterns that are held ready, of all accounts. It is more than one account has.
pub const READY_BYTES: usize = 32 << 20;
/// About what the rules of an account take without patterns.
const AROUND: usize = 512;

/// The rules of one account.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    /// Of those that are on, in the order of their numbers.
    filters: Vec<(u32, Pattern)>,
    pub(super) limits: Limits,
    /// What they were made of.
    of: Option<Arc<Account>>,
    memory: usize,
}

impl Rules {
    pub(super) fn of(name: &str, account: Option<&Arc<Account>>) -> Self {
        let Some(account) = account else { return Self { memory: AROUND, ..Self::default() } };
        let mut filters = Vec::new();
        let mut memory = AROUND;
        for (&id, filter) in account.filters.iter().filter(|(_, filter)| filter.is_on) {
            match Pattern::new(&filter.text, filter.is_regex) {
                Ok(pattern) if memory + pattern.memory() <= pattern::OF_ACCOUNT + AROUND => {
                    memory += pattern.memory();
                    filters.push((id, pattern));
                }
                Ok(_) => tracing::error!(
                    account = name,
                    filter = id,
                    "a filter drops nothing: all of the account are too large together"
                ),
                Err(why) => tracing::error!(account = name, filter = id, %why, "a filter drops nothing"),
            }
        }
        let limits = account.plan.as_ref().map_or_else(Limits::default, |plan| limits(&plan.logs));
        Self { filters, limits, of: Some(account.clone()), memory }
    }

    /// The first filter that a line matches.
    pub(super) fn filter(&self, program: &[u8], message: &[u8], joined: &mut Vec<u8>) -> Option<u32> {
        if self.filters.is_empty() {
            return None;
        }
        pattern::join(program, message, joined);
        self.filters.iter().find(|(_, pattern)| pattern.is_in(joined)).map(|&(id, _)| id)
    }
}

pub fn limits(plan: &LogPlan) -> Limits {
    Limits { volume: plan.volume(), hard_limit: plan.hard_limit() }
}

/// The rules of accounts that lines came for lately.
#[derive(Debug, Default)]
pub(super) struct Rulebook {
    known: HashMap<Arc<str>, Arc<Rules>>,
    memory: usize,
}

impl Rulebook {
    pub(super) fn of(&mut self, settings: &Settings, account: &Arc<str>) -> Arc<Rules> {
        let now = settings.accounts.get(&**account);
        if let Some(rules) = self.known.get(account) {
            let is_same = match (&rules.of, now) {
                (Some(of), Some(now)) => Arc::ptr_eq(of, now),
                (None, None) => true,
                _ => false,
            };
            if is_same {
                return rules.clone();
            }
            self.memory -= rules.memory;
            self.known.remove(account);
        }
        let rules = Arc::new(Rules::of(account, now));
        if self.memory + rules.memory > READY_BYTES {
            self.known.clear();
            self.memory = 0;
        }
        self.memory += rules.memory;
        self.known.insert(account.clone(), rules.clone());
        rules
    }
}

/// Whether a filter can be used beside others; else what is wrong, in words.
pub fn check(others: &BTreeMap<u32, Filter>, new: &Filter) -> Result<(), String> {
    Account { filters: others.clone(), ..Account::NONE }.check_filter(new, None)
}
