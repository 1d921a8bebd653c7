//! `/metrics`: what `serve` says of itself and of its drains, as Prometheus reads it.
//!
//! Its own numbers are `logdrain_…`. The books of each drain are `logdrain_ledger_total{drain,stage,entry}`; what the
//! last closed window said is `logdrain_window{drain,metric,kind,unit,stat,tag_…}`, one sample for each number of a row,
//! with the tags of the row as labels: characters that a label's name cannot have become `_`.
//!
//! The text has a most length. What does not fit is left out and counted in `logdrain_metrics_left_out`; each drain has
//! its share of what is there for rows, and its rows with most values come first.

mod rows;

use logdrain_drain::alerts::outbox::{self, Outbox};
use logdrain_drain::alerts::standing::Memory;
use logdrain_drain::archives;
use logdrain_drain::counters::{Counters, Durations};
use logdrain_drain::counting::board::{Drain, Shown};
use logdrain_drain::drain_name::DrainName;
use logdrain_drain::intake::Intake;
use logdrain_drain::journal::Progress;
use logdrain_drain::logs;
use logdrain_drain::minutes;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is kept free: for the last lines, and for a line that is taken back, so that the text never grows.
const FREE: usize = 64 << 10;

/// What is on the board, in no more than `limit` bytes; with the rows of the last windows when they are asked for.
pub(crate) fn text(
    intake: &Intake,
    shown: &Shown,
    (logs, archives, minutes, outbox): (&logs::Boards, &archives::Boards, &minutes::Counts, &Outbox),
    limit: usize,
    with_rows: bool,
) -> String {
    let mut page = Page::new(limit);
    let counters: &Counters = &intake.counters;
    page.family("logdrain_deliveries_total", "counter", "Deliveries answered with 204.");
    page.sample("logdrain_deliveries_total", &[("outcome", "kept")], counters.kept.get() as f64);
    page.sample("logdrain_deliveries_total", &[("outcome", "duplicate")], counters.duplicates.get() as f64);
    page.family("logdrain_refused_total", "counter", "Requests refused, by reason.");
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
        ("logdrain_measurements_total", "counter", "Measurements of programs that were kept.", counters.measured.get()),
        (
            "logdrain_measurements_repeated_total",
            "counter",
            "Measurements of programs that were kept before.",
            counters.measured_again.get(),
        ),
        ("logdrain_port_lines_total", "counter", "Lines of plain syslog.", counters.port_lines.get()),
        ("logdrain_port_cut_total", "counter", "Those that were longer than 64 kB.", counters.port_cut.get()),
        (
            "logdrain_port_unnamed_total",
            "counter",
            "Those kept under an address: a port was told too many names.",
            counters.port_unnamed.get(),
        ),
        (
            "logdrain_port_refused_total",
            "counter",
            "Connections and datagrams from outside a port's networks.",
            counters.port_refused.get(),
        ),
        ("logdrain_evicted_total", "counter", "Idle connections closed to make room.", counters.evicted.get()),
        ("logdrain_connections", "gauge", "Connections open.", intake.connections.count() as u64),
        (
            "logdrain_unknown_parameter_total",
            "counter",
            "Parameters of drains' URLs that mean nothing here.",
            counters.unknown_parameters.get(),
        ),
        ("logdrain_commits_failed_total", "counter", "Commits that the disk refused.", counters.commits_failed.get()),
        (
            "logdrain_snapshots_failed_total",
            "counter",
            "Snapshots that could not be written.",
            counters.snapshots_failed.get(),
        ),
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
    let time = &intake.progress.time;
    page.family("logdrain_clock_doubt", "gauge", "1 while this machine's clock is not believed.");
    page.sample("logdrain_clock_doubt", &[], time.is_in_doubt().into());
    page.family("logdrain_clock_off_seconds", "gauge", "How far it is ahead of the time that is believed.");
    page.sample("logdrain_clock_off_seconds", &[], time.off_seconds());
    if let Some(age) = time.watermark_age() {
        page.family("logdrain_watermark_age_seconds", "gauge", "How far the last move of the watermark is behind now.");
        page.sample("logdrain_watermark_age_seconds", &[], age.as_secs_f64());
    }
    for (name, kind, help, value) in numbers {
        page.family(name, kind, help);
        page.sample(name, &[], value as f64);
    }
    page.spool(&intake.progress);
    page.nodes(&intake.progress);
    page.lines(logs);
    page.accounts(logs, intake.progress.time.believed());
    page.archives(archives);
    page.minutes(minutes);
    let rules: usize = intake.settings().accounts.values().map(|account| account.alerts.len()).sum();
    page.family("logdrain_alert_rules", "gauge", "Rules of alerts of all accounts, on or off.");
    page.sample("logdrain_alert_rules", &[], rules as f64);
    page.alerts(outbox);
    page.rules(outbox.standings().memory());
    page.durations("logdrain_answer_seconds", "From the head of a delivery to its answer.", &counters.answers);
    page.durations("logdrain_commit_seconds", "Group commits.", &counters.commits);
    page.durations("logdrain_snapshot_seconds", "Snapshots.", &counters.snapshots);
    type Shown = fn(&Drain) -> f64;
    let drains: Vec<(String, &Drain)> =
        shown.drains.iter().map(|(key, drain)| (DrainName::of(key).shown().to_string(), drain)).collect();
    let of_drains: [(&str, &str, Shown); 5] = [
        ("logdrain_streams", "Stream families known.", |drain| drain.streams as f64),
        ("logdrain_open_windows", "Windows that are kept.", |drain| drain.open_windows as f64),
        ("logdrain_drain_memory_bytes", "What the pipeline takes.", |drain| drain.memory as f64),
        ("logdrain_quota_used", "Metric streams of the quota taken.", |drain| drain.quota_used as f64),
        ("logdrain_quota_limit", "Metric streams of the quota.", |drain| drain.quota_limit.map_or(f64::NAN, f64::from)),
    ];
    for (name, help, value) in of_drains {
        page.family(name, "gauge", help);
        for (key, drain) in &drains {
            page.sample(name, &[("drain", key)], value(drain));
        }
    }
    page.family("logdrain_drain_heard_seconds", "gauge", "When the last delivery came, in Unix time, since the start.");
    for (key, drain) in &drains {
        if let Some(heard) = drain.heard {
            page.sample("logdrain_drain_heard_seconds", &[("drain", key)], heard.unix_micros() as f64 / 1e6);
        }
    }
    page.family(
        "logdrain_ledger_total",
        "counter",
        "The books: what came in, what came out, what was refused and why.",
    );
    for (key, drain) in &drains {
        for entry in drain.ledger.iter().flat_map(|ledger| ledger.entries()).filter(|entry| entry.count() > 0) {
            let labels = [("drain", key.as_str()), ("stage", entry.stage()), ("entry", &entry.name())];
            page.sample("logdrain_ledger_total", &labels, entry.count() as f64);
        }
    }
    page.family("logdrain_window_start_seconds", "gauge", "Where the last closed window began.");
    for (key, drain) in &drains {
        if let Some(start) = drain.window.start {
            page.sample("logdrain_window_start_seconds", &[("drain", key)], start.unix_micros() as f64 / 1e6);
        }
    }
    if with_rows {
        page.family("logdrain_window", "gauge", "The numbers of the last closed window.");
        let mut waiting = drains.len();
        for (key, drain) in &drains {
            let share = page.room() / waiting.max(1);
            page.rows(key, &drain.window, share);
            waiting = waiting.saturating_sub(1);
        }
    }
    page.end()
}

