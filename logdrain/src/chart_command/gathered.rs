//! What a chart is made of: of each line and step, what its rows come to.

use super::asked::{Group, Wanted};
use heroku_metrics::aggregator::RowBuf;
use heroku_metrics::model::{Kind, Percentile};
use logdrain_charts::series::{Function, Line, Series};
use logdrain_terms::failure::Failure;
use std::collections::{BTreeMap, BTreeSet};

/// The most steps of a chart.
const MOST_STEPS: i64 = 20_000;
/// Names that are remembered, for whoever wrote one wrong.
const MOST_NAMES: usize = 10_000;
/// The most steps of all lines together.
const MOST_CELLS: usize = 4_000_000;

/// What rows of one step and line come to.
pub(super) enum Cell {
    /// Of rows as they are printed.
    Printed(Printed),
    /// Of rows with all that they hold.
    Whole(RowBuf),
}

/// Numbers of printed rows, added up as far as that can be.
#[derive(Clone, Debug, Default)]
pub(super) struct Printed {
    /// So many rows are in it.
    pub(super) rows: u64,
    pub(super) count: u64,
    pub(super) sum: f64,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) last: Option<f64>,
    /// In the order of [`Percentile::ALL`].
    pub(super) percentiles: [Option<f64>; 4],
    /// The window of `last`, and whether another row has a value of it, too.
    pub(super) last_window: i64,
    pub(super) is_last_one_of_several: bool,
}

impl Printed {
    pub(super) fn add(&mut self, other: &Self) {
        if self.rows == 0 {
            *self = other.clone();
            return;
        }
        let joined = |a: Option<f64>, b: Option<f64>, join: fn(f64, f64) -> f64| match (a, b) {
            (Some(a), Some(b)) => Some(join(a, b)),
            (a, b) => a.or(b),
        };
        self.rows += other.rows;
        self.count = self.count.saturating_add(other.count);
        self.sum += other.sum;
        self.min = joined(self.min, other.min, f64::min);
        self.max = joined(self.max, other.max, f64::max);
        match other.last_window.cmp(&self.last_window) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => self.is_last_one_of_several = true,
            std::cmp::Ordering::Greater => {
                (self.last, self.last_window, self.is_last_one_of_several) =
                    (other.last, other.last_window, other.is_last_one_of_several);
            }
        }
    }
}

/// Why a cell has no such number.
pub(super) enum Untold {
    /// It is of several rows, and their numbers do not add up.
    Several,
    /// A printed row has the four percentiles and no other.
    NotPrinted,
    /// A metric without percentiles.
    NoPercentiles,
}

impl Cell {
    fn value(&self, function: Function, step: i64) -> Result<Option<f64>, Untold> {
        let (count, sum, min, max) = match self {
            Self::Printed(of) => (of.count, of.sum, of.min, of.max),
            Self::Whole(row) => {
                let stats = *row.point().stats();
                (stats.observations(), stats.sum(), stats.min(), stats.max())
            }
        };
        Ok(match function {
            Function::Avg => (count > 0).then(|| sum / count as f64),
            Function::Count => Some(count as f64),
            Function::Sum => Some(sum),
            Function::Rate => Some(sum * 60.0 / step as f64),
            Function::Min => min,
            Function::Max => max,
            // This command does not offer them: they are of kept minutes.
            Function::Derivative | Function::Deviation => None,
            Function::Last => match self {
                Self::Printed(of) if of.is_last_one_of_several => return Err(Untold::Several),
                Self::Printed(of) => of.last,
                Self::Whole(row) => row.point().stats().last(),
            },
            Function::Quantile(quantile) => self.quantile(quantile)?,
        })
    }

    fn quantile(&self, quantile: f64) -> Result<Option<f64>, Untold> {
        match self {
            Self::Printed(of) => {
                let known = [0.5, 0.95, 0.99, 0.999].iter().position(|known| (known - quantile).abs() < 1e-9);
                let at = known.ok_or(Untold::NotPrinted)?;
                if of.percentiles[at].is_none() {
                    return if of.count == 0 { Ok(None) } else { Err(Untold::NoPercentiles) };
                }
                if of.rows > 1 { Err(Untold::Several) } else { Ok(of.percentiles[at]) }
            }
            Self::Whole(row) => {
                let sketch = row.sketch().ok_or(Untold::NoPercentiles)?;
                let count = row.point().stats().observations();
                // Nearest rank: the least value that so large a share does not exceed.
                let rank = (quantile * count as f64 - 1e-9).ceil().max(1.0) as u64;
                Ok(sketch.at_rank(rank.min(count)))
            }
        }
    }
}

