//! Rows added up, beside one after the other.

use super::*;
use crate::minutes::block::Builder;
use crate::minutes::levels::{HOURS, QUARTER, QUARTERS};
use crate::minutes::tests::{Random, asked};
use heroku_metrics::model::{TagSet, Unit};
use logdrain_charts::series::Grouping;
use std::collections::BTreeMap;

/// A count as it is packed: small ones in two bytes, and others.
fn packed(count: u64, sum: u64) -> Vec<u8> {
    let mut state = vec![0];
    block::number(&mut state, count);
    block::number(&mut state, sum << 4);
    state
}

/// By line, and by step.
type Expected = BTreeMap<String, BTreeMap<i64, f64>>;

/// Pieces of a stretch with some streams of two drains, in which rows are written again.
struct Made<'a> {
    random: &'a mut Random,
    keys: &'a [(Vec<u8>, String)],
    grid: Grid,
    fresh: &'a BTreeSet<i64>,
    expected: &'a mut Expected,
}

impl Made<'_> {
    fn pieces(&mut self, stretch: Stretch, len: i64) -> Vec<Piece> {
        let mut stands: BTreeSet<(i64, usize, i64)> = BTreeSet::new();
        let mut pieces = Vec::new();
        for _ in 0..self.random.below(5) {
            let drain = 1 + self.random.below(2).cast_signed();
            // Some pieces are of a day, and some of one of its hours.
            let is_all = self.random.below(2) == 0;
            let within = if is_all { 0 } else { self.random.below((stretch.to - stretch.from).unsigned_abs()) };
            let (hour, hours) =
                (stretch.from + within.cast_signed(), if is_all { stretch.to - stretch.from } else { 1 });
            let mut builder = Builder::default();
            for (nth, (key, group)) in self.keys.iter().enumerate() {
                for index in 0..hours * HOUR / len {
                    if self.random.below(3) == 0 {
                        continue;
                    }
                    let sum = if self.random.below(9) == 0 { 1_000_000 } else { self.random.below(900) };
                    builder.row(u32::try_from(index).unwrap(), &packed(1, sum));
                    let start = hour * HOUR + index * len;
                    let is_left_out = stretch.level != MINUTES && self.fresh.contains(&start.div_euclid(HOUR));
                    let step = (start - self.grid.start * 1_000).div_euclid(self.grid.step * 1_000);
                    if !is_left_out && stands.insert((drain, nth, start)) && (0..self.grid.steps as i64).contains(&step)
                    {
                        *self.expected.entry(group.clone()).or_default().entry(step).or_default() += sum as f64;
                    }
                }
                builder.stream(key);
            }
            pieces.push(Piece { drain, hour, len, block: builder.take() });
        }
        pieces
    }
}

#[test]
fn rows_come_to_what_one_after_the_other_gives_wherever_steps_and_hours_begin() {
    let mut random = Random(23);
    let keys: Vec<(Vec<u8>, String)> = ["web.1", "web.2", "worker.1"]
        .iter()
        .flat_map(|dyno| ["200", "404"].map(|code| (*dyno, code)))
        .map(|(dyno, code)| {
            let tags = TagSet::from_iter([("code", code), ("dyno", dyno)]);
            (block::key(Kind::Count, Unit::NONE, &tags), dyno.to_owned())
        })
        .collect();
    let asked = asked("m", Function::Sum, Grouping::By(vec!["dyno".to_owned()]));
    let mut met = 0;
    for _ in 0..300 {
        let (level, len) = match random.below(6) {
            0 => (QUARTERS, QUARTER),
            1 => (HOURS, HOUR),
            2 => (MINUTES, 10_000),
            3 => (MINUTES, QUARTER),
            _ => (MINUTES, 60_000),
        };
        let unit = if level == MINUTES { 1 } else { 24 };
        let windows = [1, 2, 3, 4, 7, 15, 60, 96, 1_000][random.below(9) as usize];
        let step = len / 1_000 * windows;
        let first = 20_000 * 24 + random.below(50).cast_signed();
        // Not where an hour or a day begins, and also before and behind all that there is.
        let start = first * 3_600 + (random.below(400).cast_signed() - 200) * len / 1_000;
        let grid = Grid { start, step, steps: 1 + random.below(120) as usize };
        let units = first.div_euclid(unit)..first.div_euclid(unit) + 1 + random.below(4).cast_signed();
        let fresh: BTreeSet<i64> = match level {
            MINUTES => BTreeSet::new(),
            _ => (0..random.below(4)).map(|_| units.start * unit + random.below(72).cast_signed()).collect(),
        };
        let mut expected = Expected::new();
        let mut sums = Sums::new(&asked, grid, unit, 100, &fresh);
        for at in units.rev() {
            let (from, to) = (at * unit, at * unit + unit);
            let hours = fresh.range(from..to).map(|hour| Stretch { level: MINUTES, from: *hour, to: *hour + 1 });
            for stretch in std::iter::once(Stretch { level, from, to }).chain(hours) {
                let len = if stretch.level == level { len } else { 60_000 };
                let mut made = Made { random: &mut random, keys: &keys, grid, fresh: &fresh, expected: &mut expected };
                for piece in made.pieces(stretch, len) {
                    sums.piece(&piece, stretch).unwrap();
                }
            }
            sums.finish(from, to);
        }
        sums.finish(i64::MIN, i64::MAX);
        let mut found = Expected::new();
        for line in &sums.lines {
            for (nth, value) in line.values.iter().enumerate() {
                if let Some(value) = value {
                    found.entry(line.tags[0].1.clone()).or_default().insert(nth as i64, *value);
                }
            }
        }
        met += expected.values().map(BTreeMap::len).sum::<usize>();
        assert_eq!(found, expected, "level {level}, windows of {len} ms, {grid:?}, fresh {fresh:?}");
    }
    assert!(met > 5_000, "{met} values");
}

#[test]
fn what_damage_says_is_no_row_of_another_time() {
    let key = block::key(Kind::Count, Unit::NONE, &TagSet::new());
    let asked = asked("m", Function::Count, Grouping::Together);
    let (fresh, hour) = (BTreeSet::new(), 480_000);
    let grid = Grid { start: hour * 3_600, step: 60, steps: 120 };
    let mut sums = Sums::new(&asked, grid, 1, 10, &fresh);
    let mut builder = Builder::default();
    for index in [3, 59, 60, 90, 1 << 20, 1 << 30] {
        builder.row(index, &packed(1, 1));
    }
    builder.stream(&key);
    let block = builder.take();
    for at in [hour + 1, hour] {
        let stretch = Stretch { level: MINUTES, from: at, to: at + 1 };
        sums.piece(&Piece { drain: 1, hour: at, len: 60_000, block: block.clone() }, stretch).unwrap();
        assert!(sums.slots.known.len() <= 60);
        sums.finish(at, at + 1);
    }
    let told: Vec<usize> = (0..120).filter(|nth| sums.lines[0].values[*nth].is_some()).collect();
    assert_eq!(told, [3, 59, 63, 119]);
    let mut seen = Seen::default();
    for index in [0, 63, 64, 127, 128, 5_000] {
        assert!(seen.is_new(index) && !seen.is_new(index), "{index}");
    }
    assert!(!seen.is_new(u32::MAX) && seen.more.len() < 100);
}
