//! Which lines are asked for: systems, group and saved search by their names, and the range.

use crate::args::look::SearchArgs;
use crate::search::filter::{Filter, TimeRange, is_like};
use crate::server::Server;
use log_query::Query;
use log_store::EventId;
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::Failure;
use serde::Deserialize;

/// Names that are told when none is the one that was meant.
const NAMES: usize = 20;

/// A system, group or saved search.
#[derive(Debug, Deserialize)]
struct Named {
    id: u64,
    name: String,
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    group_id: Option<u64>,
}

/// A saved search: its query and the number of its group.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Saved {
    pub(crate) query: String,
    group: Option<u64>,
}

/// What every page is asked with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wanted {
    query: String,
    system: Option<String>,
    group: Option<String>,
    /// Names of systems, one of which a line must be of, where the server takes one alone.
    systems: Vec<String>,
    /// The number in front of the first line, and the one behind the last.
    pub(super) after: Option<u64>,
    pub(super) before: Option<u64>,
}

/// Finds a saved search by its name.
///
/// # Errors
/// When there is none, or the server cannot be asked.
pub(crate) fn saved(server: &Server, name: &str) -> Result<Saved, Failure> {
    let found = one(server, "searches", "saved search", name)?;
    Ok(Saved { query: found.query.unwrap_or_default(), group: found.group_id })
}

impl Wanted {
    /// # Errors
    /// When a name is none the server has, or it cannot be asked.
    pub(super) fn of(
        server: &Server,
        args: &SearchArgs,
        text: &str,
        saved: Option<&Saved>,
        filter: &Filter,
    ) -> Result<Self, Failure> {
        let group = match &args.look.group {
            Some(name) => Some(one(server, "groups", "group", name)?.id),
            None => saved.and_then(|saved| saved.group),
        };
        let mut wanted = Self {
            query: text.to_owned(),
            system: None,
            group: group.map(|group| group.to_string()),
            systems: Vec::new(),
            after: None,
            before: None,
        };
        wanted.set_range(filter.range());
        if filter.systems().is_empty() {
            return Ok(wanted);
        }
        let all = all(server, "systems")?;
        let is_meant = |system: &&Named| {
            filter.systems().iter().any(|pattern| is_like(pattern.as_bytes(), system.name.as_bytes()))
        };
        let meant: Vec<&Named> = all.iter().filter(is_meant).collect();
        match meant[..] {
            [] => return Err(nobody("system", &args.look.systems.join("` or `"), &all)),
            [system] => wanted.system = Some(system.id.to_string()),
            _ => wanted.set_systems(meant.iter().map(|system| system.name.clone()).collect()),
        }
        Ok(wanted)
    }

    fn set_range(&mut self, range: TimeRange) {
        self.after = range.earliest.and_then(|time| EventId::at(time).get().checked_sub(1));
        // A time of an id has milliseconds.
        self.before = range.latest.map(|time| EventId::at(time.saturating_add(1_000)).get());
    }

    /// Of several systems a query finds those lines and perhaps some more, whose systems have such a name as a piece.
    fn set_systems(&mut self, names: Vec<String>) {
        let is_plain = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if names.iter().all(is_plain) {
            let of: Vec<_> = names.iter().map(|name| format!("sender:{name}")).collect();
            let of = of.join(" OR ");
            let text = Query::parse(&self.query).into_query().to_string();
            let both = if text.is_empty() { of } else { format!("({text}) ({of})") };
            // Longer ones are refused; then all lines come, and are chosen here.
            if both.len() <= crate::search::filter::LONGEST {
                self.query = both;
            }
        }
        self.systems = names;
    }

    /// Whether the server gives the lines that are meant and no others.
    pub(super) const fn is_exact(&self) -> bool {
        self.systems.is_empty()
    }

    /// Whether a line that the server gave is one that is meant.
    pub(super) fn is_of(&self, system: &[u8]) -> bool {
        self.is_exact() || self.systems.iter().any(|name| name.as_bytes() == system)
    }

    pub(super) fn parameters(&self) -> Vec<(&str, &str)> {
        let [system, group] = [&self.system, &self.group].map(|value| value.as_deref().unwrap_or_default());
        vec![("q", &self.query), ("system_id", system), ("group_id", group)]
    }
}

fn all(server: &Server, list: &str) -> Result<Vec<Named>, Failure> {
    server.get(&format!("/api/v1/{list}.json"), &[]).map_err(|error| server.failure(&error))
}

/// The one of this name, case ignored if need be, else the first in whose name it is.
fn one(server: &Server, list: &str, what: &str, name: &str) -> Result<Named, Failure> {
    let mut all = all(server, list)?;
    let wanted = name.to_lowercase();
    let is: [&dyn Fn(&Named) -> bool; 3] =
        [&|named| named.name == name, &|named| named.name.to_lowercase() == wanted, &|named| {
            named.name.to_lowercase().contains(&wanted)
        }];
    match is.into_iter().find_map(|is| all.iter().position(is)) {
        Some(at) => Ok(all.swap_remove(at)),
        None => Err(nobody(what, name, &all)),
    }
}

fn nobody(what: &str, name: &str, all: &[Named]) -> Failure {
    let names: Vec<_> = all.iter().take(NAMES).map(|named| Escaped(&named.name).to_string()).collect();
    let more = if all.len() > NAMES { ", …" } else { "" };
    let there =
        if names.is_empty() { "there is none".to_owned() } else { format!("there are {}{more}", names.join(", ")) };
    Failure::Config(format!("no {what} is called `{}`; {there}", Escaped(name)))
}
