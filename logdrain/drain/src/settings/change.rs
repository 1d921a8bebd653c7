//! A change of the settings: an event of the journal, and what becomes of the settings by it.
//!
//! [`Settings::apply`] looks at nothing but the settings and the change: whoever reads the journal gets the same settings at
//! the same event. What would be refused is never in the journal. Everything that a change can name has a bound, and so has
//! an account as a whole, for it is written again with each of its changes.

mod fits;
mod unfit;

pub use unfit::{Misfit, Unfit};

use super::account::{Account, Alert, Filter, Group, OwnDrain, Search, is_account_name};
use super::digest::Digest;
use super::purge::Purge;
use super::{DrainSettings, Settings};
use crate::drain_name::{DEFAULT_ACCOUNT, DrainName, measurements_of, port_of};
use fits::{fits_alert, fits_filter, fits_group, fits_name, fits_purge, fits_text, fits_words};
use logdrain_terms::plan::Plan;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most accounts.
pub const ACCOUNTS: usize = 10_000;
/// The most filters of an account,
pub const FILTERS: usize = 100;
/// groups,
pub const GROUPS: usize = 1_000;
/// saved searches,
pub const SEARCHES: usize = 1_000;
/// alerts,
pub const ALERTS: usize = 1_000;
/// words that its alerts look for together,
pub const WORDS: usize = 5_000;
/// channels that one alert tells,
pub const CHANNELS: usize = 20;
/// registered systems, and systems that a group lists,
pub const SYSTEMS: usize = 10_000;
/// and drains of its own.
pub const DRAINS: usize = 100;
/// The longest name.
pub const NAME_BYTES: usize = 256;
/// The longest query, pattern list or text of a filter.
pub const QUERY_BYTES: usize = 8 << 10;
/// The most bytes of all that is kept of an account.
pub const ACCOUNT_BYTES: usize = 1 << 20;
/// Of all accounts together: settings are in memory several times, and in each snapshot.
pub const ALL_BYTES: usize = 32 << 20;
/// The first number that is given. Those below are for what is there without being made.
pub const FIRST_ID: u32 = 1_000;
/// Clients keep numbers as signed ones of 32 bits.
const LAST_ID: u32 = i32::MAX as u32;

/// What may be changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A drain calls its app so in its URL; another one's name goes for it.
    App {
        drain: String,
        app: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instead: Option<String>,
    },
    /// An account is made.
    Account {
        account: String,
    },
    /// At a time, in microseconds since 1970.
    Plan {
        account: String,
        plan: Option<Plan>,
        at: i64,
    },
    AddFilter {
        account: String,
        filter: Filter,
    },
    SetFilter {
        account: String,
        id: u32,
        filter: Filter,
    },
    RemoveFilter {
        account: String,
        id: u32,
    },
    AddGroup {
        account: String,
        group: Group,
    },
    SetGroup {
        account: String,
        id: u32,
        group: Group,
    },
    /// Searches in it look in all systems then.
    RemoveGroup {
        account: String,
        id: u32,
    },
    AddSearch {
        account: String,
        search: Search,
    },
    SetSearch {
        account: String,
        id: u32,
        search: Search,
    },
    RemoveSearch {
        account: String,
        id: u32,
    },
    AddAlert {
        account: String,
        alert: Alert,
    },
    /// A rule that asks something else begins anew.
    SetAlert {
        account: String,
        id: u32,
        alert: Alert,
    },
    RemoveAlert {
        account: String,
        id: u32,
    },
    /// It says nothing before a time, in microseconds since 1970; `None` lets it speak again. Nothing of the time between is
    /// ever told.
    MuteAlert {
        account: String,
        id: u32,
        until: Option<i64>,
    },
    /// What it has told and not cleared is cleared, and may be told at once if it still holds. Nothing of the settings changes.
    ClearAlert {
        account: String,
        id: u32,
    },
    TakesUnknown {
        account: String,
        takes: bool,
    },
    Register {
        account: String,
        system: String,
    },
    /// It leaves the groups that list it, too.
    Unregister {
        account: String,
        system: String,
    },
    /// Its name is `ACCOUNT.NAME`, so that no other account's is called so.
    AddDrain {
        account: String,
        name: String,
        drain: OwnDrain,
    },
    RemoveDrain {
        account: String,
        name: String,
    },
    /// Kept lines go for good. Nothing of the settings changes.
    Purge {
        account: String,
        purge: Purge,
        at: i64,
    },
    /// An account goes for good, with all that is kept of it: everybody who reads the journal obeys.
    Destroy {
        account: String,
        at: i64,
        /// The last id that an event had when it was written down.
        #[serde(default)]
        upto: u64,
    },
}

