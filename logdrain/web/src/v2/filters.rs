//! Filters: what is dropped before it is kept. Metrics are counted before.

use super::ask::QUERY;
use super::lines::look;
use super::problem::Problem;
use super::scans::{self, Span};
use super::{Asked, Done, blocking, json};
use log_store::Event;
use logdrain_drain::logs::{ByFilter, filters};
use logdrain_drain::settings::account::Filter;
use logdrain_drain::settings::change::Change;
use logdrain_terms::pattern::{Pattern, join};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a filter without a name is called by: the beginning of its text.
const NAME: usize = 60;
/// What a preview looks at, in microseconds.
const HOUR: i64 = 3_600_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    text: Option<String>,
    kind: Option<Kind>,
    name: Option<String>,
    on: Option<bool>,
}

/// How the text of a filter is read.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    String,
    Regex,
}

impl Said {
    /// Laid over what was known.
    fn over(self, mut filter: Filter) -> Result<Filter, Problem> {
        if let Some(text) = self.text {
            filter.text = text;
        }
        if let Some(kind) = self.kind {
            filter.is_regex = kind == Kind::Regex;
        }
        if let Some(name) = self.name {
            name.trim().clone_into(&mut filter.name);
        }
        filter.is_on = self.on.unwrap_or(filter.is_on);
        if filter.name.is_empty() {
            filter.name = filter.text.chars().filter(|c| !c.is_control()).take(NAME).collect();
        }
        bounded(&filter)?;
        Ok(filter)
    }
}

/// Within its bounds, as far as can be said without the others.
fn bounded(filter: &Filter) -> Result<(), Problem> {
    if filter.text.len() > QUERY {
        return Err(Problem::wrong(format!("text has {} bytes, and {QUERY} is the most", filter.text.len())));
    }
    Ok(())
}

/// Whether it can be used beside the others of the account. Making an expression ready takes a moment.
async fn fits(asked: &Arc<Asked>, filter: &Filter) -> Result<(), Problem> {
    let (filter, id) = (filter.clone(), asked.id);
    blocking(asked, move |asked| {
        let mut others = asked.site().intake.settings().account(&asked.viewer.account).filters.clone();
        others.remove(&id);
        filters::check(&others, &filter).map_err(|why| Problem::wrong(format!("text: {why}")))
    })
    .await
}

fn shape(id: u32, filter: &Filter, dropped: &ByFilter) -> Value {
    json!({
        "id": id,
        "name": filter.name,
        "text": filter.text,
        "kind": if filter.is_regex { "regex" } else { "string" },
        "on": filter.is_on,
        "dropped_today": dropped.of(id),
    })
}

/// What filters dropped today.
fn dropped(asked: &Asked) -> ByFilter {
    asked.site().logs.usage(&asked.viewer.account, asked.now()).day.filtered
}

pub(super) fn list(asked: &Asked) -> Result<Done, Problem> {
    asked.sees_all()?;
    let dropped = dropped(asked);
    let filters = &asked.settings.account(&asked.viewer.account).filters;
    let filters: Vec<_> = filters.iter().map(|(id, filter)| shape(*id, filter, &dropped)).collect();
    Ok(Done::Json(json(&json!({ "filters": filters }))?))
}

fn found(asked: &Asked) -> Result<&Filter, Problem> {
    let filters = &asked.settings.account(&asked.viewer.account).filters;
    filters.get(&asked.id).ok_or_else(|| Problem::nothing("there is no such filter"))
}

pub(super) fn show(asked: &Asked) -> Result<Done, Problem> {
    asked.sees_all()?;
    Ok(Done::Json(json(&shape(asked.id, found(asked)?, &dropped(asked)))?))
}

pub(super) async fn add(asked: &Arc<Asked>, said: Said) -> Result<Done, Problem> {
    asked.changes()?;
    let new = Filter { name: String::new(), text: String::new(), is_regex: false, is_on: true };
    let filter = said.over(new)?;
    let _alone = asked.alone().await?;
    fits(asked, &filter).await?;
    let made = asked.change(Change::AddFilter { account: asked.account(), filter: filter.clone() }).await?;
    let id = made.id.unwrap_or(0);
    Ok(Done::Made(json(&shape(id, &filter, &ByFilter::default()))?, format!("/api/v2/filters/{id}")))
}

pub(super) async fn set(asked: &Arc<Asked>, said: Said) -> Result<Done, Problem> {
    asked.changes()?;
    let _alone = asked.alone().await?;
    let settings = asked.site().intake.settings();
    let known = settings.account(&asked.viewer.account).filters.get(&asked.id);
    let known = known.ok_or_else(|| Problem::nothing("there is no such filter"))?;
    let filter = said.over(known.clone())?;
    if filter != *known {
        fits(asked, &filter).await?;
        let change = Change::SetFilter { account: asked.account(), id: asked.id, filter: filter.clone() };
        asked.change(change).await?;
    }
    Ok(Done::Json(json(&shape(asked.id, &filter, &dropped(asked)))?))
}

pub(super) async fn remove(asked: &Asked) -> Result<Done, Problem> {
    asked.changes()?;
    asked.change(Change::RemoveFilter { account: asked.account(), id: asked.id }).await?;
    Ok(Done::Gone)
}

/// What it would have dropped of the lines of the last hour that are kept.
pub(super) async fn preview(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.sees_all()?;
    let parameters = asked.parameters();
    let kind = parameters.text("kind");
    let is_regex = match kind.as_deref() {
        None | Some("string") => false,
        Some("regex") => true,
        Some(_) => return Err(Problem::wrong("kind is string or regex")),
    };
    let text = parameters.query("text")?;
    let pattern =
        blocking(asked, move |_| Pattern::new(&text, is_regex).map_err(|why| Problem::wrong(format!("text: {why}"))))
            .await?;
    let now = asked.now();
    let span = asked.seen(Span { from: now - HOUR, to: now })?;
    let told = look(asked, move |view, goes_on| {
        let mut joined = Vec::new();
        let drops = |event: &Event<'_>| {
            join(event.program(), event.message(), &mut joined);
            pattern.is_in(&joined)
        };
        scans::preview(view, span, drops, goes_on)
    });
    Ok(Done::Json(json(&told.await?)?))
}
