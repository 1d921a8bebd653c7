//! Lines that go for good, from every file of the store. They are counted first, and only then removed.

use super::ask::{QUERY, time};
use super::lines::look_at;
use super::problem::Problem;
use super::{Asked, Done, json};
use log_store::{EventId, Page, Reached};
use logdrain_drain::settings::change::Change;
use logdrain_drain::settings::purge::Purge;
use logdrain_terms::times::Side;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    #[serde(default)]
    systems: Vec<String>,
    #[serde(default)]
    query: String,
    from: Option<String>,
    to: Option<String>,
    #[serde(default = "yes")]
    dry_run: bool,
}

const fn yes() -> bool {
    true
}

/// How wide the steps of a count are, in microseconds. Their sum is what counts.
const STEP: i64 = 3_600_000_000;

pub(super) async fn purge(asked: &Arc<Asked>, said: Said) -> Result<Done, Problem> {
    if !asked.viewer.may_purge() {
        return Err(Problem::forbidden("lines are purged by who has the right to purge"));
    }
    let Said { systems, query, from, to, dry_run } = said;
    if systems.is_empty() && query.is_empty() && from.is_none() && to.is_none() {
        return Err(Problem::wrong("say which lines: systems, query, from or to"));
    }
    if query.len() > QUERY {
        return Err(Problem::wrong(format!("query has {} bytes, and {QUERY} is the most", query.len())));
    }
    let from = from.map(|text| time("from", &text, Side::Earliest)).transpose()?;
    let to = to.map(|text| time("to", &text, Side::Latest)).transpose()?;
    let purge = Purge { systems, query, from, to, ..Purge::default() };
    // All that there is now.
    let ids = Purge { upto: EventId::MAX.get() - 1, ..purge.clone() }.ids();
    let page = Page::new().with_before(ids.end);
    let page = match ids.start.get().checked_sub(1) {
        Some(after) => page.with_after(EventId::new(after)),
        None => page,
    };
    let (scope, parsed) = (purge.scope(&asked.viewer.account), purge.parsed());
    let (lines, is_whole) = look_at(asked, scope, move |view, goes_on| {
        let counts = view.counts(&parsed, &page, STEP, goes_on);
        let is_whole = counts.examined().reached() == Reached::End && counts.examined().damage().is_empty();
        (counts.total(), is_whole)
    })
    .await?;
    let position = match dry_run {
        true => None,
        false => Some(asked.change(Change::Purge { account: asked.account(), purge, at: 0 }).await?.position),
    };
    let told = json!({
        "dry_run": dry_run,
        "lines": lines,
        "complete": is_whole,
        "position": position,
        "notes": [
            "Rows of minutes stay: they hold numbers and tags.",
            "What left this server, in a bucket of one's own or by a hook, is not reached.",
        ],
    });
    Ok(Done::Json(json(&told)?))
}