impl Change {
    /// Whose settings it changes.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::App { .. } => None,
            Self::Account { account }
            | Self::Plan { account, .. }
            | Self::AddFilter { account, .. }
            | Self::SetFilter { account, .. }
            | Self::RemoveFilter { account, .. }
            | Self::AddGroup { account, .. }
            | Self::SetGroup { account, .. }
            | Self::RemoveGroup { account, .. }
            | Self::AddSearch { account, .. }
            | Self::SetSearch { account, .. }
            | Self::RemoveSearch { account, .. }
            | Self::AddAlert { account, .. }
            | Self::SetAlert { account, .. }
            | Self::RemoveAlert { account, .. }
            | Self::MuteAlert { account, .. }
            | Self::ClearAlert { account, .. }
            | Self::TakesUnknown { account, .. }
            | Self::Register { account, .. }
            | Self::Unregister { account, .. }
            | Self::AddDrain { account, .. }
            | Self::RemoveDrain { account, .. }
            | Self::Purge { account, .. }
            | Self::Destroy { account, .. } => Some(account),
        }
    }

    /// When it is made, in microseconds since 1970: told by whoever writes it down.
    pub const fn is_of(&mut self, time: i64) {
        if let Self::Plan { at, .. } | Self::Purge { at, .. } | Self::Destroy { at, .. } = self {
            *at = time;
        }
    }

    /// What that was; 0 of most.
    pub const fn at(&self) -> i64 {
        match self {
            Self::Plan { at, .. } | Self::Purge { at, .. } | Self::Destroy { at, .. } => *at,
            _ => 0,
        }
    }

    /// Whether pipelines may be read otherwise from it on.
    pub const fn is_of_pipelines(&self) -> bool {
        matches!(self, Self::App { .. } | Self::Plan { .. }) || self.is_of_drains()
    }

    /// Whether there are other drains from it on.
    pub const fn is_of_drains(&self) -> bool {
        matches!(self, Self::AddDrain { .. } | Self::RemoveDrain { .. })
    }

    /// What is kept of it once that account is destroyed: that it had a drain of this name, for whoever reads the journal again
    /// has to know whose its deliveries are, and nothing that was said. `None` of what says no more anyway.
    pub fn of_destroyed(&self, settings: &Settings, destroyed: &str) -> Option<Self> {
        if let Self::App { drain, app, instead } = self {
            let is_of = settings.is_of(drain, destroyed) == Some(true) && !app.is_empty();
            return is_of.then(|| Self::App { drain: drain.clone(), app: String::new(), instead: instead.clone() });
        }
        let account = self.account().filter(|account| *account == destroyed)?.to_owned();
        match self {
            Self::App { .. }
            | Self::Account { .. }
            | Self::RemoveDrain { .. }
            | Self::TakesUnknown { .. }
            // Once it was done it looks for nothing any more.
            | Self::Purge { .. }
            | Self::Destroy { .. } => None,
            Self::AddDrain { name, drain, .. } => {
                let read = DrainSettings { app: None, ..drain.read.clone() };
                let drain = OwnDrain { read, credentials: Digest([0; 32]), tokens: Vec::new() };
                Some(Self::AddDrain { account, name: name.clone(), drain })
            }
            // What it was is gone with all that came of it.
            _ => Some(Self::TakesUnknown { account, takes: true }),
        }
    }

    /// What goes for good by it, and of whom: the lines of a purge, or all of an account.
    pub fn removal(&self) -> Option<(&str, Cow<'_, Purge>)> {
        match self {
            Self::Purge { account, purge, .. } => Some((account, Cow::Borrowed(purge))),
            Self::Destroy { account, upto, .. } => Some((account, Cow::Owned(Purge::of_all(*upto)))),
            _ => None,
        }
    }
}

impl Settings {
    /// What holds for an account; for one that nothing was said of, what holds without a word.
    pub fn account(&self, name: &str) -> &Account {
        const NONE: &Account = &Account::NONE;
        self.accounts.get(name).map_or(NONE, |account| account)
    }

    /// The drain of this name: the configuration's, or one that an account has of its own.
    pub fn drain(&self, name: &str) -> Option<&DrainSettings> {
        self.drains.get(name).or_else(|| {
            let (account, _) = name.split_once(OF)?;
            self.accounts.get(account)?.drains.get(name).map(|own| &own.read)
        })
    }

