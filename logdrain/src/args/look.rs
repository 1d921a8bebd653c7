//! What `search` and `tail` are told.

use crate::args::server::ServerArgs;
use crate::args::{DialectArg, InputKind, dialect};
use clap::error::ErrorKind;
use clap::{Args as ClapArgs, CommandFactory, ValueEnum};
use heroku_metrics::syslog::Dialect;
use jiff::tz::TimeZone;
use logdrain_terms::times;
use std::ffi::OsString;
use std::path::PathBuf;

/// What both are told.
#[derive(Debug, ClapArgs)]
pub(crate) struct LookArgs {
    /// What is looked for, joined by a blank. Words must all be there, in any order: in the message, the program or the
    /// system. OR, -without, "a phrase", ( ), program: sender: message: severity: facility: narrow it down; a shell wants the
    /// quotes quoted. Behind -- all is query, `-redis` too
    #[arg(value_name = "WORDS")]
    pub(crate) words: Vec<String>,
    /// Where to look: a drain body, `heroku logs` text, an archive, gzip of them, the folder of a store; - is standard input,
    /// which is read without --in unless a server is known. May be said several times
    #[arg(long = "in", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Lines of this system alone, case ignored; * stands for any letters. May be said several times
    #[arg(short, long = "system", value_name = "SYSTEM")]
    pub(crate) systems: Vec<String>,
    /// Lines of this group of systems alone, of a server
    #[arg(short, long, value_name = "GROUP")]
    pub(crate) group: Option<String>,
    /// What a saved search of this name finds, of a server; words besides narrow it down, and -g goes before its group
    #[arg(short = 'S', long = "search", value_name = "NAME")]
    pub(crate) saved: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Lines from this time on: 3 hours ago, 2h30m, yesterday at 5:30pm, 5 AM Friday, today, 2013-08-20 04:12:55, with a zone
    /// behind it or without, or seconds since 1970
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) min_time: Option<String>,
    /// The zone that times are read and printed in: Europe/Berlin, UTC, +02:00 [default: that of this machine]
    #[arg(long, value_name = "ZONE", value_parser = zone, allow_hyphen_values = true)]
    pub(crate) tz: Option<TimeZone>,
    /// Print each line as JSON; times are in UTC unless --tz is said
    #[arg(short, long)]
    pub(crate) json: bool,
    /// What tells lines apart by its colour, on a terminal; NO_COLOR is obeyed
    #[arg(long, value_enum, default_value_t = Colour::Program, value_name = "WHAT")]
    pub(crate) color: Colour,
    /// Colours when the output is no terminal, too
    #[arg(long)]
    pub(crate) force_color: bool,
    /// Print how the query is read, and look for nothing
    #[arg(long)]
    pub(crate) explain: bool,
    /// The system of lines that name none
    #[arg(long, value_name = "NAME")]
    pub(crate) app: Option<String>,
    /// The account, in the folder of a store that has several, or of a server where one may choose
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// What the files hold; see `logdrain parse --help`
    #[arg(long, value_enum, default_value_t = InputKind::Auto, value_name = "KIND", hide_possible_values = true)]
    pub(crate) input: InputKind,
    /// The year of the first line of a text whose times have none; see `logdrain parse --help`
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(u16).range(1970..=9999))]
    pub(crate) year: Option<u16>,
    /// Whether frames carry structured data; see `logdrain parse --help`
    #[arg(long, value_enum, default_value_t = DialectArg::Auto, value_name = "DIALECT", hide_possible_values = true)]
    pub(crate) dialect: DialectArg,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SearchArgs {
    #[command(flatten)]
    pub(crate) look: LookArgs,
    /// Lines up to this time, written as --min-time; a day means its end
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) max_time: Option<String>,
    /// Print this many lines behind each that is found, too
    #[arg(short = 'A', long, value_name = "LINES")]
    pub(crate) after: Option<usize>,
    /// And this many in front of it
    #[arg(short = 'B', long, value_name = "LINES")]
    pub(crate) before: Option<usize>,
    /// Both
    #[arg(short = 'C', long, value_name = "LINES")]
    pub(crate) context: Option<usize>,
    /// Print the last LINES alone of those that are found
    #[arg(short = 'n', long, value_name = "LINES")]
    pub(crate) lines: Option<usize>,
    /// Print how many lines are found
    #[arg(long, conflicts_with_all = ["after", "before", "context", "lines", "json", "patterns", "follow"])]
    pub(crate) count: bool,
    /// Print what fills the log: the most common lines, with placeholders for what differs, and the programs that write most
    /// (-n of each, 20 unless said)
    #[arg(long, conflicts_with_all = ["after", "before", "context", "follow"])]
    pub(crate) patterns: bool,
    /// Go on with what comes: of standard input, a pipe, or the last file. Ctrl-C ends it
    #[arg(short, long, conflicts_with = "max_time")]
    pub(crate) follow: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TailArgs {
    #[command(flatten)]
    pub(crate) look: LookArgs,
    /// How many of the lines that are there already are printed first
    #[arg(short = 'n', long, value_name = "LINES", default_value_t = 10)]
    pub(crate) lines: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Colour {
    Program,
    System,
    All,
    Off,
}

impl LookArgs {
    pub(crate) fn dialect(&self) -> Dialect {
        dialect(self.dialect)
    }
}

impl SearchArgs {
    /// Lines in front of and behind each that is found.
    pub(crate) fn around(&self) -> (usize, usize) {
        let both = self.context.unwrap_or(0);
        (self.before.unwrap_or(both), self.after.unwrap_or(both))
    }
}

impl From<TailArgs> for SearchArgs {
    fn from(args: TailArgs) -> Self {
        Self {
            look: args.look,
            max_time: None,
            after: None,
            before: None,
            context: None,
            lines: Some(args.lines),
            count: false,
            patterns: false,
            follow: true,
        }
    }
}

pub(crate) fn zone(name: &str) -> Result<TimeZone, String> {
    times::zone(name).map_err(|error| error.to_string())
}

/// Refuses `-sshd`: words to leave out look like options, and `-sshd` would be `-s shd`. An option of one letter stands apart
/// from what it is told, but for numbers (`-C3`) and for several that are told nothing (`-fj`).
///
/// # Errors
/// With what to write, for the first such word.
pub(crate) fn check<C: CommandFactory>(arguments: impl IntoIterator<Item = OsString>) -> Result<(), clap::Error> {
    let mut arguments = arguments.into_iter().skip(1);
    let Some(name) = arguments.next().and_then(|name| name.into_string().ok()) else { return Ok(()) };
    if !matches!(name.as_str(), "search" | "tail") {
        return Ok(());
    }
    let mut command = C::command();
    command.build();
    let Some(command) = command.find_subcommand_mut(&name) else { return Ok(()) };
    match glued(command, arguments) {
        Some(argument) => {
            let why = format!(
                "unexpected option `{argument}`\n\n  tip: a word to leave out is written behind --, as in: logdrain {name} --in \
                 FILE -- {argument}\n  tip: an option of one letter stands apart from what it is told, as in: -s SYSTEM"
            );
            Err(command.error(ErrorKind::UnknownArgument, why))
        }
        None => Ok(()),
    }
}

fn glued(command: &clap::Command, arguments: impl Iterator<Item = OsString>) -> Option<String> {
    let takes_value = |named: &dyn Fn(&clap::Arg) -> bool| {
        command.get_arguments().find(|arg| named(arg)).map(|arg| arg.get_action().takes_values())
    };
    let mut is_value = false;
    for argument in arguments {
        let Some(argument) = argument.to_str() else { continue };
        if std::mem::take(&mut is_value) {
            continue;
        }
        if argument == "--" {
            return None;
        }
        if let Some(long) = argument.strip_prefix("--") {
            is_value = takes_value(&|arg| arg.get_long() == Some(long)).unwrap_or(false);
            continue;
        }
        let Some(letters) = argument.strip_prefix('-').filter(|letters| !letters.is_empty()) else { continue };
        let of_letter = |letter: char| takes_value(&|arg| arg.get_short() == Some(letter));
        let (first, rest) = letters.split_at(letters.chars().next().map_or(0, char::len_utf8));
        let first = first.chars().next().and_then(of_letter);
        if rest.is_empty() {
            is_value = first.unwrap_or(false);
            continue;
        }
        let are_flags = || letters.chars().all(|letter| of_letter(letter) == Some(false) || letter == 'h');
        let is_number = first == Some(true) && rest.bytes().all(|byte| byte.is_ascii_digit());
        if !are_flags() && !is_number {
            return Some(argument.to_owned());
        }
    }
    None
}
