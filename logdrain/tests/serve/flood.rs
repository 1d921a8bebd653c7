//! More than it can take, and people who try to get in: memory stays below its bound, healthy senders are answered, and
//! nobody enters.
//!
//! `LOGDRAIN_FLOOD_SECONDS=60 cargo test --release -p logdrain --test serve flood::` is the long form.

use crate::harness::{self, Delivery, Server, now_micros, raw, request, scratch, time_of, wait_until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

fn flood_seconds() -> u64 {
    std::env::var("LOGDRAIN_FLOOD_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4)
}

/// One value and much text.
fn padded(metric: &str, octets: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(octets + 200);
    let time = time_of(now_micros());
    let line = format!("<190>1 {time} host app web.1 - count#{metric}=1\n");
    body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    while body.len() < octets {
        let text = "nothing to count in this line, and so on ".repeat(20);
        let line = format!("<190>1 {time} host app web.1 - {text}\n");
        body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    body
}

/// Open files that this process may have, and the server after it.
fn open_files() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok()).unwrap_or(256)
}

/// The sum of a count over all windows and revisions that were written last.
fn total(rows: &harness::Rows, metric: &str) -> u64 {
    let of_metric = rows.iter().filter(|((_, key), _)| key.contains(&format!("\"name\":\"{metric}\"")));
    of_metric.map(|(_, row)| number(row, "\"sum\":")).sum()
}

fn number(text: &str, key: &str) -> u64 {
    let rest = text.split(key).nth(1).unwrap_or_else(|| panic!("no {key} in {text}"));
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn under_a_flood_memory_stays_bounded_and_healthy_senders_are_answered() {
    let dir = scratch("flood");
    let config = dir.join("config.toml");
    let text = "memory = \"24MB\"\nbody_limit = \"4MB\"\ndrain_memory = \"32MB\"\nmax_drains = 2\n";
    fs::write(&config, text).unwrap();
    let server = Server::start(&dir, &["--config", config.to_str().unwrap()]);
    let address = server.address;
    let bound = number(&server.log(), "max_memory_mb=") << 20;

    let idle_count = 2_000.min(open_files() / 2 - 100);
    let idle: Vec<TcpStream> = (0..idle_count).filter_map(|_| TcpStream::connect(address).ok()).collect();
    let over = AtomicBool::new(false);
    let (sent, kept) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut times = Vec::new();
    std::thread::scope(|threads| {
        // A byte at a time.
        for _ in 0..20 {
            threads.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let Ok(mut stream) = TcpStream::connect(address) else { continue };
                    let _ = stream.write_all(b"POST /logs HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n");
                    while !over.load(Ordering::SeqCst) && stream.write_all(b"x").is_ok() {
                        std::thread::sleep(Duration::from_millis(50));
                    }
                }
            });
        }
        // Large bodies as fast as they go, at the limit, above it, and bombs.
        for thread in 0..16_u64 {
            let (over, sent, kept) = (&over, &sent, &kept);
            threads.spawn(move || {
                let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                bomb.write_all(&vec![b'x'; 64 << 20]).unwrap();
                let bomb = bomb.finish().unwrap();
                let large = padded("flood", [300_000, 2_000_000, (4 << 20) - 1_000][thread as usize % 3]);
                for number in 0.. {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    match number % 8 {
                        6 => {
                            let answer = request(address, "POST", "/logs", &[("Content-Encoding", "gzip")], &bomb);
                            assert!(answer.is_err() || matches!(answer.unwrap().status, 413 | 503));
                        }
                        7 => {
                            let answer = request(address, "POST", "/logs", &[], &vec![b'x'; (4 << 20) + 1]);
                            assert!(answer.is_err() || matches!(answer.unwrap().status, 413 | 503));
                        }
                        _ => {
                            let id = format!("{thread}-{number}");
                            sent.fetch_add(1, Ordering::SeqCst);
                            let one = Delivery { id, token: "d.flood".to_owned(), body: large.clone() };
                            match one.send(address) {
                                Ok(204) => drop(kept.fetch_add(1, Ordering::SeqCst)),
                                Ok(503) | Err(_) => std::thread::sleep(Duration::from_millis(20)),
                                Ok(other) => panic!("{other}"),
                            }
                        }
                    }
                }
            });
        }
        let began = Instant::now();
        for number in 0.. {
            if began.elapsed() > Duration::from_secs(flood_seconds()) {
                break;
            }
            let healthy =
                Delivery { id: format!("h-{number}"), token: "d.healthy".to_owned(), body: padded("healthy", 0) };
            loop {
                let asked = Instant::now();
                let answer = healthy.send(address);
                times.push(asked.elapsed());
                match answer {
                    Ok(204) => break,
                    Ok(503) | Err(_) => std::thread::sleep(Duration::from_millis(20)),
                    Ok(other) => panic!("{other}"),
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        over.store(true, Ordering::SeqCst);
    });
    drop(idle);
    let healthy = times.len() as u64;
    times.sort();
    let rank = |permille: usize| times[(times.len() * permille).div_ceil(1_000).saturating_sub(1)];
    let metrics = server.get("/metrics").body;
    let peak = server.memory();
    println!(
        "flood: {idle_count} idle connections; {} large bodies, {} kept; healthy: {healthy} answers, p50 {:?}, p99 {:?}, \
         max {:?}; memory {} MB of {} MB",
        sent.load(Ordering::SeqCst),
        kept.load(Ordering::SeqCst),
        rank(500),
        rank(990),
        times[times.len() - 1],
        peak >> 20,
        bound >> 20
    );
    assert!(times[times.len() - 1] < Duration::from_secs(5));
    // The program, its stacks and SQLite's cache come on top.
    assert!((peak as u64) < bound + (48 << 20), "{peak} of {bound}: {metrics}");
    let (kept, sent) = (kept.load(Ordering::SeqCst), sent.load(Ordering::SeqCst));
    let counted = wait_until("rows of all that was acknowledged", || {
        let counted = total(&harness::written(&dir.join("rows.jsonl")), "flood");
        (counted >= kept).then_some(counted)
    });
    // A delivery whose answer was lost may have been kept.
    assert!(counted <= sent, "{counted} counted of {sent} sent");
    assert!(metrics.contains("logdrain_refused_total{reason=\"too_large\"}"));
    assert_eq!(server.stop().0, Some(0));
}

fn locked() -> (std::path::PathBuf, Server) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let dir = scratch(&format!("entry-{}", NUMBER.fetch_add(1, Ordering::SeqCst)));
    let text = "[[drain]]\nname = \"shop\"\nuser = \"shop\"\npassword = \"s3cret\"\ntokens = [\"d.1\"]\n\
                [watcher]\nuser = \"ops\"\npassword = \"w4tch\"\n";
    fs::write(dir.join("config.toml"), text).unwrap();
    let server = Server::start(&dir, &["--config", dir.join("config.toml").to_str().unwrap()]);
    (dir, server)
}

fn kept(server: &Server) -> u64 {
    let watcher = format!("Basic {}", STANDARD.encode("ops:w4tch"));
    let metrics = request(server.address, "GET", "/metrics", &[("Authorization", &watcher)], b"").unwrap();
    assert_eq!(metrics.status, 200);
    number(&metrics.body, "logdrain_deliveries_total{outcome=\"kept\"} ")
}

/// Wrong answers are held back, the longer the more of them there are, so that they do not all come while this runs:
/// what was guessed opened nothing all the same, and the owner was let in at once.
#[test]
fn ten_thousand_guesses_open_nothing_and_are_slowed_while_the_owner_gets_in() {
    let (_dir, server) = locked();
    let address = server.address;
    let over = AtomicBool::new(false);
    let answered = AtomicU64::new(0);
    let owner = format!("Basic {}", STANDARD.encode("ops:w4tch"));
    let drain = format!("Basic {}", STANDARD.encode("shop:s3cret"));
    let mut slowest = Duration::ZERO;
    std::thread::scope(|threads| {
        for thread in 0..40 {
            let (over, answered) = (&over, &answered);
            threads.spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
                let mut requests = String::new();
                for number in 0..250 {
                    let pair = STANDARD.encode(format!("shop:s3cre{thread}-{number}"));
                    requests.push_str(&format!(
                        "POST /logs HTTP/1.1\r\nHost: a\r\nLogplex-Drain-Token: d.1\r\nAuthorization: Basic {pair}\r\n\
                         Content-Length: 0\r\n\r\n"
                    ));
                }
                let mut sent = stream.try_clone().unwrap();
                let sender = std::thread::spawn(move || drop(sent.write_all(requests.as_bytes())));
                let (mut text, mut chunk) = (String::new(), [0; 16 * 1024]);
                while !over.load(Ordering::SeqCst) {
                    match stream.read(&mut chunk) {
                        Ok(0) => break,
                        Ok(len) => text.push_str(std::str::from_utf8(&chunk[..len]).unwrap()),
                        Err(_) => {}
                    }
                }
                drop(stream.shutdown(std::net::Shutdown::Both));
                sender.join().unwrap();
                let all = text.matches("HTTP/1.1 ").count();
                assert_eq!(text.matches("HTTP/1.1 401").count(), all, "{text}");
                answered.fetch_add(all as u64, Ordering::SeqCst);
            });
        }
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(4) {
            let asked = Instant::now();
            let page = request(address, "GET", "/status", &[("Authorization", &owner)], b"").unwrap();
            let headers = [("Authorization", drain.as_str()), ("Logplex-Drain-Token", "d.1")];
            let kept = request(address, "POST", "/logs", &headers, b"").unwrap();
            assert_eq!((page.status, kept.status), (200, 204));
            slowest = slowest.max(asked.elapsed());
            std::thread::sleep(Duration::from_millis(50));
        }
        over.store(true, Ordering::SeqCst);
    });
    let answered = answered.load(Ordering::SeqCst);
    // Of ten thousand that were sent: 40 connections, each of which waits for two seconds soon.
    assert!((20..400).contains(&answered), "{answered} answers");
    assert!(slowest < Duration::from_secs(1), "the owner waited for {slowest:?}");
    let metrics = request(address, "GET", "/metrics", &[("Authorization", &owner)], b"").unwrap().body;
    assert!(number(&metrics, "logdrain_refused_total{reason=\"credentials\"} ") >= answered, "{metrics}");
    assert_eq!(number(&metrics, "logdrain_deliveries_total{outcome=\"kept\"} "), 1, "one body, which came often");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn requests_inside_requests_enter_nothing() {
    let (_dir, server) = locked();
    let inner = "POST /logs HTTP/1.1\r\nHost: a\r\nLogplex-Drain-Token: d.1\r\nContent-Length: 0\r\n\r\n";
    let good = format!("Authorization: Basic {}\r\nLogplex-Drain-Token: d.1\r\n", STANDARD.encode("shop:s3cret"));
    for head in [
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Content-Length: 0\r\nContent-Length: 90\r\n",
        "Content-Length: +0\r\n",
        "Content-Length: 0x10\r\n",
        "Content-Length : 0\r\n",
        "Content-Length: 0, 90\r\n",
        " Content-Length: 0\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding:\u{b}chunked\r\n",
        "X: a\r\n Transfer-Encoding: chunked\r\n",
        "X: a\0b\r\n",
        "X: a\rContent-Length: 9\r\n",
    ] {
        // Without credentials nothing may be kept, however the bytes are read.
        let text = format!("POST /logs HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{head}\r\n0\r\n\r\n{inner}");
        if let Ok(answer) = raw(server.address, text.as_bytes()) {
            assert!((400..=503).contains(&answer.status), "{head:?}: {answer:?}");
            assert!(!answer.body.contains("HTTP/1.1 204"), "{head:?}: {answer:?}");
        }
    }
    assert_eq!(kept(&server), 0);
    // With them, the request is one, and what follows it has none of its own.
    let text = format!(
        "POST /logs HTTP/1.1\r\nHost: a\r\n{good}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"
    );
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answers = Vec::new();
    let _ = stream.read_to_end(&mut answers);
    assert!(String::from_utf8_lossy(&answers).matches("HTTP/1.1 204").count() <= 1);
    assert!(kept(&server) <= 1);
    // Heads that never end, and heads of too many lines, are not read for ever.
    let long = format!("POST /logs HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    assert!(raw(server.address, long.as_bytes()).is_ok_and(|answer| answer.status == 431) || kept(&server) <= 1);
    let many = format!("POST /logs HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(500));
    assert!(raw(server.address, many.as_bytes()).map_or(true, |answer| answer.status >= 400));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn hostile_text_stays_text_in_top() {
    let dir = scratch("top");
    let line =
        "<190>1 2026-03-14T09:26:53Z host app web.1 - count#shop.orders=1 tag#who=\"\u{1b}]0;owned\u{7}\u{9b}31m<b>\"";
    fs::write(dir.join("body"), format!("{} {line}", line.len())).unwrap();
    let top = Command::new(env!("CARGO_BIN_EXE_logdrain"))
        .args(["top", "--format", "table"])
        .arg(dir.join("body"))
        .output()
        .unwrap();
    let shown = String::from_utf8(top.stdout).unwrap() + &String::from_utf8(top.stderr).unwrap();
    assert!(shown.contains("shop.orders") && shown.contains("owned"), "{shown}");
    assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{shown:?}");
}