    /// Every drain that is named, with how it is read. The configuration's name goes first where both have it.
    pub fn named_drains(&self) -> impl Iterator<Item = (&str, &DrainSettings)> {
        let own = self.accounts.values().flat_map(|account| &account.drains);
        let own = own.filter(|(name, _)| !self.drains.contains_key(*name)).map(|(name, own)| (&**name, &own.read));
        self.drains.iter().map(|(name, read)| (&**name, read)).chain(own)
    }

    /// Makes a change, all of it or nothing. Answers the number that was given to what was made, or that it has.
    ///
    /// # Errors
    /// When it does not fit what there is; then nothing has changed.
    pub fn apply(&mut self, change: &Change) -> Result<Option<u32>, Unfit> {
        if let Change::AddAlert { account, alert } | Change::SetAlert { account, alert, .. } = change {
            let instead = if let Change::SetAlert { id, .. } = change { Some(*id) } else { None };
            fits_words(self.account(account), alert, instead)?;
        }
        self.make(change, None)
    }

    /// Makes a change that was made before, with the number that it gave then. What is there under it is what the same
    /// change made: whoever begins with settings that are ahead of the journal's first event ends with the right ones.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), when events before it are lost.
    pub fn replay(&mut self, change: &Change, id: Option<u32>) -> Result<Option<u32>, Unfit> {
        self.make(change, id)
    }

    fn make(&mut self, change: &Change, id: Option<u32>) -> Result<Option<u32>, Unfit> {
        if let Change::App { drain, app, instead } = change {
            if let Some(instead) = instead {
                self.apps.remove(instead);
            }
            self.apps.insert(drain.clone(), app.clone());
            return Ok(None);
        }
        let name = change.account().unwrap_or(DEFAULT_ACCOUNT);
        if !is_account_name(name) {
            return Err(Unfit::new(Misfit::Invalid, "an account's name is 1 to 63 of a-z, 0-9 and -"));
        }
        if let Change::Purge { purge, .. } = change {
            return fits_purge(purge).map(|()| None);
        }
        if let Change::Destroy { .. } = change {
            return self.destroy(name).map(|()| None);
        }
        let known = self.accounts.get(name);
        if let (Change::Account { .. }, true) = (change, known.is_some() || name == DEFAULT_ACCOUNT) {
            return Err(Unfit::new(Misfit::Taken, format!("the account {name} is there already")));
        }
        if known.is_none() && self.accounts.len() >= ACCOUNTS {
            return Err(Unfit::new(Misfit::TooMany, format!("there are {ACCOUNTS} accounts, which is the most")));
        }
        let next = id.unwrap_or(self.next_id.max(FIRST_ID));
        let mut account = known.map_or(Account::NONE, |known| Account::clone(known));
        let before = bytes_of(known.map_or(&Account::NONE, |known| known));
        let made = account.apply(name, change, next)?;
        let after = bytes_of(&account);
        if after > ACCOUNT_BYTES.max(before) {
            return Err(Unfit::new(
                Misfit::TooMany,
                format!("the settings of an account are at most {} kB in all", ACCOUNT_BYTES >> 10),
            ));
        }
        let all: usize = self.accounts.values().map(|account| bytes_of(account)).sum();
        if after > before && all + (after - before) > ALL_BYTES {
            return Err(Unfit::new(Misfit::TooMany, "the settings of all accounts have no room for more"));
        }
        if made == Some(next) {
            self.next_id = self.next_id.max(next + 1);
        }
        self.accounts.insert(name.to_owned(), Arc::new(account));
        if let Change::RemoveDrain { name: drain, .. } = change
            && !self.drains.contains_key(drain)
        {
            self.apps.retain(|key, _| DrainName::of(key).configured() != drain);
        }
        Ok(made)
    }
}

impl Settings {
    /// Nothing is left of an account: of one to which nobody sends any more.
    fn destroy(&mut self, name: &str) -> Result<(), Unfit> {
        if name == DEFAULT_ACCOUNT {
            let why = "the account default is there without being made: purge its lines instead";
            return Err(Unfit::new(Misfit::Invalid, why));
        }
        if !self.account(name).drains.is_empty() {
            let why = format!("a drain of {name} still sends: the add-on that it is of is removed first");
            return Err(Unfit::new(Misfit::Invalid, why));
        }
        if let Some((drain, _)) = self.drains.iter().find(|(_, drain)| drain.account.as_deref() == Some(name)) {
            let why = format!("[[drain]] {drain} of the configuration still sends to {name}: take it out there first");
            return Err(Unfit::new(Misfit::Invalid, why));
        }
        let gone: Vec<_> = self.apps.keys().filter(|key| self.is_of(key, name) == Some(true)).cloned().collect();
        gone.iter().for_each(|key| drop(self.apps.remove(key)));
        self.accounts.remove(name);
        Ok(())
    }

