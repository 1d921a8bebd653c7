//! A rule as it stands in a form: what was typed, whether or not it can be asked.

use crate::dashboards::Form;
use form_urlencoded::parse;
use serde_json::{Map, Value, json};

/// Conditions of a form: as many as a rule may have.
const CONDITIONS: usize = 100;
/// The most bytes that an address brings into a field.
const TYPED: usize = 8 << 10;

/// What a rule looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Of {
    Lines,
    Metrics,
}

impl Of {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Lines => "log",
            Self::Metrics => "metric",
        }
    }
}

/// A condition of a rule on metrics.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Condition {
    pub(super) metric: String,
    /// `above`, `below` or `absent`.
    pub(super) is: String,
    pub(super) value: String,
    /// How long it is so, or how long there is no point.
    pub(super) length: String,
    pub(super) function: String,
    /// What is made of all streams first; of each by itself if it is empty.
    pub(super) together: String,
    /// `dyno=web.*|clock, code=R14`
    pub(super) tags: String,
    pub(super) without: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Draft {
    pub(super) of: Of,
    pub(super) name: String,
    pub(super) systems: String,
    pub(super) query: String,
    pub(super) period: String,
    pub(super) minimum: String,
    /// `lines`, `counts` or `silence`.
    pub(super) asks: String,
    pub(super) at: String,
    pub(super) zone: String,
    pub(super) conditions: Vec<Condition>,
    pub(super) any: bool,
    pub(super) per_signal: bool,
    pub(super) rearm: String,
    pub(super) channels: Vec<u32>,
}

/// What becomes one number of a minute: as the API names it, and as people read it.
pub(super) const FUNCTIONS: [(&str, &str); 12] = [
    ("average", "average"),
    ("max", "highest"),
    ("min", "lowest"),
    ("sum", "sum"),
    ("count", "number of values"),
    ("last", "last"),
    ("p50", "p50 (median)"),
    ("p95", "p95"),
    ("p99", "p99"),
    ("p999", "p99.9"),
    ("derivative", "growth (a fall is a reset)"),
    (FALLS, "growth (a fall counts)"),
];

/// What a derivative is called of which a fall is no reset.
const FALLS: &str = "derivative-falls";

impl Draft {
    pub(super) fn new(of: Of) -> Self {
        let is = if of == Of::Metrics {
            vec![Condition { is: "above".to_owned(), ..Condition::default() }]
        } else {
            Vec::new()
        };
        Self {
            of,
            name: String::new(),
            systems: String::new(),
            query: String::new(),
            period: "1 minute".to_owned(),
            minimum: String::new(),
            asks: "lines".to_owned(),
            at: String::new(),
            zone: String::new(),
            conditions: is,
            any: false,
            per_signal: false,
            rearm: String::new(),
            channels: Vec::new(),
        }
    }

