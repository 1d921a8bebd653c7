//! Groups and saved searches of Papertrail.

use super::found::{Names, Object, shown};
use super::notes::Notes;
use super::rules::reading;
use std::collections::{BTreeMap, BTreeSet};

/// As settings have it.
const NAME: usize = 255;
const QUERY: usize = 8 << 10;
const WILDCARD: usize = 4 << 10;

const GROUP: [&str; 6] = ["id", "name", "system_wildcard", "systems", "_links", "system_ids"];
const SEARCH: [&str; 13] = [
    "id",
    "name",
    "query",
    "group",
    "group_id",
    "_links",
    "saved_search",
    "frequency",
    "minimum",
    "threshold",
    "html_edit_url",
    "html_search_url",
    "events",
];
/// Every account has it.
const ALL: &str = "All Systems";

/// A group, whose systems are all told by one wildcard: names with commas between.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) wildcard: String,
}

/// A saved search.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Search {
    pub(super) name: String,
    pub(super) query: String,
    /// The name of its group; `None` is all systems.
    pub(super) group: Option<String>,
}

pub(super) fn groups(found: &[Object], notes: &mut Notes) -> Vec<Group> {
    let mut names = Names::default();
    let mut groups = Vec::new();
    for group in found {
        let name = group.text("name").unwrap_or_default();
        notes.unknown("groups", group, &GROUP);
        if name == ALL {
            continue;
        }
        // A system that sends nothing yet has no number here: by its name it is found when it does.
        let mut all: Vec<String> = group.text("system_wildcard").into_iter().map(str::to_owned).collect();
        all.extend(group.objects("systems").iter().filter_map(|system| system.text("name").map(str::to_owned)));
        all.dedup();
        let wildcard = all.join(", ");
        if wildcard.is_empty() {
            notes.lost("group", name, "it has no system");
        } else if wildcard.len() > WILDCARD {
            notes.lost(
                "group",
                name,
                format!("its systems take {} bytes, and {WILDCARD} is the most: give it a wildcard", wildcard.len()),
            );
        } else {
            groups.push(Group { name: names.give(name, NAME), wildcard });
        }
    }
    groups
}

pub(super) fn searches(found: &[Object], groups: &[Object], notes: &mut Notes) -> Vec<Search> {
    let by_id: BTreeMap<String, &str> =
        groups.iter().filter_map(|group| Some((group.id("id")?, group.text("name")?))).collect();
    let mut seen = Names::default();
    let mut searches: Vec<Search> = Vec::new();
    let mut carried: BTreeSet<(String, String)> = BTreeSet::new();
    for said in found {
        notes.unknown("searches", said, &SEARCH);
        let inner = said.object("saved_search");
        let search = inner.as_ref().unwrap_or(said);
        let name = search.text("name").unwrap_or_default();
        let query = search.text("query").unwrap_or_default();
        if query.len() > QUERY {
            notes.lost("search", name, format!("its query has {} bytes, and {QUERY} is the most", query.len()));
            continue;
        }
        let group = search.object("group").and_then(|group| group.text("name").map(str::to_owned));
        let group = group.or_else(|| by_id.get(&search.id("group_id")?).map(|name| (*name).to_owned()));
        let group = group.filter(|group| group != ALL).map(|group| shown(&group, NAME));
        // An alert names its search again.
        if carried.contains(&(shown(name, NAME), query.to_owned())) {
            continue;
        }
        if let Some(reading) = reading(query) {
            notes.changed("search", name, format!("its query is read so: {reading}"));
        }
        let given = seen.give(name, NAME);
        carried.insert((given.clone(), query.to_owned()));
        searches.push(Search { name: given, query: query.to_owned(), group });
    }
    searches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(text: &str) -> Vec<Object> {
        serde_json::from_str::<Vec<_>>(text).unwrap().into_iter().map(Object).collect()
    }

    #[test]
    fn groups_and_searches_are_carried_over_by_their_names() {
        let found = objects(
            r#"[{"id":1,"name":"All Systems","system_wildcard":"*"},
                {"id":7,"name":"Shops","system_wildcard":"shop-*","systems":[{"id":3,"name":"blog"}]},
                {"id":8,"name":"Empty","systems":[]}]"#,
        );
        let mut notes = Notes::default();
        let group = |name: &str, wildcard: &str| Group { name: name.to_owned(), wildcard: wildcard.to_owned() };
        assert_eq!(groups(&found, &mut notes), [group("Shops", "shop-*, blog")]);
        assert_eq!(notes.all[0].why, "it has no system");
        let searches = searches(
            &objects(
                r#"[{"id":2,"name":"Errors","query":"error OR severity:err","group":{"id":7,"name":"Shops"}},
                    {"id":3,"name":"Nulls","query":null,"group_id":7},{"id":4,"name":"All","query":"a","group":{"name":"All Systems"}},
                    {"saved_search":{"id":2,"name":"Errors","query":"error OR severity:err"},"frequency":"1 minute"}]"#,
            ),
            &found,
            &mut notes,
        );
        let said: Vec<_> =
            searches.iter().map(|one| (one.name.as_str(), one.query.as_str(), one.group.as_deref())).collect();
        assert_eq!(
            said,
            [("Errors", "error OR severity:err", Some("Shops")), ("Nulls", "", Some("Shops")), ("All", "a", None)]
        );
    }

    #[test]
    fn what_is_too_long_is_told() {
        let long = format!(r#"[{{"name":"a","query":"{}","system_wildcard":"{0}"}}]"#, "x".repeat(9_000));
        let mut notes = Notes::default();
        assert!(
            groups(&objects(&long), &mut notes).is_empty() && searches(&objects(&long), &[], &mut notes).is_empty()
        );
        assert!(notes.all.iter().all(|note| note.is_lost && note.why.contains("is the most")), "{notes:?}");
    }
}
