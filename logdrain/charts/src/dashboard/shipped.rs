//! The five dashboards that everybody has. Only names couple them to the native metrics: a test holds them together.

use super::{Dashboard, bounded};
use std::sync::LazyLock;

/// One of them.
#[derive(Debug)]
pub struct Shipped {
    /// Of its address: `/dashboards/overview`.
    pub name: &'static str,
    /// Of its tab.
    pub short: &'static str,
    pub dashboard: Dashboard,
}

const FILES: [(&str, &str, &str); 5] = [
    ("overview", "Overview", include_str!("../../dashboards/overview.toml")),
    ("errors", "Errors", include_str!("../../dashboards/errors.toml")),
    ("status", "HTTP status codes", include_str!("../../dashboards/status.toml")),
    ("postgres", "Postgres", include_str!("../../dashboards/postgres.toml")),
    ("dynos", "Dyno runtime", include_str!("../../dashboards/dynos.toml")),
];

static ALL: LazyLock<Vec<Shipped>> = LazyLock::new(|| {
    // One that is wrong would be missing; the tests read all of them.
    let read = |(name, short, text)| {
        let dashboard = bounded(toml::from_str(text).ok()?).ok()?;
        Some(Shipped { name, short, dashboard })
    };
    FILES.into_iter().filter_map(read).collect()
});

/// All of them, in the order of their tabs.
pub fn shipped() -> &'static [Shipped] {
    &ALL
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Combine, Kind, Source};
    use crate::series::{Function, Selector};
    use heroku_metrics::model;
    use heroku_metrics::native::{self, Family, Native};
    use std::collections::BTreeSet;

    fn native(name: &str) -> Option<(&'static Family, &'static Native)> {
        let of = |family: &'static Family| family.metrics().iter().map(move |metric| (family, metric));
        native::families().iter().flat_map(of).find(|(_, metric)| metric.name() == name)
    }

    /// Each series of all charts, with the tags of the heading above it.
    fn sources() -> Vec<(String, &'static crate::dashboard::Chart, Vec<String>, &'static Source)> {
        let mut all = Vec::new();
        for shipped in shipped() {
            let mut per = Vec::new();
            for chart in &shipped.dashboard.charts {
                if chart.kind == Kind::Heading {
                    per.clone_from(&chart.per);
                }
                let at = format!("{}: {}", shipped.name, chart.id);
                all.extend(chart.series.iter().map(|source| (at.clone(), chart, per.clone(), source)));
            }
        }
        all
    }

    #[test]
    fn the_five_are_read() {
        for (name, _, text) in FILES {
            let read: Dashboard = toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            bounded(read).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let titles: Vec<_> = shipped().iter().map(|shipped| shipped.dashboard.title.as_str()).collect();
        assert_eq!(titles, ["Overview", "Error Metrics", "HTTP Status Codes", "Postgres Metrics", "Dyno Runtime"]);
    }

    #[test]
    fn every_name_tag_and_function_is_of_a_native_metric() {
        for (at, _, per, source) in sources() {
            let check = |metric: &str, function: Function, tags: &[Selector], groups: &[String]| {
                let (family, native) = native(metric).unwrap_or_else(|| panic!("{at}: there is no metric {metric}"));
                let keys = tags.iter().map(|selector| &selector.key).chain(groups).chain(&per);
                for key in keys {
                    assert!(family.tags().contains(&key.as_str()), "{at}: {metric} has no tag {key}");
                }
                let is_fit = match native.kind() {
                    model::Kind::Count => matches!(function, Function::Sum | Function::Rate),
                    model::Kind::Measure => !matches!(function, Function::Last),
                    _ => matches!(function, Function::Avg | Function::Last | Function::Max | Function::Min),
                };
                assert!(is_fit, "{at}: {metric} is a {:?}, which has no {function:?} to speak of", native.kind());
            };
            check(&source.metric, source.function, &source.tags, &source.group_by);
            if let Some(Combine { metric, function, tags, .. }) = &source.combine {
                check(metric, *function, tags, &[]);
                let (first, second) = (native(&source.metric).unwrap().1, native(metric).unwrap().1);
                assert_eq!(first.unit(), second.unit(), "{at}");
            }
        }
    }

    #[test]
    fn the_series_of_a_chart_are_in_one_unit() {
        for shipped in shipped() {
            for chart in shipped.dashboard.charts.iter().filter(|chart| chart.kind != Kind::Table) {
                let units: BTreeSet<_> =
                    chart.series.iter().map(|source| native(&source.metric).unwrap().1.unit().as_str()).collect();
                assert!(units.len() <= 1, "{}: {}: {units:?}", shipped.name, chart.id);
            }
        }
        // Shares are shown in per cent: what is a ratio of 0 to 1 is scaled there.
        for (at, chart, _, source) in sources().into_iter().filter(|(_, chart, ..)| chart.unit.as_deref() == Some("%"))
        {
            let is_share = source.combine.is_some()
                || source.metric.ends_with("_used")
                || source.metric.ends_with(".used")
                || source.metric.ends_with("_rate");
            assert!(is_share && source.scale == 100.0, "{at}: {} is no share", chart.title);
        }
        // Counters that only grow are drawn as what they grew by.
        for (at, chart, _, source) in sources() {
            let grows = ["mem.pgin", "mem.pgout", "current_transaction"].iter().any(|end| source.metric.ends_with(end));
            assert_eq!(source.change, grows && chart.kind != Kind::Table, "{at}: {}", source.metric);
        }
    }

    /// What the add-on's page lists is somewhere; what is collected only where it is asked for need not be.
    #[test]
    fn every_native_metric_is_on_a_chart() {
        let drawn: BTreeSet<&str> = sources().iter().map(|(.., source)| source.metric.as_str()).collect();
        let listed = native::families()
            .iter()
            .flat_map(Family::metrics)
            .filter(|metric| !metric.is_extended() && !metric.is_opt_in());
        let missing: Vec<_> = listed.map(Native::name).filter(|name| !drawn.contains(name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(drawn.len() >= 30, "{drawn:?}");
    }

    #[test]
    fn whoever_sees_nothing_is_told_what_to_do() {
        for name in ["overview", "dynos"] {
            let shipped = shipped().iter().find(|shipped| shipped.name == name).unwrap();
            let all = shipped.dashboard.charts.iter();
            let runtime = all.filter(|chart| {
                chart.kind != Kind::Number
                    && chart.series.iter().any(|source| source.metric.starts_with("heroku.dyno."))
            });
            for chart in runtime {
                assert!(chart.empty.contains("`heroku labs:enable log-runtime-metrics`"), "{}", chart.id);
            }
        }
    }
}