    /// What an address begins with: `q` and `system` of a search, `metric`, `summary` and `tag[KEY]` of a chart.
    pub(super) fn of_address(query: &str) -> Option<Self> {
        let all: Vec<(String, String)> = parse(query.as_bytes())
            .filter(|(_, value)| value.len() <= TYPED)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let said = |name: &str| all.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let named = said("name").unwrap_or_default();
        if let Some(metric) = said("metric") {
            let tags = |kind: &str| {
                let mut tags: Vec<(String, Vec<String>)> = Vec::new();
                for (name, value) in &all {
                    let key = name.strip_prefix(kind).and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']'));
                    let Some(key) = key else { continue };
                    match tags.iter_mut().find(|(known, _)| known == key) {
                        Some((_, values)) => values.push(value.clone()),
                        None => tags.push((key.to_owned(), vec![value.clone()])),
                    }
                }
                tags.iter().map(|(key, values)| format!("{key}={}", values.join("|"))).collect::<Vec<_>>().join(", ")
            };
            let function = match said("summary").as_deref() {
                Some("avg") => "average".to_owned(),
                Some(word) if FUNCTIONS.iter().any(|(known, _)| *known == word) => word.to_owned(),
                // What a chart asks and no alert does, is asked as usual.
                _ => String::new(),
            };
            let condition = Condition {
                metric,
                is: "above".to_owned(),
                function,
                tags: tags("tag"),
                without: tags("not"),
                ..Condition::default()
            };
            return Some(Self { name: named, conditions: vec![condition], ..Self::new(Of::Metrics) });
        }
        match (said("q"), said("of").as_deref()) {
            (Some(query), _) => {
                Some(Self { name: named, query, systems: said("system").unwrap_or_default(), ..Self::new(Of::Lines) })
            }
            (None, Some("log")) => Some(Self::new(Of::Lines)),
            (None, Some("metric")) => Some(Self::new(Of::Metrics)),
            _ => None,
        }
    }

    /// What an alert is now, as the API tells it.
    pub(super) fn of_told(told: &Value) -> Self {
        let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let is = |of: &Value, name: &str| of.get(name).and_then(Value::as_bool).unwrap_or_default();
        let channels = told.get("channels").and_then(Value::as_array).into_iter().flatten();
        let channels = channels.filter_map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok())).collect();
        if let Some(rule) = told.get("log") {
            let asks = match (is(rule, "inactivity"), is(rule, "counts")) {
                (true, _) => "silence",
                (_, true) => "counts",
                _ => "lines",
            };
            let period = text(rule, "period");
            return Self {
                name: text(rule, "name"),
                query: text(rule, "query"),
                period: if period.is_empty() { "1 minute".to_owned() } else { period },
                minimum: rule.get("minimum").map(ToString::to_string).unwrap_or_default(),
                asks: asks.to_owned(),
                systems: list(rule.get("systems")),
                at: text(rule, "at"),
                zone: text(rule, "zone"),
                channels,
                ..Self::new(Of::Lines)
            };
        }
        let rule = told.get("metric").unwrap_or(&Value::Null);
        let conditions = rule.get("when").and_then(Value::as_array).into_iter().flatten().map(|when| {
            let is = ["above", "below", "absent"].into_iter().find(|word| when.get(*word).is_some()).unwrap_or("above");
            let falls = when.get("detect_reset").and_then(Value::as_bool) == Some(false);
            Condition {
                metric: text(when, "metric"),
                is: is.to_owned(),
                value: when.get(is).filter(|value| value.is_number()).map(ToString::to_string).unwrap_or_default(),
                length: if is == "absent" { text(when, "absent") } else { text(when, "for") },
                function: if falls { FALLS.to_owned() } else { text(when, "function") },
                together: text(when, "together"),
                tags: tags(when.get("tags")),
                without: tags(when.get("without")),
            }
        });
        Self {
            name: text(rule, "name"),
            systems: list(rule.get("systems")),
            conditions: conditions.collect(),
            any: is(rule, "any"),
            per_signal: is(rule, "per_signal"),
            rearm: text(rule, "rearm"),
            channels,
            ..Self::new(Of::Metrics)
        }
    }

    /// What was sent.
    pub(super) fn of_form(form: &Form) -> Self {
        let typed = |name: &str| form.text(name).unwrap_or_default();
        let of = if form.get("of") == Some("metric") { Of::Metrics } else { Of::Lines };
        let count: usize = typed("conditions").parse().unwrap_or(1);
        let mut conditions: Vec<Condition> = (0..count.min(CONDITIONS))
            .map(|at| {
                let typed = |name: &str| typed(&format!("{name}-{at}"));
                Condition {
                    metric: typed("metric"),
                    is: typed("is"),
                    value: typed("value"),
                    length: typed("length"),
                    function: typed("function"),
                    together: typed("together"),
                    tags: typed("tags"),
                    without: typed("without"),
                }
            })
            .filter(|condition| !condition.metric.is_empty())
            .collect();
        if of == Of::Lines {
            conditions.clear();
        } else if conditions.is_empty() {
            conditions = Self::new(of).conditions;
        }
        let channels = form.names().filter_map(|name| name.strip_prefix("channel-")?.parse().ok());
        Self {
            of,
            name: typed("name"),
            systems: typed("systems"),
            query: typed("query"),
            period: typed("period"),
            minimum: typed("minimum"),
            asks: typed("asks"),
            at: typed("at"),
            zone: typed("zone"),
            conditions,
            any: form.get("any") == Some("1"),
            per_signal: form.get("per_signal").is_some(),
            rearm: typed("rearm"),
            channels: channels.collect(),
        }
    }

    /// The rule as the API takes it, under `log` or `metric`.
    ///
    /// # Errors
    /// When a number is none, or a tag.
    pub(super) fn rule(&self) -> Result<Map<String, Value>, String> {
        let rule = match self.of {
            Of::Lines => self.on_lines()?,
            Of::Metrics => self.on_metrics()?,
        };
        Ok(Map::from_iter([(self.of.word().to_owned(), rule)]))
    }

    fn on_lines(&self) -> Result<Value, String> {
        let mut rule = json!({ "name": self.name, "query": self.query, "systems": words(&self.systems) });
        put(&mut rule, "period", &self.period);
        match self.asks.as_str() {
            "silence" => rule["inactivity"] = json!(true),
            asks => {
                if !self.minimum.is_empty() {
                    let minimum: u64 =
                        self.minimum.parse().map_err(|_| "the least number of lines is a whole number")?;
                    rule["minimum"] = json!(minimum);
                }
                if asks == "counts" {
                    rule["counts"] = json!(true);
                }
            }
        }
        // They are of days alone, and stay in the form if another period is looked at.
        if self.period == "1 day" {
            put(&mut rule, "at", &self.at);
            put(&mut rule, "zone", &self.zone);
        }
        Ok(rule)
    }

    fn on_metrics(&self) -> Result<Value, String> {
        let mut when = Vec::new();
        for condition in &self.conditions {
            let mut one = json!({ "metric": condition.metric });
            if condition.is == "absent" {
                one["absent"] = json!(if condition.length.is_empty() { "10m" } else { &condition.length });
            } else {
                let number: Option<f64> =
                    condition.value.replace(',', ".").parse().ok().filter(|number: &f64| number.is_finite());
                let number =
                    number.ok_or_else(|| format!("the threshold of {} is a number, as 99.5", condition.metric))?;
                one[if condition.is == "below" { "below" } else { "above" }] = json!(number);
                put(&mut one, "for", &condition.length);
                match condition.function.as_str() {
                    FALLS => {
                        one["function"] = json!("derivative");
                        one["detect_reset"] = json!(false);
                    }
                    function => put(&mut one, "function", function),
                }
                put(&mut one, "together", &condition.together);
            }
            for (name, text) in [("tags", &condition.tags), ("without", &condition.without)] {
                let tags = tags_of(text)?;
                if !tags.is_empty() {
                    one[name] = Value::Object(tags);
                }
            }
            when.push(one);
        }
        let mut rule = json!({ "name": self.name, "systems": words(&self.systems), "any": self.any, "per_signal": self.per_signal });
        put(&mut rule, "rearm", &self.rearm);
        rule["when"] = Value::Array(when);
        Ok(rule)
    }
}

