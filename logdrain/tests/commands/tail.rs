//! `logdrain tail` and `search -f`: what comes while one waits.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// Long enough for a busy machine; nothing waits for it unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

struct Tail {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Tail {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_logdrain"))
            .args(arguments)
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let out = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines() {
                let _ = sender.send(line.unwrap());
            }
        });
        Self { child, stdin, lines }
    }

    fn write(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// The last word of the next line.
    fn next(&self) -> String {
        let line = self.lines.recv_timeout(PATIENCE).expect("a line");
        line.rsplit(' ').next().unwrap().to_owned()
    }

    fn has_more(&self) -> bool {
        self.lines.recv_timeout(Duration::from_millis(400)).is_ok()
    }

    fn interrupt(mut self) -> Option<i32> {
        assert!(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        drop(self.stdin.take());
        status.code()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line(word: &str) -> String {
    format!("2026-11-21T14:14:58+00:00 app[web.1]: say {word}\n")
}

fn file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tail");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

fn append(path: &Path, text: &str) {
    std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn the_last_lines_come_first_and_then_each_as_it_comes() {
    let mut tail = Tail::start(&["tail", "-n", "2", "say"]);
    tail.write(&["a", "b", "c"].map(line).concat());
    assert_eq!([tail.next(), tail.next()], ["b", "c"]);
    for word in ["d", "e"] {
        tail.write(&line(word));
        assert_eq!(tail.next(), word, "without waiting for more");
    }
    tail.write("2026-11-21T14:14:58+00:00 app[web.1]: something else\n");
    assert!(!tail.has_more());
    assert_eq!(tail.interrupt(), Some(0));
}

#[test]
fn the_end_of_standard_input_ends_it() {
    let mut tail = Tail::start(&["search", "-f", "say"]);
    tail.write(&line("a"));
    drop(tail.stdin.take());
    assert_eq!(tail.next(), "a");
    assert_eq!(tail.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_file_is_followed_as_it_grows_and_when_it_is_rotated() {
    let path = file("grows.log");
    std::fs::write(&path, ["a", "b"].map(line).concat()).unwrap();
    let tail = Tail::start(&["tail", "-n", "1", "--in", path.to_str().unwrap()]);
    assert_eq!(tail.next(), "b");
    append(&path, &line("c"));
    assert_eq!(tail.next(), "c");
    // Half a line waits for its other half.
    let whole = line("d");
    append(&path, &whole[..30]);
    assert!(!tail.has_more());
    append(&path, &whole[30..]);
    assert_eq!(tail.next(), "d");
    std::fs::rename(&path, file("grows.log.1")).unwrap();
    append(&file("grows.log.1"), &line("e"));
    std::fs::write(&path, line("f")).unwrap();
    assert_eq!([tail.next(), tail.next()], ["e", "f"]);
    std::fs::write(&path, "").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    append(&path, &line("g"));
    assert_eq!(tail.next(), "g", "it was cut, and begins again");
    assert_eq!(tail.interrupt(), Some(0));
}

#[test]
fn a_body_is_followed_too_and_of_several_files_the_last_one() {
    let (first, second) = (file("first.body"), file("second.body"));
    let frame = |word: &str| {
        let line = format!("<190>1 2026-11-21T14:14:58Z shop app web.1 - say {word}\n");
        format!("{} {line}", line.len())
    };
    std::fs::write(&first, frame("a")).unwrap();
    std::fs::write(&second, frame("b")).unwrap();
    let tail =
        Tail::start(&["search", "-f", "-j", "--in", first.to_str().unwrap(), "--in", second.to_str().unwrap(), "say"]);
    let [a, b] = [tail.next(), tail.next()];
    assert!(a.starts_with('a') && b.starts_with('b'), "{a} {b}");
    append(&second, &frame("c"));
    assert!(tail.next().starts_with('c'));
    assert_eq!(tail.interrupt(), Some(0));
}

#[test]
fn ctrl_c_before_any_line_ends_it_too() {
    let tail = Tail::start(&["tail"]);
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(tail.interrupt(), Some(0));
}
