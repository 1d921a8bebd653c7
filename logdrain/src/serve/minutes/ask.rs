//! A question, answered from the pieces: newest first, so that what finds no room is what is gone longest.

use super::MinutesError;
use super::block::{self, Key};
use super::file::{HOUR, HOURS, MINUTES, QUARTERS};
use super::keeper::fresh_hours;
use super::open::OpenRows;
use super::select::{is_selected, line};
use super::writing::at;
use crate::series::{Asked, Function, Line, Series, Span};
use heroku_metrics::aggregator::{MinuteSketch, RowState};
use heroku_metrics::model::Kind;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Instant;

/// The most values of an answer, over all lines.
pub(crate) const MOST_VALUES: usize = 200_000;
/// The most steps of an answer: a day of minutes and some.
pub(crate) const MOST_STEPS: usize = 2_000;
/// Sums that are added up at a time, and those that have sketches.
const MOST_SUMS: usize = 60_000;
const MOST_SKETCHES: usize = 6_000;
/// What the sketches take at most; looked at after so many pieces.
const MOST_BYTES: usize = 8 << 20;
const LOOKED_AT: usize = 4;
/// Streams that one question goes through.
const MOST_STREAMS: usize = 40_000;
/// What one question takes, with a piece and its answer.
pub(super) const MEMORY: usize = 32 << 20;
const DAY: i64 = 24;

/// Steps that are drawn, in seconds.
const STEPS: [u32; 20] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
];

/// How old the levels are, at most, in hours.
pub(super) type Kept = [i64; 3];

/// What a question needs to know besides.
#[derive(Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) account: &'a str,
    /// The drains that may be seen; `None` is all of them.
    pub(super) drains: Option<&'a [String]>,
    /// In milliseconds.
    pub(super) now: i64,
    /// Before this time every window is closed, in milliseconds.
    pub(super) closed: i64,
    /// How long windows are, in milliseconds.
    pub(super) window: i64,
    pub(super) kept: Kept,
    pub(super) until: Instant,
}

/// The step that a span is drawn in: as asked, or else as long as it is usual for such a span; longer where there would be
/// too many, or where shorter ones are not kept any more.
pub(super) fn step(span: Span, asked: Option<u32>, about: &Circumstances<'_>) -> u32 {
    let seconds = (span.end - span.start).max(1);
    let usual = match seconds {
        ..=3_600 => (about.window / 1_000).clamp(1, 60),
        3_601..=21_600 => 60,
        21_601..=86_400 => 900,
        _ => 3_600,
    };
    let usual = u32::try_from(usual).unwrap_or(60);
    let coarse = u32::try_from(coarse(span, about)).unwrap_or(1);
    let fits = |step: &u32| {
        let is_few = seconds / i64::from(*step) < MOST_STEPS as i64;
        is_few && step.is_multiple_of(coarse) && i64::from(*step) * 1_000 >= about.window
    };
    let wanted = asked.unwrap_or(usual).max(1);
    if fits(&wanted) {
        return wanted;
    }
    STEPS.into_iter().find(|step| *step >= wanted && fits(step)).unwrap_or(604_800)
}

/// As how many seconds rows of this age are kept, where that is more than a minute.
fn coarse(span: Span, about: &Circumstances<'_>) -> i64 {
    match (about.now - span.start * 1_000).div_euclid(HOUR) {
        age if age > about.kept[1] => 3_600,
        age if age > about.kept[0] => 900,
        _ => 1,
    }
}

/// Where the first step begins: a span of whole steps is left where it is, as exactly as rows are kept, so that a range may be
/// one step; any other begins at a round time.
fn beginning(span: Span, step: i64, about: &Circumstances<'_>) -> i64 {
    let is_whole = (span.end - span.start) % step == 0;
    let exact = (about.window / 1_000).clamp(1, 60).max(coarse(span, about));
    let grain = if is_whole { exact } else { step };
    span.start.div_euclid(grain) * grain
}

struct Piece {
    drain: i64,
    hour: i64,
    len: i64,
    block: Vec<u8>,
}

/// A stream that was met.
struct Stream {
    line: Option<usize>,
    /// The unit of time for which `seen` holds.
    of: i64,
    seen: Vec<u64>,
}

/// Streams of one drain and length of windows, by their keys.
type Numbers = HashMap<Box<[u8]>, usize>;

