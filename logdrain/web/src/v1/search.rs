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
mod systems;
#[cfg(test)]
mod tests;
mod wanted;

use super::memory::{self, PIECE};
use super::viewer::Viewer;
use super::{Answer, Api, Ask, Wrong};
use crate::access::ALL_SYSTEMS;
use crate::site::Site;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use event::Writer;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::tz::TimeZone;
use log_query::Note;
use log_store::{Page, Query, Reader, Scope};
use logdrain_drain::directory::Directory;
use logdrain_drain::journal;
use logdrain_drain::logs::retention;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};
use systems::Systems;
use wanted::Wanted;

/// How long somebody waits for his turn, and how long a search may take.
const PATIENCE: Duration = Duration::from_secs(5);
const TIME: Duration = Duration::from_secs(5);
/// Between two looks whether there is memory.
const AGAIN: Duration = Duration::from_millis(50);

/// Most events are shorter than this: a piece that has less room left is full.
const LONGEST_OF_MOST: usize = 2 << 10;

/// Answers a page of events.
pub(super) async fn search(api: &Arc<Api>, ask: &Ask, viewer: &Viewer) -> Result<Answer, Answer> {
    let wanted = Wanted::of(ask, api.site.v1)?;
    let parsed = Query::parse(&wanted.query);
    let notes = notes(parsed.notes());
    let query = parsed.into_query();
    let not_kept =
        || Answer::later(StatusCode::SERVICE_UNAVAILABLE, 1, "log lines are not kept here, or not to be had yet");
    let reader = api.site.logs.reader(&viewer.account).ok_or_else(not_kept)?;
    let search = Arc::new(Search::new(&api.site, reader, query, wanted, ask, viewer)?);
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

/// One search, as it waits for its turn.
struct Search {
    reader: Reader,
    scope: Scope,
    query: Query,
    wanted: Wanted,
    /// A system was asked for by a name that is not known yet: it is there if it has lines.
    is_unknown: bool,
    zone: TimeZone,
    directory: Arc<Directory>,
    null_program: bool,
    is_gzip: bool,
}

impl Search {
    fn new(
        site: &Site,
        reader: Reader,
        query: Query,
        mut wanted: Wanted,
        ask: &Ask,
        viewer: &Viewer,
    ) -> Result<Self, Answer> {
        let settings = site.settings();
        let account = settings.account(&viewer.account);
        wanted.floor = retention::floor(account, journal::now().unix_micros()).get();
        let mut scope = viewer.scope();
        if let Some(group) = ask.text("group_id") {
            let id = group.trim().parse::<u32>().ok();
            if id != Some(ALL_SYSTEMS) {
                let group = id.filter(|id| viewer.sees_group(*id)).and_then(|id| account.groups.get(&id));
                scope = scope.with_systems(group.ok_or_else(|| Answer::not_found("Group not found"))?.patterns());
            }
        }
        let mut is_unknown = false;
        if let Some(system) = ask.text("system_id") {
            let number = system.trim().parse::<u32>().ok().and_then(|id| site.directory.system(&viewer.account, id));
            let known = number.or_else(|| site.directory.system_called(&viewer.account, system));
            is_unknown = known.is_none();
            let name = known.map_or_else(|| system.to_owned(), |system| system.name);
            if !viewer.sees_system(&settings, &name) {
                return Err(no_such_system());
            }
            scope = scope.with_systems([&name]);
        }
        let zone = viewer.member().and_then(|id| site.directory.member(id)).and_then(|member| member.zone.clone());
        Ok(Self {
            reader,
            scope,
            query,
            wanted,
            is_unknown,
            zone: zone.and_then(|zone| TimeZone::get(&zone).ok()).unwrap_or(TimeZone::UTC),
            directory: site.directory.clone(),
            null_program: site.v1.null_program,
            is_gzip: ask.takes_gzip(),
        })
    }

    fn run(&self, share: memory::Share, go_on: &mut dyn FnMut() -> bool) -> Answer {
        let view = self.reader.view(&self.scope);
        let account = self.scope.account_name();
        if self.is_unknown && view.search(&Query::default(), &Page::new().with_limit(1), go_on).events().is_empty() {
            return no_such_system();
        }
        let all = self.reader.accounts().unwrap_or_default();
        let oldest = all.iter().find(|report| report.name() == account).and_then(|report| report.oldest());
        let now = journal::now().unix_micros();
        let page = page::find(share.lines(), &view, &self.query, &self.wanted, oldest, now, go_on);
        if page.is_away {
            // Who follows would go on behind lines that can be read a moment later.
            share.keep_lines(page.events);
            return Answer::later(StatusCode::SERVICE_UNAVAILABLE, 5, "some of these lines cannot be read just now");
        }
        let systems = Systems::of(&self.directory, account, page.events.iter());
        let mut writer = Writer::new(&page, self.zone.clone(), &systems)
            .with_null_program(self.null_program)
            .with_fractions(self.wanted.has_fractions);
        let (mut text, mut pieces) = (share.piece(), Vec::new());
        let mut zip = self.is_gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
        let full = |text: &mut Vec<u8>| -> io::Result<()> {
            if text.len() + LONGEST_OF_MOST > PIECE {
                match &mut zip {
                    Some(zip) => {
                        zip.write_all(text)?;
                        text.clear();
                    }
                    None => pieces.push(std::mem::replace(text, share.piece())),
                }
            }
            Ok(())
        };
        let written = writer.write(&mut text, full).and_then(|()| match zip {
            Some(mut zip) => zip.write_all(&text).and_then(|()| zip.finish()),
            None => Ok(text),
        });
        share.keep_lines(page.events);
        match written {
            Ok(mut last) => {
                if self.is_gzip {
                    last.shrink_to_fit();
                }
                pieces.push(last);
                Answer::ready(share.body(pieces), self.is_gzip)
            }
            // Memory does not fail to be written to.
            Err(_) => Answer::busy(),
        }
    }
}

fn no_such_system() -> Answer {
    Answer::not_found("System not found")
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
