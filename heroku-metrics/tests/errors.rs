//! `docs/errors.md` holds every error and refusal of the family, each provoked here: what it says cannot go stale.
//!
//! `HEROKU_METRICS_WRITE=1` writes the table anew.
#![allow(missing_docs)]

use core::convert::Infallible;
use core::fmt::{Debug, Display};
use core::time::Duration;
use heroku_metrics::aggregator::{self, Aggregator, AggregatorConfig, EachRow, MinuteSketch, RowBuf};
use heroku_metrics::logfmt::{NumberError, Refusal, directives, number};
use heroku_metrics::model::{Kind, Observation, TagSet, Timestamp, Unit, Value, Window};
use heroku_metrics::router::RouterLine;
use heroku_metrics::syslog::{self, Dialect, Frame, FrameError, Frames, FramingError, Limits, rendered};
use heroku_metrics::{Pipeline, PipelineConfig};
use std::path::Path;

/// An error: its type, its kind, what it says, and what whoever reads it can do.
struct Row {
    of: &'static str,
    kind: String,
    text: String,
    advice: &'static str,
}

fn row(of: &'static str, kind: impl Debug, text: impl Display, advice: &'static str) -> Row {
    Row { of, kind: format!("{kind:?}"), text: text.to_string(), advice }
}

fn frame(message: &[u8]) -> FrameError {
    Frame::parse(message, Dialect::Rfc5424).unwrap_err()
}

fn framing(body: &[u8]) -> FramingError {
    Frames::new(body).with_limits(Limits::new().with_max_frame(100)).next().unwrap().unwrap_err()
}

fn syslog_rows() -> Vec<Row> {
    let long_name = [&b"<190>1 - host "[..], &[b'a'; 49], b" - - - text"].concat();
    let frames: [(&[u8], &str); 10] = [
        (b"<192>1 - - - - - - text", "sender: PRIVAL is facility * 8 + severity, 0 to 191"),
        (b"190 1 - - - - - - text", "sender: a message begins with `<PRIVAL>`; what stands here is no RFC 5424 syslog"),
        (b"<190>0 - - - - - - text", "sender: VERSION is 1"),
        (b"<190>1 yesterday host app web.1 - - text", "sender: RFC 3339, as `2026-03-14T09:26:53Z`, or `-`"),
        (b"<190>1 2026-02-30T09:26:53Z host app web.1 - - text", "sender: no such day, hour or offset"),
        (b"<190>1 -", "sender: the line was cut; all header fields must be there, `-` where there is nothing to say"),
        (b"<190>1 -  app web.1 - - text", "sender: a field without text is written `-`"),
        (
            b"<190>1 - host app web.1 - [a text",
            "the dialect: Logplex leaves STRUCTURED-DATA out; else sender: close the bracket",
        ),
        (b"<190>1 - h\xFFst app web.1 - - text", "sender: header fields are UTF-8; only the message may be anything"),
        (&long_name, "sender: at most 255 bytes of HOSTNAME, 48 of APP-NAME, 128 of PROCID, 32 of MSGID"),
    ];
    let lengths: [(&[u8], &str); 7] = [
        (b"<190>1 - - - - - -", "sender: each message needs its octet count in front (RFC 6587, 3.4.1)"),
        (b"007 <1>1 -", "sender: no zeros in front of a length"),
        (b"12<190>1 -", "sender: one space between length and message"),
        (b"99999999999999999999 <190>1 -", "sender, or bytes lost on the way: no frame is as long"),
        (b"5000 <190>1 -", "raise `Limits::max_frame` where such frames are meant"),
        (b"50 <190>1 -", "bytes were lost on the way, or the body was cut by a limit of a proxy"),
        (b"16 <190>1 - - - - - - text", "sender: count bytes, not characters, and every byte; strip no line ends"),
    ];
    let mut rows = Vec::new();
    for (message, advice) in frames {
        let error = frame(message);
        rows.push(row("heroku_syslog::FrameError", error.kind(), error, advice));
    }
    for (body, advice) in lengths {
        let error = framing(body);
        rows.push(row("heroku_syslog::FramingError", error.kind(), error, advice));
    }
    let line = rendered::parse_line(b"hello there\n", rendered::Form::Printed).unwrap_err();
    rows.push(row("heroku_syslog::FrameError", line.kind(), line, "give the text of `heroku logs`, with times"));
    let time = syslog::Timestamp::parse(b"2026-03-14T25:26:53Z").unwrap_err();
    rows.push(row("heroku_syslog::FrameError", time.kind(), time, "sender: 24 hours, 60 minutes, RFC 3339"));
    rows
}

