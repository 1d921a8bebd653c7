//! What `archive` and `open` are told.

use crate::args::server::ServerArgs;
use clap::{Args as ClapArgs, Subcommand};
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
pub(crate) struct OpenArgs {
    /// What is looked for on the page of lines; without words it is the first page
    #[arg(value_name = "WORDS")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The account, where one may choose
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Print the address and open nothing, as without a terminal
    #[arg(long)]
    pub(crate) print: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ArchiveArgs {
    #[command(subcommand)]
    pub(crate) action: ArchiveAction,
}

/// The same for each action.
#[derive(Debug, ClapArgs)]
pub(crate) struct OfServer {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The account, where one may choose
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ArchiveAction {
    /// Print which archives there are
    List {
        /// One JSON line for each
        #[arg(short, long)]
        json: bool,
        #[command(flatten)]
        server: OfServer,
    },
    /// Download archives
    Get(GetArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GetArgs {
    /// A whole day, as one file: 2026-11-28, yesterday. Days are those of UTC. May be said several times
    #[arg(long = "date", value_name = "DAY")]
    pub(crate) dates: Vec<String>,
    /// An hour: 2026-11-28-22. May be said several times
    #[arg(long = "hour", value_name = "HOUR")]
    pub(crate) hours: Vec<String>,
    /// All hours that there are from this time on: 3 hours ago, yesterday at 5:30pm
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) min_time: Option<String>,
    /// And up to this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) max_time: Option<String>,
    /// The folder that they are written to, made when missing
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) server: OfServer,
}
