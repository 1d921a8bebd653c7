//! What fills a log: the most common lines, and the programs that write most.

use crate::search::event::Event;
use crate::sheet::{Column, Row, Sheet};
use crate::table;
use log_store::Pattern;
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::Failure;
use logdrain_terms::json;
use logdrain_terms::number::human;
use serde_json::json;
use std::io::Write as _;

#[derive(Debug)]
pub(crate) struct Patterns {
    counts: log_store::Patterns,
    /// How many of each kind are printed.
    most: usize,
    is_json: bool,
}

impl Patterns {
    pub(crate) fn new(most: usize, is_json: bool) -> Self {
        Self { counts: log_store::Patterns::new(), most, is_json }
    }

    pub(crate) fn counts(&mut self) -> &mut log_store::Patterns {
        &mut self.counts
    }

    pub(crate) fn add(&mut self, event: &Event<'_>) {
        self.counts.add(event.program, event.message);
    }

    /// Prints them, and gives how many lines were counted.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub(crate) fn print(&self) -> Result<u64, Failure> {
        let mut out = Vec::new();
        let (patterns, programs) = (self.counts.top(self.most), self.counts.programs(self.most));
        if self.is_json {
            for (kind, rows) in [("pattern", &patterns), ("program", &programs)] {
                for row in rows {
                    let program = String::from_utf8_lossy(row.program());
                    let mut line = json!({"kind": kind, "program": program});
                    if kind == "pattern" {
                        line["pattern"] = String::from_utf8_lossy(row.text()).into();
                    }
                    line["count"] = row.count().into();
                    line["bytes"] = row.bytes().into();
                    line["at_least"] = self.counts.is_at_least().into();
                    json::line(&mut out, &line)?;
                }
            }
        } else if self.counts.lines() > 0 {
            self.tables(&patterns, &programs, &mut out)?;
        }
        let mut stdout = std::io::stdout();
        stdout.write_all(&out)?;
        stdout.flush()?;
        Ok(self.counts.lines())
    }

    fn tables(&self, patterns: &[Pattern], programs: &[Pattern], out: &mut Vec<u8>) -> Result<(), Failure> {
        let (lines, bytes) = (self.counts.lines(), self.counts.bytes());
        writeln!(out, "{} lines, {} of messages", human(lines as f64, ""), human(bytes as f64, "bytes"))?;
        let at_least = if self.counts.is_at_least() { "≥ " } else { "" };
        let cells = |row: &Pattern| {
            vec![
                format!("{at_least}{}", human(row.count() as f64, "")),
                format!("{:.0}%", row.count() as f64 * 100.0 / lines.max(1) as f64),
                human(row.bytes() as f64, "bytes"),
                format!("{:.0}%", row.bytes() as f64 * 100.0 / bytes.max(1) as f64),
            ]
        };
        let columns = || {
            vec![
                Column::number("lines", 0),
                Column::number("of all", 3),
                Column::number("bytes", 1),
                Column::number("of all", 2),
            ]
        };
        let shown = |text: &[u8]| {
            let text = Escaped(&String::from_utf8_lossy(text)).to_string();
            if text.is_empty() { "-".to_owned() } else { text }
        };
        let mut by_program = Sheet::new(("program", ""), columns());
        by_program.rows.extend(programs.iter().map(|row| Row {
            name: shown(row.program()),
            text: String::new(),
            cells: cells(row),
        }));
        let mut by_pattern = Sheet::new(("program", "line"), columns());
        by_pattern.rows.extend(patterns.iter().map(|row| Row {
            name: shown(row.program()),
            text: shown(row.text()),
            cells: cells(row),
        }));
        for sheet in [by_program, by_pattern] {
            writeln!(out)?;
            for (_, line) in sheet.lines(table::terminal_width()).0 {
                writeln!(out, "{line}")?;
            }
        }
        if self.counts.is_at_least() {
            writeln!(
                out,
                "\nThere are more patterns than are kept; the rare ones are left out, and counts are \"at least\"."
            )?;
        }
        Ok(())
    }
}
