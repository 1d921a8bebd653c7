//! `logdrain chart`: a picture of rows or logs, without a server.
//!
//! ```text
//! rows -> Printed -+-> Gathered -> Series -> chart::Plot -> SVG, CSV, words
//! logs -> RowBuf  -+
//! ```
//!
//! Printed rows have the percentiles of their streams and not their values: those of several streams, or of longer steps,
//! cannot be told from them, and are refused. Of logs they can, since rows that are made here keep all that they hold.

mod asked;
mod gathered;
mod logs;
mod rows;

use crate::args::chart::{ChartArgs, Drawn};
use asked::Wanted;
use gathered::Gathered;
use heroku_metrics::model;
use jiff::tz::TimeZone;
use logdrain_charts::chart::{self, Kind, Plot};
use logdrain_charts::series::Function;
use logdrain_terms::failure::{Failure, Status};
use logs::Logs;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

/// A picture by itself has more room than one of many on a page.
const HEIGHT: u32 = 280;

pub(crate) fn run(args: &ChartArgs) -> Result<Status, Failure> {
    let zone = args.input.tz.clone().unwrap_or_else(TimeZone::system);
    let is_csv = match &args.output {
        None => false,
        Some(path) => is_csv(path)?,
    };
    let (wanted, functions) = Wanted::new(args, &zone)?;
    let mut gathered = Gathered::new(wanted);
    let (status, marks) = read(args, &mut gathered)?;
    let functions = if functions.is_empty() { vec![usual(gathered.kind())] } else { functions };
    let all = gathered.series(&functions, usize::from(args.lines))?;

    let title = args.title.as_deref().unwrap_or(&args.metric);
    let kind = match args.kind {
        Drawn::Line => Kind::Line,
        Drawn::Stacked => Kind::Stacked,
        Drawn::Bars => Kind::Bars,
    };
    let Some((first, function)) = all.first().zip(functions.first()) else { return Ok(status) };
    let mut plot = Plot::empty("chart", title, kind, first, *function, zone);
    // One function of several lines is in the line above the picture, and in no name.
    let is_named = functions.len() > 1 || gathered.wanted.group_by.is_empty();
    for (series, function) in all.iter().zip(&functions) {
        let name = if is_named { function.to_string() } else { String::new() };
        plot.add(series, &name);
    }
    plot.about = about(args, &gathered, &functions);
    plot.height = HEIGHT;
    plot.marks = marks;
    write(args, is_csv, &plot)?;
    Ok(status)
}

fn is_csv(path: &Path) -> Result<bool, Failure> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("svg") => Ok(false),
        Some("csv") => Ok(true),
        _ => Err(Failure::Config(format!("{}: a picture is named .svg, and its numbers .csv", path.display()))),
    }
}

/// What is drawn of a metric when nothing is said.
fn usual(kind: Option<model::Kind>) -> Function {
    match kind {
        Some(model::Kind::Count) => Function::Sum,
        Some(model::Kind::Sample) => Function::Avg,
        _ => Function::Quantile(0.95),
    }
}

/// Rows or logs, by how each file begins.
fn read(args: &ChartArgs, gathered: &mut Gathered) -> Result<(Status, Vec<chart::Mark>), Failure> {
    let (mut kept, mut logs, mut status) = (rows::Kept::default(), None, Status::Done);
    for path in &args.input.files {
        if rows::are_rows(path)? {
            rows::read(path, gathered, &mut kept)?;
            continue;
        }
        let logs = match &mut logs {
            Some(logs) => logs,
            none => none.insert(Logs::new(args)?),
        };
        status = status.max(logs.read(path, &args.input)?);
    }
    kept.add_to(gathered)?;
    let marks = logs.map_or(Ok(Vec::new()), |logs| logs.add_to(gathered))?;
    Ok((status, marks))
}

/// What is drawn, in one line.
fn about(args: &ChartArgs, gathered: &Gathered, functions: &[Function]) -> String {
    let names: Vec<_> = functions.iter().map(|function| function.to_string()).collect();
    let mut about = format!("{} of {}", names.join(", "), gathered.wanted.name);
    for tag in &args.tags {
        about.push_str(&format!(" {}{}{}", tag.key, if tag.is_negated { "!=" } else { "=" }, tag.value));
    }
    if !gathered.wanted.group_by.is_empty() {
        about.push_str(&format!(" by {}", gathered.wanted.group_by.join(", ")));
    }
    about
}

fn write(args: &ChartArgs, is_csv: bool, plot: &Plot) -> Result<(), Failure> {
    let text = if is_csv { chart::csv(plot) } else { chart::svg_file(plot) };
    if let Some(path) = &args.output {
        return std::fs::write(path, text).map_err(|error| Failure::create(path, &error));
    }
    let mut out = std::io::stdout();
    if out.is_terminal() {
        // Nobody reads markup.
        writeln!(
            out,
            "{}\n{}\nThe picture: -o chart.svg. Its numbers: -o chart.csv.",
            plot.about,
            chart::describe(plot)
        )?;
    } else {
        out.write_all(text.as_bytes())?;
    }
    out.flush()?;
    Ok(())
}
