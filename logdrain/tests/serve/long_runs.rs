//! Runs that take minutes and gigabytes, for the figures of `docs/operating.md`. Bounds are asserted, times are told.
//!
//! `LOGDRAIN_LONG_MB=4096 cargo test --release -p logdrain --test serve long_runs:: -- --nocapture --test-threads 1`: so many
//! megabytes of lines in each. Without it there is nothing to run.

use crate::harness::{Server, now_micros, scratch, time_of, wait_until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn megabytes() -> Option<u64> {
    std::env::var("LOGDRAIN_LONG_MB").ok()?.parse().ok()
}

/// Router lines, of about 250 bytes each; one in a thousand says that it is rare.
fn lines(number: u64, count: u64) -> Vec<u8> {
    let mut body = Vec::new();
    for n in number * count..(number + 1) * count {
        let rare = if n % 1_000 == 0 { " rare=yes" } else { "" };
        let text = format!(
            "<158>1 {} host heroku router - at=info method=GET path=\"/cart/{n}\" host=shop.example.com request_id={:016x} \
             fwd=\"192.0.2.{}\" dyno=web.{} connect=1ms service={}ms status=200 bytes={}{rare}\n",
            time_of(now_micros()),
            n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            n % 251,
            n % 9,
            n % 997,
            n % 40_009
        );
        body.extend_from_slice(format!("{} {text}", text.len()).as_bytes());
    }
    body
}

/// A connection that is kept, as Logplex keeps its own.
struct Sender(BufReader<TcpStream>, SocketAddr);

impl Sender {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream), address)
    }

    /// Again until it is acknowledged.
    fn send(&mut self, drain: Option<&str>, id: u64, body: &[u8]) {
        wait_until("an answer", || (self.once(drain, id, body) == 204).then_some(()));
    }

    fn once(&mut self, drain: Option<&str>, id: u64, body: &[u8]) -> u16 {
        let by = drain
            .map(|drain| format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{drain}:s3cret-{drain}"))));
        let head = format!(
            "POST /logs HTTP/1.1\r\nHost: {}\r\n{}Logplex-Drain-Token: d.1\r\nLogplex-Frame-Id: {id:032X}\r\n\
             Content-Type: application/logplex-1\r\nContent-Length: {}\r\n\r\n",
            self.1,
            by.unwrap_or_default(),
            body.len()
        );
        let stream = self.0.get_mut();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        while line != "\r\n" {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            if status == 0 {
                status = line.split(' ').nth(1).unwrap().parse().unwrap();
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        self.0.read_exact(&mut vec![0; length]).unwrap();
        status
    }
}

/// A drain of the configuration with an account of its own.
fn drain(name: &str) -> String {
    format!("[[drain]]\nname = \"{name}\"\nuser = \"{name}\"\npassword = \"s3cret-{name}\"\naccount = \"{name}\"\n")
}

fn metric(server: &Server, by: &str, name: &str) -> f64 {
    let headers = [("Authorization", by)];
    let page = crate::harness::request(server.address, "GET", "/metrics", &headers, b"").unwrap().body;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name}: {page}")).parse().unwrap()
}

fn files(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let count = |path: &Path| if path.is_dir() { files(path) } else { 1 };
    entries.map_while(Result::ok).map(|entry| count(&entry.path())).sum()
}

fn journal(dir: &Path) -> u64 {
    let len = |name: &str| fs::metadata(dir.join("store").join(name)).map_or(0, |meta| meta.len());
    len("journal.db") + len("journal.db-wal")
}

/// What a process has had written to the disk.
fn written(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    text.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap().parse().unwrap()
}

/// What a process has had of the processors, in seconds.
fn worked(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

/// A thousand accounts of a line for each fifty thousand of a loud one, by twenty connections.
#[test]
fn a_thousand_quiet_accounts_beside_a_loud_one_stay_within_their_bounds() {
    const QUIET: u64 = 1_000;
    const LOUD: u64 = 50;
    let Some(most) = megabytes() else { return };
    let dir = scratch("long-accounts");
    let config = dir.join("config.toml");
    let mut text = "max_drains = 1100\ndrain_memory = \"32MB\"\nlogs_limit = \"20GB\"\n\
                    [watcher]\nuser = \"ops\"\npassword = \"ops-s3cret-12\"\n"
        .to_owned();
    for name in (0..QUIET).map(|n| format!("quiet-{n}")).chain(["loud".to_owned()]) {
        text += &drain(&name);
    }
    fs::write(&config, text).unwrap();
    let arguments = ["--config", config.to_str().unwrap(), "--window", "60s", "--lateness", "60s"];
    let server = Server::start(&dir, &arguments);
    let said = server.log().split("max_memory_mb=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let (next, raw, count) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let began = Instant::now();
    let (mut most_journal, mut most_files) = (0, 0);
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| {
                    let mut sender = Sender::new(server.address);
                    while raw.load(Ordering::Relaxed) < most << 20 {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let (round, place) = (number / (QUIET + LOUD), number % (QUIET + LOUD));
                        let body = match place < QUIET {
                            true => lines(round, 1),
                            false => lines(number, 1_000),
                        };
                        let drain = if place < QUIET { format!("quiet-{place}") } else { "loud".to_owned() };
                        sender.send(Some(&drain), number, &body);
                        raw.fetch_add(body.len() as u64, Ordering::Relaxed);
                        count.fetch_add(if place < QUIET { 1 } else { 1_000 }, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        while !senders.iter().all(|sender| sender.is_finished()) {
            most_journal = most_journal.max(journal(&dir));
            most_files = most_files.max(files(&dir.join("store/logs")));
            std::thread::sleep(Duration::from_millis(500));
        }
    });
    let took = began.elapsed();
    let by = format!("Basic {}", STANDARD.encode("ops:ops-s3cret-12"));
    let count = count.into_inner();
    let began = Instant::now();
    while (metric(&server, &by, "logdrain_logs_events_total{outcome=\"kept\"}") as u64) < count {
        assert!(began.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(100));
    }
    let memory = server.memory();
    println!(
        "{count} lines, {} MB in {took:.1?} ({:.0} s of the processors): the journal {} MB at most, {most_files} files of lines at \
         most, {} MB of memory at most, of {said} MB",
        raw.into_inner() >> 20,
        worked(server.pid()),
        most_journal >> 20,
        memory >> 20
    );
    server.kill();
    let began = Instant::now();
    let server = Server::start(&dir, &arguments);
    println!("it starts again in {:.1?}", began.elapsed());
    while metric(&server, &by, "logdrain_logs_position") < metric(&server, &by, "logdrain_journal_position") {
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("all lines are there {:.1?} behind the start", began.elapsed());
    assert_eq!(metric(&server, &by, "logdrain_logs_events") as u64, count);
    assert_eq!(server.stop().0, Some(0));
    assert!(most_journal <= 512 << 20 && most_files <= 512, "{most_journal} bytes of journal, {most_files} files");
    fs::remove_dir_all(dir).unwrap();
}

/// What goes to the disk for each byte of a delivery, by what deliveries there are.
#[test]
fn bytes_on_the_disk_for_a_byte_that_came() {
    let Some(most) = megabytes() else { return };
    for (count, megabytes) in [(20, most / 8), (400, most / 2)] {
        let dir = scratch("long-disk");
        let server = Server::start(&dir, &["--window", "60s", "--lateness", "60s"]);
        let (next, raw) = (AtomicU64::new(0), AtomicU64::new(0));
        let (before, began) = (written(server.pid()), Instant::now());
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    let mut sender = Sender::new(server.address);
                    while raw.load(Ordering::Relaxed) < megabytes << 20 {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let body = lines(number, count);
                        sender.send(None, number, &body);
                        raw.fetch_add(body.len() as u64, Ordering::Relaxed);
                    }
                });
            }
        });
        let took = began.elapsed();
        let pid = server.pid();
        let (raw, number) = (raw.into_inner(), next.into_inner());
        wait_until("the lines", || {
            let position = |name: &str| metric(&server, "", name);
            (position("logdrain_logs_position") >= position("logdrain_journal_position")).then_some(())
        });
        let bytes = written(pid) - before;
        println!(
            "{number} deliveries of {} kB by 16 connections in {took:.1?}: {:.2} bytes on the disk for each",
            raw / number / 1_000,
            bytes as f64 / raw as f64
        );
        assert_eq!(server.stop().0, Some(0));
        fs::remove_dir_all(dir).unwrap();
    }
}

