//! What people have at hand: copies, exports, files of editors and shells, and texts that are no log of Heroku's. What can
//! be read is read, and what cannot is named.

use crate::logdrain;
use serde_json::Value;
use std::io::Write as _;
use std::process::{Command, Stdio};
use testkit::program::errors;

/// Name and sum of each row.
fn sums(arguments: &[&str], input: &[u8]) -> Vec<(String, f64)> {
    let output = logdrain(&[&["replay", "--format", "jsonl", "--ledger", "none"], arguments, &["-"]].concat(), input);
    assert!(output.status.success(), "{}: {}", input.escape_ascii(), errors(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.map(|row| (row["name"].as_str().unwrap().to_owned(), row["sum"].as_f64().unwrap_or(f64::NAN))).collect()
}

/// The count `a`, which each line of these texts has as one.
fn count(input: &str) -> f64 {
    sums(&[], input.as_bytes()).iter().filter(|(name, _)| name == "a").map(|(_, sum)| sum).sum()
}

#[test]
fn what_can_be_read_is_told_by_the_first_lines() {
    let times = ["2026-03-30T10:00:00+00:00", "2026-03-30T10:00:01.25Z"];
    let each = |line: &dyn Fn(&str) -> String| times.map(line).join("\n");
    for text in [
        each(&|time| format!("{time} app[web.1]: count#a=1")),
        each(&|time| format!("          {time} app[web.1]: count#a=1")),
        each(&|time| format!("> {time} app[web.1]: count#a=1\r")),
        each(&|time| format!("> > {} app[web.1]: count#a=1", time.replace('T', " "))),
        each(&|time| format!("{} app[web.1]: count#a=1", &time[..19])),
        each(&|time| format!("<190>1 {time} d.5ca1ab1e app web.1 - - count#a=1")),
        each(&|time| format!("  > <190>1 {time} host app web.1 - count#a=1")),
        each(&|time| format!("    60 <190>1 {time} host app web.1 - count#a=1")),
        each(&|time| format!("{} app web.1 - - count#a=1", time.replace('T', " "))),
        each(&|time| format!("\u{1b}[36m{time}\u{1b}[39m app[\u{1b}[1mweb.1\u{1b}[0m]: count#a=1")),
    ] {
        assert_eq!(count(&text), 2.0, "{text:?}");
        assert_eq!(count(&format!("\u{feff}{text}\n")), 2.0, "with a byte order mark: {text:?}");
        assert_eq!(count(&format!("Here is the log:\n\n{text}\nThanks!\n")), 2.0, "in a mail: {text:?}");
    }
    let text = each(&|time| format!("\0\0{time} app[web.1]: count#a=1")) + "\n\0\n\0";
    assert_eq!(count(&text), 2.0, "NULs keep a connection open");
    // A host may be called `app`, so that nobody but the user knows that HOSTNAME is missing.
    let text = each(&|time| format!("<190>1 {time} app web.1 - - count#a=1"));
    assert_eq!((count(&text), sums(&["--dialect", "moved"], text.as_bytes())[0].1), (0.0, 2.0));
}

#[test]
fn a_line_that_an_app_printed_again_is_no_line_of_the_log() {
    let line = "2026-03-30T10:00:00+00:00 app[web.1]: count#a=1\n";
    assert_eq!(count(&format!("{line}{line}{line}  {line}")), 3.0);
    assert_eq!(sums(&["--input", "copied"], format!("{line}{line}{line}  {line}").as_bytes())[0].1, 4.0);
}

#[test]
fn bodies_with_a_byte_order_mark_or_moved_headers_are_read() {
    let frame = |line: &str| format!("{} {line}\n", line.len() + 1);
    let time = "2026-03-30T10:00:00+00:00";
    let body = frame(&format!("<190>1 {time} host app web.1 - count#a=1"));
    assert_eq!(count(&format!("\u{feff}{body}")), 1.0);
    for (line, name) in [
        (
            format!("<158>1 {time} heroku router - - at=info method=GET status=200 service=5ms"),
            "heroku.router.http.requests",
        ),
        (
            format!(
                "<45>1 {time} heroku web.1 - - source=web.1 dyno=heroku.1.5ca1ab1e sample#load_avg_1m=0.50 sample#load_avg_5m=0.40 sample#load_avg_15m=0.30"
            ),
            "heroku.dyno.load.load1",
        ),
        (
            format!(
                "<45>1 {time} heroku web.1 d.5ca1ab1e-0000-4000-8000-00000000beef - source=web.1 dyno=heroku.1.5ca1ab1e sample#load_avg_1m=0.50 sample#load_avg_5m=0.40 sample#load_avg_15m=0.30"
            ),
            "heroku.dyno.load.load1",
        ),
    ] {
        let rows = sums(&[], frame(&line).as_bytes());
        assert!(rows.iter().any(|(row, _)| row == name), "{line}: {rows:?}");
    }
}

#[test]
fn the_token_in_a_header_of_2012_is_not_printed() {
    let line =
        "<40>1 2012-11-30T06:45:26+00:00 heroku web.3 d.5ca1ab1e-0000-4000-8000-00000000beef - Starting process\n";
    let output = logdrain(&["parse", "-"], format!("{} {line}", line.len()).as_bytes());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("\"web.3\"") && !text.contains("5ca1ab1e"), "{text}");
}

#[test]
fn structured_data_under_another_host_name_is_an_argument() {
    let line =
        b"<158>1 2026-03-30T10:00:00Z relay.example.com heroku router - - at=info method=GET status=200 service=5ms\n";
    let rows = sums(&["--dialect", "rfc5424"], line);
    assert!(rows.iter().any(|(name, _)| name == "heroku.router.http.requests"), "{rows:?}");
}

#[test]
fn a_text_of_which_nothing_can_be_read_is_named() {
    let utf16 = |text: &str, big: bool| -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let log = "2026-03-30T10:00:00+00:00 app[web.1]: count#a=1\r\n";
    let cases: [(&str, Vec<u8>); 14] = [
        ("Papertrail's text", b"Nov 31 14:14:58 shop heroku/web.4: there is no such day\n".to_vec()),
        (
            "Papertrail archive",
            b"1400180097685377024\t2021-11-24T15:02:51Z\t2021-11-24T15:02:51Z\t8113625781\tshop\t192.0.2.96\tLocal0\tInfo\tno message\n".to_vec(),
        ),
        ("UTF-16", utf16(&format!("\u{feff}{log}"), false)),
        ("UTF-16", utf16(&format!("\u{feff}{log}"), true)),
        ("UTF-16LE", utf16(log, false)),
        ("UTF-16BE", utf16(log, true)),
        ("JSON", b"{\"level\":30,\"msg\":\"count#a=1\"}\n{\"level\":30}\n".to_vec()),
        ("RFC 3164", b"<190>Nov 21 14:14:58 host app: count#a=1\n".to_vec()),
        ("a syslog file", b"Nov  1 14:14:58 host sshd[7]: count#a=1\n".to_vec()),
        ("without its times", b"app[web.1]: count#a=1\nheroku[router]: at=info\n".to_vec()),
        ("wrapped", b"request_id=487645e0 fwd=\"192.0.2.59\"\ndyno=web.1 connect=0ms service=31ms status=200\n".to_vec()),
        ("access log", b"192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] \"GET / HTTP/1.1\" 200 5\n".to_vec()),
        ("lengths are not right", b"58 <190>1 2026-03-30T10:00:00Z host app web.1 - count#a=158 <190>1 2026-03-30T10:00:00Z host app web.1 - count#a=1".to_vec()),
        ("none of the layouts", b"hello\n\x1b[31mworld\n".to_vec()),
    ];
    for (name, text) in &cases {
        for command in ["replay", "parse"] {
            let output = logdrain(&[command, "-"], text);
            let errors = errors(&output);
            assert_eq!(output.status.code(), Some(1), "{command} {name}: {errors}");
            assert_eq!(
                errors.lines().filter(|line| line.starts_with("logdrain: ")).count(),
                1,
                "{command} {name}: {errors}"
            );
            assert!(errors.contains(name), "{command} {name}: {errors}");
            assert!(!errors.contains('\u{1b}'), "{errors:?}");
        }
    }
    // Also when the kind was said.
    for (name, text) in &cases[2..6] {
        let output = logdrain(&["replay", "--input", "rendered", "-"], text);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(errors(&output).contains("UTF-16"), "{name}: {}", errors(&output));
    }
    let told = errors(&logdrain(&["replay", "-"], b"\n\nhello\n"));
    assert!(told.contains("Line 3: `hello`"), "{told}");
    let long = "x".repeat(10_000);
    assert!(errors(&logdrain(&["replay", "-"], long.as_bytes())).len() < 1_000, "a long line is cut");
}

#[test]
fn wrapped_lines_are_hinted_at() {
    let text = "2026-03-30T10:00:00+00:00 heroku[router]: at=info method=GET\npath=\"/a\" host=shop.example.com\n\
                dyno=web.1 connect=0ms service=31ms status=200 bytes=767\nprotocol=https\n";
    let output = logdrain(&["replay", "-"], text.as_bytes());
    assert!(output.status.success(), "what could be read is counted");
    assert!(
        errors(&output).contains("3 lines seem to be the rest of the line in front of them, from line 2 on"),
        "{}",
        errors(&output)
    );
    // A message of several lines is none of that.
    let text = "2026-03-30T10:00:00+00:00 app[web.1]: panicked\n  at main.rs:7\n  at lib.rs:9\n";
    assert!(!errors(&logdrain(&["replay", "-"], text.as_bytes())).contains("rest of the line"));
}

#[test]
fn lines_that_cannot_be_read_are_told_with_number_and_text() {
    let text = "2026-03-30T10:00:00+00:00 app[web.1]: hi\n\n\x1b]0;what\x07 is this\n";
    let output = logdrain(&["parse", "-"], text.as_bytes());
    let text = String::from_utf8(output.stdout).unwrap();
    let row: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&row["frame_error"]["line"], &row["frame_error"]["kind"]), (&3.into(), &"bad_timestamp".into()));
    assert!(row["frame_error"]["text"].as_str().unwrap().contains("is this"), "{row}");
    assert!(!text.contains('\u{1b}'), "escaped: {text:?}");
}

#[test]
fn a_first_chunk_that_ends_in_the_middle_of_a_line_does_not_mislead() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_logdrain"))
        .args(["parse", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for piece in ["2026-03", "-30T10:00:00+00:00 app[web", ".1]: hi\n2026-03-30T10:00:01+00:00 app[web.1]: there\n"] {
        stdin.write_all(piece.as_bytes()).unwrap();
        stdin.flush().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).matches("\"class\":\"text\"").count(), 2);
}

#[test]
fn help_tells_of_the_layouts() {
    for command in ["parse", "replay"] {
        let text = String::from_utf8(logdrain(&[command, "--help"], b"").stdout).unwrap();
        for word in ["copied", "syslog", "logentries", "moved", "--input auto"] {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
}
