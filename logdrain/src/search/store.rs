//! Kept lines: the folder of a store, beside a running server too, of which what is in files is seen.

use crate::args::look::SearchArgs;
use crate::input::End;
use crate::interrupt;
use crate::search::around::{Around, Kept};
use crate::search::event::Event;
use crate::search::filter::Filter;
use crate::search::task::Task;
use log_store::{EventBuf, EventId, Examined, Neighbours, Options, Order, Page, Reached, Reader, Scope, View};
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::{Failure, say};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a server keeps lines, below its store's folder.
const LOGS: &str = "logs";
/// Lines asked for at a time.
const PAGE: usize = 1_000;
/// The most bytes of the last lines.
const LAST_BYTES: usize = 64 << 20;
/// A minute, in which lines are counted without reading them.
const MINUTE: i64 = 60_000_000;
/// How long a look at a store that grows is apart from the next one.
const AGAIN: Duration = Duration::from_millis(500);

/// Searches the lines of one account.
///
/// # Errors
/// When there is no store, or it cannot be told which account is meant.
pub(crate) fn read(
    folder: &Path,
    args: &SearchArgs,
    is_live: bool,
    filter: &Filter,
    task: &mut Task,
) -> Result<End, Failure> {
    let below = folder.join(LOGS);
    let root: PathBuf = if below.is_dir() { below } else { folder.to_owned() };
    let why = |error: log_store::StoreError| Failure::Config(error.to_string());
    let reader = Reader::open(&root, &Options::new()).map_err(why)?;
    let names: Vec<String> = reader.accounts().map_err(why)?.iter().map(|account| account.name().to_owned()).collect();
    let account = account(folder, args.look.account.as_deref(), &names)?;
    let mut scope = Scope::account(&account);
    if !filter.systems().is_empty() {
        scope = scope.with_systems(filter.systems());
    }
    let mut look = Look { reader, scope, account, around: args.around(), is_damaged: false };
    look.all(args, is_live, filter, task)?;
    Ok(match (interrupt::is_asked(), look.is_damaged) {
        (true, _) => End::Asked,
        (false, true) => End::BrokeOff,
        (false, false) => End::Complete,
    })
}

fn account(folder: &Path, asked: Option<&str>, names: &[String]) -> Result<String, Failure> {
    let shown = folder.display();
    let list = || names.iter().take(20).map(|name| Escaped(name).to_string()).collect::<Vec<_>>().join(", ");
    match (asked, names) {
        (_, []) => Err(Failure::Config(format!(
            "{shown}: is a folder without kept lines; name the files in it, or the folder of a store"
        ))),
        (Some(asked), _) if names.iter().any(|name| name == asked) => Ok(asked.to_owned()),
        (Some(asked), _) => {
            Err(Failure::Config(format!("{shown}: has no account `{}`; there are {}", Escaped(asked), list())))
        }
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Failure::Config(format!("{shown}: has several accounts; say which: --account {}", list()))),
    }
}

struct Look {
    reader: Reader,
    scope: Scope,
    account: String,
    around: (usize, usize),
    is_damaged: bool,
}

/// What was printed last, and where the lines around it are.
struct Printed {
    around: Around<EventBuf>,
    view: View,
}

impl Printed {
    fn found(&mut self, event: &EventBuf, task: &mut Task) -> Result<(), Failure> {
        let view = &self.view;
        self.around.found(event, task, |id, before, after| {
            let context = view.context(EventId::new(id), before, after, Neighbours::All, &mut go_on);
            Ok((context.before().events().to_vec(), context.after().events().to_vec()))
        })
    }
}

fn go_on() -> bool {
    !interrupt::is_asked()
}

