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
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
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
    let (mut found, mut bytes, mut after) = (0, 0, "0".to_owned());
    loop {
        let page = client.get(&format!("min_id={after}&limit={PAGE}"));
        found += page.matches("\"message\":").count();
        bytes += page.len();
        last(&page, "max_id").clone_into(&mut after);
        if page.contains("\"reached_end\":true") {
            break;
        }
    }
    let over_http = began.elapsed();
    assert_eq!(found, count);
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
        "{count} lines, {} MB of JSON: {over_http:?} over HTTP, {by_store:?} by the store alone ({alone} there): {:.2}; newest 100 of \
         a common term: median {:?}, p98 {:?}",
        bytes >> 20,
        by_store.as_secs_f64() / over_http.as_secs_f64(),
        times[30],
        times[58]
    );
}