/// Everything that was read.
pub(super) struct Gathered {
    pub(super) wanted: Wanted,
    cells: BTreeMap<Group, BTreeMap<i64, Cell>>,
    count: usize,
    /// Steps of which there is any row at all, also of other metrics.
    seen: BTreeSet<i64>,
    /// The first step that is not over.
    open: Option<i64>,
    /// Names of all metrics, for whoever wrote one wrong.
    names: BTreeSet<String>,
    kind: Option<Kind>,
    unit: String,
    /// By tag, the values that streams of one cell differ in.
    differing: BTreeMap<String, BTreeSet<String>>,
}

impl Gathered {
    pub(super) fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            cells: BTreeMap::new(),
            count: 0,
            seen: BTreeSet::new(),
            open: None,
            names: BTreeSet::new(),
            kind: None,
            unit: String::new(),
            differing: BTreeMap::new(),
        }
    }

    /// A window of any metric, in seconds since 1970.
    pub(super) fn see(&mut self, window: i64, name: &str, is_open: bool) {
        if self.names.len() < MOST_NAMES && !self.names.contains(name) {
            self.names.insert(name.to_owned());
        }
        if !self.wanted.has(window) {
            return;
        }
        let step = self.wanted.step_of(window);
        self.seen.insert(step);
        if is_open {
            self.open = Some(self.open.map_or(step, |open| open.min(step)));
        }
    }

    /// The line that a row of the metric is part of, if it is asked for.
    pub(super) fn group<'a>(&mut self, tags: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Option<Group> {
        let group = self.wanted.group(tags.clone())?;
        for (key, value) in tags.filter(|(key, _)| !self.wanted.group_by.iter().any(|by| by == key)) {
            let values = self.differing.entry(key.to_owned()).or_default();
            if values.len() < 2 {
                values.insert(value.to_owned());
            }
        }
        Some(group)
    }

    /// Checks that a row can stand on one axis with those before it.
    pub(super) fn is_alike(&mut self, kind: Kind, unit: &str) -> Result<(), Failure> {
        let name = &self.wanted.name;
        match self.kind {
            None => {
                self.kind = Some(kind);
                unit.clone_into(&mut self.unit);
                Ok(())
            }
            Some(first) if first != kind => Err(Failure::Config(format!(
                "{name} is a {} and a {} in these rows, which are two metrics; choose with --tag, or read other files",
                first.as_str(),
                kind.as_str()
            ))),
            Some(_) if self.unit != unit => Err(Failure::Config(format!(
                "{name} is in `{}` and in `{unit}` in these rows, and no axis has both; choose with --tag",
                self.unit
            ))),
            Some(_) => Ok(()),
        }
    }

    /// Adds what a row says.
    pub(super) fn add(&mut self, group: Group, window: i64, cell: Cell) -> Result<(), Failure> {
        let steps = self.cells.entry(group).or_default();
        match (steps.get_mut(&self.wanted.step_of(window)), cell) {
            (Some(Cell::Printed(all)), Cell::Printed(row)) => all.add(&row),
            (Some(Cell::Whole(all)), Cell::Whole(row)) => {
                all.merge(&row).map_err(|error| Failure::Config(format!("{}: {error}", self.wanted.name)))?;
            }
            (Some(_), _) => {
                return Err(Failure::Config("rows and logs cannot be drawn together; draw them one by one".to_owned()));
            }
            (None, cell) => {
                self.count += 1;
                if self.count > MOST_CELLS {
                    return Err(Failure::Config(format!(
                        "more than {MOST_CELLS} points; choose with --tag, --from and --to, or a longer --step"
                    )));
                }
                steps.insert(self.wanted.step_of(window), cell);
            }
        }
        Ok(())
    }

    pub(super) fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// One answer for each function, over the same steps.
    pub(super) fn series(&self, functions: &[Function], most_lines: usize) -> Result<Vec<Series>, Failure> {
        let step = self.wanted.step;
        let (Some(first), Some(last)) = (self.seen.first().copied(), self.seen.last().copied()) else {
            return Err(Failure::Config("there are no rows in this time; --from and --to say which".to_owned()));
        };
        if self.cells.is_empty() {
            return Err(Failure::Config(self.no_such_metric()));
        }
        let start = self.wanted.from.map_or(first, |from| self.wanted.step_of(from));
        let end = self.wanted.to.map_or(last, |to| self.wanted.step_of(to - 1)) + step;
        let steps = (end - start) / step;
        if !(1..=MOST_STEPS).contains(&steps) {
            return Err(Failure::Config(format!(
                "{steps} steps are more than the {MOST_STEPS} of a chart; choose with --from and --to, or a longer --step"
            )));
        }
        let closed = self.open.map_or(steps, |open| ((open - start) / step).clamp(0, steps));
        functions.iter().map(|function| self.one(*function, (start, steps, closed), most_lines)).collect()
    }

    fn one(
        &self,
        function: Function,
        (start, steps, closed): (i64, i64, i64),
        most_lines: usize,
    ) -> Result<Series, Failure> {
        let step = self.wanted.step;
        // What was counted is zero where the minute was seen.
        let counts =
            self.kind == Some(Kind::Count) && matches!(function, Function::Sum | Function::Rate | Function::Count);
        let mut lines = Vec::new();
        for (tags, cells) in &self.cells {
            let mut values = Vec::with_capacity(usize::try_from(steps).unwrap_or(0));
            for at in (0..steps).map(|index| start + index * step) {
                let value = match cells.get(&at) {
                    Some(cell) => cell.value(function, step).map_err(|why| self.refusal(function, &why))?,
                    None => (counts && self.seen.contains(&at)).then_some(0.0),
                };
                values.push(value);
            }
            lines.push(Line { tags: tags.clone(), values });
        }
        let more = lines.len().saturating_sub(most_lines);
        if more > 0 {
            // Those with the highest values, in the order of their tags.
            let weight = |line: &Line| line.values.iter().flatten().sum::<f64>();
            let mut weights: Vec<_> = lines.iter().map(weight).collect();
            weights.sort_by(|a, b| b.total_cmp(a));
            let least = weights[most_lines - 1];
            lines.retain(|line| weight(line) >= least);
            lines.truncate(most_lines);
        }
        Ok(Series {
            start,
            step: u32::try_from(step).unwrap_or(u32::MAX),
            steps: usize::try_from(steps).unwrap_or(0),
            closed: usize::try_from(closed).unwrap_or(0),
            unit: self.unit.clone(),
            lines,
            more,
        })
    }

    fn no_such_metric(&self) -> String {
        let name = &self.wanted.name;
        if self.names.contains(name) {
            return format!("{name} has no stream with these tags in this time");
        }
        let word = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        let asked = word(name);
        let is_near =
            |other: &&String| other.contains(name.as_str()) || word(other) == asked || name.contains(other.as_str());
        let near: Vec<_> = self.names.iter().filter(is_near).take(6).map(String::as_str).collect();
        let some: Vec<_> = self.names.iter().take(6).map(String::as_str).collect();
        let (what, names) = if near.is_empty() { ("there are", some) } else { ("perhaps", near) };
        format!("there is no metric {name}; {what} {}", names.join(", "))
    }

    fn refusal(&self, function: Function, why: &Untold) -> Failure {
        let name = function.to_string();
        let metric = &self.wanted.name;
        let differing: Vec<_> =
            self.differing.iter().filter(|(_, values)| values.len() > 1).map(|(key, _)| key.as_str()).collect();
        Failure::Config(match why {
            Untold::Several if differing.is_empty() => format!(
                "{name} of a step with rows of several minutes or drains cannot be told from them, which have the {name} of \
                 each; leave --step out, or draw the logs themselves"
            ),
            Untold::Several => format!(
                "{name} of several streams cannot be told from their rows, which have the {name} of each; draw them apart \
                 (--group-by {}), or draw the logs themselves; count, sum, avg, min and max are exact",
                differing.join(",")
            ),
            Untold::NotPrinted => format!("rows have p50, p95, p99 and p999, and no {name}; draw the logs themselves"),
            Untold::NoPercentiles => format!(
                "{metric} has no percentiles, as it is a {}; try --function {}",
                self.kind.map_or("metric", Kind::as_str),
                if self.kind == Some(Kind::Count) { "sum" } else { "avg" }
            ),
        })
    }
}

/// The four percentiles that a row has.
pub(super) fn printed_names() -> [&'static str; 4] {
    Percentile::ALL.map(|which| which.suffix().trim_start_matches('.'))
}
