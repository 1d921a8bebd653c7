//! Rules as a file of rules has them: that is how they are written down everywhere, in settings and in requests, too.

use alert_rules::{Condition, Function, LogRule, MetricRule, Period, Total};
use heroku_metrics::model::{Percentile, Timestamp};
use jiff::civil::Time;
use jiff::tz::TimeZone;
use log_query::Query;
use logdrain_terms::failure::Failure;
use logdrain_terms::times;
use logdrain_terms::units::duration;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::Duration;

const MOST_BYTES: usize = 1 << 20;
const MOST_RULES: usize = 1_000;
const MOST_QUERY: usize = 8 << 10;
const MOST_NAME: usize = 255;
const MOST_CONDITIONS: usize = 100;
/// A condition looks back an hour.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Rules, each with its name.
#[derive(Debug, Default)]
pub struct Rules {
    pub logs: Vec<(String, LogRule, Due)>,
    pub metrics: Vec<(String, MetricRule)>,
}

/// When the day of a daily rule ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Due {
    pub at: Time,
    pub zone: TimeZone,
}

impl Due {
    /// The next time of day behind a time, by the calendar of its zone: an hour that is left out or comes twice is none more
    /// or less.
    pub fn next(&self, from: Timestamp) -> Option<Timestamp> {
        let from = jiff::Timestamp::from_microsecond(from.unix_micros()).ok()?.to_zoned_datetime(self.zone.clone());
        let mut day = from.date();
        loop {
            let at = day.to_datetime(self.at).to_zoned_datetime(self.zone.clone()).ok()?;
            if at > from {
                return Some(Timestamp::from_unix_micros(at.timestamp().as_microsecond()));
            }
            day = day.tomorrow().ok()?;
        }
    }
}

/// One rule as it is written down. In JSON `{"log": {...}}` or `{"metric": {...}}`, with the keys of the file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Rule {
    #[serde(rename = "log")]
    Lines(OfLines),
    #[serde(rename = "metric")]
    Minutes(OfMinutes),
}

/// What a rule asks, ready to be asked.
#[derive(Clone, Debug)]
pub enum Asked {
    Lines(LogRule, Due),
    Minutes(MetricRule),
}

/// A text with rules, `[[log]]` and `[[metric]]`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<OfLines>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metric: Vec<OfMinutes>,
}

/// A rule on lines.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfLines {
    pub name: String,
    pub query: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<u64>,
    #[serde(default, skip_serializing_if = "is_no")]
    pub inactivity: bool,
    #[serde(default, skip_serializing_if = "is_no")]
    pub counts: bool,
    #[serde(default, deserialize_with = "one_or_more", skip_serializing_if = "Vec::is_empty")]
    pub systems: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// A rule on minutes of metrics.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfMinutes {
    pub name: String,
    #[serde(default, skip_serializing_if = "is_no")]
    pub any: bool,
    #[serde(default, skip_serializing_if = "is_no")]
    pub per_signal: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rearm: Option<String>,
    #[serde(default, deserialize_with = "one_or_more", skip_serializing_if = "Vec::is_empty")]
    pub systems: Vec<String>,
    /// Last, as TOML has tables behind values.
    pub when: Vec<When>,
}

/// A condition of a rule on minutes.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    pub metric: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detect_reset: Option<bool>,
    /// Asked of the total over all streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<String>,
    #[serde(default, deserialize_with = "lists", skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, Vec<String>>,
    #[serde(default, deserialize_with = "lists", skip_serializing_if = "BTreeMap::is_empty")]
    pub without: BTreeMap<String, Vec<String>>,
}

/// A threshold is a finite number: no other is let in.
impl Eq for When {}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_no(value: &bool) -> bool {
    !*value
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

fn lists<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, Vec<String>>, D::Error> {
    let all = BTreeMap::<String, OneOrMore>::deserialize(from)?;
    Ok(all.into_iter().map(|(key, values)| (key, values.list())).collect())
}

/// Reads a file of rules.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn load(path: &Path) -> Result<Rules, Failure> {
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

/// The rules of a text, ready to be asked.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read(text: &str) -> Result<Rules, String> {
    let mut rules = Rules::default();
    for rule in parse(text)? {
        let name = rule.name().to_owned();
        match rule.asked()? {
            Asked::Lines(rule, due) => rules.logs.push((name, rule, due)),
            Asked::Minutes(rule) => rules.metrics.push((name, rule)),
        }
    }
    Ok(rules)
}

