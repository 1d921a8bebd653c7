//! Alerts of AppOptics and Papertrail, as a file of rules that `logdrain alerts check` tries.

use super::found::{Names, Object, shown};
use super::metrics::{Asked, Metric, asked, function};
use super::notes::Notes;
use alert_rules::Period;
use log_query::Query;
use logdrain_charts::series::Function;
use logdrain_drain::alerts::file;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use toml::Value;

/// As files of rules have it.
const NAME: usize = 255;
const QUERY: usize = 8 << 10;
/// A condition looks back an hour, in seconds.
const SHORTEST: f64 = 60.0;
const LONGEST: f64 = 3_600.0;
/// The longest comment.
const COMMENT: usize = 300;

const ALERT: [&str; 14] = [
    "id",
    "name",
    "version",
    "description",
    "active",
    "rearm_seconds",
    "rearm_per_signal",
    "attributes",
    "conditions",
    "services",
    "created_at",
    "updated_at",
    "md",
    "status",
];
const CONDITION: [&str; 10] = [
    "id",
    "type",
    "metric_name",
    "threshold",
    "summary_function",
    "duration",
    "detect_reset",
    "source",
    "tags",
    "metric",
];

/// One rule, as it stands in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) toml: String,
}

/// Rules of all alerts that can be told as one.
pub(super) fn of_alerts(alerts: &[Object], services: &[Object], names: &mut Names, notes: &mut Notes) -> Vec<Rule> {
    let titles: BTreeMap<String, String> =
        services.iter().filter_map(|service| Some((service.id("id")?, title(service)))).collect();
    let mut rules = Vec::new();
    for alert in alerts {
        let name = alert.text("name").unwrap_or_default();
        notes.unknown("alerts", alert, &ALERT);
        if alert.flag("active") == Some(false) {
            notes.lost("alert", name, "it was switched off");
            continue;
        }
        match of_alert(alert, names, notes).and_then(readable) {
            Ok(rule) => {
                let told = told(alert, &titles);
                if !told.is_empty() {
                    notes.changed("alert", name, format!("whom it tells is set up anew: {}", told.join(", ")));
                }
                rules.push(rule);
            }
            Err(why) => notes.lost("alert", name, why),
        }
    }
    rules
}

/// What a service may be called in a report: nothing of its settings but what they are called.
pub(super) fn title(service: &Object) -> String {
    let kind = shown(service.text("type").unwrap_or("service"), 40);
    let title = service.text("title").map(|title| format!(" {:?}", shown(title, 60))).unwrap_or_default();
    format!("{kind}{title}")
}

/// Whom an alert told: services are objects, or numbers.
fn told(alert: &Object, titles: &BTreeMap<String, String>) -> Vec<String> {
    let objects = alert.objects("services");
    let named = objects.iter().map(|service| {
        let known = service.id("id").and_then(|id| titles.get(&id));
        known.cloned().unwrap_or_else(|| title(service))
    });
    let ids = alert.texts("services");
    let by_id = ids.iter().map(|id| titles.get(id).cloned().unwrap_or_else(|| format!("service {}", shown(id, 20))));
    named.chain(by_id).collect()
}

fn of_alert(alert: &Object, names: &mut Names, notes: &mut Notes) -> Result<Rule, String> {
    let conditions = alert.objects("conditions");
    if conditions.is_empty() {
        return Err("it has no condition".to_owned());
    }
    let said = alert.text("name").unwrap_or_default();
    let mut when = String::new();
    for condition in &conditions {
        notes.unknown("conditions", condition, &CONDITION);
        when.push_str(&of_condition(condition, said, notes)?);
    }
    let name = names.give(said, NAME);
    let mut toml = String::new();
    comment(&mut toml, alert.text("description"));
    let runbook = alert.object("attributes");
    comment(&mut toml, runbook.as_ref().and_then(|attributes| attributes.text("runbook_url")));
    let _ = writeln!(toml, "[[metric]]\nname = {}", quoted(&name));
    if let Some(seconds) = alert.number("rearm_seconds").filter(|seconds| (1.0..=1e9).contains(seconds)) {
        let _ = writeln!(toml, "rearm = \"{}s\"", seconds as u64);
    }
    if alert.flag("rearm_per_signal") == Some(true) {
        toml.push_str("per_signal = true\n");
    }
    toml.push_str(&when);
    Ok(Rule { name, toml })
}

/// A rule as the file of rules reads it.
fn readable(rule: Rule) -> Result<Rule, String> {
    file::read(&rule.toml).map(|_| rule)
}

