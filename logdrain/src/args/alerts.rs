//! What `alerts` is told.

use crate::args::InputArgs;
use clap::{Args as ClapArgs, Subcommand};
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
pub(crate) struct AlertsArgs {
    #[command(subcommand)]
    pub(crate) action: AlertsAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertsAction {
    /// Tell when the rules of a file would have fired on recorded logs, and with what
    Check(Box<CheckArgs>),
    /// Print rules to begin with: which there are, or those named, as a file of rules
    Templates {
        /// As the list names them; `all` is all of them
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    /// A TOML file of rules: docs/alerts.md says what may be in it
    #[arg(value_name = "RULES")]
    pub(crate) rules: PathBuf,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// One JSON line for each alert, and none for what did not fire
    #[arg(short, long)]
    pub(crate) json: bool,
}
