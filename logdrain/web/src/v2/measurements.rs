//! `GET /v1/measurements/NAME`, as Librato and AppOptics answered it: for clients that are there. What they send is
//! [`submit`]'s.
//!
//! Without `group_by` each stream is a line. `group_by` adds up the streams of a tag's value, or all of them (`*`), by
//! `group_by_function`; `summary_function` is what becomes of the values of a step. A name may end in `.p95` and the like:
//! those were metrics of their own there. `compose` puts several together; what stands in the path is what that is called.

mod given;
mod submit;

pub(super) use submit::take;

use super::compose;
use super::series::{self, look};
use super::{Api, Asked, KIND, ONE, PATIENCE, json};
use crate::access::{self, Denied};
use crate::pieces::{Held, in_pieces};
use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use logdrain_charts::dashboard::selector;
use logdrain_charts::series::{Asked as Question, Function, Grouping, Line, Selector, Series, Span};
use logdrain_drain::intake::connections::Peer;
use logdrain_drain::minutes::MinutesError;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const LINES: usize = 500;
const LONGEST_STEP: u32 = 604_800;
/// Selectors of one text.
const SELECTORS: usize = 50;
/// What stands beside the mean where all is asked for.
const ALL: [(&str, Function); 5] = [
    ("count", Function::Count),
    ("sum", Function::Sum),
    ("min", Function::Min),
    ("max", Function::Max),
    ("last", Function::Last),
];
/// Names with percentiles end like this.
const ENDS: [(&str, f64); 4] = [(".p50", 0.5), (".p95", 0.95), (".p99", 0.99), (".p999", 0.999)];

/// What is wrong, in the shape of that API.
#[derive(Debug)]
pub(super) struct Refusal(StatusCode, Value);

impl Refusal {
    fn request(status: StatusCode, why: &str) -> Self {
        Self(status, json!({ "errors": { "request": [why] } }))
    }

    fn parameter(name: &str, why: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, json!({ "errors": { "params": { name: [why] } } }))
    }

    fn system(why: &str) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, json!({ "errors": { "system": [why] } }))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.0, KIND, self.1.to_string()).into_response();
        if self.0 == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<Denied> for Refusal {
    fn from(why: Denied) -> Self {
        match why.status() {
            StatusCode::UNAUTHORIZED => Self::request(StatusCode::UNAUTHORIZED, "Authorization Required"),
            StatusCode::NOT_FOUND => Self::request(StatusCode::NOT_FOUND, "Not Found"),
            status => Self::request(status, why.why()),
        }
    }
}

impl From<super::Problem> for Refusal {
    fn from(problem: super::Problem) -> Self {
        Self::request(problem.status, &problem.message)
    }
}

