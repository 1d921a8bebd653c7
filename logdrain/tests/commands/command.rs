//! The commands as their users meet them: what goes in, what comes out, and the exit status.

use crate::logdrain;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use testkit::program::errors;

fn rows(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn testdata(name: &str) -> PathBuf {
    testkit::testdata().join(name)
}

fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn frame(line: &str) -> String {
    format!("{} {line}", line.len())
}

/// A folder of its own for each test.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn the_demo_replays_and_its_books_balance() {
    let output = logdrain(&["replay", "--ledger", "json", arg(&testdata("demo.logplex"))], b"");
    assert!(output.status.success(), "{}", errors(&output));
    let rows = rows(&output);
    assert!(rows.len() > 300, "{} rows", rows.len());
    let keys: Vec<_> = rows
        .iter()
        .map(|row| {
            (row["window_unix"].as_i64().unwrap(), row["name"].as_str().unwrap().to_owned(), row["kind"].to_string())
        })
        .collect();
    assert!(keys.is_sorted(), "rows are sorted by window, name and kind");
    let ledger: Value = serde_json::from_str(&errors(&output)).unwrap();
    assert_eq!(ledger["balanced"], true);
    let octets = std::fs::metadata(testdata("demo.logplex")).unwrap().len();
    assert_eq!(ledger["octets"]["in"], octets);
    let made: u64 = rows.iter().map(|row| row["count"].as_u64().unwrap()).sum();
    assert_eq!(ledger["observations"]["accepted"], made, "every accepted observation is in a row");
}

#[test]
fn a_row_has_the_shape_of_the_contract() {
    let body: String = [100, 200, 300]
        .iter()
        .map(|ms| {
            frame(&format!("<190>1 2026-03-14T09:26:5{}Z host app web.1 - measure#database.query={ms}ms", ms / 100))
        })
        .collect();
    let output = logdrain(&["replay", "-"], body.as_bytes());
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "{\"window\":\"2026-03-14T09:26:00Z\",\"window_unix\":1773480360,\"kind\":\"measure\",\"name\":\"database.query\",\
         \"unit\":\"ms\",\"tags\":{},\"count\":3,\"sum\":600,\"min\":100,\"max\":300,\"mean\":200,\"last\":300,\"p50\":200,\
         \"p95\":300,\"p99\":300,\"p999\":300,\"revision\":0}\n"
    );
    let flat = rows(&logdrain(&["replay", "--flat", "-"], body.as_bytes()));
    let names: Vec<_> = flat.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["database.query", "database.query.p50", "database.query.p95", "database.query.p99", "database.query.p999"]
    );
    assert_eq!(flat[2]["value"], 300);
}

#[test]
fn rendered_text_gives_the_streams_of_the_same_lines_in_a_body() {
    let text = testkit::demo::rendered();
    let body = testkit::demo::logplex_of_rendered();
    for arguments in [&["replay", "-"][..], &["replay", "--flat", "--extended", "--app", "shop", "-"]] {
        let from_text = logdrain(arguments, &text);
        let from_body = logdrain(arguments, &body);
        assert!(from_text.status.success() && from_body.status.success());
        assert!(!from_text.stdout.is_empty());
        assert!(from_text.stdout == from_body.stdout, "{arguments:?}");
    }
    let file = rows(&logdrain(&["replay", arg(&testdata("demo.txt"))], b""));
    assert_eq!(file, rows(&logdrain(&["replay", "-"], &body)));
}

#[test]
fn order_and_splitting_of_the_input_leave_no_trace_but_in_last() {
    let folder = scratch("split");
    let body = std::fs::read(testdata("demo.logplex")).unwrap();
    let whole = rows(&logdrain(&["replay", "-"], &body));
    // Cut between frames, by their own offsets.
    let offsets: Vec<_> =
        rows(&logdrain(&["parse", "-"], &body)).iter().filter_map(|row| row["offset"].as_u64()).collect();
    let cut = usize::try_from(offsets[offsets.len() / 2]).unwrap();
    let (first, second) = (folder.join("first"), folder.join("second"));
    std::fs::write(&first, &body[..cut]).unwrap();
    std::fs::write(&second, &body[cut..]).unwrap();
    assert_eq!(rows(&logdrain(&["replay", arg(&first), arg(&second)], b"")), whole);
    let turned = rows(&logdrain(&["replay", arg(&second), arg(&first)], b""));
    assert_eq!(turned, whole, "event time decides, and no two samples of one stream have the same");
}

