//! The promise, put to the test: killed at any moment and sent everything again, the minutes come out right.
//!
//! `LOGDRAIN_KILLS=200 cargo test --release -p logdrain --test serve crash::` is the long form.

use crate::harness::{
    self, Delivery, Server, body, free_port, now_micros, rows_of, scratch, time_of, truth, wait_for_rows,
};
use crate::minutes::wait_for_minutes;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Numbers that look random and are the same each time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

pub(crate) fn kills(short: u64) -> u64 {
    std::env::var("LOGDRAIN_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(short)
}

/// What senders share: where the server is, what was acknowledged, whether it is enough.
#[derive(Default)]
pub(crate) struct Senders {
    pub(crate) port: AtomicU16,
    next: AtomicU64,
    tries: AtomicU64,
    /// Those that were answered with 503.
    pub(crate) refused: AtomicU64,
    pub(crate) enough: AtomicBool,
    pub(crate) acknowledged: Mutex<Vec<Delivery>>,
}

const DRAINS: [&str; 2] = ["d.shop", "d.blog"];

impl Senders {
    pub(crate) fn new(port: u16) -> Arc<Self> {
        let senders = Self::default();
        senders.port.store(port, Ordering::SeqCst);
        Arc::new(senders)
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port.load(Ordering::SeqCst)))
    }

    /// Sends one delivery after the other, each until it is acknowledged; `again` says how often one is sent that is.
    pub(crate) fn run(&self, mut again: impl FnMut() -> u64) {
        while !self.enough.load(Ordering::SeqCst) {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let sent = Delivery {
                id: format!("{number:032X}"),
                token: DRAINS[number as usize % DRAINS.len()].to_owned(),
                body: body(number, 1 + number % 60),
            };
            self.deliver(&sent);
            self.acknowledged.lock().unwrap().push(sent.clone());
            for _ in 0..again() {
                // Some of those sent before, from any time since the start.
                let earlier = {
                    let acknowledged = self.acknowledged.lock().unwrap();
                    acknowledged[(number * 7_919) as usize % acknowledged.len()].clone()
                };
                self.deliver(&sent);
                self.deliver(&earlier);
            }
        }
    }

    fn deliver(&self, sent: &Delivery) {
        for _ in 0..10_000 {
            self.tries.fetch_add(1, Ordering::SeqCst);
            match sent.send(self.address()) {
                Ok(204) => return,
                Ok(status) => {
                    assert!(status == 503, "{status}");
                    self.refused.fetch_add(1, Ordering::SeqCst);
                }
                Err(_) => {}
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{} was never acknowledged", sent.id);
    }

    /// The rows that must come out of what was acknowledged.
    pub(crate) fn truth(&self, dir: &Path) -> harness::Rows {
        let acknowledged = self.acknowledged.lock().unwrap();
        truth(
            dir,
            DRAINS.map(|drain| {
                let of_drain = acknowledged.iter().filter(|sent| sent.token == drain);
                (drain, of_drain.flat_map(|sent| sent.body.clone()).collect())
            }),
        )
    }
}

/// Runs senders against a server that is ended and started again, and compares the rows.
fn ordeal(name: &str, senders: usize, again: fn(u64) -> u64, rounds: u64, mut end: impl FnMut(Server, &mut Dice)) {
    let dir = scratch(name);
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    // Snapshots and pruning all the time, so that some are cut short, too.
    let config = dir.join("config.toml");
    std::fs::write(&config, "snapshot_every = \"150ms\"\n").unwrap();
    let arguments = ["--config", config.to_str().unwrap()];
    let mut server = Server::start(&dir, &arguments);
    let shared = Senders::new(server.address.port());
    let threads: Vec<_> = (0..senders)
        .map(|number| {
            let shared = shared.clone();
            let mut dice = Dice(number as u64 + 1);
            std::thread::spawn(move || shared.run(|| again(dice.below(1 << 20))))
        })
        .collect();
    for _ in 0..rounds {
        std::thread::sleep(Duration::from_millis(20 + dice.below(600)));
        end(server, &mut dice);
        server = Server::start(&dir, &arguments);
        shared.port.store(server.address.port(), Ordering::SeqCst);
    }
    shared.enough.store(true, Ordering::SeqCst);
    for thread in threads {
        thread.join().unwrap();
    }
    let expected = shared.truth(&dir);
    wait_for_rows(&dir.join("rows.jsonl"), &expected);
    wait_for_minutes(server.address, &expected);
    println!(
        "{name}: {rounds} restarts, {} deliveries in {} tries, {} rows",
        shared.acknowledged.lock().unwrap().len(),
        shared.tries.load(Ordering::SeqCst),
        expected.len()
    );
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn killed_at_any_moment_it_counts_everything_once() {
    ordeal("crash", 4, |_| 0, kills(10), |server, _| server.kill());
}

#[test]
fn sent_up_to_five_times_it_counts_everything_once() {
    ordeal(
        "repeat",
        2,
        |number| number % 3,
        kills(4),
        |server, dice| {
            if dice.below(2) == 0 {
                server.kill();
            } else {
                let (code, log) = server.stop();
                assert_eq!(code, Some(0), "{log}");
            }
        },
    );
}

/// The two commands against each other, as anyone would run them: what `send` knows is what `serve` wrote, to the byte,
/// though the server was killed under it and each delivery came up to five times, in and out of order.
#[test]
fn what_send_knows_is_what_a_killed_server_wrote() {
    const RATE: u64 = 5_000;
    let dir = scratch("truth");
    let config = dir.join("config.toml");
    std::fs::write(&config, "snapshot_every = \"150ms\"\n").unwrap();
    // The port stays the same, since the sender knows only one.
    let address = format!("127.0.0.1:{}", free_port());
    let arguments = ["--config", config.to_str().unwrap(), "--listen", &address, "--window", "60s"];
    let mut server = Server::start(&dir, &arguments);

    let (rounds, file) = (kills(10), dir.join("truth.jsonl"));
    // Of three minutes ago and later, so that no window waits for its end: rows come, and come again as revisions.
    let start = time_of(now_micros() - 180_000_000);
    let lines = (RATE * (rounds + 4) / 2).to_string();
    let url = format!("http://{address}/logs");
    let mut send = Command::new(env!("CARGO_BIN_EXE_logdrain"))
        .args(["send", "--to", &url, "--lines", &lines, "--rate", &RATE.to_string(), "--start", &start])
        .args(["--token", "d.shop", "--scenario", "repeat", "--until-acknowledged", "10m"])
        .args(["--truth", file.to_str().unwrap()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..rounds {
        std::thread::sleep(Duration::from_millis(20 + dice.below(400)));
        server.kill();
        server = Server::start(&dir, &arguments);
    }
    assert_eq!(send.wait().unwrap().code(), Some(0), "all was acknowledged");
    let expected = rows_of("d.shop", &std::fs::read_to_string(&file).unwrap());
    wait_for_rows(&dir.join("rows.jsonl"), &expected);
    println!("truth: {rounds} kills, {lines} lines, {} rows", expected.len());
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
}
