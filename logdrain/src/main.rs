//! `logdrain`: the reference host of the heroku-metrics crates.
//!
//! ```text
//! args -> input -> parse  (every frame as one JSON line)
//!               -> replay (minute streams: a table, or JSON lines)
//!               -> top    (what is eating the quota)
//!               -> search (lines that fit; tail: and those that come)
//!               -> audit  (minutes of archives beside the rows of serve)
//!               -> chart  (a picture of rows or logs)
//!               -> alerts (what rules would have told)
//! args -> server -> search (the same, of a server)
//!                -> open, archive (its page, its archives)
//!                -> import (what people had elsewhere, made again), compare (series of there beside minutes of here)
//! args -> send (lines as Logplex delivers them, and the truth about them)
//! args -> serve           (a drain: intake, journal, counting, outlets)
//!      -> doctor          (what its store looks like)
//!      -> drains          (who has a place in it)
//!      -> health          (whether it is ready)
//! ```

// The standard library's own panic when nobody reads: `logdrain doctor | head -1` is no failure.
macro_rules! println {
    ($($said:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($said)*);
    }};
}

mod account;
mod alerts;
mod archive_command;
mod args;
mod audit;
mod chart_command;
mod compare;
mod demo;
mod health;
mod import;
mod input;
mod interrupt;
mod layout;
mod live;
mod open;
mod parse;
mod replay;
mod report;
mod rows;
mod search;
mod send;
mod serve;
mod server;
mod sheet;
mod table;
mod top;

use args::{Args, Command};
use clap::Parser;
use logdrain_terms::{escape, failure};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Err(error) = args::look::check::<Args>(std::env::args_os()) {
        error.exit();
    }
    let outcome = match Args::parse().command {
        Command::Parse(args) => parse::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Search(args) => search::run(&args),
        Command::Tail(args) => search::run(&args.into()),
        Command::Open(args) => open::run(&args),
        Command::Archive(args) => archive_command::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Chart(args) => chart_command::run(&args),
        Command::Send(args) => send::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Doctor(args) => serve::doctor(&args),
        Command::Drains(args) => serve::drains(&args),
        Command::Cluster(args) => serve::cluster(&args),
        Command::Account(args) => account::run(&args),
        Command::Alerts(args) => alerts::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Compare(args) => compare::run(&args),
    };
    match outcome {
        Ok(status) => status.into(),
        // The reader of our output has left: `logdrain replay FILE | head` is no failure.
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            // Names of files may be as hostile as text of logs.
            let lines: Vec<_> = failure.to_string().lines().map(|line| escape::Escaped(line).to_string()).collect();
            failure::say(format_args!("logdrain: {}", lines.join("\n")));
            failure.status().into()
        }
    }
}
