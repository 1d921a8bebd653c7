//! What saved exports hold: JSON of any of the shapes that the APIs of Librato, AppOptics and Papertrail answered with, and that
//! people put together of them.
//!
//! ```text
//! {"query": {...}, "alerts": [...]}       a page of a list       [{...}, {...}]      a list by itself
//! {"spaces": [...], "charts": [...]}      several in one         {...}               one object
//! ```
//!
//! What is not named is known by what it has. Several documents may stand in a file, one after the other, as `curl` of page
//! after page leaves them.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Objects of all files. With more, an export is no export.
const MOST: usize = 100_000;
/// Names of things that nobody knows, in the report.
const OTHERS: usize = 50;

/// One object as it stood there.
#[derive(Clone, Debug, Default)]
pub(super) struct Object(pub(super) Map<String, Value>);

/// The objects of an export, by what they are.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) alerts: Vec<Object>,
    pub(super) services: Vec<Object>,
    pub(super) spaces: Vec<Object>,
    /// With the name of the file, for those that no space names.
    pub(super) charts: Vec<(Object, String)>,
    pub(super) metrics: Vec<Object>,
    pub(super) groups: Vec<Object>,
    pub(super) searches: Vec<Object>,
    /// What is only counted, and what nobody knows: by name, how many.
    pub(super) others: BTreeMap<String, usize>,
    count: usize,
}

/// What an object is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Alert,
    Service,
    Space,
    Chart,
    Metric,
    Group,
    Search,
    /// There is nothing here that it could become.
    Other(&'static str),
}

/// Under which key a list of what stands.
const LISTS: [(&str, Kind); 14] = [
    ("alerts", Kind::Alert),
    ("services", Kind::Service),
    ("spaces", Kind::Space),
    ("charts", Kind::Chart),
    ("metrics", Kind::Metric),
    ("groups", Kind::Group),
    ("searches", Kind::Search),
    ("saved_searches", Kind::Search),
    ("annotations", Kind::Other("annotations")),
    ("systems", Kind::Other("systems")),
    ("destinations", Kind::Other("destinations")),
    ("users", Kind::Other("users")),
    ("sources", Kind::Other("sources")),
    ("snapshots", Kind::Other("snapshots")),
];

