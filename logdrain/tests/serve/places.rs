//! Who takes places, memory and time from others, and does not get them.

use crate::harness::{self, PATIENCE, Server, body, now_micros, raw, request, scratch, time_of, wait_until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn start(name: &str, text: &str) -> (std::path::PathBuf, Server) {
    let dir = scratch(name);
    fs::write(dir.join("config.toml"), text).unwrap();
    let server = Server::start(&dir, &["--config", dir.join("config.toml").to_str().unwrap()]);
    (dir, server)
}

fn metric(server: &Server, name: &str) -> u64 {
    let text = server.get("/metrics").body;
    let line = format!("\n{name} ");
    text.split(&line)
        .nth(1)
        .unwrap_or_else(|| panic!("no {name} in {text}"))
        .split('\n')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

fn refused(server: &Server, reason: &str) -> u64 {
    metric(server, &format!("logdrain_refused_total{{reason=\"{reason}\"}}"))
}

fn syslog_address(server: &Server) -> SocketAddr {
    let log = server.log();
    log.split("syslog=").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap().parse().unwrap()
}

/// A frame of a syslog drain with so many bytes.
fn frame(token: &str, len: usize) -> Vec<u8> {
    let head = format!("<190>1 {} {token} app web.1 - - count#n=1 ", time_of(now_micros()));
    let text = format!("{head}{}", "x".repeat(len.saturating_sub(head.len())));
    format!("{} {text}", text.len()).into_bytes()
}

const SMALL: &str = "syslog = \"127.0.0.1:0\"\nmemory = \"8MB\"\nbody_limit = \"1MB\"\ndrain_memory = \"32MB\"\nmax_drains = 4\n\
                     answer_within = \"1s\"\n";

#[test]
fn syslog_connections_that_wait_for_memory_give_back_what_they_hold() {
    let (_dir, server) = start("deadlock", SMALL);
    let address = syslog_address(&server);
    let free = metric(&server, "logdrain_memory_free_bytes");
    // Each gathers a long frame, and wants room for another one while it holds the first.
    let mut all: Vec<TcpStream> = (0..400).filter_map(|_| TcpStream::connect(address).ok()).collect();
    let (long, short) = (frame("d.1", 64_300), frame("d.1", 400));
    for stream in &mut all {
        stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
        let _ = stream.write_all(&long);
    }
    for _ in 0..3 {
        for stream in &mut all {
            let _ = stream.write(&short);
        }
        std::thread::sleep(Duration::from_millis(60));
    }
    // A healthy sender is answered meanwhile, and at the latest when patience with the others is over.
    wait_until("a delivery", || {
        let sent = harness::Delivery { id: "1".to_owned(), token: "d.2".to_owned(), body: body(1, 100) };
        (sent.send(server.address).ok()? == 204).then_some(())
    });
    drop(all);
    let began = Instant::now();
    wait_until("the memory", || (metric(&server, "logdrain_memory_free_bytes") == free).then_some(()));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    wait_until("the end of connections", || (metric(&server, "logdrain_connections") <= 1).then_some(()));
    let began = Instant::now();
    assert_eq!(server.stop().0, Some(0));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
#[cfg(target_os = "linux")]
fn beginnings_of_frames_stay_within_the_memory_and_are_not_waited_for() {
    let (_dir, server) = start("beginnings", SMALL);
    let address = syslog_address(&server);
    let bound: usize = {
        let log = server.log();
        let text = log.split("max_memory_mb=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        text.parse::<usize>().unwrap() << 20
    };
    let free = metric(&server, "logdrain_memory_free_bytes");
    let mut most = 0;
    let mut beginning = frame("d.nobody", 65_000);
    beginning.truncate(64_000);
    for _ in 0..2 {
        let mut all: Vec<TcpStream> = (0..700).filter_map(|_| TcpStream::connect(address).ok()).collect();
        for stream in &mut all {
            stream.set_write_timeout(Some(Duration::from_millis(5))).unwrap();
            let _ = stream.write_all(&beginning);
        }
        // Bodies have the rest of the memory, whatever those do.
        let answer = request(server.address, "POST", "/logs", &[], &vec![b'x'; 900_000]).unwrap();
        assert_eq!(answer.status, 204);
        wait_until("the end of what never comes", || {
            (metric(&server, "logdrain_memory_free_bytes") == free).then_some(())
        });
        most = most.max(server.memory());
    }
    assert!(most < bound, "{most} of {bound}");
    assert!(refused(&server, "slow_body") > 0 && refused(&server, "memory") > 0);
    // A whole frame still comes through.
    let mut stream = TcpStream::connect(address).unwrap();
    let before = metric(&server, "logdrain_deliveries_total{outcome=\"kept\"}");
    stream.write_all(&frame("d.1", 64_000)).unwrap();
    wait_until("the frame", || (metric(&server, "logdrain_deliveries_total{outcome=\"kept\"}") > before).then_some(()));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn syslog_frames_as_long_as_may_be_fit_into_the_smallest_body_limit() {
    let text = "syslog = \"127.0.0.1:0\"\nbody_limit = \"128kB\"\n";
    let (_dir, server) = start("long-frames", text);
    let mut stream = TcpStream::connect(syslog_address(&server)).unwrap();
    let count = 30;
    for _ in 0..count {
        stream.write_all(&frame("d.1", 65_500)).unwrap();
    }
    stream.write_all(&frame("d.1", 200)).unwrap();
    drop(stream);
    let kept = "logdrain_received_bytes_total";
    wait_until("all frames", || (metric(&server, kept) > count * 65_500).then_some(()));
    assert_eq!(refused(&server, "too_large"), 0);
    let began = Instant::now();
    assert_eq!(server.stop().0, Some(0));
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[test]
fn requests_whose_bodies_never_come_put_no_healthy_sender_out() {
    let drains = ["shop", "blog"]
        .map(|name| format!("[[drain]]\nname = \"{name}\"\nuser = \"{name}\"\npassword = \"{name}-s3cret-1\"\n"));
    let (_dir, server) = start("places", &format!("max_connections = 20\n{}{}", drains[0], drains[1]));
    let address = server.address;
    let basic = |name: &str| format!("Basic {}", STANDARD.encode(format!("{name}:{name}-s3cret-1")));
    let head = |authorization: &str, len: usize| {
        format!("POST /logs HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\nContent-Length: {len}\r\n\r\n")
    };
    for (what, stuck) in [("without credentials", head("none", 5_000)), ("with them", head(&basic("blog"), 5_000))] {
        let over = AtomicBool::new(false);
        let mut kept = TcpStream::connect(address).unwrap();
        kept.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut send_on_kept = |number: u64| {
            let body = body(number, 4);
            kept.write_all(head(&basic("shop"), body.len()).as_bytes()).unwrap();
            kept.write_all(&body).unwrap();
            let mut answer = [0; 12];
            kept.read_exact(&mut answer).unwrap_or_else(|error| panic!("{what}: the kept one was cut: {error}"));
            assert_eq!(&answer, b"HTTP/1.1 204");
            let (mut end, mut byte) = (0, [0; 1]);
            while end < 4 {
                kept.read_exact(&mut byte).unwrap();
                end = if byte[0] == b"\r\n\r\n"[end] { end + 1 } else { usize::from(byte[0] == b'\r') };
            }
        };
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let mut all = std::collections::VecDeque::new();
                while !over.load(Ordering::SeqCst) {
                    if let Ok(mut stream) = TcpStream::connect(address) {
                        let _ = stream.write_all(stuck.as_bytes());
                        all.push_back(stream);
                    }
                    if all.len() > 100 {
                        all.pop_front();
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            for number in 0..20 {
                send_on_kept(number);
                let headers = [("Authorization", basic("shop"))];
                let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let answer = request(address, "POST", "/logs", &headers, &body(100 + number, 4));
                assert_eq!(answer.map(|answer| answer.status).ok(), Some(204), "{what}: a new one");
                std::thread::sleep(Duration::from_millis(40));
            }
            over.store(true, Ordering::SeqCst);
        });
    }
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn who_does_not_read_an_answer_is_cut_off_and_its_memory_comes_back() {
    let (_dir, server) = start("unread-answers", "idle_timeout = \"2s\"\n");
    // Many answers to one connection, none of which is read.
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let ask = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", server.address).repeat(500);
    for _ in 0..40 {
        if stream.write_all(ask.as_bytes()).is_err() {
            break;
        }
    }
    wait_until("the connection", || (metric(&server, "logdrain_connections") >= 1).then_some(()));
    // The system takes some hundred answers off the server first, and between two of them the building rests.
    wait_until("its end", || (metric(&server, "logdrain_connections") == 1).then_some(()));
    assert_eq!(server.stop().0, Some(0));
}

/// Gzip that takes long to undo and is nothing.
fn empty_members(bytes: usize) -> Vec<u8> {
    let member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()).finish().unwrap();
    member.repeat(bytes / member.len())
}

#[test]
fn gzip_that_takes_long_delays_no_healthy_sender() {
    let (_dir, server) = start("gzip", "");
    let address = server.address;
    let empty = empty_members(7 << 20);
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(&body(1, 50)).unwrap();
    let healthy = zipped.finish().unwrap();
    // Blocks of nothing inside of one member, between a head and a broken end.
    let mut blocks = empty[..10].to_vec();
    blocks.extend_from_slice(&[0, 0, 0, 0xff, 0xff].repeat((7 << 20) / 5));
    let over = AtomicBool::new(false);
    let mut times = Vec::new();
    std::thread::scope(|threads| {
        for number in 0..12 {
            let (over, empty, blocks) = (&over, &empty, &blocks);
            threads.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    let body = if number % 2 == 0 { empty } else { blocks };
                    let _ = request(address, "POST", "/logs", &[("Content-Encoding", "gzip")], body);
                }
            });
        }
        for number in 0..10 {
            let id = number.to_string();
            let headers = [("Content-Encoding", "gzip"), ("Logplex-Frame-Id", id.as_str())];
            let asked = Instant::now();
            let answer = request(address, "POST", "/logs", &headers, &healthy).unwrap();
            // All memory may be taken by bodies; that is told at once.
            assert!(matches!(answer.status, 204 | 503), "{answer:?}");
            times.push(asked.elapsed());
        }
        over.store(true, Ordering::SeqCst);
    });
    let slowest = times.iter().max().unwrap();
    assert!(*slowest < Duration::from_secs(3), "{times:?}");
    let many = request(address, "POST", "/logs", &[("Content-Encoding", "gzip")], &empty_members(2_000)).unwrap();
    assert_eq!(many.status, 413, "more members than any sender makes");
    let two = [healthy.as_slice(), healthy.as_slice()].concat();
    let answer = request(address, "POST", "/logs", &[("Content-Encoding", "gzip")], &two).unwrap();
    assert_eq!(answer.status, 204);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let (_dir, server) = start("head", "idle_timeout = \"1s\"\n");
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"POST /logs HTTP/1.1\r\nX: ").unwrap();
    let began = Instant::now();
    let _ = stream.read_to_end(&mut Vec::new());
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(raw(server.address, b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").is_ok());
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_frame_that_ends_where_a_read_ends_is_kept_while_its_sender_is_quiet() {
    let (_dir, server) = start("quiet", "syslog = \"127.0.0.1:0\"\n");
    let mut stream = TcpStream::connect(syslog_address(&server)).unwrap();
    for total in [16 * 1024, 32 * 1024, 300] {
        let before = metric(&server, "logdrain_received_bytes_total");
        let len = total - format!("{total} ").len();
        let frame = frame("d.1", len);
        assert_eq!(frame.len(), total);
        stream.write_all(&frame).unwrap();
        wait_until("the frame", || {
            (metric(&server, "logdrain_received_bytes_total") == before + total as u64).then_some(())
        });
    }
    assert_eq!(refused(&server, "slow_body"), 0);
    assert_eq!(server.stop().0, Some(0));
}
