//! Lines of a server: asked for page by page, by number, so that none is skipped and none comes twice.

mod line;
mod pages;
mod wanted;

pub(crate) use wanted::{Saved, saved};

use crate::args::look::SearchArgs;
use crate::input::End;
use crate::interrupt;
use crate::search::around::Around;
use crate::search::filter::Filter;
use crate::search::task::Task;
use crate::server::Server;
use line::Line;
use logdrain_terms::failure::{Failure, say};
use pages::Pages;
use std::time::Duration;
use wanted::Wanted;

/// The most bytes of the last lines.
const LAST_BYTES: usize = 64 << 20;
/// How long a look at what came is apart from the next one.
const AGAIN: Duration = Duration::from_secs(1);
/// The most lines on one side of another: what the API gives, less the one that tells whether there are more.
const MOST_AROUND: usize = 499;

/// Searches the lines that the server shows to whoever asks.
///
/// # Errors
/// When it cannot be asked, or knows no such system, group or search.
pub(crate) fn read(
    server: &Server,
    args: &SearchArgs,
    (text, saved): (&str, Option<&Saved>),
    filter: &Filter,
    task: &mut Task,
) -> Result<End, Failure> {
    let (before, after) = args.around();
    if before.max(after) > MOST_AROUND {
        return Err(Failure::Config(format!("-A, -B and -C are {MOST_AROUND} lines at the most, of a server")));
    }
    let wanted = Wanted::of(server, args, text, saved, filter)?;
    let mut pages = Pages { server, wanted: &wanted, is_live: args.follow, has_answered: false };
    let mut look = Look { wanted: &wanted, around: Around::new((before, after)), is_damaged: false };
    let is_printed = matches!(task, Task::Print(_));
    let mut seen = match args.lines.filter(|_| is_printed) {
        Some(lines) => {
            let (found, seen, is_whole) = pages.last(lines, LAST_BYTES, |line| wanted.is_of(line.system()))?;
            look.say_damage(!is_whole);
            found.iter().try_for_each(|line| look.found(line, &mut pages, task))?;
            seen
        }
        None => look.forward(None, &mut pages, task)?,
    };
    look.around.end(task)?;
    while args.follow && !interrupt::is_asked() {
        task.settle()?;
        server.wait(AGAIN);
        seen = look.forward(seen, &mut pages, task)?;
        look.around.end(task)?;
    }
    Ok(match (interrupt::is_asked(), look.is_damaged) {
        (true, _) => End::Asked,
        (false, true) => End::BrokeOff,
        (false, false) => End::Complete,
    })
}

struct Look<'a> {
    wanted: &'a Wanted,
    around: Around<Line>,
    is_damaged: bool,
}

impl Look<'_> {
    fn forward(&mut self, after: Option<u64>, pages: &mut Pages<'_>, task: &mut Task) -> Result<Option<u64>, Failure> {
        // Lines around others are asked for by the same connection, when a page has been read.
        let mut neighbours = Pages { ..*pages };
        pages.forward(after, |page| {
            self.say_damage(page.partial_results);
            page.events.iter().try_for_each(|line| self.found(line, &mut neighbours, task))?;
            task.pause()
        })
    }

    fn found(&mut self, line: &Line, pages: &mut Pages<'_>, task: &mut Task) -> Result<(), Failure> {
        if !self.wanted.is_of(line.system()) || interrupt::is_asked() {
            return Ok(());
        }
        self.around.found(line, task, |id, before, after| pages.around(id, before, after))
    }

    fn say_damage(&mut self, is_damaged: bool) {
        if is_damaged && !self.is_damaged {
            say(format_args!("logdrain: some of the lines that are kept cannot be read there, and are missing"));
        }
        self.is_damaged |= is_damaged;
    }
}
