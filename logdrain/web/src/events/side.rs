//! What stands beside the lines: groups, saved searches and systems to look at, and which of them sends now.

use super::address::{Ask, At};
use super::part::Part;
use super::text::LogText;
use crate::access::{ALL_SYSTEMS, Viewer};
use log_store::{EventId, Scope};
use logdrain_drain::directory::Directory;
use logdrain_drain::settings::Settings;
use logdrain_drain::settings::account::Search;
use maud::{Markup, html};

/// How many of each are named.
const GROUPS: usize = 100;
const SEARCHES: usize = 200;
const SYSTEMS: usize = 200;
/// What a name takes of the page, each time that it stands there.
const NAME: usize = 160;
/// Who was heard so short a time ago sends now; who was not for so long is silent.
const NOW: i64 = 120 * 1_000_000;
const SILENT: i64 = 24 * 3_600 * 1_000_000;

/// Whether a system sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lamp {
    Sending,
    Idle,
    Silent,
}

impl Lamp {
    fn of(last_event: Option<u64>, now: i64) -> Self {
        match last_event.map(|id| now - EventId::new(id).unix_micros()) {
            Some(ago) if ago < NOW => Self::Sending,
            Some(ago) if ago < SILENT => Self::Idle,
            _ => Self::Silent,
        }
    }

    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Sending => ("sending", "sending now"),
            Self::Idle => ("idle", "nothing now, but in the last 24 hours"),
            Self::Silent => ("silent", "nothing for 24 hours"),
        }
    }

    fn drawn(self) -> Markup {
        html! {
            @match self {
                Self::Sending => svg.lamp.on viewBox="0 0 10 10" aria-hidden="true" { circle cx="5" cy="5" r="4.5" {} },
                Self::Idle => svg.lamp.idle viewBox="0 0 10 10" aria-hidden="true" { circle cx="5" cy="5" r="3.8" {} },
                Self::Silent => svg.lamp.off viewBox="0 0 10 10" aria-hidden="true" { path d="M1.5 1.5l7 7m0-7l-7 7" {} },
            }
        }
    }
}

/// A system to look at.
#[derive(Debug)]
struct System {
    id: u32,
    name: String,
    shown: String,
    lamp: Lamp,
}

/// What there is to look at, for whoever asks.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// Number, name, and how many systems are in it.
    groups: Vec<(u32, String, usize)>,
    searches: Vec<(u32, Search)>,
    systems: Vec<System>,
    /// Systems that are not named.
    others: usize,
    /// All that he sees, as one group.
    all: usize,
    sees_all: bool,
    /// The saved search that is in use.
    used: Option<u32>,
    pub(super) may_save: bool,
    /// Whether whoever looks may make alerts of what he searches for.
    pub(super) makes_alerts: bool,
    /// Whether whoever looks makes and changes groups.
    pub(super) may_group: bool,
    /// The group that a search is saved in.
    pub(super) group: Option<u32>,
    /// What forms of his session carry.
    pub(super) form: Option<String>,
}

