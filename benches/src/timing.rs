//! Contenders in turn, each straight after a newline scan of the same bytes.

use crate::newlines;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use std::alloc::System;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The counting allocator. A program that wants figures of the heap makes it the global one.
pub static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One contender: what it reads, and the work.
pub struct Case<'a> {
    /// The row of the table.
    row: &'static str,
    name: &'static str,
    text: &'a [u8],
    lines: u64,
    run: Box<dyn FnMut() -> bool + 'a>,
}

/// What was measured of a contender: medians over the rounds.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // an unpublished row of values
pub struct Figure {
    /// The row of the table.
    pub row: &'static str,
    /// Who.
    pub name: &'static str,
    /// Nanoseconds a line.
    pub ns_per_line: f64,
    /// Bytes of input a nanosecond, which is gigabytes a second.
    pub gigabytes: f64,
    /// Its time over the scan's in the same round.
    pub scan: f64,
    /// The least of these over the rounds.
    pub best_scan: f64,
    /// Calls of the allocator a line, growth of lists included.
    pub heap_calls: f64,
}

impl std::fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("row", &self.row).field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'a> Case<'a> {
    /// A contender over some lines of text. `run` tells whether its counts were right.
    pub fn new(
        row: &'static str,
        name: &'static str,
        text: &'a [u8],
        lines: u64,
        run: impl FnMut() -> bool + 'a,
    ) -> Self {
        Self { row, name, text, lines, run: Box::new(run) }
    }
}

/// Calls of the allocator, growth of lists included, while `work` runs.
pub fn heap_calls(work: impl FnOnce()) -> usize {
    let region = Region::new(HEAP);
    work();
    let change = region.change();
    change.allocations + change.reallocations
}

/// Octets on the heap now.
#[must_use]
pub fn in_use() -> usize {
    let stats = HEAP.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

/// Times all cases in turn, `rounds` times, each for `slice` or once.
///
/// # Errors
/// The row and name of a contender whose counts were wrong.
pub fn measure(cases: &mut [Case<'_>], rounds: usize, slice: Duration) -> Result<Vec<Figure>, String> {
    let counter = counter_cost();
    let mut times: Vec<Vec<(f64, f64)>> = vec![Vec::new(); cases.len()];
    let mut calls = vec![0.0; cases.len()];
    for (case, calls) in cases.iter_mut().zip(&mut calls) {
        check(case)?; // warms it, too
        let region = Region::new(HEAP);
        check(case)?;
        let change = region.change();
        *calls = (change.allocations + change.reallocations) as f64;
    }
    for _ in 0..rounds {
        for (case, times) in cases.iter_mut().zip(&mut times) {
            let scan = time(slice / 8, || {
                black_box(newlines(black_box(case.text)));
                Ok(())
            })?;
            let region = Region::new(HEAP);
            let (took, runs) = repeat(slice, || check(case))?;
            let counting = counter * all_calls(&region.change()) / runs;
            times.push((took - counting, scan));
        }
    }
    Ok(cases.iter().zip(times).zip(calls).map(|((case, times), calls)| figure(case, &times, calls)).collect())
}

fn figure(case: &Case<'_>, times: &[(f64, f64)], calls: f64) -> Figure {
    let took = median(times.iter().map(|(took, _)| *took));
    let lines = case.lines as f64;
    let ratios = || times.iter().map(|(took, scan)| took / scan);
    Figure {
        row: case.row,
        name: case.name,
        ns_per_line: took / lines,
        gigabytes: case.text.len() as f64 / took,
        scan: median(ratios()),
        best_scan: ratios().fold(f64::MAX, f64::min),
        heap_calls: calls / lines,
    }
}

fn check(case: &mut Case<'_>) -> Result<(), String> {
    if (case.run)() { Ok(()) } else { Err(format!("{} {}: its counts are wrong", case.row, case.name)) }
}

fn time(slice: Duration, work: impl FnMut() -> Result<(), String>) -> Result<f64, String> {
    repeat(slice, work).map(|(took, _)| took)
}

/// Nanoseconds a run, and how many there were: as many as fit into the slice, at least one.
///
/// The median of the runs, so that a run that lost the core to another process does not count. A run too long for that
/// is taken by the time that the thread was on a core, where the system tells.
fn repeat(slice: Duration, mut work: impl FnMut() -> Result<(), String>) -> Result<(f64, f64), String> {
    const LONG: Duration = Duration::from_millis(50);
    let begin = Instant::now();
    let mut runs = Vec::with_capacity(1_024);
    loop {
        let (start, on_core) = (Instant::now(), time_on_core());
        work()?;
        let mut took = start.elapsed();
        if took > LONG
            && let (Some(before), Some(after)) = (on_core, time_on_core())
        {
            took = took.min(after.saturating_sub(before));
        }
        runs.push(took.as_nanos() as f64);
        if begin.elapsed() >= slice {
            let count = runs.len() as f64;
            return Ok((median(runs.into_iter()), count));
        }
    }
}

/// How long this thread has been on a core, to a few milliseconds; Linux only.
fn time_on_core() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// The median; 0 of nothing.
#[must_use]
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn all_calls(change: &Stats) -> f64 {
    (change.allocations + change.reallocations + change.deallocations) as f64
}

/// What counting adds to a call of the allocator, in nanoseconds: two additions to shared counters. It is taken off again,
/// so that who allocates most is not charged for being watched.
///
/// The least of many short runs: a run that lost the core would take off more than was put on.
fn counter_cost() -> f64 {
    const RUNS: u32 = 1_000;
    let (calls, octets) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let run = || {
        let start = Instant::now();
        for _ in 0..RUNS {
            black_box(&calls).fetch_add(1, Ordering::SeqCst);
            black_box(&octets).fetch_add(64, Ordering::SeqCst);
        }
        start.elapsed().as_nanos() as f64 / f64::from(RUNS)
    };
    (0..500).map(|_| run()).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_count_is_named() {
        let mut cases = [Case::new("P1", "liar", b"a\n", 1, || false)];
        let answer = measure(&mut cases, 1, Duration::ZERO);
        assert_eq!(answer.map(|figures| figures.len()), Err("P1 liar: its counts are wrong".to_owned()));
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median(std::iter::empty()), 0.0);
    }
}
