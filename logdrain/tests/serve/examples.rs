//! What `--help` shows as examples is run as it stands there.
#![cfg(unix)]

use crate::harness::{self, PATIENCE, Server, scratch, wait_until};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn help(command: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_logdrain")).args(command).arg("--help").output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// The indented command lines at the end of a help text.
fn examples(command: &[&str]) -> Vec<String> {
    let text = help(command);
    let (_, tail) = text.split_once("Examples:\n").unwrap_or_else(|| panic!("{command:?} has no examples: {text}"));
    let is_command = |line: &&str| line.starts_with("  logdrain ") || line.starts_with("  heroku ");
    let found: Vec<_> = tail.lines().filter(is_command).map(|line| line.trim().to_owned()).collect();
    assert!(!found.is_empty(), "{text}");
    found
}

/// A folder with the files that examples name, and with programs that stand in for others.
fn workplace(name: &str) -> PathBuf {
    let dir = scratch(name);
    let demo = std::fs::read(testkit::testdata().join("demo.logplex")).unwrap();
    std::fs::create_dir_all(dir.join("testdata")).unwrap();
    std::fs::create_dir_all(dir.join("bin")).unwrap();
    for file in ["testdata/demo.logplex", "body.logplex"] {
        std::fs::write(dir.join(file), &demo).unwrap();
    }
    for file in ["body.gz", "monday.gz", "tuesday.gz"] {
        let mut packed = Vec::new();
        flate2::read::GzEncoder::new(&demo[..], flate2::Compression::fast()).read_to_end(&mut packed).unwrap();
        std::fs::write(dir.join(file), packed).unwrap();
    }
    let archive = std::fs::read(testkit::testdata().join("demo.tsv")).unwrap();
    for hour in ["22", "23"] {
        let mut packed = Vec::new();
        flate2::read::GzEncoder::new(&archive[..], flate2::Compression::fast()).read_to_end(&mut packed).unwrap();
        std::fs::write(dir.join(format!("2026-11-28-{hour}.tsv.gz")), packed).unwrap();
    }
    std::fs::write(dir.join("rendered.txt"), testkit::demo::rendered()).unwrap();
    let script = |name: &str, text: &str| {
        let path = dir.join("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    script("heroku", &format!("cat {}", dir.join("rendered.txt").display()));
    // That the filter finds something is for jq itself to show.
    script("jq", "cat");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_logdrain"), dir.join("bin/logdrain")).unwrap();
    dir
}

fn shell(dir: &Path, line: &str) -> Command {
    let path = format!("{}:{}", dir.join("bin").display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(dir).env("PATH", path).stdin(Stdio::null());
    command
}

fn succeeds(dir: &Path, line: &str) -> String {
    let output = shell(dir, line).output().unwrap();
    let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{line}: {said}");
    out.into_owned()
}

#[test]
fn help_texts_fill_their_lines() {
    for command in
        ["parse", "replay", "top", "search", "tail", "alerts", "chart", "send", "serve", "health", "doctor", "drains"]
    {
        let text = help(&[command]);
        let (_, tail) = text.split_once("Examples:\n").unwrap();
        let lines: Vec<_> = tail.lines().collect();
        for pair in lines.windows(2) {
            // Behind an empty line a paragraph begins.
            let goes_on = !pair[0].is_empty() && pair[1].starts_with(|c: char| c.is_ascii_lowercase() || c == '-');
            let room = 100 - pair[0].len().min(100);
            let first = pair[1].split(' ').next().unwrap_or_default();
            assert!(!goes_on || first.len() >= room, "{command}: a line is broken too early: {pair:#?}");
        }
    }
}

#[test]
fn examples_of_commands_that_read_run() {
    let dir = workplace("examples-read");
    for command in ["parse", "replay", "top", "search", "tail", "alerts"] {
        // Those that ask a server are tried with one: `asked` has them.
        let asks = |line: &String| line.contains("--server ") || line.contains("--heroku-app ");
        for line in examples(&[command]).into_iter().filter(|line| !asks(line)) {
            // What follows a file goes on until it is ended.
            let is_endless = command == "tail" && line.contains("--in");
            let line = if is_endless { format!("timeout -s INT 2 {line}; [ $? = 124 ]") } else { line };
            assert!(!succeeds(&dir, &line).is_empty(), "{line} prints nothing");
        }
    }
}

#[test]
fn examples_of_chart_run() {
    let dir = workplace("examples-chart");
    for line in examples(&["chart"]) {
        succeeds(&dir, &line);
        let file = line.rsplit(' ').next().unwrap();
        let drawn = std::fs::read_to_string(dir.join(file)).unwrap();
        assert!(drawn.starts_with("<svg ") || drawn.starts_with("time,closed,"), "{line}: {drawn}");
    }
}

#[test]
fn examples_of_send_run_in_their_order() {
    let dir = workplace("examples-send");
    let server = Server::start(&dir, &["--listen", "127.0.0.1:0"]);
    for line in examples(&["send"]) {
        let line = line.replace("127.0.0.1:8514", &server.address.to_string());
        // Fewer lines and a shorter wait: what is tried here is the command line.
        let line = if line.contains("--scenario") { format!("{line} --lines 2000 --timeout 1s") } else { line };
        succeeds(&dir, &line);
    }
}

#[test]
fn examples_of_serve_and_doctor_run() {
    let dir = workplace("examples-serve");
    let replaced = |line: &str| {
        line.replace("/var/lib/logdrain", "store")
            .replace("/var/log/logdrain", ".")
            .replace("/etc/logdrain.toml", "logdrain.toml")
            // An hour shows the same as three days, here.
            .replace("--demo", "--demo=1h")
    };
    std::fs::write(dir.join("logdrain.toml"), include_str!("../../logdrain.toml")).unwrap();
    let of_serve = examples(&["serve"]);
    let starts: Vec<_> = of_serve.iter().filter(|line| line.starts_with("logdrain serve")).collect();
    assert!(starts.len() >= 3);
    for line in starts {
        let line = format!("exec {} --listen 127.0.0.1:0", replaced(line));
        let log = dir.join("serve.log");
        let file = std::fs::File::create(&log).unwrap();
        let mut child = shell(&dir, &line).stdout(Stdio::null()).stderr(file).spawn().unwrap();
        let said = || std::fs::read_to_string(&log).unwrap();
        let began = Instant::now();
        while !said().contains("deliveries are taken") {
            assert!(began.elapsed() < PATIENCE && child.try_wait().unwrap().is_none(), "{line}: {}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        assert_eq!(wait_until("its end", || child.try_wait().unwrap()).code(), Some(0), "{line}: {}", said());
    }
    assert!(!examples(&["health"]).is_empty());
    assert!(!examples(&["drains"]).is_empty());
    succeeds(&dir, &replaced(&examples(&["drains"])[0]));
    for line in examples(&["doctor"]) {
        succeeds(&dir, &replaced(&line));
    }
    // Nor is it a failure when whoever reads has left.
    let quiet = succeeds(&dir, "(sleep 0.3; logdrain doctor 2>said; echo $? >status) | true; cat said status");
    assert_eq!(quiet, "0\n");
}

#[test]
fn the_example_of_serve_shows_rows() {
    let dir = workplace("examples-try");
    let server = Server::start(&dir, &["--listen", "127.0.0.1:0"]);
    let line = examples(&["serve"]).into_iter().find(|line| line.starts_with("logdrain send")).unwrap();
    succeeds(&dir, &line.replace("127.0.0.1:8514", &server.address.to_string()));
    let rows = dir.join("rows.jsonl");
    wait_until("rows", || (std::fs::read_to_string(&rows).unwrap_or_default().lines().count() > 10).then_some(()));
    assert!(!server.log().contains("were late"), "{}", server.log());
}

#[test]
fn a_recording_is_told_to_be_late_in_the_log() {
    let dir = scratch("recording");
    let server = Server::start(&dir, &[]);
    let body = std::fs::read(testkit::testdata().join("demo.logplex")).unwrap();
    for id in ["1", "2"] {
        let delivery = harness::Delivery { id: id.to_owned(), token: "d.1".to_owned(), body: body.clone() };
        assert_eq!(delivery.send(server.address).unwrap(), 204);
    }
    let log = wait_until("a warning", || Some(server.log()).filter(|log| log.contains("is it an old recording?")));
    let line = log.lines().find(|line| line.contains("old recording")).unwrap();
    assert!(line.contains("WARN") && line.contains(" values were late by about "), "{line}");
    assert!(line.contains(" days ") && line.contains("`logdrain replay` reads those"), "{line}");
    assert!(!line.contains("d.1"), "a token is a password: {line}");
    let (code, log) = server.stop();
    assert_eq!((code, log.matches("old recording").count()), (Some(0), 1), "{log}");
}

#[test]
fn examples_at_the_top_run() {
    let dir = workplace("examples-top");
    for line in examples(&[]) {
        if !line.starts_with("logdrain serve") {
            succeeds(&dir, &line);
        }
    }
}