impl Look {
    fn all(&mut self, args: &SearchArgs, is_live: bool, filter: &Filter, task: &mut Task) -> Result<(), Failure> {
        let query = filter.query();
        let page = page(filter);
        let view = self.reader.view(&self.scope);
        match task {
            Task::Count(count) => {
                let counts = view.counts(query, &page, MINUTE, &mut go_on);
                *count += counts.total();
                self.say_damage(counts.examined());
                return Ok(());
            }
            Task::Patterns(patterns) => {
                let examined = view.patterns(query, &page, patterns.counts(), &mut go_on);
                self.say_damage(&examined);
                return Ok(());
            }
            Task::Print(_) => {}
        }
        // All lines of the account stand around one, not only those of the systems that were asked for.
        let around = self.reader.view(&Scope::account(&self.account));
        let mut printed = Printed { around: Around::new(self.around), view: around };
        let mut after = if let Some(lines) = args.lines {
            let (events, seen) = self.last(&view, filter, page, lines);
            events.iter().try_for_each(|event| printed.found(event, task))?;
            Some(seen)
        } else {
            self.forward(&view, filter, page, None, &mut printed, task)?
        };
        printed.around.end(task)?;
        while is_live && go_on() {
            task.settle()?;
            std::thread::sleep(AGAIN);
            let view = self.reader.view(&self.scope);
            printed.view = self.reader.view(&Scope::account(&self.account));
            after = self.forward(&view, filter, page, after, &mut printed, task)?;
            printed.around.end(task)?;
        }
        Ok(())
    }

    /// From the oldest on, page by page; gives how far it came.
    fn forward(
        &mut self,
        view: &View,
        filter: &Filter,
        page: Page,
        mut after: Option<EventId>,
        printed: &mut Printed,
        task: &mut Task,
    ) -> Result<Option<EventId>, Failure> {
        loop {
            let mut page = page.with_order(Order::Oldest).with_limit(PAGE);
            if let Some(after) = after {
                page = page.with_after(after);
            }
            let found = view.search(filter.query(), &page, &mut go_on);
            self.say_damage(found.examined());
            let seen = EventId::new(found.examined().before().get().saturating_sub(1));
            if after.is_none_or(|after| after < seen) && seen > EventId::MIN {
                after = Some(seen);
            }
            found.events().iter().try_for_each(|event| printed.found(event, task))?;
            if found.examined().reached() != Reached::Limit {
                return Ok(after);
            }
        }
    }

    /// The last lines, from the newest on, and up to where was looked.
    fn last(&mut self, view: &View, filter: &Filter, page: Page, lines: usize) -> (Vec<EventBuf>, EventId) {
        let seen = EventId::new(view.before().get().saturating_sub(1));
        let mut page = page;
        let (mut pages, mut count, mut bytes) = (Vec::new(), 0, 0);
        while count < lines && bytes < LAST_BYTES {
            page = page.with_limit(PAGE.min(lines - count));
            let found = view.search(filter.query(), &page, &mut go_on);
            self.say_damage(found.examined());
            count += found.events().len();
            bytes += found.events().iter().map(|event| event.as_event().message().len() + 200).sum::<usize>();
            let is_over = found.examined().reached() != Reached::Limit;
            page = found.older(&page);
            pages.push(found.into_events());
            if is_over {
                break;
            }
        }
        (pages.into_iter().rev().flatten().collect(), seen)
    }

    fn say_damage(&mut self, examined: &Examined) {
        for damage in examined.damage() {
            say(format_args!("logdrain: {}; its lines are missing", Escaped(&damage.to_string())));
            self.is_damaged = true;
        }
    }
}

/// The range of time as one of ids, whose time has milliseconds.
fn page(filter: &Filter) -> Page {
    let range = filter.range();
    let mut page = Page::new();
    if let Some(first) = range.earliest.and_then(|time| EventId::at(time).get().checked_sub(1)) {
        page = page.with_after(EventId::new(first));
    }
    match range.latest {
        Some(time) => page.with_before(EventId::at(time.saturating_add(1_000))),
        None => page,
    }
}

impl Kept for EventBuf {
    fn id(&self) -> u64 {
        Self::id(self).get()
    }

    fn event(&self) -> Event<'_> {
        line(self)
    }
}

fn line(event: &EventBuf) -> Event<'_> {
    let event = event.as_event();
    Event {
        id: Some(event.id().get()),
        received: Some(event.id().unix_micros()),
        generated: Some(event.generated()),
        source_ip: event.source_ip(),
        system: event.system(),
        program: event.program(),
        severity: event.severity(),
        facility: event.facility(),
        message: event.message(),
    }
}
