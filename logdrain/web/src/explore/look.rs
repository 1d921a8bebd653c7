//! What the address of a metric's page asks for: by what function, of which streams, drawn apart by what, over which time.
//! What is not understood is as not said: a link from somewhere shows something.

use crate::dashboards::Wanted;
use crate::layout::Frame;
use form_urlencoded::{byte_serialize, parse};
use jiff::tz::TimeZone;
use logdrain_charts::dashboard::Kind;
use logdrain_charts::series::{Asked, Function, Grouping, Selector};

/// The most selectors, values of all of them, and tags that are grouped by.
const SELECTORS: usize = 20;
const VALUES: usize = 100;
const GROUPS: usize = 6;
/// The longest name, tag or value.
const TEXT: usize = 255;
/// Each stream by itself.
pub(super) const APART: &str = "*";

/// One look at a metric.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Look {
    pub(super) name: String,
    /// `None` is as usual for the metric.
    pub(super) function: Option<Function>,
    pub(super) kind: Kind,
    /// Tags, or [`APART`].
    pub(super) groups: Vec<String>,
    /// By their tags.
    pub(super) selectors: Vec<Selector>,
    pub(super) wanted: Wanted,
}

impl Look {
    /// Reads the part of an address behind its `?`; times in words are of a zone.
    pub(super) fn of(name: &str, query: &str, zone: &TimeZone) -> Self {
        let mut look = Self {
            name: name.to_owned(),
            function: None,
            kind: Kind::Line,
            groups: Vec::new(),
            selectors: Vec::new(),
            wanted: Wanted::of(query, zone),
        };
        let app = look.wanted.app.take().filter(|app| !app.is_empty());
        for (key, value) in parse(query.as_bytes()) {
            if value.len() > TEXT || key.len() > TEXT + 5 {
                continue;
            }
            match &*key {
                "summary" => look.function = value.parse().ok(),
                "kind" => {
                    let drawn = [Kind::Line, Kind::Stacked, Kind::Bars];
                    look.kind = Kind::named(&value).filter(|kind| drawn.contains(kind)).unwrap_or_default();
                }
                "group_by" if !value.is_empty() => look.group(&value),
                // As one form field: `key=value`.
                "tag" => {
                    if let Some(one) = logdrain_charts::dashboard::selector(&value) {
                        one.values.iter().for_each(|value| look.select(&one.key, value, one.is_negated));
                    }
                }
                key => {
                    let of = |start: &str| key.strip_prefix(start)?.strip_suffix(']');
                    if let Some(tag) = of("tag[") {
                        look.select(tag, &value, false);
                    } else if let Some(tag) = of("not[") {
                        look.select(tag, &value, true);
                    }
                }
            }
        }
        if let Some(app) = app {
            look.select("app_name", &app, false);
        }
        look
    }

    fn group(&mut self, tag: &str) {
        if tag == APART {
            self.groups = vec![APART.to_owned()];
        } else if self.groups.len() < GROUPS && self.groups.iter().all(|known| known != tag && known != APART) {
            self.groups.push(tag.to_owned());
        }
    }

    /// One more value that a tag may have, or may not.
    pub(super) fn select(&mut self, key: &str, value: &str, is_negated: bool) {
        let all: usize = self.selectors.iter().map(|selector| selector.values.len()).sum();
        if key.is_empty() || value.is_empty() || all >= VALUES {
            return;
        }
        let alike = |selector: &&mut Selector| selector.key == key && selector.is_negated == is_negated;
        if let Some(known) = self.selectors.iter_mut().find(alike) {
            if !known.values.iter().any(|known| known == value) {
                known.values.push(value.to_owned());
            }
        } else if self.selectors.len() < SELECTORS {
            self.selectors.push(Selector { key: key.to_owned(), values: vec![value.to_owned()], is_negated });
        }
    }

    /// The question that it is.
    pub(super) fn asked(&self, function: Function) -> Asked {
        let grouping = match self.groups.as_slice() {
            [] => Grouping::Together,
            [apart] if apart == APART => Grouping::Apart,
            tags => {
                let mut tags = tags.to_vec();
                tags.sort();
                Grouping::By(tags)
            }
        };
        Asked { name: self.name.clone(), selectors: self.selectors.clone(), grouping, function }
    }