pub(super) async fn answer(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let (head, _) = request.into_parts();
    match answered(api, &peer, name, &head).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

async fn answered(api: Arc<Api>, peer: &Peer, name: String, head: &Parts) -> Result<Response, Refusal> {
    let viewer = access::viewer(&api.site, peer, &head.headers, access::Way::ApiV1).await?;
    if !viewer.may_read() {
        return Err(Refusal::request(StatusCode::FORBIDDEN, "this token may not read"));
    }
    let busy = || Refusal::system("others are being answered: come again");
    let place = api.places.take(viewer.counts_as(), 1, PATIENCE).await.ok_or_else(busy)?;
    let memory = api.site.intake.lease(ONE).ok_or_else(busy)?;
    let query = head.uri.query().unwrap_or_default().to_owned();
    let (settings, base) = (api.site.intake.settings(), String::new());
    let asked = Arc::new(Asked { api, viewer, settings, query, base, id: 0 });
    let wanted = Wanted::of(&asked, &name)?;
    if let Some(composite) = asked.parameters().text("compose") {
        let composite =
            compose::parse(&composite).map_err(|wrong| Refusal::parameter("compose", &wrong.to_string()))?;
        let found = look(&asked, move |minutes, account, drains| {
            let mut ask = |question: &Question| -> Result<Series, MinutesError> {
                minutes.series(account, drains, question, wanted.span, Some(wanted.step), LINES)
            };
            composite.evaluate(&mut ask)
        });
        let text = json(&of(&name, &[(None, found.await?)]))?;
        return Ok((StatusCode::OK, KIND, in_pieces(Held::bytes(text, (memory, place)))).into_response());
    }
    let found = look(&asked, move |minutes, account, drains| {
        // What there is under the name itself goes first.
        let is_there = |name: &str| minutes.has(account, drains, name);
        let end = ENDS.iter().find(|(end, _)| wanted.question.name.ends_with(end));
        let mut wanted = wanted;
        match end {
            Some((end, quantile)) if !is_there(&wanted.question.name)? => {
                let len = wanted.question.name.len() - end.len();
                wanted.question.name.truncate(len);
                wanted.question.function = Function::Quantile(*quantile);
                // Of a percentile there is nothing to add up: it is that of all values.
                wanted.folded = None;
            }
            _ => {}
        }
        if !is_there(&wanted.question.name)? {
            return Ok(None);
        }
        let grouping = wanted.question.grouping.clone();
        if wanted.folded.is_some() {
            wanted.question.grouping = Grouping::Apart;
        }
        let mut told = Vec::new();
        let all: &[(&str, Function)] = if wanted.is_all { &ALL } else { &[] };
        let names = std::iter::once(None).chain(all.iter().map(Some));
        for more in names {
            if let Some((_, function)) = more {
                wanted.question.function = *function;
            }
            let mut series =
                minutes.series(account, drains, &wanted.question, wanted.span, Some(wanted.step), LINES)?;
            if let Some(function) = wanted.folded {
                fold(&mut series, &grouping, function);
            }
            told.push((more.map(|(name, _)| *name), series));
        }
        Ok(Some(told))
    });
    let told = found.await?.ok_or_else(|| Refusal::request(StatusCode::NOT_FOUND, "Not Found"))?;
    let text = json(&of(&name, &told))?;
    let status = StatusCode::OK;
    Ok((status, KIND, in_pieces(Held::bytes(text, (memory, place)))).into_response())
}

struct Wanted {
    question: Question,
    span: Span,
    step: u32,
    /// Each value with all that is known of it.
    is_all: bool,
    /// What becomes of the values of several streams, when that is not what becomes of several values.
    folded: Option<Function>,
}

impl Wanted {
    fn of(asked: &Asked, name: &str) -> Result<Self, Refusal> {
        let parameters = asked.parameters();
        let number = |name: &str| -> Result<Option<i64>, Refusal> {
            let Some(text) = parameters.text(name) else { return Ok(None) };
            let number = text.parse().ok().filter(|number| (0..=1_i64 << 40).contains(number));
            number.map(Some).ok_or_else(|| Refusal::parameter(name, "is not a number of seconds"))
        };
        let now = asked.now().div_euclid(1_000_000);
        let (start, end, duration) = (number("start_time")?, number("end_time")?, number("duration")?);
        let (start, end) = match (start, end, duration) {
            (None, end, Some(duration)) => (end.unwrap_or(now) - duration, end.unwrap_or(now)),
            (Some(start), None, Some(duration)) => (start, start + duration),
            (Some(start), end, _) => (start, end.unwrap_or(now)),
            (None, _, None) => return Err(Refusal::parameter("start_time", "is missing, and so is duration")),
        };
        if start >= end {
            return Err(Refusal::parameter("start_time", "is not before the end"));
        }
        let step = number("resolution")?.unwrap_or(60);
        let step = u32::try_from(step).ok().filter(|step| (1..=LONGEST_STEP).contains(step));
        let step = step.ok_or_else(|| Refusal::parameter("resolution", "is not a number from 1 to 604800"))?;
        let function = match parameters.text("summary_function").as_deref() {
            None | Some("mean" | "average") => Function::Avg,
            Some("sum") => Function::Sum,
            Some("min") => Function::Min,
            Some("max") => Function::Max,
            Some("count") => Function::Count,
            Some("last") => Function::Last,
            Some("derivative") => Function::Derivative,
            Some("stddev") => Function::Deviation,
            Some("all") => Function::Avg,
            Some(_) => {
                return Err(Refusal::parameter(
                    "summary_function",
                    "is none of sum, min, max, count, mean, last, derivative, stddev, all",
                ));
            }
        };
        let is_all = parameters.text("summary_function").as_deref() == Some("all");
        let mut selectors = series::selectors(&asked.query)?;
        if let Some(text) = parameters.text("tags_search") {
            let more = tags_search(&text)
                .ok_or_else(|| Refusal::parameter("tags_search", "is not tag=value AND tag!=value"))?;
            selectors.extend(more);
        }
        let group_by = parameters.text("group_by");
        let grouping = match group_by.as_deref() {
            None => Grouping::Apart,
            Some("*") => Grouping::Together,
            Some(tags) => Grouping::By(tags.split(',').map(|tag| tag.trim().to_owned()).collect()),
        };
        let folded = match parameters.text("group_by_function").as_deref() {
            None => None,
            Some("sum") => Some(Function::Sum),
            Some("min") => Some(Function::Min),
            Some("max") => Some(Function::Max),
            Some("mean") => Some(Function::Avg),
            Some(_) => return Err(Refusal::parameter("group_by_function", "is none of sum, min, max, mean")),
        };
        let is_natural = |folded: &Function| *folded == function && *folded != Function::Avg;
        Ok(Self {
            question: Question { name: name.to_owned(), selectors, grouping, function },
            span: Span { start, end },
            step,
            is_all,
            folded: folded.filter(|folded| group_by.is_some() && !is_natural(folded)),
        })
    }
}

/// Makes one line of those that have the same tags, value by value.
fn fold(series: &mut Series, grouping: &Grouping, function: Function) {
    let mut groups: BTreeMap<Vec<(String, String)>, Vec<Line>> = BTreeMap::new();
    for line in std::mem::take(&mut series.lines) {
        let is_of = |(key, _): &&(String, String)| matches!(grouping, Grouping::By(tags) if tags.contains(key));
        let tags = line.tags.iter().filter(is_of).cloned().collect();
        groups.entry(tags).or_default().push(line);
    }
    let at = |lines: &[Line], step: usize| {
        let values: Vec<f64> = lines.iter().filter_map(|line| line.values.get(step).copied().flatten()).collect();
        let sum = values.iter().sum::<f64>();
        match function {
            _ if values.is_empty() => None,
            Function::Max => values.iter().copied().reduce(f64::max),
            Function::Min => values.iter().copied().reduce(f64::min),
            Function::Avg => Some(sum / values.len() as f64),
            _ => Some(sum),
        }
    };
    let folded = |(tags, lines): (Vec<(String, String)>, Vec<Line>)| Line {
        tags,
        values: (0..series.steps).map(|step| at(&lines, step)).collect(),
    };
    series.lines = groups.into_iter().map(folded).collect();
}

/// Tags in one text: `market=de AND dyno=web.* AND method!=GET`; several values of a tag stand between bars.
fn tags_search(text: &str) -> Option<Vec<Selector>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut all = Vec::new();
    for terms in words.split(|word| word.eq_ignore_ascii_case("and")) {
        let selector = selector(&terms.join(" "))?;
        if selector.values.iter().any(String::is_empty) || all.len() >= SELECTORS {
            return None;
        }
        all.push(selector);
    }
    Some(all)
}