/// The rules of a text, as they are written down: those on lines, then those on minutes. Each can be asked.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse(text: &str) -> Result<Vec<Rule>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    if file.log.is_empty() && file.metric.is_empty() {
        return Err("there is no rule in it: a rule begins with [[log]] or [[metric]]".to_owned());
    }
    if file.log.len().max(file.metric.len()) > MOST_RULES {
        return Err(format!("at most {MOST_RULES} rules of a kind"));
    }
    let lines = file.log.into_iter().map(Rule::Lines);
    let mut rules: Vec<Rule> = lines.chain(file.metric.into_iter().map(Rule::Minutes)).collect();
    for rule in &mut rules {
        rule.trim();
        rule.asked()?;
    }
    let mut seen = HashSet::new();
    match rules.iter().map(Rule::name).find(|name| !seen.insert(*name)) {
        Some(name) => Err(format!("two rules are called \"{name}\"")),
        None => Ok(rules),
    }
}

impl Rule {
    pub fn name(&self) -> &str {
        match self {
            Self::Lines(rule) => &rule.name,
            Self::Minutes(rule) => &rule.name,
        }
    }

    /// Without blanks around its name.
    pub fn trim(&mut self) {
        let name = match self {
            Self::Lines(rule) => &mut rule.name,
            Self::Minutes(rule) => &mut rule.name,
        };
        *name = name.trim().to_owned();
    }

    /// What it asks.
    ///
    /// # Errors
    /// What is wrong with it, in words, with its name.
    pub fn asked(&self) -> Result<Asked, String> {
        let name = named(self.name())?;
        let asked = match self {
            Self::Lines(rule) => rule.asked().map(|(rule, due)| Asked::Lines(rule, due)),
            Self::Minutes(rule) => rule.asked().map(Asked::Minutes),
        };
        asked.map_err(|why| format!("rule \"{name}\": {why}"))
    }

    /// About what it takes, in memory and written down.
    pub fn bytes(&self) -> usize {
        /// What stands around each text.
        const AROUND: usize = 48;
        let text = |text: &str| text.len() + AROUND;
        let texts = |all: &[String]| all.iter().map(|one| text(one)).sum::<usize>();
        match self {
            Self::Lines(rule) => {
                text(&rule.name)
                    + text(&rule.query)
                    + texts(&rule.systems)
                    + text(rule.zone.as_deref().unwrap_or_default())
            }
            Self::Minutes(rule) => {
                let whens = rule.when.iter().map(|when| {
                    let tags = when.tags.iter().chain(&when.without).map(|(key, values)| text(key) + texts(values));
                    text(&when.metric) + tags.sum::<usize>() + AROUND
                });
                text(&rule.name) + texts(&rule.systems) + whens.sum::<usize>()
            }
        }
    }

    /// How many words it looks for in a line, those of phrases and operators too: as many texts at least as its query has.
    pub fn words(&self) -> usize {
        let Self::Lines(rule) = self else { return 0 };
        let ends = |letter: char| letter.is_whitespace() || "()\"'\u{201c}\u{201d}\u{2018}\u{2019}".contains(letter);
        rule.query.split(ends).filter(|word| !word.is_empty()).count()
    }

    /// As it stands in a file of rules.
    pub fn to_toml(&self) -> String {
        let mut file = File::default();
        match self {
            Self::Lines(rule) => file.log.push(rule.clone()),
            Self::Minutes(rule) => file.metric.push(rule.clone()),
        }
        // Text, numbers and lists are what TOML has.
        toml::to_string(&file).unwrap_or_default()
    }
}

fn named(name: &str) -> Result<&str, String> {
    match name.trim() {
        "" => Err("a rule has no name".to_owned()),
        name if name.len() > MOST_NAME => Err(format!("a name has at most {MOST_NAME} bytes: \"{name}\"")),
        name => Ok(name),
    }
}

impl OfLines {
    fn asked(&self) -> Result<(LogRule, Due), String> {
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
        let zone = self.zone.as_deref().map_or(Ok(TimeZone::UTC), times::zone).map_err(|why| format!("zone: {why}"))?;
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
        Ok((rule.with_systems(&self.systems), Due { at, zone }))
    }
}

impl OfMinutes {
    fn asked(&self) -> Result<MetricRule, String> {
        if self.when.len() > MOST_CONDITIONS {
            return Err(format!("it has at most {MOST_CONDITIONS} conditions"));
        }
        let mut conditions = self.when.iter().map(When::condition);
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
        Ok(rule.with_drains(&self.systems))
    }
}

