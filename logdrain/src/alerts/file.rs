//! A file of rules.

use crate::args::look;
use crate::failure::Failure;
use crate::units::duration;
use alert_rules::{Condition, Function, LogRule, MetricRule, Period};
use heroku_metrics::model::Percentile;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use log_query::Query;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const MOST_BYTES: usize = 1 << 20;
const MOST_RULES: usize = 1_000;
const MOST_QUERY: usize = 8 << 10;
const MOST_NAME: usize = 255;
/// A condition looks back an hour.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Rules, each with its name.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) logs: Vec<(String, LogRule, Due)>,
    pub(super) metrics: Vec<(String, MetricRule)>,
}

/// When the day of a daily rule ends.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) at: Time,
    pub(super) zone: TimeZone,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    log: Vec<OfLines>,
    #[serde(default)]
    metric: Vec<OfMinutes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfLines {
    name: String,
    query: String,
    period: Option<String>,
    minimum: Option<u64>,
    #[serde(default)]
    inactivity: bool,
    #[serde(default)]
    counts: bool,
    #[serde(default, deserialize_with = "one_or_more")]
    systems: Vec<String>,
    at: Option<String>,
    zone: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfMinutes {
    name: String,
    when: Vec<When>,
    #[serde(default)]
    any: bool,
    #[serde(default)]
    per_signal: bool,
    rearm: Option<String>,
    #[serde(default, deserialize_with = "one_or_more")]
    systems: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct When {
    metric: String,
    above: Option<f64>,
    below: Option<f64>,
    absent: Option<String>,
    function: Option<String>,
    #[serde(rename = "for")]
    duration: Option<String>,
    detect_reset: Option<bool>,
    #[serde(default)]
    tags: BTreeMap<String, OneOrMore>,
    #[serde(default)]
    without: BTreeMap<String, OneOrMore>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn list(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::More(more) => more,
        }
    }
}

fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    OneOrMore::deserialize(from).map(OneOrMore::list)
}

/// Reads a file of rules.
pub(super) fn load(path: &Path) -> Result<Rules, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::open(path, error))?;
    let wrong = |why: String| Failure::Config(format!("{}: {why}", path.display()));
    if bytes.len() > MOST_BYTES {
        return Err(wrong(
            "a file of rules has at most a megabyte; this is perhaps a log: the rules come first".to_owned(),
        ));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| wrong("it is no text: the rules come first, then logs".to_owned()))?;
    read(&text).map_err(wrong)
}

/// The rules of a text, or what is wrong with it.
pub(super) fn read(text: &str) -> Result<Rules, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    if file.log.is_empty() && file.metric.is_empty() {
        return Err("there is no rule in it: a rule begins with [[log]] or [[metric]]".to_owned());
    }
    if file.log.len().max(file.metric.len()) > MOST_RULES {
        return Err(format!("at most {MOST_RULES} rules of a kind"));
    }
    let mut rules = Rules::default();
    for of_lines in file.log {
        let name = named(&of_lines.name)?;
        let (rule, due) = of_lines.rule().map_err(|why| format!("rule \"{name}\": {why}"))?;
        rules.logs.push((name, rule, due));
    }
    for of_minutes in file.metric {
        let name = named(&of_minutes.name)?;
        let rule = of_minutes.rule().map_err(|why| format!("rule \"{name}\": {why}"))?;
        rules.metrics.push((name, rule));
    }
    let names = rules.logs.iter().map(|(name, _, _)| name).chain(rules.metrics.iter().map(|(name, _)| name));
    let mut seen = std::collections::HashSet::new();
    match names.into_iter().find(|name| !seen.insert(name.as_str())) {
        Some(name) => Err(format!("two rules are called \"{name}\"")),
        None => Ok(rules),
    }
}

fn named(name: &str) -> Result<String, String> {
    match name.trim() {
        "" => Err("a rule has no name".to_owned()),
        name if name.len() > MOST_NAME => Err(format!("a name has at most {MOST_NAME} bytes: \"{name}\"")),
        name => Ok(name.to_owned()),
    }
}