/// Killed while as much is in no file of lines as there may be: each of some accounts has less than makes a file.
#[test]
fn a_start_behind_a_kill_with_much_that_is_in_no_file() {
    const ACCOUNTS: u64 = 6;
    let Some(_) = megabytes() else { return };
    let dir = scratch("long-kill");
    let config = dir.join("config.toml");
    let mut text = "[watcher]\nuser = \"ops\"\npassword = \"ops-s3cret-12\"\n".to_owned();
    for name in (0..ACCOUNTS).map(|n| format!("a{n}")) {
        text += &drain(&name);
    }
    fs::write(&config, text).unwrap();
    let arguments = ["--config", config.to_str().unwrap(), "--window", "60s", "--lateness", "60s"];
    let by = format!("Basic {}", STANDARD.encode("ops:ops-s3cret-12"));
    let server = Server::start(&dir, &arguments);
    let mut sender = Sender::new(server.address);
    let (mut raw, mut number) = (0_u64, 0);
    while raw < 250 << 20 {
        let body = lines(number, 400);
        sender.send(Some(&format!("a{}", number % ACCOUNTS)), number, &body);
        (raw, number) = (raw + body.len() as u64, number + 1);
    }
    let position = metric(&server, &by, "logdrain_journal_position");
    let safe = metric(&server, &by, "logdrain_logs_safe_position");
    server.kill();
    let began = Instant::now();
    let server = Server::start(&dir, &arguments);
    let taken = began.elapsed();
    wait_until("the lines", || {
        let position = |name: &str| metric(&server, &by, name);
        (position("logdrain_logs_position") >= position("logdrain_journal_position")).then_some(())
    });
    println!(
        "killed behind {} MB, {:.0} of {position:.0} events of the journal in no file: deliveries are taken in {taken:.1?}, all lines are \
         there in {:.1?}",
        raw >> 20,
        position - safe,
        began.elapsed()
    );
    assert_eq!(metric(&server, &by, "logdrain_logs_events") as u64, number * 400);
    assert_eq!(server.stop().0, Some(0));
    fs::remove_dir_all(dir).unwrap();
}

