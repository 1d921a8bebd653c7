//! What there is to see from outside: the books of each drain, its quota, its last closed minutes. The thread of the
//! pipelines puts it up; `/metrics` and the page read it, and neither waits for the other for long.

use crate::counting::pipelines::Pipelines;
use crate::outlets::{Outlet, Row, Stopped};
use crate::parts::Part;
use crate::settings::Settings;
use heroku_metrics::Ledger;
use heroku_metrics::aggregator::Standing;
use heroku_metrics::model::{DataPoint, DataPointBuf, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Rows of a window that are shown, and how many bytes their names and tags may take; the rest is counted.
const ROWS: usize = 500;
const ROW_BYTES: usize = 512 << 10;
/// Windows, and the time at least, after which the last window of a drain that went silent is shown no more.
const SILENT_WINDOWS: u32 = 5;
const SILENT_AT_LEAST: Duration = Duration::from_secs(30);
/// The most bytes that the board takes for one drain: its rows, its lines, its streams that cost most.
pub const DRAIN_BYTES: usize = 1 << 20;
/// Windows that a sparkline shows.
pub const HISTORY: usize = 60;
/// Metrics that have one.
const LINES: usize = 12;
/// How far back rates look, twice a second.
const SAMPLES: usize = 20;
/// Streams that are listed as what costs most.
const TOP: usize = 10;

/// The board itself, shared.
#[derive(Clone, Debug, Default)]
pub struct Board {
    shown: Arc<Mutex<Shown>>,
    /// Who puts it up for one partition alone takes nothing of others down.
    part: Option<Part>,
}

#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The last move of the watermark.
    pub time: Option<Timestamp>,
    pub drains: BTreeMap<Arc<str>, Drain>,
    /// Windows that began before this are shown no more.
    since: Option<Timestamp>,
    /// When, and how many deliveries and lines there had been.
    samples: VecDeque<(Instant, u64, u64)>,
}

