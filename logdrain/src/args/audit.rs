//! What `audit` is told.

use clap::Args as ClapArgs;
use logdrain_terms::reading::ReadingArgs;
use logdrain_terms::units::duration;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, ClapArgs)]
pub(crate) struct AuditArgs {
    /// Archives of hours or days, by the names that they have, with their books beside them
    #[arg(required = true, value_name = "ARCHIVE")]
    pub(crate) archives: Vec<PathBuf>,
    /// The rows that `serve` wrote: the file of --out
    #[arg(required = true, value_name = "ROWS")]
    pub(crate) rows: PathBuf,
    /// Only rows of this drain, by its name in the configuration; may be said several times. For an account, all its drains
    #[arg(long = "drain", value_name = "NAME")]
    pub(crate) drains: Vec<String>,
    /// The plan that held for each drain: development, gold, or a TOML or JSON file [default: no limits]
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) plan: Option<String>,
    /// Length of a window, as `serve` was told
    #[arg(long, value_parser = duration, default_value = "60s", value_name = "DURATION")]
    pub(crate) window: Duration,
    /// `serve` collected Redis, PgBouncer and the further Postgres fields too
    #[arg(long)]
    pub(crate) extended: bool,
    /// `serve` left the life of a WebSocket out of response times
    #[arg(long)]
    pub(crate) no_websockets: bool,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
}
