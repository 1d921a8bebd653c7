//! `POST /api/v2/alerts/try`: when a rule would have fired on what is kept, how often, and with what.
//!
//! ```text
//! rule on lines   -> the lines that fit it, from the store -+
//! rule on metrics -> the kept minutes, row by row ----------+-> the past, minute by minute -> what it told
//! ```
//!
//! It takes its turn with the searches and has their time. What it did not come to is said: `until` is before `to` then.

use super::alerts::{may_watch, no_rule, ready, rule_of, says};
use super::ask::time;
use super::lines::look_at;
use super::problem::Problem;
use super::scans::{Span, told};
use super::series::problem;
use super::{Asked, Done, json};
use crate::dashboards::Gate;
use crate::events::Told;
use alert_rules::{Change, LogAlert, LogRule, MetricAlert, MetricRules, Reading, Verdict};
use heroku_metrics::model::{Percentile, Timestamp};
use log_query::Fields;
use log_store::{Event, EventId, Order, Page, Reached, Scope, View};
use logdrain_drain::alerts::file::{OfLines, OfMinutes, Rule, Rules};
use logdrain_drain::alerts::past::{Looks, Past};
use logdrain_drain::logs;
use logdrain_drain::minutes::{Minutes, MinutesError, Past as Seen, Wanted, fits};
use logdrain_terms::times::Side;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Seven days, in microseconds: the longest stretch.
const LONGEST: i64 = 7 * 86_400_000_000;
const HOUR: i64 = 3_600_000_000;
const MINUTE: i64 = 60_000_000;
/// Alerts that are told, the last ones; lines, points and systems of one.
const ALERTS: usize = 20;
const SHOWN: usize = 5;
/// Stretches of which nothing is known, that are told.
const UNKNOWN: usize = 20;
/// Lines that are held at a time.
const LINES: usize = 2_000;
const BYTES: usize = 2 << 20;
/// Rows of an hour: each waits in memory for its minute.
const ROWS: usize = 200_000;
/// The most bytes of a message that is told.
const MESSAGE: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    log: Option<OfLines>,
    metric: Option<OfMinutes>,
    template: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

pub(super) async fn show(asked: &Arc<Asked>, said: Said) -> Result<Done, Problem> {
    asked.sees_all()?;
    let Said { log, metric, template, from, to } = said;
    let rule = rule_of(log, metric, template)?.ok_or_else(no_rule)?;
    may_watch(asked, &rule)?;
    let rules = ready(&rule)?;
    let now = asked.now();
    let to = to.map_or(Ok(now), |to| time("to", &to, Side::Latest))?.min(now);
    let from = from.map_or(Ok(to - LONGEST), |from| time("from", &from, Side::Earliest))?;
    if from >= to {
        return Err(Problem::wrong("from is not before to"));
    }
    if to - from > LONGEST + HOUR {
        return Err(Problem::wrong("seven days are the most that a rule is tried on"));
    }
    let (site, account, settings) = (asked.api.site.clone(), asked.account(), asked.settings.clone());
    let scope = Scope::account(&account);
    let (name, says) = (rule.name().to_owned(), says(&rule));
    let told = match rule {
        Rule::Lines(of) => {
            let span = asked.seen(Span { from, to })?;
            // Of the systems that it asks for, and of no others.
            let scope = if of.systems.is_empty() { scope } else { scope.with_systems(&of.systems) };
            look_at(asked, scope, move |view, goes_on| {
                let heard = heard(&site.minutes, &account, span)?;
                Ok(of_lines(view, &rules, &heard, span, goes_on))
            })
            .await?
        }
        Rule::Minutes(of) => {
            // What the plan hides is not told by this way either.
            let most = Gate::of(&settings, &account).most.map(|seconds| now - seconds.saturating_mul(1_000_000));
            let from = most.map_or(from, |most| from.max(most).min(to));
            look_at(asked, scope, move |_, goes_on| {
                let system = |drain: &str| logs::system(&settings, drain).to_string();
                let about = About {
                    minutes: &site.minutes,
                    account: &account,
                    system: &system,
                    with_percentiles: asks_percentiles(&of),
                };
                of_minutes(&about, &rules, Span { from, to }, goes_on)
            })
            .await?
        }
    };
    let mut told = told.map_err(problem)?;
    told["name"] = json!(name);
    told["says"] = json!(says);
    Ok(Done::Json(json(&told)?))
}

