//! `logdrain top`: what is eating the quota, answered from recorded input.

use crate::args::{Format, TopArgs};
use crate::input::{self, Items, RenderedLine};
use crate::sheet::{Column, Row, Sheet, wrap};
use crate::{replay, table};
use heroku_metrics::aggregator::{Explanation, Standing, StreamReport};
use heroku_metrics::syslog::{FramingError, RawFrame};
use heroku_metrics::{Pipeline, PipelineConfig, Plan};
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::{Failure, Status};
use logdrain_terms::number::human;
use logdrain_terms::plan;
use serde_json::json;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{BufWriter, IsTerminal as _, Write};

/// Half of what streams and windows may take.
const MEMORY: usize = 1 << 30;

pub(crate) fn run(args: &TopArgs) -> Result<Status, Failure> {
    let plan = plan::load(&args.plan)?.metrics;
    let aggregator =
        replay::unlimited(MEMORY).with_allowed_lateness(replay::TO_THE_END).with_max_future(replay::TO_THE_END);
    let config = PipelineConfig::new()
        .with_extractor(args.input.extractor())
        .with_aggregator(aggregator)
        .with_dialect(args.input.dialect())
        .with_recovery(args.input.recovery())
        .with_plan(plan.clone());
    let pipeline = Pipeline::new(config).map_err(|error| Failure::Config(error.to_string()))?;
    let mut counting = Counting { pipeline, is_bad: false };
    let mut status = Status::Done;
    for path in &args.input.files {
        if input::read(path, &args.input, false, &mut counting)?.is_bad() {
            status = Status::BadInput;
        }
    }
    let ledger = counting.pipeline.ledger();
    if args.input.strict
        && (counting.is_bad || ledger.total().refused_frames() > 0 || ledger.total().skipped_bytes() > 0)
    {
        status = Status::BadInput;
    }
    let explanation = counting.pipeline.aggregator().explain();
    let mut rows: Vec<_> = explanation.iter().collect();
    // What takes places first, then what would have.
    rows.sort_by_key(|row| {
        let dearest = Reverse((row.cost(), row.observations()));
        (is_turned_away(row), dearest, row.name(), row.tags(), row.kind(), row.unit())
    });
    let mut out = BufWriter::new(std::io::stdout());
    let terminal = std::io::stdout().is_terminal();
    if args.format.unwrap_or(if terminal { Format::Table } else { Format::Jsonl }) == Format::Table {
        let missed = counting.pipeline.ledger().total().values_not_in_plan();
        out.write_all(screen(&plan, &explanation, &rows, args.rows, missed, table::terminal_width()).as_bytes())?;
    } else {
        for row in &rows {
            let row = json!({
                "name": row.name(), "kind": row.kind().as_str(), "unit": row.unit().as_str(), "tags": row.tags(),
                "state": row.standing().as_str(), "cost": row.cost(), "observations": row.observations(),
                "first_seen": row.first_seen().to_string(),
            });
            logdrain_terms::json::line(&mut out, &row)?;
        }
    }
    out.flush()?;
    Ok(status)
}

/// Reads for the streams alone: no row is written.
struct Counting {
    pipeline: Pipeline,
    /// Whether rows of an archive could not be read.
    is_bad: bool,
}

impl Items for Counting {
    fn frame(&mut self, raw: RawFrame<'_>) -> Result<(), Failure> {
        self.pipeline.ingest_frame(raw, &mut ());
        Ok(())
    }

    fn lost_framing(&mut self, error: &FramingError) -> Result<(), Failure> {
        self.pipeline.ingest_skipped(error);
        Ok(())
    }

    fn line(&mut self, line: RenderedLine<'_>) -> Result<(), Failure> {
        self.pipeline.ingest_line(line.parsed, line.bytes, line.wire_len, &mut ());
        Ok(())
    }

    fn left_out(&mut self, bytes: u64, is_bad: bool) {
        self.is_bad |= is_bad;
        self.separators(bytes);
    }

    fn separators(&mut self, octets: u64) {
        self.pipeline.ingest_separators(octets);
    }