    /// The parameters that say the same, but for what is usual.
    pub(super) fn parameters(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        let mut add = |key: &str, value: String| all.push((key.to_owned(), value));
        if let Some(function) = self.function {
            add("summary", function.to_string());
        }
        if self.kind != Kind::Line {
            let name = Kind::ALL.into_iter().find(|(kind, ..)| *kind == self.kind).map_or("line", |(_, name, _)| name);
            add("kind", name.to_owned());
        }
        self.groups.iter().for_each(|tag| add("group_by", tag.clone()));
        for selector in &self.selectors {
            let start = if selector.is_negated { "not" } else { "tag" };
            let key = format!("{start}[{}]", selector.key);
            selector.values.iter().for_each(|value| add(&key, value.clone()));
        }
        for (key, value) in self.wanted.parameters() {
            add(key, value);
        }
        all
    }

    /// Its address.
    pub(super) fn link(&self, frame: &Frame) -> String {
        self.link_to(frame, "")
    }

    /// The address of something below it, for the same look.
    pub(super) fn link_to(&self, frame: &Frame, below: &str) -> String {
        let pairs = self.parameters();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        frame.link_with(&format!("{}{below}", path(&self.name)), &pairs)
    }

    /// The same look with something else in it.
    pub(super) fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut look = self.clone();
        change(&mut look);
        look
    }
}

/// The path of a metric's page.
pub(super) fn path(name: &str) -> String {
    // A blank in a path is %20.
    let name: String = byte_serialize(name.as_bytes()).collect();
    format!("/explore/{}", name.replace('+', "%20"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Look {
        Look::of("m", query, &TimeZone::UTC)
    }

    fn said(look: &Look) -> Vec<String> {
        look.parameters().into_iter().map(|(key, value)| format!("{key}={value}")).collect()
    }

    #[test]
    fn what_is_asked_for_stands_in_the_address_again() {
        let look = of("summary=p95&kind=bars&group_by=dyno&group_by=app_name&group_by=dyno&tag%5Bdyno%5D=web.*\
                       &tag[dyno]=worker.1&not[method]=GET&range=24h&evil=1");
        assert_eq!(
            said(&look),
            [
                "summary=p95",
                "kind=bars",
                "group_by=dyno",
                "group_by=app_name",
                "tag[dyno]=web.*",
                "tag[dyno]=worker.1",
                "not[method]=GET",
                "range=24h"
            ]
        );
        assert_eq!(look.selectors.len(), 2);
        assert_eq!(of("summary=evil&kind=number&kind=heading&group_by=&tag[]=x&tag[a]=&tag[a"), of(""));
        assert!(said(&of("")).is_empty());
    }

    #[test]
    fn a_field_and_an_app_are_selectors_too() {
        let look = of("tag=dyno!=web.1|web.2&tag=nothing&app_name=shop");
        assert_eq!(said(&look), ["not[dyno]=web.1", "not[dyno]=web.2", "tag[app_name]=shop"]);
        assert_eq!(look.asked(Function::Sum).grouping, Grouping::Together);
        assert_eq!(
            of("group_by=b&group_by=a").asked(Function::Sum).grouping,
            Grouping::By(vec!["a".into(), "b".into()])
        );
        assert_eq!(of("group_by=b&group_by=*&group_by=c").asked(Function::Sum).grouping, Grouping::Apart);
    }

    #[test]
    fn nobody_asks_for_more_than_there_may_be() {
        let many: String = (0..500).map(|n| format!("tag[k{n}]=v&tag[k0]=v{n}&group_by=g{n}&")).collect();
        let look = of(&many);
        let values: usize = look.selectors.iter().map(|selector| selector.values.len()).sum();
        assert_eq!((look.selectors.len(), values, look.groups.len()), (SELECTORS, VALUES, GROUPS));
        let long = "x".repeat(300);
        assert_eq!(of(&format!("tag[{long}]=1&tag[a]={long}&group_by={long}")), of(""));
    }

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(path("a.b"), "/explore/a.b");
        assert_eq!(path("a/b c?<d>"), "/explore/a%2Fb%20c%3F%3Cd%3E");
    }
}
