//! Questions that look through lines, each in its turn.

use super::ask::Parameters;
use super::problem::Problem;
use super::scans::{self, Around, Span};
use super::{Asked, Done, PATIENCE, SCAN, TIME, json};
use log_store::{EventId, Neighbours, Query, Scope, View};
use logdrain_drain::logs::retention::floor;
use logdrain_terms::times::Side;
use std::sync::Arc;

/// The most lines on each side of one.
const NEIGHBOURS: usize = 500;
/// The most patterns of an answer.
const PATTERNS: usize = 1_000;

/// Looks through the lines that whoever asks may see, on a thread of its own and within its time.
pub(super) async fn look<T: Send + 'static>(
    asked: &Arc<Asked>,
    work: impl FnOnce(&View, &mut dyn FnMut() -> bool) -> T + Send + 'static,
) -> Result<T, Problem> {
    look_at(asked, asked.viewer.scope(&asked.settings), work).await
}

/// The same through a scope.
pub(super) async fn look_at<T: Send + 'static>(
    asked: &Arc<Asked>,
    scope: Scope,
    work: impl FnOnce(&View, &mut dyn FnMut() -> bool) -> T + Send + 'static,
) -> Result<T, Problem> {
    let account = asked.viewer.counts_as();
    // As long as another's takes, and a little more.
    let one = asked.api.scans.take(account, 1, TIME + PATIENCE).await.ok_or_else(Problem::busy)?;
    let memory = asked.site().intake.lease(SCAN).ok_or_else(Problem::busy)?;
    let reader = asked.site().logs.reader(scope.account_name());
    let reader = reader.ok_or_else(|| Problem::later("log lines are not kept here, or not to be had yet"))?;
    let found = asked.site().searches.search_for(account, PATIENCE, TIME, move |budget| {
        let found = work(&reader.view(&scope), &mut || budget.goes_on());
        drop((memory, one));
        found
    });
    found.await.map_err(|_| Problem::busy())
}

impl Asked {
    /// Microseconds since 1970, just above what is there.
    pub(super) fn now(&self) -> i64 {
        logdrain_drain::journal::now().unix_micros() + 1_000_000
    }

    /// What the plan hides lies below it.
    fn floor(&self) -> EventId {
        floor(self.settings.account(&self.viewer.account), self.now())
    }

    /// The part of a span that the plan shows.
    pub(super) fn seen(&self, span: Span) -> Result<Span, Problem> {
        let floor = self.floor().unix_micros();
        let span = Span { from: span.from.max(floor).max(0), ..span };
        if span.to < 0 {
            return Err(Problem::wrong("there is nothing before 1970"));
        }
        Ok(Span { from: span.from.min(span.to), ..span })
    }

    fn span(&self, parameters: &Parameters<'_>) -> Result<Span, Problem> {
        let from = parameters.time("from", Side::Earliest)?.unwrap_or(0);
        let to = parameters.time("to", Side::Latest)?.unwrap_or_else(|| self.now());
        self.seen(Span { from, to })
    }
}

pub(super) async fn patterns(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.sees_all()?;
    let parameters = asked.parameters();
    let query = Query::parse(&parameters.query("q")?).into_query();
    let limit = parameters.number("limit", 1..=PATTERNS, 100)?;
    let span = asked.span(&parameters)?;
    let told = look(asked, move |view, goes_on| json(&scans::patterns(view, &query, span, limit, goes_on)));
    Ok(Done::Json(told.await??))
}

pub(super) async fn context(asked: &Arc<Asked>) -> Result<Done, Problem> {
    let parameters = asked.parameters();
    let id = parameters.id("id")?.ok_or_else(|| Problem::wrong("id is missing: the line that others stand around"))?;
    let of = match parameters.text("of").as_deref() {
        None | Some("all") => Neighbours::All,
        Some("system") => Neighbours::System,
        Some("program") => Neighbours::Program,
        Some(_) => return Err(Problem::wrong("of is all, system or program")),
    };
    let before = parameters.number("before", 0..=NEIGHBOURS, 20)?;
    let after = parameters.number("after", 0..=NEIGHBOURS, 20)?;
    let floor = asked.floor();
    if id < floor {
        return Err(scans::not_there());
    }
    let around = Around { id: EventId::new(id.get()), before, after, of, floor };
    Ok(Done::Json(look(asked, move |view, goes_on| scans::context(view, around, goes_on)).await??))
}