fn logfmt_rows() -> Vec<Row> {
    let number = |text: &str| -> NumberError { number(text.as_bytes()).unwrap_err() };
    let refusal = |line: &str| -> Refusal { directives(line.as_bytes()).find_map(Result::err).unwrap() };
    let many_tags: String = (0..51).map(|n| format!("tag#k{n}=v ")).collect();
    let mut rows = Vec::new();
    for (text, advice) in [
        ("", "app: write a number"),
        ("ms", "app: write digits first, then the unit"),
        ("1e999", "app: nothing is that large"),
        ("1 ms", "app: the unit follows at once, of 1 to 16 letters, or `%`"),
    ] {
        rows.push(row("logfmt_metrics::NumberError", number(text).kind(), number(text), advice));
    }
    for (line, advice) in [
        ("count#a", "app: write `count#a=1`"),
        ("measure#a=fast", "app: digits first, as `200ms`"),
        ("sample#a=1e999", "app: nothing is that large"),
        ("count#a=-1", "app: a count only grows; use `sample#` for what goes up and down"),
        ("measure#a=1m/s", "app: 1 to 16 letters, or `%`; the rest belongs into the name"),
        ("count#a$=1", "app: names are of A-Za-z0-9_.:/-"),
        (&format!("count#{}=1", "a".repeat(256)), "app: shorten the name"),
        (
            "count#heroku.router.bytes=1",
            "app: choose another prefix than those of the native metrics, as `heroku.router.`; an app cannot write these",
        ),
        ("tag#=a", "app: give the tag a key"),
        (&format!("tag#{}=a", "k".repeat(65)), "app: shorten the key"),
        ("tag#a=", "app: give the tag a value, or leave it out; quote a value that holds a double quote"),
        (&format!("tag#a={}", "v".repeat(256)), "app: shorten the value"),
        (&many_tags, "app: tags are for what values are compared by, not for what happened"),
        ("measure#a=\"1", "app: close the quote"),
        (
            "q=\"count#a=1\"",
            "app: write metrics into the text or the message (`msg`, `message`, `event`); where a client wrote it, nothing is lost",
        ),
        ("/x?count#a=1", "app: write a space in front; where a client wrote it, nothing is lost"),
    ] {
        rows.push(row("logfmt_metrics::Refusal", refusal(line).kind(), refusal(line), advice));
    }
    let error = directives(b"tag#a=\xFF").find_map(Result::err).unwrap();
    rows.push(row("logfmt_metrics::Refusal", error.kind(), error, "app: write UTF-8"));
    rows
}

fn router_rows() -> Vec<Row> {
    let fields: [(&[u8], &str); 7] = [
        (b"service=fast", "none: a newer router writes something else there; report the line"),
        (b"service=99999999999999999999999999999999999999999ms bytes=99999999999999999999999", "none: report the line"),
        (b"service=1fortnight", "none: report the line"),
        (b"status=20", "none: report the line"),
        (b"code=Hx", "none: report the line"),
        (b"tls=perhaps", "none: report the line"),
        (b"dyno=web.1 status=200 path=\"/", "the line was cut on its way; the request counts all the same"),
    ];
    let mut rows = Vec::new();
    for (field, advice) in fields {
        let line = [b"at=info method=GET ", field].concat();
        let line = RouterLine::parse(&line).unwrap();
        let refusal = line.refusals().next().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(field)));
        rows.push(row("heroku_router::FieldRefusal", refusal.kind(), refusal, advice));
    }
    rows
}