    /// Whether a drain or a port of the journal is of an account; `None` of a drain that nobody names any more.
    pub fn is_of(&self, key: &str, account: &str) -> Option<bool> {
        if let Some((of, _)) = port_of(key) {
            return Some(of == account);
        }
        if let Some(of) = measurements_of(key) {
            return Some(of == account);
        }
        let drain = DrainName::of(key).configured();
        if !key.contains('/') || self.drain(drain).is_some() {
            return Some(self.account_of(key) == account);
        }
        // What an account had of its own is called after it.
        drain.split_once(OF).map(|(of, _)| of == account)
    }
}

/// Stands between the account and the rest of the name of a drain that it has of its own.
pub const OF: char = '.';

/// About what an account takes, in memory and written down.
fn bytes_of(account: &Account) -> usize {
    /// What stands around each text.
    const AROUND: usize = 48;
    let text = |text: &str| text.len() + AROUND;
    let texts = |all: &std::collections::BTreeSet<String>| all.iter().map(|name| text(name)).sum::<usize>();
    let filters = account.filters.values().map(|filter| text(&filter.name) + text(&filter.text));
    let groups = account
        .groups
        .values()
        .map(|group| text(&group.name) + texts(&group.systems) + text(group.wildcard.as_deref().unwrap_or_default()));
    let searches = account.searches.values().map(|search| text(&search.name) + text(&search.query));
    let alerts = account.alerts.values().map(|alert| {
        let said = alert.description.len() + alert.runbook.as_deref().unwrap_or_default().len();
        alert.rule.bytes() + said + (1 + alert.channels.len()) * AROUND
    });
    let drains = account.drains.iter().map(|(name, own)| {
        text(name) + text(own.read.app.as_deref().unwrap_or_default()) + (1 + own.tokens.len()) * 2 * AROUND
    });
    let lists = filters.sum::<usize>() + groups.sum::<usize>() + searches.sum::<usize>() + alerts.sum::<usize>();
    lists + drains.sum::<usize>() + texts(&account.registered) + AROUND
}

