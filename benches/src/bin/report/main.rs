//! The figures of the family in one process, beside their limits and their peers.
//!
//! `cargo run --profile dist -p family-benches --features peers --bin report -- [--long] [--seconds N] [--vrl] [--markdown] [--only ROW]`
//!
//! It fails when the counts of two contenders differ, and for nothing else: times are for reading.

mod growth;
mod memory;
mod print;
mod program;
mod speed;

use stats_alloc::StatsAlloc;
use std::alloc::System;
use std::process::ExitCode;
use std::time::Duration;

#[global_allocator]
static HEAP: &StatsAlloc<System> = family_benches::timing::HEAP;

/// How much to do.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    /// For each contender in each round.
    pub(crate) slice: Duration,
    pub(crate) long: bool,
    pub(crate) vrl: bool,
    markdown: bool,
    only: Vec<String>,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            rounds: 5,
            slice: Duration::from_millis(20),
            long: false,
            vrl: false,
            markdown: false,
            only: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--long" => {
                    options.long = true;
                    options.rounds = 11;
                    options.slice = Duration::from_millis(200);
                }
                "--seconds" => {
                    let seconds = arguments.next().and_then(|text| text.parse().ok());
                    options.slice =
                        Duration::try_from_secs_f64(seconds.ok_or("--seconds N: how long each of them runs")?)
                            .map_err(|error| format!("--seconds: {error}"))?;
                }
                "--vrl" if cfg!(feature = "vrl") => options.vrl = true,
                "--vrl" => return Err("--vrl: build with --features vrl".to_owned()),
                "--markdown" => options.markdown = true,
                "--only" => options.only.push(arguments.next().ok_or("--only ROW: which one")?),
                _ => {
                    return Err(format!(
                        "{argument}: not an option; there are --long --seconds --vrl --markdown --only"
                    ));
                }
            }
        }
        Ok(options)
    }

    /// Whether one of these rows is wanted.
    pub(crate) fn wants(&self, rows: &[&str]) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| rows.contains(&only.as_str()))
    }
}

fn report(options: &Options) -> Result<(), String> {
    let mut figures = Vec::new();
    let mut goals = Vec::new();
    speed::lines(options, &mut figures, &mut goals)?;
    speed::whole(options, &mut figures, &mut goals)?;
    memory::goals(options, &mut goals)?;
    growth::goals(options, &mut goals)?;
    program::goals(options, &mut goals)?;
    print::figures(&figures, options.markdown);
    print::goals(&goals, options.markdown);
    Ok(())
}

fn main() -> ExitCode {
    match Options::read(std::env::args().skip(1)).and_then(|options| report(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("report: {error}");
            ExitCode::FAILURE
        }
    }
}