fn aggregator_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (config, advice) in [
        (
            AggregatorConfig::new().with_window(Duration::from_secs(7)),
            "configuration: 1, 5, 10, 60 seconds or the like",
        ),
        (AggregatorConfig::new().with_max_streams(0), "configuration: allow some"),
        (AggregatorConfig::new().with_family(&[]), "configuration: 1 to 16 metrics a family, each in one of them"),
    ] {
        let error = Aggregator::new(config).unwrap_err();
        rows.push(row("minute_aggregator::ConfigError", error.kind(), error, advice));
    }

    let restored = |config: AggregatorConfig, bytes: &[u8]| Aggregator::restore(config, bytes).unwrap_err();
    let snapshot = Aggregator::new(AggregatorConfig::new()).unwrap().snapshot(b"");
    let changed = |at: usize, to: u8| {
        let mut bytes = snapshot.clone();
        bytes[at] = to;
        bytes
    };
    let senseless = {
        // The ledger says that one was observed and nothing became of it; the checksum is made right.
        let mut bytes = changed(26, 1);
        let end = bytes.len() - 8;
        let sum = crc64(&bytes[..end]);
        bytes[end..].copy_from_slice(&sum.to_le_bytes());
        bytes
    };
    for (bytes, advice) in [
        (b"hello, world".to_vec(), "give the bytes that `snapshot` gave"),
        (changed(6, 200), "read it with the version that wrote it, or start from nothing"),
        (snapshot[..20].to_vec(), "the file was cut while written: take the one before it"),
        ([&snapshot[..], b"more"].concat(), "the file holds more than a snapshot: keep its length"),
        (changed(20, 0x55), "the file is damaged: take the one before it"),
        (senseless, "the file was forged: take the one before it"),
    ] {
        let error = restored(AggregatorConfig::new(), &bytes);
        rows.push(row("minute_aggregator::RestoreError", error.kind(), error, advice));
    }
    let hours = AggregatorConfig::new().with_window(Duration::from_secs(3_600));
    let error = restored(hours.clone(), &snapshot);
    rows.push(row(
        "minute_aggregator::RestoreError",
        error.kind(),
        error,
        "windows cannot change their length: finish first",
    ));
    let error = restored(AggregatorConfig::new().with_max_streams(0), &snapshot);
    rows.push(row("minute_aggregator::RestoreError", error.kind(), error, "as ConfigError"));

    let node = |config: AggregatorConfig| {
        let mut node = Aggregator::new(config).unwrap();
        let value = Value::new(1.0, Unit::NONE);
        let tags = TagSet::new();
        let _ = node.observe(&Observation::new(Kind::Measure, "a", value, &tags, Timestamp::from_unix_seconds(0)));
        node
    };
    let plain = AggregatorConfig::new;
    for (other, advice) in [
        (hours, "give all nodes windows of one length"),
        (plain().without_percentiles("a"), "give all nodes the same precisions"),
    ] {
        let error = node(plain()).merge(node(other)).unwrap_err();
        rows.push(row("minute_aggregator::MergeError", error.kind(), error, advice));
    }
    rows
}

/// The row of one value, a second in.
fn minute(kind: Kind, name: &str, unit: &str, tag: &str, second: i64, config: AggregatorConfig) -> RowBuf {
    let mut engine = Aggregator::new(config).unwrap();
    let tags = TagSet::from_iter([("tag", tag)]);
    let value = Value::new(1.0, Unit::new(unit));
    let _ = engine.observe(&Observation::new(kind, name, value, &tags, Timestamp::from_unix_seconds(second)));
    let mut rows = Vec::new();
    engine
        .finish(&mut EachRow(|row: &aggregator::Row<'_>| {
            rows.push(row.to_row_buf());
            Ok::<(), Infallible>(())
        }))
        .unwrap();
    rows.remove(0)
}

fn kept_row_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let plain = AggregatorConfig::new;
    let one = minute(Kind::Measure, "a", "ms", "x", 1, plain());
    let bytes = one.to_bytes();
    let changed = |at: usize, to: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = to;
        bytes
    };
    let senseless = {
        // Of a kind that there is not; the checksum is made right.
        let mut bytes = changed(4, 99);
        let end = bytes.len() - 8;
        let sum = crc64(&bytes[..end]);
        bytes[end..].copy_from_slice(&sum.to_le_bytes());
        bytes
    };
    for (bytes, advice) in [
        (b"hello, world".to_vec(), "give the bytes that `RowBuf::to_bytes` gave"),
        (changed(2, 200), "read it with the version that wrote it"),
        (bytes[..20].to_vec(), "the row was cut while written: the others are whole"),
        ([&bytes[..], b"more"].concat(), "give the bytes of one row: keep their length"),
        (changed(20, 0x55), "the row is damaged: leave it out, or take it from another copy"),
        (senseless, "the row was forged: leave it out"),
    ] {
        let error = RowBuf::<MinuteSketch>::from_bytes(&bytes).unwrap_err();
        rows.push(row("minute_aggregator::RowError", error.kind(), error, advice));
    }
    for (other, advice) in [
        (minute(Kind::Measure, "b", "ms", "x", 1, plain()), "add up rows of one metric"),
        (minute(Kind::Sample, "a", "ms", "x", 1, plain()), "add up rows of one kind"),
        (minute(Kind::Measure, "a", "s", "x", 1, plain()), "add up rows of one unit"),
        (minute(Kind::Measure, "a", "ms", "y", 1, plain()), "give both the tags of the total: `with_tags`"),
        (minute(Kind::Measure, "a", "ms", "x", 61, plain()), "put both into the longer window: `with_window`"),
        (
            minute(Kind::Measure, "a", "ms", "x", 1, plain().without_percentiles("a")),
            "give all nodes the same precisions",
        ),
    ] {
        let error = one.clone().merge(&other).unwrap_err();
        rows.push(row("minute_aggregator::RowMergeError", error, error, advice));
    }
    let second = Window::containing(Timestamp::from_unix_seconds(1), Duration::from_secs(1));
    let error = one.with_window(second).unwrap_err();
    rows.push(row("minute_aggregator::RowMergeError", error, error, "give a window that holds the whole minute"));
    rows
}

