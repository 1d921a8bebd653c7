//! The parts of an account's pages: what they are called, and who sees them.

use super::{Rooms, destinations, filters, members, patterns, plan, profile, searches};
use crate::access::Viewer;
use crate::layout::{Frame, Tab};
use crate::turns::Budget;
use maud::{Markup, html};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Profile,
    Members,
    Plan,
    Destinations,
    Searches,
    Filters,
    Patterns,
}

const ALL: [Part; 7] =
    [Part::Profile, Part::Members, Part::Plan, Part::Destinations, Part::Searches, Part::Filters, Part::Patterns];

impl Part {
    pub(super) fn called(name: &str) -> Option<Self> {
        // What others link to.
        let name = if name == "usage" { "plan" } else { name };
        ALL.into_iter().find(|part| part.path().strip_prefix("/account/") == Some(name))
    }

    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Profile => "/account/profile",
            Self::Members => "/account/members",
            Self::Plan => "/account/plan",
            Self::Destinations => "/account/destinations",
            Self::Searches => "/account/searches",
            Self::Filters => "/account/filters",
            Self::Patterns => "/account/patterns",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Profile => "Profile",
            Self::Members => "Members",
            Self::Plan => "Plan and usage",
            Self::Destinations => "Drains and systems",
            Self::Searches => "Groups and searches",
            Self::Filters => "Filters",
            Self::Patterns => "What fills the log",
        }
    }

    /// Nodes that keep no lines have few of them.
    fn is_there(self, frame: &Frame) -> bool {
        matches!(self, Self::Profile | Self::Members) || frame.has(Tab::Events)
    }

    pub(super) fn is_for(self, viewer: &Viewer) -> bool {
        match self {
            Self::Profile | Self::Destinations | Self::Searches => viewer.may_read(),
            Self::Members => viewer.may_manage_members(),
            Self::Plan | Self::Filters | Self::Patterns => viewer.sees_all_groups(),
        }
    }
}

/// What stands on the page.
pub(super) fn content(
    rooms: &Rooms,
    frame: &Frame,
    part: Part,
    (query, base): (&str, &str),
    budget: &Budget,
) -> Markup {
    match part {
        Part::Profile => profile::content(frame),
        Part::Members => members::content(frame, query),
        Part::Plan => plan::content(rooms, frame),
        Part::Destinations => destinations::content(frame, (query, base), budget),
        Part::Searches => searches::content(frame),
        Part::Filters => filters::content(frame),
        Part::Patterns => patterns::content(frame, query),
    }
}

/// The page, with the ways to the other parts.
pub(super) fn document(frame: &Frame, part: Part, query: &str, told: Option<&Markup>, content: &Markup) -> Markup {
    let done = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "done").map(|(_, key)| key);
    let done = done.and_then(|key| DONE.iter().find(|(known, _)| *known == key));
    frame.document(&html! {
        main.page id="main" {
            nav.tabs aria-label="Account" {
                @for other in ALL.into_iter().filter(|part| part.is_for(&frame.viewer) && part.is_there(frame)) {
                    a href=(frame.link(other.path())) aria-current=[(other == part).then_some("page")] { (other.title()) }
                }
            }
            h1 { (part.title()) }
            @if let Some((_, said)) = done.filter(|_| told.is_none()) { p.banner.info role="status" { (said) } }
            @if let Some(told) = told { (told) }
            (content)
        }
    })
}

/// Something that did not work, and why.
pub(super) fn wrong(why: &str) -> Markup {
    let mut letters = why.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let rest = letters.as_str();
    html! { p.banner.bad role="alert" { (first) (rest) @if !rest.ends_with('.') { "." } } }
}

/// What an address may say that was done.
const DONE: [(&str, &str); 15] = [
    ("zone", "Times are shown in that zone from now on."),
    ("token-removed", "The token is gone. Whatever used it is asked for another one."),
    ("member-saved", "The rights are changed. They hold with his next click."),
    ("member-removed", "The member is gone, with his tokens and sessions."),
    ("plan", "The plan is changed."),
    ("filter-added", "The filter is on. Lines that match it from now on are counted, and not kept."),
    ("filter-saved", "The filter is changed."),
    ("filter-removed", "The filter is gone."),
    ("group-added", "The group is there."),
    ("group-saved", "The group is changed."),
    ("group-removed", "The group is gone. Its systems are still there."),
    ("search-added", "The search is saved."),
    ("search-saved", "The search is changed."),
    ("search-removed", "The search is gone."),
    ("unknown", "That holds from the next line on."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_called_by_its_path() {
        for part in ALL {
            assert_eq!(Part::called(part.path().strip_prefix("/account/").unwrap()), Some(part));
        }
        assert_eq!(Part::called("usage"), Some(Part::Plan));
        assert_eq!((Part::called(""), Part::called("../x"), Part::called("Profile")), (None, None, None));
    }

    #[test]
    fn a_reason_is_a_sentence() {
        assert!(wrong("text: <b> is wrong").into_string().contains("Text: &lt;b&gt; is wrong."));
    }
}
