//! The command line.

pub(crate) mod account;
pub(crate) mod alerts;
pub(crate) mod archive;
pub(crate) mod audit;
pub(crate) mod chart;
pub(crate) mod compare;
pub(crate) mod import;
pub(crate) mod look;
pub(crate) mod server;

use crate::args::account::AccountArgs;
use crate::args::alerts::AlertsArgs;
use crate::args::archive::{ArchiveArgs, OpenArgs};
use crate::args::audit::AuditArgs;
use crate::args::chart::ChartArgs;
use crate::args::compare::CompareArgs;
use crate::args::import::ImportArgs;
use crate::args::look::{SearchArgs, TailArgs};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use heroku_metrics::syslog::{Dialect, Recovery};
use heroku_metrics::{ExtractorConfig, NativeSet};
use jiff::tz::TimeZone;
use logdrain_terms::reading::{Reading, ReadingArgs};
use logdrain_terms::units::{bytes, duration};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Turns Heroku log drains into per-minute metric streams.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None, max_term_width = 100, arg_required_else_help = true, after_help = "\
Examples:
  logdrain replay testdata/demo.logplex
  heroku logs --num 1500 | logdrain replay -
  logdrain serve --out minutes.jsonl

Each command says more: logdrain replay --help.

Exit status: 0 done; 1 the input was bad (under --strict, a file that breaks off, or of which nothing could be read); 2 the command could not be carried out.")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print every frame as one JSON line: header, class, fields, observations, refusals
    #[command(after_help = "\
Examples:
  logdrain parse testdata/demo.logplex
  heroku logs --num 1500 | logdrain parse -
  logdrain parse --pairs body.gz | jq 'select(.class == \"router\") | .router.service_ms'
  pbpaste | logdrain parse --input copied -

--input auto tells drain bodies, what `heroku logs` prints, copies of it, syslog lines, exports, archives (.tsv, .tsv.gz) \
and Papertrail's text apart by their first lines. A text of which nothing can be read ends with status 1, and is named.")]
    Parse(ParseArgs),
    /// Turn recorded logs into minute streams: a table on a terminal, JSON lines otherwise
    #[command(after_help = "\
Examples:
  logdrain replay testdata/demo.logplex
  heroku logs --num 1500 | logdrain replay -
  heroku logs --tail | logdrain replay --follow -
  logdrain replay --format jsonl monday.gz tuesday.gz | jq 'select(.name == \"database.query\")'
  logdrain replay --flat --app shop --extended body.logplex
  logdrain replay 2026-11-28-*.tsv.gz

The whole input is read before a window is closed, in any order of time; --lateness closes windows as the input's own \
time passes. At the end the books go to standard error: what came in, what came out, what was refused and why. Ctrl-C is \
how a --follow of `heroku logs --tail` ends: rows of minutes still open say \"partial\":true (a table says it at the \
minute), and the exit status is 0.

--input auto tells drain bodies, what `heroku logs` prints, copies of it, syslog lines, exports, archives (.tsv, .tsv.gz) \
and Papertrail's text apart by their first lines. A text of which nothing can be read ends with status 1, and is named.")]
    Replay(ReplayArgs),
    /// Tell what is eating the quota: metrics and streams by what they cost, and what found no place
    #[command(after_help = "\
Examples:
  logdrain top --plan gold testdata/demo.logplex
  heroku logs --num 1500 | logdrain top -
  logdrain top --format jsonl monday.gz | jq 'select(.state == \"folded\")'

A stream keeps its place, first come, first served. What finds none is added up in its metric's overflow stream, marked \
overflow=true, so that totals stay right; its cost is what it would have taken.")]
    Top(TopArgs),
    /// Find lines in recorded logs or of a server, by words and phrases, system, program and time
    #[command(after_help = "\
Examples:
  logdrain search --in testdata/demo.logplex status=503
  logdrain search --in testdata/demo.logplex -C 2 'severity:error OR \"Error R14\"'
  heroku logs --num 1500 | logdrain search program:heroku/router -- -status=200
  heroku logs --tail | logdrain search -f 'code=H12 OR code=H13'
  logdrain search --in monday.gz --in tuesday.gz --min-time '2026-03-14 09:26' --tz UTC --count
  logdrain search --in testdata/demo.logplex --patterns
  logdrain search -j --in body.gz 'orders (\"Request timeout\" OR status=500)' | jq .message
  logdrain search --explain 'a b OR -c'
  logdrain search --server https://logs.example.com --min-time '2 hours ago' severity:error
  logdrain search --heroku-app shop -g web -f status=503

