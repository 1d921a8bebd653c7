//! A plot as rows of text: what is on screen, for spreadsheets and scripts.

use super::{Plot, day};
use std::fmt::Write as _;

/// A row for each step: its time in the plot's zone with the offset, whether it is over, and a value for each line in the
/// unit that rows have it in, all digits of it; nothing where nothing is known. The first row names the columns.
pub fn csv(plot: &Plot) -> String {
    let plot = plot.ready();
    let mut out = String::with_capacity(plot.steps * (40 + 12 * plot.curves.len()));
    out.push_str("time,closed");
    for curve in &plot.curves {
        let unit = if plot.unit.is_empty() { String::new() } else { format!(" ({})", plot.unit) };
        out.push(',');
        field(&mut out, &format!("{}{unit}", curve.name));
    }
    out.push('\n');
    for step in 0..plot.steps {
        let time = day::zoned(plot.time(step), &plot.zone);
        let _ = write!(out, "{},{}", time.strftime("%Y-%m-%dT%H:%M:%S%:z"), step < plot.closed);
        for curve in &plot.curves {
            out.push(',');
            if let Some(value) = curve.values[step] {
                let _ = write!(out, "{value}");
            }
        }
        out.push('\n');
    }
    out
}

/// RFC 4180, 2.5 to 2.7. What a spreadsheet would take for a formula has an apostrophe before it.
fn field(out: &mut String, text: &str) {
    let acts = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if acts { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) {
        let _ = write!(out, "\"{}\"", text.replace('"', "\"\""));
    } else {
        out.push_str(&text);
    }
}