fn of_condition(condition: &Object, alert: &str, notes: &mut Notes) -> Result<String, String> {
    let name = condition.text("metric_name").or_else(|| condition.text("metric"));
    let metric = Metric::of(&shown(name.ok_or("a condition names no metric")?, NAME));
    if metric.is_renamed {
        notes.changed("alert", alert, format!("{} is {} here", shown(name.unwrap_or_default(), NAME), metric.full()));
    }
    let mut seconds = |given: f64| {
        let seconds = given.clamp(SHORTEST, LONGEST);
        if seconds.total_cmp(&given).is_ne() {
            notes.changed(
                "alert",
                alert,
                format!("a condition looks back 60 to 3600 s: {seconds} s instead of {given}"),
            );
        }
        format!("\"{}s\"", seconds as u64)
    };
    let duration = condition.number("duration").filter(|seconds| *seconds > 0.0);
    let mut toml = format!("[[metric.when]]\nmetric = {}\n", quoted(&metric.full()));
    let threshold = || {
        let threshold = condition.number("threshold").ok_or("a condition has no threshold")?;
        Ok::<_, String>(Value::Float(threshold))
    };
    match condition.text("type") {
        Some("absent") => {
            let _ = writeln!(toml, "absent = {}", seconds(duration.unwrap_or(SHORTEST)));
        }
        Some(kind @ ("above" | "below")) => {
            let _ = writeln!(toml, "{kind} = {}", threshold()?);
            if let Some(duration) = duration {
                let _ = writeln!(toml, "for = {}", seconds(duration));
            }
            match (condition.text("summary_function"), metric.percentile) {
                (None, _) => {}
                (Some(word), Some(_)) => {
                    notes.changed(
                        "alert",
                        alert,
                        format!("a percentile is that of all values, and no {}", shown(word, 30)),
                    );
                }
                (Some(word), None) => {
                    let known = function(word).ok_or_else(|| format!("there is no function {}", shown(word, 30)))?;
                    let _ = writeln!(toml, "function = \"{}\"", word_of(known));
                    if known == Function::Derivative && condition.flag("detect_reset") == Some(false) {
                        toml.push_str("detect_reset = false\n");
                    }
                }
            }
        }
        Some(other) => return Err(format!("there is no condition {}", shown(other, 30))),
        None => return Err("a condition says not what it is: above, below, absent".to_owned()),
    }
    let Asked { selectors, dynamic, .. } = asked(condition);
    for (key, is_negated) in [("tags", false), ("without", true)] {
        let tags = selectors.iter().filter(|selector| selector.is_negated == is_negated);
        let tags: Vec<String> = tags
            .map(|selector| {
                let values: Vec<_> = selector.values.iter().map(|value| quoted(value)).collect();
                format!("{} = [{}]", quoted(&selector.key), values.join(", "))
            })
            .collect();
        if !tags.is_empty() {
            let _ = writeln!(toml, "{key} = {{ {} }}", tags.join(", "));
        }
    }
    for tag in dynamic {
        notes.changed("alert", alert, format!("the tag {} was chosen on a page: it is any value", shown(&tag, 64)));
    }
    Ok(toml)
}

/// As files of rules have it.
const fn word_of(function: Function) -> &'static str {
    match function {
        Function::Sum => "sum",
        Function::Min => "min",
        Function::Max => "max",
        Function::Count => "count",
        Function::Last => "last",
        Function::Derivative => "derivative",
        Function::Avg | Function::Rate | Function::Deviation | Function::Quantile(_) => "average",
    }
}

/// A rule of a saved search that was an alert: what its hook was told names both.
pub(super) fn of_search(search: &Object, names: &mut Names, notes: &mut Notes) -> Option<Rule> {
    let inner = search.object("saved_search");
    let named = inner.as_ref().unwrap_or(search);
    let name = named.text("name").unwrap_or_default();
    // In words, or in seconds.
    let word = search.texts("frequency").into_iter().next()?;
    let period = Period::ALL.into_iter().find(|period| {
        let seconds = period.length().as_secs();
        period.to_string() == word || word.parse() == Ok(seconds)
    });
    let Some(period) = period else {
        notes.lost(
            "alert",
            name,
            format!("its frequency is {:?}, and none of 1 minute, 10 minutes, 1 hour, 1 day", shown(&word, 30)),
        );
        return None;
    };
    let query = named.text("query").unwrap_or_default();
    if query.len() > QUERY {
        notes.lost("alert", name, format!("its query has {} bytes, and {QUERY} is the most", query.len()));
        return None;
    }
    let name = names.give(name, NAME);
    let mut toml = format!("[[log]]\nname = {}\nquery = {}\nperiod = \"{period}\"\n", quoted(&name), quoted(query));
    let minimum = search.number("minimum").or_else(|| search.number("threshold"));
    if let Some(minimum) = minimum.filter(|minimum| (1.0..1e9).contains(minimum)) {
        let _ = writeln!(toml, "minimum = {}", minimum as u64);
    }
    match readable(Rule { name: name.clone(), toml }) {
        Ok(rule) => Some(rule),
        Err(why) => {
            notes.lost("alert", &name, why);
            None
        }
    }
}

/// What a query is read as, where that may surprise.
pub(super) fn reading(query: &str) -> Option<String> {
    let parsed = Query::parse(query);
    let notes: Vec<_> = parsed.notes().iter().map(ToString::to_string).collect();
    (!notes.is_empty()).then(|| shown(&notes.join("; "), COMMENT))
}

/// On one line, whatever is in it: what JSON escapes, TOML reads.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn comment(toml: &mut String, text: Option<&str>) {
    if let Some(text) = text {
        let _ = writeln!(toml, "# {}", shown(text, COMMENT));
    }
}

#[cfg(test)]
mod tests;
