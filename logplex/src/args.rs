//! The command line of `send`.

use crate::frame::Dialect;
use crate::scenario::Scenario;
use crate::time;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// What `logdrain send` is told.
#[derive(Debug, Args)]
pub struct SendArgs {
    /// Where the drain delivers to: `http://[user:password@]host:port/path`, or https with --ca
    #[arg(long, value_name = "URL", conflicts_with = "write")]
    pub(crate) to: Option<String>,
    /// Write the bodies to this file instead, one after the other; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
    /// Write what a right receiver makes of the deliveries that were taken: the rows of `replay --format jsonl`. With
    /// several drains a file each: truth.jsonl is truth.1.jsonl, truth.2.jsonl... It takes 8 octets of memory a value
    #[arg(long, value_name = "FILE")]
    pub(crate) truth: Option<PathBuf>,
    /// How many lines, of all drains together
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    pub(crate) lines: u64,
    /// Lines a second, of all drains together [default: as fast as they are taken]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) rate: Option<u64>,
    /// What is generated depends on this number, on the times and on nothing else
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// What is odd about the deliveries; may be repeated or a list with commas, see below
    #[arg(long = "scenario", value_name = "NAME", value_enum, value_delimiter = ',', hide_possible_values = true)]
    pub(crate) scenarios: Vec<Scenario>,
    /// How many drains, each with a token and connections of its own
    #[arg(long, default_value_t = 1, value_name = "N", conflicts_with_all = ["write", "tokens"], value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) drains: u64,
    /// The drain token; repeat it for several drains [default: d. and a UUID made of the seed]
    #[arg(long = "token", value_name = "TOKEN")]
    pub(crate) tokens: Vec<String>,
    /// The name of the app that the receiver knows the drain by, for the app_name tag in the truth; with several drains
    /// shop is shop-1, shop-2... [default: none]
    #[arg(long, value_name = "NAME")]
    pub(crate) app: Option<String>,
    /// How the frames are written
    #[arg(long, value_enum, default_value_t = Dialect::Logplex, value_name = "DIALECT")]
    pub(crate) dialect: Dialect,
    /// Connections of each drain; Logplex has one
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) connections: u64,
    /// The most lines of a delivery, which ends at about 100 KB anyway; with --rate also a quarter of a second
    #[arg(long, default_value_t = 1_024, value_name = "LINES", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) batch: u64,
    /// The time of the first line [default: such that the last one is now; with --rate now; with --write
    /// 2026-03-14T09:00:00Z]
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub(crate) start: Option<i64>,
    /// The time from the first to the last line [default: by the rate, else 5,000 lines a second, with --to at most 2m]
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub(crate) span: Option<Duration>,
    /// How long an answer may take
    #[arg(long, value_parser = duration, default_value = "5s", value_name = "DURATION")]
    pub(crate) timeout: Duration,
    /// How often a delivery is tried before it is given up
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) tries: u32,
    /// Give up nothing but what is answered with a 4xx: try again until the run has taken this long, for receivers that
    /// are restarted
    #[arg(long, value_parser = duration, value_name = "DURATION", conflicts_with = "tries")]
    pub(crate) until_acknowledged: Option<Duration>,
    /// The certificates to trust for https, a PEM file
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Deliver to an address that is not of this machine
    #[arg(long)]
    pub(crate) allow_remote: bool,
    /// How the summary is printed to standard error
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text, value_name = "FORMAT")]
    pub(crate) summary: SummaryFormat,
}

/// How a summary is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum SummaryFormat {
    Text,
    Json,
    None,
}

/// `60s`, `5m`, `2h`, `500ms`, or plain seconds: what the host takes for a duration, which is no business of a judge's to
/// ask the host for.
fn duration(text: &str) -> Result<Duration, String> {
    let (digits, factor_ms) = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("", 1_000)]
        .into_iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))
        .unwrap_or((text, 1_000));
    let number: u64 = digits.parse().map_err(|_| "expected a duration such as 60s, 5m or 500ms".to_owned())?;
    number.checked_mul(factor_ms).map(Duration::from_millis).ok_or_else(|| "too long".to_owned())
}

/// An RFC 3339 time, in microseconds since 1970.
fn time(text: &str) -> Result<i64, String> {
    time::unix_micros(text).ok_or_else(|| "expected a time such as 2026-03-14T09:00:00Z".to_owned())
}

/// What `--help` says at the end.
#[must_use]
pub fn after_help() -> String {
    format!(
        "\
Examples:
  logdrain send --write body.logplex --truth truth.jsonl --lines 50000
  logdrain replay --format jsonl body.logplex | diff - truth.jsonl
  logdrain send --to http://127.0.0.1:8514/logs --truth truth.jsonl --rate 1000 --lines 2000
  logdrain send --to http://heroku:secret@127.0.0.1:8514/logs --scenario time-out,repeat

Scenarios; one delivery in four is odd, with bare, gzip and repeat all of them:
{}
The truth is that of the deliveries that were acknowledged. One that is answered with a 4xx is lost, \
as with Logplex, and the next delivery tells so in an L10 frame, which counts as \
heroku.errors.logging. One that runs out of tries after a time-out may or may not have been stored: \
the truth is then not exact, the summary says so, and the exit status is 1.",
        Scenario::list().lines().map(|line| format!("  {line}\n")).collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(time("2026-03-14T09:00:00Z"), Ok(1_773_478_800_000_000));
        assert!(time("yesterday").is_err());
    }
}