/// A text with a most length: what does not fit is left out, and counted.
struct Page {
    text: String,
    limit: usize,
    left_out: u64,
}

impl Page {
    fn new(limit: usize) -> Self {
        Self { text: String::with_capacity(limit), limit, left_out: 0 }
    }

    /// How many bytes are left.
    const fn room(&self) -> usize {
        self.limit.saturating_sub(self.text.len() + FREE)
    }

    /// Takes back what was written since a length when it is too much; `false` then.
    fn keep(&mut self, since: usize) -> bool {
        let fits = self.text.len() + FREE <= self.limit;
        if !fits {
            self.text.truncate(since);
        }
        fits
    }

    fn end(mut self) -> String {
        let name = "logdrain_metrics_left_out";
        let left_out = self.left_out;
        let _ = writeln!(
            self.text,
            "# HELP {name} Samples and rows of this text that found no room in it.\n# TYPE {name} gauge\n{name} {left_out}"
        );
        self.text
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let since = self.text.len();
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        self.keep(since);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let since = self.text.len();
        self.text.push_str(name);
        for (index, (key, value)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            label(&mut self.text, key, value);
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {}", Number(value));
        if !self.keep(since) {
            self.left_out += 1;
        }
    }

    /// What accounts used today of what they may, and what their filters dropped.
    fn accounts(&mut self, logs: &logs::Boards, now: Option<i64>) {
        let tallies = logs.tallies();
        let Some(now) = now.filter(|_| tallies.iter().any(|tallies| !tallies.is_empty())) else { return };
        let all = || tallies.iter().flat_map(|tallies| tallies.iter());
        let usages: Vec<_> = all().map(|(account, _)| (account, logs.usage(account, now))).collect();
        let name = "logdrain_account_volume_bytes";
        self.family(name, "gauge", "What was kept of today's lines, as plans count it.");
        for (account, usage) in &usages {
            self.sample(name, &[("account", account)], usage.day.used.bytes as f64);
        }
        let name = "logdrain_account_volume_limit_bytes";
        self.family(name, "gauge", "The plan's volume of a day.");
        for (account, usage) in &usages {
            if let Some(volume) = usage.limits.volume {
                self.sample(name, &[("account", account)], volume as f64);
            }
        }
        let name = "logdrain_account_filtered_total";
        self.family(name, "counter", "Lines that a filter dropped, by its number; 0 is those of filters of long ago.");
        for (account, tally) in all() {
            for (filter, count) in tally.filtered.iter() {
                self.sample(name, &[("account", account), ("filter", &filter.to_string())], count as f64);
            }
        }
    }

    /// Of nodes that share a journal; nothing where there are none.
    fn nodes(&mut self, progress: &Progress) {
        let nodes = &progress.nodes;
        if !nodes.are_there() {
            return;
        }
        type Number = (&'static str, &'static str, &'static str, u64);
        let numbers: [Number; 8] = [
            ("logdrain_nodes", "gauge", "Nodes of the journal that live.", nodes.live.load(Ordering::Relaxed)),
            ("logdrain_partitions", "gauge", "Partitions of the journal.", nodes.parts.load(Ordering::Relaxed)),
            ("logdrain_partitions_owned", "gauge", "Those that this node counts.", nodes.owned.load(Ordering::Relaxed)),
            (
                "logdrain_partitions_taken_total",
                "counter",
                "Times that this node took one, since it began.",
                nodes.taken.load(Ordering::Relaxed),
            ),
            (
                "logdrain_partitions_lost_total",
                "counter",
                "Times that another node took one of its own.",
                nodes.lost.load(Ordering::Relaxed),
            ),
            (
                "logdrain_requests_passed_total",
                "counter",
                "Requests that other nodes answered for this one.",
                nodes.passed.load(Ordering::Relaxed),
            ),
            (
                "logdrain_remembering",
                "gauge",
                "1 while this node goes by what it knew before it started: the database has been away since.",
                nodes.remembers.load(Ordering::Relaxed).into(),
            ),
            (
                "logdrain_requests_unanswered_total",
                "counter",
                "Requests for other nodes that none of them answered.",
                nodes.unanswered.load(Ordering::Relaxed),
            ),
        ];
        for (name, kind, help, value) in numbers {
            self.family(name, kind, help);
            self.sample(name, &[], value as f64);
        }
    }

    /// What waits for a database that is away, if there is a spool.
    fn spool(&mut self, progress: &Progress) {
        let spooled = &progress.spooled;
        if !spooled.is_there.load(Ordering::Relaxed) {
            return;
        }
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed) as f64;
        for (name, kind, help, value) in [
            (
                "logdrain_spooled_deliveries",
                "gauge",
                "Deliveries that wait in the spool for the database.",
                count(&spooled.deliveries),
            ),
            ("logdrain_spooled_bytes", "gauge", "Octets of their bodies, as they are kept.", count(&spooled.bytes)),
            (
                "logdrain_spooled_age_seconds",
                "gauge",
                "How long ago the oldest of them came; 0 when none waits.",
                spooled.age_seconds(progress.time.believed()),
            ),
            (
                "logdrain_spool_full",
                "gauge",
                "1 while the spool takes nothing.",
                spooled.is_full.load(Ordering::Relaxed).into(),
            ),
            (
                "logdrain_spool_refused_total",
                "counter",
                "Deliveries of the spool that the journal had no place for.",
                count(&spooled.refused),
            ),
            (
                "logdrain_spool_lost_total",
                "counter",
                "Deliveries of the spool that could not be read again.",
                count(&spooled.lost),
            ),
        ] {
            self.family(name, kind, help);
            self.sample(name, &[], value);
        }
    }

    /// The lines that are kept.
    fn lines(&mut self, logs: &logs::Boards) {
        let logs::Shown { books, gone, there, bytes, files, damaged_files, position, safe, trouble } = logs.shown();
        let name = "logdrain_logs_events_total";
        self.family(name, "counter", "Lines of the journal, by what became of them.");
        for (outcome, count) in [
            ("kept", books.kept),
            ("filtered", books.filtered),
            ("over_volume", books.over_volume),
            ("unknown_system", books.unknown),
            ("no_room", books.no_room),
        ] {
            self.sample(name, &[("outcome", outcome)], count as f64);
        }
        let name = "logdrain_logs_gone_total";
        self.family(name, "counter", "Lines that were kept and let go, by why.");
        for (why, count) in [("expired", gone.expired), ("room", gone.removed), ("purged", gone.purged + books.purged)]
        {
            self.sample(name, &[("why", why)], count as f64);
        }
        let numbers = [
            ("logdrain_logs_unread_total", "counter", "Kept lines that could not be read as frames.", books.unread),
            (
                "logdrain_logs_unexpected_total",
                "counter",
                "Deliveries that held more than was counted when they came.",
                books.unexpected,
            ),
            (
                "logdrain_logs_damaged_deliveries_total",
                "counter",
                "Deliveries whose lines are lost with a damaged journal.",
                books.damaged_deliveries,
            ),
            ("logdrain_logs_events", "gauge", "Lines that are there.", there),
            ("logdrain_logs_bytes", "gauge", "Bytes of their files.", bytes),
            ("logdrain_logs_segments", "gauge", "Their files.", files),
            ("logdrain_logs_damaged_segments", "gauge", "Files that cannot be opened.", damaged_files),
            ("logdrain_logs_position", "gauge", "The last event of the journal that is in.", position),
            ("logdrain_logs_safe_position", "gauge", "The journal is needed behind this event.", safe),
            ("logdrain_logs_failing", "gauge", "1 while lines cannot be kept.", trouble.is_some().into()),
            ("logdrain_logs_accounts", "gauge", "Accounts.", logs.accounts().len() as u64),
        ];
        for (name, kind, help, value) in numbers {
            self.family(name, kind, help);
            self.sample(name, &[], value as f64);
        }
    }

    /// The hours that are archived.
    fn archives(&mut self, archives: &archives::Boards) {
        let archives::Shown { written, lines, expired, removed, trouble } = archives.shown();
        let name = "logdrain_archives_gone_total";
        self.family(name, "counter", "Archives that were let go, by why.");
        for (why, count) in [("expired", expired), ("room", removed)] {
            self.sample(name, &[("why", why)], count as f64);
        }
        let numbers = [
            ("logdrain_archives_written_total", "counter", "Hours that were archived.", written),
            ("logdrain_archives_lines_total", "counter", "Their lines.", lines),
            ("logdrain_archives_bytes", "gauge", "Bytes of archives.", archives.bytes()),
            ("logdrain_archives_failing", "gauge", "1 while archives cannot be written.", trouble.is_some().into()),
        ];
        for (name, kind, help, value) in numbers {
            self.family(name, kind, help);
            self.sample(name, &[], value as f64);
        }
    }

    fn minutes(&mut self, minutes: &minutes::Counts) {
        let minutes::Counts { rows, failures, bytes, is_failing } = minutes;
        let numbers = [
            ("logdrain_minutes_rows_total", "counter", "Rows of minutes that were kept.", rows.load(Ordering::Relaxed)),
            (
                "logdrain_minutes_failed_total",
                "counter",
                "Tries to keep minutes that failed.",
                failures.load(Ordering::Relaxed),
            ),
            ("logdrain_minutes_bytes", "gauge", "Bytes of kept minutes.", bytes.load(Ordering::Relaxed)),
            (
                "logdrain_minutes_failing",
                "gauge",
                "1 while minutes cannot be kept.",
                is_failing.load(Ordering::Relaxed).into(),
            ),
        ];
        for (name, kind, help, value) in numbers {
            self.family(name, kind, help);
            self.sample(name, &[], value as f64);
        }
    }

    fn alerts(&mut self, outbox: &Outbox) {
        let outbox::Counts { kept, sent, tries, failed, no_room, waiting, oldest } = outbox.counts();
        let total = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed) as f64;
        let age = match oldest.load(Ordering::Relaxed) {
            0 => 0.0,
            since => outbox.now().saturating_sub(since).max(0) as f64,
        };
        let numbers = [
            ("logdrain_alerts_kept_total", "counter", "Alerts that were kept to be sent and looked at.", total(kept)),
            ("logdrain_alerts_sent_total", "counter", "Alerts that a channel took.", total(sent)),
            ("logdrain_alerts_tries_failed_total", "counter", "Tries that are made again.", total(tries)),
            ("logdrain_alerts_failed_total", "counter", "Alerts that a channel refused, or given up.", total(failed)),
            ("logdrain_alerts_no_room_total", "counter", "Alerts that found no room in the outbox.", total(no_room)),
            (
                "logdrain_alerts_waiting",
                "gauge",
                "Alerts that wait, by channel.",
                waiting.load(Ordering::Relaxed) as f64,
            ),
            ("logdrain_alerts_oldest_seconds", "gauge", "For how long the oldest of them waits.", age),
        ];
        for (name, kind, help, value) in numbers {
            self.family(name, kind, help);
            self.sample(name, &[], value);
        }
    }

    /// What rules remember, and which do not see all.
    fn rules(&mut self, memory: Memory) {
        let Memory { bytes, most_bytes, left_out, rules } = memory;
        let numbers = [
            ("logdrain_alert_signals_bytes", "What signals take that rules on minutes watch.", bytes),
            ("logdrain_alert_signals_limit_bytes", "How much they may: half of alert_memory.", most_bytes),
            ("logdrain_alert_signals_left_out", "Signals that found no room and are not watched, at least.", left_out),
            ("logdrain_alert_rules_left_out", "Rules that have such signals.", rules),
        ];
        for (name, help, value) in numbers {
            self.family(name, "gauge", help);
            self.sample(name, &[], value as f64);
        }
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
}

/// `key="value"`, with the three escapes of the format.
fn label(text: &mut String, key: &str, value: &str) {
    text.push_str(key);
    text.push_str("=\"");
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
    text.push('"');
}

/// As the format spells it.
struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_nan() { f.write_str("NaN") } else { write!(f, "{}", self.0) }
    }
}