impl Found {
    /// Takes in a file. `stem` is its name without an end.
    ///
    /// # Errors
    /// When it is no JSON, or holds more than any export.
    pub(super) fn add(&mut self, stem: &str, text: &[u8]) -> Result<(), String> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let before = self.count;
        for document in serde_json::Deserializer::from_slice(text).into_iter::<Value>() {
            let document = document.map_err(|error| format!("this is not JSON: {error}"))?;
            self.collect(document, None, stem)?;
        }
        if self.count == before {
            return Err("there is nothing in it that could be imported".to_owned());
        }
        Ok(())
    }

    fn collect(&mut self, value: Value, named: Option<Kind>, stem: &str) -> Result<(), String> {
        match value {
            Value::Array(all) => all.into_iter().try_for_each(|one| self.collect(one, named, stem)),
            Value::Object(map) => {
                let object = Object(map);
                // What an object has goes before the list that it stands in: a list of a chart's spaces is of spaces.
                match object.kind().or(named) {
                    Some(kind) => self.push(object, kind, stem),
                    None => self.lists(object, stem),
                }
            }
            // A list of names, say: nothing of its own.
            _ => Ok(()),
        }
    }

    /// An object that is none of ours may hold lists of them.
    fn lists(&mut self, object: Object, stem: &str) -> Result<(), String> {
        for (key, value) in object.0 {
            let list = LISTS.iter().find(|(name, _)| *name == key);
            match (list, value) {
                (Some((_, kind)), value @ Value::Array(_)) => self.collect(value, Some(*kind), stem)?,
                (None, Value::Array(all)) if !all.is_empty() => {
                    self.count_other(&key, all.len());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn push(&mut self, object: Object, kind: Kind, stem: &str) -> Result<(), String> {
        self.count += 1;
        if self.count > MOST {
            return Err(format!("there are more than {MOST} objects: import them in parts"));
        }
        match kind {
            Kind::Alert => self.alerts.push(object),
            Kind::Service => self.services.push(object),
            Kind::Space => self.spaces.push(object),
            Kind::Chart => self.charts.push((object, stem.to_owned())),
            Kind::Metric => self.metrics.push(object),
            Kind::Group => self.groups.push(object),
            Kind::Search => self.searches.push(object),
            Kind::Other(name) => self.count_other(name, 1),
        }
        Ok(())
    }

    fn count_other(&mut self, name: &str, by: usize) {
        let name: String = name.chars().take(40).collect();
        if self.others.len() < OTHERS || self.others.contains_key(&name) {
            *self.others.entry(name).or_default() += by;
        }
    }
}

impl Object {
    /// By what it has.
    fn kind(&self) -> Option<Kind> {
        let has = |key: &str| self.0.contains_key(key);
        let is_text = |key: &str| self.text(key).is_some();
        let is_metric = || is_text("name") && matches!(self.text("type"), Some("gauge" | "counter" | "composite"));
        let signs = [
            (Kind::Alert, has("conditions")),
            (Kind::Chart, has("streams")),
            (Kind::Service, has("settings") && is_text("type")),
            // What a hook was told when an alert fired says which, too.
            (Kind::Search, has("saved_search") || (is_text("query") && is_text("name"))),
            (Kind::Group, has("system_wildcard") || (has("systems") && is_text("name"))),
            (Kind::Space, is_text("name") && has("charts")),
            (Kind::Metric, is_metric()),
        ];
        signs.into_iter().find(|(_, has_it)| *has_it).map(|(kind, _)| kind)
    }

    /// A text that is not empty.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
    }

    /// A number, also one that is written as a text.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        let value = self.0.get(key)?;
        let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        number.filter(|number| number.is_finite())
    }

    /// An id, which is a number or a text.
    pub(super) fn id(&self, key: &str) -> Option<String> {
        match self.0.get(key)? {
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        }
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        match self.0.get(key)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The objects of a list; what else stands in it is passed over.
    pub(super) fn objects(&self, key: &str) -> Vec<Self> {
        let list = self.0.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(Value::as_object).cloned().map(Self).collect()
    }

    /// The texts of a list, or the one that stands in its place.
    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        let text = |value: &Value| match value {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        match self.0.get(key) {
            Some(Value::Array(all)) => all.iter().filter_map(text).collect(),
            Some(one) => text(one).into_iter().collect(),
            None => Vec::new(),
        }
    }

    pub(super) fn object(&self, key: &str) -> Option<Self> {
        self.0.get(key).and_then(Value::as_object).cloned().map(Self)
    }

    /// Keys that nobody here knows and that say something.
    pub(super) fn unknown<'a>(&'a self, known: &'a [&str]) -> impl Iterator<Item = &'a str> {
        let says = |value: &Value| match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(all) => !all.is_empty(),
            Value::Object(all) => !all.is_empty(),
            Value::Bool(_) | Value::Number(_) => true,
        };
        let keys = self.0.iter().filter(move |(key, value)| says(value) && !known.contains(&key.as_str()));
        keys.map(|(key, _)| key.as_str())
    }
}

/// Names that nobody else has, as titles and names of rules have to be.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: BTreeSet<String>,
    /// Of a name that was asked for again, the number of the next: looking from the first one on would take ever longer.
    next: BTreeMap<String, usize>,
}

impl Names {
    /// A name as it may be shown, of so many bytes at the most, and another one if it is taken.
    pub(super) fn give(&mut self, name: &str, longest: usize) -> String {
        let name = shown(name, longest);
        let name = if name.is_empty() { "unnamed".to_owned() } else { name };
        if self.taken.insert(name.clone()) {
            return name;
        }
        let mut next = self.next.get(&name).copied().unwrap_or(2);
        let free = loop {
            let end = format!(" ({next})");
            let free = format!("{}{end}", shown(&name, longest.saturating_sub(end.len())));
            next += 1;
            if self.taken.insert(free.clone()) {
                break free;
            }
        };
        self.next.insert(name, next);
        free
    }
}

