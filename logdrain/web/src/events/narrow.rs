//! From the part that an address names to the lines that are looked at.

use super::address::Ask;
use crate::access::{ALL_SYSTEMS, Viewer};
use log_store::Scope;
use logdrain_drain::directory::Directory;
use logdrain_drain::settings::Settings;
use std::sync::Arc;

/// It is not there, or not for whoever asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Nothing(pub(super) &'static str);

impl Ask {
    /// Looks at the part that is asked for, as far as whoever asks may see it.
    ///
    /// # Errors
    /// When there is no such part for him.
    pub(super) fn narrowed(
        mut self,
        viewer: &Viewer,
        settings: &Settings,
        directory: &Directory,
    ) -> Result<Self, Nothing> {
        let account = settings.account(&self.account);
        if let Some(id) = self.part.search.take() {
            let search = account.searches.get(&id).filter(|search| search.group.is_none_or(|id| viewer.sees_group(id)));
            let search = search.ok_or(Nothing("there is no such saved search"))?;
            if self.query.is_empty() || self.part.is_picked {
                self.query.clone_from(&search.query);
            }
            self.part.group = self.part.group.or(search.group);
            self.part.saved = Some(id);
        }
        if let Some(id) = self.part.group.filter(|id| *id != ALL_SYSTEMS) {
            let group = account.groups.get(&id).filter(|_| viewer.sees_group(id));
            let group = group.ok_or(Nothing("there is no such group"))?;
            self.part.shown = format!("group {}", group.name);
            self.scope = Arc::new(Scope::account(&self.account).with_systems(group.patterns()));
        }
        if let Some(name) = &self.part.system {
            let of = &self.account;
            let by_id = name.parse().ok().and_then(|id| directory.system(of, id));
            // One that is not known yet sends under this name, or nothing does.
            let name =
                by_id.or_else(|| directory.system_called(of, name)).map_or_else(|| name.clone(), |system| system.name);
            if !self.scope.allows(of, name.as_bytes()) {
                return Err(Nothing("there is no such system"));
            }
            // A star in a name stands for no more than it did in what allowed the name.
            self.scope = Arc::new(Scope::account(of).with_systems([&name]));
            self.part.shown = format!("system {name}");
            self.part.system = Some(name);
        }
        Ok(self)
    }
}