/// What was told, as it is answered.
#[derive(Default)]
struct Answers {
    end: Option<Timestamp>,
    fired: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    logs: VecDeque<LogAlert>,
    metrics: VecDeque<MetricAlert>,
    unknown: Vec<Value>,
}

impl Answers {
    fn fires(&mut self, time: Timestamp) {
        self.fired += 1;
        self.first.get_or_insert(time);
        self.last = Some(time);
    }

    fn unknown<A>(&mut self, verdict: Verdict<A>) -> Option<A> {
        match verdict {
            Verdict::Alert(alert) => return Some(alert),
            // What comes behind the end is known to be unknown.
            Verdict::Unknown(unknown) if self.end.is_none() && self.unknown.len() < UNKNOWN => {
                self.unknown.push(json!({ "from": unknown.from().to_string(), "until": unknown.until().to_string() }));
            }
            _ => {}
        }
        None
    }
}

fn last_of<A>(all: &mut VecDeque<A>, one: A) {
    if all.len() >= ALERTS {
        all.pop_front();
    }
    all.push_back(one);
}

impl Looks for Answers {
    type Error = Infallible;

    // Rows were handed over when they were read.
    fn rows(&mut self, _: Timestamp, _: &mut MetricRules) -> Result<(), Infallible> {
        Ok(())
    }

    fn told(&mut self, lines: Vec<Verdict<LogAlert>>, minutes: Vec<Verdict<MetricAlert>>) -> Result<(), Infallible> {
        for verdict in lines {
            let Some(alert) = self.unknown(verdict) else { continue };
            if self.end.is_none_or(|end| alert.started_at() < end) {
                self.fires(alert.ended_at());
                last_of(&mut self.logs, alert);
            }
        }
        for verdict in minutes {
            let Some(alert) = self.unknown(verdict) else { continue };
            if !matches!(alert.change(), Change::Cleared(_)) {
                self.fires(alert.time());
            }
            last_of(&mut self.metrics, alert);
        }
        Ok(())
    }

    fn ends_at(&mut self, end: Timestamp) {
        self.end = Some(end);
    }
}

/// What goes without saying: nobody fails who only takes notes.
fn noted<T>(done: Result<T, Infallible>) -> T {
    let Ok(done) = done;
    done
}

/// The minutes in which anything was heard, in microseconds, rising.
fn heard(minutes: &Minutes, account: &str, span: Span) -> Result<Vec<i64>, MinutesError> {
    let mut all = Vec::new();
    let hours = (span.from.div_euclid(HOUR), span.to.div_euclid(HOUR) + 1);
    let wanted = Wanted { metric: &|_| false, with_percentiles: false, hours };
    minutes.rows(account, None, wanted, &mut |past| {
        if let Seen::Hour { hour, heard } = past {
            all.extend(minutes_of(hour, heard).filter(|at| (span.from..span.to).contains(at)));
        }
        ControlFlow::Continue(())
    })?;
    Ok(all)
}

fn minutes_of(hour: i64, heard: u64) -> impl Iterator<Item = i64> {
    (0..60).filter(move |minute| heard >> minute & 1 == 1).map(move |minute| hour * HOUR + minute * MINUTE)
}