impl OfLines {
    fn rule(self) -> Result<(LogRule, Due), String> {
        if self.query.len() > MOST_QUERY {
            return Err(format!("a query has at most {MOST_QUERY} bytes"));
        }
        let word = self.period.as_deref().unwrap_or("1 minute");
        let period = Period::ALL
            .into_iter()
            .find(|period| period.to_string() == word)
            .ok_or_else(|| format!("period = \"{word}\": it is 1 minute, 10 minutes, 1 hour or 1 day"))?;
        if period != Period::Day && (self.at.is_some() || self.zone.is_some()) {
            return Err("at and zone are of rules with period = \"1 day\"".to_owned());
        }
        let at = self.at.as_deref().unwrap_or("05:00");
        let at = at.parse().map_err(|_| format!("at = \"{at}\": a time of day is written as 05:00"))?;
        let zone = self.zone.as_deref().map_or(Ok(TimeZone::UTC), look::zone).map_err(|why| format!("zone: {why}"))?;
        let mut rule = LogRule::new(Query::parse(&self.query).into_query(), period);
        if let Some(minimum) = self.minimum {
            if minimum == 0 && !self.counts {
                return Err("minimum = 0 is of rules with counts = true; for silence say inactivity = true".to_owned());
            }
            rule = rule.with_minimum(minimum);
        }
        rule = match (self.inactivity, self.counts) {
            (true, true) => return Err("inactivity has no counts; say one of them".to_owned()),
            (true, false) if self.minimum.is_some() => {
                return Err("inactivity is that there is no line: it has no minimum".to_owned());
            }
            (true, false) => rule.on_inactivity(),
            (false, true) => rule.counting(),
            (false, false) => rule,
        };
        Ok((rule.with_systems(self.systems), Due { at, zone }))
    }
}

impl OfMinutes {
    fn rule(self) -> Result<MetricRule, String> {
        let mut conditions = self.when.into_iter().map(When::condition);
        let first = conditions.next().ok_or("it asks for nothing: add a [[metric.when]]")??;
        let mut rule = MetricRule::new(first);
        for condition in conditions {
            rule = rule.and(condition?);
        }
        if let Some(rearm) = &self.rearm {
            rule = rule.with_rearm(duration(rearm).map_err(|why| format!("rearm = \"{rearm}\": {why}"))?);
        }
        if self.any {
            rule = rule.any();
        }
        if self.per_signal {
            rule = rule.per_signal();
        }
        Ok(rule.with_drains(self.systems))
    }
}

impl When {
    fn condition(self) -> Result<Condition, String> {
        let long = |what: &str, text: &str| match duration(text) {
            Ok(long) if long >= Duration::from_secs(60) && long <= LONGEST => Ok(long),
            Ok(_) => Err(format!("{what} = \"{text}\": from 1m to 1h")),
            Err(why) => Err(format!("{what} = \"{text}\": {why}")),
        };
        // A percentile may be named as its stream is.
        let suffix = |metric: &str| Percentile::ALL.into_iter().find(|which| metric.ends_with(which.suffix()));
        let (metric, of_name) = match suffix(&self.metric) {
            Some(which) => (self.metric.trim_end_matches(which.suffix()), Some(Function::Percentile(which))),
            None => (self.metric.as_str(), None),
        };
        let mut condition = match (self.above, self.below, &self.absent) {
            (Some(above), None, None) => Condition::above(metric, above),
            (None, Some(below), None) => Condition::below(metric, below),
            (None, None, Some(absent)) if self.duration.is_none() => Condition::absent(metric, long("absent", absent)?),
            (None, None, Some(_)) => return Err("absent says for how long; it has no for".to_owned()),
            _ => return Err(format!("{metric}: say one of above, below and absent")),
        };
        if let Some(text) = &self.duration {
            condition = condition.with_duration(long("for", text)?);
        }
        let function =
            self.function.as_deref().map(|word| function(word, self.detect_reset.unwrap_or(true))).transpose()?;
        match (function, of_name) {
            (Some(_), Some(_)) => return Err(format!("{}: the name says a function, too", self.metric)),
            (Some(function), None) | (None, Some(function)) => condition = condition.with_function(function),
            (None, None) => {}
        }
        for (key, values) in self.tags {
            condition = condition.with_tag(&key, values.list());
        }
        for (key, values) in self.without {
            condition = condition.without_tag(&key, values.list());
        }
        Ok(condition)
    }
}

