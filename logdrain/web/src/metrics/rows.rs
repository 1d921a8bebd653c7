//! The numbers of the last windows, row by row: the part of `/metrics` that tags and names of others are in.

use super::{Number, Page, label};
use heroku_metrics::model::{DataPoint, Percentile};
use logdrain_drain::counting::board::Window;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

impl Page {
    /// The rows of a window, in no more than `share` bytes.
    pub(super) fn rows(&mut self, drain: &str, window: &Window, share: usize) {
        self.left_out += window.more;
        let mut points: Vec<DataPoint<'_>> = window.rows.iter().map(|row| row.as_point()).collect();
        points.sort_by_key(|point| std::cmp::Reverse(point.stats().observations()));
        let names = label_names(&points);
        let end = self.text.len() + share;
        let mut seen = BTreeSet::new();
        for point in &points {
            let since = self.text.len();
            let labels = labels_of(drain, point, &names);
            let shown = self.row(point, &labels);
            // To the format a label without a value is none, so that two rows may read the same.
            if self.text.len() > end || !shown || !seen.insert(labels) {
                self.text.truncate(since);
                self.left_out += 1;
            }
        }
    }

    /// The numbers of a row; `false` when they do not fit.
    fn row(&mut self, point: &DataPoint<'_>, labels: &str) -> bool {
        let since = self.text.len();
        let stats = point.stats();
        let percentile = |which| stats.percentiles().map(|percentiles| percentiles.get(which));
        let numbers = [
            ("count", Some(stats.observations() as f64)),
            ("sum", Some(stats.sum())),
            ("min", stats.min()),
            ("max", stats.max()),
            ("mean", stats.mean()),
            ("last", stats.last()),
            ("p50", percentile(Percentile::P50)),
            ("p95", percentile(Percentile::P95)),
            ("p99", percentile(Percentile::P99)),
            ("p999", percentile(Percentile::P999)),
        ];
        for (stat, value) in numbers {
            let Some(value) = value else { continue };
            let _ = writeln!(self.text, "logdrain_window{{{labels},stat=\"{stat}\"}} {}", Number(value));
            if !self.keep(since) {
                return false;
            }
        }
        true
    }
}

/// The label of each tag, by metric and key.
type Names<'a> = BTreeMap<(&'a str, &'a str), String>;

