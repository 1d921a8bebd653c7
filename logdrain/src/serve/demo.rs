//! `serve --demo`: a folder of its own with days of made traffic, and lines that go on coming.
//!
//! ```text
//! crate::demo -> deliveries and ticks of the past -> the journal -> whoever reads a journal
//!             -> deliveries of now, each second    -> the journal
//! ```
//!
//! Rows, lines, minutes and archives are what is made of any journal: nothing of them is made here. The folder is emptied
//! at each start, and so it must be one that an earlier start has marked as its own.

mod fill;
mod live;

pub(crate) use live::Live;

use crate::args::ServeArgs;
use crate::demo::Story;
use crate::serve::config::Config;
use crate::serve::opening::{self, Closed};
use logdrain_drain::journal::{self, Lease};
use logdrain_drain::outlets::NOWHERE;
use logdrain_terms::failure::Failure;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The folder, if no other is named.
const FOLDER: &str = "logdrain-demo";
/// The file that says whose the folder is,
const MARK: &str = "demo";
/// and what stands in it.
const MARKED: &str = "This folder is of `logdrain serve --demo`, which empties it at each start.\n";
/// How much of the past there may be: as long as lines are kept, at most.
const SHORTEST: Duration = Duration::from_secs(3_600);
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// The arguments of a server of made traffic: its own folder, no configuration.
pub(crate) fn arguments(args: &ServeArgs) -> ServeArgs {
    ServeArgs {
        store: Some(args.store.clone().unwrap_or_else(|| PathBuf::from(FOLDER))),
        // Nobody reads the rows of made lines, unless --out says where they go.
        out: Some(args.out.clone().unwrap_or_else(|| PathBuf::from(NOWHERE))),
        ..args.clone()
    }
}

/// What a server of made traffic does otherwise: it has archives of the hours, too.
///
/// # Errors
/// When others could reach it: everybody may read there.
pub(crate) fn configure(config: &mut Config) -> Result<(), Failure> {
    if !config.listen.ip().is_loopback() {
        return Err(Failure::Config(format!(
            "--demo lets everybody read, and so it listens on this machine alone: {} can be reached by others",
            config.listen
        )));
    }
    config.archives.without_plan = true;
    Ok(())
}

/// Fills the folder with so much of the past.
///
/// # Errors
/// When that is too little or too much, it is not a folder of its own, another server is at work in it, or its disk does not
/// take it.
pub(crate) fn fill(config: &Config, span: Duration) -> Result<Live, Failure> {
    if !(SHORTEST..=LONGEST).contains(&span) {
        return Err(Failure::Config("--demo makes an hour of lines at least (1h), and a week at most (7d)".to_owned()));
    }
    let minutes = i64::try_from(span.as_secs() / 60).unwrap_or(i64::MAX);
    let (began, dir) = (Instant::now(), &config.store);
    let lock = claim(dir)?;
    let now = journal::now();
    let story = Story::new(now.unix_seconds());
    let filled = fill::fill(config, story, minutes, now.unix_micros()).map_err(|why| in_folder(dir, &why))?;
    drop(lock);
    tracing::info!(lines = filled.lines, "the made lines are in the journal");
    Ok(Live::new(story, now.unix_micros(), filled, began))
}

fn in_folder(dir: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::Config(format!("{}: cannot be filled: {why}", dir.display()))
}

/// Makes the folder, or empties it if it is one of ours.
fn claim(dir: &Path) -> Result<Lease, Failure> {
    let why = |error: io::Error| in_folder(dir, &error);
    let mark = dir.join(MARK);
    let is_empty = match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(dir).map_err(why)?;
            true
        }
        Err(error) => return Err(why(error)),
    };
    if is_empty {
        fs::write(&mark, MARKED).map_err(why)?;
    } else if fs::read(&mark).ok().as_deref() != Some(MARKED.as_bytes()) {
        return Err(Failure::Config(format!(
            "{}: --demo empties its folder at each start, and this one holds something else: name a new one with --store",
            dir.display()
        )));
    }
    let lock = opening::hold(dir).map_err(|closed| match closed {
        Closed::ForNow(why) | Closed::ForGood(why) => Failure::Config(why),
    })?;
    for entry in fs::read_dir(dir).map_err(why)? {
        let entry = entry.map_err(why)?;
        let name = entry.file_name();
        if name == MARK || name == "lock" {
            continue;
        }
        let is_folder = entry.file_type().map_err(why)?.is_dir();
        let gone = if is_folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
        gone.map_err(why)?;
    }
    Ok(lock)
}

#[cfg(test)]
mod tests;
