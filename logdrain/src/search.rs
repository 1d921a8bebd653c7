//! `logdrain search` and `logdrain tail`: lines that fit, out of files, or of a server.
//!
//! ```text
//! input -> event -> filter -> task: output (print; JSON), a count,
//! store (a View) -----------> task: patterns (what fills the log)
//! remote (pages of a server) ---^
//! ```
//!
//! One pass in bounded memory, in the order of the file. What could not be read as a line is searched, too: its program is
//! `logdrain/unread`.

mod around;
pub(crate) mod event;
mod filter;
mod output;
mod patterns;
mod print;
mod remote;
mod store;
mod task;

use crate::args::look::{Colour, SearchArgs};
use crate::input::{self, End, How, Items, RenderedLine};
use crate::interrupt;
use crate::server::{self, Server};
use event::Names;
use filter::Filter;
pub(crate) use filter::range as time_range;
use heroku_metrics::syslog::{Dialect, FrameParser, FramingError, RawFrame, Recovery};
use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use log_archive::Row;
use log_query::Query;
use logdrain_terms::failure::{Failure, Status, say};
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
    let asked = source(args)?;
    let saved = match (&asked, &look.saved) {
        (Source::Server(server), Some(name)) => Some(remote::saved(server, name)?),
        _ => None,
    };
    let text = text(&look.words.join(" "), saved.as_ref());
    let query = filter::query(&text)?;
    let zone = look.tz.clone().unwrap_or_else(TimeZone::system);
    let now = ZonedDateTime::now().with_time_zone(zone.clone());
    let range = filter::range(look.min_time.as_deref(), args.max_time.as_deref(), &now)?;
    if look.explain {
        explain(&query, range, &zone)?;
        return Ok(Status::Done);
    }
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
        zone: look.tz.clone().unwrap_or_else(TimeZone::system),
        year: look.year,
        dialect: look.dialect(),
        recovery: Recovery::Resync,
        live: args.follow,
        grows: false,
        // On a screen the lines themselves tell how far it is.
        bar: args.count || args.patterns || !std::io::stdout().is_terminal(),
    };
    let mut status = Status::Done;
    let mut files = Vec::new();
    match asked {
        Source::Files(named) => files = named,
        Source::Server(server) => {
            let end = remote::read(&server, args, (&text, saved.as_ref()), &search.filter, &mut search.task)?;
            if end.is_bad() {
                status = Status::BadInput;
            }
        }
        Source::Nothing => return Err(nothing()),
    }
    let last = files.len().saturating_sub(1);
    for (index, path) in files.iter().enumerate() {
        let live = args.follow && index == last;
        let end = if path.is_dir() {
            store::read(path, args, live, &search.filter, &mut search.task)?
        } else {
            input::read_so(path, How { live, grows: live, ..how.clone() }, &mut search)?
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

/// What is searched.
enum Source {
    Files(Vec<PathBuf>),
    Server(Box<Server>),
    /// Nothing was named, and nothing comes.
    Nothing,
}

/// What was named, else the server that is known, else standard input when something may come from there.
fn source(args: &SearchArgs) -> Result<Source, Failure> {
    let look = &args.look;
    if !look.files.is_empty() {
        if look.server.names_one() || look.group.is_some() || look.saved.is_some() {
            return Err(Failure::Config(
                "--in is for files, and --server, --heroku-app, -g and -S are for a server; name one of both"
                    .to_owned(),
            ));
        }
        return Ok(Source::Files(look.files.clone()));
    }
    if let Some(server) = server::known(&look.server, look.account.as_deref())? {
        if !look.server.names_one() && is_piped() {
            let base = server.base();
            say(format_args!(
                "logdrain: {base} is asked, as LOGDRAIN_URL says; what comes by the pipe is read with --in -"
            ));
        }
        return Ok(Source::Server(Box::new(server)));
    }
    if look.group.is_some() || look.saved.is_some() {
        return server::needed(&look.server, None).map(|server| Source::Server(Box::new(server)));
    }
    Ok(if std::io::stdin().is_terminal() { Source::Nothing } else { Source::Files(vec![PathBuf::from("-")]) })
}

/// Whether somebody sends lines: then to ask a server instead may be a surprise.
#[cfg(unix)]
fn is_piped() -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    std::fs::metadata("/dev/stdin").is_ok_and(|meta| meta.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_piped() -> bool {
    false
}

fn nothing() -> Failure {
    Failure::Config(
        "nothing to search: name a file (--in FILE) or a server (--server URL), or send it lines: heroku logs --num 1500 | \
         logdrain search WORDS"
            .to_owned(),
    )
}

/// The words, narrowing down a saved search.
fn text(words: &str, saved: Option<&remote::Saved>) -> String {
    let Some(saved) = saved else { return words.to_owned() };
    // As a query is printed, nothing in it is open that could take in what stands behind it.
    let [saved, words] = [&saved.query, words].map(|text| Query::parse(text).into_query().to_string());
    match (saved.is_empty(), words.is_empty()) {
        (_, true) => saved,
        (true, false) => words,
        (false, false) => format!("({saved}) ({words})"),
    }
}

fn printer(args: &SearchArgs, zone: TimeZone) -> Printer {
    if args.look.json {
        return Printer::json(args.look.tz.clone());
    }
    let is_wanted = args.look.force_color
        || (std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()));
    Printer::text(zone, if is_wanted { args.look.color } else { Colour::Off })
}

fn explain(query: &Query, range: filter::TimeRange, zone: &TimeZone) -> Result<(), Failure> {
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

    fn row(&mut self, row: &Row<'_>, _: RenderedLine<'_>) -> Result<(), Failure> {
        let event = self.names.row(row);
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
