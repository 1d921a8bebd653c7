//! Minute streams for people: one block a window, aligned, sorted, with units.

use crate::sheet::{Column, Part, Row, Sheet, wrap};
use heroku_metrics::model::{DataPoint, DataPointBuf, Kind, Percentile, TagSet};
use logdrain_terms::escape::Escaped;
use logdrain_terms::number::human;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::IsTerminal as _;

/// How the table is dressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) colours: bool,
    /// Columns of the terminal; `None` leaves nothing out.
    pub(crate) width: Option<usize>,
}

/// The columns of the terminal that standard output goes to, if it goes to one.
pub(crate) fn terminal_width() -> Option<usize> {
    let size = std::io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
    size.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0)
}

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const RED: &str = "\u{1b}[31m";
const OFF: &str = "\u{1b}[0m";

impl Style {
    fn paint(self, colour: &str, text: &str) -> String {
        if self.colours { format!("{colour}{text}{OFF}") } else { text.to_owned() }
    }

    fn wrapped(self, text: &str) -> Vec<String> {
        self.width.map_or_else(|| vec![text.to_owned()], |width| wrap(text, 0, width))
    }
}

/// All points, in the order they were written, and a summary line; `partial` when their windows were not closed.
pub(crate) fn render(points: &[DataPointBuf], style: Style, partial: bool) -> String {
    let mut out = String::new();
    let mut left_out = Vec::new();
    for window in points.chunk_by(|a, b| a.as_point().window() == b.as_point().window()) {
        let Some(first) = window.first() else { continue };
        let mark = if partial { " (partial)" } else { "" };
        let _ = writeln!(out, "{}", style.paint(BOLD, &format!("{}{mark}", first.as_point().window().start())));
        let (lines, missing) = block(window).lines(style.width);
        for title in missing {
            if !left_out.contains(&title) {
                left_out.push(title);
            }
        }
        for (part, line) in lines {
            let dressed = match part {
                Part::Header => style.paint(DIM, &line),
                Part::Row(index) if window[index].as_point().name().starts_with("heroku.errors.") => {
                    style.paint(RED, &line)
                }
                Part::Row(_) => line,
            };
            let _ = writeln!(out, "{dressed}");
        }
        out.push('\n');
    }
    for line in style.wrapped(&summary(points)) {
        let _ = writeln!(out, "{}", style.paint(BOLD, &line));
    }
    if !left_out.is_empty() {
        for line in style.wrapped(&format!("no room for {}: a wider window or --format jsonl", left_out.join(", "))) {
            let _ = writeln!(out, "{}", style.paint(DIM, &line));
        }
    }
    out
}

/// The numbers that a row has; on a narrow terminal those with the highest `spare` go first.
fn columns(measured: bool) -> Vec<Column> {
    let mut columns = vec![
        Column::number("n", 0),
        Column::number("value", 0),
        Column::word("", 1),
        Column::number("min", 6),
        Column::number("p50", 5),
        Column::number("p95", 2),
        Column::number("p99", 4),
        Column::number("p999", 7),
        Column::number("max", 3),
    ];
    if !measured {
        columns.drain(4..8);
    }
    columns
}

fn block(points: &[DataPointBuf]) -> Sheet {
    let measured = points.iter().any(|point| point.as_point().stats().percentiles().is_some());
    let mut sheet = Sheet::new(("metric", "tags"), columns(measured));
    let mut above = None;
    for point in points {
        let view = point.as_point();
        // Streams of one name may differ by kind and unit alone: these are no rows of the same metric.
        let metric = (view.name(), view.kind(), view.unit().as_str());
        let name = if above == Some(metric) { String::new() } else { Escaped(view.name()).to_string() };
        sheet.rows.push(Row { name, text: shown_tags(view.tags()), cells: cells(&view, measured) });
        above = Some(metric);
    }
    sheet
}

