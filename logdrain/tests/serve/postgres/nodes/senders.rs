//! Who sends: each delivery is offered to two nodes, until both have said that it is kept.

use super::cluster::{Cluster, Node, account};
use crate::harness::{self, Delivery, PATIENCE, body_at, now_micros};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use testkit::random::Random;

pub(super) const DRAINS: u64 = 40;
const NODES: u64 = 3;
/// Deliveries that wait for their nodes: more of them would be the only work of this machine.
const MOST_WAITING: u64 = 100;
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(40);
/// A late line is as old as this at most. `replay`, which makes the truth, waits for a minute.
const LATE_SECONDS: u64 = 15;

/// What the threads share.
pub(super) struct Senders<'a> {
    cluster: &'a Cluster,
    seed: u64,
    next: AtomicU64,
    tries: AtomicU64,
    /// What was answered with 503.
    refused: Mutex<Vec<String>>,
    /// Lines may be older than they need be.
    has_late: bool,
    is_enough: AtomicBool,
    /// Nobody waits for an answer any more.
    is_given_up: AtomicBool,
    waiting: AtomicU64,
    acknowledged: Mutex<Vec<Delivery>>,
    /// The times of all lines: no two are the same, so that the last of two samples is the same in any order.
    times: Mutex<BTreeSet<u64>>,
}

/// How a drain is called.
pub(super) fn token(number: u64) -> String {
    format!("d.{:02}", number % DRAINS)
}

