//! What programs say in a body of `POST /v1/measurements`, and of `POST /v1/metrics` as it was before there were tags.
//!
//! ```text
//! {"tags": {"region": "us"}, "time": 1577836800, "measurements": [{"name": "cpu", "value": 4.5}, ...]}
//! {"source": "web.1", "measure_time": 1577836800, "gauges": [{"name": "cpu", "value": 4.5}], "counters": [...]}
//! gauges[0][name]=cpu&gauges[0][value]=4.5&source=web.1
//! ```
//!
//! Both shapes are read on both paths. The tags of a measurement stand instead of those of the body. A source is the tag
//! `source`. A counter is what it counted so far, and so a value as any other. All is taken, or nothing. No name has its case
//! changed: what was written is found under the same name.

mod form;
mod shape;

use logdrain_drain::measured::{Measured, Numbers};
use serde_json::{Map, Value, json};
use shape::{Item, Number, Tags, Whole};
use std::collections::BTreeMap;

/// The most measurements of a body.
const MOST: usize = 1_000;
const NAME: usize = 255;
const TAGS: usize = 50;
const TAG: usize = 64;
const TAG_VALUE: usize = 255;
/// No value is larger: `u64::MAX` fits, and a window keeps the exact sum of a thousand of them (sums end at 1.7e23). What is
/// nearer to 0 than [`LEAST`] is 0.
const GREATEST: f64 = 1e20;
const LEAST: f64 = 1e-130;
/// So many complaints are told of.
const TOLD: usize = 10;
/// How far ahead of this server's clock a measurement may be, in microseconds.
const AHEAD: i64 = 300 * 1_000_000;

/// A body that was understood.
#[derive(PartialEq, Debug)]
pub(super) struct Given {
    pub(super) all: Vec<Measured>,
    /// Each says when it was.
    pub(super) is_timed: bool,
}

/// Why nothing of it was taken.
#[derive(PartialEq, Debug)]
pub(super) enum Unfit {
    /// It is neither JSON nor a form, or what it says is of another shape.
    Shape(String),
    /// What is wrong, by parameter.
    Parameters(Value),
    /// Metrics of OpenTelemetry.
    Otlp,
}

/// When measurements may be from, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Since 1970.
    pub(super) now: i64,
    /// How far back minutes can be revised.
    pub(super) horizon: i64,
}

/// Reads a body of a type. What says that it is a form and begins as JSON is JSON: clients say what their library says.
pub(super) fn read(kind: &str, body: &[u8], times: Times) -> Result<Given, Unfit> {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    let is_form = kind.starts_with("application/x-www-form-urlencoded") && !matches!(text.first(), Some(b'{' | b'['));
    let wrong = |error: serde_json::Error| Unfit::Shape(format!("the body is not what it should be: {error}"));
    let whole = if is_form { form::read(text)? } else { serde_json::from_slice(text).map_err(wrong)? };
    if whole.otlp {
        return Err(Unfit::Otlp);
    }
    whole.checked(times)
}

impl Whole {
    fn checked(self, times: Times) -> Result<Given, Unfit> {
        let Self { measurements, gauges, counters, tags, time, source, .. } = self;
        let items = [("measurements", measurements), ("gauges", gauges), ("counters", counters)];
        let count: usize = items.iter().map(|(_, items)| items.len()).sum();
        let mut complaints = Complaints::default();
        if count == 0 {
            complaints.add("measurements", "are missing".to_owned());
        }
        if count > MOST {
            complaints.add("measurements", format!("are more than {MOST}: send them in several requests"));
            return Err(complaints.into());
        }
        let mut all = Vec::with_capacity(count);
        let mut is_timed = true;
        let whole = Item { time, source, tags, ..Item::default() };
        for (list, items) in items {
            for (index, item) in items.into_iter().enumerate() {
                let place = format!("{list}[{index}]");
                if let Some(measured) = item.checked(&whole, times, &place, &mut complaints) {
                    is_timed &= measured.time.is_some();
                    all.push(measured);
                }
            }
        }
        if complaints.count > 0 { Err(complaints.into()) } else { Ok(Given { all, is_timed }) }
    }
}