/// Where rows are added up.
struct Sums<'a> {
    asked: &'a Asked,
    step: i64,
    start: i64,
    most: usize,
    with_sketch: bool,
    /// Pieces that were gone through.
    pieces: usize,
    /// What is drawn: the kind and the unit of the first stream.
    leading: Option<(Kind, String)>,
    known: HashMap<(i64, i64), Numbers>,
    streams: Vec<Stream>,
    lines: Vec<Line>,
    by_tags: HashMap<Vec<(String, String)>, usize>,
    drains: Vec<BTreeSet<i64>>,
    more: HashSet<Vec<(String, String)>>,
    /// By step, then by line.
    live: Vec<Vec<Option<RowState>>>,
}

impl Sums<'_> {
    fn stream(&mut self, drain: i64, len: i64, bytes: &[u8]) -> Result<usize, MinutesError> {
        let known = self.known.entry((drain, len)).or_default();
        if let Some(stream) = known.get(bytes) {
            return Ok(*stream);
        }
        if self.streams.len() >= MOST_STREAMS {
            return Err(MinutesError::TooMuch("more streams than one question can go through: narrow it down by tags"));
        }
        known.insert(bytes.into(), self.streams.len());
        let line = Key::of(bytes).filter(|key| is_selected(key, &self.asked.selectors)).and_then(|key| self.line(&key));
        if let Some(line) = line
            && let Some(drains) = self.drains.get_mut(line)
        {
            drains.insert(drain);
        }
        self.streams.push(Stream { line, of: i64::MIN, seen: Vec::new() });
        Ok(self.streams.len() - 1)
    }

    fn line(&mut self, key: &Key<'_>) -> Option<usize> {
        let tags = line(key, &self.asked.grouping);
        let leading = self.leading.get_or_insert_with(|| (key.kind, key.unit.to_owned()));
        let is_alike = leading.0 == key.kind && leading.1 == key.unit;
        // What grew is known of each stream alone.
        let known = self.by_tags.get(&tags).filter(|_| self.asked.function != Function::Derivative);
        match known {
            Some(line) if is_alike => Some(*line),
            None if is_alike && self.lines.len() < self.most => {
                self.by_tags.insert(tags.clone(), self.lines.len());
                self.lines.push(Line { tags, values: vec![None; self.live.len()] });
                self.drains.push(BTreeSet::new());
                Some(self.lines.len() - 1)
            }
            _ => {
                self.more.insert(tags);
                None
            }
        }
    }

    /// Adds what a piece has, but for the hours of which others have all.
    fn piece(
        &mut self,
        piece: &Piece,
        (unit, first): (i64, i64),
        but: &BTreeSet<i64>,
        about: &Circumstances<'_>,
    ) -> Result<(), MinutesError> {
        if Instant::now() > about.until {
            return Err(MinutesError::TooLong);
        }
        let base = u32::try_from((piece.hour - first) * HOUR / piece.len).unwrap_or(0);
        for run in block::streams(&piece.block) {
            let stream = self.stream(piece.drain, piece.len, run.key)?;
            let Some(line) = self.begin(stream, unit) else { continue };
            // At hand while the run goes on.
            let mut seen =
                self.streams.get_mut(stream).map(|known| std::mem::take(&mut known.seen)).unwrap_or_default();
            let mut steps = Steps::new(self.start, self.step);
            for (index, state) in run.rows() {
                let index = index.saturating_add(base);
                if (but.is_empty() || !but.contains(&(first + (i64::from(index) * piece.len).div_euclid(HOUR))))
                    && is_new(&mut seen, index)
                {
                    let start = first * HOUR + i64::from(index) * piece.len;
                    self.add(steps.of(start), line, start, state);
                }
            }
            if let Some(known) = self.streams.get_mut(stream) {
                known.seen = seen;
            }
        }
        self.pieces += 1;
        if self.with_sketch && self.pieces.is_multiple_of(LOOKED_AT) {
            let sums = self.live.iter().flatten().flatten();
            if sums.map(RowState::heap_bytes).sum::<usize>() > MOST_BYTES {
                return Err(MinutesError::TooMuch(
                    "so many percentiles at a time would take too much memory: ask for fewer lines",
                ));
            }
        }
        Ok(())
    }

    /// Adds a row to the sum of its step.
    #[inline]
    fn add(&mut self, step: usize, line: usize, start: i64, state: &[u8]) {
        let Some(sums) = self.live.get_mut(step) else { return };
        if sums.len() <= line {
            sums.resize_with(line + 1, || None);
        }
        if let Some(sum) = sums.get_mut(line) {
            let _ = RowState::add_packed(sum, at(start), state, self.with_sketch);
        }
    }

    /// The stream's line, when its rows are wanted; forgets which rows were seen where another stretch of time begins.
    fn begin(&mut self, stream: usize, unit: i64) -> Option<usize> {
        let known = self.streams.get_mut(stream)?;
        if known.of != unit {
            known.of = unit;
            known.seen.clear();
        }
        known.line
    }

    /// Steps from this time on get nothing more.
    fn finish(&mut self, from: i64) {
        let from = (from.div_euclid(1_000) - self.start + self.step - 1).div_euclid(self.step).max(0);
        for (step, sums) in self.live.iter_mut().enumerate().skip(usize::try_from(from).unwrap_or(usize::MAX)) {
            for (sum, line) in std::mem::take(sums).into_iter().zip(&mut self.lines) {
                if let (Some(sum), Some(value)) = (sum, line.values.get_mut(step)) {
                    *value = value_of(self.asked.function, &sum, self.step);
                }
            }
        }
    }
}