fn put(of: &mut Value, name: &str, text: &str) {
    if !text.is_empty() {
        of[name] = json!(text);
    }
}

/// Words between commas.
fn words(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect()
}

fn list(of: Option<&Value>) -> String {
    let words = of.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    words.collect::<Vec<_>>().join(", ")
}

/// `dyno=web.*|clock, code=R14`
fn tags(of: Option<&Value>) -> String {
    let tags = of.and_then(Value::as_object).into_iter().flatten().map(|(key, values)| {
        let values = values.as_array().into_iter().flatten().filter_map(Value::as_str);
        format!("{key}={}", values.collect::<Vec<_>>().join("|"))
    });
    tags.collect::<Vec<_>>().join(", ")
}

fn tags_of(text: &str) -> Result<Map<String, Value>, String> {
    let mut tags = Map::new();
    for word in words(text) {
        let (key, values) = word.split_once('=').ok_or_else(|| format!("{word} is no tag: write it as dyno=web.*"))?;
        let values: Vec<&str> = values.split('|').map(str::trim).collect();
        tags.insert(key.trim().to_owned(), json!(values));
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Form {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        Form::of(body.finish().as_bytes())
    }

    #[test]
    fn what_is_told_of_a_rule_comes_back_from_its_form_as_it_was() {
        for (told, sent) in [
            (
                json!({ "log": { "name": "a", "query": "x y", "period": "1 day", "minimum": 5, "systems": ["s-*", "t"],
                    "at": "05:30", "zone": "Europe/Vienna" }, "channels": [1, 2] }),
                None,
            ),
            (
                json!({ "log": { "name": "a", "query": "", "period": "1 hour", "inactivity": true, "systems": [] } }),
                None,
            ),
            (
                json!({ "log": { "name": "a", "query": "x", "counts": true, "minimum": 0, "systems": [] } }),
                Some("1 minute"),
            ),
            (
                json!({ "metric": { "name": "m", "any": true, "per_signal": true, "rearm": "1h", "systems": ["a"], "when": [
                    { "metric": "x.p95", "above": 0.5, "for": "5m", "together": "sum", "tags": { "dyno": ["web.*", "clock"], "code": ["R14"] } },
                    { "metric": "y", "absent": "10m", "without": { "dyno": ["run.*"] } },
                    { "metric": "z", "below": -1.0, "function": "derivative", "detect_reset": false },
                ] } }),
                None,
            ),
        ] {
            let draft = Draft::of_told(&told);
            let mut expected = told.clone();
            if let Some(period) = sent {
                expected["log"]["period"] = json!(period);
            }
            let rule = Value::Object(draft.rule().unwrap());
            let kind = draft.of.word();
            assert_eq!(rule[kind], expected[kind], "{told}");
        }
    }

    #[test]
    fn what_is_typed_is_read_and_what_is_wrong_is_said() {
        let draft = Draft::of_form(&form(&[
            ("of", "metric"),
            ("name", "Load"),
            ("conditions", "3"),
            ("metric-0", "load"),
            ("is-0", "above"),
            ("value-0", "1,5"),
            ("tags-0", "dyno = web.* | clock , code=R14"),
            ("metric-1", ""),
            ("metric-2", "gone"),
            ("is-2", "absent"),
            ("channel-7", "on"),
            ("channel-x", "on"),
        ]));
        let rule = Value::Object(draft.rule().unwrap());
        let when = &rule["metric"]["when"];
        assert_eq!(
            when[0],
            json!({ "metric": "load", "above": 1.5, "tags": { "dyno": ["web.*", "clock"], "code": ["R14"] } })
        );
        assert_eq!(when[1], json!({ "metric": "gone", "absent": "10m" }));
        assert_eq!((when.as_array().unwrap().len(), draft.channels.as_slice()), (2, &[7][..]));
        let wrong = |fields: &[(&str, &str)]| Draft::of_form(&form(fields)).rule().unwrap_err();
        assert!(wrong(&[("minimum", "many")]).contains("whole number"));
        let of = ("of", "metric");
        assert!(wrong(&[of, ("metric-0", "m"), ("value-0", "1e999")]).contains("threshold of m"));
        assert!(wrong(&[of, ("metric-0", "m"), ("value-0", "1"), ("tags-0", "web")]).contains("web is no tag"));
    }

    #[test]
    fn searches_and_charts_begin_a_rule() {
        let of = |query: &str| Draft::of_address(query).map(|draft| Value::Object(draft.rule().unwrap_or_default()));
        let lines = of("q=code%3DH12+%22a%22&system=shop").unwrap();
        assert_eq!((&lines["log"]["query"], &lines["log"]["systems"]), (&json!("code=H12 \"a\""), &json!(["shop"])));
        let chart = Draft::of_address("metric=m&summary=p95&tag[dyno]=web.1&tag[dyno]=web.2&not[code]=200").unwrap();
        let condition = &chart.conditions[0];
        assert_eq!((condition.function.as_str(), condition.tags.as_str()), ("p95", "dyno=web.1|web.2"));
        assert_eq!((condition.without.as_str(), chart.of), ("code=200", Of::Metrics));
        assert_eq!(
            (of(""), of("template=h12"), Draft::of_address("of=metric").map(|draft| draft.of)),
            (None, None, Some(Of::Metrics))
        );
    }
}
