//! The status page at `/`: one document without scripts, images or anything from elsewhere. It reloads itself.
//!
//! Everything that stands in it may come from a log line, and passes [`Text`] on its way.

use super::board::{Drain, HISTORY, Line, Shown, Stream};
use super::drain_name::DrainName;
use super::intake::Intake;
use crate::escape::Escaped;
use crate::number;
use std::fmt::{self, Display, Write as _};

/// What a browser may do with the page: show it.
pub(crate) const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;margin:1.5rem;max-width:70rem;color:#1a1a2e;background:#fff}\
h1{font-size:1.2rem}h2{font-size:1.05rem;margin:1.6rem 0 .4rem;overflow-wrap:anywhere}table{border-collapse:collapse}\
td,th{padding:.1rem .8rem .1rem 0;text-align:left;vertical-align:top;overflow-wrap:anywhere}td.n,th.n{text-align:right;\
font-variant-numeric:tabular-nums}.all{display:flex;flex-wrap:wrap;gap:.3rem 2rem}.all b{display:block;font-size:1.3rem}\
.bad{color:#b00020}svg{vertical-align:middle}polyline{fill:none;stroke:#3b5bdb;stroke-width:1.5}summary{cursor:pointer}\
@media(prefers-color-scheme:dark){body{color:#e6e6ef;background:#14141f}polyline{stroke:#91a7ff}.bad{color:#ff8a80}}";

/// Rows of the last window that are listed.
const ROWS: usize = 60;

/// The page as it is now.
pub(crate) fn html(intake: &Intake, shown: &Shown, _query: &str, limit: usize) -> String {
    let mut page = String::with_capacity(32 * 1024);
    // Writing into a string does not fail.
    let _ = write(&mut page, intake, shown, limit);
    page
}

fn write(page: &mut String, intake: &Intake, shown: &Shown, limit: usize) -> fmt::Result {
    let counters = &intake.counters;
    write!(
        page,
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta http-equiv=refresh content=5>\
         <meta name=viewport content=\"width=device-width\"><title>logdrain</title><style>{STYLE}</style></head><body>\
         <h1>logdrain</h1><div class=all>"
    )?;
    let (deliveries, lines) = shown.rates();
    let state = match (intake.is_ready(), intake.is_storing()) {
        (true, _) => "ready",
        (false, true) => "reading its journal",
        (false, false) => "cannot store",
    };
    let class = if intake.is_ready() { "" } else { " class=bad" };
    write!(page, "<span{class}><b id=state>{state}</b>state</span>")?;
    let refused: u64 = counters.refused().map(|(_, count)| count).sum();
    for (name, value) in [
        ("deliveries/s", number::human(deliveries, "")),
        ("lines/s", number::human(lines, "")),
        ("deliveries", number::human(counters.kept.get() as f64, "")),
        ("duplicates", number::human(counters.duplicates.get() as f64, "")),
        ("refused requests", number::human(refused as f64, "")),
        ("connections", intake.connections.len().to_string()),
        ("drains", shown.drains.len().to_string()),
    ] {
        write!(page, "<span><b>{value}</b>{name}</span>")?;
    }
    page.push_str("</div>");
    if refused > 0 {
        page.push_str("<p>Refused:");
        for (reason, count) in counters.refused().filter(|(_, count)| *count > 0) {
            write!(page, " {count} {reason}")?;
        }
        page.push_str("</p>");
    }
    if shown.drains.is_empty() {
        page.push_str("<p>No drain has sent anything yet.</p>");
    }
    for (key, drain) in &shown.drains {
        if page.len() > limit {
            page.push_str("<p>There is no room for all drains on this page.</p>");
            break;
        }
        self::drain(page, &DrainName::of(key).shown().to_string(), drain)?;
    }
    page.push_str("</body></html>\n");
    Ok(())
}

fn drain(page: &mut String, key: &str, drain: &Drain) -> fmt::Result {
    write!(page, "<section class=drain><h2>{}</h2>", Text(key))?;
    match drain.quota_limit {
        Some(limit) => write!(page, "<p>{} of {limit} metric streams of the quota", drain.quota_used)?,
        None => write!(page, "<p>{} stream families, no quota", drain.streams)?,
    }
    write!(page, ", {} open windows, {}</p>", drain.open_windows, number::human(drain.memory as f64, "bytes"))?;
    if !drain.lines.is_empty() {
        page.push_str("<table>");
        for (name, line) in &drain.lines {
            let last = line.0.back().map_or(0.0, |(_, value)| *value);
            write!(
                page,
                "<tr><td>{}</td><td>{}</td><td class=n>{}</td></tr>",
                Text(name),
                Spark(line),
                number::human(last, "")
            )?;
        }
        page.push_str("</table>");
    }
    if let Some(ledger) = &drain.ledger {
        write!(
            page,
            "<details open><summary>Books</summary><pre class=books>{}</pre></details>",
            Text(&ledger.to_string())
        )?;
    }
    if !drain.top.is_empty() {
        page.push_str(
            "<details open><summary>Streams that cost most</summary><table><tr><th>metric</th><th>tags</th><th>place</th>\
             <th class=n>cost</th><th class=n>values</th></tr>",
        );
        for Stream { name, tags, standing, cost, observations } in drain.top.iter() {
            write!(
                page,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td class=n>{cost}</td><td class=n>{observations}</td></tr>",
                Text(name),
                Text(tags),
                standing.as_str()
            )?;
        }
        page.push_str("</table></details>");
    }
    if let Some(start) = drain.window.start {
        write!(
            page,
            "<details open><summary>Last closed window: {start}</summary><table class=window><tr><th>metric</th><th>tags</th>\
             <th class=n>n</th><th class=n>sum</th><th class=n>mean</th><th class=n>p95</th><th class=n>max</th></tr>"
        )?;
        for row in drain.window.rows.iter().take(ROWS) {
            let point = row.as_point();
            let stats = point.stats();
            let unit = point.unit();
            let number = |value: Option<f64>| value.map_or(String::new(), |value| number::human(value, unit.as_str()));
            let tags: Vec<String> = point.tags().iter().map(|(key, value)| format!("{key}={value}")).collect();
            let p95 = stats.percentiles().map(|all| all.get(heroku_metrics::model::Percentile::P95));
            write!(
                page,
                "<tr><td>{}</td><td>{}</td><td class=n>{}</td>",
                Text(point.name()),
                Text(&tags.join(" ")),
                stats.observations()
            )?;
            for value in [Some(stats.sum()), stats.mean(), p95, stats.max()] {
                write!(page, "<td class=n>{}</td>", Text(&number(value)))?;
            }
            page.push_str("</tr>");
        }
        let more = drain.window.more + drain.window.rows.len().saturating_sub(ROWS) as u64;
        if more > 0 {
            write!(page, "<tr><td>and {more} more</td></tr>")?;
        }
        page.push_str("</table></details>");
    }
    page.push_str("</section>");
    Ok(())
}

/// Text as HTML shows it: no markup, no control characters.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, line) in self.0.split('\n').enumerate() {
            if place > 0 {
                f.write_char('\n')?;
            }
            for c in Escaped(line).to_string().chars() {
                match c {
                    '&' => f.write_str("&amp;")?,
                    '<' => f.write_str("&lt;")?,
                    '>' => f.write_str("&gt;")?,
                    '"' => f.write_str("&quot;")?,
                    '\'' => f.write_str("&#39;")?,
                    c => f.write_char(c)?,
                }
            }
        }
        Ok(())
    }
}

/// A line of the last windows.
struct Spark<'a>(&'a Line);

impl Display for Spark<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WIDTH: f64 = 180.0;
        const HEIGHT: f64 = 24.0;
        let points = &self.0.0;
        let most = points.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
        write!(f, "<svg width={WIDTH} height={HEIGHT} role=img aria-label=\"last windows\"><polyline points=\"")?;
        let empty = HISTORY.saturating_sub(points.len());
        for (place, (_, value)) in points.iter().enumerate() {
            let x = (empty + place) as f64 * WIDTH / (HISTORY - 1) as f64;
            let y = HEIGHT - 1.0 - (value / most).clamp(0.0, 1.0) * (HEIGHT - 2.0);
            write!(f, "{x:.1},{y:.1} ")?;
        }
        f.write_str("\"/></svg>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        let hostile = "<script>alert('x')</script>\u{1b}[2J\u{202e}\"&\n<b>";
        assert_eq!(
            Text(hostile).to_string(),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\\u{1b}[2J\\u{202e}&quot;&amp;\n&lt;b&gt;"
        );
    }
}