/// Takes note of a window; `false` when a later piece had it.
#[inline]
fn is_new(seen: &mut Vec<u64>, index: u32) -> bool {
    /// Windows of a millisecond in a day are more than there are; nothing is kept of what damage says.
    const MOST: usize = 1 << 21;
    let (word, bit) = (index as usize / 64, 1_u64 << (index % 64));
    if word >= MOST {
        return false;
    }
    if seen.len() <= word {
        seen.resize(word + 1, 0);
    }
    match seen.get_mut(word) {
        Some(seen) if *seen & bit == 0 => {
            *seen |= bit;
            true
        }
        _ => false,
    }
}

/// Which step a time is in. Times that follow each other are mostly in the same step or in the next, so that nothing has to
/// be divided.
struct Steps {
    /// In milliseconds.
    origin: i64,
    step: i64,
    now: i64,
    from: i64,
    to: i64,
}

impl Steps {
    const fn new(start: i64, step: i64) -> Self {
        let (origin, step) = (start * 1_000, step * 1_000);
        Self { origin, step, now: 0, from: origin, to: origin + step }
    }

    /// The step of a time in milliseconds; of one before the first a number that is none.
    #[inline]
    const fn of(&mut self, time: i64) -> usize {
        if time < self.from || time >= self.to {
            if time >= self.to && time < self.to + self.step {
                self.now += 1;
            } else {
                self.now = (time - self.origin).div_euclid(self.step);
            }
            self.from = self.origin + self.now * self.step;
            self.to = self.from + self.step;
        }
        if self.now < 0 { usize::MAX } else { self.now as usize }
    }
}

fn value_of(function: Function, sum: &RowState<MinuteSketch>, step: i64) -> Option<f64> {
    let (count, total) = sum.count_and_sum();
    match function {
        Function::Count => Some(count as f64),
        Function::Sum => Some(total),
        Function::Rate => Some(total * 60.0 / step as f64),
        Function::Avg => (count > 0).then(|| total / count as f64),
        Function::Max => sum.stats().max(),
        Function::Min => sum.stats().min(),
        Function::Last | Function::Derivative => sum.stats().last(),
        Function::Quantile(quantile) => {
            let sketch = sum.sketch()?;
            let rank = (quantile.clamp(0.0, 1.0) * sketch.count() as f64).ceil();
            sketch.at_rank((rank as u64).max(1))
        }
    }
}

