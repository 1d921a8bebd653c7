//! `logdrain search` and `logdrain tail`: lines that fit, out of files.
//!
//! ```text
//! input -> event -> filter -> task: output (print; JSON), a count,
//! store (a View) -----------> task: patterns (what fills the log)
//! ```
//!
//! One pass in bounded memory, in the order of the file. What could not be read as a line is searched, too: its program is
//! `logdrain/unread`.

mod event;
mod filter;
mod output;
mod patterns;
mod print;
mod store;
mod task;

use crate::args::look::{Colour, SearchArgs};
use crate::failure::{Failure, Status};
use crate::input::{self, End, How, Items, RenderedLine};
use crate::interrupt;
use event::Names;
use filter::Filter;
use heroku_metrics::syslog::{Dialect, FrameParser, FramingError, RawFrame, Recovery};
use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use output::Output;
use patterns::Patterns;
use print::Printer;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use task::Task;

/// Of each kind, unless it is said.
const PATTERNS: usize = 20;

pub(crate) fn run(args: &SearchArgs) -> Result<Status, Failure> {
    let look = &args.look;
    let text = look.words.join(" ");
    let query = filter::query(&text)?;
    let zone = look.tz.clone().unwrap_or_else(TimeZone::system);
    let now = ZonedDateTime::now().with_time_zone(zone.clone());
    let range = filter::range(look.min_time.as_deref(), args.max_time.as_deref(), &now)?;
    if look.explain {
        explain(&query, range, &zone)?;
        return Ok(Status::Done);
    }
    let files = files(&look.files)?;
    if args.follow {
        // Without it Ctrl-C ends the program as ever, and what waits to be printed is lost.
        interrupt::listen().map_err(|error| Failure::Config(format!("signals cannot be caught: {error}")))?;
    }
    let task = if args.count {
        Task::Count(0)
    } else if args.patterns {
        Task::Patterns(Patterns::new(args.lines.unwrap_or(PATTERNS), look.json))
    } else {
        Task::Print(Output::new(printer(args, zone), args.around(), args.lines, args.follow))
    };
    let mut search = Search {
        filter: Filter::new(query, &look.systems, range),
        names: Names::new(look.app.as_deref()),
        parser: FrameParser::default(),
        dialect: look.dialect(),
        task,
    };
    let how = How {
        kind: look.input,
        dialect: look.dialect(),
        recovery: Recovery::Resync,
        live: args.follow,
        grows: false,
        // On a screen the lines themselves tell how far it is.
        bar: args.count || args.patterns || !std::io::stdout().is_terminal(),
    };
    let mut status = Status::Done;
    let last = files.len() - 1;
    for (index, path) in files.iter().enumerate() {
        let live = args.follow && index == last;
        let end = if path.is_dir() {
            store::read(path, args, live, &search.filter, &mut search.task)?
        } else {
            input::read_so(path, How { live, grows: live, ..how }, &mut search)?
        };
        match end {
            End::Complete => {}
            End::BrokeOff | End::Unread => status = Status::BadInput,
            End::Asked => break,
        }
    }
    let found = search.task.end()?;
    search.filter.say_unmet();
    Ok(if found == 0 && !interrupt::is_asked() { Status::BadInput } else { status })
}

/// What is searched: what was named, else standard input when something may come from there.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    if std::io::stdin().is_terminal() {
        return Err(Failure::Config(
            "nothing to search: name a file (--in FILE), or send it lines: heroku logs --num 1500 | logdrain search WORDS"
                .to_owned(),
        ));
    }
    Ok(vec![PathBuf::from("-")])
}

fn printer(args: &SearchArgs, zone: TimeZone) -> Printer {
    if args.look.json {
        return Printer::json(args.look.tz.clone());
    }
    let is_wanted = args.look.force_color
        || (std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()));
    Printer::text(zone, if is_wanted { args.look.color } else { Colour::Off })
}

fn explain(query: &log_query::Query, range: filter::TimeRange, zone: &TimeZone) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "{}", query.explain())?;
    for (what, bound) in [("from", range.earliest), ("up to", range.latest)] {
        if let Some(time) = bound.and_then(|bound| jiff::Timestamp::from_microsecond(bound).ok()) {
            let time = time.to_zoned_datetime(zone.clone());
            writeln!(out, "{what} {}", time.strftime("%Y-%m-%d %H:%M:%S%.f %Z"))?;
        }
    }
    Ok(())
}

struct Search {
    filter: Filter,
    names: Names,
    parser: FrameParser,
    dialect: Dialect,
    task: Task,
}

impl Items for Search {
    fn frame(&mut self, raw: RawFrame<'_>) -> Result<(), Failure> {
        let event = match self.parser.parse(raw, self.dialect) {
            Ok(frame) => self.names.event(&frame),
            Err(_) => self.names.unread(raw.bytes()),
        };
        let is_found = self.filter.matches(&event);
        self.task.take(&event, is_found)
    }

    fn lost_framing(&mut self, error: &FramingError) -> Result<(), Failure> {
        self.skipped(error, &[])
    }

    fn skipped(&mut self, _: &FramingError, bytes: &[u8]) -> Result<(), Failure> {
        let event = self.names.unread(bytes);
        let is_found = self.filter.matches(&event);
        self.task.take(&event, is_found)
    }

    fn line(&mut self, line: RenderedLine<'_>) -> Result<(), Failure> {
        let event = match &line.parsed {
            Ok(frame) => self.names.event(frame),
            Err(_) => self.names.unread(line.bytes),
        };
        let is_found = self.filter.matches(&event);
        self.task.take(&event, is_found)
    }

    fn separators(&mut self, _: u64) {}

    fn pause(&mut self) -> Result<(), Failure> {
        self.task.pause()
    }

    fn silence(&mut self) -> Result<(), Failure> {
        self.task.settle()
    }
}