/// What the tags of each metric are called as labels: `a.b` becomes `tag_a_b`, and what `tag_a_b` is already becomes
/// `tag_a_b_2`. One name for one key in all rows of a metric, so that no two rows read the same.
fn label_names<'a>(points: &'a [DataPoint<'a>]) -> Names<'a> {
    let mut keys: BTreeSet<(&str, bool, &str)> = BTreeSet::new();
    for point in points {
        for (key, _) in point.tags().iter() {
            // A key that needs no change has its name first.
            keys.insert((point.name(), !key.bytes().all(is_plain), key));
        }
    }
    let mut names = Names::new();
    let mut taken: BTreeSet<(&str, String)> = BTreeSet::new();
    for (metric, _, key) in keys {
        let plain: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let mut name = format!("tag_{plain}");
        let mut number = 2_u32;
        while !taken.insert((metric, name.clone())) {
            name = format!("tag_{plain}_{number}");
            number += 1;
        }
        names.insert((metric, key), name);
    }
    names
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// What all numbers of a row have in common.
fn labels_of(drain: &str, point: &DataPoint<'_>, names: &Names<'_>) -> String {
    let mut text = String::new();
    label(&mut text, "drain", drain);
    for (key, value) in [("metric", point.name()), ("kind", point.kind().as_str()), ("unit", point.unit().as_str())] {
        text.push(',');
        label(&mut text, key, value);
    }
    for (key, value) in point.tags().iter().filter(|(_, value)| !value.is_empty()) {
        if let Some(name) = names.get(&(point.name(), key)) {
            text.push(',');
            label(&mut text, name, value);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use heroku_metrics::model::DataPointBuf;
    use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
    use std::sync::Arc;

    /// What comes of some lines of an application, in one minute.
    fn window(lines: &[&str]) -> Window {
        let mut pipeline = Pipeline::new(PipelineConfig::new()).unwrap();
        for line in lines {
            let frame = format!("<190>1 2026-03-14T09:26:53Z host app web.1 - {line}\n");
            pipeline.ingest(&Delivery::new(format!("{} {frame}", frame.len()).as_bytes()));
        }
        let mut points: Vec<DataPointBuf> = Vec::new();
        pipeline.finish(&mut points).unwrap();
        Window { rows: points.into_iter().map(Arc::new).collect(), ..Window::default() }
    }

    /// The series of a text as Prometheus tells them apart: sorted labels without the empty ones.
    fn series(text: &str) -> Vec<(String, Vec<(String, String)>)> {
        let of = |line: &str| {
            let (series, number) = line.rsplit_once(' ').unwrap();
            assert!(number.parse::<f64>().is_ok(), "{line}");
            let Some((name, rest)) = series.split_once('{') else { return (series.to_owned(), Vec::new()) };
            let mut rest = rest.strip_suffix('}').unwrap();
            let mut labels = Vec::new();
            while !rest.is_empty() {
                let (key, value) = rest.split_once("=\"").unwrap();
                assert!(key.bytes().all(is_plain) && !key.starts_with(|c: char| c.is_ascii_digit()), "{line}");
                let mut is_escaped = false;
                let end = value.find(|c| {
                    let is_end = c == '"' && !is_escaped;
                    is_escaped = c == '\\' && !is_escaped;
                    is_end
                });
                let end = end.unwrap();
                labels.push((key.to_owned(), value[..end].to_owned()));
                rest = value[end + 1..].strip_prefix(',').unwrap_or("");
            }
            let count = labels.len();
            labels.sort();
            labels.dedup_by(|a, b| a.0 == b.0);
            assert_eq!(labels.len(), count, "a label stands twice: {line}");
            labels.retain(|(_, value)| !value.is_empty());
            (name.to_owned(), labels)
        };
        text.lines().filter(|line| !line.starts_with('#')).map(of).collect()
    }

    #[test]
    fn a_row_becomes_samples_whatever_its_tags_are_called() {
        let mut page = Page::new(1 << 20);
        page.rows("a\"b\n", &window(&["count#n=2 tag#a.b=x tag#a-b=y\\z"]), 1 << 20);
        assert_eq!(
            page.text.lines().next().unwrap(),
            r#"logdrain_window{drain="a\"b\n",metric="n",kind="count",unit="",tag_a_b="y\\z",tag_a_b_2="x",stat="count"} 1"#
        );
        assert_eq!(page.text.lines().count(), 2);
    }

    #[test]
    fn no_series_stands_twice_whatever_kinds_and_tags_there_are() {
        let lines = [
            "count#dup=1 measure#dup=2 sample#dup=3",
            "count#dup=1ms measure#dup=2ms sample#dup=3MB",
            "count#tags=1 tag#a.b=x",
            "count#tags=1 tag#a-b=x",
            "count#tags=1 tag#a_b=x",
            "count#tags=1 tag#a_b_2=x",
            "count#tags=1 tag#a.b=x tag#a-b=x tag#a_b=x",
            "count#tags=1 tag#metric=x tag#drain=y tag#stat=z",
            "count#empty=1",
            "count#empty=1 tag#a=\"\"",
            "count#empty=1 tag#b=\"\"",
        ];
        let window = window(&lines);
        let mut page = Page::new(1 << 20);
        page.rows("d.1", &window, 1 << 20);
        page.rows("d.2", &window, 1 << 20);
        let all = series(&page.text);
        let unique: BTreeSet<_> = all.iter().collect();
        assert_eq!(unique.len(), all.len(), "{}", page.text);
        assert!(all.len() > 40);
    }

    #[test]
    fn the_text_stays_below_its_limit_and_counts_what_it_leaves_out() {
        let tags: String = (0..40).map(|n| format!(" tag#{}{n}={}", "k".repeat(50), "v".repeat(200))).collect();
        let lines: Vec<String> = (0..60).map(|n| format!("measure#m.{n}=1 measure#m.{n}=2{tags}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let (long, small) = (window(&lines), window(&["count#n=1"]));
        let rows = long.rows.len() as u64;
        assert!(rows > 40, "{rows}");
        let limit = 1 << 20;
        let mut page = Page::new(limit);
        let share = page.room() / 2;
        page.rows("d.long", &long, share);
        let share = page.room();
        page.rows("d.small", &small, share);
        assert!(page.text.contains("drain=\"d.small\""), "a loud drain leaves the others their share");
        let shown: BTreeSet<_> = series(&page.text).into_iter().map(|(_, labels)| labels[2].1.clone()).collect();
        assert!(shown.len() > 1, "{shown:?}");
        assert!(page.left_out > rows / 2 && page.left_out < rows, "{} of {rows}", page.left_out);
        assert_eq!(page.text.capacity(), limit, "it did not grow");
        let text = page.end();
        assert!(text.len() <= limit);
        assert!(text.contains("\nlogdrain_metrics_left_out 5"), "{}", &text[text.len() - 100..]);
    }
}
