//! `events/search`: a page of events, and how to go on from there.
//!
//! ```text
//! what is asked for -> whose lines -> the range of ids -> a search in its turn, for some seconds -> one page
//! ```
//!
//! A page from its newest end serves who looks back (`max_id` = the page's `min_id`), one from its oldest end who follows
//! (`min_id` = the page's `max_id`). Both name the range that was *examined*, so that a walk ends and skips nothing, also
//! when nothing was found in time. The answer is written on the thread of the search, in memory that is counted, which is
//! the same however long a walk is.

mod event;
mod page;
mod size;
#[cfg(test)]
mod tests;
mod wanted;

use super::viewer::Viewer;
use super::{Answer, Api, Ask, Wrong, memory};
use crate::serve::journal;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use event::Writer;
use flate2::Compression;
use flate2::write::GzEncoder;
use log_query::Note;
use log_store::{Query, Reader, Scope};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wanted::Wanted;

/// How long somebody waits for his turn, and how long a search may take.
const PATIENCE: Duration = Duration::from_secs(5);
const TIME: Duration = Duration::from_secs(5);
/// Between two looks whether there is memory.
const AGAIN: Duration = Duration::from_millis(50);

/// Answers a page of events.
pub(super) async fn search(api: &Arc<Api>, ask: &Ask, viewer: &Viewer) -> Result<Answer, Answer> {
    let wanted = Wanted::of(ask)?;
    let parsed = Query::parse(&wanted.query);
    let notes = notes(parsed.notes());
    let query = parsed.into_query();
    let not_kept =
        || Answer::later(StatusCode::SERVICE_UNAVAILABLE, 1, "log lines are not kept here, or not to be had yet");
    let search = Arc::new(Search {
        reader: api.site.logs.reader().ok_or_else(not_kept)?,
        scope: narrowed(ask, viewer.scope())?,
        query,
        wanted,
        is_gzip: ask.takes_gzip(),
    });
    let until = Instant::now() + PATIENCE;
    loop {
        let patience = until.saturating_duration_since(Instant::now());
        let (search, api, account) = (search.clone(), api.clone(), viewer.account.clone());
        let found = api.site.searches.search_for(&viewer.account, patience, TIME, {
            let api = api.clone();
            move |budget| {
                // Nobody waits for memory with a turn in his hand.
                let share = api.memory.take(&api.site.intake, &account, memory::SEARCH)?;
                Some(search.run(share, &mut || budget.goes_on()))
            }
        });
        match found.await {
            Ok(Some(answer)) if notes.is_empty() => return Ok(answer),
            Ok(Some(answer)) => return Ok(answer.with_header(NOTES, notes)),
            Ok(None) if Instant::now() + AGAIN < until => tokio::time::sleep(AGAIN).await,
            _ => return Err(Answer::busy()),
        }
    }
}

/// Of what may be seen, the system and the group that are asked for.
fn narrowed(ask: &Ask, scope: Scope) -> Result<Scope, Answer> {
    // The group of all systems is there without being made.
    if ask.text("group_id").is_some_and(|group| group != "1") {
        return Err(Answer::not_found("there is no such group"));
    }
    match ask.text("system_id") {
        Some(system) if system.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(Answer::not_found("there is no such system"))
        }
        Some(name) => Ok(scope.with_systems([name])),
        None => Ok(scope),
    }
}

/// One search, as it waits for its turn.
struct Search {
    reader: Reader,
    scope: Scope,
    query: Query,
    wanted: Wanted,
    is_gzip: bool,
}

impl Search {
    fn run(&self, share: memory::Share, go_on: &mut dyn FnMut() -> bool) -> Answer {
        let view = self.reader.view(&self.scope);
        let account = self.scope.account_name();
        let all = self.reader.accounts().unwrap_or_default();
        let oldest = all.iter().find(|report| report.name() == account).and_then(|report| report.oldest());
        let now = journal::now().unix_micros();
        let page = page::find(&view, &self.query, &self.wanted, oldest, now, go_on);
        let mut writer = Writer::new(&page, jiff::tz::TimeZone::UTC);
        let text = if self.is_gzip {
            let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
            writer.write(&mut zip).and_then(|()| zip.finish())
        } else {
            let mut text = Vec::new();
            writer.write(&mut text).map(|()| text)
        };
        drop(page);
        match text {
            Ok(mut text) => {
                text.shrink_to_fit();
                Answer::ready(share.body(text), self.is_gzip)
            }
            // Memory does not fail to be written to.
            Err(_) => Answer::busy(),
        }
    }
}

/// What is told about how a query was read.
const NOTES: HeaderName = HeaderName::from_static("x-query-notes");
/// The most bytes of it.
const NOTES_BYTES: usize = 1_000;

/// Notes on a query, as a header may hold them.
fn notes(notes: &[Note]) -> HeaderValue {
    let mut text = String::new();
    for note in notes {
        if !text.is_empty() {
            text.push_str("; ");
        }
        // What people typed may stand in it.
        for c in note.to_string().chars() {
            match c {
                ' '..='~' if c != '%' => text.push(c),
                c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| text.push_str(&format!("%{byte:02X}"))),
            }
        }
        if text.len() > NOTES_BYTES {
            text.truncate(NOTES_BYTES);
            text.push_str("...");
            break;
        }
    }
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
