//! `logdrain archive`: which archives a server has, and their download.

mod download;

use crate::args::archive::{ArchiveAction, ArchiveArgs, GetArgs, OfServer};
use crate::search::time_range;
use crate::server::{self, Server};
use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use log_archive::Period;
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::{Failure, Status, say};
use logdrain_terms::number::human;
use logdrain_terms::times::{self, Side};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::Write as _;

/// An archive, as the API lists it; what else it says is let go.
#[derive(Debug, Deserialize, Serialize)]
struct Listed {
    filename: String,
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    end: Option<String>,
    #[serde(default)]
    filesize: Option<Size>,
}

/// The API says digits, and others may say a number.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum Size {
    Number(u64),
    Text(String),
}

impl Size {
    fn bytes(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

pub(crate) fn run(args: &ArchiveArgs) -> Result<Status, Failure> {
    let known = |of: &OfServer| server::needed(&of.server, of.account.as_deref());
    match &args.action {
        ArchiveAction::List { json, server } => list(&known(server)?, *json),
        ArchiveAction::Get(args) => get(&known(&args.server)?, args),
    }
}

fn listed(server: &Server) -> Result<Vec<Listed>, Failure> {
    server.get("/api/v1/archives.json", &[]).map_err(|error| server.failure(&error))
}

fn list(server: &Server, is_json: bool) -> Result<Status, Failure> {
    let all = listed(server)?;
    let mut out = Vec::new();
    for archive in &all {
        if is_json {
            logdrain_terms::json::line(&mut out, archive)?;
            continue;
        }
        let bytes = archive.filesize.as_ref().and_then(Size::bytes);
        let size = bytes.map_or_else(|| "-".to_owned(), |bytes| human(bytes as f64, "bytes"));
        writeln!(out, "{}  {size:>10}", Escaped(&archive.filename))?;
    }
    std::io::stdout().write_all(&out)?;
    if all.is_empty() {
        say(format_args!("logdrain: {}: has no archives; an hour is one minutes after it is over", server.base()));
    }
    Ok(Status::Done)
}

fn get(server: &Server, args: &GetArgs) -> Result<Status, Failure> {
    let periods = periods(server, args)?;
    if periods.is_empty() {
        say(format_args!("logdrain: no archive lies in this range; `logdrain archive list` tells which there are"));
        return Ok(Status::BadInput);
    }
    std::fs::create_dir_all(&args.output).map_err(|error| Failure::create(&args.output.join("x"), &error))?;
    let mut status = Status::Done;
    for period in periods {
        if !download::get(server, period, &args.output)? {
            status = Status::BadInput;
        }
    }
    Ok(status)
}

/// What is asked for, each once.
fn periods(server: &Server, args: &GetArgs) -> Result<BTreeSet<Period>, Failure> {
    let now = ZonedDateTime::now().with_time_zone(TimeZone::UTC);
    let mut periods = BTreeSet::new();
    for text in &args.dates {
        let day = match text.parse::<Period>() {
            Ok(period) if period.is_day() => period,
            Ok(_) => return Err(Failure::Config(format!("--date {}: is an hour: --hour {0}", Escaped(text)))),
            Err(_) => {
                let time = times::parse(text, &now, Side::Earliest)
                    .map_err(|error| Failure::Config(format!("--date {}: {error}", Escaped(text))))?;
                Period::hour_of(time.unix_micros).day()
            }
        };
        periods.insert(day);
    }
    for text in &args.hours {
        let hour =
            text.parse::<Period>().ok().filter(|period| !period.is_day()).ok_or_else(|| {
                Failure::Config(format!("--hour {}: write it as 2026-11-28-22, in UTC", Escaped(text)))
            })?;
        periods.insert(hour);
    }
    if args.min_time.is_none() && args.max_time.is_none() {
        if periods.is_empty() {
            return Err(Failure::Config(
                "nothing is asked for: --date 2026-11-28, --hour 2026-11-28-22, or --min-time and --max-time"
                    .to_owned(),
            ));
        }
        return Ok(periods);
    }
    // Words mean the clock of whoever types them; the hours are those of UTC.
    let here = ZonedDateTime::now();
    let range = time_range(args.min_time.as_deref(), args.max_time.as_deref(), &here)?;
    let of_list = listed(server)?.into_iter().filter_map(|archive| Period::of_file_name(&archive.filename));
    periods.extend(of_list.filter(|period| {
        !period.is_day()
            && range.earliest.is_none_or(|earliest| period.end() > earliest)
            && range.latest.is_none_or(|latest| period.start() <= latest)
    }));
    Ok(periods)
}
