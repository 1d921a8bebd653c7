//! Those who follow the newest lines, over HTTP: each line once, in order, whatever happens to the server.

use crate::harness::{Delivery, PATIENCE, Server, now_micros, scratch, time_of, wait_until};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A delivery of lines that nothing else has, each with a number in it.
fn numbered(id: &str, numbers: std::ops::Range<u64>, rest: &str) -> Delivery {
    let mut body = Vec::new();
    for number in numbers {
        let time = time_of(now_micros());
        let line = format!("<190>1 {time} host app web.{} - number={number}. {rest}\n", number % 7);
        body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    Delivery { id: id.to_owned(), token: "d.tails".to_owned(), body }
}

/// One who follows. The server is asked in the old way, so that the stream comes as it is.
pub(crate) struct Tail {
    stream: BufReader<TcpStream>,
    /// Of whatever event.
    pub(crate) last: Option<u64>,
}

impl Tail {
    fn open(address: SocketAddr, query: &str, last: Option<u64>) -> Option<Self> {
        Self::open_with(address, query, last, "")
    }

    /// The same, with more headers.
    pub(crate) fn open_with(address: SocketAddr, query: &str, last: Option<u64>, headers: &str) -> Option<Self> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(3)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let last_id = last.map_or(String::new(), |last| format!("Last-Event-ID: {last}\r\n"));
        let head = format!("GET /api/v2/tail?{query} HTTP/1.0\r\nHost: {address}\r\n{last_id}{headers}\r\n");
        stream.write_all(head.as_bytes()).ok()?;
        let mut stream = BufReader::new(stream);
        let mut status = String::new();
        stream.read_line(&mut status).ok()?;
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            (stream.read_line(&mut line).ok()? > 0).then_some(())?;
        }
        status.contains(" 200 ").then_some(Self { stream, last })
    }

    /// The next line with its id; `None` when the stream has ended.
    pub(crate) fn next(&mut self) -> Option<(u64, serde_json::Value)> {
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).ok()? == 0 || !line.ends_with('\n') {
                return None;
            }
            if let Some(id) = line.strip_prefix("id: ") {
                // What is half told was not told: an id counts when its event has come to its end.
                let id = id.trim_end().parse().unwrap();
                let (mut data, mut end) = (String::new(), String::new());
                if self.stream.read_line(&mut data).ok()? == 0 || self.stream.read_line(&mut end).ok()? == 0 {
                    return None;
                }
                if end != "\n" {
                    return None;
                }
                self.last = Some(id);
                if let Some(data) = data.strip_prefix("data: ") {
                    return Some((id, serde_json::from_str(data).unwrap()));
                }
            }
        }
    }
}

fn number_of(line: &serde_json::Value) -> u64 {
    let message = line["message"].as_str().unwrap();
    message.split("number=").nth(1).unwrap().split('.').next().unwrap().parse().unwrap()
}

#[test]
fn lines_are_on_the_page_and_in_the_tail_as_soon_as_they_are_acknowledged() {
    let server = Server::start(&scratch("tail-soon"), &[]);
    wait_until("the store", || (server.get("/events").status == 200).then_some(()));
    let mut tail = Tail::open(server.address, "q=number", None).unwrap();
    let mut waits = Vec::new();
    for round in 0..20 {
        let sent = numbered(&round.to_string(), round..round + 1, "soon");
        assert_eq!(sent.send(server.address).unwrap(), 204);
        let began = Instant::now();
        let (id, line) = tail.next().unwrap();
        waits.push(began.elapsed());
        assert_eq!((line["id"].as_str().unwrap(), number_of(&line)), (id.to_string().as_str(), round));
        assert_eq!(
            (line["program"].as_str(), line["severity"].as_u64()),
            (Some(&*format!("app/web.{}", round % 7)), Some(6))
        );
        let page = server.get("/events").body;
        assert!(page.contains(&format!("id=\"e{id}\"")), "{page}");
    }
    waits.sort();
    assert!(waits[10] < Duration::from_secs(1), "{waits:?}");
    // A tail does not keep the server from ending.
    assert_eq!(server.stop().0, Some(0));
    assert!(tail.next().is_none());
}

