//! The tables.

use family_benches::timing::Figure;

/// A figure with what is asked of it.
#[derive(Debug)]
pub(crate) struct Goal {
    row: &'static str,
    what: String,
    measured: f64,
    unit: &'static str,
    must: f64,
    aim: f64,
    more_is_better: bool,
}

impl Goal {
    /// Less is better.
    pub(crate) fn at_most(
        row: &'static str,
        what: impl Into<String>,
        measured: f64,
        unit: &'static str,
        must: f64,
        aim: f64,
    ) -> Self {
        Self { row, what: what.into(), measured, unit, must, aim, more_is_better: false }
    }

    /// More is better.
    pub(crate) fn at_least(
        row: &'static str,
        what: impl Into<String>,
        measured: f64,
        unit: &'static str,
        must: f64,
        aim: f64,
    ) -> Self {
        Self { more_is_better: true, ..Self::at_most(row, what, measured, unit, must, aim) }
    }

    fn standing(&self) -> &'static str {
        let meets = |goal: f64| if self.more_is_better { self.measured >= goal } else { self.measured <= goal };
        match (meets(self.aim), meets(self.must)) {
            (true, _) => "aim",
            (false, true) => "must",
            (false, false) => "NO",
        }
    }
}

fn short(number: f64) -> String {
    match number {
        0.0 => "0".to_owned(),
        n if n >= 100.0 => format!("{n:.0}"),
        n if n >= 10.0 => format!("{n:.1}"),
        n if n >= 0.01 => format!("{n:.2}"),
        n => format!("{n:.5}"),
    }
}

/// Contenders by row; the first of a row is the family's, and the last column how many times its time the others take.
pub(crate) fn figures(figures: &[Figure], markdown: bool) {
    let mut rows = vec![["", "contender", "GB/s", "ns/line", "heap calls/line", "x scan", "x ours"].map(str::to_owned)];
    for figure in figures {
        let ours = figures.iter().find(|first| first.row == figure.row).map_or(f64::NAN, |first| first.ns_per_line);
        rows.push([
            figure.row.to_owned(),
            figure.name.to_owned(),
            short(figure.gigabytes),
            short(figure.ns_per_line),
            short(figure.heap_calls),
            short(figure.scan),
            short(figure.ns_per_line / ours),
        ]);
    }
    table(&rows, markdown, 2);
}

/// Goals, each with its standing.
pub(crate) fn goals(goals: &[Goal], markdown: bool) {
    let mut rows = vec![["", "goal", "measured", "must", "aim", "", "met"].map(str::to_owned)];
    for goal in goals {
        let sign = if goal.more_is_better { ">=" } else { "<=" };
        rows.push([
            goal.row.to_owned(),
            goal.what.clone(),
            short(goal.measured),
            format!("{sign} {}", short(goal.must)),
            short(goal.aim),
            goal.unit.to_owned(),
            goal.standing().to_owned(),
        ]);
    }
    table(&rows, markdown, 2);
}

/// Aligned columns, the first `left` of them to the left.
fn table(rows: &[[String; 7]], markdown: bool, left: usize) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..7).map(width).collect();
    for (at, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        let cells: Vec<String> = cells.collect();
        if markdown {
            println!("| {} |", cells.join(" | "));
        } else {
            println!("{}", cells.join("  ").trim_end());
        }
        if markdown && at == 0 {
            let rules: Vec<&str> = (0..7).map(|column| if column < left { "---" } else { "---:" }).collect();
            println!("|{}|", rules.join("|"));
        }
    }
    println!();
}
