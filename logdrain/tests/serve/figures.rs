//! What the API costs, beside what the store costs alone.
//!
//! `LOGDRAIN_FIGURES=1000000 cargo test --profile dist -p logdrain --test serve figures:: -- --nocapture`: so many lines. Without it
//! there is nothing to run.

use crate::harness::{Delivery, Server, now_micros, scratch, time_of, wait_until};
use log_store::{EventId, Options, Order, Page, Query, Reached, Reader, Scope};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const SEARCH: &str = "/api/v1/events/search.json";
const PAGE: usize = 10_000;

fn lines(server: &Server, from: usize, count: usize) {
    let mut body = Vec::new();
    for n in from..from + count {
        let text = format!(
            "<158>1 {} host heroku router - at=info method=GET path=\"/cart/{n}\" host=shop.example.com request_id=7b2e-{n} \
             fwd=\"192.0.2.{}\" dyno=web.{} connect=1ms service={}ms status=200 bytes={}\n",
            time_of(now_micros()),
            n % 251,
            n % 9,
            n % 997,
            n % 40_009
        );
        body.extend_from_slice(format!("{} {text}", text.len()).as_bytes());
    }
    let delivery = Delivery { id: format!("{from}-{count}"), token: "d.figures".to_owned(), body };
    wait_until("room", || (delivery.send(server.address).unwrap() == 204).then_some(()));
}

/// One connection that is kept.
struct Client(BufReader<TcpStream>, String);

impl Client {
    fn new(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).unwrap();
        Self(BufReader::new(stream), server.address.to_string())
    }

    fn get(&mut self, query: &str) -> String {
        let mut body = Vec::new();
        self.read(query, &mut body);
        String::from_utf8(body).unwrap()
    }

    /// The answer in a buffer that is used again: what is measured is what the server does.
    fn read(&mut self, query: &str, body: &mut Vec<u8>) {
        let head = format!("GET {SEARCH}?{query} HTTP/1.1\r\nHost: {}\r\n\r\n", self.1);
        self.0.get_mut().write_all(head.as_bytes()).unwrap();
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        body.resize(length, 0);
        self.0.read_exact(body).unwrap();
    }
}

/// The last value of a key that is text.
fn last<'a>(text: &'a str, key: &str) -> &'a str {
    text.rsplit_once(&format!("\"{key}\":\"")).unwrap().1.split('"').next().unwrap()
}

#[test]
fn walking_by_min_id_beside_the_store_alone() {
    let Ok(count) = std::env::var("LOGDRAIN_FIGURES") else { return };
    let count: usize = count.parse().unwrap();
    let dir = scratch("figures");
    let server = Server::start(&dir, &[]);
    for from in (0..count).step_by(1_000) {
        lines(&server, from, 1_000.min(count - from));
    }
    let mut client = Client::new(&server);
    wait_until("the lines", || client.get("limit=1").contains(&format!("7b2e-{} ", count - 1)).then_some(()));
    std::thread::sleep(Duration::from_secs(10));
    let began = Instant::now();
    let (mut found, mut bytes, mut after, mut page) = (0, 0, "0".to_owned(), Vec::new());
    loop {
        client.read(&format!("min_id={after}&limit={PAGE}"), &mut page);
        found += memchr::memmem::find_iter(&page, "\"message\":").count();
        bytes += page.len();
        // What stands behind the events.
        let end = String::from_utf8_lossy(&page[page.len().saturating_sub(400)..]).into_owned();
        last(&end, "max_id").clone_into(&mut after);
        if end.contains("\"reached_end\":true") {
            break;
        }
    }
    let over_http = began.elapsed();
    assert_eq!(found, count);
    let sending = send_alone(bytes);
    let mut times: Vec<_> = (0..60)
        .map(|_| {
            let began = Instant::now();
            assert_eq!(client.get("q=status%3D200&limit=100").matches("\"message\":").count(), 100);
            std::thread::sleep(Duration::from_millis(60));
            began.elapsed() - Duration::from_millis(60)
        })
        .collect();
    times.sort();
    assert_eq!(server.stop().0, Some(0));
    let reader = Reader::open(dir.join("store/logs"), &Options::new()).unwrap();
    let began = Instant::now();
    let (mut alone, mut page) = (0, Page::new().with_order(Order::Oldest).with_limit(PAGE).with_after(EventId::new(0)));
    let query = Query::default();
    loop {
        let found = reader.view(&Scope::account("default")).search(&query, &page, &mut || true);
        alone += found.events().len();
        if found.examined().reached() == Reached::End {
            break;
        }
        page = found.newer(&page);
    }
    let by_store = began.elapsed();
    println!(
        "{count} lines, {} MB of JSON: {over_http:?} over HTTP, {sending:?} to send so many bytes and no more, {by_store:?} by the store \
         alone ({alone} there): {:.2}; newest 100 of a common term: median {:?}, p98 {:?}",
        bytes >> 20,
        by_store.as_secs_f64() / over_http.as_secs_f64(),
        times[30],
        times[58]
    );
}