impl Side {
    pub(super) fn of(ask: &Ask, viewer: &Viewer, settings: &Settings, directory: &Directory, now: i64) -> Self {
        let account = settings.account(&ask.account);
        let scope = viewer.scope(settings);
        let allows = |scope: &Scope, name: &str| scope.allows(&ask.account, name.as_bytes());
        let mut known = directory.systems_of(&ask.account);
        known.retain(|system| allows(&scope, &system.name));
        let mut groups: Vec<_> = account
            .groups
            .iter()
            .filter(|(id, _)| viewer.sees_group(**id))
            .take(GROUPS)
            .map(|(id, group)| {
                let scope = Scope::account(&ask.account).with_systems(group.patterns());
                (*id, group.name.clone(), known.iter().filter(|system| allows(&scope, &system.name)).count())
            })
            .collect();
        groups.sort_by(|(_, a, _), (_, b, _)| a.cmp(b));
        let sees = |search: &Search| search.group.is_none_or(|id| viewer.sees_group(id));
        let mut searches: Vec<_> = account
            .searches
            .iter()
            .filter(|(_, search)| sees(search))
            .map(|(id, search)| (*id, search.clone()))
            .collect();
        searches.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        let group = ask.part.group.filter(|id| *id != ALL_SYSTEMS);
        let is_used = |search: &Search| {
            search.query.trim() == ask.query.trim() && search.group == group && ask.part.system.is_none()
        };
        let by_hand = searches.iter().find(|(_, search)| !ask.query.trim().is_empty() && is_used(search));
        let used = searches
            .iter()
            .find(|(id, search)| ask.part.saved == Some(*id) && is_used(search))
            .or(by_hand)
            .map(|(id, _)| *id);
        searches.truncate(SEARCHES);
        let all = known.len();
        // Those that were heard last, by name.
        known.sort_by_key(|system| std::cmp::Reverse(system.last_event));
        known.truncate(SYSTEMS);
        let mut systems: Vec<_> = known
            .into_iter()
            .map(|system| System {
                id: system.id,
                shown: system.shown().to_owned(),
                lamp: Lamp::of(system.last_event, now),
                name: system.name,
            })
            .collect();
        systems.sort_by(|a, b| a.shown.cmp(&b.shown));
        Self {
            groups,
            searches,
            others: all - systems.len(),
            systems,
            all,
            sees_all: viewer.sees_all_groups(),
            used,
            may_save: false,
            makes_alerts: viewer.sees_all_groups(),
            may_group: false,
            group,
            form: viewer.form_token().map(str::to_owned),
        }
    }

    /// The same question of another part.
    fn link(ask: &Ask, part: Part) -> Ask {
        Ask { part, ..ask.at(At::Newest) }
    }

    /// The list beside the lines.
    pub(super) fn html(&self, ask: &Ask) -> Markup {
        let ask = &ask.short();
        let is_part = |group: Option<u32>| {
            let own = ask.part.group.filter(|id| *id != ALL_SYSTEMS);
            (own == group && ask.part.system.is_none()).then_some("true")
        };
        html! {
            aside.side aria-label="Groups, searches and systems" {
                h2 { "Groups" }
                ul {
                    li { a href=(Self::link(ask, Part::default())) aria-current=[is_part(None)] {
                        span.t { @if self.sees_all { "All systems" } @else { "All your systems" } } span.n { (self.all) } } }
                    @for (id, name, count) in &self.groups {
                        li.saved {
                            a href=(Self::link(ask, Part { group: Some(*id), ..Part::default() })) aria-current=[is_part(Some(*id))] {
                                span.t { (text(name)) } span.n { (count) } }
                            @if self.may_group { a.edit href=(self.groups(ask, &format!("g{id}"))) aria-label={ "Change " (text(name).text()) } title="Change" { "✎" } }
                        }
                    }
                    @if self.may_group { li { a.make href=(self.groups(ask, "groups")) { "Make a group" } } }
                }
                h2 { "Saved searches" }
                ul {
                    @for (id, search) in &self.searches {
                        li.saved {
                            a href=(self.search(ask, *id)) aria-current=[(self.used == Some(*id)).then_some("true")] title=(text(&search.query).text()) {
                                span.t { (text(&search.name)) } }
                            @if self.may_save { a.edit href=(self.edit(ask, *id)) aria-label={ "Change " (text(&search.name).text()) } title="Change" { "✎" } }
                        }
                    }
                    @if self.searches.is_empty() { li.none { @if self.may_save { "None yet: search, then Save." } @else { "None yet." } } }
                }
                h2 { "Systems" }
                ul {
                    @for system in &self.systems {
                        @let (word, said) = system.lamp.words();
                        @let is_it = ask.part.system.as_deref() == Some(system.name.as_str());
                        li { a href=(Self::link(ask, Part { system: Some(system.name.clone()), ..Part::default() }))
                            aria-current=[is_it.then_some("true")] title={ (text(&system.shown).text()) ", " (said) } {
                            (system.lamp.drawn()) span.t { (text(&system.shown)) } span.vh { (word) } } }
                    }
                    @if self.systems.is_empty() { li.none { "None was heard yet." } }
                    @if self.others > 0 { li.none { "and " (self.others) " more: " code { "sender:name" } " finds them" } }
                }
            }
        }
    }

