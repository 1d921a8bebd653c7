//! Text of lines that would harm whoever looks at it on a terminal.

use crate::{harness, logdrain};
use serde_json::Value;
use std::process::Command;
use testkit::program::errors;

/// C1 controls, DEL, overrides of the direction, invisible characters, tag characters, and a pile of marks.
const HOSTILE: &[char] = &[
    '\u{1b}',
    '\u{7f}',
    '\u{80}',
    '\u{85}',
    '\u{9b}',
    '\u{9f}',
    '\u{ad}',
    '\u{61c}',
    '\u{180e}',
    '\u{200b}',
    '\u{200f}',
    '\u{2028}',
    '\u{2029}',
    '\u{202e}',
    '\u{2066}',
    '\u{2069}',
    '\u{feff}',
    '\u{fffb}',
    '\u{e0001}',
    '\u{e0041}',
    '\u{e007f}',
];

/// What it prints on its standard output.
fn printed(arguments: &[&str], input: &str) -> String {
    let output = logdrain(arguments, input.as_bytes());
    assert!(output.status.success(), "{}", errors(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// A body with each of the characters in a tag and in text.
fn body() -> String {
    let frame = |line: String| format!("{} {line}", line.len());
    HOSTILE
        .iter()
        .map(|c| {
            frame(format!("<190>1 2026-03-14T09:26:53Z host app web.1 - a{c}b count#n=1 tag#k=\"x{c}y\" é日本🚀\n"))
        })
        .collect()
}

#[test]
fn json_holds_no_character_that_a_terminal_obeys_or_hides_and_reads_back_the_same() {
    for arguments in [
        &["parse", "--pairs", "-"][..],
        &["replay", "--format", "jsonl", "-"],
        &["replay", "--flat", "-"],
        &["top", "--format", "jsonl", "-"],
    ] {
        let text = printed(arguments, &body());
        for c in HOSTILE {
            assert!(!text.contains(*c), "{arguments:?}: {:?} stands there as it is", c);
        }
        for line in text.lines() {
            // What serde_json makes of the same value has the same meaning.
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&value.to_string()).unwrap(), value);
        }
    }
    let parsed = printed(&["parse", "-"], &body());
    for (line, c) in parsed.lines().zip(HOSTILE) {
        let value: Value = serde_json::from_str(line).unwrap();
        let message = value["msg"].as_str().unwrap();
        assert!(message.starts_with(&format!("a{c}b count#n=1")), "{message:?}");
        assert!(line.contains("é日本🚀"), "other text stays as it is");
    }
}

#[test]
fn tables_show_what_a_terminal_obeys_or_hides_as_escapes() {
    for arguments in [&["replay", "--format", "table", "-"][..], &["top", "--format", "table", "--rows", "99", "-"]] {
        let text = printed(arguments, &body());
        for c in HOSTILE {
            assert!(!text.contains(*c), "{arguments:?}: {:?} stands there as it is", c);
        }
        assert!(text.contains("k=x\\u{9b}y"), "{text}");
    }
}

#[test]
fn marks_do_not_spill_over_rows() {
    let line = format!("<190>1 2026-03-14T09:26:53Z host app web.1 - count#n=1 tag#k=a{}", "\u{301}".repeat(60));
    let body = format!("{} {line}", line.len());
    for arguments in [&["replay", "--format", "table", "-"][..], &["replay", "--format", "jsonl", "-"]] {
        let text = printed(arguments, &body);
        assert_eq!(text.matches('\u{301}').count(), 3, "{text}");
    }
}

#[test]
fn rows_of_a_server_hold_no_character_that_a_terminal_obeys_or_hides() {
    let dir = harness::scratch("hostile-text");
    let server = harness::Server::start(&dir, &[]);
    let time = harness::time_of(harness::now_micros());
    let body = body().replace("2026-03-14T09:26:53Z", &time);
    // The lengths of the frames were those of the shorter time.
    let grown = time.len() - "2026-03-14T09:26:53Z".len();
    let body: String = body
        .split_inclusive("🚀\n")
        .map(|frame| frame.split_once(' ').unwrap())
        .map(|(len, line)| format!("{} {line}", len.parse::<usize>().unwrap() + grown))
        .collect();
    let delivery = harness::Delivery { id: "1".to_owned(), token: "d.1".to_owned(), body: body.into_bytes() };
    assert_eq!(delivery.send(server.address).unwrap(), 204);
    let path = dir.join("rows.jsonl");
    let text = harness::wait_until("rows", || {
        std::fs::read_to_string(&path).ok().filter(|text| text.lines().count() >= HOSTILE.len())
    });
    assert!(HOSTILE.iter().all(|c| !text.contains(*c)), "{text}");
    let mut values: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["tags"]["k"].as_str().unwrap().to_owned())
        .collect();
    values.sort_unstable();
    let mut expected: Vec<_> = HOSTILE.iter().map(|c| format!("x{c}y")).collect();
    expected.sort_unstable();
    assert_eq!(values, expected);
}

#[test]
fn names_of_files_are_escaped_in_messages() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_logdrain")).args(["parse", "no\u{9b}31m\u{202e}file"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no\\u{9b}31m\\u{202e}file: no such file"), "{said}");
}