fn of_lines(view: &View, rules: &Rules, heard: &[i64], span: Span, goes_on: &mut dyn FnMut() -> bool) -> Value {
    let mut answers = Answers::default();
    let mut past = Past::new(rules, std::time::Duration::from_secs(60));
    let Some((_, rule, _)) = rules.logs.first() else { return Value::Null };
    let mut heard = heard.iter().copied().peekable();
    let (mut lines, mut until, mut is_whole) = (0_u64, span.to, true);
    let mut page = span.page().with_order(Order::Oldest).with_limit(LINES).with_bytes(BYTES);
    loop {
        let found = view.search(rule.query(), &page, goes_on);
        for event in found.events() {
            let event = event.as_event();
            let time = event.id().unix_micros();
            while let Some(minute) = heard.next_if(|minute| *minute <= time) {
                noted(past.reach(minute, &mut answers));
            }
            noted(past.reach(time, &mut answers));
            past.event(event.id(), &fields(&event));
            lines += 1;
        }
        is_whole &= found.examined().damage().is_empty();
        match found.examined().reached() {
            Reached::Limit if !found.events().is_empty() => page = found.newer(&page),
            Reached::End => break,
            _ => {
                is_whole = false;
                until = found.examined().before().unix_micros().clamp(span.from, span.to);
                break;
            }
        }
    }
    for minute in heard.take_while(|minute| *minute < until) {
        noted(past.reach(minute, &mut answers));
    }
    let standing = noted(past.end(&mut answers)).standing;
    let alerts: Vec<Value> = answers.logs.iter().map(|alert| of_log(view, rule, alert, goes_on)).collect();
    let mut told = summary(&answers, span, until, is_whole, standing);
    told["lines"] = json!(lines);
    told["alerts"] = json!(alerts);
    told
}

fn fields<'a>(event: &Event<'a>) -> Fields<'a> {
    let mut fields = Fields::new(event.system(), event.program(), event.message());
    if let Some(severity) = event.severity() {
        fields = fields.with_severity(severity);
    }
    if let Some(facility) = event.facility() {
        fields = fields.with_facility(facility);
    }
    if let Some(address) = event.source_ip() {
        fields = fields.with_source_ip(address);
    }
    fields
}

/// An alert with the first of its lines.
fn of_log(view: &View, rule: &LogRule, alert: &LogAlert, goes_on: &mut dyn FnMut() -> bool) -> Value {
    let first = alert.ids().first().map(|id| Past::event_of(*id).get().saturating_sub(1));
    let found = first.map(|before| {
        let page = Page::new().with_after(EventId::new(before)).with_order(Order::Oldest).with_limit(SHOWN);
        view.search(rule.query(), &page, goes_on)
    });
    let end = alert.ended_at().unix_micros();
    let events = found.iter().flat_map(|found| found.events());
    let lines = events.map(|event| event.as_event()).filter(|event| event.id().unix_micros() < end);
    let lines: Vec<Value> = lines.take(alert.ids().len()).map(|event| line(&event)).collect();
    let counts: Vec<Value> = alert
        .counts()
        .take(SHOWN)
        .map(|(system, counts)| {
            let sum: u64 = counts.iter().map(|(_, count)| count).sum();
            json!({ "system": String::from_utf8_lossy(system), "lines": sum })
        })
        .collect();
    json!({
        "at": alert.ended_at().to_string(),
        "from": alert.started_at().to_string(),
        "change": "fired",
        "why": alert.to_string(),
        "count": alert.count(),
        "lines": lines,
        "counts": counts,
    })
}

/// A line as it is told of, cut where it is long.
pub(super) fn line(event: &Event<'_>) -> Value {
    let mut line = serde_json::to_value(Told(event)).unwrap_or_default();
    if let Some(message) = line.get("message").and_then(Value::as_str)
        && let Some((end, _)) = message.char_indices().find(|(at, _)| *at >= MESSAGE)
    {
        line["message"] = json!(format!("{}…", message.get(..end).unwrap_or_default()));
    }
    line
}

/// Whose rows a rule is tried on.
struct About<'a> {
    minutes: &'a Minutes,
    account: &'a str,
    /// What a drain is called.
    system: &'a dyn Fn(&str) -> String,
    with_percentiles: bool,
}

/// Whether a rule looks at percentiles, which take some time to work out.
fn asks_percentiles(rule: &OfMinutes) -> bool {
    let is_one =
        |word: &str| Percentile::ALL.iter().any(|which| word.ends_with(which.suffix().trim_start_matches('.')));
    rule.when.iter().any(|when| is_one(&when.metric) || when.function.as_deref().is_some_and(is_one))
}

