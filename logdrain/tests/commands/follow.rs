//! `logdrain replay --follow` and the signals that end it.
#![cfg(unix)]

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Long enough for a busy machine; nothing waits for it unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

struct Tail {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Tail {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_logdrain"))
            .args(["replay", "--follow"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let tail = Self { child, stdin };
        // A signal that comes before the program listens for it ends it, as any program.
        tail.wait_until_it_listens();
        tail
    }

    #[cfg(target_os = "linux")]
    fn wait_until_it_listens(&self) {
        let began = Instant::now();
        let catches = || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).map(str::trim).unwrap_or("0");
            // SIGINT is 2, SIGTERM is 15.
            u64::from_str_radix(caught, 16).unwrap_or(0) & ((1 << 1) | (1 << 14)) == (1 << 1) | (1 << 14)
        };
        while !catches() {
            assert!(began.elapsed() < PATIENCE, "it never listens for signals");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn wait_until_it_listens(&self) {
        std::thread::sleep(Duration::from_secs(2));
    }

    fn write(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        stdin.flush().unwrap();
        // Signals overtake what is in a pipe.
        std::thread::sleep(Duration::from_millis(500));
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits for the end, with standard input still open.
    fn output(mut self) -> Output {
        let began = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.stdin.take());
        self.child.wait_with_output().unwrap()
    }
}

fn rows(output: &Output) -> Vec<Value> {
    std::str::from_utf8(&output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `2026-03-14T09:26:53Z`, `ago` seconds before now.
fn time(ago: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - ago;
    heroku_metrics::model::Timestamp::from_unix_seconds(i64::try_from(now).unwrap()).to_string()
}

fn counted(ago: u64) -> String {
    format!("{} app[web.1]: count#a=1\n", time(ago))
}

#[test]
fn ctrl_c_prints_the_open_minutes_as_partial_and_the_books_and_exits_with_0() {
    for signal in ["INT", "TERM"] {
        let mut tail = Tail::start(&["--format", "jsonl", "--ledger", "json", "-"]);
        tail.write(&counted(0).repeat(5));
        tail.signal(signal);
        let output = tail.output();
        assert_eq!(output.status.code(), Some(0), "{signal}: {}", errors(&output));
        let rows = rows(&output);
        assert_eq!(rows.iter().map(|row| row["sum"].as_u64().unwrap()).sum::<u64>(), 5);
        assert!(rows.iter().all(|row| row["partial"] == true), "{rows:?}");
        let ledger: Value = serde_json::from_str(&errors(&output)).unwrap();
        assert_eq!((&ledger["observations"]["accepted"], &ledger["balanced"]), (&5.into(), &true.into()));
    }
}

#[test]
fn only_minutes_that_were_open_are_partial() {
    let mut tail = Tail::start(&["--flat", "-"]);
    tail.write(&[counted(600), counted(0)].concat());
    tail.signal("INT");
    let rows = rows(&tail.output());
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!((rows[0].get("partial"), &rows[1]["partial"]), (None, &true.into()));
}

#[test]
fn a_table_says_that_a_minute_is_partial() {
    let mut tail = Tail::start(&["--format", "table", "-"]);
    tail.write(&[counted(600), counted(0)].concat());
    tail.signal("INT");
    let output = tail.output();
    let text = String::from_utf8_lossy(&output.stdout);
    let minutes: Vec<_> = text.lines().filter(|line| line.starts_with("20")).collect();
    assert_eq!(minutes.iter().map(|line| line.ends_with("Z (partial)")).collect::<Vec<_>>(), [false, true], "{text}");
    assert!(errors(&output).contains("ended by a signal"), "{}", errors(&output));
}

#[test]
fn the_end_of_the_input_is_not_partial() {
    let mut tail = Tail::start(&["--format", "jsonl", "-"]);
    tail.write(&counted(0));
    drop(tail.stdin.take());
    let output = tail.output();
    let rows = rows(&output);
    assert_eq!((output.status.code(), rows.len()), (Some(0), 1));
    assert_eq!(rows[0].get("partial"), None);
}

#[test]
fn a_line_that_had_not_ended_is_not_counted() {
    let mut tail = Tail::start(&["--format", "jsonl", "--strict", "--ledger", "json", "-"]);
    tail.write(&format!("{}{} app[web.1]: measure#query=12", counted(0), time(0)));
    tail.signal("INT");
    let output = tail.output();
    let rows = rows(&output);
    assert_eq!((output.status.code(), rows.len()), (Some(0), 1), "{rows:?}");
    assert_eq!(rows[0]["name"], "a");
}

#[test]
fn ctrl_c_before_any_line_ends_it_too() {
    for arguments in [&["-"][..], &["--input", "body", "--ledger", "json", "-"]] {
        let tail = Tail::start(arguments);
        tail.signal("INT");
        let output = tail.output();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0), "{}", errors(&output));
    }
}

#[test]
fn frames_are_taken_up_to_the_signal() {
    let mut tail = Tail::start(&["--format", "jsonl", "-"]);
    let frame = format!("<190>1 {} host app web.1 - count#a=1\n", time(0));
    tail.write(&format!("{} {frame}{} {}", frame.len(), frame.len(), &frame[..20]));
    tail.signal("INT");
    let output = tail.output();
    assert_eq!((output.status.code(), rows(&output)[0]["sum"].as_u64()), (Some(0), Some(1)), "{}", errors(&output));
}

#[test]
fn a_named_pipe_is_followed_as_well() {
    let pipe = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("follow.pipe");
    let _ = std::fs::remove_file(&pipe);
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let path = pipe.to_str().unwrap();
    let without_a_writer = Tail::start(&["--format", "jsonl", path]);
    without_a_writer.signal("INT");
    assert_eq!(without_a_writer.output().status.code(), Some(0));

    let tail = Tail::start(&["--format", "jsonl", path]);
    let mut writer = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    writer.write_all(counted(0).as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    tail.signal("INT");
    let output = tail.output();
    assert_eq!((output.status.code(), rows(&output).len()), (Some(0), 1), "{}", errors(&output));
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let mut tail = Tail::start(&["--format", "jsonl", "--lateness", "0s", "-"]);
    // More rows than a pipe holds, which nobody reads: the program waits for its output.
    let lines: String = (0..2_000).map(|n| format!("{} app[web.1]: count#a{n}=1\n", time(600))).collect();
    tail.write(&lines);
    tail.write(&counted(0));
    tail.signal("INT");
    std::thread::sleep(Duration::from_millis(500));
    assert!(tail.child.try_wait().unwrap().is_none(), "it still waits for its output");
    tail.signal("INT");
    let began = Instant::now();
    let code = loop {
        if let Some(status) = tail.child.try_wait().unwrap() {
            break status.code();
        }
        assert!(began.elapsed() < PATIENCE, "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(code, Some(130));
}

#[test]
fn rows_of_minutes_that_are_over_come_at_once() {
    let mut tail = Tail::start(&["--format", "jsonl", "-"]);
    tail.write(&[counted(600), counted(0)].concat());
    let (sender, lines) = mpsc::channel();
    let mut stdout = BufReader::new(tail.child.stdout.take().unwrap());
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = stdout.read_line(&mut line);
        let _ = sender.send(line);
        let _ = stdout.read_to_string(&mut String::new());
    });
    let line = lines.recv_timeout(PATIENCE).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["sum"], 1);
    tail.signal("TERM");
    assert_eq!(tail.output().status.code(), Some(0));
}

#[test]
fn output_that_nobody_reads_is_quiet() {
    let demo = testkit::testdata().join("demo.logplex");
    for closed in ["stdout", "both"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_logdrain"))
            .args(["replay", demo.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        if closed == "both" {
            drop(child.stderr.take());
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), errors(&output).as_str()), (Some(0), ""), "{closed}");
    }
}