#[test]
fn lateness_closes_windows_as_the_input_goes_on() {
    let at = |time: &str| frame(&format!("<190>1 2026-03-14T{time}Z host app web.1 - count#a=1"));
    let body = [at("09:26:10"), at("09:29:10"), at("09:26:20"), at("09:29:20")].concat();
    let kept = rows(&logdrain(&["replay", "-"], body.as_bytes()));
    assert_eq!(kept.iter().map(|row| row["sum"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 2]);
    let output = logdrain(&["replay", "--lateness", "60s", "--ledger", "json", "-"], body.as_bytes());
    assert_eq!(rows(&output).iter().map(|row| row["sum"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    let ledger: Value = serde_json::from_str(&errors(&output)).unwrap();
    assert_eq!((&ledger["observations"]["late"], &ledger["balanced"]), (&1.into(), &true.into()));
}

#[test]
fn a_frame_from_the_year_9999_closes_nothing() {
    let at = |time: &str| frame(&format!("<190>1 {time} host app web.1 - count#a=1"));
    let body = [at("2026-03-14T09:26:10Z"), at("9999-12-31T23:59:59Z"), at("2026-03-14T09:26:20Z")].concat();
    let output = logdrain(&["replay", "--lateness", "60s", "-"], body.as_bytes());
    assert_eq!(rows(&output)[0]["sum"], 2);
}

#[test]
fn parse_prints_what_the_contract_says() {
    let body = [
        frame("<40>1 2026-03-14T09:26:53+00:00 host app web.3 - checkout measure#query=0.2s tag#db=main count#bad=x"),
        frame("<999>1 2026-03-14T09:26:53+00:00 host app web.3 - hello"),
        "\nx".to_owned(),
    ]
    .concat();
    let output = logdrain(&["parse", "--pairs", "-"], body.as_bytes());
    assert!(output.status.success(), "without --strict bad input is reported, not a failure");
    let rows = rows(&output);
    let first = &rows[0];
    assert_eq!(first["header"]["pri"], 40);
    assert_eq!((&first["header"]["facility"], &first["header"]["severity"]), (&5.into(), &0.into()));
    assert_eq!(first["header"]["unix_us"], 1_773_480_413_000_000_i64);
    assert_eq!(first["header"]["msg_id"], Value::Null);
    assert_eq!(first["class"], "custom");
    assert_eq!(first["tags"], serde_json::json!({"db": "main"}));
    assert_eq!(
        first["observations"],
        serde_json::json!([{"kind": "measure", "name": "query", "value": 200, "unit": "ms", "tags": {"db": "main"}}])
    );
    let refused = &first["refused"][0];
    assert_eq!((&refused["kind"], &refused["text"]), (&"not_a_number".into(), &"count#bad=x".into()));
    let at = usize::try_from(refused["offset"].as_u64().unwrap()).unwrap();
    assert!(body[at..].starts_with("count#bad=x"), "offsets are counted in the input");
    assert_eq!(first["pairs"][0], serde_json::json!(["checkout", null]));
    let error = &rows[1]["frame_error"];
    assert_eq!(error["kind"], "bad_pri");
    assert!(body.as_bytes()[usize::try_from(error["at"].as_u64().unwrap()).unwrap()..].starts_with(b"999"));
    assert_eq!(rows[2]["framing_error"]["kind"], "bad_length");
    assert_eq!(rows[2]["framing_error"]["skipped"], 1);
    assert_eq!(logdrain(&["parse", "--strict", "-"], body.as_bytes()).status.code(), Some(1));
}

#[test]
fn sentences_of_the_platform_have_no_pairs() {
    let of = |source: &str, text: &str| {
        let line = frame(&format!("<190>1 2026-03-14T09:26:53Z host {source} - {text}"));
        rows(&logdrain(&["parse", "--pairs", "-"], line.as_bytes()))[0]["pairs"].clone()
    };
    for text in ["State changed from starting to up", "Idling", "He said \"no", ""] {
        assert_eq!(of("heroku web.1", text), serde_json::json!([]), "{text}");
    }
    assert_eq!(of("app api", "Build succeeded"), serde_json::json!([]));
    for source in ["heroku web.1", "app web.1"] {
        let expected = serde_json::json!([["done", null], ["in", "3"], ["fast", null]]);
        assert_eq!(of(source, "done in=3 fast"), expected, "{source}");
        assert_eq!(of(source, "empty= "), serde_json::json!([["empty", ""]]), "{source}");
    }
    assert_eq!(
        of("app web.1", "cache warm"),
        serde_json::json!([["cache", null], ["warm", null]]),
        "logfmt of the app's own"
    );
}

#[test]
fn text_that_is_not_utf8_is_printed_in_base64() {
    let mut line = b"<190>1 2026-03-14T09:26:53Z host app web.1 - caf\xe9".to_vec();
    line.splice(0..0, format!("{} ", line.len()).into_bytes());
    let rows = rows(&logdrain(&["parse", "-"], &line));
    assert_eq!((&rows[0]["msg_b64"], rows[0].get("msg")), (&"Y2Fm6Q==".into(), None));
}

#[test]
fn files_that_cannot_be_read_say_so() {
    let folder = scratch("bad-files");
    let cases: BTreeMap<&str, (PathBuf, &str)> = BTreeMap::from([
        ("missing", (folder.join("missing"), "no such file")),
        ("directory", (folder.clone(), "is a directory")),
        ("binary", (folder.join("binary"), "neither a drain body")),
    ]);
    std::fs::write(folder.join("binary"), [0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0xff, 0xfe]).unwrap();
    for command in ["parse", "replay"] {
        for (name, (path, message)) in &cases {
            let output = logdrain(&[command, arg(path)], b"");
            assert_eq!(output.status.code(), Some(2), "{command} {name}");
            assert!(errors(&output).contains(message), "{command} {name}: {}", errors(&output));
            assert!(errors(&output).contains(arg(path)), "the message names the file");
        }
    }
}

#[test]
fn rows_without_a_folder_say_which_one_is_missing_and_what_to_do() {
    let folder = scratch("no-folder");
    std::fs::write(folder.join("file"), "").unwrap();
    let store = folder.join("store");
    let missing = folder.join("missing").join("rows.jsonl");
    let cases = [
        (missing.clone(), format!("the folder {} does not exist: make it (mkdir -p ", arg(missing.parent().unwrap()))),
        (folder.clone(), "is a folder; name a file in it".to_owned()),
        (folder.join("file").join("rows.jsonl"), "is a file and not a folder".to_owned()),
    ];
    for (out, said) in cases {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--store", arg(&store), "--out", arg(&out)];
        for arguments in [&serve[..], &["send", "--write", arg(&out)]] {
            let output = logdrain(arguments, b"");
            assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
            assert!(errors(&output).contains(&said) && errors(&output).contains(arg(&out)), "{}", errors(&output));
            assert!(!errors(&output).contains("standard input"), "{}", errors(&output));
        }
    }
    let output = logdrain(&["serve", "--config", arg(&missing)], b"");
    assert!(errors(&output).contains("there is no such configuration"), "{}", errors(&output));
}

#[test]
fn an_address_that_is_none_says_what_to_write() {
    for (address, said) in [
        ("localhost", "a port is missing"),
        (":8514", "127.0.0.1:8514 for this machine alone"),
        ("no.such.host.invalid:8514", "is not known as the name of a machine"),
    ] {
        let output = logdrain(&["serve", "--listen", address], b"");
        assert_eq!(output.status.code(), Some(2));
        assert!(errors(&output).contains(said), "{}", errors(&output));
    }
}

#[test]
fn an_empty_file_is_no_error() {
    let output = logdrain(&["replay", "-"], b"");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    assert!(errors(&output).contains("the input is empty"));
}

#[test]
fn gzip_is_read_through_and_a_truncated_one_counts_what_was_there() {
    let folder = scratch("gzip");
    let body = std::fs::read(testdata("demo.logplex")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&body).unwrap();
    let packed = encoder.finish().unwrap();
    let (whole, half) = (folder.join("whole.gz"), folder.join("half.gz"));
    std::fs::write(&whole, &packed).unwrap();
    std::fs::write(&half, &packed[..packed.len() / 2]).unwrap();
    let plain = rows(&logdrain(&["replay", "-"], &body));
    assert_eq!(rows(&logdrain(&["replay", arg(&whole)], b"")), plain);

    let output = logdrain(&["replay", arg(&half)], b"");
    assert_eq!(output.status.code(), Some(1), "the input is not whole");
    assert!(errors(&output).contains("breaks off"), "{}", errors(&output));
    let counted = rows(&output).len();
    assert!(counted > 0 && counted < plain.len(), "{counted} rows of what was there");
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_logdrain"))
        .args(["parse", arg(&testdata("demo.logplex"))])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), errors(&output).as_str()), (Some(0), ""));
}

#[test]
fn the_table_is_aligned_and_escapes_what_lines_carry() {
    let body = [
        frame("<190>1 2026-03-14T09:26:53Z host app web.1 - measure#query=200ms tag#k=\"a\x1b[31mb\""),
        frame("<190>1 2026-03-14T09:26:54Z host app web.1 - count#signups=2"),
    ]
    .concat();
    let output = logdrain(&["replay", "--format", "table", "--ledger", "none", "-"], body.as_bytes());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\u{1b}'), "no colours off a terminal, and none from a line: {text}");
    assert!(text.starts_with("2026-03-14T09:26:00Z\n"));
    assert!(text.contains("200 ms") && text.contains("k=a"), "{text}");
    assert!(text.ends_with("1 window, 2 metrics, 6 metric streams, 2 observations\n"), "{text}");
}

#[test]
fn memory_is_bounded_by_closing_the_oldest_windows() {
    let body: String = (0..40_000)
        .map(|n| {
            frame(&format!(
                "<190>1 2026-03-{:02}T{:02}:{:02}:00Z host app web.1 - count#a{}=1",
                1 + n / 1440 % 28,
                n / 60 % 24,
                n % 60,
                n % 977
            ))
        })
        .collect();
    let output = logdrain(&["replay", "--max-memory", "1MB", "--ledger", "json", "-"], body.as_bytes());
    assert!(output.status.success());
    let text = errors(&output);
    let (ledger, note) = text.split_once('\n').unwrap();
    assert!(note.contains("closed early"), "{text}");
    let ledger: Value = serde_json::from_str(ledger).unwrap();
    assert_eq!(ledger["balanced"], true);
}

#[test]
fn a_plan_folds_and_says_why() {
    let folder = scratch("plan");
    let plan = folder.join("ten.toml");
    std::fs::write(&plan, "name = \"ten\"\nstreams = 10\n").unwrap();
    let demo = testdata("demo.logplex");
    let output = logdrain(&["replay", "--plan", arg(&plan), arg(&demo)], b"");
    assert!(output.status.success(), "{}", errors(&output));
    assert!(rows(&output).iter().any(|row| row["tags"]["overflow"] == "true"));
    assert!(errors(&output).contains("added up in overflow=true: 10 of 10 places were taken when they came"));

    let gold = logdrain(&["replay", "--plan", "gold", "--ledger", "json", arg(&demo)], b"");
    let ledger: Value = serde_json::from_str(&errors(&gold)).unwrap();
    assert_eq!(ledger["observations"]["folded"], 0, "the demo fits");

    let wrong = logdrain(&["replay", "--plan", "platinum", arg(&demo)], b"");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(errors(&wrong).contains("neither a shipped plan (development, gold) nor a file"), "{}", errors(&wrong));
}

#[test]
fn top_tells_what_eats_the_quota() {
    let body: String = (0..400)
        .map(|user| {
            frame(&format!("<190>1 2026-03-14T09:26:53Z host app web.1 - measure#checkout=1ms tag#user={user}"))
        })
        .collect();
    let output = logdrain(&["top", "--format", "table", "--rows", "5", "-"], body.as_bytes());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("plan gold: 300 streams used, of 300; 340 found no place"), "{text}");
    assert!(text.lines().count() <= 20, "one screen: {text}");
    let rows = rows(&logdrain(&["top", "-"], body.as_bytes()));
    let admitted: Vec<_> = rows.iter().filter(|row| row["state"] == "admitted").collect();
    assert_eq!(admitted.len(), 60, "a measure takes five of 300");
    assert_eq!(admitted.iter().map(|row| row["cost"].as_u64().unwrap()).sum::<u64>(), 300);
    assert_eq!(rows[0]["first_seen"], "2026-03-14T09:26:53Z");
    assert_eq!(logdrain(&["top", "--input", "body", "-"], b"4 junk").status.code(), Some(1), "nothing could be read");
    assert_eq!(logdrain(&["top", "--input", "body", "--strict", "-"], b"4 junk").status.code(), Some(1));
}

#[test]
fn help_has_examples_and_wrong_words_exit_with_2() {
    for command in ["parse", "replay", "top"] {
        let text = String::from_utf8(logdrain(&[command, "--help"], b"").stdout).unwrap();
        assert!(text.contains("Examples:\n  logdrain "), "{text}");
    }
    assert_eq!(logdrain(&["replay", "--nonsense", "-"], b"").status.code(), Some(2));
    assert_eq!(logdrain(&["replay", "--window", "7s", "-"], b"").status.code(), Some(2), "7 s do not divide a day");
}