#[test]
fn thirty_two_tails_see_each_line_once_in_order_though_the_server_is_killed() {
    const TAILS: u64 = 32;
    const KILLS: usize = 3;
    // So that all numbers have their last two digits.
    const FIRST: u64 = 1_000;
    let dir = scratch("tail-kill");
    let server = Server::start(&dir, &[]);
    wait_until("the store", || (server.get("/events").status == 200).then_some(()));
    let address = Arc::new(Mutex::new(server.address));
    let (over, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    // Each looks for lines whose number ends in two digits of its own.
    let tails: Vec<_> = (0..TAILS)
        .map(|tail| {
            let (address, over, sent) = (address.clone(), over.clone(), sent.clone());
            std::thread::spawn(move || {
                let query = format!("after=0&q=%22{tail:02}.%22+number");
                let (mut last, mut seen): (Option<u64>, Vec<(u64, u64)>) = (None, Vec::new());
                let began = Instant::now();
                loop {
                    let to = *address.lock().unwrap();
                    if let Some(mut stream) = Tail::open(to, &query, last) {
                        while let Some((id, line)) = stream.next() {
                            seen.push((id, number_of(&line)));
                            if over.load(Ordering::Acquire) && seen.len() as u64 >= sent.load(Ordering::Acquire) {
                                return seen;
                            }
                        }
                        last = stream.last;
                    }
                    assert!(began.elapsed() < PATIENCE, "{} of {}", seen.len(), sent.load(Ordering::Acquire));
                    std::thread::sleep(Duration::from_millis(20));
                }
            })
        })
        .collect();
    let mut server = Some(server);
    let mut number = FIRST;
    for kill in 0..=KILLS {
        for _ in 0..25 {
            let delivery = numbered(&format!("n{number}"), number..number + 100, "padding of a usual length");
            // As Logplex does: again until it is acknowledged.
            let is_in = || delivery.send(*address.lock().unwrap()).is_ok_and(|status| status == 204);
            wait_until("an answer", || is_in().then_some(()));
            number += 100;
            sent.store((number - FIRST) / 100, Ordering::Release);
        }
        if kill < KILLS {
            server.take().unwrap().kill();
            let again = Server::start(&dir, &[]);
            *address.lock().unwrap() = again.address;
            server = Some(again);
        }
    }
    over.store(true, Ordering::Release);
    // One more for each, so that whoever has all hears that it is over.
    let last = numbered("last", number..number + 100, "the end");
    assert_eq!(last.send(*address.lock().unwrap()).unwrap(), 204);
    let hundreds = FIRST / 100..number / 100 + 1;
    for (tail, thread) in tails.into_iter().enumerate() {
        let seen = thread.join().unwrap();
        assert!(seen.windows(2).all(|pair| pair[0].0 < pair[1].0), "ids rise");
        let numbers: Vec<u64> = seen.iter().map(|(_, number)| *number).collect();
        let all: Vec<u64> = hundreds.clone().map(|hundred| hundred * 100 + tail as u64).collect();
        assert!(numbers == all || numbers == all[..all.len() - 1], "tail {tail}: {numbers:?}");
    }
    assert_eq!(server.unwrap().stop().0, Some(0));
}

/// Ids of the lines of a page, and their numbers.
fn on_page(page: &str) -> Vec<(u64, u64)> {
    let lines = page.split(" id=\"e").skip(1);
    let number = |line: &str| line.split("number=</span>").nth(1)?.split('.').next()?.parse().ok();
    lines.map(|line| (line.split('"').next().unwrap().parse().unwrap(), number(line).unwrap())).collect()
}

#[test]
fn pages_by_id_under_load_show_each_line_once() {
    let server = Server::start(&scratch("tail-pages"), &[]);
    wait_until("the store", || (server.get("/events").status == 200).then_some(()));
    let (address, count) = (server.address, 60 * 100);
    let sender = std::thread::spawn(move || {
        for delivery in 0..60_u64 {
            let sent = numbered(&format!("p{delivery}"), delivery * 100..(delivery + 1) * 100, "a line");
            assert_eq!(sent.send(address).unwrap(), 204);
        }
    });
    // Upwards while lines come; at the end downwards.
    let (mut after, mut seen) = (0, Vec::new());
    wait_until("all lines", || {
        let lines = on_page(&server.get(&format!("/events?min_id={after}")).body);
        after = lines.last().map_or(after, |(id, _)| *id);
        seen.extend(lines);
        (seen.len() >= count).then_some(())
    });
    sender.join().unwrap();
    assert!(seen.iter().map(|(_, number)| *number).eq(0..count as u64), "{} lines", seen.len());
    assert!(seen.windows(2).all(|pair| pair[0].0 < pair[1].0));
    let mut down = on_page(&server.get("/events").body);
    while down.len() < count {
        let mut older = on_page(&server.get(&format!("/events?max_id={}", down[0].0)).body);
        assert!(!older.is_empty(), "it ends at {:?}", down[0]);
        older.append(&mut down);
        down = older;
    }
    assert_eq!(down, seen);
    assert_eq!(server.stop().0, Some(0));
}

/// Half of those who follow never read: nobody waits for them, and they are cut.
#[test]
#[cfg(target_os = "linux")]
fn who_follows_and_does_not_read_is_cut_and_keeps_nobody_waiting() {
    let dir = scratch("tail-idle");
    let text =
        "memory = \"64MB\"\ndrain_memory = \"32MB\"\nmax_drains = 4\nmax_connections = 200\nidle_timeout = \"2s\"\n";
    std::fs::write(dir.join("config.toml"), text).unwrap();
    let server = Server::start(&dir, &["--config", dir.join("config.toml").to_str().unwrap()]);
    wait_until("the store", || (server.get("/events").status == 200).then_some(()));
    let idle: Vec<_> = (0..24).map(|_| Tail::open(server.address, "", None).unwrap()).collect();
    let mut healthy = Tail::open(server.address, "", None).unwrap();
    // One that waits for what does not come, for longer than a connection may be idle.
    let mut patient = Tail::open(server.address, "q=%22number=4711.%22", None).unwrap();
    let padding = "x".repeat(5_000);
    let (mut slowest, mut seen) = (Duration::ZERO, BTreeSet::new());
    let before = server.memory();
    for round in 0..60_u64 {
        let delivery = numbered(&format!("i{round}"), round * 40..(round + 1) * 40, &padding);
        let began = Instant::now();
        assert_eq!(delivery.send(server.address).unwrap(), 204);
        slowest = slowest.max(began.elapsed());
        while seen.len() < (round as usize + 1) * 40 {
            let (id, line) = healthy.next().unwrap();
            assert!(seen.insert(id));
            assert_eq!(number_of(&line), seen.len() as u64 - 1);
        }
    }
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 96 << 20, "{grown}");
    // They held their places until they were cut; there are as many for others then.
    let mut others = Vec::new();
    wait_until("places", || {
        others.extend(Tail::open(server.address, "", None));
        (others.len() >= 30).then_some(())
    });
    let delivery = numbered("late", 4_711..4_712, "late");
    assert_eq!(delivery.send(server.address).unwrap(), 204);
    assert_eq!(number_of(&patient.next().unwrap().1), 4_711);
    // What was sent before they were cut is whole, but for the last line.
    for mut tail in idle {
        let mut expect = 0;
        while let Some((_, line)) = tail.next() {
            assert_eq!(number_of(&line), expect);
            expect += 1;
        }
        assert!(expect < 2_400, "it was not cut");
        let mut rest = Vec::new();
        assert_eq!(tail.stream.read_to_end(&mut rest).unwrap_or(0), 0);
    }
    assert_eq!(server.stop().0, Some(0));
}