fn of_minutes(
    about: &About<'_>,
    rules: &Rules,
    span: Span,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Value, MinutesError> {
    let Some((_, rule)) = rules.metrics.first() else { return Ok(Value::Null) };
    let About { minutes, account, system, with_percentiles } = *about;
    let (window, closed) = minutes.standing();
    let mut answers = Answers::default();
    let mut past = Past::new(rules, window);
    let asks = |name: &str| rule.conditions().iter().any(|condition| fits(condition.metric(), name));
    let hours = (span.from.div_euclid(HOUR), span.to.div_euclid(HOUR) + 1);
    let end = span.to.min(closed.unix_micros());
    let (mut until, mut is_whole) = (span.from, true);
    let (mut rows, mut of_hour) = (0_u64, 0);
    let mut systems: HashMap<String, String> = HashMap::new();
    let mut is_much = false;
    minutes.rows(account, None, Wanted { metric: &asks, with_percentiles, hours }, &mut |seen| match seen {
        Seen::Row { drain, point } => {
            of_hour += 1;
            is_much = of_hour > ROWS;
            if of_hour % 256 == 0 && !goes_on() || is_much {
                is_whole = false;
                return ControlFlow::Break(());
            }
            if !systems.contains_key(drain) {
                systems.insert(drain.to_owned(), system(drain));
            }
            let of = point.window();
            // Windows of another length are of before the settings changed.
            let is_meant = of.end().since(of.start()) == window && (span.from..end).contains(&of.start().unix_micros());
            if is_meant && let Some(system) = systems.get(drain) {
                rows += 1;
                past.metrics().point(system, point);
            }
            ControlFlow::Continue(())
        }
        Seen::Hour { hour, heard } => {
            of_hour = 0;
            for minute in minutes_of(hour, heard).filter(|minute| (span.from..end).contains(minute)) {
                noted(past.reach(minute, &mut answers));
            }
            until = ((hour + 1) * HOUR).min(span.to);
            is_whole = goes_on() || until >= span.to;
            if is_whole { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        }
    })?;
    if is_much {
        return Err(MinutesError::TooMuch("more rows in an hour than a rule is tried on: name their tags"));
    }
    let standing = noted(past.end(&mut answers)).standing;
    let alerts: Vec<Value> = answers.metrics.iter().map(of_metric).collect();
    let mut told = summary(&answers, span, until.max(span.from), is_whole, standing);
    told["rows"] = json!(rows);
    told["alerts"] = json!(alerts);
    Ok(told)
}

fn of_metric(alert: &MetricAlert) -> Value {
    let change = match alert.change() {
        Change::Fired => "fired",
        Change::Again => "again",
        _ => "cleared",
    };
    let signal = alert.signal().map(|(system, tags)| {
        let tags: serde_json::Map<String, Value> =
            tags.iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
        json!({ "system": system, "tags": tags })
    });
    json!({
        "at": alert.time().to_string(),
        "change": change,
        "why": alert.to_string(),
        "signal": signal,
        "readings": alert.readings().iter().take(SHOWN).map(reading).collect::<Vec<_>>(),
        "more_readings": alert.readings().len().saturating_sub(SHOWN) + alert.more(),
    })
}

fn reading(reading: &Reading) -> Value {
    let tags: serde_json::Map<String, Value> =
        reading.tags().iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
    json!({
        "metric": reading.metric(), "system": reading.drain(), "tags": tags, "value": reading.value(),
        "points": reading.points(), "violating": reading.violating(), "why": reading.to_string(),
    })
}

fn summary(answers: &Answers, span: Span, until: i64, is_whole: bool, standing: Vec<Vec<String>>) -> Value {
    let standing: Vec<String> = standing.into_iter().flatten().take(SHOWN).collect();
    json!({
        "from": told(span.from),
        "to": told(span.to),
        "until": told(until),
        "complete": is_whole,
        "fired": answers.fired,
        "first": answers.first.map(|time| time.to_string()),
        "last": answers.last.map(|time| time.to_string()),
        "unknown": answers.unknown,
        "standing": standing,
    })
}