impl Shown {
    /// Deliveries and lines a second, lately.
    pub fn rates(&self) -> (f64, f64) {
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

#[derive(Clone, Debug, Default)]
pub struct Drain {
    pub ledger: Option<Ledger>,
    pub streams: usize,
    pub open_windows: usize,
    pub memory: usize,
    /// When its last delivery came, as far as that was since the start.
    pub heard: Option<Timestamp>,
    pub quota_used: u64,
    pub quota_limit: Option<u32>,
    pub top: Arc<[Stream]>,
    pub window: Window,
    pub lines: BTreeMap<String, Line>,
}

/// A stream and what it costs.
#[derive(Debug)]
pub struct Stream {
    pub name: String,
    pub tags: String,
    pub standing: Standing,
    pub cost: u32,
    pub observations: u64,
}

/// The last window that was closed.
#[derive(Clone, Debug, Default)]
pub struct Window {
    pub start: Option<Timestamp>,
    /// Shared, so that a copy of the board is made in no time.
    pub rows: Vec<Arc<DataPointBuf>>,
    pub bytes: usize,
    /// Rows beyond those.
    pub more: u64,
}

/// One number a window, over all tags of a metric: the sum of a count, the number of values of the others.
#[derive(Clone, Debug, Default)]
pub struct Line(pub VecDeque<(i64, f64)>);

impl Board {
    /// The same board, for who puts up one partition of several.
    pub fn of(&self, part: Part) -> Self {
        Self { shown: self.shown.clone(), part: Some(part) }
    }

    /// Takes all of a partition down: another node counts it.
    pub fn clear(&self) {
        let is_other = |key: &str| self.part.is_some_and(|part| part.all().of(key) != part);
        self.look().drains.retain(|key, _| is_other(key));
    }

    fn look(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is up now. Whoever makes a text of it does not hold the pipelines up meanwhile.
    pub fn copy(&self) -> Shown {
        self.look().clone()
    }

    /// How many streams the drains have that are meant, and how many they may have in all; `None` when one of them may have
    /// any number.
    pub fn streams(&self, is_meant: impl Fn(&str) -> bool) -> (u64, Option<u64>) {
        let shown = self.look();
        let meant = || shown.drains.iter().filter(|(key, _)| is_meant(key)).map(|(_, drain)| drain);
        let used =
            meant().map(|drain| if drain.quota_limit.is_some() { drain.quota_used } else { drain.streams as u64 });
        let allowed = meant().map(|drain| drain.quota_limit.map(u64::from)).sum::<Option<u64>>();
        (used.sum(), allowed.filter(|_| meant().next().is_some()))
    }

    /// Puts up how the pipelines stand. `with_top` adds what costs most, which looks at every stream.
    pub fn show(&self, pipelines: &Pipelines, deliveries: u64, with_top: bool) {
        let mut lines = 0;
        for (key, pipeline) in pipelines.drains() {
            let ledger = pipeline.ledger();
            lines += ledger.total().frames();
            let aggregator = pipeline.aggregator();
            let explained = with_top.then(|| {
                let explanation = pipeline.aggregator().explain();
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
            drain.memory = aggregator.memory() + pipelines.memory_aside(key);
            drain.heard = pipelines.heard(key).or(drain.heard);
            drain.ledger = Some(ledger);
            if let Some((used, limit, top)) = explained {
                (drain.quota_used, drain.quota_limit, drain.top) = (used, limit, top);
            }
        }
        let mut shown = self.look();
        // Who lost its place is shown no more.
        let is_other = |key: &str| self.part.is_some_and(|part| part.all().of(key) != part);
        shown.drains.retain(|key, _| pipelines.has(key) || is_other(key));
        shown.forget_silent(pipelines.settings());
        if self.part.is_some() {
            lines = shown
                .drains
                .values()
                .filter_map(|drain| drain.ledger.as_ref())
                .map(|ledger| ledger.total().frames())
                .sum();
        }
        shown.samples.push_back((Instant::now(), deliveries, lines));
        if shown.samples.len() > SAMPLES {
            shown.samples.pop_front();
        }
    }
}

/// The board sees every row that goes out.
impl Outlet for Board {
    fn write(&mut self, row: &Row<'_>) -> Result<(), Stopped> {
        let mut shown = self.look();
        if !shown.drains.contains_key(row.drain) {
            shown.drains.insert(row.drain.into(), Drain::default());
        }
        let is_old = shown.since.is_some_and(|since| row.point.window().start() < since);
        if let Some(drain) = shown.drains.get_mut(row.drain) {
            if !is_old {
                drain.window.enter(row);
            }
            drain.draw(row);
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<bool, Stopped> {
        Ok(true)
    }
}

impl Shown {
    /// Takes the last windows of drains down that have said nothing for some windows.
    fn forget_silent(&mut self, settings: &Settings) {
        let behind = settings.window() + settings.lateness();
        let silence = (settings.window() * SILENT_WINDOWS).max(SILENT_AT_LEAST);
        let Some(time) = self.time else { return };
        let since = time.earlier(behind + silence);
        self.since = Some(since);
        for drain in self.drains.values_mut() {
            if drain.window.start.is_some_and(|start| start < since) {
                drain.window = Window::default();
            }
        }
    }
}

impl Window {
    fn enter(&mut self, row: &Row<'_>) {
        let point = row.point;
        let start = point.window().start();
        if self.start.is_none_or(|shown| shown < start) {
            *self = Self { start: Some(start), ..Self::default() };
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
                // Its name and tags are the same, so it takes as much as before.
                *same = Arc::new(point.to_buf());
                return;
            }
        }
        let bytes = text_bytes(point);
        if self.rows.len() < ROWS && self.bytes + bytes <= ROW_BYTES {
            self.bytes += bytes;
            self.rows.push(Arc::new(point.to_buf()));
        } else {
            self.more += 1;
        }
    }
}

/// What the name and the tags of a row take.
fn text_bytes(point: &DataPoint<'_>) -> usize {
    point.name().len() + point.tags().iter().map(|(key, value)| key.len() + value.len()).sum::<usize>()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, Event, Record};
    use crate::settings::DrainLimits;

    fn pipelines() -> Pipelines {
        Pipelines::new(Settings {
            apps: BTreeMap::new(),
            accounts: BTreeMap::new(),
            next_id: 0,
            window_ms: 60_000,
            lateness_ms: 60_000,
            horizon_ms: 3_600_000,
            extended: false,
            websockets: true,
            reading: logdrain_terms::reading::Reading::default(),
            limits: DrainLimits::within(64 << 20).unwrap(),
            drains: BTreeMap::new(),
        })
    }

    fn deliver(pipelines: &mut Pipelines, board: &mut Board, drain: &str, line: &str) {
        let line = format!("<190>1 2026-03-14T09:26:53Z host app web.1 - {line}");
        let body = Body::new(format!("{} {line}", line.len()).into_bytes(), None);
        let time = Timestamp::from_unix_seconds(1_773_480_413);
        let record = Record::new(drain.into(), time, body);
        pipelines.apply(pipelines.position() + 1, &Event::Delivery(record), board).unwrap();
    }

    fn tick(pipelines: &mut Pipelines, board: &mut Board, seconds: i64) {
        let time = Timestamp::from_unix_seconds(1_773_480_413 + seconds);
        pipelines.apply(pipelines.position() + 1, &Event::Tick(time), board).unwrap();
        board.show(pipelines, 0, false);
    }

    #[test]
    fn the_last_window_of_a_drain_that_went_silent_is_taken_down_after_some_windows() {
        let (mut pipelines, mut board) = (pipelines(), Board::default());
        deliver(&mut pipelines, &mut board, "d.1", "count#n=1");
        tick(&mut pipelines, &mut board, 120);
        let rows = |board: &Board| board.copy().drains["d.1"].window.rows.len();
        assert_eq!(rows(&board), 1);
        tick(&mut pipelines, &mut board, 5 * 60);
        assert_eq!(rows(&board), 1);
        tick(&mut pipelines, &mut board, 8 * 60);
        assert_eq!(rows(&board), 0);
        // Nor does a late line bring it back.
        deliver(&mut pipelines, &mut board, "d.1", "count#n=1");
        tick(&mut pipelines, &mut board, 9 * 60);
        assert_eq!(rows(&board), 0);
    }

    #[test]
    fn a_drain_takes_a_bounded_place_on_the_board() {
        let (mut pipelines, mut board) = (pipelines(), Board::default());
        let tags: String = (0..40).map(|n| format!(" tag#{}{n}={}", "k".repeat(50), "v".repeat(200))).collect();
        for n in 0..200 {
            deliver(&mut pipelines, &mut board, "d.1", &format!("count#n{n}=1{tags}"));
        }
        tick(&mut pipelines, &mut board, 120);
        let window = board.copy().drains.remove("d.1").unwrap().window;
        assert!(window.bytes <= ROW_BYTES && window.bytes > ROW_BYTES - 20_000, "{}", window.bytes);
        assert_eq!(window.rows.len() as u64 + window.more, 200);
    }
}
