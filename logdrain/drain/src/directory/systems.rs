//! Systems: who sends, by the name that it sends, and the number by which the API knows it. A number is never given twice.
//!
//! Names come from whoever sends, so that there are only so many: beyond them the one that was silent longest goes, unless
//! somebody said something of it.

use super::parts::{Part, count};
use super::{CHANGED_WITHIN, Directory, DirectoryError, Group, next};
use crate::sql::{Row, SqlError, Step, Value, values};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Systems of one account.
const OF_ACCOUNT: usize = 5_000;
/// The most bytes that all of them take, with what a map takes for each.
pub(super) const MOST: usize = 16 << 20;
const EACH: usize = 320;
/// The longest name, as lines have it.
const NAME: usize = 255;
const DESCRIPTION: usize = 1_024;
/// The most bytes of those that somebody made or said something of, which do not go by themselves: of one account, of all,
/// and what an account has in any case.
const MADE: i64 = 2 << 20;
const ALL_MADE: i64 = 8 << 20;
const FEW: i64 = 16 << 10;

/// A system, as it is shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct System {
    pub id: u32,
    /// As it sends.
    pub name: String,
    pub facts: SystemFacts,
    /// The id of its last event that was heard of.
    pub last_event: Option<u64>,
    /// Somebody made it, or said something of it.
    is_made: bool,
    /// The last event is not in the file yet.
    is_noted: bool,
}

impl System {
    /// What people call it.
    pub fn shown(&self) -> &str {
        self.facts.shown.as_deref().unwrap_or(&self.name)
    }

    fn bytes(&self) -> usize {
        let SystemFacts { shown, hostname, ip, description, .. } = &self.facts;
        let texts = [shown, hostname, ip, description].into_iter().flatten().map(String::len).sum::<usize>();
        EACH + 2 * self.name.len() + texts
    }
}

/// What somebody says of a system.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SystemFacts {
    /// What it is called instead of its own name.
    pub shown: Option<String>,
    pub hostname: Option<String>,
    pub ip: Option<String>,
    pub description: Option<String>,
    pub auto_delete: bool,
}

/// All of them. A copy costs what is changed in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Systems {
    accounts: HashMap<String, Arc<HashMap<String, System>>>,
    bytes: usize,
    /// The accounts of which something was written in this step.
    touched: BTreeSet<String>,
}

impl Systems {
    #[cfg(test)]
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn forget_account(&mut self, account: &str) {
        let gone = self.accounts.remove(account).unwrap_or_default();
        self.bytes -= gone.values().map(System::bytes).sum::<usize>();
    }

    /// Has these of an account, and nothing of before but what was noted here since.
    pub(super) fn replace_account(&mut self, account: &str, others: Self) {
        let before = self.accounts.get(account).cloned().unwrap_or_default();
        self.forget_account(account);
        for system in others.accounts.values().flat_map(|systems| systems.values()) {
            let mut system = system.clone();
            if let Some(noted) = before.get(&system.name).filter(|noted| noted.is_noted && noted.id == system.id)
                && noted.last_event > system.last_event
            {
                (system.last_event, system.is_noted) = (noted.last_event, true);
            }
            self.put(account, system);
        }
    }

    fn get(&self, account: &str, name: &str) -> Option<&System> {
        self.accounts.get(account)?.get(name)
    }

    fn of(&self, account: &str, id: u32) -> Option<&System> {
        self.accounts.get(account)?.values().find(|system| system.id == id)
    }

    fn put(&mut self, account: &str, system: System) {
        self.bytes += system.bytes();
        let systems = match self.accounts.get_mut(account) {
            Some(systems) => systems,
            None => self.accounts.entry(account.to_owned()).or_default(),
        };
        if let Some(old) = Arc::make_mut(systems).insert(system.name.clone(), system) {
            self.bytes -= old.bytes();
        }
    }

    fn take(&mut self, account: &str, name: &str) {
        if let Some(system) = self.accounts.get_mut(account).and_then(|systems| Arc::make_mut(systems).remove(name)) {
            self.bytes -= system.bytes();
        }
    }