/// What the journal knows a delivery by, in hexadecimal digits.
pub(super) fn key(sent: &Delivery) -> String {
    let mut digest = Sha256::new();
    digest.update((sent.token.len() as u64).to_le_bytes());
    digest.update(&sent.token);
    digest.update(b"f");
    digest.update(&sent.id);
    digest.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

impl<'a> Senders<'a> {
    pub(super) fn new(cluster: &'a Cluster, seed: u64) -> Self {
        Self {
            cluster,
            seed,
            next: AtomicU64::new(0),
            tries: AtomicU64::new(0),
            refused: Mutex::default(),
            has_late: true,
            is_enough: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
            waiting: AtomicU64::new(0),
            acknowledged: Mutex::default(),
            times: Mutex::default(),
        }
    }

    /// The same, whose deliveries have other ids than those of the first so many.
    pub(super) fn behind(self, deliveries: u64) -> Self {
        Self { next: AtomicU64::new(deliveries), ..self }
    }

    /// The same, and no line is late.
    pub(super) fn in_time(self) -> Self {
        Self { has_late: false, ..self }
    }

    /// Sends while `work` is done, and then until all that was begun is acknowledged.
    pub(super) fn while_doing(&self, work: impl FnOnce()) {
        /// Ends the threads also when the work has panicked.
        struct Enough<'a>(&'a Senders<'a>);
        impl Drop for Enough<'_> {
            fn drop(&mut self) {
                self.0.is_enough.store(true, Ordering::SeqCst);
                self.0.is_given_up.store(std::thread::panicking(), Ordering::SeqCst);
            }
        }
        std::thread::scope(|scope| {
            scope.spawn(|| self.run(&mut Random::new(self.seed ^ 0x5eed)));
            let _enough = Enough(self);
            work();
        });
    }

    /// Sends at its own pace, whoever is away: a delivery that waits for a node holds no other one up.
    fn run(&self, random: &mut Random) {
        std::thread::scope(|scope| {
            while !self.is_enough.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(random.between(5, 25)));
                if self.waiting.load(Ordering::SeqCst) >= MOST_WAITING {
                    continue;
                }
                self.waiting.fetch_add(1, Ordering::SeqCst);
                let number = self.next.fetch_add(1, Ordering::SeqCst);
                let is_late = self.has_late && random.chance(500);
                let body = body_at(number, 1 + number % 24, |_| {
                    self.time(if is_late && random.chance(300) { random.between(1, LATE_SECONDS) } else { 0 })
                });
                let token = if self.cluster.keeps_lines {
                    format!("{}/{}", account(number), token(number))
                } else {
                    token(number)
                };
                let sent = Delivery { id: format!("{number:032X}"), token, body };
                let first = random.below(NODES) as usize;
                let second = (first + 1 + random.below(NODES - 1) as usize) % NODES as usize;
                // Both at the same moment, as a rule.
                let pause = if random.chance(200) { random.between(1, 1_500) } else { 0 };
                let again = random.chance(100).then(|| (random.bits(), random.below(NODES) as usize));
                scope.spawn(move || self.deliver(sent, (first, second, pause), again));
            }
        });
    }

    fn deliver(&self, sent: Delivery, (first, second, pause): (usize, usize, u64), again: Option<(u64, usize)>) {
        let nodes = &self.cluster.nodes;
        std::thread::scope(|scope| {
            scope.spawn(|| self.offer(&sent, &nodes[first]));
            std::thread::sleep(Duration::from_millis(pause));
            self.offer(&sent, &nodes[second]);
        });
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        let earlier = {
            let mut acknowledged = self.acknowledged.lock().unwrap();
            acknowledged.push(sent);
            let count = acknowledged.len() as u64;
            again.map(|(one, node)| (acknowledged[(one % count) as usize].clone(), node))
        };
        // One of any time since the start, once more.
        if let Some((earlier, node)) = earlier {
            self.offer(&earlier, &nodes[node]);
        }
    }

    /// So many seconds ago, and of no other line.
    fn time(&self, seconds: u64) -> u64 {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let mut time = now_micros() - seconds * 1_000_000;
        while !times.insert(time) {
            time += 1;
        }
        time
    }

    fn offer(&self, sent: &Delivery, node: &Node) {
        // Two nodes and the database may be away one after the other.
        let until = Instant::now() + 2 * PATIENCE;
        while Instant::now() < until && !self.is_given_up.load(Ordering::SeqCst) {
            if let Some(address) = node.address() {
                self.tries.fetch_add(1, Ordering::SeqCst);
                if let Ok(answer) = sent.offer(address) {
                    if answer.status == 204 {
                        return;
                    }
                    assert!(answer.status == 503, "{}: {}", answer.status, answer.body);
                    self.refused.lock().unwrap_or_else(PoisonError::into_inner).push(answer.body);
                }
            }
            std::thread::sleep(AGAIN);
        }
        assert!(self.is_given_up.load(Ordering::SeqCst), "{} was never acknowledged by one of its two nodes", sent.id);
    }

    /// One that somebody else sent was taken.
    pub(super) fn took(&self, sent: Delivery) {
        self.acknowledged.lock().unwrap().push(sent);
    }

    /// What was answered with 503.
    pub(super) fn refused(&self) -> Vec<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many have been acknowledged by both of their nodes.
    pub(super) fn taken(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    pub(super) fn told(&self) -> String {
        let (tries, refused) = (self.tries.load(Ordering::SeqCst), self.refused().len());
        format!("{} deliveries in {tries} tries, of which {refused} were refused", self.taken())
    }

    /// What the journal must know: the keys of all that were offered.
    pub(super) fn keys(&self) -> BTreeSet<String> {
        let acknowledged = self.acknowledged.lock().unwrap();
        let keys: BTreeSet<_> = acknowledged.iter().map(key).collect();
        assert_eq!(keys.len(), acknowledged.len());
        keys
    }

    /// The messages of all lines of an account.
    pub(super) fn messages(&self, account: &str) -> Vec<String> {
        let mut messages = Vec::new();
        for sent in self.acknowledged.lock().unwrap().iter() {
            if sent.token.split_once('/').is_some_and(|(of, _)| of == account) {
                let text = std::str::from_utf8(&sent.body).unwrap();
                messages.extend(text.lines().filter_map(|line| Some(line.split_once(" - ")?.1.to_owned())));
            }
        }
        messages
    }

    /// The rows that must come out.
    pub(super) fn truth(&self, dir: &Path) -> harness::Rows {
        let mut drains: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for sent in &*self.acknowledged.lock().unwrap() {
            drains.entry(sent.token.clone()).or_default().extend_from_slice(&sent.body);
        }
        harness::truth(dir, drains.iter().map(|(drain, body)| (drain.as_str(), body.clone())))
    }
}
