//! What `compare` is told.

use crate::args::server::ServerArgs;
use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
pub(crate) struct CompareArgs {
    /// Saved answers of GET /v1/measurements/NAME, or of GET /v1/metrics/NAME with its measurements; one or more in a file
    #[arg(required = true, value_name = "EXPORT")]
    pub(crate) files: Vec<PathBuf>,
    /// The earliest time: 2026-01-05 06:00, yesterday, 3 hours ago [default: that of the export]
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// The latest time; what begins at it is not compared [default: that of the export]
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// What the exported values are of their steps
    #[arg(long, short, value_enum, default_value_t = Of::Mean, value_name = "NAME")]
    pub(crate) function: Of,
    /// How far two values may be apart and count as the same: 1%, 0.01
    #[arg(long, value_name = "PART", value_parser = part, default_value = "1%")]
    pub(crate) tolerance: f64,
    /// So many differences are told of each series; all are counted
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) show: usize,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The account, of a server where one may choose
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
}

/// A function of the values of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Of {
    Mean,
    Sum,
    Min,
    Max,
    Count,
    Last,
}

impl Of {
    /// As both APIs call it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "count",
            Self::Last => "last",
        }
    }
}

fn part(text: &str) -> Result<f64, String> {
    let (number, percent) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let part = number.trim().parse::<f64>().ok().map(|number| number / percent);
    part.filter(|part| (0.0..=1.0).contains(part)).ok_or_else(|| "write it as 1%, or 0.01".to_owned())
}