pub(super) fn series(
    db: Option<&Connection>,
    open: &OpenRows,
    asked: &Asked,
    (span, step): (Span, u32),
    most_lines: usize,
    about: &Circumstances<'_>,
) -> Result<Series, MinutesError> {
    let wide = i64::from(step);
    let start = beginning(span, wide, about);
    let steps = usize::try_from((span.end - start + wide - 1).div_euclid(wide)).unwrap_or(0).min(MOST_STEPS + 1);
    let end = start + wide * steps as i64;
    let fits = |grain: i64| wide % grain == 0 && start % grain == 0;
    let level = if fits(3_600) {
        HOURS
    } else if fits(900) {
        QUARTERS
    } else {
        MINUTES
    };
    let unit = if level == MINUTES { 1 } else { DAY };
    let with_sketch = matches!(asked.function, Function::Quantile(_));
    let mut most = most_lines.min(MOST_VALUES / steps.max(1));
    let live = usize::try_from((unit * 3_600 / wide).max(1)).unwrap_or(usize::MAX).min(steps.max(1));
    most = most.min(if with_sketch { MOST_SKETCHES } else { MOST_SUMS } / live);
    let mut sums = Sums {
        asked,
        step: wide,
        start,
        most: most.max(1),
        with_sketch,
        pieces: 0,
        leading: None,
        known: HashMap::new(),
        streams: Vec::new(),
        lines: Vec::new(),
        by_tags: HashMap::new(),
        drains: Vec::new(),
        more: HashSet::new(),
        live: (0..steps).map(|_| Vec::new()).collect(),
    };
    let ids = db.map_or(Ok(HashMap::new()), |db| drains(db, about))?;
    let name = match db {
        Some(db) => db
            .prepare_cached("SELECT id FROM names WHERE account = ?1 AND name = ?2")
            .and_then(|mut find| find.query_row([about.account, &asked.name], |row| row.get::<_, i64>(0)).optional())?,
        None => None,
    };
    let seen: HashSet<i64> = ids.values().copied().collect();
    let open = open.of(about.account, &asked.name, about.drains);
    // Nothing is older than what is kept, and nothing is of the future but what a clock ahead wrote.
    let shown = about.kept.iter().copied().max().unwrap_or(0);
    let oldest = start.div_euclid(3_600).max(about.now.div_euclid(HOUR) - shown);
    let newest = (end - 1).div_euclid(3_600).min(about.now.div_euclid(HOUR) + DAY);
    let fresh = match (db, name) {
        (Some(db), Some(name)) if level != MINUTES => fresh_hours(db, name, oldest, newest + 1)?,
        _ => BTreeSet::new(),
    };
    let (first, last) = (oldest.div_euclid(unit), newest.div_euclid(unit));
    for at_unit in (first..=last).rev() {
        let (from, to) = (at_unit * unit, at_unit * unit + unit);
        if let (Some(db), Some(name)) = (db, name) {
            let at = (at_unit, from);
            each_piece(db, (name, level, from, to), &seen, &mut |piece| sums.piece(piece, at, &fresh, about))?;
            for hour in fresh.range(from..to) {
                let place = (name, MINUTES, *hour, *hour + 1);
                each_piece(db, place, &seen, &mut |piece| sums.piece(piece, at, &BTreeSet::new(), about))?;
            }
        }
        for row in open.iter().filter(|row| row.start.div_euclid(HOUR * unit) == at_unit) {
            let drain = ids.get(&*row.drain).copied().unwrap_or(-1);
            let stream = sums.stream(drain, row.len, &row.key)?;
            let Some(line) = sums.begin(stream, at_unit) else { continue };
            let index = u32::try_from((row.start - from * HOUR) / row.len).unwrap_or(u32::MAX);
            let is_seen = sums.streams.get_mut(stream).is_none_or(|known| !is_new(&mut known.seen, index));
            if !is_seen {
                sums.add(Steps::new(sums.start, sums.step).of(row.start), line, row.start, &row.state);
            }
        }
        sums.finish(from * HOUR);
    }
    sums.finish(i64::MIN / 2);
    let (kind, unit) = sums.leading.take().unwrap_or((Kind::Count, String::new()));
    if kind != Kind::Sample
        && matches!(asked.function, Function::Count | Function::Sum | Function::Rate)
        && let Some(db) = db
    {
        fill(db, &mut sums, (start, end), wide)?;
    }
    if asked.function == Function::Derivative {
        sums.lines = grown(std::mem::take(&mut sums.lines));
    }
    let closed = (about.closed.div_euclid(1_000) - start).div_euclid(wide).max(0);
    let mut lines = sums.lines;
    lines.sort_by(|a, b| a.tags.cmp(&b.tags));
    Ok(Series {
        start,
        step,
        steps,
        closed: usize::try_from(closed).unwrap_or(0).min(steps),
        unit,
        lines,
        more: sums.more.len(),
    })
}

