//! Archives and Papertrail's text of events as input: of `replay`, `top`, `parse` and `search`.

use crate::logdrain;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use log_archive::{Row, Writer, facility_name, severity_name};
use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use testkit::program::errors;

fn testdata(name: &str) -> String {
    testkit::testdata().join(name).to_str().unwrap().to_owned()
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn text(output: &Output) -> String {
    assert!(output.status.code() != Some(2), "{}", errors(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn rows(output: &Output) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The demo as an archive has it, in three parts.
fn archived_demo() -> [Vec<u8>; 3] {
    let parsed = rows(&logdrain(&["parse", &testdata("demo.logplex")], b""));
    let mut parts = [(); 3].map(|()| Writer::new(Vec::new()));
    for (index, row) in parsed.iter().enumerate() {
        let header = &row["header"];
        let Some(time) = header["unix_us"].as_i64() else { continue };
        let message = match row["msg"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => STANDARD.decode(row["msg_b64"].as_str().unwrap()).unwrap(),
        };
        let name = |key: &str| header[key].as_str().unwrap_or_default();
        let program = format!("{}/{}", name("app_name"), name("proc_id"));
        let number = |key: &str| u8::try_from(header[key].as_u64().unwrap()).unwrap();
        let row = Row::new(1 + index as u64, time + 40_000, message.trim_ascii_end())
            .with_generated_at(time, -300)
            .with_source_name(b"shop")
            .with_facility_name(facility_name(number("facility")).unwrap().as_bytes())
            .with_severity_name(severity_name(number("severity")).unwrap().as_bytes())
            .with_program(program.as_bytes());
        parts[index * 3 / parsed.len()].write(&row).unwrap();
    }
    parts.map(Writer::into_inner)
}

#[test]
fn metrics_of_an_archive_are_those_of_the_drains_body() {
    let folder = scratch("archive-metrics");
    let parts = archived_demo();
    let whole = parts.concat();
    let plain = folder.join("2026-03-14-09.tsv");
    std::fs::write(&plain, &whole).unwrap();
    let packed = folder.join("2026-03-14.tsv.gz");
    // A day is its hours one behind the other, each packed by itself.
    std::fs::write(&packed, parts.map(|part| gzip(&part)).concat()).unwrap();
    let plain = plain.to_str().unwrap();
    let packed = packed.to_str().unwrap();

    let body = testdata("demo.logplex");
    for options in [&["replay", "--format", "jsonl", "--ledger", "none"][..], &["top", "--format", "jsonl"]] {
        let of = |arguments: &[&str]| {
            let output = logdrain(&[options, arguments].concat(), b"");
            assert!(output.status.success(), "{arguments:?}: {}", errors(&output));
            text(&output)
        };
        let expected = of(&[&body]);
        assert!(expected.lines().count() > 50);
        assert_eq!(of(&[plain]), expected, "{options:?}");
        assert_eq!(of(&[packed]), expected, "{options:?}");
        assert_eq!(of(&["--input", "archive", packed]), expected, "{options:?}");
    }

    // The books balance: every byte is one of a line that was read.
    let output = logdrain(&["replay", "--ledger", "json", packed], b"");
    let ledger = errors(&output);
    let ledger: Value = serde_json::from_str(ledger.lines().last().unwrap()).unwrap();
    assert!(ledger.to_string().contains(&whole.len().to_string()), "{} bytes: {ledger}", whole.len());
}

#[test]
fn a_search_finds_the_same_lines_in_an_archive() {
    let folder = scratch("archive-search");
    let archive = folder.join("2026-03-14.tsv.gz");
    std::fs::write(&archive, archived_demo().map(|part| gzip(&part)).concat()).unwrap();
    let archive = archive.to_str().unwrap();
    for words in [&["status=503"][..], &["program:heroku/router", "H12"], &["--", "-router", "-sample"], &[]] {
        let count = |file: &str| {
            let arguments = [&["search", "--count", "--in", file][..], words].concat();
            text(&logdrain(&arguments, b"")).trim().parse::<u64>().unwrap()
        };
        assert!(count(archive) > 0);
        assert_eq!(count(archive), count(&testdata("demo.logplex")), "{words:?}");
    }
}

#[test]
fn what_a_row_says_is_printed() {
    let archive = b"\xef\xbb\xbfid\tgenerated_at\treceived_at\tsource_id\tsource_name\tsource_ip\tfacility_name\tseverity_name\tprogram\tmessage\r\n\
        7\t2026-11-28T17:14:58.5-05:00\t2026-11-28T22:15:01Z\t42\tweb-1\t192.0.2.7\tLocal3\tError\tMy App\ta\tb \xff\r\n\
        8\t2011-02-10 00:19:36 -0800\t2011-02-10 00:19:36 -0800\t42\td.6f0d2b8e-53a1-4c77-9d1e-0a4b7c9e1f25\t\tUser\tInfo\t\tno program\r\n";
    let output = logdrain(&["search", "-j"], archive);
    let found = rows(&output);
    assert_eq!(found.len(), 2, "{}", errors(&output));
    let first = serde_json::json!({
        "id": "7", "received_at": "2026-11-28T22:15:01.000000Z", "generated_at": "2026-11-28T22:14:58.500000Z",
        "source_ip": "192.0.2.7", "system": "web-1", "program": "My App", "severity": "error", "facility": "local3",
        "message": "a\tb \u{fffd}", "message_base64": STANDARD.encode(b"a\tb \xff"),
    });
    assert_eq!(found[0], first);
    assert_eq!(
        (&found[1]["system"], &found[1]["program"]),
        (&"drain-8e993b01".into(), &Value::Null),
        "a token is none's to see"
    );
    assert!(errors(&output).contains("left out: 1 header"), "{}", errors(&output));

    let printed = logdrain(&["search", "--tz", "UTC", "severity:error"], archive);
    assert_eq!(text(&printed), "Nov 28 22:15:01 web-1 My App: a\tb \u{fffd}\n", "the time is that of its arrival");
    assert_eq!(text(&logdrain(&["search", "--count", "ip:192.0.2", "sender:web-1"], archive)), "1\n");
    assert_eq!(text(&logdrain(&["search", "--count", "--max-time", "2012-01-01"], archive)), "1\n");

    let parsed = rows(&logdrain(&["parse", "-"], archive));
    assert_eq!(parsed[0]["archive"]["received_at"], "2026-11-28T22:15:01Z");
    assert_eq!((&parsed[0]["header"]["app_name"], &parsed[0]["header"]["pri"]), (&"My_App".into(), &155.into()));
    let offset = usize::try_from(parsed[0]["offset"].as_u64().unwrap()).unwrap();
    assert!(archive[offset..].starts_with(b"7\t2026"), "offsets are those of the input");
}

#[test]
fn what_is_no_row_is_counted_and_said() {
    let line = |id: &str, time: &str| format!("{id}\t{time}\t{time}\t1\tshop\t\tUser\tInfo\tapp/web.1\tcount#a=1\n");
    let time = "2026-11-28T22:14:58Z";
    let archive = [
        "id\tgenerated_at\treceived_at\tsource_id\tsource_name\tsource_ip\tfacility\tseverity\tprogram\tmessage\n",
        &line("1", time),
        "\n   \n",
        "2\tshort\n",
        &line("3", "yesterday"),
        &line("4", time),
    ]
    .concat();
    for command in [
        &["replay", "--format", "jsonl", "--ledger", "none", "-"][..],
        &["top", "--format", "jsonl", "-"],
        &["parse", "-"],
    ] {
        let output = logdrain(command, archive.as_bytes());
        let told = errors(&output);
        assert!(output.status.success(), "{told}");
        assert!(
            told.contains("left out: 1 header, 2 blank, 1 short, 1 refused; the first that should have been a row is line 5: it has fewer than ten columns"),
            "{told}"
        );
        let strict = logdrain(&[command, &["--strict"]].concat(), archive.as_bytes());
        assert_eq!(strict.status.code(), Some(1), "{command:?}");
    }
    let sums = rows(&logdrain(&["replay", "--format", "jsonl", "--ledger", "none", "-"], archive.as_bytes()));
    assert_eq!(sums[0]["sum"], 2.0);
    assert_eq!(text(&logdrain(&["search", "--count"], archive.as_bytes())), "2\n", "what is no row is no line");

    let refused = line("1", "yesterday");
    let output = logdrain(&["replay", "--input", "archive", "-"], refused.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors(&output).contains("no line could be read; it looks like a Papertrail archive"),
        "{}",
        errors(&output)
    );
    assert!(errors(&output).contains("line 1: no time as 2026-11-28T22:14:58Z, column 2"), "{}", errors(&output));
}

#[test]
fn a_broken_gzip_prints_what_came_before_and_ends_with_1() {
    let folder = scratch("archive-broken");
    let [first, second, _] = archived_demo();
    let good = String::from_utf8_lossy(&first).lines().count() as u64;
    let packed = [gzip(&first), gzip(&second)].concat();
    let whole = gzip(&first).len();
    let file = folder.join("2026-03-14-09.tsv.gz");
    let file = file.to_str().unwrap();
    for bytes in [&packed[..whole + 30], &[&packed[..whole + 30], &[0; 64][..]].concat()] {
        std::fs::write(file, bytes).unwrap();
        let output = logdrain(&["search", "-j", "--in", file], b"");
        assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
        assert!(errors(&output).contains("breaks off"), "{}", errors(&output));
        assert!(rows(&output).len() as u64 >= good, "what came before is printed");
        let output = logdrain(&["replay", "--format", "jsonl", file], b"");
        assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
        assert!(!output.stdout.is_empty() && errors(&output).contains("breaks off"), "{}", errors(&output));
    }
}

#[test]
fn papertrails_text_is_read_with_its_year() {
    let log = "Dec 31 23:59:58 shop app/web.1: count#a=1\n\
               Jan  1 00:00:02 shop app/web.1: count#a=2\n    at main (app.rb:7)\n\
               Jan  1 00:00:03 shop heroku/router: at=info method=GET status=200 service=5ms\n";
    let output = logdrain(
        &["replay", "--format", "jsonl", "--ledger", "none", "--year", "2025", "--tz", "Europe/Berlin", "-"],
        log.as_bytes(),
    );
    let sums = rows(&output);
    let of = |name: &str| -> Vec<_> {
        let rows = sums.iter().filter(|row| row["name"] == name);
        rows.map(|row| (row["window_start"].as_str().unwrap_or_default().to_owned(), row["sum"].clone())).collect()
    };
    assert_eq!(of("a").len(), 2, "{sums:?}");
    assert!(sums.iter().any(|row| row["name"] == "heroku.router.http.requests"), "{sums:?}");
    assert!(errors(&output).contains("read as of 2025 to 2026, Europe/Berlin"), "{}", errors(&output));
    let text_of = |arguments: &[&str]| text(&logdrain(arguments, log.as_bytes()));
    assert!(
        text_of(&["replay", "--format", "table", "--year", "2025", "--tz", "Europe/Berlin", "-"])
            .contains("2025-12-31T22:59:00Z")
    );

    // Without a word, it is told by when the file was written.
    let folder = scratch("event-text");
    let file = folder.join("papertrail.log");
    std::fs::write(&file, log).unwrap();
    let written = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_704_100_000);
    std::fs::File::options().append(true).open(&file).unwrap().set_modified(written).unwrap();
    let file = file.to_str().unwrap();
    let found = rows(&logdrain(&["search", "-j", "--tz", "UTC", "--in", file, "count"], b""));
    let times: Vec<_> = found.iter().map(|row| row["generated_at"].as_str().unwrap()).collect();
    assert_eq!(times, ["2023-12-31T23:59:58.000000+00:00", "2024-01-01T00:00:02.000000+00:00"]);
    assert_eq!((&found[0]["system"], &found[0]["program"]), (&"shop".into(), &"app/web.1".into()));
    assert!(found[0].get("id").is_none() && found[0].get("severity").is_none(), "{}", found[0]);

    // What search prints is read again.
    let printed = text_of(&["search", "--tz", "UTC", "--year", "2025"]);
    assert!(printed.contains("- logdrain/unread: ") || printed.contains("logdrain/unread"), "{printed}");
    let again = text(&logdrain(&["search", "--tz", "UTC", "--year", "2025", "count#a"], printed.as_bytes()));
    assert_eq!(again, "Dec 31 23:59:58 shop app/web.1: count#a=1\nJan 01 00:00:02 shop app/web.1: count#a=2\n");

    // A file of syslog looks alike; it is read when that is said.
    let syslog = b"Nov  1 14:14:58 host sshd[7]: hello\n";
    assert_eq!(
        text(&logdrain(&["search", "--tz", "UTC", "--input", "events", "program:sshd"], syslog)),
        "Nov 01 14:14:58 host sshd[7]: hello\n"
    );
}

#[test]
fn hostile_rows_cost_themselves() {
    let mut archive = archived_demo().concat();
    let many = archive.iter().filter(|byte| **byte == b'\n').count();
    archive.extend_from_slice(b"99\t2026-03-14T09:26:53Z\t2026-03-14T09:26:53Z\t1\t\x1b]0;x\x07\t\t\t\t");
    archive.extend_from_slice(&vec![b'p'; 2_000]);
    archive.extend_from_slice(b"\tcount#a=1 \x1b[2J\0\n");
    archive.extend_from_slice(&vec![b'\t'; 100_000]);
    archive.push(b'\n');
    archive.extend_from_slice(&vec![b'x'; 5 << 20]);
    let output = logdrain(&["search", "--tz", "UTC"], &archive);
    let printed = text(&output);
    assert_eq!(printed.lines().count(), many + 1, "{}", errors(&output));
    assert!(!printed.contains('\u{1b}') && !errors(&output).contains('\u{1b}'));
    let output = logdrain(&["replay", "--format", "jsonl", "-"], &archive);
    assert!(output.status.success(), "{}", errors(&output));
}