impl Item {
    /// The measurement, with what the whole body says where it says nothing itself.
    fn checked(self, whole: &Self, times: Times, place: &str, complaints: &mut Complaints) -> Option<Measured> {
        let before = complaints.count;
        let mut complain = |what: &str, why: String| complaints.add(what, format!("{why} ({place})"));
        let name = self.name.as_deref().unwrap_or_default();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".:-_".contains(&byte);
        if name.is_empty() {
            complain("name", "is missing".to_owned());
        } else if name.len() > NAME || !name.bytes().all(is_name) {
            complain("name", format!("has other characters than A-Z a-z 0-9 . : - _, or more than {NAME}"));
        }
        let numbers = self.numbers(&mut complain);
        let time = match self.time.or(whole.time) {
            None => None,
            Some(Number(Some(seconds))) if seconds.abs() < 1e12 => {
                let micros = (seconds * 1e6).round() as i64;
                if micros < times.now.saturating_sub(times.horizon) {
                    let seconds = times.horizon / 1_000_000;
                    complain("time", format!("is more than {seconds} s ago: its minute cannot be changed any more"));
                } else if micros > times.now.saturating_add(AHEAD) {
                    complain("time", "is in the future".to_owned());
                }
                Some(micros)
            }
            Some(_) => {
                complain("time", "is not a number of seconds".to_owned());
                None
            }
        };
        let mut tags = self.tags.or_else(|| whole.tags.clone()).unwrap_or_default();
        if let Some(source) = self.source.as_ref().or(whole.source.as_ref()).filter(|source| !source.is_empty())
            && !tags.all.contains_key("source")
        {
            tags.add("source", source);
        }
        tags.check(&mut complain);
        let numbers = numbers?;
        (complaints.count == before).then(|| Measured { name: name.to_owned(), time, tags: tags.all, numbers })
    }

    /// One value, or a summary. What is not known of one is the mean: nobody knows it better.
    fn numbers(&self, complain: &mut impl FnMut(&str, String)) -> Option<Numbers> {
        let mut is_fine = true;
        let mut number = |name: &str, given: Option<Number>| match given {
            None => None,
            Some(Number(Some(number))) if number.abs() <= GREATEST => {
                Some(if number.abs() < LEAST { 0.0 } else { number })
            }
            Some(_) => {
                is_fine = false;
                complain(name, "is not a number, or is above 1e20".to_owned());
                None
            }
        };
        let value = number("value", self.value);
        let [count, sum, min, max, last] =
            [("count", self.count), ("sum", self.sum), ("min", self.min), ("max", self.max), ("last", self.last)]
                .map(|(name, given)| number(name, given));
        if !is_fine {
            return None;
        }
        match (value, count, sum) {
            (Some(value), None, None) => Some(Numbers::One { value }),
            (None, Some(count), Some(sum)) => {
                // A double counts exactly as far as this.
                if !(1.0..=9_007_199_254_740_992.0).contains(&count) || count.fract() != 0.0 {
                    complain("count", "is not a whole number from 1 on".to_owned());
                    return None;
                }
                let mean = sum / count;
                let min = min.unwrap_or_else(|| max.map_or(mean, |max| mean.min(max)));
                let max = max.unwrap_or_else(|| mean.max(min));
                if max < min {
                    complain("min", "is above max".to_owned());
                    return None;
                }
                let last = last.unwrap_or_else(|| mean.clamp(min, max));
                if !(min..=max).contains(&last) {
                    complain("last", "is not between min and max".to_owned());
                    return None;
                }
                Some(Numbers::Summary { count: count as u64, sum, min, max, last })
            }
            (Some(_), ..) => {
                complain("value", "cannot be there together with count or sum".to_owned());
                None
            }
            (None, ..) => {
                complain("value", "is missing, and so is one of count and sum".to_owned());
                None
            }
        }
    }
}

impl Tags {
    fn check(&self, complain: &mut impl FnMut(&str, String)) {
        let is_word = |text: &str| text.chars().all(|one| one.is_alphanumeric() || "-.:_".contains(one));
        if self.count > TAGS {
            complain("tags", format!("are more than {TAGS}"));
        }
        if let Some(key) = &self.odd {
            complain("tags", format!("have {key:?}, whose value is no text"));
        }
        for (key, value) in &self.all {
            if key.is_empty() || key.chars().count() > TAG || !is_word(key) {
                let key: String = key.chars().take(TAG).collect();
                complain("tags", format!("have {key:?}: a name is of letters, digits and - . : _, {TAG} at most"));
            } else if value.is_empty() || value.chars().count() > TAG_VALUE || value.chars().any(char::is_control) {
                complain(
                    "tags",
                    format!("have {key:?} with a value that is empty, or of more than {TAG_VALUE} characters"),
                );
            }
        }
    }
}

/// What is wrong, in the shape that clients print.
#[derive(Default)]
struct Complaints {
    by: BTreeMap<String, Vec<String>>,
    count: usize,
}

impl Complaints {
    fn add(&mut self, what: &str, why: String) {
        self.count += 1;
        if self.count <= TOLD {
            self.by.entry(what.to_owned()).or_default().push(why);
        }
    }
}

impl From<Complaints> for Unfit {
    fn from(complaints: Complaints) -> Self {
        let by: Map<String, Value> = complaints.by.into_iter().map(|(what, why)| (what, json!(why))).collect();
        Self::Parameters(Value::Object(by))
    }
}

#[cfg(test)]
mod tests;