/// What it takes to send so many bytes over loopback to who counts in them what the walk counts: less no server can take.
fn send_alone(bytes: usize) -> Duration {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let piece = vec![b'x'; 5 << 20];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = listener.accept().unwrap().0;
            let mut left = bytes;
            while left > 0 {
                // As many as a page has, each asked for.
                stream.read_exact(&mut [0]).unwrap();
                let len = left.min(piece.len());
                stream.write_all(&piece[..len]).unwrap();
                left -= len;
            }
        });
        let mut stream = TcpStream::connect(address).unwrap();
        let (began, mut left, mut page) = (Instant::now(), bytes, Vec::new());
        while left > 0 {
            stream.write_all(b"?").unwrap();
            page.resize(left.min(piece.len()), 0);
            stream.read_exact(&mut page).unwrap();
            assert_eq!(memchr::memmem::find_iter(&page, "\"message\":").count(), 0);
            left -= page.len();
        }
        began.elapsed()
    })
}

/// The 99th of a hundred, after sorting.
fn p99(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() * 99 / 100]
}

/// Sends deliveries of a thousand lines, so many a second in all, until it is told to stop; answers how long each took.
fn load(server: &Server, a_second: f64, senders: usize, is_over: &std::sync::atomic::AtomicBool) -> Vec<Duration> {
    use std::sync::atomic::Ordering;
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1_000_000_000);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..senders)
            .map(|_| {
                scope.spawn(|| {
                    let pause = Duration::from_secs_f64(senders as f64 / a_second);
                    let (mut times, mut due) = (Vec::new(), Instant::now());
                    while !is_over.load(Ordering::Relaxed) {
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        // What is late is not caught up with at once.
                        due = (due + pause).max(Instant::now() - pause);
                        let from = NEXT.fetch_add(1_000, Ordering::Relaxed);
                        let began = Instant::now();
                        lines(server, from, 1_000);
                        times.push(began.elapsed());
                    }
                    times
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// Searches beside deliveries, and deliveries beside searches.
#[test]
fn search_and_intake_beside_each_other() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let Ok(count) = std::env::var("LOGDRAIN_FIGURES") else { return };
    let count: usize = count.parse().unwrap();
    const FOR: Duration = Duration::from_secs(10);
    let dir = scratch("figures-beside");
    let server = Server::start(&dir, &[]);
    for from in (0..count).step_by(1_000) {
        lines(&server, from, 1_000.min(count - from));
    }
    std::thread::sleep(Duration::from_secs(10));
    let while_loaded = |a_second: f64, work: &mut dyn FnMut()| {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let times = scope.spawn(|| load(&server, a_second, 4, &is_over));
            work();
            is_over.store(true, Ordering::Relaxed);
            times.join().unwrap()
        })
    };
    let wait = &mut || std::thread::sleep(FOR);
    let most = while_loaded(1e6, wait).len() as f64 / FOR.as_secs_f64();
    let searches = || {
        let mut client = Client::new(&server);
        let mut times: Vec<_> = (0..150)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(60));
                let began = Instant::now();
                assert_eq!(client.get("q=status%3D200&limit=100").matches("\"message\":").count(), 100);
                began.elapsed()
            })
            .collect();
        p99(&mut times)
    };
    let idle = searches();
    let mut loaded = Duration::ZERO;
    while_loaded(most / 2.0, &mut || loaded = searches());
    // Of a word that stands in every line, and of none that has it: all of it is read.
    let scans = &mut || {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut client = Client::new(&server);
                    while !is_over.load(Ordering::Relaxed) {
                        client.get("q=status%3D200%20-at%3Dinfo&limit=100");
                    }
                });
            }
            std::thread::sleep(FOR);
            is_over.store(true, Ordering::Relaxed);
        });
    };
    let mut without = while_loaded(most / 2.0, &mut || std::thread::sleep(FOR));
    let mut with = while_loaded(most / 2.0, scans);
    let (without, with) = (p99(&mut without), p99(&mut with));
    println!(
        "{most:.0} deliveries of 1,000 lines a second at most; p99 of the newest 100 of a common term: {idle:?} idle, {loaded:?} beside \
         half of that: {:.1}; p99 of a delivery at half: {without:?}, {with:?} beside 8 scans: {:.1}",
        loaded.as_secs_f64() / idle.as_secs_f64(),
        with.as_secs_f64() / without.as_secs_f64()
    );
    assert_eq!(server.stop().0, Some(0));
}