/// `key=value key=value`, safe to show. No two sets of tags look the same: what has a blank in it stands in quotes.
pub(crate) fn shown_tags(tags: &TagSet) -> String {
    let tags: Vec<_> =
        tags.iter().map(|(key, value)| format!("{}={}", quoted(key, true), quoted(value, false))).collect();
    tags.join(" ")
}

fn quoted(text: &str, is_key: bool) -> String {
    let shown = Escaped(text).to_string();
    if !(shown.contains(' ') || shown.starts_with('"') || (is_key && shown.contains(['=', '"']))) {
        return shown;
    }
    let mut out = String::from("\"");
    let mut rest = shown.chars().peekable();
    let mut before = ' ';
    while let Some(c) = rest.next() {
        match c {
            '"' => out.push_str("\\\""),
            // It would belong to the quote behind it.
            '\\' if rest.peek().is_none_or(|next| *next == '"') => out.push_str("\\u{5c}"),
            // Where a line may end, a blank more or less could not be seen.
            ' ' if before == ' ' || rest.peek().is_none() => out.push_str("\\u{20}"),
            _ => out.push(c),
        }
        before = c;
    }
    out.push('"');
    out
}

/// `value` is what the base stream holds: the sum of a count, the last of a sample, the mean of a measure.
fn cells(point: &DataPoint<'_>, measured: bool) -> Vec<String> {
    let stats = point.stats();
    let show = |number: Option<f64>| number.map_or_else(String::new, |number| human(number, point.unit().as_str()));
    let (value, which) = match point.kind() {
        Kind::Count => (show(Some(stats.sum())), "total"),
        Kind::Sample => (show(stats.last()), "last"),
        Kind::Measure => (show(stats.mean()), "mean"),
    };
    let mut cells = vec![human(stats.observations() as f64, ""), value, which.to_owned(), show(stats.min())];
    if measured {
        cells.extend(Percentile::ALL.map(|which| show(stats.percentiles().map(|all| all.get(which)))));
    }
    cells.push(show(stats.max()));
    cells
}