/// The first series is the values; others go beside them under their names.
fn of(name: &str, told: &[(Option<&str>, Series)]) -> Value {
    let Some((_, series)) = told.first() else { return Value::Null };
    let measurements = |line: &Line| -> Vec<Value> {
        let beside: Vec<_> = told
            .iter()
            .filter_map(|(name, series)| Some(((*name)?, series.lines.iter().find(|other| other.tags == line.tags)?)))
            .collect();
        let times = (0_usize..).map(|step| (step, series.start + step as i64 * i64::from(series.step)));
        let values = times.zip(&line.values).filter_map(|(time, value)| Some((time, (*value)?)));
        let measurement = |((step, time), value): ((usize, i64), f64)| {
            let mut all = Map::new();
            all.insert("time".to_owned(), time.into());
            all.insert("value".to_owned(), value.into());
            for (name, line) in &beside {
                if let Some(value) = line.values.get(step).copied().flatten() {
                    all.insert((*name).to_owned(), value.into());
                }
            }
            Value::from(all)
        };
        values.map(measurement).collect()
    };
    let lines: Vec<Value> = series
        .lines
        .iter()
        .map(|line| {
            let tags: Map<String, Value> =
                line.tags.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
            json!({ "tags": tags, "measurements": measurements(line) })
        })
        .collect();
    json!({ "name": name, "resolution": series.step, "series": lines, "links": [] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_searched_for_in_one_text() {
        let read = tags_search("market=de|fr AND  dyno=web.* and method!=GET").unwrap();
        let read: Vec<_> = read.iter().map(logdrain_charts::dashboard::selector_word).collect();
        assert_eq!(read, ["market=de|fr", "dyno=web.*", "method!=GET"]);
        assert_eq!(tags_search("who=a b").unwrap()[0].values, ["a b"]);
        for text in ["", "market", "market=", "=de", "a=b AND", "AND a=b"] {
            assert_eq!(tags_search(text), None, "{text}");
        }
        assert_eq!(tags_search(&["a=b"; 60].join(" AND ")), None);
    }
}
