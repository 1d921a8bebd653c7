//! `logdrain compare`: series that were saved from AppOptics or Librato, beside the minutes that a server here kept of the same
//! time.
//!
//! ```text
//! files -> exported --+-> beside -> what is equal, near, different, missing, extra
//! server (/v1/measurements) --+
//! ```

mod beside;
mod exported;

use crate::args::compare::CompareArgs;
use crate::import::metrics::Metric as Named;
use crate::server::{self, Server};
use beside::{Counts, Difference, beside};
use exported::{Exported, Metric, Tags};
use hyper::StatusCode;
use jiff::{Timestamp, ZonedDateTime};
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::{Failure, Status};
use logdrain_terms::times::{self, Side};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Write as _};

/// The most bytes of a file.
const MOST: u64 = 256 << 20;
/// So many steps are asked for at a time.
const STEPS: i64 = 1_000;
/// The most steps from the first to the last: two years of minutes. One time that is far off would ask for ever.
const MOST_STEPS: i64 = 1_000_000;

/// Values by tags, of a server.
type Here = BTreeMap<Tags, BTreeMap<i64, f64>>;

/// Compares, and says what differs.
///
/// # Errors
/// When a file cannot be read, or the server cannot be asked.
pub(crate) fn run(args: &CompareArgs) -> Result<Status, Failure> {
    let mut exported = Exported::default();
    for path in &args.files {
        let text = crate::import::read(path, MOST)?;
        let wrong = |why: String| Failure::Config(format!("{}: {why}", path.display()));
        exported.add(&text, args.function).map_err(wrong)?;
    }
    let now = ZonedDateTime::now();
    let time = |name: &str, text: &Option<String>, side: Side| -> Result<Option<i64>, Failure> {
        let Some(text) = text else { return Ok(None) };
        let found = times::parse(text, &now, side).map_err(|error| Failure::Config(format!("{name}: {error}")))?;
        Ok(Some(found.unix_micros.div_euclid(1_000_000)))
    };
    let (from, to) = (time("--from", &args.from, Side::Earliest)?, time("--to", &args.to, Side::Latest)?);
    let server = server::needed(&args.server, args.account.as_deref())?;
    let mut all = Counts::default();
    for (name, metric) in &exported.metrics {
        all += compare(&server, args, name, metric, (from, to))?;
    }
    let Counts { equal, within, different, missing, extra } = all;
    let said = format!(
        "{} steps: {equal} equal, {within} within {}%, {different} different, {missing} missing here, {extra} extra here",
        all.compared(),
        args.tolerance * 100.0
    );
    print(&said)?;
    if all.compared() == 0 {
        print("nothing was compared: no exported value is in that time")?;
    }
    Ok(if all.differs() || all.compared() == 0 { Status::BadInput } else { Status::Done })
}

fn compare(
    server: &Server,
    args: &CompareArgs,
    name: &str,
    metric: &Metric,
    (from, to): (Option<i64>, Option<i64>),
) -> Result<Counts, Failure> {
    let times = || metric.series.values().flat_map(|values| values.keys().copied());
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(Counts::default()) };
    // Whole steps alone: of a part there would be less here.
    let from = from.map_or(first, |from| from.max(first));
    let start = from.div_euclid(metric.step) * metric.step;
    let start = if start < from { start + metric.step } else { start };
    let end = to.map_or(last + metric.step, |to| to.min(last + metric.step)).div_euclid(metric.step) * metric.step;
    let named = Named::of(name).full();
    if (end - start) / metric.step > MOST_STEPS {
        return Err(Failure::Config(too_long(&named, (start, end))));
    }
    let here = here(server, args, &named, metric.step, (start, end))?;
    let nothing = BTreeMap::new();
    let within = |values: &BTreeMap<i64, f64>| -> BTreeMap<i64, f64> {
        if start < end {
            values.range(start..end).map(|(time, value)| (*time, *value)).collect()
        } else {
            BTreeMap::new()
        }
    };
    let mut counts = Counts::default();
    for (tags, values) in &metric.series {
        let (found, differences) =
            beside(&within(values), here.get(tags).unwrap_or(&nothing), args.tolerance, args.show);
        tell(&named, tags, found, &differences)?;
        counts += found;
    }
    for (tags, values) in here.iter().filter(|(tags, _)| !metric.series.contains_key(*tags)) {
        let (found, differences) = beside(&nothing, values, args.tolerance, 0);
        tell(&named, tags, found, &differences)?;
        counts += found;
    }
    Ok(counts)
}

fn too_long(name: &str, (start, end): (i64, i64)) -> String {
    let at = |time| Timestamp::from_second(time).map(|at| at.to_string()).unwrap_or_default();
    format!(
        "{}: the export goes from {} to {}, which is more than {MOST_STEPS} steps: compare a part of it (--from, --to)",
        Escaped(name),
        at(start),
        at(end)
    )
}

/// What the server has of a metric: a line for each stream.
fn here(server: &Server, args: &CompareArgs, name: &str, step: i64, (start, end): (i64, i64)) -> Result<Here, Failure> {
    let mut here = Here::new();
    let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let path = format!("/v1/measurements/{name}");
    let mut from = start;
    while from < end {
        let to = end.min(from + STEPS * step);
        let [start, end, step_text] = [from, to, step].map(|number| number.to_string());
        let parameters = [
            ("start_time", start.as_str()),
            ("end_time", end.as_str()),
            ("resolution", step_text.as_str()),
            ("summary_function", args.function.word()),
        ];
        from = to;
        let answer: Value = match server.get(&path, &parameters) {
            Ok(answer) => answer,
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => continue,
            Err(error) => return Err(server.failure(&error)),
        };
        if answer["resolution"].as_i64() != Some(step) {
            let there = answer["resolution"].as_i64().unwrap_or_default();
            return Err(Failure::Config(format!(
                "{}: of that time there are steps of {there} s here, and the export has {step} s: export it with that \
                 resolution, or compare a later time (--from)",
                Escaped(&name)
            )));
        }
        for line in answer["series"].as_array().into_iter().flatten() {
            let lower = |(key, value): (&String, &Value)| Some((key.to_lowercase(), value.as_str()?.to_lowercase()));
            let mut tags: Tags = line["tags"].as_object().into_iter().flatten().filter_map(lower).collect();
            tags.sort();
            let values = here.entry(tags).or_default();
            for one in line["measurements"].as_array().into_iter().flatten() {
                if let (Some(time), Some(value)) = (one["time"].as_i64(), one["value"].as_f64()) {
                    values.insert(time, value);
                }
            }
        }
    }
    // A stream that was silent all the time is none.
    here.retain(|_, values| !values.is_empty());
    Ok(here)
}

fn tell(name: &str, tags: &Tags, counts: Counts, differences: &[Difference]) -> Result<(), Failure> {
    if !counts.differs() {
        return Ok(());
    }
    let tags: Vec<_> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let Counts { different, missing, extra, .. } = counts;
    print(&format!(
        "{} {{{}}}: of {} steps {different} different, {missing} missing here, {extra} extra here",
        name,
        tags.join(","),
        counts.compared()
    ))?;
    for (time, there, here) in differences {
        let at = Timestamp::from_second(*time).map(|at| at.to_string()).unwrap_or_default();
        let value = |value: &Option<f64>| value.map_or("nothing".to_owned(), |value| value.to_string());
        print(&format!("  {at}  exported {}  here {}", value(there), value(here)))?;
    }
    Ok(())
}

fn print(said: &str) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{}", Escaped(said)).map_err(Failure::Write)
}