Without --in the server is asked, if one is known: --server, --heroku-app, LOGDRAIN_URL. An authority of your own is trusted \
by SSL_CERT_FILE.
Lines are printed in the order of the file, as: Mar 14 09:26:53 system program: message. What a terminal would obey is \
escaped, and colour codes of the line are left out; -j has every byte. AND binds tighter than OR, which is written in \
capitals; case is ignored.

Exit status: 0 something was found; 1 nothing was, or a file breaks off or cannot be read; 2 the command could not be \
carried out. Ctrl-C at -f ends with 0.")]
    Search(SearchArgs),
    /// Print the last lines of recorded logs or of a server that fit, and go on with what comes
    #[command(after_help = "\
Examples:
  heroku logs --tail | logdrain tail -- -heroku/router
  logdrain tail --in body.logplex -n 3 status=503
  logdrain tail --heroku-app shop severity:error

It is search -f -n 10. A file is followed as it grows, and when another is put in its place; of several, the last one. Of a \
server no line is skipped and none comes twice, also when it is away for a while.
Exit status: as of search; Ctrl-C ends it with 0.")]
    Tail(TailArgs),
    /// Print the address of a server's page, and open it in a browser
    #[command(after_help = "\
Examples:
  logdrain open --server https://logs.example.com
  logdrain open --heroku-app shop status=503

Exit status: 0 done; 2 no server is known.")]
    Open(OpenArgs),
    /// List a server's archives, and download them
    #[command(after_help = "\
Examples:
  logdrain archive list
  logdrain archive get --date yesterday -o archives
  logdrain archive get --min-time '8 hours ago' && logdrain replay 20*.tsv.gz

What broke off is gone on with when it is asked for again; what is there already is not downloaded again.
Exit status: 0 done; 1 some of it is not there; 2 it could not be done.")]
    Archive(ArchiveArgs),
    /// Make minutes again from archives, and compare them with the rows that `serve` wrote
    #[command(after_help = "\
