//! Which rows are drawn, and what of them.

use crate::args::chart::{ChartArgs, Tag};
use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use logdrain_charts::series::Function;
use logdrain_terms::failure::Failure;
use logdrain_terms::times::{self, Side};

/// The tags that a line is of, sorted.
pub(super) type Group = Vec<(String, String)>;

/// What is asked of rows.
pub(super) struct Wanted {
    /// The metric, without `.p95` and the like.
    pub(super) name: String,
    tags: Vec<Tag>,
    /// Sorted.
    pub(super) group_by: Vec<String>,
    /// Seconds since 1970, half-open.
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
    /// The length of a step, in seconds.
    pub(super) step: i64,
}

impl Wanted {
    /// What the command line asks, and the functions that it names.
    pub(super) fn new(args: &ChartArgs, zone: &TimeZone) -> Result<(Self, Vec<Function>), Failure> {
        let (name, of_name) = match args.metric.rsplit_once('.') {
            Some((name, suffix @ ("p50" | "p95" | "p99" | "p999"))) => (name, suffix.parse().ok()),
            _ => (args.metric.as_str(), None),
        };
        let named = args.function.iter().map(|name| {
            // How a counter grew is told by minutes that are kept one after the other, as is how far values stand apart.
            let is_of_rows = |function: &Function| !matches!(function, Function::Derivative | Function::Deviation);
            name.parse().ok().filter(is_of_rows).ok_or_else(|| {
                let known = "avg, count, last, max, min, sum, rate, p50, p95, p99, p999";
                Failure::Config(format!("--function {name}: is none of {known}"))
            })
        });
        let mut functions = named.collect::<Result<Vec<_>, _>>()?;
        match of_name {
            Some(function) if functions.is_empty() => functions.push(function),
            Some(_) => {
                return Err(Failure::Config(format!(
                    "--metric {}: has its function in its name; leave --function out",
                    args.metric
                )));
            }
            None => {}
        }
        let step = i64::try_from(args.step.as_secs()).unwrap_or(0);
        if step < 1 || args.step.subsec_nanos() > 0 || 86_400 % step != 0 {
            return Err(Failure::Config("--step: whole seconds that divide a day, as 60s, 5m, 15m or 1h".to_owned()));
        }
        let now = ZonedDateTime::now().with_time_zone(zone.clone());
        let time = |text: &Option<String>, option: &str, side| match text {
            None => Ok(None),
            Some(text) => times::parse(text, &now, side)
                .map(|instant| Some(instant.unix_micros.div_euclid(1_000_000)))
                .map_err(|error| Failure::Config(format!("{option}: {error}"))),
        };
        let from = time(&args.from, "--from", Side::Earliest)?;
        let to = time(&args.to, "--to", Side::Latest)?.map(|to| to.saturating_add(1));
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            return Err(Failure::Config("--from is not before --to".to_owned()));
        }
        let mut group_by = args.group_by.clone();
        group_by.sort();
        group_by.dedup();
        Ok((Self { name: name.to_owned(), tags: args.tags.clone(), group_by, from, to, step }, functions))
    }

    /// Whether a window that begins here is drawn.
    pub(super) fn has(&self, window: i64) -> bool {
        self.from.is_none_or(|from| self.step_of(window) >= self.step_of(from)) && self.to.is_none_or(|to| window < to)
    }

    /// Where the step begins that holds a time.
    pub(super) fn step_of(&self, time: i64) -> i64 {
        time.div_euclid(self.step) * self.step
    }

    /// The line that a stream is part of, if its tags are those asked for.
    pub(super) fn group<'a>(&self, tags: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Option<Group> {
        let value = |key: &str| tags.clone().find(|(other, _)| *other == key).map_or("", |(_, value)| value);
        for tag in &self.tags {
            // Of several that name one key any is enough, and none if they are negated.
            let mut alike = self.tags.iter().filter(|other| other.key == tag.key && other.is_negated == tag.is_negated);
            let is_any = alike.any(|other| is_like(&other.value, value(&tag.key)));
            if is_any == tag.is_negated {
                return None;
            }
        }
        Some(self.group_by.iter().map(|key| (key.clone(), value(key).to_owned())).collect())
    }
}

/// Whether a text is what a pattern says, in which `*` stands for any text.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(mut last) = parts.next() else { return rest.is_empty() };
    for next in parts {
        // As early as it comes: then there is the most room for what is behind it.
        let Some(at) = rest.find(last) else { return false };
        rest = &rest[at + last.len()..];
        last = next;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_tags() {
        for (pattern, text, expected) in [
            ("web.1", "web.1", true),
            ("web.1", "web.12", false),
            ("web.*", "web.12", true),
            ("*", "", true),
            ("*.1", "web.1", true),
            ("*.1", "web.12", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
            ("**", "x", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(is_like(pattern, text), expected, "{pattern} {text}");
        }
    }
}