    /// Whether somebody may say so much more of the systems of an account, in bytes.
    fn may_make(&self, account: &str, more: usize) -> Result<(), DirectoryError> {
        let made = |systems: &HashMap<String, System>| -> usize {
            systems.values().filter(|system| system.is_made).map(System::bytes).sum()
        };
        let own = self.accounts.get(account).map_or(0, |systems| made(systems));
        let taken = self.accounts.values().map(|systems| made(systems)).sum();
        let part = Part { own: count(own + more), of_account: MADE, taken: count(taken), all: ALL_MADE };
        part.more(FEW, "bytes of systems that were made")
    }

    /// Makes room for one more of an account: where there is none, those that were silent longest go, some at a time.
    fn make_room(&mut self, step: &mut Step<'_>, account: &str) -> Result<(), DirectoryError> {
        let of_account = self.accounts.get(account).map_or(0, |systems| systems.len());
        if of_account < OF_ACCOUNT && self.bytes + EACH + 3 * NAME <= MOST {
            return Ok(());
        }
        // Of those that were made none goes for another.
        let silent = |systems: &HashMap<String, System>| systems.values().filter(|system| !system.is_made).count();
        let largest = match of_account < OF_ACCOUNT {
            true => self.accounts.iter().max_by_key(|(_, systems)| silent(systems)).map(|(account, _)| account.clone()),
            false => Some(account.to_owned()),
        };
        let account = largest.unwrap_or_default();
        let systems = self.accounts.get(&account).into_iter().flat_map(|systems| systems.values());
        let mut silent: Vec<_> = systems
            .filter(|system| !system.is_made)
            .map(|system| (system.last_event, system.id, system.name.clone()))
            .collect();
        silent.sort_unstable();
        if silent.is_empty() {
            return Err(DirectoryError::TooMany(format!("an account has {OF_ACCOUNT} systems at most: remove some")));
        }
        silent.truncate(1 + silent.len() / 16);
        for (_, id, name) in silent {
            step.execute("DELETE FROM systems WHERE id = $1", values![id])?;
            self.take(&account, &name);
        }
        self.touched.insert(account);
        Ok(())
    }
}

/// Those of all accounts, or of one.
pub(super) fn read(step: &mut Step<'_>, account: Option<&str>) -> Result<Systems, DirectoryError> {
    let sql = "SELECT account, id, name, shown, hostname, ip, description, auto_delete, is_made, last_event FROM systems \
               WHERE CAST($1 AS TEXT) IS NULL OR account = $1";
    let mut systems = Systems::default();
    step.rows(sql, values![account], |row| -> Result<(), SqlError> {
        systems.put(&row.get::<String>(0)?, system(row, 1)?);
        Ok(())
    })?;
    Ok(systems)
}

/// Columns from one on: number, name, what is said of it, whether somebody made it, its last event.
fn system(row: &Row<'_>, from: usize) -> Result<System, SqlError> {
    let facts = SystemFacts {
        shown: row.get(from + 2)?,
        hostname: row.get(from + 3)?,
        ip: row.get(from + 4)?,
        description: row.get(from + 5)?,
        auto_delete: row.get(from + 6)?,
    };
    let last_event = u64::try_from(row.get::<i64>(from + 8)?).ok().filter(|id| *id > 0);
    let (id, name, is_made) = (row.get(from)?, row.get(from + 1)?, row.get(from + 7)?);
    Ok(System { id, name, facts, last_event, is_made, is_noted: false })
}

/// One as it is kept, whoever has written it.
fn kept(step: &mut Step<'_>, account: &str, name: &str) -> Result<Option<System>, DirectoryError> {
    let sql = "SELECT id, name, shown, hostname, ip, description, auto_delete, is_made, last_event FROM systems \
               WHERE account = $1 AND name = $2";
    Ok(step.one(sql, values![account, name], |row| system(row, 0))?)
}

fn add(
    step: &mut Step<'_>,
    systems: &mut Systems,
    account: &str,
    name: &str,
    last_event: Option<u64>,
    is_made: bool,
) -> Result<u32, DirectoryError> {
    systems.touched.insert(account.to_owned());
    // Another node has heard it, too.
    if let Some(known) = kept(step, account, name)? {
        let id = known.id;
        systems.put(account, known);
        return Ok(id);
    }
    systems.make_room(step, account)?;
    let id = next(step, "system")?;
    let last = last_event.and_then(|id| i64::try_from(id).ok()).unwrap_or(0);
    step.execute(
        "INSERT INTO systems (id, account, name, auto_delete, is_made, last_event) VALUES ($1, $2, $3, $4, $5, $6)",
        values![id, account, name, false, is_made, last],
    )?;
    let facts = SystemFacts::default();
    systems.put(account, System { id, name: name.to_owned(), facts, last_event, is_made, is_noted: false });
    Ok(id)
}

