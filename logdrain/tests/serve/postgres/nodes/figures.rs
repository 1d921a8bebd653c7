//! How long it takes until the rows of a node that was killed come again. `LOGDRAIN_TAKEOVERS=20` is the long form; it prints
//! what it measured.

use super::cluster::{Cluster, LEASE};
use super::senders::token;
use crate::harness::{Delivery, body, scratch, shown, wait_until};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use testkit::postgres::Postgres;

const DRAINS: u64 = 24;

/// The newest window of which a drain had a row: who wrote it first, and when that was seen.
#[derive(Clone, Copy)]
struct Newest {
    window: u64,
    node: usize,
    seen: Instant,
}

/// Follows what all nodes write.
struct Follower {
    files: Vec<(PathBuf, u64)>,
    drains: BTreeMap<String, Newest>,
}

impl Follower {
    fn look(&mut self) {
        for (node, (path, read)) in self.files.iter_mut().enumerate() {
            let Ok(mut file) = File::open(&*path) else { continue };
            file.seek(SeekFrom::Start(*read)).unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            *read += whole as u64;
            let seen = Instant::now();
            for line in text[..whole].lines() {
                let mut parts = line.strip_prefix("{\"id\":\"").unwrap().split('/');
                let (drain, window) = (parts.next().unwrap(), parts.next().unwrap());
                let window = window.split('+').next().unwrap().parse().unwrap();
                let newest = Newest { window, node, seen };
                let entry = self.drains.entry(drain.to_owned()).or_insert(newest);
                if window > entry.window {
                    *entry = newest;
                }
            }
        }
    }

    /// Which drains a node counts: it wrote the newest rows of them, and that not long ago.
    fn of_node(&self, node: usize) -> BTreeMap<String, u64> {
        let of = self.drains.iter().filter(|(_, newest)| newest.node == node);
        of.map(|(drain, newest)| (drain.clone(), newest.window)).collect()
    }
}

/// A line of each drain twice a second, to any node that takes it.
fn send(cluster: &Cluster, is_enough: &AtomicBool) {
    for number in 0.. {
        if is_enough.load(Ordering::SeqCst) {
            return;
        }
        let next = Instant::now() + Duration::from_millis(500 / DRAINS);
        let sent = Delivery { id: format!("{number:032X}"), token: token(number % DRAINS), body: body(number, 1) };
        let takes = |node: usize| {
            cluster.nodes[node].address().is_some_and(|address| sent.send(address).is_ok_and(|status| status == 204))
        };
        wait_until("a node that takes a delivery", || {
            (0..3).any(|node| takes((number as usize + node) % 3)).then_some(())
        });
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// One after the other, each when the work is shared again.
fn takeovers(cluster: &Cluster, count: usize) -> Vec<Duration> {
    let files = cluster.files().into_iter().map(|file| (file, 0)).collect();
    let mut follower = Follower { files, drains: BTreeMap::new() };
    let mut follow = |what: &str, is_it: &mut dyn FnMut(&Follower) -> bool| {
        wait_until(what, || {
            follower.look();
            is_it(&follower).then_some(())
        });
    };
    let of = |number| shown(&token(number));
    (0..count)
        .map(|round| {
            let node = round % 3;
            let began = Instant::now();
            let mut drains = BTreeMap::new();
            follow("rows of all nodes", &mut |all| {
                let is_fresh = |newest: &Newest| newest.seen.elapsed() < Duration::from_millis(1_500);
                drains = all.of_node(node);
                let is_all = (0..DRAINS).all(|number| all.drains.get(&of(number)).is_some_and(is_fresh));
                is_all && !drains.is_empty() && began.elapsed() > Duration::from_secs(3)
            });
            cluster.nodes[node].kill();
            let killed = Instant::now();
            // Rows of windows of which it wrote none.
            let mut all_again = Duration::ZERO;
            follow("rows of its drains", &mut |all| {
                let again = |(drain, window): (&String, &u64)| {
                    let newest = all.drains[drain];
                    (newest.window > *window && newest.node != node).then(|| newest.seen - killed)
                };
                let again: Option<Vec<_>> = drains.iter().map(again).collect();
                let Some(again) = again else { return false };
                all_again = again.into_iter().max().unwrap();
                true
            });
            println!("node {node} is killed: rows of all its {} drains come again after {all_again:?}", drains.len());
            assert!(cluster.nodes[node].start(&["--lateness", "0s"]));
            cluster.wait_for_owners();
            wait_until("its share", || (cluster.nodes[node].owned()? > 1).then_some(()));
            all_again
        })
        .collect()
}

#[test]
fn when_an_owner_is_killed_the_rows_of_its_drains_come_again_soon() {
    let Some(postgres) = Postgres::start() else { return };
    let count = std::env::var("LOGDRAIN_TAKEOVERS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let dir = scratch("nodes-figures");
    let url = postgres.url();
    let cluster = Cluster::new(&dir, [&url; 3]);
    cluster.start(&["--lateness", "0s"]);
    let is_enough = AtomicBool::new(false);
    let mut took = std::thread::scope(|scope| {
        scope.spawn(|| send(&cluster, &is_enough));
        let took = scope.spawn(|| takeovers(&cluster, count)).join();
        is_enough.store(true, Ordering::SeqCst);
        took.unwrap()
    });
    cluster.stop();
    took.sort();
    let (median, max) = (took[took.len() / 2], took[took.len() - 1]);
    println!("{count} takeovers with a lease of {LEASE:?}: median {median:?}, at most {max:?}");
    assert!(max <= LEASE + Duration::from_secs(5), "{took:?}");
    assert!(took.len() < 10 || median <= LEASE + Duration::from_secs(1), "{took:?}");
}
