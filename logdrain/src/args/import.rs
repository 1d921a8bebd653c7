//! What `import` is told.

use crate::args::server::ServerArgs;
use clap::Args as ClapArgs;
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
pub(crate) struct ImportArgs {
    /// Saved answers of the APIs: alerts, services, spaces, charts, metrics of Librato and AppOptics; searches and groups of
    /// Papertrail. JSON of any of their shapes, one or more in a file
    #[arg(required = true, value_name = "EXPORT")]
    pub(crate) files: Vec<PathBuf>,
    /// Say what would be made, and make nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Put what the export has in place of what is there under its name and differs
    #[arg(long)]
    pub(crate) replace: bool,
    /// Write files below this folder instead of asking a server: rules.toml, and dashboards/NAME.json [default: imported, when
    /// no server is known]
    #[arg(long, short, value_name = "FOLDER", conflicts_with_all = ["server", "heroku_app"])]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The account, of a server where one may choose
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
}
