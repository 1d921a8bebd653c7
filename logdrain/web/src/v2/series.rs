//! Values over time, and what there is to ask for, from the kept minutes.
//!
//! ```text
//! GET /api/v2/series?name=heroku.router.service&function=p95&tags[dyno]=web.*&by=dyno&from=...&to=...
//! GET /api/v2/metrics?q=router           names; with name=..., its tags and their values
//! ```

use super::ask::Parameters;
use super::problem::Problem;
use super::{Asked, Done, PATIENCE, TIME, json};
use axum::http::StatusCode;
use logdrain_charts::series::{Asked as Question, Function, Grouping, Selector, Series, Span};
use logdrain_drain::minutes::{MOST_STEPS, MOST_VALUES, Minutes, MinutesError};
use logdrain_terms::times::Side;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The most lines of an answer.
const LINES: usize = 500;
/// The most names or values of one tag.
const NAMES: usize = 1_000;
/// The most selectors, and values of one.
const SELECTORS: usize = 50;
/// A span that is not given is the last hour.
const USUAL: i64 = 3_600;
const LONGEST_STEP: usize = 604_800;

pub(super) async fn show(asked: &Arc<Asked>) -> Result<Done, Problem> {
    let parameters = asked.parameters();
    let question = question(&parameters)?;
    let to = parameters.time("to", Side::Latest)?.unwrap_or_else(|| asked.now());
    let from = parameters.time("from", Side::Earliest)?.unwrap_or(to - USUAL * 1_000_000);
    if from >= to {
        return Err(Problem::wrong("from is not before to"));
    }
    let span = Span { start: from.div_euclid(1_000_000), end: (to + 999_999).div_euclid(1_000_000) };
    let step = parameters.number("step", 0..=LONGEST_STEP, 0)?;
    let step = u32::try_from(step).ok().filter(|step| *step > 0);
    let most = parameters.number("lines", 1..=LINES, 100)?;
    let name = parameters.text("function").unwrap_or_else(|| "avg".to_owned());
    let told = look(asked, move |minutes, account, drains| {
        let series = minutes.series(account, drains, &question, span, step, most)?;
        Ok((question, series))
    });
    let (question, series) = told.await?;
    Ok(Done::Json(json(&of(&question, &name, &series))?))
}

pub(super) async fn metrics(asked: &Arc<Asked>) -> Result<Done, Problem> {
    let parameters = asked.parameters();
    let most = parameters.number("limit", 1..=NAMES, 100)?;
    let text = parameters.query("q")?;
    let told = match parameters.text("name") {
        Some(name) => {
            let tags = look(asked, move |minutes, account, drains| {
                let tags = minutes.tags(account, drains, &name, most)?;
                Ok((name, tags))
            });
            let (name, tags) = tags.await?;
            let tags: Vec<_> = tags
                .into_iter()
                .map(|tag| json!({ "tag": tag.key, "values": tag.values, "more_values": tag.more }))
                .collect();
            json!({ "name": name, "tags": tags })
        }
        None => {
            let names = look(asked, move |minutes, account, drains| minutes.names(account, drains, &text, most));
            let (names, more) = names.await?;
            json!({ "metrics": names, "more_metrics": more })
        }
    };
    Ok(Done::Json(json(&told)?))
}

/// Asks the minutes what whoever asks may see, in a turn of those who search.
pub(super) async fn look<T: Send + 'static>(
    asked: &Arc<Asked>,
    work: impl FnOnce(&Minutes, &str, Option<&[String]>) -> Result<T, MinutesError> + Send + 'static,
) -> Result<T, Problem> {
    if !asked.viewer.may_read() {
        return Err(Problem::forbidden("whoever asks may not read"));
    }
    let site = asked.api.site.clone();
    let viewer = asked.viewer.clone();
    let found = asked.site().searches.search_for(&asked.viewer.account, PATIENCE, TIME, move |_| {
        let drains = viewer.drains(&site)?;
        work(&site.minutes, &viewer.account, drains.as_deref())
    });
    found.await.map_err(|_| Problem::busy())?.map_err(problem)
}

pub(super) fn problem(error: MinutesError) -> Problem {
    match error {
        MinutesError::TooMuch(_) | MinutesError::TooLong => Problem::new(StatusCode::BAD_REQUEST, error.to_string()),
        MinutesError::Busy => Problem::busy(),
        MinutesError::Unread(_) => {
            tracing::error!(%error, "minutes were asked for");
            Problem::later("the kept minutes cannot be read now")
        }
    }
}

fn question(parameters: &Parameters<'_>) -> Result<Question, Problem> {
    let name = parameters.query("name")?;
    if name.is_empty() {
        return Err(Problem::wrong("name is missing: the metric"));
    }
    let function = match parameters.text("function") {
        None => Function::Avg,
        Some(text) => text.parse().map_err(|_| {
            Problem::wrong("function is one of avg, count, last, max, min, sum, rate, derivative, or a percentile: p50, p95, p99.9")
        })?,
    };
    let grouping = match parameters.text("by").as_deref() {
        None => Grouping::Together,
        Some("*") => Grouping::Apart,
        Some(tags) => Grouping::By(tags.split(',').map(|tag| tag.trim().to_owned()).collect()),
    };
    Ok(Question { name, selectors: selectors(parameters.0)?, grouping, function })
}

/// `tags[KEY]=VALUE`, more than once for any of several; with `!` in front for none of them.
pub(super) fn selectors(query: &str) -> Result<Vec<Selector>, Problem> {
    let mut found: Vec<Selector> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let key = name.strip_prefix("tags[").and_then(|rest| rest.strip_suffix("[]").unwrap_or(rest).strip_suffix(']'));
        let Some(key) = key else { continue };
        let (is_negated, value) = match value.strip_prefix('!') {
            Some(value) => (true, value),
            None => (false, &*value),
        };
        let same = found.iter_mut().find(|selector| selector.key == key && selector.is_negated == is_negated);
        match same {
            Some(selector) => selector.values.push(value.to_owned()),
            None => found.push(Selector { key: key.to_owned(), values: vec![value.to_owned()], is_negated }),
        }
    }
    let is_much = found.len() > SELECTORS || found.iter().any(|selector| selector.values.len() > SELECTORS);
    match is_much {
        true => Err(Problem::wrong(format!("there are more than {SELECTORS} tags, or values of one"))),
        false => Ok(found),
    }
}

fn of(question: &Question, function: &str, series: &Series) -> Value {
    let lines: Vec<_> = series
        .lines
        .iter()
        .map(|line| {
            let tags: Map<String, Value> =
                line.tags.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
            json!({ "tags": tags, "values": line.values })
        })
        .collect();
    json!({
        "name": question.name,
        "function": function,
        "unit": series.unit,
        "start": series.start,
        "step": series.step,
        "steps": series.steps,
        "closed_steps": series.closed,
        "lines": lines,
        "more_lines": series.more,
        "most_steps": MOST_STEPS,
        "most_values": MOST_VALUES,
    })
}