/// How much the counters of each line grew since the step before in which they were seen. One that is less than it was began
/// again, from zero.
fn grown(streams: Vec<Line>) -> Vec<Line> {
    let mut lines: BTreeMap<Vec<(String, String)>, Vec<Option<f64>>> = BTreeMap::new();
    for stream in streams {
        let values = lines.entry(stream.tags).or_insert_with(|| vec![None; stream.values.len()]);
        let mut before = None;
        for (sum, value) in values.iter_mut().zip(stream.values) {
            let Some(value) = value else { continue };
            if let Some(before) = before {
                let more = if value < before { value } else { value - before };
                *sum = Some(sum.unwrap_or(0.0) + more);
            }
            before = Some(value);
        }
    }
    lines.into_iter().map(|(tags, values)| Line { tags, values }).collect()
}

/// The numbers of the drains that may be seen.
pub(super) fn drains(db: &Connection, about: &Circumstances<'_>) -> Result<HashMap<String, i64>, MinutesError> {
    let mut read = db.prepare_cached("SELECT drain, id FROM drains WHERE account = ?1")?;
    let found = read.query_map([about.account], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
    let mut ids: HashMap<String, i64> = found.collect::<Result<_, _>>()?;
    if let Some(allowed) = about.drains {
        ids.retain(|drain, _| allowed.contains(drain));
    }
    Ok(ids)
}

/// Shows the pieces of some hours, the last written first.
fn each_piece(
    db: &Connection,
    (name, level, from, to): (i64, i64, i64, i64),
    seen: &HashSet<i64>,
    show: &mut dyn FnMut(&Piece) -> Result<(), MinutesError>,
) -> Result<(), MinutesError> {
    let mut read = db.prepare_cached(
        "SELECT drain, hour, len, content FROM pieces WHERE name = ?1 AND level = ?2 AND hour >= ?3 AND hour < ?4
         ORDER BY id DESC",
    )?;
    let mut rows = read.query(params![name, level, from, to])?;
    while let Some(row) = rows.next()? {
        let drain: i64 = row.get(0)?;
        if !seen.contains(&drain) {
            continue;
        }
        let len = row.get::<_, i64>(2)?.max(1);
        let Some(block) = block::unpack(row.get_ref(3)?.as_blob().unwrap_or_default()) else { continue };
        show(&Piece { drain, hour: row.get(1)?, len, block })?;
    }
    Ok(())
}

/// Puts zeros where a drain of the line was heard and nothing was counted.
fn fill(db: &Connection, sums: &mut Sums<'_>, (start, end): (i64, i64), step: i64) -> Result<(), MinutesError> {
    let steps = sums.live.len();
    let mut heard: HashMap<i64, Vec<bool>> = HashMap::new();
    let mut read = db.prepare_cached("SELECT hour, bits FROM marks WHERE drain = ?1 AND hour >= ?2 AND hour < ?3")?;
    for (line, drains) in sums.lines.iter_mut().zip(&sums.drains) {
        for drain in drains {
            if !heard.contains_key(drain) {
                let mut of = vec![false; steps];
                let mut rows = read.query(params![drain, start.div_euclid(3_600), (end - 1).div_euclid(3_600) + 1])?;
                while let Some(row) = rows.next()? {
                    let (hour, bits): (i64, i64) = (row.get(0)?, row.get(1)?);
                    mark(&mut of, hour, bits, start, step);
                }
                heard.insert(*drain, of);
            }
            let of = heard.get(drain).map(Vec::as_slice).unwrap_or_default();
            for (value, is_heard) in line.values.iter_mut().zip(of) {
                if *is_heard && value.is_none() {
                    *value = Some(0.0);
                }
            }
        }
    }
    Ok(())
}

/// Steps in which a bit of the hour stands.
fn mark(of: &mut [bool], hour: i64, bits: i64, start: i64, step: i64) {
    for minute in (0..60).filter(|minute| bits >> minute & 1 == 1) {
        let at = hour * 3_600 + minute * 60;
        let (first, last) = ((at - start).div_euclid(step), (at + 59 - start).div_euclid(step));
        for place in first.max(0)..=last {
            if let Some(place) = usize::try_from(place).ok().and_then(|place| of.get_mut(place)) {
                *place = true;
            }
        }
    }
}
