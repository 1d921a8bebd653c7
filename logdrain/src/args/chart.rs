//! What `chart` is told.

use super::InputArgs;
use clap::{Args as ClapArgs, ValueEnum};
use logdrain_terms::units::duration;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, ClapArgs)]
pub(crate) struct ChartArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// The metric, as rows name it; with .p95 and the like it is that function of it
    #[arg(long, short, value_name = "NAME")]
    pub(crate) metric: String,
    /// Only streams with this tag; * stands for any text, != for any other value. Several values of one key are any of them
    #[arg(long = "tag", short, value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tags: Vec<Tag>,
    /// A line for each value of these tags [default: all streams are one line]
    #[arg(long, short, value_name = "KEY", value_delimiter = ',')]
    pub(crate) group_by: Vec<String>,
    /// What is drawn of each step: avg, count, last, max, min, sum, rate (the sum a minute), p50, p95, p99, p999; several are
    /// several lines [default: sum of a count, avg of a sample, p95 of a measure]
    #[arg(long, short, value_name = "NAME", value_delimiter = ',')]
    pub(crate) function: Vec<String>,
    /// The length of a step; it divides a day
    #[arg(long, value_parser = duration, default_value = "60s", value_name = "DURATION")]
    pub(crate) step: Duration,
    /// The earliest time: 2026-11-28 06:00, yesterday, 3 hours ago [default: that of the first row]
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// The latest time [default: that of the last row]
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Lines, areas on one another, or bars
    #[arg(long, value_enum, default_value_t = Drawn::Line, value_name = "KIND")]
    pub(crate) kind: Drawn,
    /// Leave the life of a WebSocket (`service` of a 101 line) out of response times
    #[arg(long)]
    pub(crate) no_websockets: bool,
    /// What stands above it [default: the metric]
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
    /// The most lines; those with the highest values are drawn
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=200), value_name = "N")]
    pub(crate) lines: u16,
    /// The file that is written: .svg, or .csv for its numbers [default: SVG to standard output; its numbers in words on a
    /// terminal]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// What a chart looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Drawn {
    Line,
    Stacked,
    Bars,
}

/// `dyno=web.*`, `status_category!=2xx`
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) is_negated: bool,
}

fn tag(text: &str) -> Result<Tag, String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE, or KEY!=VALUE")?;
    let (key, is_negated) = key.strip_suffix('!').map_or((key, false), |key| (key, true));
    if key.is_empty() {
        return Err("a key stands before the =".to_owned());
    }
    Ok(Tag { key: key.to_owned(), value: value.to_owned(), is_negated })
}
