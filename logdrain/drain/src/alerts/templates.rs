//! Rules to begin with: files of rules that are shipped.

use super::file::{self, Rule};

/// Each with its name; the first line of each says what it is for.
pub const TEMPLATES: [(&str, &str); 10] = [
    ("h12", include_str!("../../alerts/h12.toml")),
    ("5xx", include_str!("../../alerts/5xx.toml")),
    ("slow", include_str!("../../alerts/slow.toml")),
    ("memory", include_str!("../../alerts/memory.toml")),
    ("memory-share", include_str!("../../alerts/memory-share.toml")),
    ("l10", include_str!("../../alerts/l10.toml")),
    ("no-requests", include_str!("../../alerts/no-requests.toml")),
    ("postgres-waiting", include_str!("../../alerts/postgres-waiting.toml")),
    ("postgres-cache", include_str!("../../alerts/postgres-cache.toml")),
    ("load", include_str!("../../alerts/load.toml")),
];

/// The rule of a template; `None` if there is none of that name.
pub fn rule(name: &str) -> Option<Rule> {
    let (_, text) = TEMPLATES.iter().find(|(known, _)| *known == name)?;
    // They are read by a test, each of them.
    file::parse(text).ok()?.pop()
}

/// What a template is for.
pub fn what(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_start_matches(['#', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;
    use heroku_metrics::native;

    #[test]
    fn templates_are_rules_of_metrics_that_there_are() {
        let mut all = String::new();
        for (name, text) in TEMPLATES {
            assert!(text.starts_with("# ") && what(text).len() > 20, "{name} says what it is for");
            let rules = file::read(text).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_eq!(rules.logs.len() + rules.metrics.len(), 1, "{name}");
            assert!(rule(name).is_some(), "{name}");
            let table: toml::Table = toml::from_str(text).unwrap();
            for rule in table.get("metric").and_then(toml::Value::as_array).into_iter().flatten() {
                for when in rule["when"].as_array().unwrap() {
                    let metric = when["metric"].as_str().unwrap();
                    let metric = native_name(metric);
                    let family = native::families()
                        .iter()
                        .find(|family| family.metrics().iter().any(|known| known.name() == metric))
                        .unwrap_or_else(|| panic!("{name}: no native metric {metric}"));
                    let of_tags = [when.get("tags"), when.get("without")].into_iter().flatten();
                    for key in of_tags.filter_map(toml::Value::as_table).flat_map(toml::Table::keys) {
                        assert!(family.tags().contains(&key.as_str()), "{name}: {metric} has no tag {key}");
                    }
                }
            }
            all.push_str(text);
        }
        let rules = file::read(&all).expect("all of them together");
        assert_eq!(rules.logs.len() + rules.metrics.len(), TEMPLATES.len());
    }

    fn native_name(metric: &str) -> &str {
        [".p50", ".p95", ".p99", ".p999"].iter().find_map(|suffix| metric.strip_suffix(suffix)).unwrap_or(metric)
    }
}
