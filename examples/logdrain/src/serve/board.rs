//! What there is to see from outside: the books of each drain, its quota, its last closed minutes. The thread of the
//! pipelines puts it up; `/metrics` and the page read it, and neither waits for the other for long.

use super::pipeline::Pipelines;
use super::sinks::{Row, RowSink, Stopped};
use heroku_metrics::Ledger;
use heroku_metrics::aggregator::Standing;
use heroku_metrics::model::{DataPointBuf, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Rows of a window that are shown; the rest is counted.
const ROWS: usize = 500;
/// Windows that a sparkline shows.
pub(crate) const HISTORY: usize = 60;
/// Metrics that have one.
const LINES: usize = 12;
/// How far back rates look, twice a second.
const SAMPLES: usize = 20;
/// Streams that are listed as what costs most.
const TOP: usize = 10;

/// The board itself, shared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<Shown>>);

#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// The last move of the watermark.
    pub(crate) time: Option<Timestamp>,
    pub(crate) drains: BTreeMap<Arc<str>, Drain>,
    /// When, and how many deliveries and lines there had been.
    samples: VecDeque<(Instant, u64, u64)>,
}

impl Shown {
    /// Deliveries and lines a second, lately.
    pub(crate) fn rates(&self) -> (f64, f64) {
        let (Some((from, deliveries, lines)), Some((to, more_deliveries, more_lines))) =
            (self.samples.front(), self.samples.back())
        else {
            return (0.0, 0.0);
        };
        let seconds = to.duration_since(*from).as_secs_f64().max(0.001);
        let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
        (rate(*deliveries, *more_deliveries), rate(*lines, *more_lines))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Drain {
    pub(crate) ledger: Option<Ledger>,
    pub(crate) streams: usize,
    pub(crate) open_windows: usize,
    pub(crate) memory: usize,
    pub(crate) quota_used: u64,
    pub(crate) quota_limit: Option<u32>,
    pub(crate) top: Vec<Stream>,
    pub(crate) window: Window,
    pub(crate) lines: BTreeMap<String, Line>,
}

/// A stream and what it costs.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) tags: String,
    pub(crate) standing: Standing,
    pub(crate) cost: u32,
    pub(crate) observations: u64,
}

/// The last window that was closed.
#[derive(Debug, Default)]
pub(crate) struct Window {
    pub(crate) start: Option<Timestamp>,
    pub(crate) rows: Vec<DataPointBuf>,
    /// Rows beyond those.
    pub(crate) more: u64,
}

/// One number a window, over all tags of a metric: the sum of a count, the number of values of the others.
#[derive(Debug, Default)]
pub(crate) struct Line(pub(crate) VecDeque<(i64, f64)>);

impl Board {
    pub(crate) fn look(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts up how the pipelines stand. `with_top` adds what costs most, which looks at every stream.
    pub(crate) fn show(&self, pipelines: &Pipelines, deliveries: u64, with_top: bool) {
        let mut lines = 0;
        for (key, pipeline) in pipelines.drains() {
            let ledger = pipeline.ledger();
            lines += ledger.total().frames();
            let aggregator = pipeline.aggregator();
            let explained = with_top.then(|| {
                let explanation = pipeline.explain();
                let mut reports: Vec<_> = explanation.iter().collect();
                reports.sort_by_key(|report| std::cmp::Reverse((report.cost(), report.observations())));
                let top = reports.iter().take(TOP).map(|report| Stream {
                    name: report.name().to_owned(),
                    tags: report
                        .tags()
                        .iter()
                        .map(|(key, value)| format!("{key}={value}"))
                        .collect::<Vec<_>>()
                        .join(" "),
                    standing: report.standing(),
                    cost: report.cost(),
                    observations: report.observations(),
                });
                (explanation.used(), explanation.limit(), top.collect())
            });
            let mut shown = self.look();
            shown.time = pipelines.time();
            let drain = shown.drains.entry(key.clone()).or_default();
            drain.streams = aggregator.streams();
            drain.open_windows = aggregator.open_windows();
            drain.memory = aggregator.memory();
            drain.ledger = Some(ledger);
            if let Some((used, limit, top)) = explained {
                (drain.quota_used, drain.quota_limit, drain.top) = (used, limit, top);
            }
        }
        let mut shown = self.look();
        shown.samples.push_back((Instant::now(), deliveries, lines));
        if shown.samples.len() > SAMPLES {
            shown.samples.pop_front();
        }
    }
}

/// The board sees every row that goes out.
impl RowSink for Board {
    fn write(&mut self, row: &Row<'_>) -> Result<(), Stopped> {
        let mut shown = self.look();
        if !shown.drains.contains_key(row.drain) {
            shown.drains.insert(row.drain.into(), Drain::default());
        }
        if let Some(drain) = shown.drains.get_mut(row.drain) {
            drain.window.enter(row);
            drain.draw(row);
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<bool, Stopped> {
        Ok(true)
    }
}

impl Window {
    fn enter(&mut self, row: &Row<'_>) {
        let point = row.point;
        let start = point.window().start();
        if self.start.is_none_or(|shown| shown < start) {
            *self = Self { start: Some(start), rows: Vec::new(), more: 0 };
        }
        if self.start != Some(start) {
            return;
        }
        if point.revision() > 0 {
            let same = self.rows.iter_mut().find(|known| {
                let known = known.as_point();
                (known.name(), known.kind(), known.unit(), known.tags())
                    == (point.name(), point.kind(), point.unit(), point.tags())
            });
            if let Some(same) = same {
                *same = point.to_buf();
                return;
            }
        }
        if self.rows.len() < ROWS { self.rows.push(point.to_buf()) } else { self.more += 1 }
    }
}

impl Drain {
    fn draw(&mut self, row: &Row<'_>) {
        let point = row.point;
        // A revision says all of its window again: what is drawn is the first word.
        if point.revision() > 0 {
            return;
        }
        if !self.lines.contains_key(point.name()) {
            if self.lines.len() == LINES {
                return;
            }
            self.lines.insert(point.name().to_owned(), Line::default());
        }
        let stats = point.stats();
        let value = match point.kind() {
            heroku_metrics::model::Kind::Count => stats.sum(),
            _ => stats.observations() as f64,
        };
        let start = point.window().start().unix_micros();
        if let Some(Line(points)) = self.lines.get_mut(point.name()) {
            match points.iter_mut().rev().find(|(at, _)| *at == start) {
                Some((_, sum)) => *sum += value,
                None => points.push_back((start, value)),
            }
            if points.len() > HISTORY {
                points.pop_front();
            }
        }
    }
}
