//! What the handlers of objects share: who asks for what, how he sees an account, and how a change of it is made.
//!
//! What lines depend on (groups, searches, which systems are registered) is in the settings of the journal; numbers of
//! systems and who belongs to an account are in the directory. Somebody who may see some groups only sees his groups, the
//! systems in them, and the searches of them; he changes nothing by which he would see more.

use super::answer::Answer;
use super::parameters::{Ask, Wrong};
use super::shapes::{Group, Links};
use crate::access;
use crate::site::Site;
use axum::http::StatusCode;
use log_store::EventId;
use logdrain_drain::directory::{Directory, DirectoryError, System};
use logdrain_drain::journal::{ChangeError, Changed};
use logdrain_drain::settings::Settings;
use logdrain_drain::settings::account::{self, Account};
use logdrain_drain::settings::change::{Change, Misfit};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// All systems of an account, as a group: it is there without being made.
pub(super) const ALL: Group<'static> = Group { id: 1, name: "All Systems", wildcard: Some("*") };

/// Systems that get their number while they are listed: each costs a write.
const AT_A_TIME: usize = 100;
/// How long one waits for the change of another.
const PATIENCE: Duration = Duration::from_secs(3);

/// Who asks for what.
pub(super) struct Asked {
    pub(super) site: Arc<Site>,
    pub(super) viewer: access::Viewer,
    pub(super) ask: Ask,
    pub(super) settings: Arc<Settings>,
}

impl Asked {
    /// What addresses in answers begin with.
    pub(super) fn base(&self) -> &str {
        self.ask.base()
    }

    pub(super) fn links(&self) -> Links<'_> {
        Links(self.base())
    }

    pub(super) fn account(&self) -> &Account {
        self.settings.account(&self.viewer.account)
    }

    pub(super) fn name(&self) -> String {
        self.viewer.account.clone()
    }

    pub(super) fn directory(&self) -> &Directory {
        &self.site.directory
    }

    pub(super) fn sees(&self, system: &System) -> bool {
        self.viewer.sees_system(&self.settings, &system.name)
    }

    /// A group that he sees, by its number.
    pub(super) fn group(&self, id: u32) -> Result<&account::Group, Answer> {
        let group = self.account().groups.get(&id).filter(|_| self.viewer.sees_group(id));
        group.ok_or_else(|| Answer::not_found("Group not found"))
    }

    /// The group of a search, with its number; all systems when it names none.
    pub(super) fn group_of(&self, id: Option<u32>) -> Group<'_> {
        let group = id.and_then(|id| Some((id, self.account().groups.get(&id)?)));
        group.map_or(ALL, |(id, group)| Group { id, name: &group.name, wildcard: group.wildcard.as_deref() })
    }

    /// The systems that he sees. One that is registered and not known yet gets its number now.
    pub(super) fn systems(&self) -> Vec<System> {
        let mut systems = self.directory().systems_of(&self.viewer.account);
        let account = self.account();
        let listed = account.groups.values().flat_map(|group| &group.systems);
        let mut missing: Vec<&String> = account.registered.iter().chain(listed).collect();
        missing.sort_unstable();
        missing.dedup();
        let known: HashSet<&str> = systems.iter().map(|system| system.name.as_str()).collect();
        missing.retain(|name| !known.contains(name.as_str()));
        let is_missing = !missing.is_empty();
        for name in missing.into_iter().take(AT_A_TIME) {
            // There is no room for more, or it cannot be written: they are not shown, then.
            if self.directory().system_id(&self.viewer.account, name).is_err() {
                break;
            }
        }
        if is_missing {
            systems = self.directory().systems_of(&self.viewer.account);
        }
        let scope = self.viewer.scope(&self.settings);
        systems.retain(|system| scope.allows(&self.viewer.account, system.name.as_bytes()));
        systems
    }

    /// A system that he sees, by number or name. A name of digits alone is a number first.
    pub(super) fn system(&self, id_or_name: &str) -> Result<System, Answer> {
        let account = &self.viewer.account;
        let by_id = id_or_name.parse().ok().and_then(|id| self.directory().system(account, id));
        let found = by_id.or_else(|| self.directory().system_called(account, id_or_name));
        found.filter(|system| self.sees(system)).ok_or_else(|| Answer::not_found("System not found"))
    }

    /// Who may only read changes nothing, and who sees some groups only changes nothing by which he would see more.
    pub(super) fn changes(&self) -> Result<(), Answer> {
        match self.viewer.may_change() {
            true => Ok(()),
            false => Err(Answer::forbidden("whoever asks may not change that")),
        }
    }
}

/// A change that is on the disk when this answers.
pub(super) async fn change(site: &Site, change: Change) -> Result<Changed, Answer> {
    site.intake.change(change).await.map_err(|error| match error {
        ChangeError::Unfit(unfit) if unfit.kind == Misfit::NotFound => Answer::not_found(unfit.why),
        ChangeError::Unfit(unfit) if unfit.kind == Misfit::TooOften => {
            Answer::later(StatusCode::TOO_MANY_REQUESTS, 10, unfit.why)
        }
        ChangeError::Unfit(unfit) => Answer::error(StatusCode::BAD_REQUEST, unfit.why),
        ChangeError::CannotStore => {
            Answer::later(StatusCode::SERVICE_UNAVAILABLE, 1, "changes cannot be stored now: come again")
        }
    })
}

/// Holds others off who read something to write it back changed.
pub(super) async fn alone(site: &Site) -> Result<tokio::sync::MutexGuard<'_, ()>, Answer> {
    tokio::time::timeout(PATIENCE, site.changing.lock()).await.map_err(|_| Answer::busy())
}

/// Something that waits for the disk, off the threads that answer deliveries.
pub(super) async fn blocking<T: Send + 'static>(
    asked: &Arc<Asked>,
    work: impl FnOnce(&Asked) -> T + Send + 'static,
) -> Result<T, Answer> {
    let asked = asked.clone();
    tokio::task::spawn_blocking(move || work(&asked)).await.map_err(|_| Answer::busy())
}

impl From<DirectoryError> for Answer {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Closed(why) => {
                // What it says of files is for the log.
                tracing::warn!(%why, "a change of members or systems was not stored");
                Self::later(StatusCode::SERVICE_UNAVAILABLE, 1, "members and systems cannot be read or changed now")
            }
            DirectoryError::NotFound(why) => Self::not_found(why),
            DirectoryError::Invalid(why) | DirectoryError::Taken(why) | DirectoryError::TooMany(why) => {
                Self::error(StatusCode::BAD_REQUEST, why)
            }
        }
    }
}

pub(super) fn wrong(why: impl Into<String>) -> Answer {
    Wrong(why.into()).into()
}

/// A number of a path, as numbers are given.
pub(super) fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Whether a name holds a part, whatever the case. Clients look for an exact name themselves.
pub(super) fn has_part(name: &str, part: &str) -> bool {
    name.to_lowercase().contains(&part.to_lowercase())
}

/// Of the last event, in microseconds since 1970.
pub(super) fn last_event(system: &System) -> Option<i64> {
    system.last_event.map(|id| EventId::new(id).unix_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_systems_a_part_of_a_name_is_found_in_any_case() {
        for (name, part, has) in [
            ("Web-01", "web", true),
            ("web-01", "EB-0", true),
            ("Straße", "STRASSE", false),
            ("Ünal", "ünal", true),
            ("db", "", true),
            ("db", "web", false),
        ] {
            assert_eq!(has_part(name, part), has, "{name} {part}");
        }
        assert_eq!((number("7"), number("+7"), number("7x"), number("99999999999")), (Some(7), None, None, None));
    }
}
