//! Row C1: `logdrain replay`, from the file to the rows, beside the library on the same bytes.

use crate::Options;
use crate::print::Goal;
use family_benches::{Bodies, cold, ours};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use testkit::traffic::Traffic;

/// The program as it was built beside this one. When it was not, the row says so and is left out.
pub(crate) fn goals(options: &Options, goals: &mut Vec<Goal>) -> Result<(), String> {
    if !options.wants(&["C1"]) {
        return Ok(());
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?.with_file_name("logdrain");
    if !program.exists() {
        println!("C1 needs logdrain: cargo build --profile dist -p logdrain");
        return Ok(());
    }
    let long = options.long.then(|| Bodies::of(Traffic::new(1).bytes(256 << 20).scale(20)));
    let body = long.as_ref().unwrap_or(cold()).body();
    let input = Scratch::with(body)?;
    let output = Scratch::with(b"")?;
    let rounds = if options.long { 5 } else { 3 };
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let (by_library, requests) = library(body);
        let (by_program, rows) = replay(&program, &input.0, &output.0)?;
        if rows != requests {
            return Err(format!("C1: {rows} requests in the rows of replay, {requests} by the library"));
        }
        ratios.push(by_library.as_secs_f64() / by_program.as_secs_f64());
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let what = format!("logdrain replay, file of {} MiB to rows", body.len() >> 20);
    goals.push(Goal::at_least("C1", what, ratios[ratios.len() / 2], "x the library's speed", 0.7, 0.9));
    Ok(())
}

/// From empty to all percentiles, and how many requests there were.
fn library(body: &[u8]) -> (Duration, u64) {
    let start = Instant::now();
    let mut whole = ours::Whole::new();
    whole.ingest(body);
    let requests = whole.finish().requests;
    (start.elapsed(), requests)
}

/// The same by the program, from its start to its end.
fn replay(program: &Path, input: &Path, output: &Path) -> Result<(Duration, u64), String> {
    let rows = File::create(output).map_err(|error| format!("C1: {}: {error}", output.display()))?;
    let start = Instant::now();
    let status = Command::new(program)
        .args(["replay", "--format", "jsonl", "--app", "shop"])
        .arg(input)
        .stdout(rows)
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("C1: {}: {error}", program.display()))?;
    let took = start.elapsed();
    if !status.success() {
        return Err(format!("C1: logdrain replay ended with {status}"));
    }
    let rows = fs::read_to_string(output).map_err(|error| format!("C1: {}: {error}", output.display()))?;
    let of_requests = rows.lines().filter(|row| row.contains("\"name\":\"heroku.router.http.requests\""));
    let sums =
        of_requests.filter_map(|row| row.split_once("\"sum\":")?.1.split([',', '}']).next()?.parse::<u64>().ok());
    Ok((took, sums.sum()))
}

/// A file that goes when it is no longer needed.
struct Scratch(PathBuf);

impl Scratch {
    fn with(content: &[u8]) -> Result<Self, String> {
        let name = format!("family-benches-{}-{}.logplex", std::process::id(), content.len());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, content).map_err(|error| format!("C1: {}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind lies among temporary files.
        let _ = fs::remove_file(&self.0);
    }
}
