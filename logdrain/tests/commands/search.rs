//! `logdrain search`: what is found, how it is printed, and what is said.

mod kept;

use crate::logdrain;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use testkit::program::errors;

fn testdata(name: &str) -> String {
    testkit::testdata().join(name).to_str().unwrap().to_owned()
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Times in UTC, whatever the machine's zone.
fn search(arguments: &[&str], input: &[u8]) -> Output {
    logdrain(&[&["search", "--tz", "UTC"], arguments].concat(), input)
}

fn text(output: &Output) -> String {
    assert!(output.status.code() != Some(2), "{}", errors(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn frame(line: &str) -> String {
    format!("{} {line}", line.len())
}

/// System, program and message of each line of the demo, as `parse` has them.
fn demo() -> Vec<(String, String, String)> {
    let parsed = logdrain(&["parse", &testdata("demo.logplex")], b"");
    let rows =
        std::str::from_utf8(&parsed.stdout).unwrap().lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rows = rows.map(|row| {
        let of = |key: &str| row["header"][key].as_str().unwrap_or_default().to_owned();
        let host = of("hostname");
        let system = if host.starts_with("d.") { "drain-8e993b01".to_owned() } else { host };
        let message = match row["msg"].as_str() {
            Some(text) => text.to_owned(),
            None => String::from_utf8_lossy(&STANDARD.decode(row["msg_b64"].as_str().unwrap()).unwrap()).into_owned(),
        };
        let message = message.trim_end_matches(['\r', '\n']).to_owned();
        (system, format!("{}/{}", of("app_name"), of("proc_id")), message)
    });
    rows.collect()
}

#[test]
fn what_is_found_is_what_a_plain_scan_finds() {
    type Truth = fn(&str, &str, &str) -> bool;
    let lines = demo();
    let cases: [(&[&str], Truth); 12] = [
        (&[], |_, _, _| true),
        (&["status=503"], |_, _, message| message.contains("status=503")),
        (&["STATUS=503"], |_, _, message| message.contains("status=503")),
        (&["router", "status=503"], |_, program, message| program.contains("router") && message.contains("status=503")),
        (&["--", "router", "-status=200"], |_, program, message| {
            (program.contains("router") || message.contains("router")) && !message.contains("status=200")
        }),
        (&["--", "-router", "-sample"], |_, program, message| {
            !program.contains("router") && !message.contains("router") && !message.contains("sample")
        }),
        (&["code=H12 OR code=H19"], |_, _, message| message.contains("code=H12") || message.contains("code=H19")),
        (&["program:heroku/router", "H12"], |_, program, message| {
            program == "heroku/router" && message.contains("H12")
        }),
        (&["\"Request timeout\""], |_, _, message| message.contains("Request timeout")),
        (&["sender:drain-8e993b01"], |system, _, _| system == "drain-8e993b01"),
        (&["(web.1 OR worker.1) -at=info"], |_, program, message| {
            ["web.1", "worker.1"].iter().any(|name| program.contains(name) || message.contains(name))
                && !message.contains("at=info")
        }),
        (&["app/web.1: request"], |_, program, message| program == "app/web.1" && message.contains("request")),
    ];
    for (arguments, truth) in cases {
        let output = search(&[&["-j", "--in", &testdata("demo.logplex")], arguments].concat(), b"");
        let text = text(&output);
        let found: Vec<_> = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
        let found: Vec<_> = found
            .iter()
            .map(|row| ["system", "program", "message"].map(|key| row[key].as_str().unwrap().to_owned()))
            .collect();
        let expected: Vec<_> = lines
            .iter()
            .filter(|(system, program, message)| truth(system, program, message))
            .map(|(system, program, message)| [system.clone(), program.clone(), message.clone()])
            .collect();
        assert_eq!(found, expected, "{arguments:?}: {}", errors(&output));
        assert!(!expected.is_empty(), "{arguments:?} finds nothing to compare");
        let count = search(&[&["--count", "--in", &testdata("demo.logplex")], arguments].concat(), b"");
        assert_eq!(self::text(&count), format!("{}\n", expected.len()), "{arguments:?}");
    }
}

#[test]
fn lines_are_printed_as_papertrail_cli_does() {
    let body = [
        frame("<158>1 2026-11-21T14:14:58.25+01:00 shop heroku router - at=info status=200\n"),
        frame("<190>1 2026-11-01T04:05:06Z d.6f0d2b8e-53a1-4c77-9d1e-0a4b7c9e1f25 app web.1 - hi\r\n"),
        frame("<190>1 - - - - - lost"),
    ]
    .concat();
    assert_eq!(
        text(&search(&[], body.as_bytes())),
        "Nov 21 13:14:58 shop heroku/router: at=info status=200\nNov 01 04:05:06 drain-8e993b01 app/web.1: hi\n- - -: lost\n"
    );
    let berlin = logdrain(&["search", "--tz", "Europe/Berlin", "hi"], body.as_bytes());
    assert_eq!(text(&berlin), "Nov 01 05:05:06 drain-8e993b01 app/web.1: hi\n");
    let rendered = b"2026-11-21T14:14:58+00:00 app[web.1]: hello\n";
    assert_eq!(text(&search(&[], rendered)), "Nov 21 14:14:58 - app/web.1: hello\n");
    assert_eq!(text(&search(&["--app", "shop"], rendered)), "Nov 21 14:14:58 shop app/web.1: hello\n");
}

#[test]
fn a_drains_token_is_never_printed() {
    for arguments in [&[][..], &["-j"], &["--patterns"]] {
        let output = search(&[&["--in", &testdata("demo.logplex")], arguments].concat(), b"");
        assert!(!text(&output).contains("6f0d2b8e"), "{arguments:?}");
    }
    let by_token = search(&["--in", &testdata("demo.logplex"), "sender:d.6f0d2b8e"], b"");
    assert_eq!(by_token.stdout, b"", "nor can it be guessed by its beginning");
}

#[cfg(unix)]
#[test]
fn context_is_that_of_grep() {
    let folder = scratch("search-context");
    let all = text(&search(&["--in", &testdata("demo.logplex")], b""));
    let printed = folder.join("all");
    std::fs::write(&printed, &all).unwrap();
    for (options, word) in [
        (&["-C", "2"][..], "code=H12"),
        (&["-C2"], "status=503"),
        (&["-A", "3"], "Error R14"),
        (&["-B", "4"], "code=H"),
        (&["-A", "1", "-B", "7"], "shop.orders"),
        (&["-C", "100"], "code=H12"),
        (&["-C", "9223372036854775807"], "code=H12"),
    ] {
        let quoted = format!("\"{word}\"");
        let ours = text(&search(&[options, &["--in", &testdata("demo.logplex"), &quoted]].concat(), b""));
        let grep = Command::new("grep").args(["-iF"]).args(options).arg(word).arg(&printed).output().unwrap();
        assert_eq!(ours, String::from_utf8(grep.stdout).unwrap(), "{options:?} {word}");
        assert!(ours.lines().count() > 1);
    }
    let most = search(&["-C", &usize::MAX.to_string(), "--in", &testdata("demo.logplex"), "code=H12"], b"");
    assert_eq!(text(&most), all, "more than there are is all of them");
    // JSON marks the lines around, and has no line between groups.
    let json = text(&search(&["-j", "-C", "1", "--in", &testdata("demo.logplex"), "code=H12"], b""));
    let rows: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let is_around = |row: &&Value| row["context"] == true;
    assert!(rows.iter().any(|row| is_around(&row)) && rows.iter().any(|row| !is_around(&row)));
    assert!(rows.iter().all(|row| is_around(&row) != row["message"].as_str().unwrap().contains("code=H12")));
}

#[test]
fn the_last_lines_are_those_of_tail() {
    let demo = testdata("demo.logplex");
    let all = text(&search(&["--in", &demo, "status=503"], b""));
    for count in [0, 1, 3, 10_000] {
        let last = text(&search(&["--in", &demo, "-n", &count.to_string(), "status=503"], b""));
        let expected: Vec<_> = all.lines().rev().take(count).collect();
        assert_eq!(last.lines().rev().collect::<Vec<_>>(), expected);
    }
    let around = text(&search(&["--in", &demo, "-C1", "status=503"], b""));
    let last = text(&search(&["--in", &demo, "-C1", "-n", "2", "status=503"], b""));
    assert!(around.ends_with(&last) && last.matches("status=503").count() == 2, "{last}");
    assert!(!last.starts_with("--\n"));
}

#[test]
fn the_order_of_the_files_is_kept_repeats_too() {
    let (body, rendered) = (testdata("demo.logplex"), testdata("demo.txt"));
    let count =
        |arguments: &[&str]| text(&search(&[&["--count"], arguments].concat(), b"")).trim().parse::<u64>().unwrap();
    assert_eq!(count(&["--in", &body, "--in", &body, "H12"]), 2 * count(&["--in", &body, "H12"]));
    let both = text(&search(&["--in", &rendered, "--in", &body, "H12"], b""));
    let parts = [rendered, body].map(|file| text(&search(&["--in", &file, "H12"], b"")));
    assert_eq!(both, parts.concat());
}

#[test]
fn json_has_what_is_known_and_every_byte() {
    let mut body = frame("<187>1 2026-11-21T14:14:58.25+01:00 shop app web.1 - down").into_bytes();
    let line = b"<190>1 2026-11-21T13:14:59Z shop app web.1 - caf\xe9\x1b[0m";
    body.extend(format!("{} ", line.len()).as_bytes());
    body.extend(line);
    let output = text(&logdrain(&["search", "-j"], &body));
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(
        lines[0],
        r#"{"generated_at":"2026-11-21T13:14:58.250000Z","system":"shop","program":"app/web.1","severity":"error","facility":"local7","message":"down"}"#
    );
    let second: Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(
        (second["message"].as_str(), second["message_base64"].as_str()),
        (Some("caf\u{fffd}\u{1b}[0m"), Some("Y2Fm6RtbMG0="))
    );
    let zoned = text(&logdrain(&["search", "-j", "--tz", "America/New_York", "down"], &body));
    assert!(zoned.contains(r#""generated_at":"2026-11-21T08:14:58.250000-05:00""#), "{zoned}");
    let rendered = text(&search(&["-j"], b"2026-11-21T14:14:58+00:00 app[web.1]: hello\n"));
    let row: Value = serde_json::from_str(&rendered).unwrap();
    assert_eq!((&row["system"], row.get("severity"), row.get("id")), (&Value::Null, None, None));
}

#[test]
fn hostile_lines_reach_no_terminal_as_they_are() {
    let mut body = Vec::new();
    for message in [
        &b"\x1b]0;owned\x07 one"[..],
        b"\x1b[31mred\x1b[0m two",
        b"a\nb\rc three",
        b"\x9b31m \xc2\x9b31m four",
        "\u{202e}five".as_bytes(),
        b"\0six",
    ] {
        let head = "<190>1 2026-11-21T14:14:58Z ev\u{1b}[2Jil app web\u{7}.1 - ";
        body.extend(format!("{} {head}", head.len() + message.len()).as_bytes());
        body.extend(message);
    }
    for arguments in [&[][..], &["-j"], &["--patterns"], &["--force-color"], &["-C", "1", "two"]] {
        let output = text(&search(arguments, &body));
        let rest = output.replace("\u{1b}[36m", "").replace("\u{1b}[33m", "").replace("\u{1b}[32m", "");
        let rest = rest.replace("\u{1b}[35m", "").replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
        assert!(rest.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{202e}')), "{arguments:?}: {output:?}");
        if !arguments.contains(&"--patterns") {
            assert!(output.lines().count() >= 3, "one line for each: {output}");
        }
    }
    let plain = text(&search(&[], &body));
    assert!(!plain.contains('\u{1b}'), "no colours off a terminal: {plain:?}");
    assert!(plain.contains("red two"), "colour codes of a line are left out: {plain}");
    // A name of a file is hostile text, too.
    let missing = search(&["--in", "no\u{1b}[2Jsuch"], b"");
    assert!(missing.status.code() == Some(2) && !errors(&missing).contains('\u{1b}'));
}

#[test]
fn colours_are_for_terminals_and_by_program() {
    let body = ["web.1", "web.2", "web.1"]
        .map(|dyno| frame(&format!("<190>1 2026-11-21T14:14:58Z shop app {dyno} - hi")))
        .concat();
    let coloured = text(&search(&["--force-color"], body.as_bytes()));
    let starts: Vec<_> = coloured.lines().map(|line| &line[..5]).collect();
    assert!(starts[0] == starts[2] && starts[0] != starts[1], "{coloured:?}");
    assert!(coloured.lines().all(|line| line.contains(":\u{1b}[0m hi")), "the message has none: {coloured:?}");
    let by_system = text(&search(&["--force-color", "--color", "system"], body.as_bytes()));
    assert_eq!(by_system.lines().map(|line| &line[..5]).collect::<BTreeSet<_>>().len(), 1);
    assert!(!text(&search(&["--force-color", "--color", "off"], body.as_bytes())).contains('\u{1b}'));
}

#[test]
fn times_narrow_down_and_both_ends_are_in() {
    let at = |time: &str, word: &str| frame(&format!("<190>1 2026-03-14T{time}Z shop app web.1 - {word}"));
    let body =
        [at("09:25:59.9", "a"), at("09:26:00", "b"), at("09:26:30.5", "c"), at("09:27:00.7", "d"), at("09:27:01", "e")]
            .concat();
    let found = |arguments: &[&str]| {
        let output = text(&search(arguments, body.as_bytes()));
        output.lines().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect::<String>()
    };
    assert_eq!(found(&["--min-time", "2026-03-14 09:26", "--max-time", "2026-03-14 09:27:00"]), "bcd");
    assert_eq!(found(&["--min-time", "2026-03-14T10:26:30+01:00"]), "cde");
    assert_eq!(found(&["--max-time", "2026-03-14"]), "abcde");
    assert_eq!(found(&["--max-time", "2026-03-13"]), "");
    assert_eq!(found(&["--min-time", "2026-03-14 09:27:01", "--max-time", "2026-03-14 09:27:01"]), "e");
    let ahead = search(&["--min-time", "tomorrow"], body.as_bytes());
    assert!(errors(&ahead).contains("which lies ahead"), "{}", errors(&ahead));
    for (arguments, said) in [
        (
            &["--min-time", "06/07/2026"][..],
            "--min-time 06/07/2026: `06/07/2026` can be read as day, month or as month, day",
        ),
        (
            &["--max-time", "soonish"],
            "--max-time soonish: `soonish` is not understood as a time; write it as 3 hours ago",
        ),
        (&["--min-time", "1h", "--max-time", "2h"], "--max-time lies before --min-time"),
        (&["--tz", "Middle/Earth"], "is no zone that is known"),
    ] {
        let output = logdrain(&[&["search"], arguments].concat(), body.as_bytes());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(errors(&output).contains(said), "{arguments:?}: {}", errors(&output));
    }
}

#[test]
fn a_line_without_a_time_is_of_the_line_before() {
    let log =
        b"2026-03-14T09:26:00+00:00 app[web.1]: a\nNo time: b\n2026-03-14T09:28:00+00:00 app[web.1]: c\nnone: d\n";
    let output = text(&search(&["--min-time", "2026-03-14 09:27"], log));
    assert_eq!(output, "Mar 14 09:28:00 - app/web.1: c\n- - logdrain/unread: none: d\n");
}

#[test]
fn what_cannot_be_read_is_searched_too() {
    let good = frame("<190>1 2026-03-14T09:26:00Z shop app web.1 - fine");
    let body = [&good, "\ngarbage needle here\n", &good, &frame("<999>1 - needle too"), &good].concat();
    let output = text(&search(&["needle"], body.as_bytes()));
    assert_eq!(output.lines().count(), 2, "{output}");
    assert!(output.lines().all(|line| line.starts_with("- - logdrain/unread: ")), "{output}");
    assert!(output.contains("garbage needle here") && output.contains("<999>1 - needle too"), "{output}");
    let warnings = text(&search(&["--count", "severity:warning"], body.as_bytes()));
    assert_eq!(warnings, "2\n");
    // A text of which nothing can be read is searched, and named.
    let nothing = search(&["two"], b"one\ntwo\nthree\n");
    assert_eq!((nothing.status.code(), text(&nothing)), (Some(1), "- - logdrain/unread: two\n".to_owned()));
    assert!(errors(&nothing).contains("none of"), "{}", errors(&nothing));
}

#[test]
fn systems_are_named_in_any_case_and_with_stars() {
    let body = ["Shop", "shop-staging", "depot"]
        .map(|system| frame(&format!("<190>1 2026-11-21T14:14:58Z {system} app web.1 - of {system}")))
        .concat();
    let found =
        |arguments: &[&str]| text(&search(&[&["--count"], arguments].concat(), body.as_bytes())).trim().to_owned();
    assert_eq!(found(&["-s", "shop"]), "1");
    assert_eq!(found(&["-s", "shop*"]), "2");
    assert_eq!(found(&["-s", "shop", "-s", "depot"]), "2");
    assert_eq!(found(&["--system", "*"]), "3");
    let unmet = search(&["-s", "shoop"], body.as_bytes());
    assert_eq!(unmet.status.code(), Some(1));
    assert!(
        errors(&unmet).contains("no line is of system `shoop`; there are lines of Shop, shop-staging, depot"),
        "{}",
        errors(&unmet)
    );
}

#[test]
fn options_end_at_two_dashes_and_words_that_look_like_options_are_told_so() {
    let log = b"2026-11-21T14:14:58+00:00 app[web.1]: hello\n2026-11-21T14:14:59+00:00 app[redis.1]: sshd\n";
    for word in ["-redis", "-sshd", "-noise", "--flag", "-s=5", "-fast", "-AB", "-5", "-é"] {
        let output = search(&[word], log);
        assert_eq!(output.status.code(), Some(2), "{word}");
        assert!(
            errors(&output).contains(&format!("-- {word}")) || errors(&output).contains("-- -"),
            "{}",
            errors(&output)
        );
        assert_eq!(search(&["--", word], log).status.code().map(|code| code < 2), Some(true), "{word}");
    }
    assert_eq!(text(&search(&["--", "-redis"], log)).lines().count(), 1);
    assert_eq!(text(&search(&["hello", "-C1"], log)).lines().count(), 2, "options may stand behind words");
    assert_eq!(search(&["-jn1"], log).status.code(), Some(2), "what is told stands apart, but for numbers");
    assert_eq!(text(&search(&["-fj", "hello"], log)).lines().count(), 1);
}

#[test]
fn how_a_query_is_read_is_said_with_its_place() {
    let explained = search(&["--explain", "--min-time", "2026-03-14", "plum OR"], b"");
    assert_eq!(explained.status.code(), Some(0));
    assert!(errors(&explained).contains("\n  plum OR\n       ^^\n"), "{}", errors(&explained));
    assert!(
        text(&explained).contains("plum") && text(&explained).contains("from 2026-03-14 00:00:00 UTC"),
        "{}",
        text(&explained)
    );
    // However many notes there are, a few are said.
    let brackets = "(".repeat(4_000);
    let many = search(&["--explain", "--", &brackets], b"");
    assert!(errors(&many).len() < 4_000, "{}", errors(&many));
    let long = search(&["--explain", "--", &"x".repeat(9_000)], b"");
    assert_eq!(long.status.code(), Some(2));
    assert!(errors(&long).contains("9000 bytes; 8192 are the most"), "{}", errors(&long));
}

#[test]
fn a_cut_gzip_gives_what_came_before_and_status_1() {
    let folder = scratch("search-gzip");
    let demo = std::fs::read(testdata("demo.logplex")).unwrap();
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(&demo[..], flate2::Compression::default()).read_to_end(&mut packed).unwrap();
    let (whole, half) = (folder.join("whole.gz"), folder.join("half.gz"));
    std::fs::write(&whole, &packed).unwrap();
    std::fs::write(&half, &packed[..packed.len() / 2]).unwrap();
    let plain = text(&search(&["--in", &testdata("demo.logplex"), "router"], b""));
    let found = search(&["--in", whole.to_str().unwrap(), "router"], b"");
    assert_eq!((found.status.code(), text(&found)), (Some(0), plain.clone()));
    let cut = search(&["--in", half.to_str().unwrap(), "router"], b"");
    assert_eq!(cut.status.code(), Some(1));
    assert!(errors(&cut).contains("breaks off"), "{}", errors(&cut));
    // Where it was cut a frame is not whole, which is searched as what it is.
    let printed = text(&cut);
    let before = printed.split_once("- - logdrain/unread: ").map_or(&*printed, |(before, _)| before);
    assert!(plain.starts_with(before) && before.lines().count() > 10 && before.len() < plain.len());
}

#[test]
fn the_exit_status_says_whether_something_was_found() {
    let demo = testdata("demo.logplex");
    for (arguments, code) in [
        (&["--in", &demo, "H12"][..], 0),
        (&["--in", &demo, "no such thing"], 1),
        (&["--in", &demo, "--count", "no such thing"], 1),
        (&["--in", &demo, "--patterns", "no such thing"], 1),
        (&["--in", "/no/such/file", "H12"], 2),
        (&["--in", "/tmp", "H12"], 2),
        (&["--in", &demo, "--count", "-j"], 2),
        (&["--in", &demo, "-f", "--max-time", "now"], 2),
    ] {
        let output = search(arguments, b"");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", errors(&output));
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let folder = scratch("search-pipe");
    let file = folder.join("long");
    std::fs::write(&file, "2026-11-21T14:14:58+00:00 app[web.1]: hello\n".repeat(100_000)).unwrap();
    for arguments in [&["-j"][..], &["-C1", "hello"], &["hello"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_logdrain"))
            .args(["search", "--in", file.to_str().unwrap()])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut some = [0; 100];
        child.stdout.as_mut().unwrap().read_exact(&mut some).unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), errors(&output).as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn patterns_tell_what_fills_a_log() {
    let lines: String = (0..300)
        .map(|n| format!("2026-11-21T14:14:58+00:00 app[web.{}]: GET /items/{n} took {}ms\n", n % 2 + 1, n * 7))
        .chain((0..7).map(|n| format!("2026-11-21T14:15:00+00:00 app[clock.1]: tick {n}\n")))
        .collect();
    let table = text(&search(&["--patterns"], lines.as_bytes()));
    assert!(table.starts_with("307 lines, "), "{table}");
    assert!(table.contains("GET /items/<n> took <n>ms"), "{table}");
    let json = text(&search(&["--patterns", "-j", "-n", "2"], lines.as_bytes()));
    let rows: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 4, "two patterns, two programs");
    let of = |kind: &str| rows.iter().filter(|row| row["kind"] == kind).collect::<Vec<_>>();
    assert_eq!(
        (&of("pattern")[0]["count"], &of("pattern")[0]["pattern"]),
        (&150.into(), &"GET /items/<n> took <n>ms".into())
    );
    assert_eq!(of("program").iter().map(|row| row["count"].as_u64().unwrap()).sum::<u64>(), 300);
    assert!(of("pattern").iter().all(|row| row["at_least"] == false && row["bytes"].as_u64().unwrap() > 150));
    let narrowed = text(&search(&["--patterns", "-j", "tick"], lines.as_bytes()));
    assert_eq!(narrowed.lines().count(), 2);
}

/// The most memory that it had, in kB, with `megabytes` of lines on its standard input.
#[cfg(target_os = "linux")]
fn peak(arguments: &[&str], megabytes: usize, line: &str) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_logdrain"))
        .arg("search")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let chunk = line.repeat((1 << 20) / line.len() + 1);
    let mut peak = 0;
    for _ in 0..megabytes.div_ceil(chunk.len() >> 20) {
        stdin.write_all(chunk.as_bytes()).unwrap();
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak = high.trim().trim_end_matches(" kB").parse().unwrap();
    }
    drop(stdin);
    child.wait().unwrap();
    peak
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_input() {
    let long = std::env::var_os("HEROKU_METRICS_LONG").is_some();
    let megabytes = if long { 1024 } else { 160 };
    let text = "2026-11-21T14:14:58+00:00 app[web.1]: hello hello hello hello hello hello hello hello hello\n";
    let body = frame("<190>1 2026-11-21T14:14:58Z shop app web.1 - hello hello hello hello hello hello hello hello");
    for line in [text, body.as_str()] {
        for arguments in [
            &["--count", "hello"][..],
            &["hello"],
            &["-C", "1000", "nothing"],
            &["-n", "1000", "hello"],
            &["--patterns"],
        ] {
            let peak = peak(arguments, megabytes, line);
            assert!(peak < 40_000, "{arguments:?}: {peak} kB");
        }
    }
    // What waits to be printed is bounded by its bytes as well as by its lines.
    for arguments in [&["-n", "100000000", "hello"][..], &["-B", "100000000", "nothing"]] {
        let peak = peak(arguments, megabytes, text);
        assert!(peak < 200_000, "{arguments:?}: {peak} kB");
    }
}

#[test]
fn huge_lines_are_found_and_hold_nothing_up() {
    let huge = format!("{} needle {}", "x".repeat(3_000_000), "y".repeat(100_000));
    let log = format!("2026-11-21T14:14:58+00:00 app[web.1]: {huge}\n2026-11-21T14:14:59+00:00 app[web.1]: needle\n");
    assert_eq!(text(&search(&["--count", "needle"], log.as_bytes())), "2\n");
    let body =
        [frame(&format!("<190>1 2026-11-21T14:14:58Z shop app web.1 - {huge}")), frame("<190>1 - - - - - needle")]
            .concat();
    assert_eq!(text(&search(&["--count", "needle"], body.as_bytes())), "2\n");
    // Without a line end anywhere: read in pieces, each of them searched.
    let endless = format!("2026-11-21T14:14:58+00:00 app[web.1]: {}", "z".repeat(20_000_000));
    assert_eq!(search(&["--count", "zzz"], endless.as_bytes()).status.code(), Some(0));
}