/// Follows rare lines until it is over: each id, and how many microseconds behind it the line came.
fn follow(address: SocketAddr, seen: &AtomicU64, are_there: &AtomicUsize, is_over: &AtomicBool) -> Vec<(u64, u64)> {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /api/v2/tail?q=rare%3Dyes HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let (mut found, mut last, mut is_there) = (Vec::new(), 0, false);
    let (mut text, mut chunk) = (Vec::new(), vec![0; 64 << 10]);
    let began = Instant::now();
    // Whoever waits in vain for one of these does not wait for it to end.
    while !is_over.load(Ordering::Relaxed) && began.elapsed() < Duration::from_secs(120) {
        let Ok(len) = stream.read(&mut chunk) else { continue };
        assert!(len > 0, "it was cut off");
        if !std::mem::replace(&mut is_there, true) {
            are_there.fetch_add(1, Ordering::AcqRel);
        }
        let now = now_micros();
        text.extend_from_slice(&chunk[..len]);
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in text.drain(..whole).collect::<Vec<_>>().split(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            if let Some(id) = line.strip_prefix("id:") {
                last = id.trim().parse().unwrap();
            } else if line.starts_with("data:") && line.contains("rare=yes") {
                found.push((last, now.saturating_sub((last >> 20) * 1_000)));
                seen.fetch_add(1, Ordering::AcqRel);
            }
        }
    }
    found
}