/// A text on one line, cut after so many bytes.
pub(super) fn shown(text: &str, longest: usize) -> String {
    let mut shown = String::new();
    for one in text.trim().chars() {
        let one = if one.is_control() { ' ' } else { one };
        if shown.len() + one.len_utf8() > longest {
            break;
        }
        shown.push(one);
    }
    shown.truncate(shown.trim_end().len());
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Found {
        let mut found = Found::default();
        found.add("file", text.as_bytes()).unwrap();
        found
    }

    #[test]
    fn every_shape_of_a_list_is_read() {
        let alert = r#"{"id":1,"name":"a","conditions":[]}"#;
        for text in [
            alert.to_owned(),
            format!("[{alert}]"),
            format!(r#"{{"query":{{"found":1,"length":1,"offset":0,"total":1}},"alerts":[{alert}]}}"#),
            format!("\u{feff}{{\"alerts\":[{alert}],\"services\":[]}}"),
        ] {
            assert_eq!(found(&text).alerts.len(), 1, "{text}");
        }
        assert_eq!(found(&format!("{alert}\n{alert}")).alerts.len(), 2, "page after page");
        let all = found(
            r#"{"services":[{"id":"145","type":"slack","title":"ops","settings":{"url":"x"}}],
                "spaces":[{"id":7,"name":"Web","charts":[{"id":8}]}],
                "charts":[{"id":8,"name":"c","type":"line","streams":[]}],
                "metrics":[{"name":"cpu","type":"gauge","attributes":{}}],
                "groups":[{"id":1,"name":"All","system_wildcard":"*","systems":[]}],
                "searches":[{"id":2,"name":"errors","query":"error"},{"id":3,"name":"all","query":null}],
                "annotations":[{"name":"deploys"}],"dashboards":[{},{}],"names":["a"],"more":{"deep":[1]}}"#,
        );
        let counts = [&all.services, &all.spaces, &all.metrics, &all.groups, &all.searches].map(Vec::len);
        assert_eq!((counts, all.charts.len()), ([1, 1, 1, 1, 2], 1));
        assert_eq!(all.charts[0].1, "file");
        let others: Vec<_> = all.others.iter().map(|(name, count)| format!("{name} {count}")).collect();
        assert_eq!(others, ["annotations 1", "dashboards 2", "names 1"]);
    }

    #[test]
    fn what_is_no_export_is_refused_in_a_sentence() {
        let deep = "[".repeat(100_000);
        let many = format!("[{}]", vec![r#"{"conditions":[]}"#; MOST + 1].join(","));
        for (text, said) in [
            ("", "nothing in it"),
            ("null", "nothing in it"),
            ("[1,2,\"x\"]", "nothing in it"),
            ("{\"hello\":\"world\"}", "nothing in it"),
            ("{", "not JSON"),
            ("<html>", "not JSON"),
            (&deep, "not JSON"),
            (&many, "more than 100000"),
        ] {
            let why = Found::default().add("x", text.as_bytes()).unwrap_err();
            assert!(why.contains(said) && why.len() < 200, "{why}");
        }
    }

    #[test]
    fn names_are_one_each_and_short() {
        let mut names = Names::default();
        assert_eq!(names.give(" Web\u{1b}[2J\n", 100), "Web [2J");
        assert_eq!(names.give("Web [2J", 100), "Web [2J (2)");
        assert_eq!((names.give("", 100), names.give("é\u{0}", 3)), ("unnamed".to_owned(), "é".to_owned()));
        assert_eq!(
            (names.give(&"x".repeat(300), 10), names.give(&"x".repeat(300), 10)),
            ("x".repeat(10), "xxxxxx (2)".into())
        );
        assert_eq!(["a", "a (2)", "a", "a"].map(|name| names.give(name, 100)), ["a", "a (2)", "a (3)", "a (4)"]);
    }

    #[test]
    fn as_many_of_one_name_as_an_export_may_hold_take_no_longer_than_others() {
        let mut names = Names::default();
        let last = (0..MOST).map(|_| names.give("errors", 100)).last();
        assert_eq!(last, Some(format!("errors ({MOST})")));
    }
}
