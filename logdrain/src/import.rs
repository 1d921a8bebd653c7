//! `logdrain import`: what people had at Librato, AppOptics and Papertrail, made again here.
//!
//! ```text
//! files -> found (objects) -> charts, rules, sets -> Plan -> files, or a server
//!                                   \-> notes: what is not as it was, and why
//! ```
//!
//! Everything between the files and the plan is a function of them. What is there already is not made again, so that an import
//! can be done again when an export has grown. No secret is read from settings of services, and none is printed.

mod charts;
mod composite;
mod files;
mod found;
pub(crate) mod metrics;
mod notes;
mod remote;
mod rules;
mod sets;
mod told;

use crate::args::import::ImportArgs;
use crate::server;
use found::{Found, Names};
use logdrain_charts::dashboard::Dashboard;
use logdrain_terms::failure::{Failure, Status};
use notes::Notes;
use rules::Rule;
use sets::{Group, Search};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use told::Told;

/// The most bytes of a file.
const MOST: u64 = 64 << 20;
/// Where files go when nothing else is said.
const FOLDER: &str = "imported";

/// What can be made of an export.
#[derive(Debug, Default)]
struct Plan {
    dashboards: Vec<Dashboard>,
    rules: Vec<Rule>,
    groups: Vec<Group>,
    searches: Vec<Search>,
}

impl Plan {
    fn of(found: &Found, notes: &mut Notes) -> Self {
        let mut names = Names::default();
        let mut rules = rules::of_alerts(&found.alerts, &found.services, &mut names, notes);
        rules.extend(found.searches.iter().filter_map(|search| rules::of_search(search, &mut names, notes)));
        for service in &found.services {
            let keys: Vec<_> =
                service.object("settings").map(|all| all.0.keys().cloned().collect()).unwrap_or_default();
            let why =
                format!("is set up anew: what it needs may be secret and is not carried over ({})", keys.join(", "));
            notes.changed("service", &rules::title(service), why);
        }
        Self {
            dashboards: charts::dashboards(found, notes),
            rules,
            groups: sets::groups(&found.groups, notes),
            searches: sets::searches(&found.searches, &found.groups, notes),
        }
    }
}

/// Reads exports, and makes of them what can be made.
///
/// # Errors
/// When a file cannot be read, or the server cannot be asked.
pub(crate) fn run(args: &ImportArgs) -> Result<Status, Failure> {
    let mut found = Found::default();
    for path in &args.files {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let wrong = |why: String| Failure::Config(format!("{}: {why}", path.display()));
        found.add(&stem, &read(path, MOST)?).map_err(wrong)?;
    }
    let mut notes = Notes::default();
    let plan = Plan::of(&found, &mut notes);
    let mut told = Told::new(args.dry_run);
    let server = match &args.out {
        Some(_) => None,
        None => server::known(&args.server, args.account.as_deref())?,
    };
    match server {
        Some(server) => remote::apply(&plan, &server, args, &mut told)?,
        None => files::apply(&plan, args.out.as_deref().unwrap_or(Path::new(FOLDER)), args, &mut told)?,
    }
    let is_short = told.end(&notes, found.others.into_iter())?;
    Ok(if is_short { Status::BadInput } else { Status::Done })
}

/// A file of so many bytes at the most.
///
/// # Errors
/// When it cannot be read, or is larger.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| Failure::open(path, error))?;
    file.take(most + 1).read_to_end(&mut text).map_err(|error| Failure::open(path, error))?;
    if text.len() as u64 > most {
        return Err(Failure::Config(format!("{}: is above {} MB: take it in parts", path.display(), most >> 20)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