/// `3 windows, 41 metrics, 210 metric streams, 1,032 observations`
fn summary(points: &[DataPointBuf]) -> String {
    let views = || points.iter().map(DataPointBuf::as_point);
    let windows: BTreeSet<_> = views().map(|point| point.window()).collect();
    let names: BTreeSet<_> = views().map(|point| point.name()).collect();
    let streams: BTreeSet<_> = views()
        .flat_map(|point| point.streams().map(move |(name, _)| (name.to_string(), point.unit(), point.tags())))
        .collect();
    let observations: u64 = views().map(|point| point.stats().observations()).sum();
    let count =
        |number: usize, one: &str| format!("{} {one}{}", human(number as f64, ""), if number == 1 { "" } else { "s" });
    format!(
        "{}, {}, {}, {}",
        count(windows.len(), "window"),
        count(names.len(), "metric"),
        count(streams.len(), "metric stream"),
        count(usize::try_from(observations).unwrap_or(usize::MAX), "observation"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet::shown_width;
    use heroku_metrics::syslog::Delivery;
    use heroku_metrics::{Pipeline, PipelineConfig};

    fn points(lines: &[&str]) -> Vec<DataPointBuf> {
        let frames = lines.iter().map(|line| format!("<190>1 2026-03-14T09:26:53Z host {line}\n"));
        let body: String = frames.map(|frame| format!("{} {frame}", frame.len())).collect();
        let mut pipeline = Pipeline::new(PipelineConfig::new()).unwrap();
        pipeline.ingest(&Delivery::new(body.as_bytes()));
        let mut points = Vec::new();
        pipeline.finish(&mut points).unwrap();
        points
    }

    fn text(lines: &[&str], width: Option<usize>) -> String {
        render(&points(lines), Style { colours: false, width }, false)
    }

    const ROUTER: [&str; 2] = [
        "heroku router - at=info method=GET path=\"/\" host=example.com request_id=a fwd=\"192.0.2.1\" dyno=web.1 \
         connect=1ms service=18ms status=200 bytes=13 protocol=https",
        "heroku router - at=info method=GET path=\"/\" host=example.com request_id=b fwd=\"192.0.2.1\" dyno=web.1 \
         connect=1ms service=25ms status=404 bytes=13 protocol=https",
    ];

    #[test]
    fn off_a_terminal_everything_stands_side_by_side() {
        let text =
            text(&["app web.1 - count#signups=2 tag#plan=free", "app web.1 - count#signups=3 tag#plan=paid"], None);
        assert_eq!(
            text,
            "\
2026-03-14T09:26:00Z
 metric   tags       n  value         min  max
 signups  plan=free  1      2  total
          plan=paid  1      3  total

1 window, 1 metric, 2 metric streams, 2 observations
"
        );
    }

    const EIGHTY: &str = "\
 heroku.router.service.response_time
  status_category=2xx         1  18 ms  mean   18 ms  18 ms  18 ms  18 ms  18 ms
  status_code=200 dyno=web.1
  method=GET source=web.1
  status_category=4xx         1  25 ms  mean   25 ms  25 ms  25 ms  25 ms  25 ms
  status_code=404 dyno=web.1
  method=GET source=web.1

1 window, 4 metrics, 24 metric streams, 8 observations
no room for p999: a wider window or --format jsonl
";

    const FORTY: &str = "\
 heroku.router.service.response_time
  status_category=2xx    1  18 ms  mean
  status_code=200
  dyno=web.1 method=GET
  source=web.1
  status_category=4xx    1  25 ms  mean
  status_code=404
  dyno=web.1 method=GET
  source=web.1

1 window, 4 metrics, 24 metric streams,
8 observations
no room for min, p50, p95, p99, p999,
max: a wider window or --format jsonl
";

    #[test]
    fn eighty_columns_show_all_tags_and_the_numbers_that_matter_most() {
        let text = text(&ROUTER, Some(80));
        assert!(text.contains(EIGHTY), "{text}");
        assert!(text.lines().all(|line| shown_width(line) <= 80), "{text}");
    }

    #[test]
    fn forty_columns_show_all_tags() {
        let text = text(&ROUTER, Some(40));
        assert!(text.contains(FORTY), "{text}");
        assert!(text.lines().all(|line| shown_width(line) <= 40), "{text}");
    }

    #[test]
    fn tags_that_are_not_the_same_do_not_look_the_same() {
        let sets: [&[(&str, &str)]; 16] = [
            &[("a", "b \\\" c")],
            &[("a", "b \" c")],
            &[("a", "b c\\")],
            &[("a", "b c\\\"")],
            &[("a", "b"), ("c", "d")],
            &[("a", "b c=d")],
            &[("a", "b  c=d")],
            &[("a", " b c=d")],
            &[("a", "b c=d ")],
            &[("a", "\"b c=d\"")],
            &[("a", "\u{1b}")],
            &[("a", "\\u{1b}")],
            &[("a=b", "c")],
            &[("a", "b=c")],
            &[("a", "\"x"), ("b", "y\"")],
            &[("a", "x b=y")],
        ];
        let shown = sets.map(|set| shown_tags(&TagSet::from_iter(set.iter().copied())));
        let unique: BTreeSet<_> = shown.iter().collect();
        assert_eq!(unique.len(), sets.len(), "{shown:#?}");
        assert_eq!((shown[4].as_str(), shown[5].as_str()), ("a=b c=d", "a=\"b c=d\""));
        assert_eq!(shown[1], "a=\"b \\\" c\"");
    }

    #[test]
    fn streams_that_differ_by_kind_or_unit_alone_are_told_apart() {
        let text = text(&["app web.1 - count#a=1 measure#a=2ms measure#a=2"], Some(80));
        assert_eq!(text.lines().filter(|line| line.starts_with(" a ")).count(), 3, "{text}");
    }
}
