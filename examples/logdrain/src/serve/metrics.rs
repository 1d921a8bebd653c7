//! `/metrics`: what `serve` says of itself and of its drains, as Prometheus reads it.
//!
//! Its own numbers are `logdrain_…`. The books of each drain are `logdrain_ledger_total{drain,stage,entry}`; what the
//! last closed window said is `logdrain_window{drain,metric,unit,stat,tag_…}`, one sample for each number of a row, with
//! the tags of the row as labels: characters that a label's name cannot have become `_`.

use super::board::{Board, Drain};
use super::counters::{Counters, Durations};
use super::intake::Intake;
use heroku_metrics::model::{DataPoint, Percentile};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

/// What is on the page now.
pub(crate) fn text(intake: &Intake, board: &Board) -> String {
    let mut page = Page(String::with_capacity(16 * 1024));
    let counters: &Counters = &intake.counters;
    page.family("logdrain_deliveries_total", "counter", "Deliveries answered with 204.");
    page.sample("logdrain_deliveries_total", &[("outcome", "kept")], counters.kept.get() as f64);
    page.sample("logdrain_deliveries_total", &[("outcome", "duplicate")], counters.duplicates.get() as f64);
    page.family("logdrain_refused_total", "counter", "Requests answered with 401, 413 or 503, by reason.");
    for (reason, count) in counters.refused() {
        page.sample("logdrain_refused_total", &[("reason", reason)], count as f64);
    }
    let numbers = [
        ("logdrain_received_bytes_total", "counter", "Octets of kept bodies.", counters.octets.get()),
        ("logdrain_connections_total", "counter", "Connections accepted.", counters.connections.get()),
        (
            "logdrain_handshakes_failed_total",
            "counter",
            "TLS handshakes that failed.",
            counters.handshakes_failed.get(),
        ),
        ("logdrain_syslog_skipped_bytes_total", "counter", "Octets without frames.", counters.syslog_skipped.get()),
        ("logdrain_evicted_total", "counter", "Idle connections closed to make room.", counters.evicted.get()),
        ("logdrain_connections", "gauge", "Connections open.", intake.connections.len() as u64),
        ("logdrain_commits_failed_total", "counter", "Commits that the disk refused.", counters.commits_failed.get()),
        ("logdrain_damaged_events_total", "counter", "Events that could not be read again.", counters.damaged.get()),
        ("logdrain_rows_total", "counter", "Rows written.", counters.rows.get()),
        ("logdrain_otlp_sent_rows_total", "counter", "Rows that the collector took.", counters.otlp_sent.get()),
        ("logdrain_otlp_dropped_rows_total", "counter", "Rows that it did not.", counters.otlp_dropped.get()),
        ("logdrain_otlp_revisions_total", "counter", "Revised rows, not sent.", counters.otlp_revisions.get()),
        ("logdrain_memory_free_bytes", "gauge", "What is left for bodies.", intake.free_memory() as u64),
        ("logdrain_storing", "gauge", "1 while the disk takes deliveries.", intake.is_storing().into()),
        ("logdrain_ready", "gauge", "1 when deliveries are kept and counted.", intake.is_ready().into()),
        ("logdrain_journal_position", "gauge", "The last event.", intake.progress.head.load(Ordering::Relaxed)),
        (
            "logdrain_emitted_position",
            "gauge",
            "The last event whose rows are out.",
            intake.progress.emitted.load(Ordering::Relaxed),
        ),
    ];
    for (name, kind, help, value) in numbers {
        page.family(name, kind, help);
        page.sample(name, &[], value as f64);
    }
    page.durations("logdrain_answer_seconds", "From the head of a delivery to its answer.", &counters.answers);
    page.durations("logdrain_commit_seconds", "Group commits.", &counters.commits);
    page.durations("logdrain_snapshot_seconds", "Snapshots.", &counters.snapshots);
    let shown = board.look();
    type Shown = fn(&Drain) -> f64;
    let of_drains: [(&str, &str, Shown); 5] = [
        ("logdrain_streams", "Stream families known.", |drain| drain.streams as f64),
        ("logdrain_open_windows", "Windows that are kept.", |drain| drain.open_windows as f64),
        ("logdrain_drain_memory_bytes", "What the pipeline takes.", |drain| drain.memory as f64),
        ("logdrain_quota_used", "Metric streams of the quota taken.", |drain| drain.quota_used as f64),
        ("logdrain_quota_limit", "Metric streams of the quota.", |drain| drain.quota_limit.map_or(f64::NAN, f64::from)),
    ];
    for (name, help, value) in of_drains {
        page.family(name, "gauge", help);
        for (key, drain) in &shown.drains {
            page.sample(name, &[("drain", key)], value(drain));
        }
    }
    page.family(
        "logdrain_ledger_total",
        "counter",
        "The books: what came in, what came out, what was refused and why.",
    );
    for (key, drain) in &shown.drains {
        for entry in drain.ledger.iter().flat_map(|ledger| ledger.entries()).filter(|entry| entry.count() > 0) {
            let labels = [("drain", &**key), ("stage", entry.stage()), ("entry", &entry.name())];
            page.sample("logdrain_ledger_total", &labels, entry.count() as f64);
        }
    }
    page.family("logdrain_window_start_seconds", "gauge", "Where the last closed window began.");
    for (key, drain) in &shown.drains {
        if let Some(start) = drain.window.start {
            page.sample("logdrain_window_start_seconds", &[("drain", key)], start.unix_micros() as f64 / 1e6);
        }
    }
    page.family("logdrain_window", "gauge", "The numbers of the last closed window.");
    for (key, drain) in &shown.drains {
        for row in &drain.window.rows {
            page.row(key, &row.as_point());
        }
    }
    page.0
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (place, (key, value)) in labels.iter().enumerate() {
            self.0.push(if place == 0 { '{' } else { ',' });
            self.label(key, value);
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {}", Number(value));
    }

    /// `key="value"`, with the three escapes of the format.
    fn label(&mut self, key: &str, value: &str) {
        self.0.push_str(key);
        self.0.push_str("=\"");
        for c in value.chars() {
            match c {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }

    fn durations(&mut self, name: &str, help: &str, durations: &Durations) {
        self.family(name, "histogram", help);
        let (buckets, sum) = durations.cumulative();
        let count = buckets.last().map_or(0, |(_, count)| *count);
        for (end, count) in buckets {
            let end = end.map_or("+Inf".to_owned(), |end| end.to_string());
            self.sample(&format!("{name}_bucket"), &[("le", &end)], count as f64);
        }
        self.sample(&format!("{name}_sum"), &[], sum);
        self.sample(&format!("{name}_count"), &[], count as f64);
    }

    fn row(&mut self, drain: &str, point: &DataPoint<'_>) {
        let mut taken = BTreeSet::new();
        let tags: Vec<(String, &str)> = point
            .tags()
            .iter()
            .map(|(key, value)| {
                let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
                let mut name: String = "tag_".chars().chain(key.chars().map(plain)).collect();
                // Two keys that become one name would spoil the whole page.
                while !taken.insert(name.clone()) {
                    name.push('_');
                }
                (name, value)
            })
            .collect();
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
            let own = [("drain", drain), ("metric", point.name()), ("unit", point.unit().as_str()), ("stat", stat)];
            let labels: Vec<(&str, &str)> =
                own.into_iter().chain(tags.iter().map(|(key, value)| (key.as_str(), *value))).collect();
            self.sample("logdrain_window", &labels, value);
        }
    }
}

/// As the format spells it.
struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_nan() { f.write_str("NaN") } else { write!(f, "{}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heroku_metrics::model::DataPointBuf;
    use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};

    #[test]
    fn a_row_becomes_samples_whatever_its_tags_are_called() {
        let line = "<190>1 2026-03-14T09:26:53Z host app web.1 - count#n=2 tag#a.b=x tag#a-b=y\\z";
        let body = format!("{} {line}", line.len());
        let mut pipeline = Pipeline::new(PipelineConfig::new()).unwrap();
        pipeline.ingest(&Delivery::new(body.as_bytes()));
        let mut points: Vec<DataPointBuf> = Vec::new();
        pipeline.finish(&mut points).unwrap();
        let mut page = Page(String::new());
        page.row("a\"b\n", &points[0].as_point());
        assert_eq!(
            page.0.lines().next().unwrap(),
            r#"logdrain_window{drain="a\"b\n",metric="n",unit="",stat="count",tag_a_b="y\\z",tag_a_b_="x"} 1"#
        );
        assert_eq!(page.0.lines().count(), 2);
    }
}