/// Thirty-two who follow one line in a thousand, beside half of what is taken without them.
#[test]
fn tails_beside_half_load() {
    const FOR: Duration = Duration::from_secs(10);
    const TAILS: usize = 32;
    let Some(_) = megabytes() else { return };
    let dir = scratch("long-tails");
    let server = Server::start(&dir, &["--window", "60s", "--lateness", "60s"]);
    let next = AtomicU64::new(0);
    let load = |a_second: Option<f64>| {
        let began = Instant::now();
        let first = next.load(Ordering::Relaxed);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut sender = Sender::new(server.address);
                    let mut due = Instant::now();
                    while began.elapsed() < FOR {
                        if let Some(a_second) = a_second {
                            due += Duration::from_secs_f64(8.0 / a_second);
                            std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        }
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        sender.send(None, number, &lines(number, 1_000));
                    }
                });
            }
        });
        (next.load(Ordering::Relaxed) - first) as f64 / began.elapsed().as_secs_f64()
    };
    let full = load(None);
    let before = worked(server.pid());
    let without = load(Some(full / 2.0));
    let without = (worked(server.pid()) - before) / without;
    // A tail begins with what comes next: all that came before is there by then.
    wait_until("the lines", || {
        let position = |name: &str| metric(&server, "", name);
        (position("logdrain_logs_position") >= position("logdrain_journal_position")).then_some(())
    });
    let first = next.load(Ordering::Relaxed);
    let (is_over, are_there) = (AtomicBool::new(false), AtomicUsize::new(0));
    let seen: Vec<_> = (0..TAILS).map(|_| AtomicU64::new(0)).collect();
    let mut all: Vec<Vec<(u64, u64)>> = Vec::new();
    std::thread::scope(|scope| {
        let (is_over, are_there, address) = (&is_over, &are_there, server.address);
        let follow = |seen| scope.spawn(move || follow(address, seen, are_there, is_over));
        let tails: Vec<_> = seen.iter().map(follow).collect();
        wait_until("the tails", || (are_there.load(Ordering::Acquire) == TAILS).then_some(()));
        let before = worked(server.pid());
        let with = load(Some(full / 2.0));
        let with = (worked(server.pid()) - before) / with;
        let sent = next.load(Ordering::Relaxed) - first;
        wait_until("all lines in all tails", || {
            seen.iter().all(|seen| seen.load(Ordering::Acquire) >= sent).then_some(())
        });
        is_over.store(true, Ordering::Relaxed);
        all.extend(tails.into_iter().map(|tail| tail.join().unwrap()));
        println!(
            "processors for a thousand lines: {:.2} ms, {:.2} ms with {TAILS} tails",
            without * 100.0,
            with * 100.0
        );
    });
    let ids = |tail: &[(u64, u64)]| tail.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    assert!(ids(&all[0]).windows(2).all(|pair| pair[0] < pair[1]), "ids rise");
    assert!(all.iter().all(|tail| ids(tail) == ids(&all[0])), "all see the same");
    let seen = all[0].len();
    let mut waits: Vec<u64> = all.iter().flatten().map(|(_, wait)| *wait).collect();
    waits.sort_unstable();
    println!(
        "{full:.0} thousand lines a second at most; beside half of that {TAILS} tails of one line in a thousand saw {seen} each: from id to \
         tail {} ms (p50), {} ms (p99)",
        waits[waits.len() / 2] / 1_000,
        waits[waits.len() * 99 / 100] / 1_000
    );
    assert_eq!(server.stop().0, Some(0));
    fs::remove_dir_all(dir).unwrap();
}
