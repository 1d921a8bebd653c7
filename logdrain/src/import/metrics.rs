//! Names and functions of metrics, as they were called there and are here.

use super::found::Object;
use logdrain_charts::series::{Function, Selector};

/// What the add-ons of Heroku called what drains tell.
const RENAMED: [(&str, &str); 11] = [
    ("router.connect", "heroku.router.connect.latency"),
    ("router.service", "heroku.router.service.response_time"),
    ("router.bytes", "heroku.router.bytes"),
    ("heroku.dyno.load.avg.1m", "heroku.dyno.load.load1"),
    ("heroku.dyno.load.avg.5m", "heroku.dyno.load.load5"),
    ("heroku.dyno.load.avg.15m", "heroku.dyno.load.load15"),
    ("memory_total", "heroku.dyno.mem.total"),
    ("memory_rss", "heroku.dyno.mem.rss"),
    ("memory_cache", "heroku.dyno.mem.cache"),
    ("memory_swap", "heroku.dyno.mem.swap"),
    ("memory_quota", "heroku.dyno.mem.quota"),
];

/// Percentiles were metrics of their own, under two generations of names.
const PERCENTILES: [(&str, f64, &str); 7] = [
    (".p50", 0.5, ".p50"),
    (".p95", 0.95, ".p95"),
    (".p99", 0.99, ".p99"),
    (".p999", 0.999, ".p999"),
    (".median", 0.5, ".p50"),
    (".perc95", 0.95, ".p95"),
    (".perc99", 0.99, ".p99"),
];

/// A metric as it is asked for here.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Metric {
    /// Without a percentile.
    pub(super) name: String,
    pub(super) percentile: Option<(f64, &'static str)>,
    pub(super) is_renamed: bool,
}

impl Metric {
    pub(crate) fn of(name: &str) -> Self {
        let end = PERCENTILES.into_iter().find(|(end, ..)| name.len() > end.len() && name.ends_with(end));
        let base = end.map_or(name, |(end, ..)| &name[..name.len() - end.len()]);
        let renamed = RENAMED.into_iter().find(|(old, _)| *old == base).map(|(_, new)| new);
        Self {
            name: renamed.unwrap_or(base).to_owned(),
            percentile: end.map(|(_, quantile, suffix)| (quantile, suffix)),
            is_renamed: renamed.is_some() || end.is_some_and(|(old, _, new)| old != new),
        }
    }

    /// As it is called with its percentile.
    pub(crate) fn full(&self) -> String {
        format!("{}{}", self.name, self.percentile.map_or("", |(_, suffix)| suffix))
    }
}

/// A function by any of the names that it had.
pub(super) fn function(name: &str) -> Option<Function> {
    Some(match name {
        "average" | "mean" | "avg" => Function::Avg,
        "sum" => Function::Sum,
        "min" => Function::Min,
        "max" => Function::Max,
        "count" => Function::Count,
        "last" => Function::Last,
        "derivative" => Function::Derivative,
        _ => return None,
    })
}

/// What the tags and the source of a stream or a condition ask for: selectors, tags that it is drawn by, and those that are
/// chosen on the page.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Asked {
    pub(super) selectors: Vec<Selector>,
    pub(super) grouped: Vec<String>,
    pub(super) dynamic: Vec<String>,
}

pub(super) fn asked(object: &Object) -> Asked {
    let mut asked = Asked::default();
    let mut select = |key: &str, values: Vec<String>| {
        let (not, are): (Vec<_>, Vec<_>) = values.into_iter().partition(|value| value.starts_with('!'));
        let not: Vec<String> = not.iter().map(|value| value.trim_start_matches('!').to_owned()).collect();
        for (values, is_negated) in [(are, false), (not, true)] {
            if !values.is_empty() && (is_negated || values.iter().all(|value| value != "*")) {
                asked.selectors.push(Selector { key: key.to_owned(), values, is_negated });
            }
        }
    };
    let tags = object.objects("tags");
    for tag in &tags {
        let Some(name) = tag.text("name") else { continue };
        if tag.flag("dynamic") != Some(true) {
            select(name, tag.texts("values"));
        }
    }
    // What there was before tags: one source, with wildcards, or several.
    if tags.iter().all(|tag| tag.text("name") != Some("source")) {
        let sources: Vec<String> = object.texts("source").into_iter().filter(|source| source != "%").collect();
        select("source", sources);
    }
    let named = |flag: &str| {
        let tags = tags.iter().filter(|tag| tag.flag(flag) == Some(true));
        tags.filter_map(|tag| tag.text("name")).map(str::to_owned).collect::<Vec<_>>()
    };
    asked.grouped = named("grouped");
    asked.dynamic = named("dynamic");
    if object.text("source") == Some("%") {
        asked.dynamic.push("source".to_owned());
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_called_as_here_with_their_percentile_apart() {
        let of = |name: &str| {
            let Metric { name, percentile, is_renamed } = Metric::of(name);
            (name, percentile.map(|(quantile, _)| quantile), is_renamed)
        };
        assert_eq!(of("cpu"), ("cpu".to_owned(), None, false));
        assert_eq!(of("db.query.p95"), ("db.query".to_owned(), Some(0.95), false));
        assert_eq!(of("db.query.perc95"), ("db.query".to_owned(), Some(0.95), true));
        assert_eq!(of("router.service.median"), ("heroku.router.service.response_time".to_owned(), Some(0.5), true));
        assert_eq!(of(".p95"), (".p95".to_owned(), None, false));
        assert_eq!(Metric::of("router.connect.perc99").full(), "heroku.router.connect.latency.p99");
    }

    #[test]
    fn tags_and_sources_become_selectors() {
        let object = |text: &str| Object(serde_json::from_str(text).unwrap());
        let found = asked(&object(
            r#"{"source":"web.*","tags":[{"name":"dyno","grouped":true,"values":["web.*"]},
                {"name":"method","values":["!GET"]},{"name":"app_name","dynamic":true,"values":["x"]},
                {"name":"any","values":["*"]},{"values":["y"]}]}"#,
        ));
        let selectors: Vec<_> = found
            .selectors
            .iter()
            .map(|one| format!("{}{}{}", one.key, if one.is_negated { "!=" } else { "=" }, one.values.join("|")))
            .collect();
        assert_eq!(selectors, ["dyno=web.*", "method!=GET", "source=web.*"]);
        assert_eq!((found.grouped, found.dynamic), (vec!["dyno".to_owned()], vec!["app_name".to_owned()]));
        assert_eq!(asked(&object(r#"{"source":null,"tags":null}"#)), Asked::default());
        assert_eq!(asked(&object(r#"{"source":"*"}"#)), Asked::default());
        assert_eq!(asked(&object(r#"{"source":"%"}"#)).dynamic, ["source"]);
    }
}
