//! Pages of lines, one after the other, by `/api/v1/events/search`.

use crate::interrupt;
use crate::search::around::Kept as _;
use crate::search::remote::line::Line;
use crate::search::remote::wanted::Wanted;
use crate::server::Server;
use logdrain_terms::client::ClientError;
use logdrain_terms::failure::{Failure, say};
use serde::Deserialize;
use std::time::Duration;

/// Lines of a page, which is what the API gives at most.
const PAGE: usize = 10_000;
/// How often a page is asked for that cannot be had for now, unless somebody waits for what comes.
const TRIES: u32 = 4;
/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(30);

/// A page and what was examined for it.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    pub(super) events: Vec<Line>,
    pub(super) min_id: String,
    pub(super) max_id: String,
    #[serde(default)]
    reached_beginning: bool,
    #[serde(default)]
    reached_end: bool,
    #[serde(default)]
    pub(super) partial_results: bool,
}

/// Where pages come from.
#[derive(Debug)]
pub(super) struct Pages<'a> {
    pub(super) server: &'a Server,
    pub(super) wanted: &'a Wanted,
    /// Whether somebody waits for what comes: then a server that is away is waited for, without end.
    pub(super) is_live: bool,
    /// Whether a server has answered yet.
    pub(super) has_answered: bool,
}

/// Which page.
#[derive(Clone, Copy, Debug)]
enum Which {
    /// The first ones behind a number.
    Behind(Option<u64>),
    /// The last ones in front of a number, of so many.
    InFrontOf(Option<u64>, usize),
}

impl Pages<'_> {
    /// The lines behind `after`, oldest first, up to where there are no more; gives the number that is behind all of them.
    ///
    /// # Errors
    /// When the server cannot be asked, and those of `take`.
    pub(super) fn forward(
        &mut self,
        mut after: Option<u64>,
        mut take: impl FnMut(Page) -> Result<(), Failure>,
    ) -> Result<Option<u64>, Failure> {
        loop {
            let Some(page) = self.page(Which::Behind(after))? else { return Ok(after) };
            let (end, is_over) = (self.number(&page.max_id)?, page.reached_end);
            if !is_over && after.is_some_and(|after| end <= after) {
                return Err(self.lost("a page that leads no further"));
            }
            // A range that is not there yet has an end in front of its beginning.
            after = Some(after.map_or(end, |after| after.max(end)));
            take(page)?;
            if is_over {
                return Ok(after);
            }
        }
    }

    /// The last lines that `is_meant`, up to so many, oldest first; and the number that is behind all that was looked at.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub(super) fn last(
        &mut self,
        lines: usize,
        most_bytes: usize,
        mut is_meant: impl FnMut(&Line) -> bool,
    ) -> Result<(Vec<Line>, Option<u64>, bool), Failure> {
        let (mut pages, mut before, mut end) = (Vec::new(), None, None);
        let (mut count, mut bytes, mut is_whole) = (0, 0, true);
        // One page at least: of no lines, too, there is an end.
        while end.is_none() || (count < lines && bytes < most_bytes) {
            let Some(page) = self.page(Which::InFrontOf(before, lines - count))? else { break };
            let start = self.number(&page.min_id)?;
            if end.is_none() {
                end = Some(self.number(&page.max_id)?);
            }
            if !page.reached_beginning && before.is_some_and(|before| start >= before) {
                return Err(self.lost("a page that leads no further"));
            }
            before = Some(start);
            is_whole &= !page.partial_results;
            let is_over = page.reached_beginning;
            let meant: Vec<_> = page.events.into_iter().filter(&mut is_meant).collect();
            count += meant.len();
            bytes += meant.iter().map(Line::size).sum::<usize>();
            pages.push(meant);
            if is_over {
                break;
            }
        }
        let mut lines_found: Vec<_> = pages.into_iter().rev().flatten().collect();
        lines_found.drain(..lines_found.len().saturating_sub(lines));
        Ok((lines_found, end, is_whole))
    }

    /// Asks for a page, again if need be; `None` when a signal came.
    fn page(&mut self, which: Which) -> Result<Option<Page>, Failure> {
        let mut tries = 0;
        loop {
            let error = match self.once(which) {
                Ok(page) => {
                    if tries > 0 && self.is_live {
                        say(format_args!("logdrain: {}: answers again", self.server.base()));
                    }
                    self.has_answered = true;
                    return Ok(Some(page));
                }
                Err(error) => error,
            };
            if error.is_interrupted() || interrupt::is_asked() {
                return Ok(None);
            }
            tries += 1;
            let goes_on = error.may_pass() && self.has_answered && (self.is_live || tries < TRIES);
            if !goes_on {
                return Err(self.server.failure(&error));
            }
            // Once is enough, however long it takes.
            if tries == 1 && self.is_live {
                say(format_args!("logdrain: {error}; trying again until it answers"));
            }
            self.server.wait(Duration::from_secs(1 << (tries - 1).min(5)).min(LONGEST));
        }
    }

    fn once(&self, which: Which) -> Result<Page, ClientError> {
        let wanted = self.wanted;
        let text = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
        let (tail, min_id, max_id, limit) = match which {
            Which::Behind(after) => ("false", after.max(wanted.after), wanted.before, PAGE),
            Which::InFrontOf(before, lines) => {
                // What is left out here afterwards must not make many small pages.
                let lines = if wanted.is_exact() { lines } else { PAGE };
                ("true", wanted.after, before.or(wanted.before), lines.clamp(1, PAGE))
            }
        };
        let mut parameters = wanted.parameters();
        let (min_id, max_id, limit) = (text(min_id), text(max_id), limit.to_string());
        parameters.extend([
            ("tail", tail),
            ("min_id", &min_id),
            ("max_id", &max_id),
            ("limit", &limit),
            ("fractions", "true"),
        ]);
        self.server.get("/api/v1/events/search.json", &parameters)
    }

    fn number(&self, text: &str) -> Result<u64, Failure> {
        text.parse().map_err(|_| self.lost("a page without the numbers of its ends"))
    }

    fn lost(&self, what: &str) -> Failure {
        Failure::Config(format!("{}: answers {what}; is it a logdrain, or a server with its API?", self.server.base()))
    }

    /// The lines in front of and behind one.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub(super) fn around(&mut self, id: u64, before: usize, after: usize) -> Result<(Vec<Line>, Vec<Line>), Failure> {
        #[derive(Deserialize)]
        struct Context {
            events: Vec<Line>,
        }
        let (number, before, after) = (id.to_string(), before.to_string(), after.to_string());
        let parameters = [("id", &*number), ("before", &before), ("after", &after)];
        let context: Context = match self.server.get("/api/v2/context", &parameters) {
            Ok(context) => context,
            // A line that has gone since it was found has nothing around it.
            Err(error) if error.status() == Some(hyper::StatusCode::NOT_FOUND) || error.is_interrupted() => {
                return Ok((Vec::new(), Vec::new()));
            }
            Err(error) => return Err(self.server.failure(&error)),
        };
        let (front, behind): (Vec<_>, Vec<_>) =
            context.events.into_iter().filter(|line| line.id() != id).partition(|line| line.id() < id);
        Ok((front, behind))
    }
}