fn pipeline_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
    for (kind, state, advice) in [
        ("aggregator", None, "as `minute_aggregator::RestoreError`"),
        ("not a pipeline's", Some(&b"mine"[..]), "restore it with `Aggregator::restore`"),
        ("version", Some(b"HMPIPE\x09"), "read it with the version that wrote it, or start from nothing"),
        (
            "newer",
            Some(b"HMPIPE\x02\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
            "read it with the version that wrote it, or start from nothing",
        ),
        ("state", Some(b"HMPIPE\x01\xFF"), "the file was forged: take the one before it"),
    ] {
        let bytes = state.map_or_else(|| b"hello".to_vec(), |state| engine.snapshot(state));
        let error = Pipeline::restore(PipelineConfig::new(), &bytes).unwrap_err();
        rows.push(Row { of: "heroku_metrics::RestoreError", kind: kind.to_owned(), text: error.to_string(), advice });
    }
    rows
}

/// CRC-64/XZ.
fn crc64(bytes: &[u8]) -> u64 {
    !bytes.iter().fold(!0, |sum: u64, octet| {
        (0..8).fold(sum ^ u64::from(*octet), |sum, _| (sum >> 1) ^ ((sum & 1) * 0xC96C_5795_D787_0F42))
    })
}

fn all() -> Vec<Row> {
    [syslog_rows(), logfmt_rows(), router_rows(), aggregator_rows(), kept_row_rows(), pipeline_rows()]
        .into_iter()
        .flatten()
        .collect()
}

fn table(rows: &[Row]) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let mut out = String::from("| error | kind | for example | what to do |\n|---|---|---|---|\n");
    for Row { of, kind, text, advice } in rows {
        out += &format!("| `{of}` | `{kind}` | {} | {} |\n", cell(text), cell(advice));
    }
    out
}

#[test]
fn the_table_is_what_the_errors_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    let (start, end) = ("<!-- errors: printed by heroku-metrics/tests/errors.rs -->\n\n", "\n<!-- end of errors -->");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once(start).expect("where the table begins");
    let (old, tail) = rest.split_once(end).expect("where it ends");
    let new = table(&all());
    if std::env::var_os("HEROKU_METRICS_WRITE").is_some() {
        std::fs::write(&path, [head, start, &new, end, tail].concat()).unwrap();
        return;
    }
    for (old, new) in old.lines().zip(new.lines()) {
        assert_eq!(old, new, "docs/errors.md is not what the errors say; HEROKU_METRICS_WRITE=1 writes it");
    }
    assert_eq!(old.lines().count(), new.lines().count());
}

#[test]
fn every_error_says_where() {
    for Row { of, kind, text, .. } in all() {
        let whole = [
            "minute_aggregator::ConfigError",
            "minute_aggregator::MergeError",
            "minute_aggregator::RowMergeError",
            "heroku_metrics::RestoreError",
        ];
        let told = text.contains(" at byte ") || whole.contains(&of) || kind.starts_with("Config(");
        assert!(told, "{of}, {kind}: {text}");
        assert!(!text.ends_with('.') && text.len() <= 120, "{text}");
    }
}

/// The lists of the public API name all kinds there are.
#[test]
fn no_kind_is_missing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../api");
    let rows = all();
    let mut kinds = 0;
    for (of, list) in [
        ("FrameErrorKind", "heroku-syslog"),
        ("FramingErrorKind", "heroku-syslog"),
        ("NumberErrorKind", "logfmt-metrics"),
        ("RefusalKind", "logfmt-metrics"),
        ("FieldRefusalKind", "heroku-router"),
        ("ConfigErrorKind", "minute-aggregator"),
        ("RestoreErrorKind", "minute-aggregator"),
        ("MergeErrorKind", "minute-aggregator"),
        ("RowErrorKind", "minute-aggregator"),
        ("RowMergeError", "minute-aggregator"),
    ] {
        let api = std::fs::read_to_string(folder.join(list).with_extension("txt")).unwrap();
        let variant = format!("pub {}::{of}::", list.replace('-', "_"));
        for name in api.lines().filter_map(|line| line.strip_prefix(&variant)) {
            let name = name.split('(').next().unwrap();
            let is_it =
                |row: &&Row| row.kind.split('(').next() == Some(name) && row.of.ends_with(of.trim_end_matches("Kind"));
            assert!(rows.iter().any(|row| is_it(&row)), "{of}::{name} is not in the table");
            kinds += 1;
        }
    }
    assert!(kinds >= 35, "only {kinds} kinds in {}", folder.display());
}
