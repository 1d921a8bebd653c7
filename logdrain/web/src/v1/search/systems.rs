//! Systems as events name them: by number and by name.

use log_store::Event;
use logdrain_drain::directory::Directory;
use std::collections::HashMap;

/// Systems that get their number while a page is written: each costs a write. The others have none on that page.
const NEW: usize = 50;

/// One system as events name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Named {
    pub(super) id: u32,
    /// What it is called, and what it calls itself.
    pub(super) shown: String,
    pub(super) name: String,
}

/// All systems of a page, by the bytes of their names.
#[derive(Debug, Default)]
pub(super) struct Systems(HashMap<Vec<u8>, Named>);

impl Systems {
    pub(super) fn of<'a>(directory: &Directory, account: &str, events: impl Iterator<Item = Event<'a>>) -> Self {
        let mut all = HashMap::new();
        let (mut new, mut last) = (0, None);
        for event in events {
            // Many come from one.
            if last.replace(event.system()) == Some(event.system()) || all.contains_key(event.system()) {
                continue;
            }
            let name = String::from_utf8_lossy(event.system()).into_owned();
            let named = match directory.system_called(account, &name).filter(|system| system.name == name) {
                Some(system) => Named { id: system.id, shown: system.shown().to_owned(), name },
                None => {
                    new += 1;
                    // A directory that cannot be written keeps nobody from his lines.
                    let id = if new <= NEW { directory.system_id(account, &name).unwrap_or(0) } else { 0 };
                    Named { id, shown: name.clone(), name }
                }
            };
            all.insert(event.system().to_owned(), named);
        }
        Self(all)
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Named> {
        self.0.get(name)
    }
}