impl Account {
    /// `next` is the number that something new gets.
    fn apply(&mut self, name: &str, change: &Change, next: u32) -> Result<Option<u32>, Unfit> {
        match change {
            Change::App { .. } | Change::Account { .. } | Change::Purge { .. } | Change::Destroy { .. } => {
                return Ok(None);
            }
            Change::Plan { plan, at, .. } => self.take_plan(plan.clone(), *at),
            Change::AddFilter { filter, .. } => {
                fits_filter(filter)?;
                return add(&mut self.filters, filter, next, FILTERS, "filters");
            }
            Change::SetFilter { id, filter, .. } => {
                fits_filter(filter)?;
                return set(&mut self.filters, *id, filter, "filter");
            }
            Change::RemoveFilter { id, .. } => return remove(&mut self.filters, *id, "filter"),
            Change::AddGroup { group, .. } => {
                fits_group(group)?;
                return add(&mut self.groups, group, next, GROUPS, "groups");
            }
            Change::SetGroup { id, group, .. } => {
                fits_group(group)?;
                return set(&mut self.groups, *id, group, "group");
            }
            Change::RemoveGroup { id, .. } => {
                remove(&mut self.groups, *id, "group")?;
                for search in self.searches.values_mut().filter(|search| search.group == Some(*id)) {
                    search.group = None;
                }
                return Ok(Some(*id));
            }
            Change::AddSearch { search, .. } => {
                self.fits_search(search)?;
                return add(&mut self.searches, search, next, SEARCHES, "saved searches");
            }
            Change::SetSearch { id, search, .. } => {
                self.fits_search(search)?;
                return set(&mut self.searches, *id, search, "saved search");
            }
            Change::RemoveSearch { id, .. } => return remove(&mut self.searches, *id, "saved search"),
            Change::AddAlert { alert, .. } => {
                fits_alert(alert)?;
                return add(&mut self.alerts, alert, next, ALERTS, "alerts");
            }
            Change::SetAlert { id, alert, .. } => {
                fits_alert(alert)?;
                return set(&mut self.alerts, *id, alert, "alert");
            }
            Change::RemoveAlert { id, .. } => return remove(&mut self.alerts, *id, "alert"),
            Change::MuteAlert { id, until, .. } => {
                self.alert(*id)?.muted_until = *until;
                return Ok(Some(*id));
            }
            Change::ClearAlert { id, .. } => return self.alert(*id).map(|_| Some(*id)),
            Change::TakesUnknown { takes, .. } => self.takes_unknown = *takes,
            Change::Register { system, .. } => {
                fits_name(system, "a system's name")?;
                few_more(self.registered.len(), SYSTEMS, "registered systems")?;
                if !self.registered.insert(system.clone()) {
                    return Err(Unfit::new(Misfit::Taken, "a system of this name is registered already"));
                }
            }
            Change::Unregister { system, .. } => {
                let mut is_known = self.registered.remove(system);
                for group in self.groups.values_mut() {
                    is_known |= group.systems.remove(system);
                }
                if !is_known {
                    return Err(Unfit::new(Misfit::NotFound, "no system of this name is registered"));
                }
            }
            Change::AddDrain { name: drain, drain: own, .. } => {
                fits_name(drain, "a drain's name")?;
                let rest = drain.strip_prefix(name).and_then(|rest| rest.strip_prefix(OF));
                if rest.is_none_or(|rest| rest.is_empty() || rest.contains('/')) {
                    return Err(Unfit::new(Misfit::Invalid, format!("a drain of {name} is called {name}.NAME")));
                }
                few_more(self.drains.len(), DRAINS, "drains")?;
                if self.drains.contains_key(drain) {
                    return Err(Unfit::new(Misfit::Taken, "a drain of this name is there already"));
                }
                if own.tokens.len() > DRAINS {
                    return Err(Unfit::new(Misfit::TooMany, format!("a drain has {DRAINS} tokens at most")));
                }
                let account = (name != DEFAULT_ACCOUNT).then(|| name.to_owned());
                let read = DrainSettings { account, ..own.read.clone() };
                self.drains.insert(drain.clone(), OwnDrain { read, ..own.clone() });
            }
            Change::RemoveDrain { name: drain, .. } => {
                if self.drains.remove(drain).is_none() {
                    return Err(Unfit::new(Misfit::NotFound, "there is no drain of this name"));
                }
            }
        }
        Ok(None)
    }

    fn alert(&mut self, id: u32) -> Result<&mut Alert, Unfit> {
        self.alerts.get_mut(&id).ok_or_else(|| Unfit::new(Misfit::NotFound, format!("there is no alert {id}")))
    }

    fn fits_search(&self, search: &Search) -> Result<(), Unfit> {
        fits_name(&search.name, "a saved search's name")?;
        fits_text(&search.query, "a query")?;
        match search.group {
            Some(group) if !self.groups.contains_key(&group) => {
                Err(Unfit::new(Misfit::Invalid, format!("there is no group {group}")))
            }
            _ => Ok(()),
        }
    }
}

fn few_more(there: usize, most: usize, what: &str) -> Result<(), Unfit> {
    if there >= most {
        return Err(Unfit::new(Misfit::TooMany, format!("an account has {most} {what} at most")));
    }
    Ok(())
}

fn add<T: Clone>(all: &mut BTreeMap<u32, T>, new: &T, id: u32, most: usize, what: &str) -> Result<Option<u32>, Unfit> {
    if !all.contains_key(&id) {
        few_more(all.len(), most, what)?;
    }
    if id >= LAST_ID {
        return Err(Unfit::new(Misfit::TooMany, "there are no more numbers to give"));
    }
    all.insert(id, new.clone());
    Ok(Some(id))
}

fn set<T: Clone>(all: &mut BTreeMap<u32, T>, id: u32, new: &T, what: &str) -> Result<Option<u32>, Unfit> {
    match all.get_mut(&id) {
        Some(there) => {
            there.clone_from(new);
            Ok(Some(id))
        }
        None => Err(Unfit::new(Misfit::NotFound, format!("there is no {what} {id}"))),
    }
}

fn remove<T>(all: &mut BTreeMap<u32, T>, id: u32, what: &str) -> Result<Option<u32>, Unfit> {
    match all.remove(&id) {
        Some(_) => Ok(Some(id)),
        None => Err(Unfit::new(Misfit::NotFound, format!("there is no {what} {id}"))),
    }
}

#[cfg(test)]
pub mod tests;