    fn pause(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// What the streams of one metric cost together.
#[derive(Default)]
struct Share {
    streams: u64,
    cost: u64,
    turned_away: u64,
    observations: u64,
}

fn is_turned_away(row: &StreamReport<'_>) -> bool {
    matches!(row.standing(), Standing::Folded | Standing::Refused)
}

/// The whole answer on one screen: the sum, the metrics by what they cost, the dearest streams.
fn screen(
    plan: &Plan,
    explanation: &Explanation<'_>,
    rows: &[&StreamReport<'_>],
    most: usize,
    missed: u64,
    width: Option<usize>,
) -> String {
    let mut shares: BTreeMap<&str, Share> = BTreeMap::new();
    for row in rows.iter().filter(|row| !matches!(row.standing(), Standing::Overflow | Standing::Exempt)) {
        let share = shares.entry(row.name()).or_default();
        share.observations += row.observations();
        if is_turned_away(row) {
            share.turned_away += 1;
        } else {
            share.streams += 1;
            share.cost += u64::from(row.cost());
        }
    }
    let turned_away: u64 = shares.values().map(|share| share.turned_away).sum();
    let number = |count: u64| human(count as f64, "");
    let limit =
        explanation.limit().map_or_else(|| "no limit".to_owned(), |limit| format!("of {}", number(limit.into())));
    let rule = explanation.rule().map_or("streams", |rule| rule.as_str()).replace('_', " ");
    let mut text = format!("plan {}: {} {rule} used, {limit}", Escaped(plan.name()), number(explanation.used()));
    if turned_away > 0 {
        text.push_str(&format!("; {} found no place and are in overflow streams", number(turned_away)));
    }
    if explanation.unlisted() > 0 {
        text.push_str(&format!("; {} observations of more streams than can be listed", number(explanation.unlisted())));
    }
    if missed > 0 {
        text.push_str(&format!("; {} values of metrics that the plan does not have", number(missed)));
    }
    if let Some(width) = width {
        text = wrap(&text, 0, width).join("\n");
    }
    text.push_str("\n\n");

    let mut by_cost: Vec<_> = shares.into_iter().collect();
    by_cost.sort_by_key(|(name, share)| (Reverse((share.cost, share.turned_away, share.observations)), *name));
    let columns = ["streams", "cost", "share", "no place", "observations"];
    let columns = columns.into_iter().zip([2, 0, 1, 4, 3]).map(|(title, spare)| Column::number(title, spare));
    let mut metrics = Sheet::new(("metric", ""), columns.collect());
    for (name, share) in by_cost.iter().take(most) {
        let part = share.cost as f64 * 100.0 / explanation.used().max(1) as f64;
        metrics.rows.push(Row {
            name: Escaped(name).to_string(),
            text: String::new(),
            cells: vec![
                number(share.streams),
                number(share.cost),
                format!("{part:.0}%"),
                number(share.turned_away),
                number(share.observations),
            ],
        });
    }
    finish(&mut text, &metrics, width);
    more(&mut text, by_cost.len().saturating_sub(most), "metrics", width);

    let columns = vec![
        Column::number("cost", 0),
        Column::number("observations", 2),
        Column::word("first seen", 3),
        Column::word("state", 1),
    ];
    let mut streams = Sheet::new(("stream", "tags"), columns);
    for row in rows.iter().take(most) {
        streams.rows.push(Row {
            name: Escaped(row.name()).to_string(),
            text: table::shown_tags(row.tags()),
            cells: vec![
                number(row.cost().into()),
                number(row.observations()),
                row.first_seen().to_string(),
                row.standing().as_str().to_owned(),
            ],
        });
    }
    text.push('\n');
    finish(&mut text, &streams, width);
    more(&mut text, rows.len().saturating_sub(most), "streams", width);
    text
}

fn finish(text: &mut String, sheet: &Sheet, width: Option<usize>) {
    for (_, line) in sheet.lines(width).0 {
        text.push_str(&line);
        text.push('\n');
    }
}

fn more(text: &mut String, left: usize, what: &str, width: Option<usize>) {
    if left > 0 {
        let line = format!("and {} more {what}: --rows N or --format jsonl", human(left as f64, ""));
        text.push_str(&wrap(&line, 1, width.unwrap_or(usize::MAX)).join("\n"));
        text.push('\n');
    }
}