fn function(word: &str, detect_reset: bool) -> Result<Function, String> {
    Ok(match word {
        "average" => Function::Average,
        "min" => Function::Min,
        "max" => Function::Max,
        "sum" => Function::Sum,
        "count" => Function::Count,
        "last" => Function::Last,
        "derivative" => Function::Derivative { detect_reset },
        _ => match Percentile::ALL.into_iter().find(|which| which.suffix().trim_start_matches('.') == word) {
            Some(which) => Function::Percentile(which),
            None => {
                return Err(format!(
                    "function = \"{word}\": it is average, min, max, sum, count, last, p50, p95, p99, p999 or derivative"
                ));
            }
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_they_say() {
        let rules = read(
            "[[log]]\nname = \"slow\"\nquery = \"program:router code=H12\"\nperiod = \"10 minutes\"\nminimum = 5\nsystems = \"shop-*\"\n\
             [[metric]]\nname = \"load\"\nrearm = \"1h\"\nper_signal = true\n\
             [[metric.when]]\nmetric = \"db.query.p95\"\nabove = 300\nfor = \"5m\"\ntags = { dyno = [\"web.*\", \"clock\"] }\n",
        )
        .unwrap();
        assert_eq!(
            rules.logs[0].1.to_string(),
            "at least 5 lines in 10 minutes with program:router code=H12, of shop-*"
        );
        assert_eq!(rules.metrics[0].1.to_string(), "p95 of db.query above 300 for 5 minutes, dyno web.* or clock");
    }

    #[test]
    fn what_is_wrong_is_said_with_the_rule() {
        let log = |rest: &str| format!("[[log]]\nname = \"a\"\nquery = \"b\"\n{rest}\n");
        let metric = |rest: &str| format!("[[metric]]\nname = \"a\"\n[[metric.when]]\nmetric = \"m\"\n{rest}\n");
        for (text, said) in [
            (String::new(), "there is no rule in it: a rule begins with [[log]] or [[metric]]"),
            (
                log("period = \"5 minutes\""),
                "rule \"a\": period = \"5 minutes\": it is 1 minute, 10 minutes, 1 hour or 1 day",
            ),
            (
                log("minimum = 0"),
                "rule \"a\": minimum = 0 is of rules with counts = true; for silence say inactivity = true",
            ),
            (log("inactivity = true\ncounts = true"), "rule \"a\": inactivity has no counts; say one of them"),
            (log("at = \"05:00\""), "rule \"a\": at and zone are of rules with period = \"1 day\""),
            (log("period = \"1 day\"\nat = \"noon\""), "rule \"a\": at = \"noon\": a time of day is written as 05:00"),
            (metric(""), "rule \"a\": m: say one of above, below and absent"),
            (metric("above = 1\nbelow = 0"), "rule \"a\": m: say one of above, below and absent"),
            (metric("above = 1\nfor = \"2h\""), "rule \"a\": for = \"2h\": from 1m to 1h"),
            (
                metric("absent = \"soon\""),
                "rule \"a\": absent = \"soon\": expected a duration such as 60s, 5m or 500ms",
            ),
            (
                metric("above = 1\nfunction = \"median\""),
                "rule \"a\": function = \"median\": it is average, min, max, sum, count, last, p50, p95, p99, p999 or derivative",
            ),
            (log("") + &log(""), "two rules are called \"a\""),
        ] {
            assert_eq!(read(&text).unwrap_err(), said);
        }
        let said = read(&log("perod = \"1 hour\"")).unwrap_err();
        assert!(said.contains("line 4") && said.contains("perod"), "{said}");
    }
}