    /// What the list is on a phone.
    pub(super) fn select(&self, ask: &Ask) -> Markup {
        let group = ask.part.group.filter(|id| *id != ALL_SYSTEMS);
        let system = ask.part.system.as_deref();
        let is_named = system.is_none_or(|name| self.systems.iter().any(|system| system.name == name));
        html! {
            select.grp name="in" aria-label="Group, system or saved search" form="ask" {
                option value="all" { @if self.sees_all { "All systems" } @else { "All your systems" } }
                @if let Some(name) = system.filter(|_| !is_named) { option value={ "s" (name) } selected { (text(name).text()) } }
                @if !self.groups.is_empty() {
                    optgroup label="Groups" {
                        @for (id, name, _) in &self.groups {
                            option value={ "g" (id) } selected[group == Some(*id) && system.is_none()] { (text(name).text()) }
                        }
                    }
                }
                @if !self.systems.is_empty() {
                    optgroup label="Systems" {
                        @for known in &self.systems {
                            option value={ "s" (known.id) } selected[system == Some(known.name.as_str())] {
                                (text(&known.shown).text()) ", " (known.lamp.words().0) }
                        }
                    }
                }
                @if !self.searches.is_empty() {
                    optgroup label="Saved searches" {
                        @for (id, search) in &self.searches { option value={ "q" (id) } { (text(&search.name).text()) } }
                    }
                }
            }
        }
    }

    /// Searches that a new one may go in place of.
    pub(super) fn replaceable(&self) -> Markup {
        html! {
            option value="" { "as a new search" }
            @for (id, search) in &self.searches {
                option value=(id) selected[self.used == Some(*id)] { "instead of " (text(&search.name).text()) }
            }
        }
    }

    /// What the search that is in use is called.
    pub(super) fn used_name(&self) -> Option<&str> {
        self.searches.iter().find(|(id, _)| self.used == Some(*id)).map(|(_, search)| search.name.as_str())
    }

    pub(super) const fn is_used(&self) -> bool {
        self.used.is_some()
    }

    fn search(&self, ask: &Ask, id: u32) -> String {
        self.with_account(ask, format!("/events?search={id}"), '&')
    }

    fn edit(&self, ask: &Ask, id: u32) -> String {
        self.with_account(ask, format!("/searches/{id}/edit"), '?')
    }

    /// The page on which groups are made and changed, at one of them.
    fn groups(&self, ask: &Ask, place: &str) -> String {
        format!("{}#{place}", self.with_account(ask, "/account/searches".to_owned(), '?'))
    }

    fn with_account(&self, ask: &Ask, path: String, joint: char) -> String {
        // An account's name needs no encoding.
        let account = ask.hidden().into_iter().find(|(name, _)| *name == "account");
        account.map_or_else(|| path.clone(), |(_, account)| format!("{path}{joint}account={account}"))
    }
}

fn text(name: &str) -> LogText {
    LogText::plain(name.as_bytes(), NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lamp_is_on_for_who_sends_now() {
        let now = 1_700_000_000_000_000;
        let ago = |seconds: i64| Lamp::of(Some(EventId::at(now - seconds * 1_000_000).get()), now);
        assert_eq!([ago(0), ago(119), ago(-5)], [Lamp::Sending; 3]);
        assert_eq!([ago(121), ago(86_399)], [Lamp::Idle; 2]);
        assert_eq!([ago(86_401), Lamp::of(None, now)], [Lamp::Silent; 2]);
    }
}