impl When {
    fn condition(&self) -> Result<Condition, String> {
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
        if [self.above, self.below].into_iter().flatten().any(|threshold| !threshold.is_finite()) {
            return Err(format!("{metric}: a threshold is a finite number"));
        }
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
        if let Some(word) = &self.together {
            condition = condition.together(total(word)?);
        }
        for (key, values) in &self.tags {
            condition = condition.with_tag(key, values);
        }
        for (key, values) in &self.without {
            condition = condition.without_tag(key, values);
        }
        Ok(condition)
    }
}

fn total(word: &str) -> Result<Total, String> {
    let all = [Total::Sum, Total::Max, Total::Min, Total::Mean];
    let named = all.into_iter().find(|total| total.to_string() == word);
    named.ok_or_else(|| format!("together = \"{word}\": it is sum, max, min or mean"))
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
        let total =
            read("[[metric]]\nname = \"a\"\n[[metric.when]]\nmetric = \"m\"\nbelow = 2\ntogether = \"sum\"\n").unwrap();
        assert_eq!(total.metrics[0].1.to_string(), "sum over streams of average of m below 2");
    }

    #[test]
    fn a_rule_is_the_same_in_every_form_that_it_is_written_in() {
        let text = "[[log]]\nname = \" slow \"\nquery = \"H12\"\nperiod = \"1 day\"\nat = \"04:30\"\nzone = \"Europe/Berlin\"\n\
             [[metric]]\nname = \"load\"\nany = true\nsystems = [\"a\", \"b\"]\n\
             [[metric.when]]\nmetric = \"m\"\nabove = 0.5\ntogether = \"mean\"\ntags = { dyno = \"web.*\" }\n\
             [[metric.when]]\nmetric = \"n\"\nabsent = \"10m\"\nwithout = { dyno = [\"x\", \"y\"] }\n";
        let rules = parse(text).unwrap();
        assert_eq!(rules.iter().map(Rule::name).collect::<Vec<_>>(), ["slow", "load"]);
        for rule in rules {
            assert_eq!(parse(&rule.to_toml()).unwrap(), std::slice::from_ref(&rule));
            let json = serde_json::to_string(&rule).unwrap();
            assert_eq!(serde_json::from_str::<Rule>(&json).unwrap(), rule, "{json}");
        }
    }

    #[test]
    fn a_day_ends_at_its_hour_by_the_calendar_of_its_zone() {
        let due = |at: &str| {
            let text = format!(
                "[[log]]\nname = \"a\"\nquery = \"b\"\nperiod = \"1 day\"\nat = \"{at}\"\nzone = \"Europe/Berlin\"\n"
            );
            read(&text).unwrap().logs.remove(0).2
        };
        let time = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        for (at, from, next) in [
            ("05:00", "2026-03-28T03:59:59Z", "2026-03-28T04:00:00Z"),
            ("05:00", "2026-03-28T04:00:00Z", "2026-03-29T03:00:00Z"),
            // There is no half past two in the night to the 29th, and there are two in that to the 25th of October.
            ("02:30", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"),
            ("02:30", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
            ("02:30", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
        ] {
            let found = due(at).next(Timestamp::from_unix_micros(time(from))).unwrap();
            assert_eq!(found.unix_micros(), time(next), "{at} behind {from}: {found}");
        }
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
            (metric("above = inf"), "rule \"a\": m: a threshold is a finite number"),
            (metric("above = 1\nfor = \"2h\""), "rule \"a\": for = \"2h\": from 1m to 1h"),
            (
                metric("absent = \"soon\""),
                "rule \"a\": absent = \"soon\": expected a duration such as 60s, 5m or 500ms",
            ),
            (
                metric("above = 1\nfunction = \"median\""),
                "rule \"a\": function = \"median\": it is average, min, max, sum, count, last, p50, p95, p99, p999 or derivative",
            ),
            (metric("above = 1\ntogether = \"all\""), "rule \"a\": together = \"all\": it is sum, max, min or mean"),
            (log("") + &log(""), "two rules are called \"a\""),
        ] {
            assert_eq!(read(&text).unwrap_err(), said);
        }
        let said = read(&log("perod = \"1 hour\"")).unwrap_err();
        assert!(said.contains("line 4") && said.contains("perod"), "{said}");
    }
}