Examples:
  logdrain audit archives/default/dt=2026-11-28/*.tsv.gz minutes.jsonl
  logdrain audit 2026-11-28-2*.tsv.gz minutes.jsonl --drain shop

Hours that follow each other are a run. Of each, the windows are compared that begin ten minutes behind its beginning and \
end ten minutes before its end: count, sum, min, max and percentiles of the last revision of each row. An hour that lacks \
lines, as the books beside it say, is told and not compared.
Exit status: 0 no difference; 1 there is one, an archive cannot be read, or nothing was compared; 2 it could not be done.")]
    Audit(AuditArgs),
    /// Draw a metric of recorded logs, or of rows that `replay` or `serve` wrote, as SVG or as CSV
    #[command(after_help = "\
Examples:
  logdrain chart body.logplex -m heroku.router.http.requests -g status_category -o requests.csv
  logdrain chart body.logplex -m heroku.router.service.response_time -f p50,p95,p99 -o times.svg
  logdrain replay body.logplex | logdrain chart - -m heroku.dyno.mem.total -g source > memory.svg
  logdrain chart body.logplex -m heroku.errors.http -g code --kind bars --step 5m -o errors.svg

Percentiles of logs are those of all values, over any streams and steps. Rows have the percentiles of their own stream and \
minute, and no values: of several they cannot be told, and are refused; counts, sums, averages, least and greatest values are \
exact. --tz is also the clock of the axis. Releases, restarts and crashes that logs tell of are marked.
Exit status: 0 done; 1 the input was bad; 2 it could not be drawn.")]
    Chart(ChartArgs),
    /// Try alert rules on recorded logs: when each would have fired, how often, and with which lines or points
    #[command(after_help = "\
Examples:
  logdrain alerts templates
  logdrain alerts templates h12 memory | tee rules.toml
  logdrain alerts check rules.toml testdata/demo.logplex
  logdrain alerts check --json rules.toml testdata/demo.logplex

Archives and what `heroku logs` prints are read, too. The logs' own time is the clock, so a day takes seconds; name files in \
the order of their time. Rules on lines see what search finds, rules on metrics the minutes of replay. More than an hour \
without a line was not recorded: no rule calls it silent. At the end of the logs, open windows end with what they have. \
docs/alerts.md has what may be in a file of rules.
Exit status: 0 a rule fired; 1 none did, or a file breaks off or cannot be read; 2 the command could not be carried out.")]
    Alerts(AlertsArgs),
    /// Make again what was at Librato, AppOptics and Papertrail: dashboards, alerts, groups, saved searches
    #[command(after_help = "\
Examples:
  logdrain import --dry-run alerts.json spaces.json charts.json
  logdrain import --out imported alerts.json && logdrain alerts check imported/rules.toml monday.tsv.gz
  logdrain import --server https://logs.example.com --dry-run *.json
  logdrain import --server https://logs.example.com *.json

Exports are answers of the APIs, saved. What each object becomes is told line by line, and what could not be carried over, and \
why. What is there already is not made again; what is there and differs is left, but for --replace. Secrets in the settings of \
services are neither read nor printed: those are set up anew. Without a server, alerts become a file of rules and dashboards \
files that the page imports. docs/migrating.md walks through all of it.
Exit status: 0 done; 1 something was not carried over; 2 a file cannot be read, or the server cannot be asked.")]
    Import(ImportArgs),
    /// Set series that were saved from AppOptics or Librato beside the minutes that a server keeps
    #[command(after_help = "\
Examples:
  logdrain compare cpu.json --server https://logs.example.com
  logdrain compare *.json --from 'yesterday at 6:00' --to 'yesterday at 18:00' --tolerance 2%
  logdrain compare requests.json --function sum

An export is the answer of GET /v1/measurements/NAME, or of GET /v1/metrics/NAME with its measurements. Streams are the same \
when their tags are, in any case of letters. Steps are those of the export, a minute at the least; minutes are kept for 8 days, \
so compare soon.
Exit status: 0 all are equal or near enough; 1 some are different, missing or extra, or nothing was compared; 2 it could not be \
done.")]
    Compare(CompareArgs),
    /// Send lines as Logplex does, with all that may go wrong, and tell what a right receiver makes of them
    #[command(after_help = logplex::after_help())]
    Send(logplex::SendArgs),
    /// Take deliveries of Heroku drains over HTTP, keep their lines to be searched, and write minute streams as minutes close
    #[command(after_help = "\
Examples:
  logdrain serve
  logdrain serve --store /var/lib/logdrain --out /var/log/logdrain/minutes.jsonl
  logdrain serve --config /etc/logdrain.toml
  logdrain serve --demo

--demo is the quickest look: three days of made lines are there within seconds, and new ones go on coming.
Without arguments it listens on 127.0.0.1:8514, keeps its journal in ./logdrain-data and prints rows, those of replay \
--format jsonl with an \"id\". To try it, let it run and send it lines of now from another terminal:
  logdrain send --to http://127.0.0.1:8514/logs
The page at http://127.0.0.1:8514/ shows them at once; their rows come when their minute has been over for another one, so within about \
two minutes. A recording gives no rows, as its minutes are over: replay is for those.
Lines are kept for 7 days, or 10 GB of them: http://127.0.0.1:8514/events shows, finds and follows them. \
`logdrain search --in logdrain-data` finds those that are in files, which is after an hour at most.
A row that comes twice has the same id both times; drop the second. SIGTERM stops, SIGHUP reads the configuration again.")]
    Serve(ServeArgs),
    /// Ask a server on this machine whether it is ready: for containers and scripts
    #[command(after_help = "\
Examples:
  logdrain health
  logdrain health --config /etc/logdrain.toml

It asks for /readyz at the address, and with TLS, as `serve` is told to listen; the certificate is not checked.
Exit status: 0 ready; 1 not ready, or no answer; 2 the configuration cannot be read.")]
    Health(HealthArgs),
    /// Check the store of `serve`: its structure, every kept delivery, the snapshots, the files of lines
    #[command(after_help = "\
Examples:
  logdrain doctor
  logdrain doctor /var/lib/logdrain

It changes nothing, and may be run beside a server. What it finds damaged costs what it names and nothing else; a server \
that meets a journal it cannot use sets it aside at its next start and takes over what can be read.
Exit status: 0 all is well; 1 something is damaged; 2 there is no store that could be looked at.")]
    Doctor(DoctorArgs),
    /// List the drains that have a place in `serve`, or take one's place away
    #[command(after_help = "\
Examples:
  logdrain drains list --store /var/lib/logdrain
  logdrain drains drop shop/drain-0f3a52c1 --store /var/lib/logdrain

It speaks to the running server by operator.sock in the store's folder; without a server it works on the store itself. A \
drain is called as in rows and on the page. When one is dropped, its open windows are written, rows that are out stay, and \
its deliveries are refused until those windows are past their horizon.
Exit status: 0 done; 2 it could not be done.")]
    Drains(DrainsArgs),
    /// Look at the nodes that share a journal: who lives, who counts which partition, and how far behind
    #[command(after_help = "\
Examples:
  logdrain cluster status --config /etc/logdrain.toml
  logdrain cluster status --config node.toml --format json

It asks the database that the configuration names under `journal`, changes nothing there, and may be run on any machine.
Exit status: 0 every partition is counted by a node that lives; 1 one is not; 2 it cannot be told.")]
    Cluster(ClusterArgs),
    /// What an account has: its plan, filters, members and tokens; what it used; and lines taken out for good
    #[command(after_help = "\
Examples:
  logdrain account status --server localhost:8514
  logdrain account plan volmar --dry-run --server localhost:8514
  logdrain account member add ann@example.com --manage-members
  logdrain account purge default --query 4111-2222 --dry-run
  logdrain account token add --kind read --name dashboards

`member`, `token` and `purge` work in the folder of a store: over operator.sock beside the running server, and the first two \
without one, too. The others ask a server. Once there is a member or a token, everybody has to sign in or send one.
Exit status: 0 done; 2 it could not be done.")]
    Account(AccountArgs),
}

/// What is read, and how.
#[derive(Debug, ClapArgs)]
pub(crate) struct InputArgs {
    /// Files to read, one after the other; - is standard input, gzip is read through
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// What the files hold
    #[arg(long, value_enum, default_value_t = InputKind::Auto, value_name = "KIND")]
    pub(crate) input: InputKind,
    /// Whether frames carry structured data: an HTTPS drain writes none (logplex), a syslog drain does (rfc5424); HOSTNAME
    /// missing, or the drains of 2012 (moved); auto tells by each frame's HOSTNAME
    #[arg(long, value_enum, default_value_t = DialectArg::Auto, value_name = "DIALECT")]
    pub(crate) dialect: DialectArg,
    /// Stop at the first length that cannot be read, and exit with 1 if anything was bad
    #[arg(long)]
    pub(crate) strict: bool,
    /// The app's name, for the app_name tag of native metrics
    #[arg(long, value_name = "NAME")]
    pub(crate) app: Option<String>,
    /// Collect Redis, PgBouncer and the further Postgres fields too
    #[arg(long)]
    pub(crate) extended: bool,
    /// The year of the first line of a text whose times have none (--input events); December may be followed by January
    /// [default: by when the file was written]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(u16).range(1970..=9999))]
    pub(crate) year: Option<u16>,
    /// The zone of such times: Europe/Berlin, UTC, +02:00 [default: that of this machine]
    #[arg(long, value_name = "ZONE", value_parser = look::zone, allow_hyphen_values = true)]
    pub(crate) tz: Option<TimeZone>,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum InputKind {
    /// A body, or what most of the first lines are
    Auto,
    /// Octet-counted frames, as drains send them
    Body,
    /// `TIME app[web.1]: text`, as `heroku logs` prints it
    Rendered,
    /// The same as people paste it: indented, quoted (`> `), with a space in the time or without an offset (UTC)
    Copied,
    /// `<158>1 TIME HOSTNAME heroku router - text`, one message a line, with or without a length
    Syslog,
    /// `TIME heroku web.1 - - text`, an export of Logentries
    Logentries,
    /// Rows of ten columns between TABs, as Papertrail's archives have them and ours
    Archive,
    /// `Nov 21 14:14:58 shop heroku/web.4: text`, as papertrail-cli and `logdrain search` print it
    Events,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum DialectArg {
    Auto,
    Logplex,
    Rfc5424,
    Moved,
}

fn dialect(arg: DialectArg) -> Dialect {
    match arg {
        DialectArg::Auto => Dialect::ByHostname,
        DialectArg::Logplex => Dialect::Logplex,
        DialectArg::Rfc5424 => Dialect::Rfc5424,
        DialectArg::Moved => Dialect::Moved,
    }
}

impl InputArgs {
    pub(crate) fn dialect(&self) -> Dialect {
        dialect(self.dialect)
    }

    pub(crate) fn recovery(&self) -> Recovery {
        if self.strict { Recovery::Stop } else { Recovery::Resync }
    }

    pub(crate) fn extractor(&self) -> ExtractorConfig {
        let set = if self.extended { NativeSet::Extended } else { NativeSet::Standard };
        let config = self.reading.over(Reading::default()).apply(ExtractorConfig::new().with_native_set(set));
        match &self.app {
            Some(name) => config.with_app_name(name.as_str()),
            None => config,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ParseArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Add every key=value pair of the line, quotes undone. A word without a value is a key with null; a sentence of the
    /// platform, which has no value at all, has no pairs
    #[arg(long)]
    pub(crate) pairs: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// The account's plan: development, gold, or a TOML or JSON file [default: no limits]
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) plan: Option<String>,
    /// A table, or one JSON line for each window and stream family [default: table on a terminal, else jsonl]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// One JSON line for each single metric stream (database.query.p95)
    #[arg(long, conflicts_with = "format")]
    pub(crate) flat: bool,
    /// How the books are printed to standard error
    #[arg(long, value_enum, default_value_t = LedgerFormat::Text, value_name = "FORMAT")]
    pub(crate) ledger: LedgerFormat,
    /// Length of a window; it divides a day
    #[arg(long, value_parser = duration, default_value = "60s", value_name = "DURATION")]
    pub(crate) window: Duration,
    /// Close windows this long after their end, by the input's own time
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub(crate) lateness: Option<Duration>,
    /// Write rows as windows close, for a live pipe; the clock moves windows too (lateness 60s unless given). Ctrl-C or
    /// SIGTERM ends it: the open minutes come marked as partial, then the books; a second one ends it at once
    #[arg(long)]
    pub(crate) follow: bool,
    /// Leave the life of a WebSocket (`service` of a 101 line) out of response times; its stream is a row of its own,
    /// with status_code=101
    #[arg(long)]
    pub(crate) no_websockets: bool,
    /// Close the oldest windows when open ones take more memory than this
    #[arg(long, value_parser = bytes, default_value = "1GB", value_name = "BYTES")]
    pub(crate) max_memory: u64,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// The account's plan: development, gold, or a TOML or JSON file
    #[arg(long, default_value = "gold", value_name = "NAME|FILE")]
    pub(crate) plan: String,
    /// A table, or one JSON line for each stream [default: table on a terminal, else jsonl]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// Rows of each table
    #[arg(long, default_value_t = 15, value_name = "N")]
    pub(crate) rows: usize,
}

#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct ServeArgs {
    /// A TOML file with credentials, apps, plans and limits; what is said here goes before what it says
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where deliveries are taken [default: 127.0.0.1:8514, which is localhost:8514]
    #[arg(long, value_parser = logdrain_terms::address::parse, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// The folder of journal, snapshots and lines, made when missing [default: logdrain-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// The file that rows are appended to; - is standard output [default: -]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Length of a window; it divides a day [default: 60s]
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub(crate) window: Option<Duration>,
    /// Close windows this long after their end; lines that come later make a revision of their rows [default: 60s]
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub(crate) lateness: Option<Duration>,
    /// Collect Redis, PgBouncer and the further Postgres fields too
    #[arg(long)]
    pub(crate) extended: bool,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
    /// Listen on an address that others reach, though credentials or TLS are missing
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Believe this machine's clock at the start, however far it is from the last minute in the store
    #[arg(long)]
    pub(crate) believe_clock: bool,
    /// Show what there is with made lines: of the last three days, or so long, and new ones each second. They go into a
    /// folder of their own (logdrain-demo), which is made, or emptied if it was made so before
    #[arg(long, value_parser = duration, num_args = 0..=1, require_equals = true, default_missing_value = "3d",
        value_name = "DURATION", conflicts_with_all = ["config", "insecure"])]
    pub(crate) demo: Option<Duration>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct HealthArgs {
    /// The configuration of the server
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where it listens [default: as the configuration says, else 127.0.0.1:8514]
    #[arg(long, value_parser = logdrain_terms::address::parse, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// How long its answer may take
    #[arg(long, value_parser = duration, default_value = "3s", value_name = "DURATION")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DoctorArgs {
    /// The folder of the store
    #[arg(value_name = "DIR", default_value = "logdrain-data")]
    pub(crate) store: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DrainsArgs {
    #[command(subcommand)]
    pub(crate) action: DrainsAction,
    /// The folder of the store
    #[arg(long, global = true, value_name = "DIR", default_value = "logdrain-data")]
    pub(crate) store: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DrainsAction {
    /// Print every drain: its name, when it was heard last, whether it lost its place
    List,
    /// Take a drain's place away, so that another may have it
    Drop {
        /// As `list` prints it
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ClusterArgs {
    #[command(subcommand)]
    pub(crate) action: ClusterAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterAction {
    /// Print every node and every partition
    Status {
        /// The configuration of a node
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        #[arg(long, value_enum, default_value_t = StatusFormat::Table)]
        format: StatusFormat,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum StatusFormat {
    Table,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    Table,
    Jsonl,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LedgerFormat {
    Text,
    Json,
    None,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
