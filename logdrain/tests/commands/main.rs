//! The commands that read logs, and the one that sends them.

mod alerts;
mod archives;
mod chart;
mod command;
mod downloads;
mod families;
mod follow;
mod import;
mod layouts;
mod receiver;
mod search;
mod send;
mod tail;

use std::process::Output;

/// Runs the program once, with this on its standard input.
fn logdrain(arguments: &[&str], input: &[u8]) -> Output {
    testkit::program::run(env!("CARGO_BIN_EXE_logdrain"), arguments, input)
}