/// Texts that people give are bounded, and hold nothing that cannot be seen.
fn checked(name: &str, facts: &SystemFacts) -> Result<(), DirectoryError> {
    let SystemFacts { shown, hostname, ip, description, .. } = facts;
    let texts = [
        ("name", Some(name), NAME),
        ("name", shown.as_deref(), NAME),
        ("hostname", hostname.as_deref(), NAME),
        ("ip_address", ip.as_deref(), 64),
        ("description", description.as_deref(), DESCRIPTION),
    ];
    for (key, text, most) in texts {
        if text.is_some_and(|text| text.len() > most || text.contains(char::is_control)) {
            return Err(DirectoryError::Invalid(format!(
                "{key} has {most} bytes at most, and nothing that is no text"
            )));
        }
    }
    match name.is_empty() || shown.as_deref() == Some("") {
        true => Err(DirectoryError::Invalid("name is missing".to_owned())),
        false => Ok(()),
    }
}

fn unknown() -> DirectoryError {
    DirectoryError::NotFound("there is no such system".to_owned())
}

impl Directory {
    /// The number of a system, which it gets now if it has none.
    pub fn system_id(&self, account: &str, name: &str) -> Result<u32, DirectoryError> {
        if let Some(system) = self.systems().get(account, name) {
            return Ok(system.id);
        }
        self.change_systems(|step, systems| match systems.get(account, name) {
            Some(system) => Ok(system.id),
            None => add(step, systems, account, name, None, false),
        })
    }

    /// Systems of an account, by their numbers.
    pub fn systems_of(&self, account: &str) -> Vec<System> {
        let systems = self.systems();
        let mut all: Vec<_> =
            systems.accounts.get(account).into_iter().flat_map(|systems| systems.values()).cloned().collect();
        all.sort_unstable_by_key(|system| system.id);
        all
    }

    pub fn system(&self, account: &str, id: u32) -> Option<System> {
        self.systems().of(account, id).cloned()
    }

    /// The system with this name, its own or the one it is shown by.
    pub fn system_called(&self, account: &str, name: &str) -> Option<System> {
        let systems = self.systems();
        let shown = || systems.accounts.get(account)?.values().find(|system| system.shown() == name);
        systems.get(account, name).or_else(shown).cloned()
    }

    /// Makes a system that has not sent anything yet.
    pub fn add_system(&self, account: &str, name: &str, facts: SystemFacts) -> Result<System, DirectoryError> {
        checked(name, &facts)?;
        // Another node may have made it just now.
        let id = self.change_systems(|step, systems| match kept(step, account, name)? {
            Some(system) if system.is_made => {
                Err(DirectoryError::Taken(format!("a system sends under the name {name:?} already")))
            }
            Some(system) => {
                let id = system.id;
                if systems.get(account, name).is_none() {
                    systems.put(account, system);
                }
                Ok(id)
            }
            None => {
                let new = System { name: name.to_owned(), facts: facts.clone(), ..System::default() };
                systems.may_make(account, new.bytes())?;
                add(step, systems, account, name, None, true)
            }
        })?;
        self.set_system(account, id, facts)
    }

    /// Says something of a system.
    pub fn set_system(&self, account: &str, id: u32, facts: SystemFacts) -> Result<System, DirectoryError> {
        self.change_systems(|step, systems| {
            let mut system = systems.of(account, id).cloned().ok_or_else(unknown)?;
            checked(&system.name, &facts)?;
            let was = if system.is_made { system.bytes() } else { 0 };
            let new = System { facts: facts.clone(), ..system.clone() }.bytes();
            if new > was {
                systems.may_make(account, new - was)?;
            }
            let SystemFacts { shown, hostname, ip, description, auto_delete } = &facts;
            systems.touched.insert(account.to_owned());
            let changed = step.execute(
                "UPDATE systems SET shown = $1, hostname = $2, ip = $3, description = $4, auto_delete = $5, \
                 is_made = $6 WHERE id = $7",
                values![shown, hostname, ip, description, *auto_delete, true, id],
            )?;
            if changed == 0 {
                return Err(unknown());
            }
            (system.facts, system.is_made) = (facts, true);
            systems.put(account, system.clone());
            Ok(system)
        })
    }

