//! Addresses that people saved, and that receivers of alerts build: other names for the same places.
//!
//! ```text
//! /groups/ID/events?q=…   /systems/ID-or-name/events   /searches/ID   /searches/ID/edit
//! center_on_id=ID   focus=ID-or-seconds   selected=A-B   r=A-B   q_id=SEARCH   …?q=a?centered_on_id=ID
//! ```

use form_urlencoded::{Serializer, parse};
use std::borrow::Cow;

/// Numbers below are seconds since 1970, where either may stand; ids were above from the first day on.
const SECONDS: u64 = 100_000_000_000;
/// Names that receivers append with a question mark of their own.
const PLACES: [&str; 9] =
    ["centered_on_id", "center_on_id", "focus", "selected", "r", "time", "min_id", "max_id", "q_id"];

/// The parameters of an address, by the names that the page knows. The last of a name counts there.
pub(super) fn parameters(text: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    // A place that was chosen goes before one that is merely in sight, and what names an id exactly before both.
    let mut all: Vec<_> = Pieces { rest: Some(text) }.flat_map(|piece| parse(piece.as_bytes())).collect();
    let is_exact = |name: &str, value: &str| matches!(name, "centered_on_id" | "center_on_id") && !value.is_empty();
    let has_exact = all.iter().any(|(name, value)| is_exact(name, value));
    let has_focus = all.iter().any(|(name, value)| name == "focus" && !value.is_empty());
    all.retain(|(name, _)| name != "focus" || !has_exact);
    // Both ends are chosen; the first one is looked at.
    let looks = !has_exact && !has_focus;
    let with_chosen = all.into_iter().flat_map(move |(name, value)| {
        let is_chosen = matches!(&*name, "selected" | "r");
        let first = value.split('-').next().unwrap_or_default();
        let seen = (is_chosen && looks).then(|| place(first));
        let own = if is_chosen { is_id(first).then(|| ("r".into(), value)) } else { Some((name, value)) };
        seen.into_iter().chain(own)
    });
    with_chosen.map(|(name, value)| match &*name {
        "center_on_id" => ("centered_on_id".into(), value),
        "focus" => place(&value),
        "q_id" => ("search".into(), value),
        "group_id" => ("group".into(), value),
        "system_id" => ("system".into(), value),
        _ => (name, value),
    })
}

/// Whether it is an id, and no second.
fn is_id(value: &str) -> bool {
    value.parse::<u64>().is_ok_and(|id| id >= SECONDS)
}

fn place(value: &str) -> (Cow<'static, str>, Cow<'static, str>) {
    match value.parse::<u64>() {
        Ok(second) if second < SECONDS => ("time".into(), second.to_string().into()),
        _ => ("centered_on_id".into(), value.to_owned().into()),
    }
}

/// What stands between question marks that begin another list of parameters: receivers append theirs with `?`, whether
/// there is one already or not. One that is part of a value is left alone.
struct Pieces<'a> {
    rest: Option<&'a str>,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest.take()?;
        let begins = |at: usize| {
            let rest = text.get(at + 1..).unwrap_or_default();
            PLACES.iter().any(|name| rest.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
        };
        match text.bytes().enumerate().find(|(at, byte)| *byte == b'?' && begins(*at)).map(|(at, _)| at) {
            Some(at) => {
                self.rest = text.get(at + 1..);
                text.get(..at)
            }
            None => Some(text),
        }
    }
}

/// Whose lines a path of another page shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Whose {
    Group(String),
    System(String),
    Search(String),
}

/// The address of the page that shows what another address shows.
pub(super) fn address(page: &str, whose: &Whose, query: &str) -> String {
    let mut parts = Serializer::new(String::new());
    match whose {
        Whose::Group(id) => parts.append_pair("group", id),
        Whose::System(name) => parts.append_pair("system", name),
        Whose::Search(id) => parts.append_pair("search", id),
    };
    for (name, value) in parameters(query) {
        // The path says it.
        if !value.is_empty() && !matches!(&*name, "group" | "system" | "search") {
            parts.append_pair(&name, &value);
        }
    }
    format!("{page}?{}", parts.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let pairs: Vec<String> = parameters(text).map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join(" ")
    }

    #[test]
    fn row_viewer_links_old_names_of_places_are_read() {
        for (text, expected) in [
            ("q=a+b&center_on_id=7", "q=a b centered_on_id=7"),
            ("focus=1884123456789012480", "centered_on_id=1884123456789012480"),
            ("focus=1700000000", "time=1700000000"),
            ("focus=1700000000&selected=1700000000", "time=1700000000"),
            (
                "selected=1884123456789012480-1884123456789099999",
                "centered_on_id=1884123456789012480 r=1884123456789012480-1884123456789099999",
            ),
            (
                "r=1884123456789012480-1884123456789099999&centered_on_id=1884123456789012481",
                "r=1884123456789012480-1884123456789099999 centered_on_id=1884123456789012481",
            ),
            ("selected=1-2&centered_on_id=1884123456789012480", "centered_on_id=1884123456789012480"),
            ("q_id=42", "search=42"),
            ("group_id=31&system_id=web", "group=31 system=web"),
            ("focus=abc", "centered_on_id=abc"),
            ("selected=", "centered_on_id="),
            ("", ""),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn row_viewer_links_a_second_question_mark_is_read_as_an_ampersand() {
        for (text, expected) in [
            ("q=cron&q_id=42?centered_on_id=7", "q=cron search=42 centered_on_id=7"),
            ("?centered_on_id=7", "centered_on_id=7"),
            ("q=a?center_on_id=7?focus=8", "q=a centered_on_id=7"),
            // Those are part of what was looked for.
            ("q=what?", "q=what?"),
            ("q=/path?a=b", "q=/path?a=b"),
            ("q=%3Fcentered_on_id=7", "q=?centered_on_id=7"),
            ("q=????", "q=????"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        // As long as an address may be, in no more time than it takes to read it.
        let long = "?".repeat(60_000);
        assert_eq!(read(&long).len(), 60_001);
    }

    #[test]
    fn row_viewer_links_paths_lead_to_the_page() {
        let group = Whose::Group("31".to_owned());
        assert_eq!(
            address("/events", &group, "q=program%3Adocker&centered_on_id=7"),
            "/events?group=31&q=program%3Adocker&centered_on_id=7"
        );
        assert_eq!(address("/events", &Whose::System("a&b=c".to_owned()), ""), "/events?system=a%26b%3Dc");
        assert_eq!(
            address("/events", &Whose::Search("392".to_owned()), "?centered_on_id=7"),
            "/events?search=392&centered_on_id=7"
        );
        assert_eq!(address("/events", &group, "group_id=32&search=1&q="), "/events?group=31");
    }
}
