//! What watchers are answered: bounded in bytes and time, whoever asks and whatever logs hold.

use crate::harness::{Delivery, Server, body, now_micros, scratch, shown, time_of, wait_until};
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

fn config(dir: &Path, text: &str) -> String {
    let path = dir.join("config.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A delivery of many streams with tags as long as they may be.
fn long_tags(number: usize) -> Delivery {
    let tags: String = (0..40).map(|n| format!(" tag#{}{n}={}", "k".repeat(50), "v".repeat(200))).collect();
    let mut body = Vec::new();
    for stream in 0..80 {
        let time = time_of(now_micros());
        let line = format!(
            "<190>1 {time} host app web.1 - measure#m{stream}=1 measure#n{stream}=2 measure#o{stream}=3{tags}\n"
        );
        body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    Delivery { id: format!("long-{number}"), token: format!("d.{number}"), body }
}

#[test]
#[cfg(target_os = "linux")]
fn watchers_who_ask_and_do_not_read_take_no_memory_and_no_time_from_deliveries() {
    let dir = scratch("watchers");
    let text = "memory = \"64MB\"\ndrain_memory = \"32MB\"\nmax_drains = 4\nmax_connections = 200\n";
    let server = Server::start(&dir, &["--config", &config(&dir, text)]);
    for number in 0..4 {
        assert_eq!(long_tags(number).send(server.address).unwrap(), 204);
    }
    let largest = wait_until("rows of all drains", || {
        let text = server.get("/metrics").body;
        assert!(text.len() <= 4 << 20, "{}", text.len());
        let all = (0..4)
            .all(|number| text.contains(&format!("logdrain_window{{drain=\"{}\"", shown(&format!("d.{number}")))));
        all.then_some(text)
    });
    assert!(!largest.ends_with("logdrain_metrics_left_out 0\n"), "it is told that something was left out");
    let before = server.memory();
    let mut idle = Vec::new();
    for path in ["/metrics", "/status"].iter().cycle().take(60) {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: drain.example.com\r\n\r\n").as_bytes()).unwrap();
        idle.push(stream);
    }
    let mut slowest = Duration::ZERO;
    for number in 0..40 {
        let began = Instant::now();
        let sent = Delivery { id: format!("healthy-{number}"), token: "d.0".to_owned(), body: body(number, 20) };
        assert_eq!(sent.send(server.address).unwrap(), 204);
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    // Eight texts at a time, and what the kernel took of the others.
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 48 << 20, "{grown}");
    drop(idle);
    wait_until("memory that is given back", || {
        let text = server.get("/metrics");
        // Its own text is leased while it is built.
        let free = text.body.lines().find_map(|line| line.strip_prefix("logdrain_memory_free_bytes "))?;
        (text.status == 200 && free.parse::<usize>().unwrap() >= (64 << 20) - (4 << 20)).then_some(())
    });
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn rows_can_be_left_out_of_the_metrics() {
    let dir = scratch("no-rows");
    let server = Server::start(&dir, &["--config", &config(&dir, "metrics_rows = false\n")]);
    let sent = Delivery { id: "1".to_owned(), token: "d.1".to_owned(), body: body(1, 40) };
    assert_eq!(sent.send(server.address).unwrap(), 204);
    let text = wait_until("a closed window", || {
        Some(server.get("/metrics").body).filter(|text| text.contains("logdrain_window_start_seconds{"))
    });
    assert!(!text.contains("logdrain_window{") && text.ends_with("logdrain_metrics_left_out 0\n"), "{text}");
    assert_eq!(server.stop().0, Some(0));
}
