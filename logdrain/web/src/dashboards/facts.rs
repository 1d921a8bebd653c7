//! What an account says of its metrics, on the charts of its dashboards: a colour, a unit, and how often values come.

use crate::site::Site;
use logdrain_charts::dashboard::{Chart, Dashboard};
use logdrain_charts::series::Function;
use logdrain_drain::directory::MetricFacts;
use std::collections::BTreeMap;

/// What is said of the metrics of one dashboard, by their names.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Told(BTreeMap<String, MetricFacts>);

impl Told {
    /// Where the directory cannot be read, nothing is said.
    pub(super) fn of(site: &Site, account: &str, dashboard: &Dashboard) -> Self {
        let mut told = BTreeMap::new();
        for source in dashboard.charts.iter().flat_map(|chart| &chart.series) {
            if !told.contains_key(&source.metric) {
                let facts = site.directory.metric_facts(account, &source.metric).unwrap_or_default();
                told.insert(source.metric.clone(), facts);
            }
        }
        Self(told)
    }

    /// How often values of a chart come, in seconds: what is shorter is no gap.
    pub(super) fn period(&self, chart: &Chart) -> u32 {
        let known = chart.series.iter().filter_map(|source| self.0.get(&source.metric));
        known.map(|facts| facts.period).max().unwrap_or(0)
    }

    /// The dashboard with what is said of its metrics where it says nothing itself.
    pub(super) fn put_into(&self, mut dashboard: Dashboard) -> Dashboard {
        for chart in &mut dashboard.charts {
            if chart.unit.is_none() {
                chart.unit = self.unit(chart);
            }
            for source in &mut chart.series {
                // Lines that are drawn apart have a colour each.
                if source.colour.is_empty()
                    && source.group_by.is_empty()
                    && let Some(facts) = self.0.get(&source.metric)
                {
                    source.colour.clone_from(&facts.colour);
                }
            }
        }
        dashboard
    }

    /// The unit of a chart, if all its series are of one that somebody named, and their values are left as they are.
    fn unit(&self, chart: &Chart) -> Option<String> {
        let mut units = chart.series.iter().map(|source| {
            let is_plain = source.combine.is_none() && (source.scale - 1.0).abs() < f64::EPSILON;
            let unit = self.0.get(&source.metric).map(|facts| facts.unit.as_str()).filter(|_| is_plain)?;
            let is_rate = source.change || source.function == Function::Rate;
            match source.function {
                _ if unit.is_empty() => None,
                Function::Count => None,
                _ if is_rate => Some(format!("{unit}/min")),
                _ => Some(unit.to_owned()),
            }
        });
        let first = units.next()??;
        units.all(|unit| unit.as_ref() == Some(&first)).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use logdrain_charts::dashboard::Source;

    #[test]
    fn a_chart_says_what_it_says_itself_and_else_what_is_said_of_its_metric() {
        let facts = MetricFacts { period: 300, unit: "orders".into(), colour: "s4".into(), ..MetricFacts::default() };
        let told = Told(BTreeMap::from([("m".to_owned(), facts), ("other".to_owned(), MetricFacts::default())]));
        let drawn = |series: Vec<Source>, unit: Option<&str>| {
            let chart = Chart { series, unit: unit.map(str::to_owned), ..Chart::default() };
            let period = told.period(&chart);
            let made =
                told.put_into(Dashboard { title: String::new(), app: None, charts: vec![chart] }).charts.remove(0);
            (made.unit, made.series[0].colour.clone(), period)
        };
        let of = |name: &str, function| Source::of(name, function);
        let said = |unit: &str, colour: &str| (Some(unit.to_owned()), colour.to_owned(), 300);
        assert_eq!(drawn(vec![of("m", Function::Max)], None), said("orders", "s4"));
        assert_eq!(drawn(vec![of("m", Function::Rate)], None), said("orders/min", "s4"));
        assert_eq!(drawn(vec![of("m", Function::Max)], Some("")), said("", "s4"));
        let own = Source { colour: "s1".into(), ..of("m", Function::Sum) };
        assert_eq!(drawn(vec![own], None), said("orders", "s1"));
        let apart = Source { group_by: vec!["dyno".into()], ..of("m", Function::Sum) };
        assert_eq!(drawn(vec![apart], None), said("orders", ""));
        for (series, colour) in [
            (vec![of("m", Function::Count)], "s4"),
            (vec![of("m", Function::Max), of("other", Function::Max)], "s4"),
            (vec![Source { scale: 100.0, ..of("m", Function::Max) }], "s4"),
        ] {
            assert_eq!(drawn(series, None), (None, colour.to_owned(), 300));
        }
        assert_eq!(drawn(vec![of("other", Function::Max)], None), (None, String::new(), 0));
    }
}
