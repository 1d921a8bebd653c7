//! `logdrain audit`: minutes made again from archives, beside the rows that `serve` wrote of the same lines.
//!
//! ```text
//! names of archives -> runs of hours without a gap or a loss -> windows well inside each -> compared, one by one
//! ```
//!
//! A line belongs to the minute that its sender gave it, and to the hour that it came in. So the first and the last ten minutes
//! of a run are left out: lines of theirs may be in an archive that is not here. An hour of which its books say that lines are
//! missing is told and not compared.

mod replayed;
mod rows;
mod runs;

use crate::args::audit::AuditArgs;
use logdrain_terms::failure::{Failure, Status};
use replayed::{Made, Replayed};
use rows::{Key, Numbers, Written};
use runs::Run;
use std::collections::{BTreeMap, BTreeSet};

/// Differences that are told one by one.
const TOLD: usize = 20;

pub(crate) fn run(args: &AuditArgs) -> Result<Status, Failure> {
    let runs = runs::of(&args.archives)?;
    let is_compared = |window: i64| runs.iter().any(|run| run.holds(window, args.window));
    let written = rows::read(&args.rows, &args.drains, is_compared)?;
    let mut sum = Sum::default();
    for run in &runs {
        let Some((first, last)) = run.windows() else {
            println!("{run}: too short to be compared, as ten minutes at each end are left out");
            continue;
        };
        let mut replayed = Replayed::new(args, &written, (first, last))?;
        for archive in &run.archives {
            replayed.read(archive)?;
        }
        sum.missing_archives |= replayed.broken;
        let (made, odd) = replayed.finish()?;
        compare(run, args, &written, &made, &odd, &mut sum);
    }
    if sum.rows == 0 {
        println!("nothing was compared");
        return Ok(Status::BadInput);
    }
    match sum.differences {
        0 => println!("{} rows were compared: no difference", sum.rows),
        many => println!("{} rows were compared: {many} differ", sum.rows),
    }
    Ok(if sum.differences > 0 || sum.missing_archives { Status::BadInput } else { Status::Done })
}

#[derive(Debug, Default)]
struct Sum {
    rows: u64,
    differences: usize,
    /// An archive broke off.
    missing_archives: bool,
}

impl Sum {
    fn differ(&mut self, key: &Key, what: std::fmt::Arguments<'_>) {
        self.differences += 1;
        if self.differences <= TOLD {
            println!("{}: {what}", logdrain_terms::escape::Escaped(&key.to_string()));
        }
        if self.differences == TOLD + 1 {
            println!("more differences are counted and not told");
        }
    }
}

/// Compares the rows of a run, window by window.
fn compare(run: &Run, args: &AuditArgs, written: &Written, made: &Made, odd: &BTreeSet<i64>, sum: &mut Sum) {
    let own = written.rows.range(Key::from(run.start_seconds())..);
    let own = own.take_while(|(key, _)| key.window < run.end_seconds());
    let own = own.filter(|(key, _)| run.holds(key.window, args.window));
    let mut keys: BTreeSet<&Key> = own.map(|(key, _)| key).collect();
    keys.extend(made.keys());
    let before = sum.rows;
    let windows: BTreeSet<i64> = keys.iter().map(|key| key.window).filter(|window| !odd.contains(window)).collect();
    for key in keys.into_iter().filter(|key| !odd.contains(&key.window)) {
        sum.rows += 1;
        let in_rows: Vec<&Numbers> =
            written.rows.get(key).into_iter().flat_map(BTreeMap::values).map(|row| &row.1).collect();
        let in_archives: Vec<&Numbers> = made.get(key).into_iter().flatten().collect();
        if let Some(what) = Numbers::difference(in_rows, in_archives) {
            sum.differ(key, format_args!("{what}"));
        }
    }
    println!("{run}: {} rows of {} windows", sum.rows - before, windows.len());
    if !odd.is_empty() {
        println!(
            "{run}: {} windows are not compared, as lines of theirs came more than 50 minutes late, or before their time",
            odd.len()
        );
    }
}
