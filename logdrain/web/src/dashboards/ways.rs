//! Where a dashboard leads: each link keeps what was asked for. From a shared link there is no way on.

use super::ask::{RANGES, Range, Wanted};
use crate::layout::{Frame, Tab};
use logdrain_charts::dashboard::{Chart, Kind, Source};
use logdrain_charts::series::Function;
use std::collections::BTreeMap;

/// What is told of latencies, as a menu names it.
const OF_LATENCIES: [(&str, Function); 6] = [
    ("Average", Function::Avg),
    ("Median (p50)", Function::Quantile(0.5)),
    ("p95", Function::Quantile(0.95)),
    ("p99", Function::Quantile(0.99)),
    ("p99.9", Function::Quantile(0.999)),
    ("Highest", Function::Max),
];

/// The addresses on a page.
pub(super) struct Ways<'a> {
    /// `None` on a page that somebody sees by a shared link.
    pub(super) frame: Option<&'a Frame>,
    /// Of the dashboard: `overview`, `17`.
    pub(super) key: &'a str,
    pub(super) wanted: &'a Wanted,
    /// Whether whoever looks may change the dashboard.
    pub(super) may_change: bool,
    pub(super) may_share: bool,
    /// What begins the addresses of files, where a shared link gives some.
    pub(super) files: Option<String>,
}

impl Ways<'_> {
    /// An address of ours with what was asked for, and more.
    fn with(&self, path: &str, wanted: &Wanted, more: &[(&str, &str)]) -> String {
        let Some(frame) = self.frame else { return String::new() };
        let all = wanted.parameters();
        let pairs: Vec<(&str, &str)> =
            all.iter().map(|(name, value)| (*name, value.as_str())).chain(more.iter().copied()).collect();
        frame.link_with(path, &pairs)
    }

    /// A dashboard with what was asked for.
    pub(super) fn board(&self, key: &str) -> String {
        self.with(&format!("/dashboards/{key}"), self.wanted, &[])
    }

    /// The page once more.
    pub(super) fn again(&self) -> String {
        if self.frame.is_some() { self.board(self.key) } else { "?".to_owned() }
    }

    pub(super) fn range(&self, range: Range) -> String {
        self.with(&format!("/dashboards/{}", self.key), &Wanted { range, ..self.wanted.clone() }, &[])
    }

    pub(super) fn every(&self, every: Option<u32>) -> String {
        self.with(&format!("/dashboards/{}", self.key), &Wanted { every, ..self.wanted.clone() }, &[])
    }

    /// A page about this dashboard: `edit`, `share`.
    pub(super) fn of_board(&self, what: &str) -> String {
        self.with(&format!("/dashboards/{}/{what}", self.key), self.wanted, &[])
    }

    pub(super) fn new_one(&self) -> String {
        self.frame.map(|frame| frame.link("/dashboards/new")).unwrap_or_default()
    }

    /// The form that makes a copy of this one.
    pub(super) fn copy(&self) -> String {
        self.frame.map(|frame| frame.link_with("/dashboards/new", &[("copy", self.key)])).unwrap_or_default()
    }

    /// The ways of the menu of a chart, in one of its sections.
    pub(super) fn menu(&self, chart: &Chart, section: usize) -> Vec<(String, String)> {
        let nth = section.to_string();
        let more: &[(&str, &str)] = if section > 0 { &[("section", &nth)] } else { &[] };
        let mut menu = Vec::new();
        let mut add = |name: &str, address: String| menu.push((name.to_owned(), address));
        if let Some(files) = &self.files {
            add("CSV", format!("{files}/{}.csv", chart.id));
            add("SVG", format!("{files}/{}.svg", chart.id));
        }
        let Some(frame) = self.frame else { return menu };
        if let Some(source) = chart.series.first() {
            add("Open in explorer", explore(frame, source, source.function, self.wanted));
            // What a chart of latencies does not draw of them is one step away.
            let is_of_latency =
                |of: &Source| of.metric == source.metric && matches!(of.function, Function::Quantile(_));
            if chart.kind == Kind::Line && chart.series.iter().all(is_of_latency) {
                for (name, function) in OF_LATENCIES {
                    add(name, explore(frame, source, function, self.wanted));
                }
            }
        }
        for (name, end) in [("CSV", "csv"), ("SVG", "svg")] {
            add(name, self.with(&format!("/charts/{}/{}.{end}", self.key, chart.id), self.wanted, more));
        }
        if self.may_share {
            add(
                "Share this chart",
                self.with(&format!("/dashboards/{}/share", self.key), self.wanted, &[("chart", &chart.id)]),
            );
        }
        if self.may_change {
            add("Change", self.with(&format!("/dashboards/{}/charts/{}", self.key, chart.id), self.wanted, &[]));
        }
        menu
    }

    /// Lines by a query, around a time. `{tag}` in the query is the value of a tag.
    pub(super) fn lines_of(&self, query: &str, tags: &BTreeMap<&str, &str>, time: Option<i64>) -> Option<String> {
        let mut text = String::new();
        let mut rest = query;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            match after.split_once('}') {
                Some((tag, after)) => {
                    text.push_str(&quoted(tags.get(tag).copied().unwrap_or_default()));
                    rest = after;
                }
                None => {
                    text.push('{');
                    rest = after;
                }
            }
        }
        text.push_str(rest);
        self.lines(&text, time)
    }

    pub(super) fn lines(&self, query: &str, time: Option<i64>) -> Option<String> {
        let time = time.map(|time| time.to_string());
        let mut pairs = vec![("q", query)];
        pairs.extend(time.as_deref().map(|time| ("time", time)));
        let has_lines = |frame: &&Frame| frame.has(Tab::Events);
        self.frame.filter(has_lines).map(|frame| frame.link_with("/events", &pairs))
    }
}

/// The value of a tag as a word of a query.
fn quoted(value: &str) -> String {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if !value.is_empty() && value.bytes().all(is_word) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace(['"', '\\'], " "))
}

/// The explorer, at the first metric of a chart.
fn explore(frame: &Frame, source: &Source, function: Function, wanted: &Wanted) -> String {
    let name: String = form_urlencoded::byte_serialize(source.metric.as_bytes()).collect();
    let range = match wanted.range {
        Range::Last(at) => vec![("range", RANGES[at].0.to_owned())],
        Range::Fixed(span) => vec![("from", span.start.to_string()), ("to", span.end.to_string())],
    };
    let mut pairs: Vec<(String, String)> = vec![("summary".to_owned(), function.to_string())];
    pairs.extend(range.into_iter().map(|(name, value)| (name.to_owned(), value)));
    pairs.extend(source.group_by.iter().map(|tag| ("group_by".to_owned(), tag.clone())));
    for selector in source.tags.iter().filter(|selector| !selector.is_negated) {
        let key = format!("tag[{}]", selector.key);
        pairs.extend(selector.values.iter().map(|value| (key.clone(), value.clone())));
    }
    pairs.extend(wanted.app.iter().filter(|app| !app.is_empty()).map(|app| ("tag[app_name]".to_owned(), app.clone())));
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // A blank in a path is %20.
    frame.link_with(&format!("/explore/{}", name.replace('+', "%20")), &pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_tags_stay_words_of_a_query() {
        assert_eq!(quoted("H12"), "H12");
        assert_eq!(quoted("web.1"), "web.1");
        assert_eq!(quoted("a OR b"), "\"a OR b\"");
        assert_eq!(quoted("\" OR x:\\\""), "\"  OR x:  \"");
        assert_eq!(quoted(""), "\"\"");
    }
}
