//! One drain on the page: how its metrics went lately, its books, what costs most, its last window.

use super::{Text, View, health};
use crate::number;
use crate::serve::counting::board::{Drain, HISTORY, Line, Stream};
use std::fmt::{self, Display, Write as _};

/// Rows of the last window that are listed.
const ROWS: usize = 60;
/// What is shown of a row's tags.
const TAGS: usize = 300;

pub(super) fn write(page: &mut String, id: &str, name: &str, drain: &Drain, view: &View) -> fmt::Result {
    write!(
        page,
        "<section class=drain><h2 id={id}>{}</h2><p class=dim>last delivery {}, ",
        Text(name),
        health::heard(drain)
    )?;
    match drain.quota_limit {
        Some(limit) => write!(page, "{} of {limit} metric streams of the quota", drain.quota_used)?,
        None => write!(page, "{} stream families, no quota", drain.streams)?,
    }
    write!(page, ", windows open: {}, {}</p>", drain.open_windows, number::human(drain.memory as f64, "bytes"))?;
    if !drain.lines.is_empty() && heading(page, id, 'm', &format!("First {} metrics", drain.lines.len()), view)? {
        page.push_str(
            "<div class=scroll><table><tr><th>metric</th><th>last windows</th><th class=n>in the last one</th></tr>",
        );
        for (name, line) in &drain.lines {
            let last = line.0.back().map_or(0.0, |(_, value)| *value);
            write!(
                page,
                "<tr><td class=t>{}</td><td>{}</td><td class=n>{}</td></tr>",
                Text(name),
                Spark(line),
                number::human(last, "")
            )?;
        }
        page.push_str("</table></div>");
    }
    if let Some(ledger) = &drain.ledger
        && heading(page, id, 'b', "Books", view)?
    {
        write!(page, "<pre class=books>{}</pre>", Text(&ledger.to_string()))?;
    }
    if !drain.top.is_empty() && heading(page, id, 't', "Streams that cost most", view)? {
        page.push_str(
            "<div class=scroll><table><tr><th>metric</th><th>tags</th><th>place</th><th class=n>cost</th>\
             <th class=n>values</th></tr>",
        );
        for Stream { name, tags, standing, cost, observations } in drain.top.iter() {
            write!(
                page,
                "<tr><td class=t>{}</td><td class=t>{}</td><td>{}</td><td class=n>{cost}</td><td class=n>{}</td></tr>",
                Text(name),
                Text(&cut(tags)),
                standing.as_str(),
                number::human(*observations as f64, "")
            )?;
        }
        page.push_str("</table></div>");
    }
    if let Some(start) = drain.window.start
        && heading(page, id, 'w', &format!("Last closed window: {start}"), view)?
    {
        window(page, drain)?;
    }
    page.write_str("</section>")
}

/// A heading that opens and closes what is below it; whether that is open.
fn heading(page: &mut String, id: &str, letter: char, title: &str, view: &View) -> Result<bool, fmt::Error> {
    let section = format!("{}{letter}", id.get(1..).unwrap_or(id));
    let is_open = !view.shut.contains(&section);
    let (mark, link) = (if is_open { "▾" } else { "▸" }, view.turned(&section).link());
    write!(page, "<h3><a href=\"{link}#{id}\">{mark} {}</a></h3>", Text(title))?;
    Ok(is_open)
}

fn window(page: &mut String, drain: &Drain) -> fmt::Result {
    page.push_str(
        "<div class=scroll><table class=window><tr><th>metric</th><th>tags</th><th class=n>n</th><th class=n>sum</th>\
         <th class=n>mean</th><th class=n>p95</th><th class=n>max</th></tr>",
    );
    for row in drain.window.rows.iter().take(ROWS) {
        let point = row.as_point();
        let stats = point.stats();
        let unit = point.unit();
        let number = |value: Option<f64>| value.map_or(String::new(), |value| number::human(value, unit.as_str()));
        let tags: Vec<String> = point.tags().iter().map(|(key, value)| format!("{key}={value}")).collect();
        let p95 = stats.percentiles().map(|all| all.get(heroku_metrics::model::Percentile::P95));
        write!(
            page,
            "<tr><td class=t>{}</td><td class=t>{}</td><td class=n>{}</td>",
            Text(point.name()),
            Text(&cut(&tags.join(" "))),
            number::human(stats.observations() as f64, "")
        )?;
        for value in [Some(stats.sum()), stats.mean(), p95, stats.max()] {
            write!(page, "<td class=n>{}</td>", Text(&number(value)))?;
        }
        page.push_str("</tr>");
    }
    page.push_str("</table></div>");
    let more = drain.window.more + drain.window.rows.len().saturating_sub(ROWS) as u64;
    if more > 0 {
        write!(page, "<p class=dim>and {} more</p>", number::human(more as f64, ""))?;
    }
    Ok(())
}

/// The beginning of a long text.
fn cut(text: &str) -> String {
    match text.char_indices().nth(TAGS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A line of the last windows.
pub(super) struct Spark<'a>(pub(super) &'a Line);

impl Display for Spark<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WIDTH: f64 = 180.0;
        const HEIGHT: f64 = 24.0;
        let points = &self.0.0;
        let most = points.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
        write!(f, "<svg width={WIDTH} height={HEIGHT} role=img aria-label=\"last windows\"><polyline points=\"")?;
        let empty = HISTORY.saturating_sub(points.len());
        for (index, (_, value)) in points.iter().enumerate() {
            let x = (empty + index) as f64 * WIDTH / (HISTORY - 1) as f64;
            let y = HEIGHT - 1.0 - (value / most).clamp(0.0, 1.0) * (HEIGHT - 2.0);
            write!(f, "{x:.1},{y:.1} ")?;
        }
        f.write_str("\"/></svg>")
    }
}
