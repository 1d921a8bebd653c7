//! One look at a dashboard: whose metrics, of which app, over which time, and how long it may take.

use super::ask::{FEW_STEPS, Range};
use super::facts::Told;
use super::lines::{Ask, Lines, Scene, gather};
use crate::turns::Budget;
use jiff::tz::TimeZone;
use logdrain_charts::chart::Mark;
use logdrain_charts::dashboard::{Chart, Kind};
use logdrain_charts::series::Selector;
use std::fmt;

/// The most lines that one series is asked for: what is not drawn by itself is drawn as *other*.
const ASKED: usize = 120;
/// Lines of a chart of lines, and areas or bars on one another with the rest as one.
const LINES: usize = 16;
const STACK: usize = 6;

/// What a page is made from.
pub(super) struct Look<'a> {
    pub(super) ask: &'a Ask<'a>,
    pub(super) budget: &'a Budget,
    pub(super) range: Range,
    /// Seconds since 1970.
    pub(super) now: i64,
    /// What holds of the app that is chosen.
    pub(super) selectors: Vec<Selector>,
    pub(super) zone: TimeZone,
    pub(super) marks: Vec<Mark>,
    /// What the account says of the metrics that are drawn.
    pub(super) told: Told,
}

impl fmt::Debug for Look<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look").field("range", &self.range).field("selectors", &self.selectors).finish_non_exhaustive()
    }
}

/// Why a chart is not drawn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Undrawn {
    /// The page had no time left for it.
    Late,
    /// In words.
    Trouble(String),
}

impl Look<'_> {
    /// How long a step of a chart is: long ones where there are many lines or many such charts, and bars are wide.
    fn step(&self, chart: &Chart, per: &[String]) -> u32 {
        let is_grouped = !per.is_empty() || chart.series.iter().any(|source| !source.group_by.is_empty());
        let has_many = chart.kind == Kind::Bars || is_grouped;
        let step = if has_many { self.range.step(FEW_STEPS) } else { self.range.usual_step() };
        step.max(self.told.period(chart))
    }

    pub(super) fn scene<'s>(&self, per: &'s [String], step: u32) -> Scene<'s> {
        let span = self.range.span(self.now, step);
        Scene { selectors: self.selectors.clone(), per, span, step, most: ASKED }
    }

    /// The lines of a chart, in steps of its own.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn lines(&self, chart: &Chart, per: &[String]) -> Result<Lines, Undrawn> {
        self.lines_at(chart, &self.scene(per, self.step(chart, per)))
    }

    pub(super) fn lines_at(&self, chart: &Chart, scene: &Scene<'_>) -> Result<Lines, Undrawn> {
        if !self.budget.goes_on() {
            return Err(Undrawn::Late);
        }
        gather(chart, scene, self.ask).map_err(Undrawn::Trouble)
    }
}

/// The lines that find room on a chart. Areas and bars that do not are put together as one, so that the whole stays right.
pub(super) fn fitting(chart: &Chart, mut lines: Lines) -> Lines {
    let is_stack = matches!(chart.kind, Kind::Stacked | Kind::Bars);
    let room = if is_stack { STACK } else { LINES };
    let weight = |values: &[Option<f64>]| values.iter().flatten().map(|value| value.abs()).sum::<f64>();
    let drawn = lines.drawn.iter().filter(|line| !is_limit(chart, line.source)).count();
    // One more is as well drawn by itself.
    if drawn <= room + 1 {
        return lines;
    }
    let (limits, mut all): (Vec<_>, Vec<_>) = lines.drawn.into_iter().partition(|line| is_limit(chart, line.source));
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|a, b| weight(&all[*b].values).total_cmp(&weight(&all[*a].values)).then(a.cmp(b)));
    let kept: Vec<bool> = (0..all.len()).map(|at| order.iter().take(room).any(|kept| *kept == at)).collect();
    if is_stack {
        let mut rest = all[order[room]].clone();
        for at in &order[room + 1..] {
            for (sum, value) in rest.values.iter_mut().zip(&all[*at].values) {
                *sum = match (*sum, *value) {
                    (Some(sum), Some(value)) => Some(sum + value),
                    (known, other) => known.or(other),
                };
            }
        }
        rest.tags = vec![(String::new(), format!("{} others", all.len() - room))];
        let mut at = kept.iter();
        all.retain(|_| at.next().copied().unwrap_or(false));
        all.push(rest);
    } else {
        lines.more += all.len() - room;
        let mut at = kept.iter();
        all.retain(|_| at.next().copied().unwrap_or(false));
    }
    all.extend(limits);
    lines.drawn = all;
    lines
}

pub(super) fn is_limit(chart: &Chart, source: usize) -> bool {
    chart.series.get(source).is_some_and(|source| source.limit)
}

#[cfg(test)]
mod tests {
    use super::super::lines::Drawn;
    use super::*;
    use logdrain_charts::dashboard::Source;
    use logdrain_charts::series::Function;

    fn many(kind: Kind, count: usize) -> Lines {
        let chart = Chart { kind, series: vec![Source::of("m", Function::Sum)], ..Chart::default() };
        let line = |at: usize| Drawn {
            section: Vec::new(),
            tags: vec![("dyno".to_owned(), format!("web.{at}"))],
            source: 0,
            values: vec![Some(at as f64), None, Some(1.0)],
        };
        fitting(&chart, Lines { steps: 3, drawn: (0..count).map(line).collect(), ..Lines::default() })
    }

    #[test]
    fn what_finds_no_room_in_a_stack_is_in_it_as_one() {
        let lines = many(Kind::Bars, 20);
        assert_eq!(lines.drawn.len(), STACK + 1);
        let sum: f64 = lines.drawn.iter().filter_map(|line| line.values[0]).sum();
        assert_eq!((sum, lines.more), ((0..20).sum::<usize>() as f64, 0));
        let last = lines.drawn.last().unwrap();
        assert_eq!((last.tags[0].1.as_str(), last.values[1]), ("14 others", None));
        assert_eq!(lines.drawn[0].tags[0].1, "web.14", "the order is as it was");
        assert_eq!(many(Kind::Stacked, STACK + 1).drawn.len(), STACK + 1);
    }

    #[test]
    fn lines_that_find_no_room_are_counted() {
        let lines = many(Kind::Line, 40);
        assert_eq!((lines.drawn.len(), lines.more), (LINES, 40 - LINES));
        assert_eq!(lines.drawn.last().unwrap().tags[0].1, "web.39");
    }
}