    /// Removes a system. One that goes on sending is heard again, under another number.
    pub fn remove_system(&self, account: &str, id: u32) -> Result<(), DirectoryError> {
        self.change_systems(|step, systems| {
            let name = systems.of(account, id).map(|system| system.name.clone()).ok_or_else(unknown)?;
            step.execute("DELETE FROM systems WHERE id = $1", values![id])?;
            systems.touched.insert(account.to_owned());
            systems.take(account, &name);
            Ok(())
        })
    }

    /// These systems of accounts were heard, and their last events are these. New ones get their numbers, all at once.
    pub fn heard<A: AsRef<str>, S: AsRef<str>>(&self, all: &[(A, S, u64)]) -> Result<(), DirectoryError> {
        let mut new = Vec::new();
        // What changes them is done before or behind it: nothing that was noted is lost.
        let changes = self.state_soon()?;
        let mut systems = self.systems();
        for (account, name, last) in all {
            let (account, name) = (account.as_ref(), name.as_ref());
            match systems.accounts.get_mut(account).and_then(|systems| Arc::make_mut(systems).get_mut(name)) {
                Some(system) if system.last_event < Some(*last) => {
                    (system.last_event, system.is_noted) = (Some(*last), true);
                }
                Some(_) => {}
                None => new.push((account, name, *last)),
            }
        }
        drop((systems, changes));
        if new.is_empty() {
            return Ok(());
        }
        self.change_systems_within(None, |step, systems| {
            for (account, name, last) in new {
                if systems.get(account, name).is_some() {
                    continue;
                }
                match add(step, systems, account, name, Some(last), false) {
                    // An account that has as many as it may goes on without a number for this one.
                    Ok(_) | Err(DirectoryError::TooMany(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })
    }

    /// Writes when each was heard last. Other nodes hear of it when they are `told`.
    pub(super) fn save_systems(&self, told: bool) -> Result<(), DirectoryError> {
        self.change_systems_within(None, |step, systems| {
            let mut noted: Vec<(i64, u32)> = Vec::new();
            let Systems { accounts, touched, .. } = systems;
            for (account, systems) in accounts {
                if systems.values().any(|system| system.is_noted) {
                    if told {
                        touched.insert(account.clone());
                    }
                    for system in Arc::make_mut(systems).values_mut().filter(|system| system.is_noted) {
                        system.is_noted = false;
                        noted.push((system.last_event.and_then(|id| i64::try_from(id).ok()).unwrap_or(0), system.id));
                    }
                }
            }
            let all: Vec<[Value<'_>; 2]> = noted.iter().map(|(last, id)| [(*last).into(), (*id).into()]).collect();
            step.execute_each("UPDATE systems SET last_event = $1 WHERE id = $2 AND last_event < $1", &all)?;
            Ok(())
        })
    }

    /// Changes what is kept, and then what is in memory.
    fn change_systems<T>(
        &self,
        change: impl FnOnce(&mut Step<'_>, &mut Systems) -> Result<T, DirectoryError>,
    ) -> Result<T, DirectoryError> {
        self.change_systems_within(Some(CHANGED_WITHIN), change)
    }

    /// The same, however long it takes where no time is given.
    fn change_systems_within<T>(
        &self,
        time: Option<Duration>,
        change: impl FnOnce(&mut Step<'_>, &mut Systems) -> Result<T, DirectoryError>,
    ) -> Result<T, DirectoryError> {
        self.change_by(
            time,
            |step| {
                let mut draft = self.systems().clone();
                let changed = change(step, &mut draft)?;
                let touched = std::mem::take(&mut draft.touched);
                let touched = touched.into_iter().map(|account| (Group::Systems, account)).collect();
                Ok(((changed, draft), touched))
            },
            |(changed, draft)| {
                *self.systems() = draft;
                changed
            },
        )
    }
}
