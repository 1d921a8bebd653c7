//! A question, answered from the pieces: newest first, so that what finds no room is what is gone longest.

use super::MinutesError;
use super::block;
use super::keeping::Kept;
use super::levels::{HOUR, HOURS, MINUTES, QUARTERS};
use super::open::{OpenRow, Opened};
use super::sums::{Grid, Piece, Stretch, Sums};
use super::tables::Lookup;
use heroku_metrics::model::Kind;
use logdrain_charts::series::{Asked, Function, Line, Series, Span};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Instant;

/// The most values of an answer, over all lines.
pub const MOST_VALUES: usize = 200_000;
/// The most steps of an answer: a day of minutes and some.
pub const MOST_STEPS: usize = 2_000;
/// What one question takes, with a piece and its answer.
pub(super) const MEMORY: usize = 32 << 20;
const DAY: i64 = 24;

/// Steps that are drawn, in seconds.
const STEPS: [u32; 20] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
];

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

impl Circumstances<'_> {
    /// # Errors
    /// When the time for an answer is over.
    pub(super) fn goes_on(&self) -> Result<(), MinutesError> {
        if Instant::now() > self.until { Err(MinutesError::TooLong) } else { Ok(()) }
    }
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

pub(super) fn series(
    db: Option<&dyn Lookup>,
    open: &Opened,
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
    let ids = db.map_or(Ok(HashMap::new()), |db| drains(db, about))?;
    let names = db.map_or(Ok(Vec::new()), |db| db.called(about.account, &asked.name))?;
    let seen: HashSet<i64> = ids.values().copied().collect();
    let open = open.of(about.account, &asked.name, about.drains);
    // Nothing is older than what is kept, and nothing is of the future but what a clock ahead wrote.
    let shown = about.kept.iter().copied().max().unwrap_or(0);
    let oldest = start.div_euclid(3_600).max(about.now.div_euclid(HOUR) - shown);
    let newest = (end - 1).div_euclid(3_600).min(about.now.div_euclid(HOUR) + DAY);
    let fresh = match db {
        Some(db) if level != MINUTES => db.fresh_hours(&names, oldest, newest + 1)?,
        _ => BTreeSet::new(),
    };
    let grid = Grid { start, step: wide, steps };
    let mut sums = Sums::new(asked, grid, unit, most_lines.min(MOST_VALUES / steps.max(1)), &fresh);
    let drain_of = |row: &OpenRow| ids.get(&*row.drain).copied().unwrap_or(-1);
    let (first, last) = (oldest.div_euclid(unit), newest.div_euclid(unit));
    for at_unit in (first..=last).rev() {
        let (from, to) = (at_unit * unit, at_unit * unit + unit);
        // What the levels above have, and then each hour of which they do not have all.
        let hours = fresh.range(from..to).map(|hour| Stretch { level: MINUTES, from: *hour, to: *hour + 1 });
        for stretch in std::iter::once(Stretch { level, from, to }).chain(hours) {
            if let Some(db) = db {
                let hours = (stretch.from, stretch.to);
                each_piece(db, &names, (stretch.level, hours), &seen, &mut |piece| {
                    about.goes_on()?;
                    sums.piece(piece, stretch)
                })?;
            }
            let is_whole = stretch.to - stretch.from == unit;
            for row in &open {
                let hour = row.start.div_euclid(HOUR);
                if (stretch.from..stretch.to).contains(&hour) && (!is_whole || !fresh.contains(&hour)) {
                    sums.open_row((drain_of(row), row.len), &row.key, (row.start, &row.state), stretch)?;
                }
            }
        }
        sums.finish(from, to);
    }
    sums.finish(i64::MIN, i64::MAX);
    let (kind, unit) = sums.leading.take().unwrap_or((Kind::Count, String::new()));
    if kind != Kind::Sample
        && matches!(asked.function, Function::Count | Function::Sum | Function::Rate)
        && let Some(db) = db
    {
        fill(db, &mut sums, (start, end), grid)?;
    }
    if asked.function == Function::Derivative {
        sums.lines = grown(std::mem::take(&mut sums.lines));
    }
    let closed = match db {
        Some(db) => db.closed(about.account)?.map(|micros| micros.div_euclid(1_000)),
        None => None,
    };
    let closed = (closed.unwrap_or(about.closed).div_euclid(1_000) - start).div_euclid(wide).max(0);
    let more = sums.more();
    let mut lines = sums.lines;
    lines.sort_by(|a, b| a.tags.cmp(&b.tags));
    Ok(Series { start, step, steps, closed: usize::try_from(closed).unwrap_or(0).min(steps), unit, lines, more })
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
pub(super) fn drains(db: &dyn Lookup, about: &Circumstances<'_>) -> Result<HashMap<String, i64>, MinutesError> {
    let mut ids: HashMap<String, i64> = db.drains(about.account)?.into_iter().collect();
    if let Some(allowed) = about.drains {
        ids.retain(|drain, _| allowed.contains(drain));
    }
    Ok(ids)
}

/// Shows the pieces of some hours, of each metric the last written first.
pub(super) fn each_piece(
    db: &dyn Lookup,
    names: &[i64],
    (level, hours): (i64, (i64, i64)),
    seen: &HashSet<i64>,
    show: &mut dyn FnMut(&Piece) -> Result<(), MinutesError>,
) -> Result<(), MinutesError> {
    db.pieces(names, level, hours, &mut |(drain, hour, len), content| {
        if !seen.contains(&drain) {
            return Ok(());
        }
        let Some(block) = block::unpack(content) else { return Ok(()) };
        show(&Piece { drain, hour, len: len.max(1), block })
    })
}

/// Puts zeros where a drain of the line was heard and nothing was counted.
fn fill(
    db: &dyn Lookup,
    sums: &mut Sums<'_>,
    (start, end): (i64, i64),
    Grid { step, steps, .. }: Grid,
) -> Result<(), MinutesError> {
    let drains: BTreeSet<i64> = sums.lines.iter().zip(&sums.drains).flat_map(|(_, drains)| drains).copied().collect();
    let drains: Vec<i64> = drains.into_iter().collect();
    let mut heard: HashMap<i64, Vec<bool>> = HashMap::new();
    let hours = (start.div_euclid(3_600), (end - 1).div_euclid(3_600) + 1);
    db.marks(&drains, hours, &mut |drain, hour, bits| {
        mark(heard.entry(drain).or_insert_with(|| vec![false; steps]), hour, bits, start, step);
    })?;
    for (line, drains) in sums.lines.iter_mut().zip(&sums.drains) {
        for drain in drains {
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
